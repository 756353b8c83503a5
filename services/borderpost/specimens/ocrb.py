"""The 37 characters of the machine readable zone as strokes, after the proportions of OCR-B (ECMA-11).

OCR-B has one stroke width and round ends, so a character is just the path of a pen. The paths here are
drawn for this project, on a grid of tenths of a millimetre, y upwards from the base line: capitals are 21.5
high and digits 23.5, along the middle of the stroke, in a pitch of 25.4 (ten characters an inch,
ICAO Doc 9303-3, 4.4).
"""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFont

Point = tuple[float, float]
Path = tuple[Point, ...]

PITCH: Final = 25.4
STROKE: Final = 3.5
WIDTH: Final = 14.0
CAPITAL: Final = 21.5
DIGIT: Final = 23.5
UNITS_PER_MM: Final = 10.0

DEGREES_PER_STEP: Final = 6.0
OVERSAMPLING: Final = 4

FONT_PROBE: Final = 1000
"""Size at which a font file is measured."""


def _arc(x: float, y: float, rx: float, ry: float, begin: float, end: float) -> Path:
    """Points of an ellipse's arc, from one angle to another in degrees; counted from 3 o'clock upwards."""
    steps = max(2, round(abs(end - begin) / DEGREES_PER_STEP))
    angles = (math.radians(begin + (end - begin) * i / steps) for i in range(steps + 1))
    return tuple((x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles)


def _half_turn(paths: tuple[Path, ...], height: float) -> tuple[Path, ...]:
    return tuple(tuple((WIDTH - x, height - y) for x, y in path) for path in paths)


_SIX: Final = (((9.8, DIGIT), (2.0, 11.9), *_arc(7, 7, 7, 7, 140, -220)),)
_BOWL: Final = ((1.2, 0.0), (1.2, CAPITAL), (7.3, CAPITAL), *_arc(7.3, 15.6, 6, 5.9, 90, -90), (1.2, 9.7))

GLYPHS: Final[dict[str, tuple[Path, ...]]] = {
    "0": ((*_arc(7, 16.5, 7, 7, 0, 180), *_arc(7, 7, 7, 7, 180, 360), (14, 16.5)),),
    "1": (((2.8, 18.2), (8.8, DIGIT), (8.8, 0)),),
    "2": ((*_arc(6.9, 17.2, 6.3, 6.3, 152, -38), (0.8, 0), (13.6, 0)),),
    "3": (((0.8, DIGIT), (13, DIGIT), (6.2, 14.0), *_arc(6.6, 7.0, 7.1, 7.0, 88, -142)),),
    "4": (((8.6, DIGIT), (0.2, 6.3), (14, 6.3)), ((10.2, 11.3), (10.2, 0))),
    "5": (((12.8, DIGIT), (3.2, DIGIT), (2.3, 13.4), *_arc(6.2, 6.8, 7.2, 6.8, 112, -148)),),
    "6": _SIX,
    "7": (
        (
            (0.2, DIGIT),
            (13.8, DIGIT),
            *_arc(5.5, DIGIT, 8.3, 8.6, 0, -42),
            *_arc(17.6, 0, 12, 13.4, 140, 180),
        ),
    ),
    "8": (_arc(7, 17.7, 5.8, 5.8, 270, -90), _arc(7, 6.0, 7, 6.0, 90, 450)),
    "9": _half_turn(_SIX, DIGIT),
    "A": (((0, 0), (5.7, CAPITAL), (8.3, CAPITAL), (14, 0)), ((1.8, 6.6), (12.2, 6.6))),
    "B": (
        ((0.8, 0), (0.8, CAPITAL), (7.4, CAPITAL), *_arc(7.4, 16.4, 5.3, 5.1, 90, -90), (0.8, 11.3)),
        ((7.4, 11.3), *_arc(7.6, 5.65, 6.3, 5.65, 90, -90), (0.8, 0)),
    ),
    "C": (_arc(7.8, 10.75, 7.0, 10.75, 47, 313),),
    "D": (((1, 0), (1, CAPITAL), (3.6, CAPITAL), *_arc(3.6, 10.75, 10, 10.75, 90, -90), (1, 0)),),
    "E": (((13.2, CAPITAL), (1, CAPITAL), (1, 0), (13.2, 0)), ((1, 11.2), (11.6, 11.2))),
    "F": (((13.2, CAPITAL), (1.4, CAPITAL), (1.4, 0)), ((1.4, 10.8), (11.8, 10.8))),
    "G": ((*_arc(7.4, 10.75, 7.2, 10.75, 48, 318), (13.4, 9.9), (7.8, 9.9)),),
    "H": (((1, 0), (1, CAPITAL)), ((13, 0), (13, CAPITAL)), ((1, 10.8), (13, 10.8))),
    "I": (((1.8, CAPITAL), (12.2, CAPITAL)), ((7, CAPITAL), (7, 0)), ((1.8, 0), (12.2, 0))),
    "J": (((11.4, CAPITAL), (11.4, 5.6), *_arc(6.5, 5.6, 4.9, 5.6, 0, -178)),),
    "K": (((1, 0), (1, CAPITAL)), ((13.2, CAPITAL), (1.4, 9.4)), ((5.2, 12.9), (13.6, 0))),
    "L": (((1.2, CAPITAL), (1.2, 0), (13.6, 0)),),
    "M": (((0.3, 0), (0.3, CAPITAL), (2, CAPITAL), (7, 8.4), (12, CAPITAL), (13.7, CAPITAL), (13.7, 0)),),
    "N": (((1, 0), (1, CAPITAL), (2.6, CAPITAL), (11.4, 0), (13, 0), (13, CAPITAL)),),
    "O": (_arc(7, 10.75, 7, 10.75, 0, 360),),
    "P": (_BOWL,),
    "Q": (_arc(6.8, 11.1, 6.8, 10.4, 0, 360), ((6.8, 7.2), (13.8, 0))),
    "R": (_BOWL, ((6.4, 9.7), (13.4, 0))),
    "S": ((*_arc(7.1, 16.1, 5.9, 5.4, 32, 232), *_arc(6.9, 5.5, 6.4, 5.5, 52, -152)),),
    "T": (((0.2, CAPITAL), (13.8, CAPITAL)), ((7, CAPITAL), (7, 0))),
    "U": (((1, CAPITAL), (1, 6.2), *_arc(7, 6.2, 6, 6.2, 180, 360), (13, CAPITAL)),),
    "V": (((0.3, CAPITAL), (6, 0), (8, 0), (13.7, CAPITAL)),),
    "W": (((0.2, CAPITAL), (2.3, 0), (3.9, 0), (7, 12), (10.1, 0), (11.7, 0), (13.8, CAPITAL)),),
    "X": (((0.8, CAPITAL), (13.2, 0)), ((13.2, CAPITAL), (0.8, 0))),
    "Y": (((0.6, CAPITAL), (7, 10), (13.4, CAPITAL)), ((7, 10), (7, 0))),
    "Z": (((1, CAPITAL), (12.8, CAPITAL), (0.8, 0), (13.4, 0)),),
    "<": (((13.4, 19.3), (0.6, 10.75), (13.4, 2.2)),),
}
"""Paths of the pen for every character, in tenths of a millimetre."""


def line_mask(text: str, pixels_per_mm: float) -> Image.Image:
    """Draw a line of MRZ text: an `L` picture, 255 where there is ink.

    The base line is half a stroke above the lower edge, and each character has its pitch. Raises KeyError
    for a character that the MRZ does not have.
    """
    pitch = PITCH / UNITS_PER_MM * pixels_per_mm
    width, height = math.ceil(pitch * len(text)), glyph_height(pixels_per_mm)
    mask = Image.new("L", (width, height))
    for index, char in enumerate(text):
        left = index * pitch
        # Places between pixels matter to a reader of pitch, so each character is drawn at its own.
        glyph = _glyph(char, pixels_per_mm, round(left % 1, 2))
        place = (int(left), 0)
        region = mask.crop((*place, place[0] + glyph.width, height))
        mask.paste(ImageChops.lighter(region, glyph), place)
    return mask


def font_mask(font_file: pathlib.Path) -> Callable[[str, float], Image.Image]:
    """Return a `line_mask` that draws with a font file of OCR-B, to compare the strokes here with.

    Raises OSError if the file is no font.
    """
    probe = ImageFont.truetype(str(font_file), FONT_PROBE)
    tall = (
        FONT_PROBE
        * (DIGIT + STROKE)
        / (probe.getbbox("0", anchor="ls")[3] - probe.getbbox("0", anchor="ls")[1])
    )

    def mask_of(text: str, pixels_per_mm: float) -> Image.Image:
        pitch = PITCH / UNITS_PER_MM * pixels_per_mm
        font = ImageFont.truetype(str(font_file), tall / UNITS_PER_MM * pixels_per_mm)
        height = glyph_height(pixels_per_mm)
        mask = Image.new("L", (math.ceil(pitch * len(text)) + 1, height))
        draw = ImageDraw.Draw(mask)
        for index, char in enumerate(text):
            draw.text(((index + 0.5) * pitch, height), char, font=font, fill=255, anchor="mb")
        return mask

    return mask_of


def glyph_height(pixels_per_mm: float) -> int:
    """Height of a line's picture in pixels: a digit with its stroke."""
    return math.ceil((DIGIT + STROKE) / UNITS_PER_MM * pixels_per_mm)


@functools.lru_cache(maxsize=4096)
def _glyph(char: str, pixels_per_mm: float, offset: float) -> Image.Image:
    scale = pixels_per_mm / UNITS_PER_MM * OVERSAMPLING
    height = glyph_height(pixels_per_mm) * OVERSAMPLING
    width = math.ceil(PITCH / UNITS_PER_MM * pixels_per_mm + 1) * OVERSAMPLING
    picture = Image.new("L", (width, height))
    draw = ImageDraw.Draw(picture)
    pen = STROKE * scale / 2
    left = (PITCH - WIDTH) / 2 * scale + offset * OVERSAMPLING
    for path in GLYPHS[char]:
        points = [(left + x * scale, height - pen - y * scale) for x, y in path]
        draw.line(points, fill=255, width=round(2 * pen))
        for x, y in points:
            draw.ellipse((x - pen, y - pen, x + pen, y + pen), fill=255)
    return picture.resize((width // OVERSAMPLING, height // OVERSAMPLING), Image.Resampling.BOX)
