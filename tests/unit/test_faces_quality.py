"""Quality components and the problems that follow, on made-up faces; the traveler's face among several."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from borderpost.faces.domain import (
    CaptureProblem,
    Component,
    EyesOpen,
    Face,
    FaceBox,
    HeadPose,
    Landmarks,
    Profile,
    Status,
    travelers_face,
)
from borderpost.faces.quality import View, assess, best_of, face_crop, no_face, with_unified_score
from borderpost.faces.quality.pose import NOSE_DEPTH


def landmarks(middle=(300.0, 300.0), eyes=100.0, roll=0.0, nose_offset=0.0):
    """Five points around the middle of the eyes: `eyes` apart, the nose off centre by a share of that."""

    def at(across, down):
        angle = math.radians(roll)
        x, y = across * eyes, down * eyes
        return (
            middle[0] + x * math.cos(angle) - y * math.sin(angle),
            middle[1] + x * math.sin(angle) + y * math.cos(angle),
        )

    return Landmarks(at(-0.7, 0), at(-0.3, 0), at(0.3, 0), at(0.7, 0), at(nose_offset, 0.7))


def textured(low=60, high=200, grain=2):
    """A picture of 600 × 800 in spots of `grain` pixels."""
    spots = np.random.default_rng(7).integers(low, high, size=(800 // grain, 600 // grain, 3), dtype=np.uint8)
    return np.kron(spots, np.ones((grain, grain, 1), np.uint8))


def soft():
    """Spots of 50 pixels, their edges blurred."""
    return np.asarray(Image.fromarray(textured(30, 250, grain=50)).filter(ImageFilter.GaussianBlur(10)))


def faint():
    """Hardly any contrast, and as sharp."""
    return textured(120, 128)


def blocky():
    """The same as a JPEG leaves it that was squeezed too hard."""
    out = io.BytesIO()
    Image.fromarray(soft()).save(out, "JPEG", quality=2)
    fine = textured(0, 12).astype(np.int16)
    return (np.asarray(Image.open(out).convert("RGB")) + fine).clip(0, 255).astype(np.uint8)


def wide():
    """The same three times, side by side."""
    return np.tile(textured(), (1, 3, 1))


def flashed():
    """A third of the face in white light."""
    picture = textured()
    picture[:, 270:330] = 255
    return picture


def lit_from_the_side():
    """The left half in the dark."""
    picture = textured()
    picture[:, :300] //= 4
    return picture


GOOD = View(textured(), (FaceBox(200, 220, 200, 200),), Face(FaceBox(200, 220, 200, 200), landmarks()))


def with_points(**points):
    return replace(GOOD, face=Face(GOOD.face.box, landmarks(**points)))


def unified(report):
    return next(m for m in report.measures if m.component is Component.UNIFIED_QUALITY_SCORE)


def measure(view, component, profile=Profile.LIVE):
    return next(m for m in assess(view, profile).measures if m.component is component)


def test_a_good_picture_has_no_problem_in_any_profile():
    for profile in Profile:
        assert assess(GOOD, profile).problems == ()


def test_every_component_is_reported_once():
    assert [m.component for m in assess(GOOD, Profile.LIVE).measures] == list(Component)


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (with_points(eyes=20), CaptureProblem.FACE_TOO_SMALL),
        (replace(GOOD, boxes=(*GOOD.boxes, FaceBox(0, 0, 180, 180))), CaptureProblem.SEVERAL_FACES),
        (replace(with_points(eyes=320, middle=(900, 200)), picture=wide()), CaptureProblem.FACE_TOO_LARGE),
        (replace(GOOD, picture=faint()), CaptureProblem.LOW_CONTRAST),
        (replace(GOOD, picture=soft()), CaptureProblem.TOO_BLURRED),
        (replace(GOOD, picture=blocky()), CaptureProblem.TOO_COMPRESSED),
        (replace(GOOD, picture=textured(0, 98)), CaptureProblem.TOO_DARK),
        (replace(GOOD, picture=flashed()), CaptureProblem.TOO_BRIGHT),
        (replace(GOOD, pose=HeadPose(45.0, 0.0, 0.0)), CaptureProblem.HEAD_TURNED),
        (replace(GOOD, pose=HeadPose(0.0, 30.0, 0.0)), CaptureProblem.HEAD_RAISED_OR_LOWERED),
        (replace(GOOD, pose=HeadPose(0.0, -30.0, 0.0)), CaptureProblem.HEAD_RAISED_OR_LOWERED),
        (replace(GOOD, eyes=EyesOpen(0.05, 0.2)), CaptureProblem.EYES_CLOSED),
        (with_points(nose_offset=0.4), CaptureProblem.HEAD_TURNED),
        (with_points(nose_offset=-0.4), CaptureProblem.HEAD_TURNED),
        (with_points(roll=30), CaptureProblem.HEAD_TILTED),
        (with_points(middle=(90, 300)), CaptureProblem.FACE_CUT_OFF),
        (with_points(middle=(520, 300)), CaptureProblem.FACE_CUT_OFF),
        (with_points(middle=(300, 40)), CaptureProblem.FACE_CUT_OFF),
        (with_points(middle=(300, 700)), CaptureProblem.FACE_CUT_OFF),
    ],
)
def test_each_fault_gives_its_own_problem_and_no_other(view, problem):
    assert assess(view, Profile.LIVE).problems == (problem,)


def test_a_bystander_in_the_background_is_counted_as_such():
    view = replace(GOOD, boxes=(*GOOD.boxes, FaceBox(0, 0, 80, 80)))
    assert assess(view, Profile.LIVE).problems == ()
    assert measure(view, Component.SINGLE_FACE_PRESENT).native == pytest.approx(0.4)


def test_profiles_differ_in_what_they_ask_for():
    view = with_points(eyes=40)
    assert measure(view, Component.INTER_EYE_DISTANCE, Profile.LIVE).status is Status.PASSED
    assert measure(view, Component.INTER_EYE_DISTANCE, Profile.WATCHLIST_ENROLMENT).status is Status.FAILED


def test_mapped_values_are_those_of_the_standards_reference_implementation():
    assert measure(with_points(eyes=70), Component.INTER_EYE_DISTANCE).value == 50
    assert measure(with_points(roll=30), Component.HEAD_POSE_ROLL).value == 75
    assert measure(GOOD, Component.OVER_EXPOSURE_PREVENTION).value == 100
    assert measure(GOOD, Component.UNDER_EXPOSURE_PREVENTION).value == 100
    assert measure(replace(GOOD, boxes=GOOD.boxes * 2), Component.SINGLE_FACE_PRESENT).value == 0


def test_the_head_turned_both_ways_measures_the_same_with_the_sign_changed():
    left, right = (measure(with_points(nose_offset=n), Component.HEAD_POSE_YAW) for n in (-0.2, 0.2))
    assert left.native == pytest.approx(-right.native)


@given(st.floats(min_value=-15, max_value=15))
def test_turning_the_head_sideways_is_measured_alike_when_it_is_tilted(roll):
    yaw = measure(with_points(nose_offset=0.2, roll=roll), Component.HEAD_POSE_YAW).native
    assert yaw == pytest.approx(math.degrees(math.atan(0.2 / NOSE_DEPTH)))


def test_angles_are_positive_to_the_travelers_own_left_down_and_onto_the_own_right_shoulder():
    assert measure(with_points(nose_offset=0.2), Component.HEAD_POSE_YAW).native > 0
    assert measure(with_points(roll=-10), Component.HEAD_POSE_ROLL).native == pytest.approx(10)
    posed = replace(GOOD, pose=HeadPose(1.0, 2.0, 3.0))
    assert measure(posed, Component.HEAD_POSE_YAW).native == 1.0
    assert measure(posed, Component.HEAD_POSE_PITCH).native == 2.0


def test_what_no_model_measures_is_not_performed_and_no_problem():
    for component in (Component.HEAD_POSE_PITCH, Component.EYES_OPEN, Component.UNIFIED_QUALITY_SCORE):
        m = measure(GOOD, component)
        assert (m.native, m.value, m.status) == (None, None, Status.NOT_PERFORMED)


def test_eyes_that_cant_be_told_are_undetermined_and_no_problem():
    view = replace(GOOD, eyes=EyesOpen(0.3, 0.5))
    assert measure(view, Component.EYES_OPEN).status is Status.UNDETERMINED
    assert assess(view, Profile.LIVE).problems == ()
    assert measure(replace(GOOD, eyes=EyesOpen(0.9, 0.8)), Component.EYES_OPEN).status is Status.PASSED


def test_light_from_one_side_is_measured_and_asked_to_mend_only_for_what_is_kept():
    view = replace(GOOD, picture=lit_from_the_side())
    assert measure(view, Component.ILLUMINATION_UNIFORMITY).native < 0.05
    assert measure(GOOD, Component.ILLUMINATION_UNIFORMITY).native > 0.5
    assert assess(view, Profile.LIVE).problems == ()
    assert assess(view, Profile.WATCHLIST_ENROLMENT).problems == (CaptureProblem.UNEVEN_LIGHT,)


def test_compression_of_a_face_of_few_blocks_is_undetermined():
    view = replace(GOOD, face=Face(FaceBox(200, 220, 40, 40), GOOD.face.landmarks))
    assert measure(view, Component.COMPRESSION_ARTIFACTS).status is Status.UNDETERMINED


@pytest.mark.parametrize("side", [64, 100, 333, 1_000, 2_000])
def test_the_crop_shows_the_same_face_whatever_its_size(side):
    """A picture of one flat colour for each quarter around the middle of the eyes."""
    picture = np.zeros((side, side, 3), np.uint8)
    half = side // 2
    picture[:half, :half], picture[:half, half:], picture[half:, :half] = (
        (250, 0, 0),
        (0, 250, 0),
        (0, 0, 250),
    )
    crop = face_crop(picture, landmarks(middle=(half, half), eyes=side / 3))
    assert crop.shape == (96, 96, 3)
    eye_line = round(96 * 0.5 / 1.8)
    for (y, x), colour in {(5, 5): (250, 0, 0), (5, 90): (0, 250, 0), (eye_line + 8, 5): (0, 0, 250)}.items():
        assert crop[y, x] == pytest.approx(np.asarray(colour), abs=3)


def test_the_crop_is_upright_whichever_way_the_head_is_tilted():
    upright = face_crop(soft(), landmarks())
    turned = np.asarray(Image.fromarray(soft()).rotate(-20, Image.Resampling.BICUBIC, center=(300, 300)))
    again = face_crop(turned, landmarks(roll=20))
    assert np.abs(upright.astype(int) - again).mean() < 3


def test_a_models_unified_score_grows_with_the_length_and_other_models_have_none():
    report = assess(GOOD, Profile.LIVE)
    scores = [
        unified(with_unified_score(report, "mobilefacenet-v1", length)) for length in (2.0, 3.0, 3.55, 4.5)
    ]
    assert [m.native for m in scores] == [2.0, 3.0, 3.55, 4.5]
    assert [m.value for m in scores] == sorted(m.value for m in scores)
    assert scores[2].value == 50
    assert unified(with_unified_score(report, "another", 3.5)).status is Status.NOT_PERFORMED


def test_sharpness_does_not_depend_on_the_light():
    dim = replace(GOOD, picture=GOOD.picture // 3)
    assert measure(dim, Component.SHARPNESS).native == pytest.approx(
        measure(GOOD, Component.SHARPNESS).native, rel=0.02
    )


@settings(max_examples=50)
@given(
    st.integers(0, 5_000),
    st.integers(0, 5_000),
    st.floats(0, 1e5),
    st.lists(
        st.builds(FaceBox, st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 9_999), st.just(9))
    ),
)
def test_no_geometry_breaks_it_and_values_stay_from_0_to_100(x, y, eyes, boxes):
    view = replace(with_points(middle=(x, y), eyes=eyes), boxes=tuple(boxes))
    for m in assess(view, Profile.LIVE).measures:
        assert m.value is None or 0 <= m.value <= 100
        assert m.native is None or math.isfinite(m.native)


def test_eyes_in_one_point_leave_the_pose_undetermined():
    assert measure(with_points(eyes=0), Component.HEAD_POSE_YAW).status is Status.UNDETERMINED


def test_without_a_face_nothing_else_is_claimed_to_be_measured():
    report = no_face()
    assert report.problems == (CaptureProblem.NO_FACE,)
    assert {m.component for m in report.measures} == set(Component)
    for m in report.measures:
        if m.component is not Component.SINGLE_FACE_PRESENT:
            assert (m.native, m.value, m.status) == (None, None, Status.NOT_PERFORMED)


def test_the_best_frame_has_a_face_then_fewest_problems_then_most_detail():
    good, dark = assess(GOOD, Profile.LIVE), assess(replace(GOOD, picture=textured(0, 25)), Profile.LIVE)
    soft = assess(replace(GOOD, picture=textured(grain=10)), Profile.LIVE)
    assert best_of([no_face(), dark]) == 1
    assert best_of([dark, good]) == 1
    assert best_of([soft, good]) == 1
    assert best_of([good, good]) == 0
    assert best_of([no_face()]) == 0


def test_the_travelers_face_is_the_most_central_of_the_large_ones():
    centre_small = FaceBox(280, 280, 40, 40)
    left, right = FaceBox(0, 200, 200, 200), FaceBox(300, 200, 180, 180)
    assert travelers_face([left, centre_small, right], 600, 600) == right
    assert travelers_face([left, centre_small], 600, 600) == left
    assert travelers_face([], 600, 600) is None


def test_the_documentation_names_every_component_and_problem():
    text = (Path(__file__).parents[2] / "docs" / "faces.md").read_text(encoding="utf-8")
    for name in (*(c.value for c in Component), *(p.value for p in CaptureProblem)):
        assert name in text
