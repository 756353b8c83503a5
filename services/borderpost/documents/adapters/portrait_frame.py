"""The four sides of a printed portrait: straight, long edges that end where they meet.

Looked for in a picture of the page that is upright and to scale, near where the portrait should be. The sides need
not be quite level, so a page seen at an angle gets its true corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]

FULL_EDGE: Final = 60.0
"""Sobel's answer to a side that counts in full: a step of 15 grey levels in the smoothed picture."""

SLOPES: Final = tuple(float(slope) for slope in np.linspace(-0.06, 0.06, 13))
"""Pixels to the side per pixel along, up to 3.4 degrees: what is left of skew and perspective."""

BEST: Final = 10
"""So many places are tried for each side."""

MIN_SIDE: Final = 0.35
MIN_MEAN: Final = 0.5
"""How much of each side, and of all four, must be an edge, less what goes on beyond the corners."""

BEYOND_WEIGHT: Final = 0.7
"""An edge that goes on beyond the corners is a line of the print or the page's own side, not the portrait's."""

BEYOND_SHARE: Final = 0.15
"""So far beyond a corner it is looked at, in lengths of the side."""

GAP: Final = 3
"""Pixels around a corner that count neither way."""

MIN_ASPECT: Final = 0.66
MAX_ASPECT: Final = 0.95
"""Width by height of a portrait: 35 by 45 mm is 0.78, and states vary."""

Ints = npt.NDArray[np.int64]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where each side may be, in pixels: x of left and right, y of top and bottom, at their middles."""

    left: Range
    right: Range
    top: Range
    bottom: Range


@dataclass(frozen=True, slots=True)
class _Side:
    """A side: where it crosses the middle of the picture, its slope, and running sums of the edge along it."""

    position: int
    slope: float
    sums: Floats


def find_frame(picture: Rgb, bounds: Bounds) -> Floats | None:
    """Return the corners (4 × 2: top left, top right, bottom right, bottom left) of a framed portrait, or None."""
    across, along = _edges(picture)
    middle = ((sum(bounds.top) + sum(bounds.bottom)) / 4, (sum(bounds.left) + sum(bounds.right)) / 4)
    rows, columns = _inner(bounds.top, bounds.bottom), _inner(bounds.left, bounds.right)
    lefts, rights = (_sides(across, middle[0], where, rows) for where in (bounds.left, bounds.right))
    tops, bottoms = (_sides(along, middle[1], where, columns) for where in (bounds.top, bounds.bottom))
    best = _best(lefts, rights, tops, bottoms)
    return None if best is None else _corners(best, middle)


def _edges(picture: Rgb) -> tuple[Floats, Floats]:
    """How much each pixel is an edge across and along the rows, 0 to 1. The second is transposed."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    found = []
    for dx, dy in ((1, 0), (0, 1)):
        sobel = np.abs(cv2.Sobel(smooth, cv2.CV_32F, dx, dy, ksize=3)).max(axis=2)
        spread = cv2.dilate(sobel, np.ones((1, 3) if dx else (3, 1), np.uint8))
        found.append(np.minimum(np.asarray(spread, dtype=np.float32) / FULL_EDGE, 1.0))
    return found[0], np.ascontiguousarray(found[1].T)


def _inner(low: Range, high: Range) -> Range:
    """The stretch that lies between two sides wherever they are."""
    return low[1], high[0]


def _sides(edges: Floats, middle: float, where: Range, stretch: Range) -> list[_Side]:
    """Return the strongest edges of a map that cross row `middle` at a column within `where`."""
    height, width = edges.shape
    columns = np.arange(max(0, round(where[0])), min(width - 1, round(where[1])) + 1)
    first, last = (min(max(round(row), 0), height) for row in stretch)
    if len(columns) == 0 or last <= first:
        return []
    found: list[tuple[float, _Side]] = []
    for slope in SLOPES:
        shear = np.array([[1, slope, -slope * middle], [0, 1, 0]], dtype=np.float32)
        level = cv2.warpAffine(edges, shear, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        sums = np.cumsum(level[:, columns], axis=0, dtype=np.float32)
        sums = np.vstack([np.zeros((1, len(columns)), dtype=np.float32), sums])
        strength = (sums[last] - sums[first]) / (last - first)
        found += [
            (float(strength[index]), _Side(int(columns[index]), slope, sums[:, index]))
            for index in np.argsort(strength)[::-1][:BEST]
        ]
    found.sort(key=lambda each: each[0], reverse=True)
    kept: list[_Side] = []
    for _, side in found:
        if all(abs(side.position - other.position) > 2 for other in kept):
            kept.append(side)
    return kept[:BEST]


def _best(
    lefts: list[_Side], rights: list[_Side], tops: list[_Side], bottoms: list[_Side]
) -> tuple[_Side, _Side, _Side, _Side] | None:
    """Choose the four edges that make the best frame; None if none do.

    The tables have an axis for each kind of side, in the order of the arguments.
    """
    if not (lefts and rights and tops and bottoms):
        return None
    left, right, top, bottom = (
        np.array([side.position for side in sides], dtype=np.int64)
        for sides in (lefts, rights, tops, bottoms)
    )
    width, height = right[None, :] - left[:, None], bottom[None, :] - top[:, None]
    aspect = width[:, :, None, None] / np.maximum(height, 1)[None, None]
    fits = (aspect >= MIN_ASPECT) & (aspect <= MAX_ASPECT) & (height > 0)[None, None]
    tables = (
        _ended(lefts, top, bottom)[:, None, :, :],
        _ended(rights, top, bottom)[None, :, :, :],
        np.moveaxis(_ended(tops, left, right), 0, 2)[:, :, :, None],
        np.moveaxis(_ended(bottoms, left, right), 0, 2)[:, :, None, :],
    )
    total = np.add(np.add(tables[0], tables[1]), np.add(tables[2], tables[3]))
    weakest = np.minimum(np.minimum(tables[0], tables[1]), np.minimum(tables[2], tables[3]))
    fits &= (weakest >= MIN_SIDE) & (total >= 4 * MIN_MEAN)
    if not fits.any():
        return None
    a, b, c, d = np.unravel_index(int(np.where(fits, total, -np.inf).argmax()), total.shape)
    return lefts[a], rights[b], tops[c], bottoms[d]


def _ended(sides: list[_Side], begins: Ints, ends: Ints) -> Floats:
    """Return how well each edge goes from each begin to each end and not beyond: sides × begins × ends."""
    begin, end = np.meshgrid(begins, ends, indexing="ij")
    beyond = np.rint(BEYOND_SHARE * np.abs(end - begin)).astype(np.int64) + GAP
    sums = np.stack([side.sums for side in sides])
    before, after = _mean(sums, begin - beyond, begin - GAP), _mean(sums, end + GAP, end + beyond)
    return np.asarray(_mean(sums, begin, end) - BEYOND_WEIGHT * (before + after) / 2, dtype=np.float32)


def _mean(sums: Floats, begin: Ints, end: Ints) -> Floats:
    """Return the mean along each edge between two places, 0 for an empty stretch."""
    last = sums.shape[1] - 1
    first, final = np.clip(begin, 0, last), np.clip(end, 0, last)
    lengths = final - first
    found = (sums[:, final] - sums[:, first]) / np.maximum(lengths, 1)
    return np.asarray(np.where(lengths > 0, found, 0.0), dtype=np.float32)


def _corners(sides: tuple[_Side, _Side, _Side, _Side], middle: tuple[float, float]) -> Floats:
    """Where the sides meet. An upright side has x = position + slope (y - middle), a level one the reverse."""
    left, right, top, bottom = sides
    return np.array(
        [
            _meet(left, top, middle),
            _meet(right, top, middle),
            _meet(right, bottom, middle),
            _meet(left, bottom, middle),
        ],
        dtype=np.float32,
    )


def _meet(upright: _Side, level: _Side, middle: tuple[float, float]) -> tuple[float, float]:
    system = np.array([[1.0, -upright.slope], [-level.slope, 1.0]])
    values = np.array(
        [upright.position - upright.slope * middle[0], level.position - level.slope * middle[1]]
    )
    x, y = np.linalg.solve(system, values)
    return float(x), float(y)
