"""The face as quality looks at it: upright, in one size, whatever engine found it and however large it was."""

from __future__ import annotations

from typing import Final

from PIL import Image

from borderpost.faces.domain import Landmarks
from borderpost.faces.similarity import Similarity, cut_patch
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
    left, right = complex(*landmarks.left_eye), complex(*landmarks.right_eye)
    across = right - left if left != right else 1 + 0j
    corner = (left + right) / 2 - across * complex(WIDTH / 2, ABOVE)
    factor = PIXELS_BETWEEN_EYES / across
    onto_crop = Similarity(factor, -factor * corner)
    patch = cut_patch(picture, onto_crop, SIDE)
    return patch.chip(onto_crop, SIDE, Image.Resampling.BILINEAR, mean_outside=True)
