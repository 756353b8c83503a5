"""What a score means: interpolation between measured rows, and an honest end of the table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.runtime.calibration import CalibrationError, load_calibration, parse_calibration
from borderpost.runtime.errors import InvalidRequestError

ROWS = [
    {"fmr": 1.0, "score": 0.2, "false_matches": 1_000_000},
    {"fmr": 0.1, "score": 0.5, "false_matches": 100_000},
    {"fmr": 0.01, "score": 0.7, "false_matches": 10_000},
    {"fmr": 0.0001, "score": 0.9, "false_matches": 100},
]


def encoded(**changes):
    content = {
        "model_id": "test-model",
        "metric": "cosine",
        "data": "made up",
        "method": "made up",
        "impostor_comparisons": 1_000_000,
        "rows": ROWS,
        "checked_on": {},
    }
    return json.dumps(content | changes).encode()


CALIBRATION = parse_calibration(encoded())


def test_measured_rows_are_given_back_exactly():
    for row in ROWS:
        assert CALIBRATION.fmr_at(row["score"]).rate == pytest.approx(row["fmr"])
    for row in ROWS[1:]:
        assert CALIBRATION.threshold_at(row["fmr"]).score == pytest.approx(row["score"])


def test_between_rows_the_logarithm_of_the_rate_is_linear():
    assert CALIBRATION.fmr_at(0.6).rate == pytest.approx(10**-1.5)
    assert CALIBRATION.threshold_at(10**-1.5).score == pytest.approx(0.6)


def test_above_the_last_row_the_rate_is_a_bound_and_not_made_up():
    estimate = CALIBRATION.fmr_at(0.99)
    assert (estimate.rate, estimate.is_upper_bound) == (0.0001, True)
    assert not CALIBRATION.fmr_at(0.9).is_upper_bound


def test_a_rate_beyond_the_data_has_no_supported_threshold():
    threshold = CALIBRATION.threshold_at(0.00001)
    assert (threshold.score, threshold.supported) == (0.9, False)
    assert CALIBRATION.threshold_at(0.0001).supported


def test_below_the_first_row_every_impostor_matches():
    assert CALIBRATION.fmr_at(-1.0).rate == 1.0


@given(st.floats(min_value=0.0001, max_value=0.1))
def test_the_rate_at_a_rates_threshold_is_that_rate(rate):
    assert CALIBRATION.fmr_at(CALIBRATION.threshold_at(rate).score).rate == pytest.approx(rate)


@given(st.floats(min_value=-1, max_value=1), st.floats(min_value=-1, max_value=1))
def test_a_higher_score_never_has_a_higher_rate(a, b):
    low, high = sorted((a, b))
    assert CALIBRATION.fmr_at(high).rate <= CALIBRATION.fmr_at(low).rate


@pytest.mark.parametrize("rate", [0.0, -0.1, 0.11, 1.0, float("nan"), float("inf")])
def test_a_rate_that_nobody_should_ask_for_is_refused(rate):
    with pytest.raises(InvalidRequestError):
        CALIBRATION.threshold_at(rate)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(InvalidRequestError):
        CALIBRATION.fmr_at(float("nan"))


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "euclidean"},
        {"rows": ROWS[1:]},
        {"rows": []},
        {"rows": [*ROWS, {"fmr": 0.001, "score": 0.95, "false_matches": 1000}]},
        {"rows": [*ROWS, {"fmr": 0.00001, "score": 0.85, "false_matches": 30}]},
        {"rows": [*ROWS, {"fmr": 0.00001, "score": 0.95, "false_matches": 10}]},
        {"rows": [*ROWS, {"fmr": 0.00001, "score": "high", "false_matches": 30}]},
        {"rows": "none"},
    ],
)
def test_an_unsound_table_is_refused(changes):
    with pytest.raises(CalibrationError):
        parse_calibration(encoded(**changes))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff\xfe", b"not json"])
def test_what_is_no_calibration_is_refused(data):
    with pytest.raises(CalibrationError):
        parse_calibration(data)


@pytest.mark.parametrize("model_id", ["no-such-model", "", "../calibration", "dlib-resnet-v1.json"])
def test_a_model_without_a_calibration_is_a_typed_error(model_id):
    with pytest.raises(CalibrationError):
        load_calibration(model_id)


def test_another_content_is_another_calibration():
    assert parse_calibration(encoded(data="other")).id != CALIBRATION.id


def test_the_calibration_that_ships_is_sound_and_supports_one_in_ten_thousand():
    calibration = load_calibration("dlib-resnet-v1")
    assert calibration.model_id == "dlib-resnet-v1"
    assert calibration.threshold_at(1e-4).supported
    assert not calibration.threshold_at(1e-7).supported


def test_the_calibration_that_ships_held_on_the_other_half_of_the_people():
    checked = load_calibration("dlib-resnet-v1").checked_on
    at = {row["asked_fmr"]: row["fmr"] for row in checked["at"]}
    assert checked["people"] > 2_000
    assert at[1e-2] == pytest.approx(1e-2, rel=0.5)
    assert at[1e-3] == pytest.approx(1e-3, rel=0.5)
