"""Cells in which a reflection may have wiped out print.

What is left of a character beside a reflection can look like another one, whole and clear, and every reader agrees on
it. So at a hole that is at the sensor's end while the paper elsewhere is not, nothing read is sure.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents.adapters.reading.cells import Grid
from borderpost.documents.adapters.reading.rectify import BAND, CHAR_HEIGHT
from borderpost.runtime.pictures import Rgb

WHITE: Final = 253
"""Of 255: a sensor's end."""

WHITE_PAPER: Final = 0.3
"""Share of white along half of the line from which the paper itself is white, and a reflection can't be told."""

HOLE_WIDTH: Final = 0.9
"""Cells across a hole: characters beside each other have less room between them."""

HOLE_WHITE: Final = 0.97
"""Share of white in a hole, in the upper or the lower half of the characters: no ink at all is in it."""

MIN_CELLS: Final = 2
"""Dazzled cells from which the traveler is told."""


def dazzled(strip: Rgb, grid: Grid) -> npt.NDArray[np.bool_]:
    """Tell for every cell of a line whether it lies at a hole that a reflection has made."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)[(BAND - CHAR_HEIGHT) // 2 : (BAND + CHAR_HEIGHT) // 2]
    white = (grey >= WHITE).astype(np.float32)
    if float(np.median(white.mean(axis=0))) > WHITE_PAPER:
        return np.zeros(grid.count, dtype=np.bool_)
    wide = np.ones(max(1, round(HOLE_WIDTH * grid.pitch)), dtype=np.float32)
    halves = (white[: CHAR_HEIGHT // 2].mean(axis=0), white[CHAR_HEIGHT // 2 :].mean(axis=0))
    hole = np.max([np.convolve(half, wide / len(wide), mode="same") for half in halves], axis=0) > HOLE_WHITE
    edges = np.clip(grid.centres()[:, None] + grid.pitch * np.array([-1.0, 1.0]), 0, len(hole)).astype(int)
    return np.array([bool(hole[first:last].any()) for first, last in edges])
