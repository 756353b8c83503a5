"""Turns a face upright: the least-squares similarity between two sets of points, and the picture through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from borderpost.faces.domain import Chip, Point
from borderpost.runtime.pictures import Rgb


@dataclass(frozen=True, slots=True)
class Similarity:
    """Scale, rotation and shift as complex numbers: z becomes `factor` · z + `shift`, with z = x + iy."""

    factor: complex
    shift: complex

    @property
    def inverse(self) -> Similarity:
        """The way back."""
        return Similarity(1 / self.factor, -self.shift / self.factor)


def fit_similarity(source: Sequence[Point], target: Sequence[Point]) -> Similarity:
    """The similarity without mirroring that brings `source` nearest to `target` (least squares).

    Two points or more of each, not all on one spot.
    """
    a, b = _complex(source), _complex(target)
    off_a, off_b = a - a.mean(), b - b.mean()
    factor = complex(np.vdot(off_a, off_b) / np.vdot(off_a, off_a))
    return Similarity(factor, complex(b.mean() - factor * a.mean()))


def cut_chip(picture: Rgb, onto_chip: Similarity, side: int) -> Chip:
    """The chip, side × side × 3, that the similarity takes from the picture; black beyond its edges.

    Where the chip is much smaller than the face, the picture is averaged down first, so that no detail aliases.
    """
    back = onto_chip.inverse
    shrink = max(1, int(abs(back.factor)))
    image = Image.fromarray(picture)
    if shrink > 1:
        image = image.reduce(shrink)
        # The middle of a reduced pixel lies in the middle of those that it was averaged from.
        back = Similarity(back.factor / shrink, (back.shift + 0.5 * (1 + 1j)) / shrink - 0.5 * (1 + 1j))
    a, b = back.factor.real, back.factor.imag
    # Pillow takes the middles of pixels at + 0.5; our points count the first pixel's middle as 0.
    across = back.shift.real + 0.5 - 0.5 * (a - b)
    down = back.shift.imag + 0.5 - 0.5 * (b + a)
    chip = image.transform(
        (side, side), Image.Transform.AFFINE, (a, -b, across, b, a, down), Image.Resampling.BILINEAR
    )
    return np.asarray(chip)


def _complex(points: Sequence[Point]) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.asarray([complex(x, y) for x, y in points])
