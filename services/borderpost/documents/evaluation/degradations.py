"""What can happen to a page on its way to a reader, each at two strengths. Fixed before anything was measured.

Lengths are millimetres on the document, so they mean the same for every format and resolution: on a TD3 page
(125 mm) that is 2,400 px wide, 0.1 mm are 1.9 px, a stroke of OCR-B is 6.7 px wide, a character's pitch 49 px.
A page stays whole in the picture, the canvas grows, unless the kind is one of PARTIAL. What is random (an angle, a
place, the noise) is drawn from a generator seeded by the page's name, the kind and the strength: the same picture
every time.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]
Chance = np.random.Generator
Change = Callable[..., Rgb]

JPEG_QUALITY: Final = 92
"""Of every picture but those that the JPEG kinds save."""

PITCH_MM: Final = 2.54
"""From one character of an MRZ to the next (ICAO 9303-3, 4.4: 10 characters to the inch)."""


MARGIN: Final = 1.02
"""A phone's picture is at least so much larger than the page in it."""

PHONE_SHAPE: Final = 3 / 4
"""Height of a phone's picture by its width."""


class Strength(Enum):
    """How much of a degradation."""

    MILD = "mild"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Page:
    """A page in RGB whose MRZ has `rows` lines of `columns`. `zone` is left, top, right, bottom in pixels.

    `name` is the page's own among all, and seeds what is random.
    """

    name: str
    picture: Rgb
    zone: tuple[float, float, float, float]
    rows: int
    columns: int

    @property
    def scale(self) -> float:
        """Pixels for a millimetre of the document, by the length of its lines."""
        left, _, right, _ = self.zone
        return (right - left) / (self.columns * PITCH_MM)


@dataclass(frozen=True, slots=True)
class Kind:
    """A degradation: what it does, with the numbers of each strength, and why these.

    `change` takes a Page, a generator, and the numbers by name, and returns the changed picture. `says` is a
    format of the numbers. Saved as a JPEG of the number `quality`, else of JPEG_QUALITY.
    """

    name: str
    change: Change
    says: str
    levels: Mapping[Strength, Mapping[str, float]]
    reason: str

    def described(self, strength: Strength) -> str:
        """The definition in words, with its numbers."""
        return self.says.format(**self.levels[strength])


def degrade(page: Page, kind: Kind, strength: Strength) -> bytes:
    """Make the JPEG of a degraded page."""
    numbers = dict(kind.levels[strength])
    quality = round(numbers.pop("quality", JPEG_QUALITY))
    return jpeg(kind.change(page, chance(page.name, kind.name, strength.value), **numbers), quality)


def chance(*names: str) -> Chance:
    """A generator seeded by names."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def jpeg(picture: Rgb, quality: int = JPEG_QUALITY) -> bytes:
    """Encode an RGB picture, colours at half the resolution as cameras do."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _unchanged(page: Page, chance: Chance) -> Rgb:
    return page.picture


def _rotated(page: Page, chance: Chance, *, degrees: float) -> Rgb:
    turn = _rotation(math.radians(chance.uniform(-degrees, degrees)))
    return _warped(page.picture, _corners(page.picture) @ turn.T, _lid(chance))


def _in_perspective(page: Page, chance: Chance, *, percent: float) -> Rgb:
    return _warped(page.picture, _moved(_corners(page.picture), percent, chance), _lid(chance))


def _blurred(page: Page, chance: Chance, *, sigma_mm: float) -> Rgb:
    return _softened(page.picture, sigma_mm * page.scale)


def _shaken(page: Page, chance: Chance, *, length_mm: float) -> Rgb:
    """Average along a straight way of this length, in any direction."""
    half = length_mm * page.scale / 2
    angle = chance.uniform(0, math.pi)
    way = np.linspace(-half, half, 8 * math.ceil(half) + 1)
    reach = math.ceil(half)
    cells = np.arange(-reach - 0.5, reach + 1)
    kernel, *_ = np.histogram2d(way * math.sin(angle), way * math.cos(angle), bins=(cells, cells))
    return np.asarray(cv2.filter2D(page.picture, -1, kernel / kernel.sum()), dtype=np.uint8)


def _dazzled(
    page: Page, chance: Chance, *, width_mm: float, height_mm: float, peak: float, core: float
) -> Rgb:
    """An ellipse of light on the zone: `peak` of the way to white within `core` of its radius, less outside."""
    x, y = _place_in_zone(page, chance)
    height, width = page.picture.shape[:2]
    columns = (np.arange(width, dtype=np.float32) - x) / (width_mm * page.scale / 2)
    rows = (np.arange(height, dtype=np.float32) - y) / (height_mm * page.scale / 2)
    radius = np.hypot(rows[:, None], columns[None, :])
    light = (peak * np.clip((1 - radius) / (1 - core), 0, 1)).astype(np.float32)
    return _clipped(page.picture + (255 - page.picture) * light[..., None])


def _shaded(page: Page, chance: Chance, *, light: float, edge_mm: float) -> Rgb:
    """A shadow with a straight edge through the zone, in any direction."""
    angle = chance.uniform(0, 2 * math.pi)
    x, y = _place_in_zone(page, chance)
    height, width = page.picture.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32) - x, np.arange(height, dtype=np.float32) - y
    inside = columns[None, :] * math.cos(angle) + rows[:, None] * math.sin(angle)
    dark = np.clip(inside / (edge_mm * page.scale) + 0.5, 0, 1).astype(np.float32)
    return _clipped(page.picture * (1 - (1 - light) * dark)[..., None])


def _sized(page: Page, chance: Chance, *, pixels: float) -> Rgb:
    """Scale to `pixels` for each millimetre."""
    return _scaled(page.picture, pixels / page.scale)


def _wide(page: Page, chance: Chance, *, width: float) -> Rgb:
    """Scale the picture to a width in pixels."""
    return _scaled(page.picture, width / page.picture.shape[1])


def _noisy(page: Page, chance: Chance, *, sigma: float) -> Rgb:
    return _grained(page.picture, sigma, chance)


def _flat(page: Page, chance: Chance, *, contrast: float, shift: float) -> Rgb:
    """Less contrast about the middle grey, and darker or lighter by `shift`."""
    moved = 127.5 + chance.choice((-shift, shift))
    return _clipped((page.picture - np.float32(127.5)) * np.float32(contrast) + np.float32(moved))


def _by_phone(
    page: Page,
    chance: Chance,
    *,
    pixels: float,
    share: float,
    degrees: float,
    percent: float,
    sigma_mm: float,
    light: float,
    noise: float,
) -> Rgb:
    """A page on a table, photographed by hand: smaller, turned, tilted, unevenly lit, blurred, noisy."""
    small = _scaled(page.picture, pixels / page.scale)
    turn = _rotation(math.radians(chance.uniform(-degrees, degrees)))
    corners = _moved(_corners(small), percent, chance) @ turn.T
    corners -= corners.min(axis=0)
    width, height = _extent(corners)
    table_width = round(max(small.shape[1] / share, width * MARGIN))
    table_height = round(max(table_width * PHONE_SHAPE, height * MARGIN))
    corners += chance.uniform(0, 1, 2) * (table_width - width, table_height - height)
    picture = _table(table_width, table_height, chance)
    warp = cv2.getPerspectiveTransform(_corners(small), corners.astype(np.float32))
    cv2.warpPerspective(
        small,
        warp,
        (table_width, table_height),
        dst=picture,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return _grained(_softened(_lit(picture, light, chance), sigma_mm * pixels), noise, chance)


def _cut_aside(page: Page, chance: Chance, *, characters: float) -> Rgb:
    """Lose so many characters of every line on the left or on the right."""
    left, _, right, _ = page.zone
    lost = characters * PITCH_MM * page.scale
    if chance.random() < 0.5:
        return page.picture[:, round(left + lost) :]
    return page.picture[:, : round(right - lost)]


def _cut_below(page: Page, chance: Chance, *, lines: float) -> Rgb:
    """Lose so many lines and what is below."""
    _, top, _, bottom = page.zone
    return page.picture[: round(bottom - lines * (bottom - top) / page.rows)]


def _without_zone(page: Page, chance: Chance) -> Rgb:
    """Lose the zone and what is below."""
    _, top, _, bottom = page.zone
    return page.picture[: round(top - (bottom - top) / page.rows)]


def _place_in_zone(page: Page, chance: Chance) -> tuple[float, float]:
    """A place on the lines, not at their ends."""
    left, top, right, bottom = page.zone
    return (
        chance.uniform(0.9 * left + 0.1 * right, 0.1 * left + 0.9 * right),
        chance.uniform(top, bottom),
    )


def _scaled(picture: Rgb, factor: float) -> Rgb:
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), dtype=np.uint8)


def _softened(picture: Rgb, sigma: float) -> Rgb:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.uint8)


def _grained(picture: Rgb, sigma: float, chance: Chance) -> Rgb:
    noise = chance.standard_normal(picture.shape, dtype=np.float32)
    return _clipped(picture + np.float32(sigma) * noise)


def _lit(picture: Rgb, light: float, chance: Chance) -> Rgb:
    """Light that falls evenly from all of it on one side to `light` on the other, in any direction."""
    height, width = picture.shape[:2]
    angle = chance.uniform(0, 2 * math.pi)
    x, y = np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height)
    across = x[None, :] * math.cos(angle) + y[:, None] * math.sin(angle)
    fall = (across - across.min()) / (across.max() - across.min())
    return _clipped(picture * (1 - (1 - light) * fall).astype(np.float32)[..., None])


def _clipped(values: npt.NDArray[np.floating]) -> Rgb:
    return np.asarray(np.clip(values + 0.5, 0, 255), dtype=np.uint8)


def _lid(chance: Chance) -> int:
    """The grey beside a page: anything between a dark desk and a white lid."""
    return int(chance.integers(30, 246))


def _corners(picture: Rgb) -> Floats:
    height, width = picture.shape[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)


def _rotation(angle: float) -> Floats:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]], dtype=np.float32)


def _moved(corners: Floats, percent: float, chance: Chance) -> Floats:
    """Every corner moved by up to `percent` of the picture's width in x and in y."""
    reach = percent / 100 * float(corners[1, 0] - corners[0, 0])
    return np.asarray(corners + chance.uniform(-reach, reach, corners.shape), dtype=np.float32)


def _extent(corners: Floats) -> tuple[int, int]:
    width, height = np.ceil(corners.max(axis=0) - corners.min(axis=0))
    return int(width), int(height)


def _warped(picture: Rgb, corners: Floats, beside: int) -> Rgb:
    """Bring the picture's corners to others, on a canvas that holds them all."""
    corners = (corners - corners.min(axis=0)).astype(np.float32)
    warp = cv2.getPerspectiveTransform(_corners(picture), corners)
    border = (beside, beside, beside)
    warped = cv2.warpPerspective(picture, warp, _extent(corners), flags=cv2.INTER_LINEAR, borderValue=border)
    return np.asarray(warped, dtype=np.uint8)


def _table(width: int, height: int, chance: Chance) -> Rgb:
    """Something like a table: a colour with grain, and some straight edges of other things on it."""
    colour = chance.uniform(30, 200, 3).astype(np.float32)
    grain = cv2.resize(chance.normal(0, 12, (height // 4, 8)).astype(np.float32), (width, height))
    table = _clipped(colour + grain[..., None])
    for _ in range(6):
        ends = [(int(chance.integers(width)), int(chance.integers(height))) for _ in range(2)]
        shade = tuple(int(value) for value in chance.integers(0, 256, 3))
        cv2.line(table, ends[0], ends[1], shade, int(chance.integers(2, 9)))
    return table


MILD, STRONG = Strength.MILD, Strength.STRONG

KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        "rotation",
        _rotated,
        "turned in the plane by any angle up to ±{degrees:g}°",
        {MILD: {"degrees": 15.0}, STRONG: {"degrees": 180.0}},
        "a page laid down in a hurry; a page laid down in any direction",
    ),
    Kind(
        "perspective",
        _in_perspective,
        "every corner moved by up to ±{percent:g} % of the picture's width in x and y",
        {MILD: {"percent": 3.0}, STRONG: {"percent": 8.0}},
        "a camera 30 cm away sees a TD3 page tilted by 20° with corners moved by 2 to 3 %, by 45° by 6 to 10 %",
    ),
    Kind(
        "Gaussian blur",
        _blurred,
        "sigma {sigma_mm:g} mm",
        {MILD: {"sigma_mm": 0.13}, STRONG: {"sigma_mm": 0.26}},
        "2.5 and 5 px of a 2,400 px page: a third and three quarters of a stroke's width (0.35 mm)",
    ),
    Kind(
        "motion blur",
        _shaken,
        "straight, {length_mm:g} mm long, any direction",
        {MILD: {"length_mm": 0.5}, STRONG: {"length_mm": 1.0}},
        "a hand that moves by 30 mm/s during 1/60 and 1/30 s; 9.6 and 19 px of a 2,400 px page",
    ),
    Kind(
        "glare",
        _dazzled,
        "an ellipse of {width_mm:g} × {height_mm:g} mm on the zone, {peak:.0%} of the way to white within {core:.0%} "
        "of its radius and falling to nothing at its edge",
        {
            MILD: {"width_mm": 30.0, "height_mm": 12.0, "peak": 0.75, "core": 0.25},
            STRONG: {"width_mm": 30.0, "height_mm": 12.0, "peak": 1.0, "core": 0.5},
        },
        "a lamp in the laminate over about a quarter of the lines; mild leaves a quarter of the contrast, strong "
        "leaves nothing of up to 6 characters in each line, so no reader can know them",
    ),
    Kind(
        "shadow",
        _shaded,
        "{light:.0%} of the light on one side of an edge through the zone that is {edge_mm:g} mm soft",
        {MILD: {"light": 0.5, "edge_mm": 10.0}, STRONG: {"light": 0.2, "edge_mm": 2.0}},
        "a hand's or a phone's shadow: one stop and soft; more than two stops and hard",
    ),
    Kind(
        "JPEG",
        _unchanged,
        "quality {quality:g}",
        {MILD: {"quality": 50.0}, STRONG: {"quality": 30.0}},
        "what messengers make of pictures; the lowest quality that the service promises",
    ),
    Kind(
        "resolution",
        _sized,
        "{pixels:g} px for each mm",
        {MILD: {"pixels": 7.2}, STRONG: {"pixels": 4.8}},
        "TD3 pages 900 and 600 px wide: most of a 1,280 px camera's picture, and of a 640 px one's",
    ),
    Kind(
        "noise",
        _noisy,
        "Gaussian, sigma {sigma:g} of 255, each pixel and colour by itself",
        {MILD: {"sigma": 15.0}, STRONG: {"sigma": 40.0}},
        "a small sensor in a room, and at night",
    ),
    Kind(
        "contrast",
        _flat,
        "{contrast:.0%} of the contrast, and darker or lighter by {shift:g} of 255",
        {MILD: {"contrast": 0.5, "shift": 30.0}, STRONG: {"contrast": 0.25, "shift": 60.0}},
        "faded print or fog on the glass, and exposed one or two stops wrongly",
    ),
    Kind(
        "phone",
        _by_phone,
        "{pixels:g} px for each mm, {share:.0%} of the picture's width, turned up to ±{degrees:g}°, corners moved up "
        "to ±{percent:g} %, light falling to {light:.0%}, blur of sigma {sigma_mm:g} mm, noise of sigma {noise:g}, "
        "JPEG quality {quality:g}",
        {
            MILD: {
                "pixels": 11.2,
                "share": 0.7,
                "degrees": 5.0,
                "percent": 2.0,
                "light": 0.7,
                "sigma_mm": 0.06,
                "noise": 5.0,
                "quality": 80.0,
            },
            STRONG: {
                "pixels": 7.2,
                "share": 0.5,
                "degrees": 20.0,
                "percent": 5.0,
                "light": 0.4,
                "sigma_mm": 0.12,
                "noise": 12.0,
                "quality": 50.0,
            },
        },
        "all at once, on a table with other things: TD3 pages 1,400 px wide in pictures of 2,000 px, and 900 of 1,800",
    ),
)
"""The published degradations."""

SIZES: Final[tuple[Kind, ...]] = tuple(
    Kind(f"{width:,} px", _wide, "the picture is {width:,g} px wide", {STRONG: {"width": width}}, reason)
    for width, reason in (
        (450, "a page in part of a 640 px camera's picture"),
        (300, "the narrowest that the service promises: letters are 5 px high"),
        (4_000, "the widest that it promises: a page at 800 dpi"),
    )
)
"""Further sizes, reported apart."""

PARTIAL: Final[tuple[Kind, ...]] = (
    Kind(
        "cut at a side",
        _cut_aside,
        "the picture ends {characters:g} characters inside the lines, on the left or the right",
        {MILD: {"characters": 2.5}, STRONG: {"characters": 6.0}},
        "a page pushed too far to one side",
    ),
    Kind(
        "cut below",
        _cut_below,
        "the picture ends {lines:g} of a line above the zone's foot",
        {MILD: {"lines": 0.4}, STRONG: {"lines": 1.1}},
        "a page pushed too far down: half of the last line is missing, or all of it",
    ),
    Kind(
        "no zone",
        _without_zone,
        "the picture ends above the zone",
        {STRONG: {}},
        "the wrong page, or too high",
    ),
)
"""Pictures that don't show a whole zone: nothing can be read from them exactly, and a typed problem is right."""


def two_pages(page: Page, other: Page) -> bytes:
    """Two documents in one picture, the other below: a typed problem is right."""
    first, second = page.picture, other.picture
    gap = first.shape[0] // 20
    size = first.shape[0] + gap + second.shape[0], max(first.shape[1], second.shape[1]), 3
    both = np.full(size, 128, dtype=np.uint8)
    both[: first.shape[0], : first.shape[1]] = first
    both[-second.shape[0] :, : second.shape[1]] = second
    return jpeg(both)
