"""The two readers of a line, each with its own network: strips and cells in, odds of every cell out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.documents.adapters.ocrb_net import DIGIT_PER_PITCH, TEXT_SHARE, NetLine, OcrbNet
from borderpost.documents.adapters.reading import cells, odds
from borderpost.documents.adapters.reading.networks import LINE_HEIGHT, STEP, Networks
from borderpost.documents.adapters.reading.rectify import BAND, CHAR_HEIGHT
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]

READING_PITCH: Final = 22.0
"""Width of a cell for the recogniser, in pixels."""

SIDE_ROOM: Final = 0.8
"""Cells of room that a reader sees left and right of a line."""


OFF_CENTRE: Final = 0.4
"""Cells by which a character may be off the middle of its own."""


SURE_LINE: Final = 0.7
LONG_LINE: Final = 24
"""Mean confidence and length from which a strip shows a line of an MRZ, or most of one."""


class LineReader(Protocol):
    """Reads one line."""

    def read(self, strip: Rgb, grid: cells.Grid, stretch: float) -> Floats:
        """Return the odds of every cell (cells × 37), from a strip seen `stretch` times as wide as usual."""


class Recogniser:
    """PP-OCR's recogniser of all sorts of print. It can't tell O from 0."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._mistakes = odds.mistakes(0.01, blind=("0O",))

    def read(self, strip: Rgb, grid: cells.Grid, stretch: float) -> Floats:
        """Read a line."""
        margin = (BAND - LINE_HEIGHT) // 2
        picture, first, zoom = _resampled(
            strip[margin : margin + LINE_HEIGHT], grid, READING_PITCH * stretch, LINE_HEIGHT, STEP
        )
        frames = self._networks.recognise(picture)
        places = first + (np.arange(len(frames)) + 0.5) * STEP * zoom
        answers = cells.by_cell(frames, places.tolist(), grid.centres())
        return odds.weighed(answers, self._mistakes)


class OwnReader:
    """The project's own network, which knows OCR-B and nothing else: a hundred times as fast."""

    def __init__(self, net: OcrbNet) -> None:
        self._net = net
        self._mistakes = odds.mistakes(0.01)

    def is_line(self, strip: Rgb) -> bool:
        """Tell whether a strip shows one line of an MRZ: so many characters, so clear, with fillers."""
        (line,) = self._net.read([strip])
        sure = len(line.text) > 0 and float(line.confidences.mean()) > SURE_LINE
        return sure and len(line.text) >= LONG_LINE and mrz.FILLER * 2 in line.text

    def bend(self, strips: Sequence[Rgb], grid: cells.Grid) -> float:
        """How far the middle of the lines is off where even cells would have it, in cells; 0 where it isn't seen."""
        bends = []
        for strip in strips:
            line, places = self._seen(strip, grid, 1.0)
            if len(places) >= LONG_LINE and float(line.confidences.mean()) > SURE_LINE:
                steps = np.diff(places)
                index = np.concatenate([[0], np.cumsum(np.maximum(1, np.round(steps / np.median(steps))))])
                curve = float(np.polyfit(index, places, 2)[0])
                bends.append(-curve * grid.count**2 / 4)
        return float(np.mean(bends)) if bends else 0.0

    def read(self, strip: Rgb, grid: cells.Grid, stretch: float) -> Floats:
        """Read a line."""
        line, places = self._seen(strip, grid, stretch)
        answers = np.zeros((grid.count, len(mrz.ALPHABET)), dtype=np.float32)
        # The network sees for itself where characters are: what it sees between two cells is in none.
        for place, seen in zip(places, line.probabilities, strict=True):
            cell = round(float(place))
            if 0 <= cell < grid.count and abs(place - cell) < OFF_CENTRE:
                answers[cell] = np.maximum(answers[cell], seen)
        answers /= np.maximum(1.0, answers.sum(axis=1, keepdims=True))
        return odds.weighed(answers, self._mistakes)

    def _seen(self, strip: Rgb, grid: cells.Grid, stretch: float) -> tuple[NetLine, npt.NDArray[np.float64]]:
        """What the network sees, and where, in cells from the middle of the first one."""
        height = round(CHAR_HEIGHT / TEXT_SHARE)
        margin = (BAND - height) // 2
        pitch = CHAR_HEIGHT / DIGIT_PER_PITCH * stretch
        picture, first, zoom = _resampled(strip[margin : margin + height], grid, pitch, height, 1)
        (line,) = self._net.read([picture])
        places = (first + line.centres.astype(np.float64) * zoom - grid.start) / grid.pitch - 0.5
        return line, places


def _resampled(
    strip: Rgb, grid: cells.Grid, pitch: float, height: int, step: int
) -> tuple[Rgb, float, float]:
    """Cut a grid's cells out of a strip and scale them to a pitch and a height, in whole steps.

    Returns the picture, where its left edge is in the strip, and how many of the strip's pixels one of its has.
    """
    left = max(0, round(grid.start - SIDE_ROOM * grid.pitch))
    right = min(strip.shape[1], round(grid.start + (grid.count + SIDE_ROOM) * grid.pitch))
    width = max(step, round((right - left) * pitch / grid.pitch / step) * step)
    method = cv2.INTER_AREA if pitch <= grid.pitch else cv2.INTER_CUBIC
    scaled = cv2.resize(strip[:, left:right], (width, height), interpolation=method)
    return np.asarray(scaled, dtype=np.uint8), float(left), (right - left) / width
