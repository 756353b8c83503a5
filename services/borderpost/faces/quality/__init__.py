"""Is a picture good enough? Pure functions from what was found to quality components and problems.

Names, native values and the mappings to 0..100 follow ISO/IEC 29794-5:2025; the mappings' constants are
those of its reference implementation (BSI OFIQ, `ofiq_config.jaxn` and `modules/measures`). Where this package
measures something simpler than the standard does, the function says so, and gives no 0..100 value unless
the mapping still holds. Each component is judged on its native value, against the limits of the profile.

`geometry`, `pose`, `light` and `detail` measure; `limits` says what is asked for; `unified` sums up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
from borderpost.faces.quality import detail, geometry
from borderpost.faces.quality.crop import face_crop
from borderpost.faces.quality.light import light
from borderpost.faces.quality.limits import LIMITS, PROBLEM_OF, Limits
from borderpost.faces.quality.pose import EYES_CLOSED_BELOW, EYES_OPEN_FROM, eyes_open, head_pose, yaw_of
from borderpost.faces.quality.scale import not_performed
from borderpost.faces.quality.unified import with_unified_score
from borderpost.runtime.pictures import Rgb

__all__ = [
    "EYES_CLOSED_BELOW",
    "EYES_OPEN_FROM",
    "LIMITS",
    "PROBLEM_OF",
    "Limits",
    "View",
    "assess",
    "best_of",
    "face_crop",
    "no_face",
    "with_unified_score",
    "yaw_of",
]


@dataclass(frozen=True, slots=True)
class View:
    """What was found in one picture: every face, the traveler's face, and what models say about it, if any do."""

    picture: Rgb
    boxes: tuple[FaceBox, ...]
    face: Face
    pose: HeadPose | None = None
    eyes: EyesOpen | None = None


def assess(view: View, profile: Profile) -> QualityReport:
    """Measure every component of a picture with a face, and judge it by the profile's limits.

    The unified score needs the embedding: `with_unified_score` adds it.
    """
    measures = _measures(view, LIMITS[profile])
    unified = not_performed(Component.UNIFIED_QUALITY_SCORE)  # until there is an embedding
    return QualityReport((*measures, unified), _problems(measures))


def _problems(measures: Sequence[QualityMeasure]) -> tuple[CaptureProblem, ...]:
    """What can be mended, each once. Too little or too much light takes the contrast too: only the light is told."""
    failed = dict.fromkeys(PROBLEM_OF[each.component] for each in measures if each.status is Status.FAILED)
    if CaptureProblem.TOO_DARK in failed or CaptureProblem.TOO_BRIGHT in failed:
        failed.pop(CaptureProblem.LOW_CONTRAST, None)
    return tuple(failed)


def _measures(view: View, limits: Limits) -> tuple[QualityMeasure, ...]:
    points, (height, width) = view.face.landmarks, view.picture.shape[:2]
    crop = face_crop(view.picture, points)
    return (
        geometry.single_face(view.boxes, limits),
        geometry.inter_eye_distance(points, limits),
        geometry.head_size(points, height, limits),
        *geometry.crops(points, width, height, limits),
        *head_pose(points, view.pose, limits),
        eyes_open(view.eyes),
        detail.sharpness(crop, limits),
        detail.compression(view.picture, view.face.box, limits),
        *light(crop, limits),
    )


def no_face() -> QualityReport:
    """The report of a picture without a face: one component failed, nothing else could be measured."""
    measures = (
        not_performed(component) for component in Component if component is not Component.SINGLE_FACE_PRESENT
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
