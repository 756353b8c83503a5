"""The use cases of faces, with working fakes in the place of dlib and ONNX Runtime."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from borderpost.faces.app import MAX_FRAMES, Faces
from borderpost.faces.domain import (
    CaptureProblem,
    Decision,
    ElementType,
    FaceBox,
    FacePicture,
    Normalisation,
    Profile,
    Status,
    Template,
    make_template,
)
from borderpost.faces.errors import TemplateModelMismatchError
from borderpost.faces.ports import Engine
from borderpost.runtime.calibration import CalibrationError
from borderpost.runtime.errors import InvalidRequestError, PictureFormatError, TemplateInvalidError
from fakes.faces import CALIBRATION, CARD, ColourFinder, MeanEmbedder, calibration_of, fake_engine


@pytest.fixture
def faces():
    return Faces(fake_engine(), CALIBRATION)


def png(red, *, green=0, flat=False):
    picture = np.random.default_rng(red).integers(0, 75, size=(200, 200, 3), dtype=np.uint8)
    picture = np.full((200, 200, 3), 30, np.uint8) if flat else picture
    picture[..., 0] += np.uint8(red)
    picture[..., 1] += np.uint8(green)
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def template(*values, **changes):
    return replace(make_template("fake-1", np.asarray(values, np.float32)), **changes)


def test_a_face_gives_a_template_of_length_one_with_its_model(faces):
    extraction = faces.extract([png(150)], Profile.LIVE)
    assert extraction.template is not None
    assert np.linalg.norm(extraction.template.values) == pytest.approx(1, abs=1e-6)
    assert (extraction.template.model_id, extraction.template.dimension) == ("fake-1", 4)
    assert (extraction.best_frame, extraction.fused_frames, extraction.faces_found) == (0, (0,), 1)


def test_no_face_is_a_result_and_not_an_error(faces):
    extraction = faces.extract([png(0)], Profile.LIVE)
    assert (extraction.template, extraction.box, extraction.best_frame) == (None, None, None)
    assert extraction.quality.problems == (CaptureProblem.NO_FACE,)
    assert extraction.faces_found == 0


def test_the_best_of_several_frames_is_used(faces):
    alone = faces.extract([png(150)], Profile.LIVE)
    several = faces.extract([png(0), png(180, flat=True), png(150), png(0)], Profile.LIVE)
    assert several.best_frame == 2
    assert np.array_equal(several.template.values, alone.template.values)


def test_frames_of_one_person_become_one_template(faces):
    first, second = (faces.extract([png(red)], Profile.LIVE).template.values for red in (150, 170))
    both = faces.extract([png(150), png(0), png(170)], Profile.LIVE)
    assert both.fused_frames == (0, 2)
    mean = (first + second) / np.linalg.norm(first + second)
    assert both.template.values == pytest.approx(mean, abs=1e-6)
    assert both.quality.problems == ()


def test_a_frame_of_somebody_else_is_a_problem_and_stays_out_of_the_template(faces):
    extraction = faces.extract([png(150), png(120, green=190), png(170)], Profile.LIVE)
    assert CaptureProblem.DIFFERENT_FACES in extraction.quality.problems
    assert extraction.best_frame in extraction.fused_frames
    assert extraction.fused_frames in ((0, 2), (1,))


def test_where_every_frame_has_a_problem_the_best_one_stands_alone(faces):
    extraction = faces.extract([png(150, flat=True), png(170, flat=True)], Profile.LIVE)
    assert extraction.quality.problems == (CaptureProblem.TOO_BLURRED, CaptureProblem.LOW_CONTRAST)
    assert extraction.fused_frames == (extraction.best_frame,) == (0,)


def test_a_template_is_the_mean_of_its_views_embeddings_each_at_length_1():
    engine = Engine(ColourFinder(), ColourFinder(), LeftHalfEmbedder())
    faces = Faces(engine, calibration_of(engine.embedder.card))
    chip = np.random.default_rng(1).integers(0, 255, size=(150, 150, 3), dtype=np.uint8)
    views = np.stack([chip, chip[:, ::-1]])
    there, back = faces.templates([views, views[::-1]])
    plain, mirrored = engine.embedder.embed(views)
    mean = plain / np.linalg.norm(plain) + mirrored / np.linalg.norm(mirrored)
    assert there.values == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert there.values == pytest.approx(back.values, abs=1e-6)


class LeftHalfEmbedder(MeanEmbedder):
    """Sees the left half of a chip only, and says that it wants two views."""

    card = replace(CARD, id="mirrored-1", views=("as it is", "mirrored"))

    def embed(self, chips):
        return super().embed(chips[:, :, :75])


def test_faces_that_are_not_the_travelers_are_reported_by_their_boxes():
    faces = Faces(Engine(TwoFaces(), ColourFinder(), MeanEmbedder()), CALIBRATION)
    extraction = faces.extract([png(150)], Profile.LIVE)
    assert (extraction.box, extraction.other_boxes) == (
        FaceBox(50, 50, 100, 100),
        (FaceBox(150, 10, 40, 40),),
    )
    assert extraction.faces_found == 2
    assert extraction.quality.problems == ()


class TwoFaces:
    """Sees a large face in the middle, and a small one beside it: too small to be a problem."""

    def detect(self, picture):
        return (FaceBox(150, 10, 40, 40), FaceBox(50, 50, 100, 100))


def test_liveness_is_not_performed_and_says_so(faces):
    liveness = faces.extract([png(150)], Profile.LIVE).liveness
    assert (liveness.status, liveness.method, liveness.version) == (Status.NOT_PERFORMED, None, None)


def test_every_stage_is_timed(faces):
    times = faces.extract([png(150)], Profile.LIVE).milliseconds
    assert min(times.decode, times.detect, times.align, times.assess, times.embed) > 0


@pytest.mark.parametrize("count", [0, MAX_FRAMES + 1])
def test_a_wrong_number_of_frames_is_refused(faces, count):
    with pytest.raises(InvalidRequestError):
        faces.extract([png(150)] * count, Profile.LIVE)


def test_an_undecodable_frame_is_named_in_the_error(faces):
    with pytest.raises(PictureFormatError, match=r"frames\[1\]"):
        faces.extract([png(150), b"no picture"], Profile.LIVE)


@pytest.mark.parametrize(
    "changes", [{"model_id": "fake-2"}, {"card_sha256": "0" * 64}], ids=["model", "engine"]
)
def test_a_calibration_of_another_engine_is_refused_at_the_start(changes):
    with pytest.raises(CalibrationError, match="calibrate again"):
        Faces(fake_engine(), replace(CALIBRATION, **changes))


def test_the_decision_follows_the_asked_rate(faces):
    probe, reference = template(1, 0, 0, 0), template(0.6, 0.8, 0, 0)
    lenient, strict = faces.compare(probe, reference, 0.1), faces.compare(probe, reference, 0.01)
    assert lenient.score.value == pytest.approx(0.6)
    assert (lenient.decision, strict.decision) == (Decision.MATCH, Decision.NO_MATCH)
    assert lenient.score.fmr.rate == pytest.approx(10 ** (-1 - 1 / 3), rel=1e-5)
    assert (lenient.calibration_id, lenient.threshold) == ("c1", 0.5)


def test_a_rate_beyond_the_calibration_never_gives_a_match(faces):
    same, other = template(1, 0, 0, 0), template(0, 1, 0, 0)
    assert faces.compare(same, same, 1e-6).decision is Decision.UNDETERMINED
    assert faces.compare(same, same, 1e-6).score.fmr.is_upper_bound
    assert faces.compare(same, other, 1e-6).decision is Decision.NO_MATCH


def test_pictures_and_templates_can_be_compared_with_each_other(faces):
    pictures = [FacePicture(png(red), Profile.LIVE) for red in (150, 170)]
    templates = [faces.extract([picture.data], Profile.LIVE).template for picture in pictures]
    wanted = faces.compare(*templates, 0.1)
    assert (wanted.probe, wanted.reference) == (None, None)
    for probe, reference in (
        (pictures[0], pictures[1]),
        (pictures[0], templates[1]),
        (templates[0], pictures[1]),
    ):
        found = faces.compare(probe, reference, 0.1)
        assert (found.score, found.decision) == (wanted.score, Decision.MATCH)
        assert [look is not None for look in (found.probe, found.reference)] == [
            isinstance(sample, FacePicture) for sample in (probe, reference)
        ]


@pytest.mark.parametrize("without_face", ["probe", "reference"])
def test_a_picture_without_a_face_decides_nothing(faces, without_face):
    samples = {side: FacePicture(png(150), Profile.LIVE) for side in ("probe", "reference")}
    samples[without_face] = FacePicture(png(0), Profile.LIVE)
    comparison = faces.compare(**samples, fmr_target=0.1)
    assert (comparison.score, comparison.decision) == (None, Decision.UNDETERMINED)
    assert getattr(comparison, without_face).quality.problems == (CaptureProblem.NO_FACE,)
    assert comparison.threshold == 0.5


def test_an_undecodable_picture_is_named_by_its_side(faces):
    with pytest.raises(PictureFormatError, match="reference"):
        faces.compare(template(1, 0, 0, 0), FacePicture(b"no picture", Profile.LIVE), 0.1)


def test_a_rate_that_is_none_is_refused(faces):
    with pytest.raises(InvalidRequestError):
        faces.compare(template(1, 0, 0, 0), template(1, 0, 0, 0), 0.0)


def test_templates_of_different_models_are_never_compared(faces):
    ours, theirs = template(1, 0, 0, 0), template(1, 0, 0, 0, model_id="fake-2")
    for pair in ((ours, theirs), (theirs, ours), (theirs, theirs)):
        with pytest.raises(TemplateModelMismatchError):
            faces.compare(*pair, 0.01)


@pytest.mark.parametrize(
    "values",
    [[1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0], [np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [2, 0, 0, 0], []],
)
def test_an_unsound_template_is_a_typed_error(faces, values):
    vector = np.asarray(values, np.float32)
    unsound = Template("fake-1", len(values), ElementType.FLOAT32, Normalisation.L2, vector)
    with pytest.raises(TemplateInvalidError):
        faces.compare(template(1, 0, 0, 0), unsound, 0.01)


def test_a_template_that_lies_about_its_dimension_is_a_typed_error(faces):
    with pytest.raises(TemplateInvalidError):
        faces.compare(template(1, 0, 0, 0), template(1, 0, 0, 0, dimension=128), 0.01)


@pytest.mark.parametrize("embedding", [[0, 0, 0, 0], [np.nan, 1, 1, 1]])
def test_an_embedding_without_a_direction_makes_no_template(embedding):
    with pytest.raises(TemplateInvalidError):
        make_template("fake-1", np.asarray(embedding, np.float32))


vectors = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).filter(
    lambda v: sum(x * x for x in v) > 1e-6
)


@given(vectors, vectors)
def test_a_score_is_symmetric_and_a_cosine(a, b):
    faces = Faces(fake_engine(), CALIBRATION)
    there, back = (faces.compare(template(*x), template(*y), 0.01).score.value for x, y in ((a, b), (b, a)))
    assert there == back
    assert -1 <= there <= 1
