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

import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.documents.adapters.ocrb_net import OcrbNet
from borderpost.documents.adapters.reading import cells, find, glare, heights, odds, rectify
from borderpost.documents.adapters.reading.networks import Networks
from borderpost.documents.adapters.reading.readers import OwnReader, Recogniser
from borderpost.documents.decide import rows_to_confirm
from borderpost.documents.domain import Problem, Quad, Zone
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]

DETECTION_SIDES: Final = {480: 5, 768: 3, 1152: 2}
"""Longest sides for the detector, tried in this order until a zone is found, and how many places are looked at for
each: bounds the time for a page full of text."""

WORTH_A_LOOK: Final = 1.25
"""The next size is tried where it makes the picture so many times larger than the one before."""

MAX_OTHERS: Final = 2
"""Further places that are looked at for a second document."""

MIN_CONTRAST: Final = 0.45
"""Contrast of a grid (`cells.Grid`) below which there is no MRZ: other text has 0.1 to 0.35, print 0.6 to 0.9."""

MAX_BEND: Final = 0.12
"""Cells by which the middle of the lines may be off before they are straightened once more: pages aren't quite flat."""

MIN_SURENESS: Final = 0.5
"""Mean confidence below which a line is no MRZ, or upside down."""

MIN_FILLERS: Final = 2
"""Every MRZ has at least the two that part surname and given names."""

BORDER_SHARE: Final = 0.012
"""A line that ends closer to the picture's edge than this share of its width is cut off."""

ZONES_APART: Final = 1.5
"""Two zones are of two documents if their middles are further apart than this many times their own depth."""

AS_SLENDER: Final = 0.52
"""Lines of a second document are at least so long for their height as the first's, times this; the detector's boxes
are higher than the characters."""

ROOM_FOR_A_LINE: Final = 1.5
"""Heights of a detector's box from one line to the far side of the next."""

SMALL_PITCH: Final = 8.0
"""Pixels from one character to the next below which G and 6, or S and 8, differ by a pixel: a TD3 page 390 px wide."""

SECOND_STRETCH: Final = 1.15
"""The second look sees its lines this much wider, so that its errors are not the first one's."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """A zone that was found: straightened, upright, its cells known. `read` are the first reader's odds of them."""

    straight: rectify.Straight
    grid: cells.Grid
    read: tuple[Floats, ...]


class TwoNetworkReader:
    """`MrzReader` on rapidocr's weights. One instance serves all threads."""

    def __init__(self, threads: int = 1) -> None:
        self._networks = Networks(threads)
        self._second = Recogniser(self._networks)
        net = OcrbNet(threads)
        self._first = OwnReader(net)
        self.name = f"{net.name} + {self._networks.name}"

    def read(self, page: Rgb) -> Zone | Problem:
        """Find the zone in a picture in any position, and read it."""
        lone: list[Floats] = []
        sights: list[_Sight] = []
        for side, places in _sides(page):
            regions = self._networks.detect(page, side)
            found = list(self._sights(page, find.candidates(regions)[:places]))
            sights = sorted([*sights, *found], key=lambda sight: cells.unread(sight.read))
            if sights and (not cells.unread(sights[0].read) or _touches_edge(_quads(sights[0]), page)):
                break
            if not sights:
                rows = find.long_rows(regions)[:MAX_OTHERS]
                lone += [row for row in rows if self._is_mrz_line(page, row)]
        if sights:
            return self._outcome(page, sights)
        if any(_is_near_edge(row, page) for row in lone):
            return Problem.MRZ_CUT_OFF
        return Problem.MRZ_UNCERTAIN if lone else Problem.NO_MRZ

    def read_again(self, page: Rgb, zone: Zone) -> Zone:
        """Read the lines of a zone a second time, from differently scaled pixels."""
        corners = [np.array(quad, dtype=np.float32) for quad in zone.line_quads]
        try:
            straight = rectify.straighten(page, corners)
        except rectify.NotALineError:
            return zone
        sight = self._upright(straight, cells.find_grid(straight), SECOND_STRETCH)
        return zone if sight is None else self._zone(sight, SECOND_STRETCH)

    def _outcome(self, page: Rgb, sights: Sequence[_Sight]) -> Zone | Problem:
        best = sights[0]
        whole = [sight for sight in sights if not cells.unread(sight.read)]
        if any(_apart(_quads(best), _quads(other)) for other in whole):
            return Problem.TWO_DOCUMENTS
        if cells.unread(best.read) and _touches_edge(_quads(best), page):
            return Problem.MRZ_CUT_OFF
        return self._zone(best)

    def _sights(self, page: Rgb, candidates: Sequence[Sequence[Floats]]) -> Iterator[_Sight]:
        """Every candidate that is an MRZ; after the first whole one, only what lies elsewhere in the picture."""
        places = iter(candidates)
        for lines in places:
            sight = self._sight(page, lines)
            if sight is None:
                continue
            yield sight
            if not cells.unread(sight.read):
                break
        else:
            return
        found = _quads(sight)
        others = (lines for lines in places if _apart(found, lines) and _is_as_slender(lines, found))
        for lines in itertools.islice(others, MAX_OTHERS):
            other = self._sight(page, lines)
            if other is not None:
                yield other

    def _sight(self, page: Rgb, lines: Sequence[Floats]) -> _Sight | None:
        """One candidate, read as it lies or upside down; None if it is no MRZ."""
        try:
            straight = rectify.straighten(page, lines)
        except rectify.NotALineError:
            return None
        grid = cells.find_grid(straight)
        if grid.contrast < MIN_CONTRAST:
            return None
        return self._upright(straight, grid) or self._upright(*_turned(straight, grid))

    def _is_mrz_line(self, page: Rgb, row: Floats) -> bool:
        """Tell whether a row of text is one line of an MRZ, whose other lines aren't in the picture."""
        strip = rectify.cut_row(page, row)
        return self._first.is_line(strip) or self._first.is_line(np.ascontiguousarray(strip[::-1, ::-1]))

    def _upright(self, straight: rectify.Straight, grid: cells.Grid, stretch: float = 1.0) -> _Sight | None:
        """Read as it lies; None if it is no MRZ, or upside down, or of no format's length."""
        bend = self._first.bend(straight.strips, cells.widest(straight, grid))
        if abs(bend) > MAX_BEND:
            straight = rectify.unbent(straight, bend * grid.pitch)
            grid = cells.find_grid(straight)
        wide = cells.widest(straight, grid)
        read = [self._first.read(strip, wide, stretch) for strip in straight.strips]
        fitting = cells.fitting(wide, read)
        if fitting is None:
            return None
        begin, count = fitting
        read = [reading[begin : begin + count] for reading in read]
        filler = mrz.ALPHABET.index(mrz.FILLER)
        fillers = sum(int((reading.argmax(axis=1) == filler).sum()) for reading in read)
        sureness = min(float(reading.max(axis=1).mean()) for reading in read)
        if fillers < MIN_FILLERS or sureness < MIN_SURENESS:
            return None
        own = cells.Grid(wide.start + begin * wide.pitch, wide.pitch, count, wide.contrast)
        return _Sight(straight, own, tuple(read))

    def _zone(self, sight: _Sight, stretch: float = 1.0) -> Zone:
        """Ask the second reader where it is needed, and weigh what both say."""
        alone = tuple(odds.to_line(read) for read in sight.read)
        needed = range(len(alone)) if stretch > 1 else rows_to_confirm(alone)
        quads = _quads(sight)
        # Of a small character both readers see the same few pixels, and take it for the same wrong one.
        weigh = odds.alike if _is_small(sight, quads) else odds.together
        lines, dazzled = [], []
        for row, (strip, first) in enumerate(zip(sight.straight.strips, sight.read, strict=True)):
            said = [first]
            if row in needed:
                said.append(self._second.read(strip, sight.grid, stretch))
            both = weigh(said)
            text = "".join(mrz.ALPHABET[index] for index in both.argmax(axis=1))
            kinds = heights.kinds(strip, text, both.max(axis=1).tolist(), sight.grid.centres().tolist())
            weighed = odds.together([both, odds.by_height(kinds)])
            dazzled.append(glare.dazzled(strip, sight.grid))
            lines.append(odds.to_line(odds.doubted(weighed, dazzled[-1])))
        corners = quads[0][0], quads[0][1], quads[-1][2], quads[-1][3]
        return Zone(tuple(lines), corners, quads, _flaw(sight, quads, dazzled))


def _sides(page: Rgb) -> Iterator[tuple[int, int]]:
    """Sizes to look at a picture in, and places to look at in each; no picture is enlarged."""
    longest, before = max(page.shape[:2]), 0.0
    for side, places in DETECTION_SIDES.items():
        if min(side, longest) > before * WORTH_A_LOOK:
            yield side, places
        before = min(side, longest)


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


def _quads(sight: _Sight) -> tuple[Quad, ...]:
    """Corners of every line in the page."""
    half = rectify.CHAR_HEIGHT / 2
    left, right = sight.grid.start, sight.grid.start + sight.grid.pitch * sight.grid.count
    quads = []
    for row in range(len(sight.read)):
        y = row * sight.straight.spacing
        points = [(left, y - half), (right, y - half), (right, y + half), (left, y + half)]
        a, b, c, d = ((float(x), float(y)) for x, y in sight.straight.place(points))
        quads.append((a, b, c, d))
    return tuple(quads)


def _apart(one: Sequence[Quad] | Sequence[Floats], other: Sequence[Quad] | Sequence[Floats]) -> bool:
    """Tell whether two zones are of two documents: their middles are further apart than either is high."""
    first, second = (np.array(lines, dtype=np.float64).reshape(-1, 2) for lines in (one, other))
    apart = float(np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)))
    deep = max(float(np.linalg.norm(corners[-1] - corners[0])) for corners in (first, second))
    return apart > ZONES_APART * deep


def _is_as_slender(lines: Sequence[Floats], found: Sequence[Quad]) -> bool:
    """Tell whether lines are about as long for their height as a zone's: TD1 has 30 characters, TD3 44."""
    one, other = (np.array(zone[0], dtype=np.float64) for zone in (lines, found))
    ratios = [np.linalg.norm(quad[1] - quad[0]) / np.linalg.norm(quad[3] - quad[0]) for quad in (one, other)]
    return bool(ratios[0] > AS_SLENDER * ratios[1])


def _is_near_edge(row: Floats, page: Rgb) -> bool:
    """Tell whether there is no room in the picture for another line above or below a row."""
    down = (row[3] - row[0]) * ROOM_FOR_A_LINE
    height, width = page.shape[:2]
    beyond = np.concatenate([row + down, row - down])
    return bool((beyond < 0).any() or (beyond[:, 0] > width).any() or (beyond[:, 1] > height).any())


def _touches_edge(quads: Sequence[Quad], page: Rgb) -> bool:
    """Tell whether lines end at the picture's edge, or the last one lies at its foot."""
    height, width = page.shape[:2]
    (x0, y0), (x1, y1) = quads[0][:2]
    edge = BORDER_SHARE * float(np.hypot(x1 - x0, y1 - y0))
    return any(
        not (edge <= x <= width - 1 - edge and edge <= y <= height - 1 - edge)
        for quad in quads
        for x, y in quad
    )


def _is_small(sight: _Sight, quads: Sequence[Quad]) -> bool:
    (x0, y0), (x1, y1) = quads[0][:2]
    return float(np.hypot(x1 - x0, y1 - y0)) / sight.grid.count < SMALL_PITCH


def _flaw(sight: _Sight, quads: Sequence[Quad], dazzled: Sequence[npt.NDArray[np.bool_]]) -> Problem | None:
    """What the picture suffers from, where that can be told."""
    if _is_small(sight, quads):
        return Problem.MRZ_TOO_SMALL
    if sum(int(cells_of_line.sum()) for cells_of_line in dazzled) >= glare.MIN_CELLS:
        return Problem.GLARE_ON_MRZ
    return None
