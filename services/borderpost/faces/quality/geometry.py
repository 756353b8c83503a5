"""Place and size: how many faces, how large, how far from the picture's edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from borderpost.faces.domain import Component, FaceBox, Landmarks, QualityMeasure
from borderpost.faces.quality.limits import Limits
from borderpost.faces.quality.scale import judged, sigmoid


def single_face(boxes: Sequence[FaceBox], limits: Limits) -> QualityMeasure:
    """Second largest face's side by the largest one's; 0 where there is one face."""
    areas = sorted((box.area for box in boxes), reverse=True)
    ratio = math.sqrt(areas[1] / areas[0]) if len(areas) > 1 else 0.0
    passed = ratio <= limits.max_second_face
    return judged(Component.SINGLE_FACE_PRESENT, ratio, "ratio", 100 * (1 - ratio), passed=passed)


def inter_eye_distance(points: Landmarks, limits: Limits) -> QualityMeasure:
    """Pixels between the eyes. The standard divides by the yaw's cosine, not known well enough here."""
    pixels = points.inter_eye_distance
    value = 100 * sigmoid(pixels, 70, 20)
    passed = pixels >= limits.min_inter_eye_pixels
    return judged(Component.INTER_EYE_DISTANCE, pixels, "pixels", value, passed=passed)


EYES_TO_CHIN: Final = 1.8
"""In inter-eye distances, about: adults' eyes are 63 mm apart and 110 to 120 mm above the chin."""


def head_size(points: Landmarks, height: int, limits: Limits) -> QualityMeasure:
    """Eyes to chin by the picture's height, the chin estimated; so there is no 0..100 value."""
    share = EYES_TO_CHIN * points.inter_eye_distance / height
    return judged(Component.HEAD_SIZE, share, "share", None, passed=share <= limits.max_head_size)


def crops(points: Landmarks, width: int, height: int, limits: Limits) -> tuple[QualityMeasure, ...]:
    """Distance of the eyes to each edge of the picture.

    Up and down the standard measures in eye-to-chin distances, and five points have no chin: there is no
    0..100 value for these two.
    """
    unit = max(points.inter_eye_distance, 1.0)
    eye_line = (points.left_eye[1] + points.right_eye[1]) / 2
    left, right = points.left_eye[0] / unit, (width - points.right_eye[0]) / unit
    above, below = eye_line / unit, (height - eye_line) / unit

    def crop(component: Component, native: float, wanted: float, value: float | None) -> QualityMeasure:
        return judged(component, native, "inter-eye distances", value, passed=native >= wanted)

    return (
        crop(Component.LEFTWARD_CROP, left, limits.min_crop_sideways, 100 * sigmoid(left, 0.9, 0.1)),
        crop(Component.RIGHTWARD_CROP, right, limits.min_crop_sideways, 100 * sigmoid(right, 0.9, 0.1)),
        crop(Component.MARGIN_ABOVE, above, limits.min_margin_above, None),
        crop(Component.MARGIN_BELOW, below, limits.min_margin_below, None),
    )
