"""Tells whether two frames show one picture: a frozen or repeated picture is no traveler, whatever its bytes are."""

from __future__ import annotations

import io
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Thumbnail: TypeAlias = npt.NDArray[np.float32]
"""SIDE × SIDE luminances, 0 to 255, of the whole picture."""

SIDE: Final = 32

SAME_LEVELS: Final = 2.0
"""One picture saved again as JPEG of quality 60 to 95 differs by at most 1 level in any cell, with the noise of a
camera added (standard deviation 1 to 4 levels) by at most 2; moved by one pixel in a width of 320 to 1,280 by more
(the sample pictures, as in tests/integration/test_capture_engine.py). Somebody who stands so still that a frame is
taken for the one before loses that frame, and sways again."""


def thumbnail_of(data: bytes) -> Thumbnail:
    """The thumbnail of a picture that was decoded before, so that its sizes are known to be within bounds.

    Of a JPEG only what is needed is decoded: about 1 ms.
    """
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", (SIDE, SIDE))
        return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def is_same(a: Thumbnail, b: Thumbnail) -> bool:
    """Whether nothing moved between two frames."""
    return float(np.abs(a - b).max()) <= SAME_LEVELS
