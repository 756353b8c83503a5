"""From regions of text to the places where the lines of an MRZ may be: long rows, equal, parallel, close."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents.adapters.reading.networks import long_side_first

Floats = npt.NDArray[np.float32]

MIN_LINE_RATIO: Final = 12.0
"""Width to height that one line of an MRZ has at least: a TD1 line is 76 mm long and about 5 mm high."""

LONG_ROW: Final = 16.0
"""The same for a line that is alone in the picture: there is nothing else to know it by."""

MIN_ROW_RATIO: Final = 4.0
"""The same where the detector saw no more than a short name."""

MAX_RAGGED: Final = 3.0
"""Ends of two lines are flush if they differ by less than this many heights."""

MAX_GAP: Final = 6.0
"""Regions further apart than this many heights are not of one line (unless a run of fillers was missed)."""

SAME_DIRECTION: Final = math.radians(8)
"""Regions turned further than this from most of the text are of another document, or of none."""

MAX_DIRECTIONS: Final = 3
"""So many directions of text are looked at in one picture."""


MAX_CANDIDATES: Final = 12
"""Groups of rows that are handed on: a page full of text has hundreds."""

MAX_BETWEEN: Final = 8
"""Rows of other text that may lie between two lines of an MRZ, beside them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A run of text along the reading direction: four corners in the picture, long side first."""

    corners: Floats
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Box:
    """A region turned upright: its corners, ends, middle and height there."""

    corners: Floats
    left: float
    right: float
    middle: float
    height: float


def candidates(regions: Sequence[Floats]) -> list[tuple[Floats, ...]]:
    """Corners of the lines of every possible MRZ, the likeliest first: three or two rows, equally long.

    The lines of one may be given upside down, since nothing but reading tells which way is up.
    """
    groups = [group for rows in _rows_by_direction(regions) for group in _groups(rows)]
    groups.sort(key=lambda group: (_likeness(group), len(group)), reverse=True)
    return [tuple(_aligned([row.corners for row in group])) for group in groups[:MAX_CANDIDATES]]


def long_rows(regions: Sequence[Floats]) -> list[Floats]:
    """Corners of the rows that are as long for their height as a line of an MRZ, the longest first."""
    rows = [row for rows in _rows_by_direction(regions) for row in rows if row.width > LONG_ROW * row.height]
    return [row.corners for row in sorted(rows, key=lambda row: row.width / row.height, reverse=True)]


def _rows_by_direction(regions: Sequence[Floats]) -> Iterator[list[Row]]:
    """Rows of the text that runs as most does, then of what is left."""
    left = list(regions)
    for _ in range(MAX_DIRECTIONS):
        if not left:
            return
        direction = _direction(left)
        near = [_turned_from(corners, direction) < SAME_DIRECTION for corners in left]
        if not any(near):
            return
        yield _rows(list(itertools.compress(left, near)))
        left = [corners for corners, is_near in zip(left, near, strict=True) if not is_near]


def _rows(regions: Sequence[Floats]) -> list[Row]:
    """Join regions that follow one another along the direction of the text, top row first."""
    turn = _rotation(-_direction(regions))
    boxes = sorted((_box(corners @ turn.T) for corners in regions), key=lambda box: box.middle)
    rows: list[list[_Box]] = []
    for box in boxes:
        for row in rows:
            if any(_follows(member, box) for member in row):
                row.append(box)
                break
        else:
            rows.append([box])
    return [_row(np.concatenate([box.corners for box in row]), turn) for row in rows]


def _box(corners: Floats) -> _Box:
    left, right = float(corners[:, 0].min()), float(corners[:, 0].max())
    return _Box(corners, left, right, float(corners[:, 1].mean()), _height(corners))


def _follows(one: _Box, other: _Box) -> bool:
    """Tell whether two boxes, turned upright, are of one line: as high, as far down, and near."""
    low, high = min(one.height, other.height), max(one.height, other.height)
    gap = max(one.left, other.left) - min(one.right, other.right)
    return high < 2.0 * low and abs(one.middle - other.middle) < 0.5 * low and gap < MAX_GAP * high


def _direction(regions: Sequence[Floats]) -> float:
    """Angle of most of the text in radians, by the long sides of the regions; long ones count most."""
    edges = np.array([corners[1] - corners[0] for corners in regions])
    lengths, angles = np.hypot(*edges.T), np.arctan2(edges[:, 1], edges[:, 0])
    # A direction and its opposite are the same: they meet at twice the angle.
    votes = (lengths**2)[:, None] * (
        np.cos(2 * (angles[:, None] - angles[None, :])) > math.cos(2 * SAME_DIRECTION)
    )
    near = votes[:, int(votes.sum(axis=0).argmax())]
    return 0.5 * math.atan2((near * np.sin(2 * angles)).sum(), (near * np.cos(2 * angles)).sum())


def _turned_from(corners: Floats, direction: float) -> float:
    """Angle between a region's long side and a direction, 0 to 90 degrees, in radians."""
    along = corners[1] - corners[0]
    turn = abs(math.atan2(float(along[1]), float(along[0])) - direction) % math.pi
    return min(turn, math.pi - turn)


def _rotation(angle: float) -> Floats:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]], dtype=np.float32)


def _height(box: Floats) -> float:
    """Length of a box's short side."""
    return float(np.linalg.norm(box[2] - box[1]))


def _row(points: Floats, turn: Floats) -> Row:
    """Make a row of points that were turned upright by `turn`; its corners are turned back."""
    corners = long_side_first(cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))))
    return Row(corners @ turn, float(np.linalg.norm(corners[1] - corners[0])), _height(corners))


def _groups(rows: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
    """Groups of three or two rows that lie as an MRZ's lines do; other text may be as far down as they."""
    below = {
        index: [
            other
            for other in range(index + 1, min(len(rows), index + 1 + MAX_BETWEEN))
            if _are_neighbours(rows[index], rows[other])
        ]
        for index in range(len(rows))
    }
    for first, seconds in below.items():
        for second in seconds:
            pair = (rows[first], rows[second])
            if _slenderness(pair) > MIN_LINE_RATIO:
                yield from ((*pair, rows[third]) for third in below[second])
                yield pair


def _likeness(group: Sequence[Row]) -> float:
    """How much rows look like an MRZ's: long for their height, equally long, equally far apart."""
    widths = [row.width for row in group]
    gaps = [
        float(np.linalg.norm(b.corners.mean(axis=0) - a.corners.mean(axis=0)))
        for a, b in itertools.pairwise(group)
    ]
    return _slenderness(group) * math.sqrt(min(widths) / max(widths)) * min(gaps) / max(gaps)


def _slenderness(group: Sequence[Row]) -> float:
    return max(row.width / row.height for row in group)


def _are_neighbours(above: Row, below: Row) -> bool:
    """Lines of one MRZ: about as high, 1 to 3.5 heights apart, and flush at one end at least.

    They are equally long, but the detector often misses a run of fillers.
    """
    height = (above.height + below.height) / 2
    if min(above.width, below.width) < MIN_ROW_RATIO * height:
        return False
    if not 0.6 < above.height / below.height < 1.67:
        return False
    along = _unit(above.corners[1] - above.corners[0])
    offset = below.corners.mean(axis=0) - above.corners.mean(axis=0)
    apart = abs(float(along[0] * offset[1] - along[1] * offset[0]))
    shift, half_difference = float(along @ offset), (above.width - below.width) / 2
    flush = min(abs(shift + half_difference), abs(shift - half_difference))
    return height * 0.9 < apart < height * 3.5 and flush < MAX_RAGGED * height


def _aligned(lines: Sequence[Floats]) -> list[Floats]:
    """Stretch the lines along themselves to the same two ends: a run of fillers may have been missed."""
    along = sum((line[1] - line[0] for line in lines), start=np.zeros(2, dtype=np.float32))
    along = along / np.linalg.norm(along)
    starts = [min(float(line[0] @ along), float(line[3] @ along)) for line in lines]
    ends = [max(float(line[1] @ along), float(line[2] @ along)) for line in lines]
    start, end = min(starts), max(ends)
    return [
        np.array(
            [
                line[corner] + direction * (target - own)
                for corner, target, own, direction in (
                    (0, start, starts[i], _unit(line[1] - line[0])),
                    (1, end, ends[i], _unit(line[1] - line[0])),
                    (2, end, ends[i], _unit(line[2] - line[3])),
                    (3, start, starts[i], _unit(line[2] - line[3])),
                )
            ],
            dtype=np.float32,
        )
        for i, line in enumerate(lines)
    ]


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
