"""The cells of a straightened zone: an MRZ is printed in one even pitch, so every character has its place.

The grid is found in the picture alone, before anything is read: between cells there is paper in every line. What
a network reads is then told by cell, so that no run of fillers can be miscounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.documents.adapters.reading.rectify import BAND, CHAR_HEIGHT, Straight, darkness

Floats = npt.NDArray[np.float32]

COUNTS: Final = {rows: sorted({f.width for f in mrz.FORMATS if f.rows == rows}) for rows in (2, 3)}
"""Cells that a line of an MRZ of so many lines may have."""

FEWEST: Final = 28
MOST: Final = 46
"""Pitches are tried between these numbers of cells."""

PITCHES: Final = 96
OFFSETS: Final = 16

USUAL_SIDE: Final = 0.2
"""Share of a cell that its character leaves free on each side."""


MIN_READ: Final = 0.35
"""Mean confidence over the lines from which a cell holds characters."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of all lines: the first begins at `start`, each is `pitch` wide, in pixels of the strips.

    `contrast` is how much less ink lies between the cells than in them, 1 for paper only.
    """

    start: float
    pitch: float
    count: int
    contrast: float

    def centres(self) -> npt.NDArray[np.float64]:
        """The middle of every cell."""
        return np.asarray(self.start + self.pitch * (np.arange(self.count) + 0.5), dtype=np.float64)


def find_grid(zone: Straight) -> Grid:
    """Find the even pitch that leaves the least ink between the cells of all lines."""
    ink = np.mean([_columns(strip) for strip in zone.strips], axis=0)
    length = zone.right - zone.left
    pitches = length / (np.linspace(FEWEST, MOST, PITCHES) - 2 * USUAL_SIDE)
    best = _best(ink, zone, pitches)
    finer = best.pitch * np.linspace(0.994, 1.006, 13)
    return _best(ink, zone, finer)


def widest(zone: Straight, grid: Grid) -> Grid:
    """The grid continued to both ends of the strips."""
    before = int(grid.start // grid.pitch)
    count = int((zone.strips[0].shape[1] - grid.start) // grid.pitch) + before
    missing = max(0, COUNTS[len(zone.strips)][-1] - count)  # where a zone is cut off, its strips are too
    before += missing // 2
    return Grid(grid.start - before * grid.pitch, grid.pitch, count + missing, grid.contrast)


def fitting(grid: Grid, read: Sequence[Floats]) -> tuple[int, int] | None:
    """First cell and number of cells of the shortest format that holds all cells in which a character was read.

    `read` are the odds of every cell, line by line. None if no format is so long. Where characters are missing at
    the ends, nothing tells at which, so the room is shared.
    """
    found = np.flatnonzero(_readable(read))
    if not len(found):
        return None
    first, length = int(found[0]), int(found[-1] - found[0]) + 1
    count = next((count for count in COUNTS[len(read)] if count >= length), None)
    if count is None or count > grid.count:
        return None
    begin = first - (count - length) // 2
    return min(max(0, begin), grid.count - count), count


def unread(read: Sequence[Floats]) -> int:
    """How many cells at the ends of the lines hold nothing that was read."""
    found = np.flatnonzero(_readable(read))
    return len(read[0]) - (int(found[-1] - found[0]) + 1 if len(found) else 0)


def _readable(read: Sequence[Floats]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.mean([reading.max(axis=1) for reading in read], axis=0) > MIN_READ)


def _columns(strip: npt.NDArray[np.uint8]) -> Floats:
    dark = darkness(strip)[(BAND - CHAR_HEIGHT) // 2 : (BAND + CHAR_HEIGHT) // 2].clip(0, 1)
    return np.asarray(dark.mean(axis=0), dtype=np.float32)


def _best(ink: Floats, zone: Straight, pitches: npt.NDArray[np.float64]) -> Grid:
    """Of all pitches and offsets, the one with the clearest gaps."""
    blurred = np.convolve(ink, np.ones(3) / 3, mode="same").astype(np.float32)
    found: list[tuple[float, float, float]] = []
    for pitch in pitches:
        count = round((zone.right - zone.left) / pitch + 2 * USUAL_SIDE)
        middle = (zone.left + zone.right) / 2
        starts = middle - count * pitch / 2 + pitch * np.linspace(-0.5, 0.5, OFFSETS)
        borders = starts[:, None] + pitch * np.arange(1, count)[None, :]
        gaps = _at(blurred, borders).mean(axis=1)
        full = _at(blurred, borders[:, :-1] + pitch / 2).mean(axis=1)
        contrast = 1 - gaps / np.maximum(full, 1e-3)
        index = int(contrast.argmax())
        found.append((float(contrast[index]), float(starts[index]), float(pitch)))
    contrast, start, pitch = max(found)
    count = round((zone.right - start) / pitch + USUAL_SIDE)
    return Grid(start, pitch, count, contrast)


def _at(values: Floats, places: npt.NDArray[np.float64]) -> Floats:
    return np.asarray(values[np.clip(places.round().astype(int), 0, len(values) - 1)], dtype=np.float32)


def by_cell(frames: Floats, centres: Sequence[float], cells: npt.NDArray[np.float64]) -> Floats:
    """Sort a network's answers into cells: cells × 37, each row what the cell may hold, summing to at most 1.

    `frames` are rows of blank and the 37 characters, `centres` where each frame looks, and `cells` the cells'
    own middles. A network may answer a little early or late, always by the same: that is measured first.
    """
    places = np.asarray(centres, dtype=np.float64)
    pitch = float(np.median(np.diff(cells)))
    letters = frames[:, 1:]
    peaks = _peaks(letters)
    late = 0.0
    if len(peaks) >= len(cells) // 3:
        nearest = np.abs(places[peaks][:, None] - cells[None, :]).argmin(axis=1)
        off = places[peaks] - cells[nearest]
        turns = np.exp(2j * np.pi * off / pitch).mean()  # offsets repeat with every cell
        late = float(np.angle(turns)) / (2 * np.pi) * pitch
    owner = np.floor((places - late - cells[0]) / pitch + 0.5).astype(int)
    out = np.zeros((len(cells), letters.shape[1]), dtype=np.float32)
    for cell in range(len(cells)):
        own = letters[owner == cell]
        if len(own):
            out[cell] = own.max(axis=0)
    return np.asarray(out / np.maximum(1.0, out.sum(axis=1, keepdims=True)), dtype=np.float32)


def _peaks(letters: Floats) -> npt.NDArray[np.intp]:
    """Frames in which some character is surer than in the frames beside."""
    sure = letters.max(axis=1)
    before, after = np.roll(sure, 1), np.roll(sure, -1)
    return np.flatnonzero((sure > 0.5) & (sure >= before) & (sure > after))
