"""Pictures of the 37 characters that lines are composed of: the project's strokes, and outlines of a font.

A bank holds every character once, in one weight and one slight deformation. All banks have the same measures,
so a line is composed by pasting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from borderpost.documents.mrz import ALPHABET
from borderpost.specimens import ocrb

Floats = npt.NDArray[np.float32]
Bank = Floats
"""37 × CELL_HEIGHT × CELL_WIDTH, 1 where there is ink."""

PITCH: Final = 24
"""Pixels from one character to the next in a composed line."""

UNIT: Final = PITCH / ocrb.PITCH
"""Pixels for a tenth of a millimetre."""

OVERHANG: Final = 5
"""Pixels that a picture has left and right of its pitch: wide strokes and slanted characters need them."""

CELL_WIDTH: Final = PITCH + 2 * OVERHANG
CELL_HEIGHT: Final = 36
BASE_LINE: Final = 31.0
"""The middle of a stroke on the base line, in pixels from the top."""

TEXT_HEIGHT: Final = (ocrb.DIGIT + ocrb.STROKE) * UNIT
"""Pixels from the lower edge of a digit to its upper edge."""

TEXT_MIDDLE: Final = BASE_LINE - ocrb.DIGIT * UNIT / 2
"""Half the height of a digit, in pixels from the top."""

OVERSAMPLING: Final = 4
SHIFT: Final = 4
"""Binary digits after the point in OpenCV's coordinates."""

WEIGHTS: Final = (2.5, 3.0, 3.5, 4.0, 4.5)
"""Widths of the stroke in tenths of a millimetre; OCR-B's own is 3.5."""

VARIANTS: Final = 4
"""Deformations of each weight or font."""

Deformation = tuple[float, float, float]
"""Scale across, scale upwards, and slant (shift across for each unit upwards)."""


def stroke_banks(rng: np.random.Generator) -> list[Bank]:
    """Draw the project's own characters in all weights and some deformations."""
    return [_stroke_bank(weight, _deformation(rng)) for weight in WEIGHTS for _ in range(VARIANTS)]


def font_banks(rng: np.random.Generator, font: Path) -> list[Bank]:
    """Draw the characters of a font file in some deformations. Raises OSError if it can't be read."""
    return [_font_bank(font, _deformation(rng)) for _ in range(VARIANTS)]


def _deformation(rng: np.random.Generator) -> Deformation:
    return float(rng.uniform(0.92, 1.06)), float(rng.uniform(0.95, 1.05)), float(rng.uniform(-0.05, 0.05))


def _stroke_bank(weight: float, deformation: Deformation) -> Bank:
    return np.stack([_stroke_glyph(char, weight, deformation) for char in ALPHABET])


def _stroke_glyph(char: str, weight: float, deformation: Deformation) -> Floats:
    """Draw one character as the path of a round pen."""
    wide, high, slant = deformation
    canvas = np.zeros((CELL_HEIGHT * OVERSAMPLING, CELL_WIDTH * OVERSAMPLING), dtype=np.uint8)
    for path in ocrb.GLYPHS[char]:
        x, y = np.array(path).T
        middle = OVERHANG + PITCH / 2 + ((x - ocrb.WIDTH / 2) * wide + (y - ocrb.CAPITAL / 2) * slant) * UNIT
        points = np.stack([middle, BASE_LINE - y * high * UNIT], axis=1) * OVERSAMPLING - 0.5
        fixed = np.round(points * 2**SHIFT).astype(np.int32)
        thickness = max(1, round(weight * UNIT * OVERSAMPLING))
        cv2.polylines(canvas, [fixed], isClosed=False, color=255, thickness=thickness, shift=SHIFT)
    return _reduced(canvas)


def _font_bank(font: Path, deformation: Deformation) -> Bank:
    """Draw a font's characters so large that its advance is the pitch, and deform them."""
    size = PITCH * OVERSAMPLING
    face = ImageFont.truetype(str(font), size)
    face = ImageFont.truetype(str(font), round(size * size / face.getlength("0")))
    return np.stack([_font_glyph(face, char, deformation) for char in ALPHABET])


def _font_glyph(face: ImageFont.FreeTypeFont, char: str, deformation: Deformation) -> Floats:
    wide, high, slant = deformation
    picture = Image.new("L", (CELL_WIDTH * OVERSAMPLING, CELL_HEIGHT * OVERSAMPLING))
    middle, base = (OVERHANG + PITCH / 2) * OVERSAMPLING, (BASE_LINE + ocrb.STROKE * UNIT / 2) * OVERSAMPLING
    ImageDraw.Draw(picture).text((middle, base), char, fill=255, font=face, anchor="ms")
    capital = ocrb.CAPITAL / 2 * UNIT * OVERSAMPLING
    warp = np.array(
        [[wide, -slant, middle - wide * middle + slant * (base - capital)], [0, high, base - high * base]]
    )
    return _reduced(np.asarray(cv2.warpAffine(np.asarray(picture), warp, picture.size), dtype=np.uint8))


def _reduced(canvas: npt.NDArray[np.uint8]) -> Floats:
    small = cv2.resize(canvas, (CELL_WIDTH, CELL_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32) / np.float32(255)
