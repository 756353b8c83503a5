"""Lines of MRZ as a careless locator cuts them out of bad pictures, with the truth about every column.

A line is composed at 24 pixels a character, scaled to the resolution of the picture that it pretends to come
from, degraded there, and cut into the strip that the network sees: not quite straight, not quite in the middle,
not quite at the right scale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents.adapters.ocrb_net import COLUMN, HEIGHT, PIXELS_PER_CHARACTER, TEXT_SHARE
from borderpost.documents.mrz import ALPHABET
from borderpost.documents.training import content, glyphs
from borderpost.documents.training.degrade import degraded, resized, smooth_field, to_bytes
from borderpost.documents.training.glyphs import CELL_WIDTH, OVERHANG, PITCH, TEXT_HEIGHT, Bank, Floats

CANVAS_HEIGHT: Final = 100
"""Of a composed line with what is above and below it, in pixels."""

SPARE: Final = 5
"""Characters' room left and right of what the strip shows, for rotation and perspective."""

TEXTURES: Final = 32
TEXTURE_SIZE: Final = (220, 1600)
TEXTURE_LIFE: Final = 0.02
"""Share of the lines that have a texture drawn anew."""

NOTHING: Final = 0
"""Label of a column in which no character is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Ranges of what is drawn. Lengths are shares of the nominal ones unless another unit is said."""

    window: int = 384
    """Width of a training strip in pixels."""
    lowest_pitch: float = 5.2
    """Pixels a character in the worst picture; the best has PITCH."""
    scale: float = 0.25
    """The text is up to so much larger or smaller than nominal, across and upwards each by itself."""
    shift: float = 0.28
    """The text's middle is up to so many text heights above or below the strip's."""
    rotation: float = 2.2
    """Degrees."""
    slant: float = 0.12
    """Shift across for each unit upwards."""
    keystone: float = 0.1
    """Change of scale from one end of the strip to the other."""
    bow: float = 0.08
    """Text heights by which a line is bent."""
    upside_down: float = 0.05
    """Share of lines that stand on their head."""
    other_text: float = 0.05
    """Share of strips with other print instead of MRZ."""
    empty: float = 0.02
    """Share of strips with background only, or the space between two lines."""

    def digest(self) -> str:
        """Return the SHA-256 of the settings, in hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sample:
    """A strip, and the truth about each of its columns of COLUMN pixels."""

    strip: npt.NDArray[np.uint8]
    """HEIGHT × width."""
    labels: npt.NDArray[np.uint8]
    """1 + the place in ALPHABET of the character at the column; NOTHING where there is none."""
    offsets: Floats
    """Pitches from that character's middle to the column, -0.5 to 0.5."""
    text: str
    """What the strip shows, from the left; a training window may cut it."""


class Sampler:
    """Draws lines from banks of characters. Not to be shared by threads."""

    def __init__(self, banks: Sequence[Bank], settings: Settings, rng: np.random.Generator) -> None:
        self._banks = banks
        self._settings = settings
        self._rng = rng
        self._textures = [_texture(rng) for _ in range(TEXTURES)]

    def window(self, strength: float) -> Sample:
        """Return a strip of the training width: part of a line, or something that is none."""
        settings, rng = self._settings, self._rng
        shown = settings.window // PIXELS_PER_CHARACTER
        fate = rng.random()
        if fate < settings.other_text + settings.empty:
            return self._without_text(shown, strength, with_print=fate < settings.other_text)
        text = content.line(rng)
        # The line's first character, counted from the strip's first: most windows lie within the line.
        first = rng.uniform(shown - len(text) - 2, 2) if len(text) > shown else rng.uniform(-2, 4)
        turned = fate > 1 - settings.upside_down
        return self._draw(text, float(first), settings.window, strength, turned)

    def whole(self, strength: float, text: str | None = None) -> Sample:
        """Return a strip of one whole line, with about a character's room at both ends."""
        text = content.line(self._rng) if text is None else text
        room = float(self._rng.uniform(0.6, 2.0))
        width = round((len(text) + 2 * room) * PIXELS_PER_CHARACTER / COLUMN) * COLUMN
        return self._draw(text, room, width, strength, turned=False, scale=self._settings.scale / 8)

    def _without_text(self, shown: int, strength: float, with_print: bool) -> Sample:
        canvas = self._paper((CANVAS_HEIGHT, (shown + 2 * SPARE) * PITCH), strength)
        if with_print:
            _other_print(canvas, self._rng, CANVAS_HEIGHT / 2 + self._rng.uniform(-8, 8))
        else:
            self._neighbours(canvas, CANVAS_HEIGHT / 2 + TEXT_HEIGHT * self._rng.uniform(0.75, 0.9))
        return self._cut(canvas, "", 0.0, self._settings.window, strength, self._settings.scale)

    def _draw(
        self, text: str, first: float, width: int, strength: float, turned: bool, scale: float | None = None
    ) -> Sample:
        """Compose a line whose first character begins `first` characters right of the strip's edge."""
        shown = width / PIXELS_PER_CHARACTER
        canvas = self._paper((CANVAS_HEIGHT, round((shown + 2 * SPARE) * PITCH)), strength)
        left = round((first + SPARE) * PITCH)
        self._neighbours(canvas, CANVAS_HEIGHT / 2)
        self._print(canvas, text, left, CANVAS_HEIGHT / 2)
        if turned:
            canvas = np.ascontiguousarray(canvas[::-1, ::-1])
        scale = self._settings.scale if scale is None else scale
        return self._cut(canvas, "" if turned else text, float(left), width, strength, scale)

    def _paper(self, shape: tuple[int, int], strength: float) -> Floats:
        """Return blank paper with the pattern of security print."""
        rng = self._rng
        paper = np.full(shape, rng.uniform(0.5, 1.0), dtype=np.float32)
        if rng.random() < TEXTURE_LIFE:
            self._textures[int(rng.integers(TEXTURES))] = _texture(rng)
        for _ in range(int(rng.integers(0, 3))):
            texture = self._textures[int(rng.integers(TEXTURES))]
            top, left = (int(rng.integers(0, texture.shape[axis] - shape[axis] + 1)) for axis in (0, 1))
            piece = texture[top : top + shape[0], left : left + shape[1]][
                :: rng.choice((-1, 1)), :: rng.choice((-1, 1))
            ]
            paper += piece * np.float32(rng.uniform(0, 0.05 + 0.13 * strength))
        return paper

    def _neighbours(self, canvas: Floats, middle: float) -> None:
        """Print what stands above and below a line: other lines of the MRZ, fields, a rule."""
        rng = self._rng
        for side in (-1, 1):
            distance = TEXT_HEIGHT * rng.uniform(1.45, 2.4)
            kind = rng.random()
            if kind < 0.55:
                count = canvas.shape[1] // PITCH - 1
                line = (content.line(rng) + content.line(rng))[: max(0, count - int(rng.integers(0, 8)))]
                self._print(canvas, line, int(rng.integers(0, PITCH)), middle + side * distance)
            elif kind < 0.7:
                _other_print(canvas, rng, middle + side * distance)
            elif kind < 0.85:
                y = round(middle + side * TEXT_HEIGHT * rng.uniform(0.9, 1.6))
                thickness = int(rng.integers(1, 30))
                edge = y if side > 0 else y - thickness
                canvas[max(0, edge) : max(0, edge + thickness)] *= np.float32(rng.uniform(0.2, 1.3))

    def _print(self, canvas: Floats, text: str, left: int, middle: float) -> None:
        """Print a line: ink spreads and fades, dots are missing, characters stand unevenly."""
        rng = self._rng
        bank = self._banks[int(rng.integers(len(self._banks)))]
        top = round(middle - glyphs.TEXT_MIDDLE)
        unsteady = rng.random() < 0.15
        # Lines above and below may stand outside the canvas in part or whole.
        ink = np.zeros((3 * CANVAS_HEIGHT, canvas.shape[1]), dtype=np.float32)
        for index, char in enumerate(text):
            x = left + index * PITCH - OVERHANG
            if x < 0 or x + CELL_WIDTH > ink.shape[1]:
                continue
            y = top + CANVAS_HEIGHT + (int(rng.integers(-1, 2)) if unsteady else 0)
            x += int(rng.integers(-1, 2)) if unsteady and 0 < x < ink.shape[1] - CELL_WIDTH - 1 else 0
            place = ink[y : y + glyphs.CELL_HEIGHT, x : x + CELL_WIDTH]
            np.maximum(place, bank[ALPHABET.index(char)], out=place)
        ink = _spread(ink[CANVAS_HEIGHT : 2 * CANVAS_HEIGHT], rng)
        # At least a tenth of the paper's lightness tells ink from paper.
        tone = np.float32(rng.uniform(0.0, 0.85) ** 1.5)
        canvas *= 1 - ink * (1 - tone)

    def _cut(
        self, canvas: Floats, text: str, left: float, width: int, strength: float, scale: float
    ) -> Sample:
        """Take the canvas as a bad picture, and cut the strip out of it."""
        rng, settings = self._rng, self._settings
        worst = PITCH * (settings.lowest_pitch / PITCH) ** min(1.0, 1.2 * strength)
        pitch = float(np.exp(rng.uniform(np.log(worst), np.log(PITCH))))
        size = (round(canvas.shape[1] * pitch / PITCH), round(canvas.shape[0] * pitch / PITCH))
        picture = degraded(resized(canvas, rng, size), rng, strength, pitch)
        x, y = _positions(rng, settings, canvas.shape, width, scale)
        zoom = np.array(size) / np.array(canvas.shape[::-1])
        method = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        strip = cv2.remap(
            picture,
            ((x + 0.5) * zoom[0] - 0.5).astype(np.float32),
            ((y + 0.5) * zoom[1] - 0.5).astype(np.float32),
            method,
            borderMode=cv2.BORDER_REPLICATE,
        )
        labels, offsets = _truth(x, y, canvas.shape[0] / 2, left, text)
        return Sample(to_bytes(np.asarray(strip, dtype=np.float32)), labels, offsets, text)


def _positions(
    rng: np.random.Generator, settings: Settings, shape: tuple[int, int], width: int, scale: float
) -> tuple[Floats, Floats]:
    """Return the place on the canvas of every pixel of the strip: x and y, each HEIGHT × width."""
    y, x = np.mgrid[0:HEIGHT, 0:width].astype(np.float32)
    across = (x - (width - 1) / 2) / PIXELS_PER_CHARACTER * PITCH
    down = (y - (HEIGHT - 1) / 2) / (HEIGHT * TEXT_SHARE) * TEXT_HEIGHT
    bend = np.float32(rng.uniform(0, settings.bow) * TEXT_HEIGHT * (rng.random() < 0.3))
    down = down + bend * np.sin(
        across / np.float32(PITCH * rng.uniform(3, 12)) + np.float32(rng.uniform(0, 6))
    )
    down = down + np.float32(rng.uniform(-settings.shift, settings.shift) * TEXT_HEIGHT)
    # Whole lines, which are longer than windows, are cut straighter: else their ends would leave the strip.
    most = settings.rotation * min(1.0, (settings.window / width) ** 2)
    angle = np.deg2rad(rng.uniform(-most, most)) * rng.random() ** (width / settings.window - 1)
    slant = rng.uniform(-settings.slant, settings.slant) * (rng.random() < 0.6)
    keystone = 1 + np.float32(rng.uniform(-settings.keystone, settings.keystone)) * across / (shape[1] / 2)
    sx, sy = (1 / np.exp(rng.uniform(-1, 1, 2) * np.log1p(np.array((scale, settings.scale))))).astype(
        np.float32
    )
    across, down = across * sx * (1 + (keystone - 1) / 2), down * sy * keystone
    turned_x = across * np.cos(angle) + down * np.float32(np.sin(angle) + slant)
    turned_y = down * np.cos(angle) - across * np.sin(angle)
    return (
        (turned_x + (shape[1] - 1) / 2).astype(np.float32),
        (turned_y + (shape[0] - 1) / 2).astype(np.float32),
    )


def _truth(
    x: Floats, y: Floats, middle: float, left: float, text: str
) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Tell for every column which character's middle line it crosses, and how far from its middle."""
    columns = np.arange(0, x.shape[1], COLUMN)
    away = np.abs(y[:, columns] - middle)
    rows = away.argmin(axis=0)
    place = (x[rows, columns] - left) / PITCH
    index = np.floor(place).astype(int)
    inside = (index >= 0) & (index < len(text)) & (away.min(axis=0) < TEXT_HEIGHT / 4)
    codes = np.array([1 + ALPHABET.index(char) for char in text] or [NOTHING], dtype=np.uint8)
    labels = np.where(inside, codes[np.clip(index, 0, len(codes) - 1)], NOTHING).astype(np.uint8)
    return labels, (place - index - 0.5).astype(np.float32)


def _spread(ink: Floats, rng: np.random.Generator) -> Floats:
    """Let ink bleed or fade, and take away what worn or dotted print lacks."""
    sharp = ink
    if rng.random() < 0.6:
        soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.5, 1.3))
        gain = np.float32(rng.uniform(1.2, 4))
        sharp = np.clip((soft - np.float32(rng.uniform(0.25, 0.6))) * gain + np.float32(0.5), 0, 1)
    kind = rng.random()
    if kind < 0.12:
        sharp = sharp * _dots(rng, (ink.shape[0], ink.shape[1]))
    if 0.08 < kind < 0.25:
        worn = smooth_field(rng, (ink.shape[0], ink.shape[1]), int(rng.integers(20, 250)))
        sharp = sharp * np.clip(1 - (worn - np.float32(rng.uniform(0.1, 0.6))) * 3, 0.15, 1)
    return np.asarray(sharp, dtype=np.float32)


def _dots(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return the raster of a laser or of a printer's needles: 0 to 1, brightest at the dots."""
    period = rng.uniform(1.8, 4.5)
    down = np.sin(np.arange(shape[0], dtype=np.float32) * np.float32(np.pi * 2 / period))[:, np.newaxis]
    along = np.sin(np.arange(shape[1], dtype=np.float32) * np.float32(np.pi * 2 / period))
    depth = np.float32(rng.uniform(0.2, 0.7))
    return np.asarray(1 - depth * (1 - (1 + down) * (1 + along) / 4), dtype=np.float32)


def _other_print(canvas: Floats, rng: np.random.Generator, middle: float) -> None:
    """Print words in another font, in capitals or small letters, spaced as such print is."""
    text = " ".join(content.word(rng) for _ in range(12))
    text = text.lower() if rng.random() < 0.3 else text
    font = int(rng.choice((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)))
    size = float(rng.uniform(0.5, 1.3))
    ink = np.zeros(canvas.shape, dtype=np.uint8)
    origin = (int(rng.integers(-80, 80)), round(middle + size * 11))
    cv2.putText(ink, text, origin, font, size, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
    canvas *= 1 - ink.astype(np.float32) / 255 * np.float32(rng.uniform(0.2, 1))


def _texture(rng: np.random.Generator) -> Floats:
    """Return a piece of security print, -1 to 1: waves of lines, guilloches, clouds or grain."""
    height, width = TEXTURE_SIZE
    x = np.arange(width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32)[:, np.newaxis]
    kind = rng.random()
    if kind < 0.2:
        return smooth_field(rng, TEXTURE_SIZE, int(rng.integers(4, 400)))
    if kind < 0.3:
        return np.clip(rng.standard_normal(TEXTURE_SIZE, dtype=np.float32) / 2, -1, 1)
    lines = np.zeros(TEXTURE_SIZE, dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        angle, period = rng.uniform(0, np.pi), rng.uniform(2.5, 40)
        bends = rng.uniform(0, 12) * np.sin(
            x / np.float32(rng.uniform(8, 120)) + y / np.float32(rng.uniform(8, 200))
        )
        phase = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + bends) * np.float32(
            2 * np.pi / period
        )
        lines += np.tanh(np.sin(phase) * 3 - np.float32(rng.uniform(-1, 2)))
    return np.asarray(lines / max(1.0, float(np.abs(lines).max())), dtype=np.float32)
