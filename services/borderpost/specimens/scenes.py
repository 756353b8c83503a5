"""Phone pictures of specimen pages: a page lies on something, seen from an angle, in uneven light.

A scene and a seed always give the same picture. Blur, noise and compression are not made here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Floats = npt.NDArray[np.float64]
Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]
"""Top left, top right, bottom right and bottom left of the upright page, in pixels of the picture."""

CAMERA_DISTANCE: Final = 2.6
"""From the page's middle, in lengths of its diagonal: a hand's distance of about 40 cm."""

SHADOW_OFFSET: Final = 0.006
SHADOW_BLUR: Final = 0.009
SHADOW_DEPTH: Final = 0.55
"""Of the shadow that the page throws: shares of the picture's longer side, and how much light it takes."""

MAX_TILT_ALLOWED: Final = 55.0
"""Degrees: flatter than this no print can be read."""

MAX_TURN: Final = 180.0
MAX_TILT: Final = 30.0
MAX_SHADE: Final = 0.5
"""Limits of `random_scene`."""


class Ground(Enum):
    """What the page lies on."""

    TABLE = "table"
    DARK = "dark"
    CLOTH = "cloth"


@dataclass(frozen=True, slots=True)
class Scene:
    """How a page is photographed.

    `size` is the picture's width and height in pixels. `turn` is the page's rotation in degrees, clockwise as
    seen. `tilt` is the angle in degrees between the camera's axis and the page's normal, at most 55; the side at
    `tilt_towards` is the furthest (degrees; 0 is the right, 90 the lower side of the picture). `fill` is the
    share of the picture that the page takes, in the direction in which it takes most. `shade` is how much darker
    the darkest corner is than the brightest, 0 to 1.
    """

    size: tuple[int, int] = (2400, 1800)
    turn: float = 0.0
    tilt: float = 0.0
    tilt_towards: float = 90.0
    fill: float = 0.85
    ground: Ground = Ground.TABLE
    shade: float = 0.25
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Photograph:
    """A picture with a page in it, and where the page's corners are."""

    picture: Image.Image
    corners: Corners

    def place(self, box: tuple[float, float, float, float]) -> Corners:
        """Return where a part of the page is: left, top, width and height as shares of the page's sides."""
        left, top, width, height = box
        unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
        mapping = _homography(unit, np.array(self.corners))
        wanted = np.array(
            [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
        )
        return _corners(_mapped(mapping, wanted))


def random_scene(source: random.Random, size: tuple[int, int] = (2400, 1800)) -> Scene:
    """Choose a scene: any turn, a tilt up to MAX_TILT, any ground. The same source gives the same scene."""
    return Scene(
        size=size,
        turn=source.uniform(-MAX_TURN, MAX_TURN),
        tilt=source.uniform(0.0, MAX_TILT),
        tilt_towards=source.uniform(0.0, 360.0),
        fill=source.uniform(0.7, 0.92),
        ground=source.choice(list(Ground)),
        shade=source.uniform(0.0, MAX_SHADE),
        seed=source.randrange(2**31),
    )


def photograph(page: Image.Image, scene: Scene, corner_radius: int = 0) -> Photograph:
    """Take a picture of a page whose corners are rounded by `corner_radius` pixels.

    Raises ValueError for a tilt or a fill that no picture can have.
    """
    if not 0 <= scene.tilt <= MAX_TILT_ALLOWED or not 0 < scene.fill <= 1:
        raise ValueError(f"scene: got tilt {scene.tilt}, fill {scene.fill}; want 0 to 55, and 0 to 1")
    generator = np.random.default_rng(scene.seed)
    corners = _projected(page.size, scene, generator)
    mask = Image.new("L", page.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, page.width - 1, page.height - 1), corner_radius, fill=255)
    ground = _GROUNDS[scene.ground](scene.size, generator)
    seen, where = _seen(page, corners, scene.size), _seen(mask, corners, scene.size)
    picture = Image.composite(seen, _shadowed(ground, where), where)
    return Photograph(_lit(picture, scene.shade, generator), _corners(corners))


def _projected(page: tuple[int, int], scene: Scene, generator: np.random.Generator) -> Floats:
    """Return the page's corners (4 × 2) in the picture, by a pinhole camera."""
    width, height = page
    half = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    turn, towards, tilt = (math.radians(angle) for angle in (scene.turn, scene.tilt_towards, scene.tilt))
    flat = half @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    axis = np.array([math.cos(towards), math.sin(towards)])
    along = flat @ axis  # this share of each corner turns out of the picture's plane
    depth = 1 + along * math.sin(tilt) / (CAMERA_DISTANCE * math.hypot(width, height))
    seen = (flat + np.outer(along * (math.cos(tilt) - 1), axis)) / depth[:, None]
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = np.array(scene.size, dtype=np.float64)
    scale = scene.fill * float((room / (high - low)).min())
    spare = room - scale * (high - low)
    offset = spare * generator.uniform(0.35, 0.65, 2)
    return np.asarray((seen - low) * scale + offset)


def _seen(source: Image.Image, corners: Floats, size: tuple[int, int]) -> Image.Image:
    """Draw a page into its place; around it black."""
    across = (float(np.linalg.norm(corners[1] - corners[0])), float(np.linalg.norm(corners[2] - corners[1])))
    shrink = max(1, int(min(source.width / across[0], source.height / across[1])))
    small = source.reduce(shrink)
    width, height = small.size
    own = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    back = _homography(corners, own)
    return small.transform(
        size, Image.Transform.PERSPECTIVE, tuple(back.ravel()[:8]), Image.Resampling.BICUBIC
    )


def _homography(source: Floats, target: Floats) -> Floats:
    """Solve for the 3 × 3 mapping that takes four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1.0).reshape(3, 3)


def _mapped(mapping: Floats, points: Floats) -> Floats:
    seen = np.column_stack([points, np.ones(len(points))]) @ mapping.T
    return np.asarray(seen[:, :2] / seen[:, 2:])


def _corners(points: Floats) -> Corners:
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d


def _shadowed(ground: Image.Image, where: Image.Image) -> Image.Image:
    side = max(ground.size)
    shadow = Image.new("L", ground.size)
    offset = round(side * SHADOW_OFFSET)
    shadow.paste(where, (offset, offset))
    shadow = shadow.filter(ImageFilter.GaussianBlur(side * SHADOW_BLUR))
    shadow = shadow.point([round(value * SHADOW_DEPTH) for value in range(256)])
    return Image.composite(Image.new("RGB", ground.size), ground, shadow)


def _lit(picture: Image.Image, shade: float, generator: np.random.Generator) -> Image.Image:
    """Darken the picture from one side to the other, by `shade` at most."""
    width, height = picture.size
    angle = generator.uniform(0, 2 * math.pi)
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    slope = np.add.outer(y * math.sin(angle), x * math.cos(angle))
    slope = (slope - slope.min()) / max(float(np.ptp(slope)), 1e-9)
    light = (1 - shade * slope).astype(np.float32)
    pixels = np.asarray(picture, dtype=np.float32) * light[:, :, None]
    return Image.fromarray(pixels.round().astype(np.uint8))


def _table(size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """Wood: long grain along the picture."""
    grain = _noise(size, (6, 160), generator) * 0.7 + _noise(size, (40, 400), generator) * 0.3
    return _coloured(grain, (118, 84, 56), (176, 136, 96))


def _dark(size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """A dark desk, nearly plain."""
    return _coloured(_noise(size, (400, 400), generator), (30, 32, 36), (46, 48, 54))


def _cloth(size: tuple[int, int], generator: np.random.Generator) -> Image.Image:
    """Woven threads, brighter than the others."""
    x, y = np.arange(size[0]), np.arange(size[1])
    weave = (np.sin(x / 2.4)[None, :] * np.sin(y / 2.4)[:, None] + 1) / 2
    return _coloured(weave * 0.5 + _noise(size, (420, 420), generator) * 0.5, (92, 104, 118), (152, 160, 168))


_GROUNDS: Final[Mapping[Ground, Callable[[tuple[int, int], np.random.Generator], Image.Image]]] = {
    Ground.TABLE: _table,
    Ground.DARK: _dark,
    Ground.CLOTH: _cloth,
}


def _noise(size: tuple[int, int], cells: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Smooth noise, 0 to 1, whose cells have the given height and width in pixels."""
    coarse = (max(2, size[0] // cells[1]), max(2, size[1] // cells[0]))
    values = generator.integers(0, 256, (coarse[1], coarse[0]), dtype=np.uint8)
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BICUBIC), dtype=np.float64) / 255


def _coloured(values: Floats, low: tuple[int, int, int], high: tuple[int, int, int]) -> Image.Image:
    dark, bright = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
    pixels = dark + np.clip(values, 0, 1)[:, :, None] * (bright - dark)
    return Image.fromarray(pixels.round().astype(np.uint8))
