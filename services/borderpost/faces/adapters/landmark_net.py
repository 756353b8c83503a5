"""68 landmarks by a light ONNX model, and of them those that the others go by."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from borderpost.faces.adapters.light_detector import Rectangle, as_light_detector_would
from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import LANDMARKS, read_verified
from borderpost.faces.domain import FaceBox, Landmarks, Point
from borderpost.runtime.pictures import Rgb

SIDE: Final = 64
SCALE: Final = 256.0
"""What the model takes: the face's rectangle as 64 × 64 grey pixels, x / 256."""

LEFT_EYE_CORNERS: Final = (36, 39)
RIGHT_EYE_CORNERS: Final = (42, 45)
LEFT_LIDS: Final = (37, 38, 40, 41)
RIGHT_LIDS: Final = (43, 44, 46, 47)
NOSE_TIP: Final = 30
NOSE_BASE: Final = 33
MOUTH_LEFT: Final = (48, 60)
MOUTH_RIGHT: Final = (54, 64)
"""Places in the usual order of 68 points (iBUG's), counted from 0; left and right are the picture's."""

Points = npt.NDArray[np.float64]


class LandmarkNetwork:
    """Finds a face's points. Safe to call from several threads at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    def load(cls) -> LandmarkNetwork:
        """Verify the weights and start the model. Raises WeightsMissingError, WeightsAlteredError."""
        return cls(open_session(read_verified(LANDMARKS)))

    def landmarks(self, picture: Rgb, box: FaceBox) -> Landmarks:
        """The points of the face in `box` (height × width × 3 uint8 RGB)."""
        points = self._all(picture, as_light_detector_would(box))
        left_outer, left_inner = (_mean(points, i) for i in LEFT_EYE_CORNERS)
        right_inner, right_outer = (_mean(points, i) for i in RIGHT_EYE_CORNERS)
        return Landmarks(
            left_outer,
            left_inner,
            right_inner,
            right_outer,
            _mean(points, NOSE_BASE),
            five=(
                _mean(points, *LEFT_LIDS),
                _mean(points, *RIGHT_LIDS),
                _mean(points, NOSE_TIP),
                _mean(points, *MOUTH_LEFT),
                _mean(points, *MOUTH_RIGHT),
            ),
        )

    def _all(self, picture: Rgb, rectangle: Rectangle) -> Points:
        """68 × 2, in the picture's pixels."""
        left, top, right, bottom = _inside(rectangle, picture)
        first_x, first_y = math.floor(left), math.floor(top)
        part = picture[first_y : math.ceil(bottom), first_x : math.ceil(right)]
        within = (left - first_x, top - first_y, right - first_x, bottom - first_y)
        grey = Image.fromarray(part).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=within)
        pixels = np.asarray(grey, dtype=np.float32)[None, None] / np.float32(SCALE)
        found = self._session.run(None, {"input": pixels})[0].reshape(-1, 2).astype(np.float64)
        points: Points = found * (right - left, bottom - top) + (left, top)
        return points


def _inside(rectangle: Rectangle, picture: Rgb) -> Rectangle:
    """The part of the rectangle that is in the picture; at least one pixel, wherever the rectangle is."""
    height, width = picture.shape[:2]
    left, top = min(max(rectangle[0], 0.0), width - 1.0), min(max(rectangle[1], 0.0), height - 1.0)
    right, bottom = max(min(rectangle[2], width), left + 1.0), max(min(rectangle[3], height), top + 1.0)
    return left, top, right, bottom


def _mean(points: Points, *places: int) -> Point:
    x, y = points[list(places)].mean(axis=0)
    return float(x), float(y)
