"""Straighten a zone: from its lines' rough places to one picture in which every line is level and every cell alike.

A rough warp by the detector's corners comes first. In it the middle of each line is measured along the line, to
parts of a pixel: OCR-B's characters and its filler have their ink around the same middle. From the middles of the
first and the last line follows the plane of the page, and from it the final warp.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]
Grey = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.floating]

CHAR_HEIGHT: Final = 32
"""Height of a digit in the straightened zone, in pixels."""

CHAR_PITCH: Final = 30
"""Width of a cell there: OCR-B's digits are 2.7 mm high with their stroke, and 2.54 mm apart."""

MARGIN_CELLS: Final = 2.5
"""Cells of free room left and right of a line."""

BAND: Final = 56
"""Height of the strip cut around a line: its characters in the middle, and 12 pixels above and below."""

ROUGH_HEIGHT: Final = 26.0
"""Height of the detector's boxes in the rough warp, in pixels; they are a little higher than the characters."""

MAX_ROUGH_WIDTH: Final = 1800
ROUGH_SIDE: Final = 3.0
"""Room left and right of the boxes in the rough warp, in their heights: the detector may miss a few characters."""

ROUGH_ABOVE: Final = 1.2

BLOCKS: Final = 12
"""Pieces of a line in which its middle is measured."""

PAPER_KERNEL: Final = 25
"""Width in which the paper's brightness is looked for in the rough warp: wider than any stroke or letter."""

ROW_MARGIN: Final = 0.25
"""Room above and below a detector's box, as a share of its height."""

DARKEST_PAPER: Final = 20
MIN_CONTRAST: Final = 0.05
"""Below these a difference is noise, of 255 and as a share of the paper's brightness."""

LEANS: Final = np.linspace(-0.4, 0.4, 25)
MAX_CONVERGENCE: Final = 0.12
"""Leans that are tried, and how far that of one end may differ from the whole's."""

MAX_GAP: Final = 1.2
"""Free room beyond what the detector has seen of a line, in heights of its characters, that print may go on after:
more than between two characters, and less than between a line and the page's edge."""

MIN_INK: Final = 0.25
"""Share of the print's own darkness from which a pixel counts as ink."""


Middle = tuple[float, float]
"""The middle of a line in the rough warp: y = a + b × x."""


class NotALineError(ValueError):
    """There is no line of even print at that place."""


@dataclass(frozen=True, slots=True)
class Straight:
    """A zone whose lines are level. `strips` are BAND high.

    `to_page` maps points of a picture in which line r has its middle at y = r × `spacing` and x runs as in the
    strips; `left` and `right` are where the ink of the lines begins and ends there.
    """

    strips: tuple[Rgb, ...]
    to_page: Doubles
    spacing: float
    left: float
    right: float

    def place(self, points: Sequence[tuple[float, float]]) -> Floats:
        """Map points to the page."""
        shaped = np.array(points, dtype=np.float32).reshape(-1, 1, 2)
        return np.asarray(cv2.perspectiveTransform(shaped, self.to_page).reshape(-1, 2), dtype=np.float32)


def straighten(page: Rgb, lines: Sequence[Floats]) -> Straight:
    """Straighten the zone whose lines have these corners in the page. Raises NotALineError."""
    rough, to_page, centres, height = _rough(page, lines)
    seen = ROUGH_SIDE * height, rough.shape[1] - ROUGH_SIDE * height
    dark = darkness(rough)
    spacing = (centres[-1] - centres[0]) / (len(centres) - 1)
    middles = [_middle(dark, centre, min(0.75 * height, 0.48 * spacing)) for centre in centres]
    tall = float(np.median([_char_height(dark, middle, 0.48 * spacing) for middle in middles]))
    leans = _leans(dark, middles, tall)
    left, right = _ends(dark, middles, tall, leans, seen)
    first, last = middles[0], middles[-1]
    corners = [
        _under(first, middle, x, lean)
        for middle, x, lean in (
            (first, left, leans[0]),
            (first, right, leans[1]),
            (last, right, leans[1]),
            (last, left, leans[0]),
        )
    ]
    return _cut(page, to_page, middles, tall, corners)


def unbent(zone: Straight, bend: float) -> Straight:
    """Take a bend out of the lines: their middle is `bend` pixels too far to the right, their ends where they are."""
    rows, columns = zone.strips[0].shape[:2]
    along = (np.arange(columns, dtype=np.float32) - zone.left) / (zone.right - zone.left)
    sources = np.arange(columns, dtype=np.float32) + np.float32(4 * bend) * along * (1 - along)
    xs = np.broadcast_to(sources, (rows, columns)).astype(np.float32)
    ys = np.broadcast_to(np.arange(rows, dtype=np.float32)[:, None], (rows, columns))
    strips = tuple(
        np.asarray(
            cv2.remap(strip, xs, np.ascontiguousarray(ys), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            dtype=np.uint8,
        )
        for strip in zone.strips
    )
    return Straight(strips, zone.to_page, zone.spacing, zone.left, zone.right)


def cut_row(page: Rgb, corners: Floats) -> Rgb:
    """Cut one row of text out of the page by its corners, with the room above and below that readers want."""
    down = (corners[3] - corners[0]) * ROW_MARGIN
    corners = (corners + np.array([-down, -down, down, down])).astype(np.float32)
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    deep = max(1.0, float(np.linalg.norm(corners[3] - corners[0])))
    width = max(1, min(MAX_ROUGH_WIDTH, round(wide * BAND / deep)))
    target = np.array([[0, 0], [width, 0], [width, BAND], [0, BAND]], dtype=np.float32)
    warp = np.asarray(cv2.getPerspectiveTransform(corners, target), dtype=np.float64)
    return _warped(page, warp, (width, BAND), BAND / deep)


def darkness(picture: Rgb) -> Grey:
    """How dark each pixel is beside the paper around it: about 0 for paper and 1 for print."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((PAPER_KERNEL, PAPER_KERNEL), np.uint8))
    paper = cv2.blur(paper, (PAPER_KERNEL, PAPER_KERNEL))
    # A share, not a difference: in a shadow print is as much darker than the paper as beside it.
    dark = np.maximum(0, 1 - grey / np.maximum(paper, DARKEST_PAPER).astype(np.float32))
    return np.asarray(dark / max(MIN_CONTRAST, float(np.percentile(dark, 97))), dtype=np.float32)


def _rough(page: Rgb, lines: Sequence[Floats]) -> tuple[Rgb, Doubles, list[float], float]:
    """Warp by the detector's corners: the picture, its way back, each line's middle in it, their height."""
    top, bottom = lines[0], lines[-1]
    height = float(np.median([np.linalg.norm(line[3] - line[0]) for line in lines]))
    corners = np.array([top[0], top[1], bottom[2], bottom[3]], dtype=np.float32)
    width = float(np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])) / 2
    deep = float(np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])) / 2
    scale = min(ROUGH_HEIGHT / height, MAX_ROUGH_WIDTH / width)
    side, above = ROUGH_SIDE * height * scale, ROUGH_ABOVE * height * scale
    w, h = width * scale, deep * scale
    target = np.array(
        [[side, above], [side + w, above], [side + w, above + h], [side, above + h]], np.float32
    )
    warp = np.asarray(cv2.getPerspectiveTransform(corners, target), dtype=np.float64)
    size = (round(w + 2 * side), round(h + 2 * above))
    rough = _warped(page, warp, size, scale)
    middles = np.array([line.mean(axis=0) for line in lines], dtype=np.float32).reshape(-1, 1, 2)
    centres = [float(y) for y in cv2.perspectiveTransform(middles, warp)[:, 0, 1]]
    if any(b - a < 4 for a, b in itertools.pairwise(centres)):
        raise NotALineError("lines: got two in one place")
    return rough, np.linalg.inv(warp), centres, height * scale


def _warped(page: Rgb, warp: Doubles, size: tuple[int, int], scale: float) -> Rgb:
    """Warp a part of the page; one that gets much smaller is smoothed first, so that no stroke is skipped."""
    if scale < 0.6:
        shrink = max(scale, 1 / 8)
        corners = cv2.perspectiveTransform(
            np.array([[[0, 0]], [[size[0], 0]], [[size[0], size[1]]], [[0, size[1]]]], np.float32),
            np.linalg.inv(warp),
        ).reshape(-1, 2)
        x0, y0 = np.maximum(0, np.floor(corners.min(axis=0) - 2)).astype(int)
        x1, y1 = np.ceil(corners.max(axis=0) + 2).astype(int)
        part = page[y0:y1, x0:x1]
        if part.size:
            small = cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            page = np.asarray(small, dtype=np.uint8)
            fx, fy = page.shape[1] / part.shape[1], page.shape[0] / part.shape[0]
            back = np.array([[1 / fx, 0, x0 + 0.5 / fx - 0.5], [0, 1 / fy, y0 + 0.5 / fy - 0.5], [0, 0, 1]])
            warp = warp @ back
    method = cv2.INTER_LINEAR if scale < 1.0 else cv2.INTER_CUBIC
    out = cv2.warpPerspective(page, warp, size, flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, dtype=np.uint8)


def _middle(dark: Grey, centre: float, reach: float) -> Middle:
    """Middle of a line's ink as y = a + b × x, by its centre of gravity in pieces of the line."""
    height, width = dark.shape
    edges = np.linspace(0, width, BLOCKS + 1).astype(int)
    xs = (edges[1:] + edges[:-1]) / 2
    a, b = centre, 0.0
    ys = np.arange(height, dtype=np.float32)
    for narrow in (1.0, 0.85, 0.8):
        places, weights = [], []
        for x, first, last in zip(xs, edges[:-1], edges[1:], strict=True):
            near = np.abs(ys - (a + b * x)) < reach * narrow
            ink = np.where(dark[near, first:last] > MIN_INK, dark[near, first:last], 0).sum(axis=1)
            mass = float(ink.sum())
            places.append(float(ink @ ys[near]) / mass if mass > 0 else a + b * x)
            weights.append(mass)
        a, b = _robust_line(xs, np.array(places), np.array(weights), reach)
    return a, b


def _robust_line(
    xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], reach: float
) -> tuple[float, float]:
    """Least squares with weights, in which a piece far from the rest counts little."""
    if weights.max() <= 0:
        raise NotALineError("line: got no print")
    weights = np.minimum(weights, 1.5 * np.median(weights[weights > 0]))
    trust = weights.copy()
    b, a = 0.0, float(np.average(ys, weights=weights))
    for _ in range(4):
        b, a = np.polyfit(xs, ys, 1, w=np.sqrt(trust + 1e-6))
        off = np.abs(ys - (a + b * xs))
        limit = max(0.04 * reach, 1.5 * float(np.median(off)))
        trust = weights * np.minimum(1.0, limit / np.maximum(off, 1e-6)) ** 2
    return float(a), float(b)


def _char_height(dark: Grey, middle: Middle, reach: float) -> float:
    """Height of the characters about a line's middle: of its taller pieces, where the print ends."""
    level = _level(dark, middle, reach, middle, 0.0)
    pieces = np.array_split(level, 2 * BLOCKS, axis=1)
    heights = [height for piece in pieces if (height := _ink_height(piece.max(axis=1))) > 0]
    if not heights:
        raise NotALineError("line: got no print")
    return float(np.percentile(heights, 70))


def _ink_height(profile: Grey) -> float:
    inked = np.flatnonzero(profile > 0.5 * profile.max())
    return float(inked[-1] - inked[0] + 1) if profile.max() > 0.4 else 0.0


def _leans(dark: Grey, middles: Sequence[Middle], tall: float) -> tuple[float, float]:
    """How far characters lean (x for each y) at the left and the right end: seen aslant, a page's sides do."""
    third = dark.shape[1] // 3
    whole = _lean(dark, middles, tall, slice(None), LEANS)
    near = whole + LEANS[np.abs(LEANS) < MAX_CONVERGENCE]
    left = _lean(dark, middles, tall, slice(0, third), near)
    right = _lean(dark, middles, tall, slice(2 * third, None), near)
    # Each was measured in the middle of its third: on to the ends.
    return whole + (left - right) * 0.75, whole + (right - left) * 0.75


def _lean(
    dark: Grey, middles: Sequence[Middle], tall: float, part: slice, leans: npt.NDArray[np.float64]
) -> float:
    """The lean at which the print of all lines falls most into columns."""
    sharpness = []
    for lean in leans:
        levels = [_level(dark, middle, 0.5 * tall, middles[0], float(lean)) for middle in middles]
        columns = np.sum([level.clip(0, 1).sum(axis=0) for level in levels], axis=0)[part]
        sharpness.append(float(np.square(np.diff(columns)).sum()))
    return float(leans[int(np.argmax(sharpness))])


def _level(dark: Grey, middle: Middle, reach: float, first: Middle, lean: float) -> Grey:
    """Cut a line out of the rough warp along its middle, its columns moved to where they meet the first line."""
    (a, b), (a0, b0) = middle, first
    rows = max(3, round(2 * reach))
    shear = np.array([[1 + lean * b0, -lean, lean * a0], [-b, 1, rows / 2 - 0.5 - a]], dtype=np.float64)
    return np.asarray(cv2.warpAffine(dark, shear, (dark.shape[1], rows)), dtype=np.float32)


def _under(first: Middle, middle: Middle, x: float, lean: float) -> tuple[float, float]:
    """The point of a line's middle that meets the first line's middle at x, along the lean."""
    (a0, b0), (a, b) = first, middle
    moved = (x + lean * (a - a0)) / (1 - lean * (b - b0))
    return moved, a + b * moved


def _ends(
    dark: Grey,
    middles: Sequence[Middle],
    tall: float,
    leans: tuple[float, float],
    seen: tuple[float, float],
) -> tuple[float, float]:
    """Where the lines' ink begins and ends: all are equally long, so the widest that print goes on without a gap."""
    starts, ends = [], []
    for middle in middles:
        starts.append(_run(_level(dark, middle, 0.4 * tall, middles[0], leans[0]), tall, seen)[0])
        ends.append(_run(_level(dark, middle, 0.4 * tall, middles[0], leans[1]), tall, seen)[1])
    return _agreed(starts, min, tall), _agreed(ends, max, tall)


def _run(level: Grey, tall: float, seen: tuple[float, float]) -> tuple[float, float]:
    """Begin and end of a line's print: what the detector has seen, and on without a gap."""
    inked = np.flatnonzero(level.max(axis=0) > 0.5)
    inside = np.flatnonzero((inked >= seen[0]) & (inked <= seen[1]))
    if len(inside) < tall:
        raise NotALineError("line: got no print")
    first, last = int(inside[0]), int(inside[-1])
    while first > 0 and inked[first] - inked[first - 1] < MAX_GAP * tall:
        first -= 1
    while last < len(inked) - 1 and inked[last + 1] - inked[last] < MAX_GAP * tall:
        last += 1
    return float(inked[first]), float(inked[last]) + 1


def _agreed(values: Sequence[float], outermost: Callable[[Sequence[float]], float], tall: float) -> float:
    """The lines' common end: their mean where they agree, otherwise the outermost."""
    return float(np.mean(values)) if max(values) - min(values) < 0.6 * tall else outermost(values)


def _cut(
    page: Rgb,
    to_page: Doubles,
    middles: Sequence[Middle],
    tall: float,
    rough: Sequence[tuple[float, float]],
) -> Straight:
    """Warp the page anew, by the ends of the first and the last line's middles in the rough warp."""
    first, last = middles[0], middles[-1]
    (left, _), (right, _) = rough[:2]
    corners = cv2.perspectiveTransform(np.array(rough, np.float32).reshape(-1, 1, 2), to_page).reshape(-1, 2)
    zoom = CHAR_HEIGHT / tall
    rows = len(middles)
    spacing = (
        zoom
        * sum(
            (a2 + b2 * x) - (a1 + b1 * x)
            for (a1, b1), (a2, b2), x in ((first, last, left), (first, last, right))
        )
        / (2 * (rows - 1))
    )
    if spacing < CHAR_HEIGHT * 0.9:
        raise NotALineError("lines: got two in one place")
    width = zoom * (right - left)
    margin = MARGIN_CELLS * CHAR_PITCH
    depth = spacing * (rows - 1)
    target = np.array(
        [[margin, 0], [margin + width, 0], [margin + width, depth], [margin, depth]], np.float32
    )
    warp = np.asarray(cv2.getPerspectiveTransform(corners, target), dtype=np.float64)
    scale = float(np.linalg.norm(target[1] - target[0]) / np.linalg.norm(corners[1] - corners[0]))
    columns = round(width + 2 * margin)
    down = np.array([[1, 0, 0], [0, 1, BAND / 2], [0, 0, 1]])
    picture = _warped(page, down @ warp, (columns, round(depth) + BAND), scale)
    strips = []
    for row, (a, b) in enumerate(middles):
        # Lines between the first and the last one lie where they were measured, not where they should.
        x = (left + right) / 2
        share = ((a + b * x) - (first[0] + first[1] * x)) / (
            (last[0] + last[1] * x) - (first[0] + first[1] * x)
        )
        top = round(share * depth) if 0 < row < rows - 1 else round(row * spacing)
        strips.append(picture[top : top + BAND])
    return Straight(tuple(strips), np.linalg.inv(warp), spacing, margin, margin + width)
