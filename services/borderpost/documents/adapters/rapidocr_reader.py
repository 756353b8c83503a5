"""The MRZ reader: finds a zone, straightens it, cuts it into cells, and reads each cell with two networks.

1. detect text in the picture scaled down; larger only where nothing was found (`networks`);
2. pick rows that lie as the lines of an MRZ do (`find`);
3. straighten the zone by the lines' own middles (`rectify`);
4. find the even pitch of its cells: other text has none, and most candidates end here (`cells`);
5. read every line with both networks, and weigh what they say of each cell (`odds`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.documents.adapters.reading import cells, find, heights, odds, rectify
from borderpost.documents.adapters.reading.networks import LINE_HEIGHT, STEP, Networks
from borderpost.documents.domain import Problem, Quad, Zone
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]

DETECTION_SIDES: Final = (640, 960, 1280)
"""Longest sides for the detector, tried in this order until a zone is found."""

MAX_CANDIDATES: Final = 12
"""Places that are looked at for each size of the picture: bounds the time for a page full of text."""

MIN_CONTRAST: Final = 0.45
"""Contrast of a grid (`cells.Grid`) below which there is no MRZ: other text has 0.1 to 0.35, print 0.6 to 0.9."""

MIN_SURENESS: Final = 0.5
"""Mean confidence below which a line is no MRZ, or upside down."""

MIN_FILLERS: Final = 2
"""Every MRZ has at least the two that part surname and given names."""

BORDER_SHARE: Final = 0.012
"""A line that ends closer to the picture's edge than this share of its width is cut off."""

READING_PITCH: Final = 25.0
"""Width of a cell for the recogniser, in pixels; it was trained on print at LINE_HEIGHT."""

SECOND_PITCH: Final = 29.0
"""The second look sees its lines this wide, so that its errors are not the first one's."""

_RECOGNISER: Final = odds.mistakes(0.01, blind=("0O",))


@dataclass(frozen=True, slots=True)
class _Sight:
    """A zone that was found: straightened, its cells known, upright. `sure` is the mean confidence of its lines."""

    straight: rectify.Straight
    grid: cells.Grid
    readings: tuple[Floats, ...]
    sure: float


class RapidOcrReader:
    """`MrzReader` on rapidocr's weights. One instance serves all threads."""

    def __init__(self, threads: int = 1) -> None:
        self._networks = Networks(threads)
        self.name = self._networks.name

    def read(self, page: Rgb) -> Zone | Problem:
        """Find the zone in a picture in any position, and read it."""
        problem = Problem.NO_MRZ
        for side in _sides(page):
            lines = find.candidates(self._networks.detect(page, side))[:MAX_CANDIDATES]
            for sight in self._sights(page, lines):
                if sight.grid.count not in cells.COUNTS[len(sight.readings)]:
                    problem = _misfit(sight, page)
                    continue
                return _zone(sight)
            if problem is not Problem.NO_MRZ:
                break
        return problem

    def read_again(self, page: Rgb, zone: Zone) -> Zone:
        """Read the lines of a zone a second time, from differently scaled pixels."""
        corners = [np.array(quad, dtype=np.float32) for quad in zone.line_quads]
        try:
            straight = rectify.straighten(page, corners)
        except rectify.NotALineError:
            return zone
        grid = cells.find_grid(straight)
        readings = tuple(self._read(strip, grid, SECOND_PITCH) for strip in straight.strips)
        return _zone(_Sight(straight, grid, readings, 0.0))

    def _sights(self, page: Rgb, candidates: Sequence[Sequence[Floats]]) -> Iterator[_Sight]:
        for lines in candidates:
            try:
                straight = rectify.straighten(page, lines)
            except rectify.NotALineError:
                continue
            grid = cells.find_grid(straight)
            if grid.contrast < MIN_CONTRAST:
                continue
            sight = self._either_way(straight, grid)
            if sight is not None:
                yield sight

    def _either_way(self, straight: rectify.Straight, grid: cells.Grid) -> _Sight | None:
        """Read as it lies, or else upside down; None if it is no MRZ."""
        for zone, own in ((straight, grid), _turned(straight, grid)):
            readings = []
            for strip in zone.strips:
                readings.append(self._read(strip, own, READING_PITCH))
                if float(readings[-1].max(axis=1).mean()) < MIN_SURENESS:
                    break
            else:
                filler = mrz.ALPHABET.index(mrz.FILLER)
                fillers = sum(int((reading.argmax(axis=1) == filler).sum()) for reading in readings)
                if fillers >= MIN_FILLERS:
                    return _Sight(
                        zone, own, tuple(readings), float(np.mean([r.max(axis=1).mean() for r in readings]))
                    )
        return None

    def _read(self, strip: Rgb, grid: cells.Grid, pitch: float) -> Floats:
        """Read one line: the odds of every cell."""
        margin = (rectify.BAND - LINE_HEIGHT) // 2
        width = round(strip.shape[1] * pitch / grid.pitch / STEP) * STEP
        own = cv2.resize(
            strip[margin : margin + LINE_HEIGHT], (width, LINE_HEIGHT), interpolation=cv2.INTER_AREA
        )
        frames = self._networks.recognise(np.asarray(own, dtype=np.uint8))
        zoom = strip.shape[1] / len(frames)
        answers = cells.by_cell(frames, (np.arange(len(frames)) + 0.5) * zoom, grid.centres())
        read = odds.weighed(answers, _RECOGNISER)
        text = "".join(mrz.ALPHABET[index] for index in read.argmax(axis=1))
        kinds = heights.kinds(strip, text, read.max(axis=1).tolist(), grid.centres().tolist())
        return odds.together([read, odds.by_height(kinds)])


def _sides(page: Rgb) -> Iterator[int]:
    longest = max(page.shape[:2])
    for before, side in itertools.pairwise((0, *DETECTION_SIDES)):
        if longest > before:
            yield side


def _turned(straight: rectify.Straight, grid: cells.Grid) -> tuple[rectify.Straight, cells.Grid]:
    width, depth = straight.strips[0].shape[1], straight.spacing * (len(straight.strips) - 1)
    half_turn = np.array([[-1, 0, width], [0, -1, depth], [0, 0, 1]], dtype=np.float64)
    turned = rectify.Straight(
        tuple(np.ascontiguousarray(strip[::-1, ::-1]) for strip in reversed(straight.strips)),
        straight.to_page @ half_turn,
        straight.spacing,
        width - straight.right,
        width - straight.left,
    )
    start = width - (grid.start + grid.pitch * grid.count)
    return turned, cells.Grid(start, grid.pitch, grid.count, grid.contrast)


def _zone(sight: _Sight) -> Zone:
    rows = len(sight.readings)
    half = rectify.CHAR_HEIGHT / 2
    left, right = sight.grid.start, sight.grid.start + sight.grid.pitch * sight.grid.count
    quads = tuple(_quad(sight.straight, left, right, row, half) for row in range(rows))
    return Zone(
        lines=tuple(odds.to_line(reading) for reading in sight.readings),
        quad=(quads[0][0], quads[0][1], quads[-1][2], quads[-1][3]),
        line_quads=quads,
    )


def _quad(straight: rectify.Straight, left: float, right: float, row: int, half: float) -> Quad:
    y = row * straight.spacing
    points = straight.place([(left, y - half), (right, y - half), (right, y + half), (left, y + half)])
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d


def _misfit(sight: _Sight, page: Rgb) -> Problem:
    """Lines that are no format's length: cut off if they end at the picture's edge."""
    height, width = page.shape[:2]
    zone = _zone(sight)
    (x0, y0), (x1, y1) = zone.quad[0], zone.quad[1]
    edge = BORDER_SHARE * float(np.hypot(x1 - x0, y1 - y0))
    touches = any(
        not (edge <= x <= width - 1 - edge and edge <= y <= height - 1 - edge)
        for quad in zone.line_quads
        for x, y in quad
    )
    return Problem.MRZ_CUT_OFF if touches else Problem.MRZ_UNCERTAIN
