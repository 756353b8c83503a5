"""Face detection and alignment by dlib: its HOG detector and its 5-point landmark model.

A dlib detector keeps its work in itself and releases the GIL while it works: two threads on one detector
get each other's boxes, without any error. So every thread has its own detector and shape predictor.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import dlib
import numpy as np
from PIL import Image

from borderpost.faces.adapters.weights import FIVE_POINTS, read_verified
from borderpost.faces.domain import Chips, Face, FaceBox, Landmarks
from borderpost.runtime.pictures import Rgb

CHIP_SIDE: Final = 150
CHIP_PADDING: Final = 0.25
"""dlib's `face_recognition_model_v1` was trained on chips of 150 pixels with this padding."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to look: the picture's longest side in pixels, and how often to double the picture then."""

    longest_side: int
    doublings: int


ATTEMPTS: Final = (Attempt(320, 0), Attempt(640, 0), Attempt(640, 1))
"""Each is tried only where the one before found nothing. The detector's smallest face has 80 pixels: a
quarter of the picture's longest side in the first attempt (12 ms), an eighth in the second (42 ms), a
sixteenth in the last (170 ms). Smaller faces beside a large one are therefore not seen, and not counted."""


class _Tools(threading.local):
    """The dlib objects of one thread, loaded and verified when the thread first needs them."""

    def __init__(self) -> None:
        self.detector: Any = dlib.get_frontal_face_detector()
        self.predictor: Any = dlib.shape_predictor.__new__(dlib.shape_predictor)
        # As pickle does: from the bytes that were verified. Its constructor would read the file once more.
        self.predictor.__setstate__((read_verified(FIVE_POINTS),))


class DlibFaceFinder:
    """Detector and aligner. Safe to call from several threads at a time.

    A thread's first call loads 9 MB and can raise WeightsMissingError or WeightsAlteredError; `warm_up` does
    it beforehand.
    """

    def __init__(self) -> None:
        self._tools = _Tools()

    def warm_up(self) -> None:
        """Load the calling thread's detector and landmark model."""
        _ = self._tools.detector

    def detect(self, picture: Rgb) -> tuple[FaceBox, ...]:
        """Every face found, in pixels of `picture` (height × width × 3 uint8 RGB)."""
        for scaled, doublings in _scaled_copies(picture):
            found = self._tools.detector(scaled, doublings)
            if found:
                factor = picture.shape[1] / scaled.shape[1], picture.shape[0] / scaled.shape[0]
                return tuple(_box(rectangle, *factor) for rectangle in found)
        return ()

    def landmarks(self, picture: Rgb, box: FaceBox) -> Landmarks:
        """The five points of the face in `box`."""
        shape = self._tools.predictor(picture, _rectangle(box))
        # dlib counts the traveler's own left eye first, outer corner then inner; in the picture it is right.
        right_outer, right_inner, left_outer, left_inner, nose = (
            (point.x, point.y) for point in shape.parts()
        )
        return Landmarks(left_outer, left_inner, right_inner, right_outer, nose)

    def align(self, picture: Rgb, face: Face) -> Chips:
        """The face upright, as dlib's own recognition model cuts it, and its mirror image: 2 × 150 × 150 × 3 uint8."""
        points = face.landmarks
        parts = (
            points.right_eye_outer,
            points.right_eye_inner,
            points.left_eye_outer,
            points.left_eye_inner,
            points.nose_base,
        )
        shape = dlib.full_object_detection(
            _rectangle(face.box), [dlib.point(round(x), round(y)) for x, y in parts]
        )
        chip = dlib.get_face_chip(picture, shape, size=CHIP_SIDE, padding=CHIP_PADDING)
        return np.stack([chip, chip[:, ::-1]])


def _scaled_copies(picture: Rgb) -> Iterator[tuple[Rgb, int]]:
    """The picture for each attempt, without those that would repeat the one before."""
    seen: set[tuple[int, int, int]] = set()
    for attempt in ATTEMPTS:
        width, height = _fitted(picture.shape[1], picture.shape[0], attempt.longest_side)
        if (width, height, attempt.doublings) not in seen:
            seen.add((width, height, attempt.doublings))
            yield _resized(picture, width, height), attempt.doublings


def _fitted(width: int, height: int, longest_side: int) -> tuple[int, int]:
    factor = min(1.0, longest_side / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _resized(picture: Rgb, width: int, height: int) -> Rgb:
    if picture.shape[:2] == (height, width):
        return picture
    image = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image)


def _box(rectangle: Any, across: float, down: float) -> FaceBox:
    left, top = round(rectangle.left() * across), round(rectangle.top() * down)
    return FaceBox(left, top, round(rectangle.width() * across), round(rectangle.height() * down))


def _rectangle(box: FaceBox) -> Any:
    return dlib.rectangle(box.left, box.top, box.left + box.width - 1, box.top + box.height - 1)
