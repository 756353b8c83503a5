"""The face as quality looks at it: upright, in one size, whatever engine found it and however large it was."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from borderpost.faces.domain import Landmarks, Point
from borderpost.runtime.pictures import Rgb

SIDE: Final = 96
"""Pixels of the crop's side."""

WIDTH: Final = 1.8
ABOVE: Final = 0.5
"""In inter-eye distances: how wide and high the crop is, and how much of it lies above the eyes. From the brows
to the chin, and no background; the standard uses the landmarks' hull."""

PIXELS_BETWEEN_EYES: Final = SIDE / WIDTH
"""About what the embedders' own chips have: 50 (dlib) and 35 (112-pixel templates)."""


def face_crop(picture: Rgb, landmarks: Landmarks) -> Rgb:
    """The face from brows to chin, SIDE × SIDE × 3 uint8 RGB, its eyes level.

    What lies outside the picture gets the mean colour of what lies inside.
    """
    left, right = _point(landmarks.left_eye), _point(landmarks.right_eye)
    across = right - left if left != right else 1 + 0j
    corner = (left + right) / 2 - across * complex(WIDTH / 2, ABOVE)
    step = across * WIDTH / SIDE
    return _cut(picture, corner, step)


def _cut(picture: Rgb, corner: complex, step: complex) -> Rgb:
    """SIDE × SIDE pixels from `corner`, one `step` apart along the rows and, turned by 90°, down the columns."""
    ends = [corner + SIDE * step * turn for turn in (0, 1, 1j, 1 + 1j)]
    height, width = picture.shape[:2]
    x0, x1 = _span([end.real for end in ends], width)
    y0, y1 = _span([end.imag for end in ends], height)
    shrink = max(1, min(int(abs(step)), x1 - x0, y1 - y0))
    patch = Image.fromarray(picture[y0:y1, x0:x1]).reduce(shrink)
    start, stride = (corner - complex(x0, y0)) / shrink, step / shrink
    crop = patch.transform(
        (SIDE, SIDE),
        Image.Transform.AFFINE,
        (stride.real, -stride.imag, start.real, stride.imag, stride.real, start.imag),
        Image.Resampling.BILINEAR,
        fillcolor=patch.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)),
    )
    return np.asarray(crop)


def _span(ends: list[float], size: int) -> tuple[int, int]:
    """From the lowest to the highest, a pixel more on both sides, within 0 to `size`, and never empty."""
    low = max(0, min(size - 1, int(min(ends)) - 1))
    return low, max(low + 1, min(size, int(max(ends)) + 2))


def _point(point: Point) -> complex:
    return complex(*point)
