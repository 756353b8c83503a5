"""Is a picture good enough? Pure functions from what was found to quality components and problems.

Names, native values and the mappings to 0..100 follow ISO/IEC 29794-5:2025; the mappings' constants are
those of its reference implementation (BSI OFIQ, `ofiq_config.jaxn` and `modules/measures`). Where this depth
measures something simpler than the standard does, the function says so, and gives no 0..100 value unless
the mapping still holds. Each component is judged on its native value, against the limits of the profile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.domain import (
    CaptureProblem,
    Component,
    EyesOpen,
    Face,
    FaceBox,
    HeadPose,
    Profile,
    QualityMeasure,
    QualityReport,
    Status,
)
from borderpost.faces.quality.crop import face_crop, luminance
from borderpost.runtime.pictures import Rgb


@dataclass(frozen=True, slots=True)
class Limits:
    """What a profile asks for, in native units (see the constants below for the reasons)."""

    min_inter_eye_pixels: float
    min_sharpness: float
    max_under_exposed: float
    max_over_exposed: float
    max_nose_offset: float
    max_roll_degrees: float
    max_second_face: float
    min_crop_sideways: float
    min_margin_above: float
    min_margin_below: float


LIVE_MIN_INTER_EYE: Final = 30.0
"""Shrunk to 30 pixels, 95 % of faces keep a cosine of 0.997 to their own template (300 pictures of LFW).
Fewer means "come closer"; it is no target for choosing a camera."""

ENROLMENT_MIN_INTER_EYE: Final = 60.0
"""The token image of ISO/IEC 19794-5 has 60 (a quarter of 240): what is kept for years should have as many."""

PORTRAIT_MIN_INTER_EYE: Final = 20.0
"""A printed portrait can't be taken again: only what costs the embedder is reported. At 20 pixels the cosine to
the own template is still 0.994, at 15 it is 0.985 (as above)."""

MIN_SHARPNESS: Final = 0.006
PORTRAIT_MIN_SHARPNESS: Final = 0.004
"""See `_sharpness`. Blurred to about 0.005 the median face has a cosine of 0.987 to its own sharp template, to
0.003 one of 0.97; 99 % of the pictures as they are lie above 0.0075 (300 of LFW). Print is softer."""

MAX_UNDER_EXPOSED: Final = 0.5
MAX_OVER_EXPOSED: Final = 0.2
"""Half of the face black, or a fifth of it white: features are lost. Only pixels at the range's ends
count, so that dark skin in good light is not called dark: the highest shares in 797 pictures of LFW were 0.27 and
0.11. Not measured by group."""

MAX_NOSE_OFFSET: Final = 0.25
PORTRAIT_MAX_NOSE_OFFSET: Final = 0.35
"""See `_yaw`."""

MAX_ROLL_DEGREES: Final = 20.0
"""Alignment turns the face upright anyway, but the HOG detector misses 1.3 % of faces turned by 20 degrees, 2 %
at 25 and 3.3 % at 30 (300 pictures of LFW, both ways)."""

MAX_SECOND_FACE: Final = 0.6
"""Side of the second largest face by the largest one's: further away people are bystanders."""

MIN_CROP_SIDEWAYS: Final = 0.5
MIN_MARGIN_ABOVE: Final = 0.5
MIN_MARGIN_BELOW: Final = 1.4
"""In inter-eye distances from the eyes to the picture's edge. The standard's mappings turn at 0.9, 1.4 and
1.8, for a whole head; these are for a face: the cheek, the brow and the mouth must be in."""

LIVE: Final = Limits(
    min_inter_eye_pixels=LIVE_MIN_INTER_EYE,
    min_sharpness=MIN_SHARPNESS,
    max_under_exposed=MAX_UNDER_EXPOSED,
    max_over_exposed=MAX_OVER_EXPOSED,
    max_nose_offset=MAX_NOSE_OFFSET,
    max_roll_degrees=MAX_ROLL_DEGREES,
    max_second_face=MAX_SECOND_FACE,
    min_crop_sideways=MIN_CROP_SIDEWAYS,
    min_margin_above=MIN_MARGIN_ABOVE,
    min_margin_below=MIN_MARGIN_BELOW,
)

LIMITS: Final[Mapping[Profile, Limits]] = {
    Profile.LIVE: LIVE,
    Profile.DOCUMENT_PORTRAIT: replace(
        LIVE,
        min_inter_eye_pixels=PORTRAIT_MIN_INTER_EYE,
        min_sharpness=PORTRAIT_MIN_SHARPNESS,
        max_nose_offset=PORTRAIT_MAX_NOSE_OFFSET,
    ),
    Profile.WATCHLIST_ENROLMENT: replace(LIVE, min_inter_eye_pixels=ENROLMENT_MIN_INTER_EYE),
}


@dataclass(frozen=True, slots=True)
class View:
    """What was found in one picture: every face, the traveler's face, and what models say about it, if any do."""

    picture: Rgb
    boxes: tuple[FaceBox, ...]
    face: Face
    pose: HeadPose | None = None
    eyes: EyesOpen | None = None


PROBLEM_OF: Final[Mapping[Component, CaptureProblem]] = {
    Component.SINGLE_FACE_PRESENT: CaptureProblem.SEVERAL_FACES,
    Component.INTER_EYE_DISTANCE: CaptureProblem.FACE_TOO_SMALL,
    Component.SHARPNESS: CaptureProblem.TOO_BLURRED,
    Component.UNDER_EXPOSURE_PREVENTION: CaptureProblem.TOO_DARK,
    Component.OVER_EXPOSURE_PREVENTION: CaptureProblem.TOO_BRIGHT,
    Component.HEAD_POSE_YAW: CaptureProblem.HEAD_TURNED,
    Component.HEAD_POSE_ROLL: CaptureProblem.HEAD_TILTED,
    Component.LEFTWARD_CROP: CaptureProblem.FACE_CUT_OFF,
    Component.RIGHTWARD_CROP: CaptureProblem.FACE_CUT_OFF,
    Component.MARGIN_ABOVE: CaptureProblem.FACE_CUT_OFF,
    Component.MARGIN_BELOW: CaptureProblem.FACE_CUT_OFF,
}


def assess(view: View, profile: Profile) -> QualityReport:
    """Measure every component of a picture with a face, and judge it by the profile's limits."""
    limits = LIMITS[profile]
    skin = luminance(face_crop(view.picture, view.face.landmarks))
    measures = (
        _single_face(view.boxes, limits),
        _inter_eye_distance(view.face, limits),
        _sharpness(skin, limits),
        _under_exposure(skin, limits),
        _over_exposure(skin, limits),
        _yaw(view.face, limits),
        _roll(view.face, limits),
        *_crops(view, limits),
    )
    failed = [PROBLEM_OF[measure.component] for measure in measures if measure.status is Status.FAILED]
    return QualityReport(measures, tuple(dict.fromkeys(failed)))


def no_face() -> QualityReport:
    """The report of a picture without a face: one component failed, nothing else could be measured."""
    measures = tuple(
        QualityMeasure(component, None, "", None, Status.NOT_PERFORMED)
        for component in Component
        if component is not Component.SINGLE_FACE_PRESENT
    )
    # ISO/IEC 29794-5 SingleFacePresent: 1 where no face dominates, and so where there is none.
    single = QualityMeasure(Component.SINGLE_FACE_PRESENT, 1.0, "ratio", 0, Status.FAILED)
    return QualityReport((single, *measures), (CaptureProblem.NO_FACE,))


def best_of(reports: Sequence[QualityReport]) -> int:
    """The index of the best frame: a face at all, then fewest problems, then the sharpest; first if equal."""
    return max(range(len(reports)), key=lambda index: (*_rank(reports[index]), -index))


def _rank(report: QualityReport) -> tuple[bool, int, float]:
    sharpness = next((m.native for m in report.measures if m.component is Component.SHARPNESS), None)
    has_face = CaptureProblem.NO_FACE not in report.problems
    return has_face, -len(report.problems), -math.inf if sharpness is None else sharpness


def _single_face(boxes: Sequence[FaceBox], limits: Limits) -> QualityMeasure:
    """Second largest face's side by the largest one's; 0 where there is one face."""
    areas = sorted((box.area for box in boxes), reverse=True)
    ratio = math.sqrt(areas[1] / areas[0]) if len(areas) > 1 else 0.0
    return _measure(
        Component.SINGLE_FACE_PRESENT, ratio, "ratio", 100 * (1 - ratio), ratio <= limits.max_second_face
    )


def _inter_eye_distance(face: Face, limits: Limits) -> QualityMeasure:
    """Pixels between the eyes. The standard divides by the yaw's cosine, not known well enough here."""
    pixels = face.landmarks.inter_eye_distance
    value = 100 * _sigmoid(pixels, 70, 20)
    return _measure(
        Component.INTER_EYE_DISTANCE, pixels, "pixels", value, pixels >= limits.min_inter_eye_pixels
    )


def _sharpness(luminance: npt.NDArray[np.float32], limits: Limits) -> QualityMeasure:
    """Variance of the Laplacian by that of the luminance, at the resolution that the embedder gets to see.

    The division makes it independent of light and of the skin's contrast. Noise counts as detail. The
    standard's Sharpness needs a trained forest; this is not it, so there is no 0..100 value.
    """
    centre = luminance[1:-1, 1:-1]
    around = luminance[:-2, 1:-1] + luminance[2:, 1:-1] + luminance[1:-1, :-2] + luminance[1:-1, 2:]
    contrast = float(np.var(luminance))
    detail = float(np.var(around - 4 * centre)) / contrast if contrast else 0.0
    return _measure(Component.SHARPNESS, detail, "ratio", None, detail >= limits.min_sharpness)


UNDER_EXPOSED_UP_TO: Final = 25
OVER_EXPOSED_FROM: Final = 247
"""ISO/IEC 29794-5 as in OFIQ: luminance 0 to 25 counts as black, 247 to 255 as white."""


def _under_exposure(luminance: npt.NDArray[np.float32], limits: Limits) -> QualityMeasure:
    share = float(np.mean(luminance < UNDER_EXPOSED_UP_TO + 1))
    value = 120 * (0.832 - _sigmoid(share, 0.92, 0.05))
    return _measure(
        Component.UNDER_EXPOSURE_PREVENTION, share, "share", value, share <= limits.max_under_exposed
    )


def _over_exposure(luminance: npt.NDArray[np.float32], limits: Limits) -> QualityMeasure:
    share = float(np.mean(luminance >= OVER_EXPOSED_FROM))
    return _measure(
        Component.OVER_EXPOSURE_PREVENTION,
        share,
        "share",
        1 / (share + 0.01),
        share <= limits.max_over_exposed,
    )


def _yaw(face: Face, limits: Limits) -> QualityMeasure:
    """How far the nose base lies off the middle between the eyes, along the eye line, in inter-eye distances.

    It grows with the tangent of the yaw; the nose base lies about 0.4 inter-eye distances before the eyes, so
    0.25 is about 30 degrees. Five points give no angle worth stating, hence no degrees and no 0..100 value.
    """
    points = face.landmarks
    distance = points.inter_eye_distance
    if distance == 0.0:
        return QualityMeasure(Component.HEAD_POSE_YAW, None, "", None, Status.UNDETERMINED)
    (left_x, left_y), (right_x, right_y) = points.left_eye, points.right_eye
    across = ((right_x - left_x) / distance, (right_y - left_y) / distance)
    from_middle = (points.nose_base[0] - (left_x + right_x) / 2, points.nose_base[1] - (left_y + right_y) / 2)
    offset = (from_middle[0] * across[0] + from_middle[1] * across[1]) / distance
    return _measure(
        Component.HEAD_POSE_YAW, offset, "inter-eye distances", None, abs(offset) <= limits.max_nose_offset
    )


def _roll(face: Face, limits: Limits) -> QualityMeasure:
    """Angle of the eye line, in degrees; positive where the eye on the picture's right is lower."""
    (left_x, left_y), (right_x, right_y) = face.landmarks.left_eye, face.landmarks.right_eye
    degrees = math.degrees(math.atan2(right_y - left_y, right_x - left_x))
    value = 100 * max(0.0, math.cos(math.radians(degrees))) ** 2
    return _measure(
        Component.HEAD_POSE_ROLL, degrees, "degrees", value, abs(degrees) <= limits.max_roll_degrees
    )


def _crops(view: View, limits: Limits) -> tuple[QualityMeasure, ...]:
    """Distance of the eyes to each edge of the picture.

    Up and down the standard measures in eye-to-chin distances, and five points have no chin: there is no
    0..100 value for these two.
    """
    points = view.face.landmarks
    unit = max(points.inter_eye_distance, 1.0)
    eye_line = (points.left_eye[1] + points.right_eye[1]) / 2
    left, right = points.left_eye[0] / unit, (view.picture.shape[1] - points.right_eye[0]) / unit
    above, below = eye_line / unit, (view.picture.shape[0] - eye_line) / unit

    def crop(component: Component, native: float, wanted: float, value: float | None) -> QualityMeasure:
        return _measure(component, native, "inter-eye distances", value, native >= wanted)

    return (
        crop(Component.LEFTWARD_CROP, left, limits.min_crop_sideways, 100 * _sigmoid(left, 0.9, 0.1)),
        crop(Component.RIGHTWARD_CROP, right, limits.min_crop_sideways, 100 * _sigmoid(right, 0.9, 0.1)),
        crop(Component.MARGIN_ABOVE, above, limits.min_margin_above, None),
        crop(Component.MARGIN_BELOW, below, limits.min_margin_below, None),
    )


def _measure(
    component: Component, native: float, unit: str, value: float | None, passed: bool
) -> QualityMeasure:
    rounded = None if value is None else round(min(100.0, max(0.0, value)))
    return QualityMeasure(component, native, unit, rounded, Status.PASSED if passed else Status.FAILED)


def _sigmoid(x: float, turning_point: float, width: float) -> float:
    """The standard's mapping function; the exponent is bounded, because far out the answer is 0 anyway."""
    return 1 / (1 + math.exp(min(700.0, (turning_point - x) / width)))
