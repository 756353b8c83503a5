"""FacesService without a network: every field arrives, and every bad request is a typed error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.faces import wire
from borderpost.faces.domain import (
    LIVENESS_NOT_PERFORMED,
    CaptureProblem,
    Comparison,
    Decision,
    Extraction,
    FaceBox,
    FacePicture,
    Look,
    Profile,
    QualityReport,
    Score,
    StageTimes,
    make_template,
)
from borderpost.faces.messages import advice
from borderpost.faces.quality import no_face
from borderpost.faces.servicer import FacesServicer
from borderpost.runtime.calibration import FalseMatchRate
from borderpost.runtime.errors import BorderpostError, InvalidRequestError, TemplateInvalidError
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import faces_pb2 as pb
from borderpost.v1 import types_pb2 as types

TEMPLATE = make_template("fake-1", np.asarray([3, 4, 0, 0], np.float32))
TIMES = StageTimes(decode=1, detect=2, align=3, assess=4, embed=5)


class CannedFaces:
    """Answers with what it was given, and remembers what it was asked."""

    def __init__(self):
        self.asked = ()
        self.extraction = Extraction(
            Profile.LIVE,
            "fake-1",
            1,
            (0, 1),
            TEMPLATE,
            FaceBox(-3, 4, 50, 60),
            (FaceBox(90, 4, 20, 20),),
            QualityReport(no_face().measures, (CaptureProblem.SEVERAL_FACES,)),
            LIVENESS_NOT_PERFORMED,
            TIMES,
        )
        self.comparison = Comparison(
            "fake-1",
            Score(0.9, FalseMatchRate(1e-5, True, 2e-5, 3e-5)),
            fmr_target=0.001,
            threshold=0.8,
            decision=Decision.MATCH,
            calibration_id="c1",
            probe=None,
            reference=None,
        )

    def extract(self, pictures, profile):
        self.asked = (pictures, profile)
        return self.extraction

    def compare(self, probe, reference, fmr_target):
        self.asked = (probe, reference, fmr_target)
        return self.comparison


@pytest.fixture
def faces():
    return CannedFaces()


@pytest.fixture
def servicer(faces):
    pool = WorkPool(threads=1, queue=1)
    yield FacesServicer(faces, pool, None, None)
    pool.close()


def request(**changes):
    message = wire.to_template(TEMPLATE)
    return pb.CompareRequest(**{"probe": message, "reference": message, "target_fmr": 0.001} | changes)


def changed(**changes):
    message = wire.to_template(TEMPLATE)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


async def test_an_extraction_arrives_whole(servicer, faces):
    answer = await servicer.ExtractTemplate(
        pb.ExtractTemplateRequest(frames=[b"a", b"b"], profile=pb.CAPTURE_PROFILE_ENROLMENT), None
    )
    assert faces.asked == ([b"a", b"b"], Profile.WATCHLIST_ENROLMENT)
    assert (answer.best_frame, answer.faces_found, answer.box.left, answer.box.height) == (1, 2, -3, 60)
    assert (list(answer.fused_frames), [box.left for box in answer.other_boxes]) == ([0, 1], [90])
    assert np.frombuffer(answer.template.values, "<f4") == pytest.approx([0.6, 0.8, 0, 0])
    assert [problem.code for problem in answer.problems] == ["SEVERAL_FACES"]
    assert answer.problems[0].advice
    assert answer.liveness.status == types.CHECK_STATUS_NOT_PERFORMED
    assert [stage.stage for stage in answer.stages] == ["decode", "detect", "align", "assess", "embed"]


@pytest.mark.parametrize("language", ["de-AT", "tlh"])
async def test_advice_comes_in_the_language_that_was_asked_for(servicer, language):
    answer = await servicer.ExtractTemplate(
        pb.ExtractTemplateRequest(frames=[b"a"], profile=pb.CAPTURE_PROFILE_LIVE, language=language), None
    )
    assert answer.problems[0].advice == advice(CaptureProblem.SEVERAL_FACES, language)


async def test_what_was_not_measured_is_not_set(servicer):
    answer = await servicer.ExtractTemplate(
        pb.ExtractTemplateRequest(frames=[b"a"], profile=pb.CAPTURE_PROFILE_LIVE), None
    )
    sharpness = next(measure for measure in answer.quality if measure.component == "Sharpness")
    assert not sharpness.HasField("native")
    assert not sharpness.HasField("value")
    assert sharpness.status == types.CHECK_STATUS_NOT_PERFORMED


async def test_without_a_face_there_is_no_template_box_or_best_frame(servicer, faces):
    faces.extraction = Extraction(
        Profile.LIVE, "fake-1", None, (), None, None, (), no_face(), LIVENESS_NOT_PERFORMED, TIMES
    )
    answer = await servicer.ExtractTemplate(
        pb.ExtractTemplateRequest(frames=[b"a"], profile=pb.CAPTURE_PROFILE_LIVE), None
    )
    assert not any(answer.HasField(field) for field in ("template", "box", "best_frame"))
    assert (answer.faces_found, list(answer.fused_frames), list(answer.other_boxes)) == (0, [], [])


async def test_a_comparison_arrives_whole(servicer, faces):
    answer = await servicer.Compare(request(), None)
    assert faces.asked[2] == 0.001
    assert np.array_equal(faces.asked[0].values, TEMPLATE.values)
    assert (answer.score.value, answer.score.fmr, answer.score.fmr_is_upper_bound) == (0.9, 1e-5, True)
    assert (answer.score.fmr_upper_95, answer.score.fmr_worst_group) == (2e-5, 3e-5)
    assert (answer.score.calibration_id, answer.threshold, answer.status) == (
        "c1",
        0.8,
        types.CHECK_STATUS_PASSED,
    )


async def test_pictures_are_compared_and_reported_on_each_side(servicer, faces):
    nothing = Look((), None, None, None, None, no_face())
    faces.comparison = replace(
        faces.comparison, score=None, decision=Decision.UNDETERMINED, probe=nothing, reference=nothing
    )
    answer = await servicer.Compare(
        pb.CompareRequest(
            probe_picture=picture(b"live", pb.CAPTURE_PROFILE_LIVE),
            reference_picture=picture(b"page", pb.CAPTURE_PROFILE_DOCUMENT),
            target_fmr=0.001,
        ),
        None,
    )
    assert faces.asked[:2] == (
        FacePicture(b"live", Profile.LIVE),
        FacePicture(b"page", Profile.DOCUMENT_PORTRAIT),
    )
    assert (answer.HasField("score"), answer.status) == (False, types.CHECK_STATUS_UNDETERMINED)
    for report in (answer.probe_report, answer.reference_report):
        assert [problem.code for problem in report.problems] == ["NO_FACE"]
        assert (len(report.quality) > 0, report.HasField("box")) == (True, False)


async def test_a_template_is_compared_with_a_picture(servicer, faces):
    seen = Look((FaceBox(1, 2, 3, 4),), None, None, None, None, no_face())
    faces.comparison = replace(faces.comparison, reference=seen)
    answer = await servicer.Compare(
        pb.CompareRequest(
            probe=wire.to_template(TEMPLATE),
            reference_picture=picture(b"page", pb.CAPTURE_PROFILE_DOCUMENT),
            target_fmr=0.001,
        ),
        None,
    )
    assert (answer.HasField("probe_report"), answer.HasField("reference_report")) == (False, True)
    assert [box.left for box in answer.reference_report.other_boxes] == [1]


def picture(data, profile):
    return pb.FacePicture(picture=data, profile=profile)


@pytest.mark.parametrize(
    "bad",
    [
        pb.ExtractTemplateRequest(profile=pb.CAPTURE_PROFILE_LIVE),
        pb.ExtractTemplateRequest(frames=[b"a"] * 9, profile=pb.CAPTURE_PROFILE_LIVE),
        pb.ExtractTemplateRequest(frames=[b"a"]),
        pb.ExtractTemplateRequest(frames=[b"a"], profile=99),
    ],
)
async def test_a_bad_extraction_request_never_reaches_the_use_case(servicer, faces, bad):
    with pytest.raises(InvalidRequestError):
        await servicer.ExtractTemplate(bad, None)
    assert faces.asked == ()


@pytest.mark.parametrize(
    "bad",
    [
        pb.CompareRequest(probe=wire.to_template(TEMPLATE), target_fmr=0.001),
        pb.CompareRequest(reference=wire.to_template(TEMPLATE), target_fmr=0.001),
        pb.CompareRequest(
            probe_picture=picture(b"a", 0), reference=wire.to_template(TEMPLATE), target_fmr=0.001
        ),
        pb.CompareRequest(
            probe=wire.to_template(TEMPLATE), reference_picture=picture(b"a", 99), target_fmr=0.001
        ),
        request(target_fmr=0.0),
        request(target_fmr=0.2),
        request(target_fmr=float("nan")),
        request(probe=changed(element_type=0)),
        request(probe=changed(normalisation=0)),
        request(reference=changed(dimension=3)),
        request(reference=changed(values=b"abc")),
    ],
)
async def test_a_bad_comparison_request_never_reaches_the_use_case(servicer, faces, bad):
    with pytest.raises(BorderpostError) as caught:
        await servicer.Compare(bad, None)
    assert caught.value.reason in ("INVALID_REQUEST", "TEMPLATE_INVALID")
    assert faces.asked == ()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_templates_values_survive_the_wire_bit_by_bit(values):
    message = types.Template(
        model_id="m",
        dimension=len(values),
        element_type=types.ELEMENT_TYPE_FLOAT32,
        normalisation=types.NORMALISATION_L2,
        values=np.asarray(values, "<f4").tobytes(),
    )
    assert wire.from_template(message, "probe").values.tobytes() == message.values


@given(st.binary(max_size=40), st.integers(0, 12))
def test_bytes_of_another_length_than_stated_are_a_typed_error(values, dimension):
    message = changed(values=values, dimension=dimension)
    if len(values) != 4 * dimension:
        with pytest.raises(TemplateInvalidError):
            wire.from_template(message, "probe")
