"""Between faces.proto and the domain, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from borderpost.faces.domain import (
    Comparison,
    Decision,
    ElementType,
    Extraction,
    FaceBox,
    FacePicture,
    Landmarks,
    Liveness,
    Look,
    Normalisation,
    Profile,
    QualityMeasure,
    QualityReport,
    Sample,
    Score,
    Status,
    Template,
)
from borderpost.faces.messages import advice
from borderpost.runtime.errors import TemplateInvalidError
from borderpost.v1 import faces_pb2, types_pb2

ELEMENT_BYTES: Final = 4
"""Of a float32, the only type of element."""

_PROFILES: Final[Mapping[int, Profile]] = {
    faces_pb2.CAPTURE_PROFILE_LIVE: Profile.LIVE,
    faces_pb2.CAPTURE_PROFILE_DOCUMENT: Profile.DOCUMENT_PORTRAIT,
    faces_pb2.CAPTURE_PROFILE_ENROLMENT: Profile.WATCHLIST_ENROLMENT,
}

_STATUSES: Final = {
    Status.PASSED: types_pb2.CHECK_STATUS_PASSED,
    Status.FAILED: types_pb2.CHECK_STATUS_FAILED,
    Status.UNDETERMINED: types_pb2.CHECK_STATUS_UNDETERMINED,
    Status.NOT_PERFORMED: types_pb2.CHECK_STATUS_NOT_PERFORMED,
}

_DECISIONS: Final = {
    Decision.MATCH: types_pb2.CHECK_STATUS_PASSED,
    Decision.NO_MATCH: types_pb2.CHECK_STATUS_FAILED,
    Decision.UNDETERMINED: types_pb2.CHECK_STATUS_UNDETERMINED,
}


def from_profile(profile: int) -> Profile:
    """The domain's profile of a checked request."""
    return _PROFILES[profile]


def from_picture(message: faces_pb2.FacePicture) -> FacePicture:
    """The domain's picture of a checked request."""
    return FacePicture(message.picture, from_profile(message.profile))


def from_probe(request: faces_pb2.CompareRequest) -> Sample:
    """The probe of a checked request. Raises TemplateInvalidError."""
    if request.HasField("probe_picture"):
        return from_picture(request.probe_picture)
    return from_template(request.probe, "probe")


def from_reference(request: faces_pb2.CompareRequest) -> Sample:
    """The reference of a checked request. Raises TemplateInvalidError."""
    if request.HasField("reference_picture"):
        return from_picture(request.reference_picture)
    return from_template(request.reference, "reference")


def from_template(message: types_pb2.Template, field: str) -> Template:
    """The domain's template. Raises TemplateInvalidError where the bytes can't be what the message says."""
    if message.element_type != types_pb2.ELEMENT_TYPE_FLOAT32:
        raise TemplateInvalidError(
            f"{field}.element_type: got {message.element_type}, want FLOAT32", field=field
        )
    if message.normalisation != types_pb2.NORMALISATION_L2:
        raise TemplateInvalidError(
            f"{field}.normalisation: got {message.normalisation}, want L2", field=field
        )
    if len(message.values) != ELEMENT_BYTES * message.dimension:
        raise TemplateInvalidError(
            f"{field}.values: got {len(message.values)} bytes, want {ELEMENT_BYTES} for each of "
            f"{message.dimension} numbers",
            field=field,
        )
    return Template(
        model_id=message.model_id,
        dimension=message.dimension,
        element_type=ElementType.FLOAT32,
        normalisation=Normalisation.L2,
        values=np.frombuffer(message.values, dtype="<f4").astype(np.float32),
    )


def to_template(template: Template) -> types_pb2.Template:
    """The message of a template."""
    return types_pb2.Template(
        model_id=template.model_id,
        dimension=template.dimension,
        element_type=types_pb2.ELEMENT_TYPE_FLOAT32,
        normalisation=types_pb2.NORMALISATION_L2,
        values=template.values.astype("<f4").tobytes(),
    )


def to_liveness(liveness: Liveness) -> faces_pb2.Liveness:
    """The message of a liveness result."""
    return faces_pb2.Liveness(
        status=_STATUSES[liveness.status],
        method=" ".join(part for part in (liveness.method, liveness.version) if part),
        measured=liveness.measured,
        reasons=liveness.reasons,
    )


def from_liveness(message: faces_pb2.Liveness) -> Liveness:
    """The domain's liveness result, of a message that this service made."""
    statuses = {value: status for status, value in _STATUSES.items()}
    return Liveness(
        status=statuses.get(message.status, Status.UNDETERMINED),
        method=message.method or None,
        version=None,
        measured=message.measured,
        reasons=tuple(message.reasons),
    )


def to_extraction(extraction: Extraction, language: str) -> faces_pb2.ExtractTemplateResponse:
    """The answer to ExtractTemplate, its advice in `language`."""
    times = asdict(extraction.milliseconds)
    return faces_pb2.ExtractTemplateResponse(
        template=to_template(extraction.template) if extraction.template is not None else None,
        best_frame=extraction.best_frame,
        box=to_box(extraction.box) if extraction.box is not None else None,
        faces_found=extraction.faces_found,
        quality=[_to_measure(measure) for measure in extraction.quality.measures],
        problems=to_problems(extraction.quality, language),
        liveness=to_liveness(extraction.liveness),
        stages=[types_pb2.StageTime(stage=stage, milliseconds=spent) for stage, spent in times.items()],
        other_boxes=[to_box(box) for box in extraction.other_boxes],
        fused_frames=extraction.fused_frames,
    )


def to_comparison(comparison: Comparison, language: str) -> faces_pb2.CompareResponse:
    """The answer to Compare, its advice in `language`."""
    return faces_pb2.CompareResponse(
        score=_to_score(comparison.score, comparison.calibration_id) if comparison.score else None,
        threshold=comparison.threshold,
        status=_DECISIONS[comparison.decision],
        probe_report=_to_report(comparison.probe, language) if comparison.probe else None,
        reference_report=_to_report(comparison.reference, language) if comparison.reference else None,
    )


def _to_score(score: Score, calibration_id: str) -> types_pb2.Score:
    return types_pb2.Score(
        value=score.value,
        fmr=score.fmr.rate,
        fmr_is_upper_bound=score.fmr.is_upper_bound,
        fmr_upper_95=score.fmr.upper_95,
        fmr_worst_group=score.fmr.worst_group,
        calibration_id=calibration_id,
    )


def _to_report(look: Look, language: str) -> faces_pb2.FaceReport:
    return faces_pb2.FaceReport(
        box=to_box(look.box) if look.box is not None else None,
        other_boxes=[to_box(box) for box in look.other_boxes],
        quality=[_to_measure(measure) for measure in look.quality.measures],
        problems=to_problems(look.quality, language),
    )


def to_problems(report: QualityReport, language: str) -> list[types_pb2.CaptureProblem]:
    """The problems of a picture, with advice in the traveler's language."""
    return [
        types_pb2.CaptureProblem(code=problem.value, advice=advice(problem, language))
        for problem in report.problems
    ]


def to_eyes(marks: Landmarks | None) -> faces_pb2.Eyes:
    """The message of a face's eyes; of no face, that none was found."""
    if marks is None:
        return faces_pb2.Eyes()
    (left_x, left_y), (right_x, right_y) = marks.left_eye, marks.right_eye
    return faces_pb2.Eyes(found=True, left_x=left_x, left_y=left_y, right_x=right_x, right_y=right_y)


def to_box(box: FaceBox) -> faces_pb2.FaceBox:
    """The message of a box."""
    return faces_pb2.FaceBox(left=box.left, top=box.top, width=box.width, height=box.height)


def _to_measure(measure: QualityMeasure) -> faces_pb2.QualityMeasure:
    return faces_pb2.QualityMeasure(
        component=measure.component.value,
        native=measure.native,
        value=measure.value,
        status=_STATUSES[measure.status],
    )
