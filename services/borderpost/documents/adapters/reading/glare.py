"""Cells in which a reflection may have wiped out print.

What is left of a character beside a reflection can look like another one, whole and clear, and every reader agrees on
it. So where a part of a cell is at the sensor's end while the paper elsewhere is not, nothing read there is sure.
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
"""Share of white in half of the cells from which the paper itself is white, and a reflection can't be told."""

MORE_WHITE: Final = 0.2
"""A cell with so much more white than half of the others is dazzled."""

MIN_CELLS: Final = 2
"""Dazzled cells from which the traveler is told."""


def dazzled(strip: Rgb, grid: Grid) -> npt.NDArray[np.bool_]:
    """Tell for every cell of a line whether a reflection reaches into it."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)[(BAND - CHAR_HEIGHT) // 2 : (BAND + CHAR_HEIGHT) // 2]
    white = (grey >= WHITE).mean(axis=0)
    edges = np.clip(grid.centres()[:, None] + grid.pitch * np.array([-0.5, 0.5]), 0, len(white)).astype(int)
    shares = np.array([white[first:last].mean() if last > first else 0.0 for first, last in edges])
    usual = float(np.median(shares))
    return np.asarray((shares > usual + MORE_WHITE) & (usual < WHITE_PAPER))
