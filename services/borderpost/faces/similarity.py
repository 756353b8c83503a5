"""Turns a face upright: the least-squares similarity between two sets of points, and the picture through it."""

from __future__ import annotations

import math
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

    def resized(self, size: float, side: int) -> Similarity:
        """The same, with what lands on a chip of this side made larger or smaller around the chip's middle."""
        middle = (side - 1) / 2 * (1 + 1j)
        return Similarity(self.factor * size, (self.shift - middle) * size + middle)


def fit_similarity(source: Sequence[Point], target: Sequence[Point]) -> Similarity:
    """The similarity without mirroring that brings `source` nearest to `target` (least squares).

    Two points or more of each, not all on one spot.
    """
    a, b = _complex(source), _complex(target)
    off_a, off_b = a - a.mean(), b - b.mean()
    factor = complex(np.vdot(off_a, off_b) / np.vdot(off_a, off_a))
    return Similarity(factor, complex(b.mean() - factor * a.mean()))


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a picture, averaged down by `shrink`, that begins at `left` and `top` of the picture."""

    image: Image.Image
    left: int
    top: int
    shrink: int

    def chip(
        self,
        onto_chip: Similarity,
        side: int,
        resampling: Image.Resampling = Image.Resampling.BICUBIC,
        *,
        mean_outside: bool = False,
    ) -> Chip:
        """The chip, side × side × 3, that the similarity takes from the picture that this patch is of.

        Beyond the patch's edges it is black, or with `mean_outside` of the mean colour of what lies inside.
        """
        back = onto_chip.inverse
        # The middle of a reduced pixel lies in the middle of those that it was averaged from.
        half = 0.5 * (1 + 1j)
        factor = back.factor / self.shrink
        shift = (back.shift - complex(self.left, self.top) + half) / self.shrink - half
        a, b = factor.real, factor.imag
        # Pillow takes the middles of pixels at + 0.5; our points count the first pixel's middle as 0.
        across, down = shift.real + 0.5 - 0.5 * (a - b), shift.imag + 0.5 - 0.5 * (b + a)
        chip = self.image.transform(
            (side, side),
            Image.Transform.AFFINE,
            (a, -b, across, b, a, down),
            resampling,
            fillcolor=self.image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) if mean_outside else 0,
        )
        return np.asarray(chip)


def cut_patch(picture: Rgb, onto_chip: Similarity, side: int) -> Patch:
    """What a chip of this side is cut from. Where the chip is much smaller than the face, the picture is averaged
    down, so that no detail aliases."""
    back = onto_chip.inverse
    shrink = max(1, int(abs(back.factor)))
    left, top, right, bottom = _needed(back, side, shrink, picture)
    image = Image.fromarray(picture[top:bottom, left:right])
    return Patch(image.reduce(shrink) if shrink > 1 else image, left, top, shrink)


def _needed(back: Similarity, side: int, shrink: int, picture: Rgb) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what the chip is cut from: copying a whole picture takes longer than all else.

    In whole steps of `shrink`, and with three to spare on each side (the cubic looks at two), so that every pixel comes
    out as from the whole.
    """
    corners = [back.factor * corner + back.shift for corner in (0, side, side * 1j, side + side * 1j)]
    height, width = picture.shape[:2]
    left, right = _span([corner.real for corner in corners], width, shrink)
    top, bottom = _span([corner.imag for corner in corners], height, shrink)
    return left, top, right, bottom


def _span(ends: Sequence[float], length: int, step: int) -> tuple[int, int]:
    first = math.floor(min(ends) / step - 3) * step
    last = math.ceil(max(ends) / step + 3) * step
    start = min(max(first, 0), (length - 1) // step * step)
    return start, min(max(last, start + step), length)


def _complex(points: Sequence[Point]) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.asarray([complex(x, y) for x, y in points])
