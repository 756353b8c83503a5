"""Head pose by the network of the npm package: three classifiers over bins of degrees (after Hopenet).

What docs/faces.md says of its error was measured with the boxes of dlib's HOG detector, which are square; the
light detector's are converted to such ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import HEAD_POSE, read_verified
from borderpost.faces.domain import Face, FaceBox, HeadPose
from borderpost.faces.similarity import Similarity, cut_patch
from borderpost.runtime.pictures import Rgb

SIDE: Final = 224
"""Pixels of the input's side."""

WIDENED: Final = 1.5
"""The input's side by the box's: a quarter more at each side. With twice the box the yaw is lost."""

MEAN: Final = np.asarray([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION: Final = np.asarray([0.229, 0.224, 0.225], dtype=np.float32)
"""Of ImageNet's red, green and blue, 0 to 1, as the network was trained."""

BINS: Final = np.arange(66, dtype=np.float32) * 3 - 99
"""Degrees that each class stands for."""

OUTPUTS: Final = ("output", "617", "618")
"""The network's names for yaw, pitch and roll."""


class HeadPoseNetwork:
    """Tells which way a head is turned. Safe to call from several threads at a time."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    @classmethod
    def load(cls) -> HeadPoseNetwork:
        """Verify and load the weights. Raises WeightsMissingError, WeightsAlteredError."""
        return cls(open_session(read_verified(HEAD_POSE)))

    def pose(self, picture: Rgb, face: Face) -> HeadPose:
        """The pose of one face of this picture (height × width × 3 uint8 RGB).

        The network counts the other way: to the traveler's own right, up, onto the own left shoulder.
        """
        onto_input = _onto_input(face.box)
        head = cut_patch(picture, onto_input, SIDE).chip(onto_input, SIDE)
        pixels = head.astype(np.float32) / 255
        planes = np.ascontiguousarray(((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)[None])
        yaw, pitch, roll = (_degrees(logits[0]) for logits in self._session.run(OUTPUTS, {"input": planes}))
        return HeadPose(-yaw, -pitch, -roll)


def _onto_input(box: FaceBox) -> Similarity:
    side = max(box.width, box.height, 1) * WIDENED
    corner = complex(*box.centre) - complex(side, side) / 2
    return Similarity(complex(SIDE / side), -corner * SIDE / side)


def _degrees(logits: npt.NDArray[np.float32]) -> float:
    """The mean of the bins' degrees, weighted by their probabilities."""
    weights = np.exp(logits - logits.max())
    return float(weights @ BINS / weights.sum())
