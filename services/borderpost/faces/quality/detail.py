"""Detail: how sharp the face is, and what compression has left of it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.domain import Component, FaceBox, QualityMeasure
from borderpost.faces.quality.limits import Limits
from borderpost.faces.quality.scale import judged, unsure
from borderpost.runtime.pictures import Rgb

Grey = npt.NDArray[np.float32]


def sharpness(crop: Rgb, limits: Limits) -> QualityMeasure:
    """Variance of the Laplacian by that of the luminance, at about the size that the embedder gets to see.

    The division makes it independent of light and of the skin's contrast. Noise counts as detail. The
    standard's Sharpness needs a trained forest; this is not it, so there is no 0..100 value.
    """
    grey = crop.astype(np.float32) @ np.asarray([0.2126, 0.7152, 0.0722], dtype=np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    contrast = float(np.var(grey))
    detail = float(np.var(around - 4 * grey[1:-1, 1:-1])) / contrast if contrast else 0.0
    return judged(Component.SHARPNESS, detail, "ratio", None, passed=detail >= limits.min_sharpness)


BLOCK: Final = 8
"""Side of JPEG's blocks (ITU-T T.81)."""

MIN_BLOCKS: Final = 5
MAX_BLOCKS: Final = 24
"""Blocks looked at along each side: fewer can't tell an edge from the picture's own; more add nothing."""


def compression(picture: Rgb, box: FaceBox, limits: Limits) -> QualityMeasure:
    """How much stronger the steps between JPEG's blocks are than those within them; 1 where they are alike.

    It sees a picture that was compressed as it is, not one that was scaled or turned afterwards. The standard's
    CompressionArtifacts needs a trained network; this is not it, so there is no 0..100 value. UNDETERMINED
    where the face is too small to tell.
    """
    x, across = _blocks(box.left, box.width, picture.shape[1])
    y, down = _blocks(box.top, box.height, picture.shape[0])
    if min(across, down) < MIN_BLOCKS:
        return unsure(Component.COMPRESSION_ARTIFACTS, None, "", None)
    green = picture[y : y + down * BLOCK + 1, x : x + across * BLOCK + 1, 1].astype(np.float32)
    ratio = max(_edge_ratio(green), _edge_ratio(green.T))
    return judged(
        Component.COMPRESSION_ARTIFACTS, ratio, "ratio", None, passed=ratio <= limits.max_blockiness
    )


def _blocks(start: int, length: int, size: int) -> tuple[int, int]:
    """Where the first whole block within a span begins, and how many there are (with a pixel to spare)."""
    first = -(-max(0, start) // BLOCK) * BLOCK
    last = min(size - 1, start + length)
    count = min(MAX_BLOCKS, (last - first) // BLOCK)
    middle = (max(0, (last - first) // BLOCK) - count) // 2
    return first + max(0, middle) * BLOCK, count


def _edge_ratio(grey: Grey) -> float:
    """Mean step from one block to the next by the mean step inside of the blocks, along the rows."""
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=0).reshape(-1, BLOCK).mean(axis=0)
    inside = float(steps[: BLOCK - 1].mean())
    return float(steps[BLOCK - 1]) / inside if inside else 1.0
