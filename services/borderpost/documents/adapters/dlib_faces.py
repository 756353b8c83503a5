"""Where a face is in a portrait: dlib's HOG detector, whose weights are in its library (Boost licence).

A detector of dlib is not safe to share: it lets go of the interpreter's lock, and answers with another thread's
picture. So each thread has its own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import cv2
import dlib
import numpy as np
import numpy.typing as npt

from borderpost.runtime.pictures import Rgb

Grey = npt.NDArray[np.uint8]

MIN_SCORE: Final = -0.3
"""dlib's own limit is 0. Lower, since the place is known and a printed face is worse than a live one."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face from its eyebrows to its chin: middle and side length in pixels, and how sure the detector is."""

    x: float
    y: float
    side: float
    score: float


class FaceFinder:
    """Finds upright faces of 80 pixels and more. Any number of threads may use it."""

    def __init__(self) -> None:
        self._own = threading.local()

    def find(self, picture: Rgb) -> tuple[Face, ...]:
        """Return all faces of a picture, the surest first."""
        grey: Grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        boxes, scores, _ = self._detector().run(grey, 0, MIN_SCORE)
        found = [
            Face(
                x=(box.left() + box.right()) / 2,
                y=(box.top() + box.bottom()) / 2,
                side=float(box.width()),
                score=float(score),
            )
            for box, score in zip(boxes, scores, strict=True)
        ]
        return tuple(sorted(found, key=lambda face: face.score, reverse=True))

    def _detector(self) -> dlib.fhog_object_detector:
        if not hasattr(self._own, "detector"):
            self._own.detector = dlib.get_frontal_face_detector()
        return self._own.detector
