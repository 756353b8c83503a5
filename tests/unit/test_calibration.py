"""What a score means: interpolation between measured rows, and an honest end of the table."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.runtime.calibration import (
    CalibrationError,
    load_calibration,
    load_calibrations,
    parse_calibration,
)
from borderpost.runtime.errors import InvalidRequestError


def row(fmr, score, groups=("sex: female", "sex: male"), **changes):
    factors = {"sex: female": 3, "sex: male": 2}
    return {
        "fmr": fmr,
        "score": score,
        "false_matches": round(fmr * 1_000_000),
        "fmr_upper_95": min(1.0, 1.5 * fmr),
        "groups": {group: min(1.0, factors[group] * fmr) for group in groups},
    } | changes


FINGERPRINT = "f" * 64
ROWS = [row(1.0, 0.2), row(0.1, 0.5), row(0.01, 0.7), row(0.0001, 0.9, groups=["sex: male"])]


def encoded(**changes):
    content = {
        "model_id": "test-model",
        "card_sha256": FINGERPRINT,
        "metric": "cosine",
        "data": "made up",
        "method": "made up",
        "impostor_comparisons": 1_000_000,
        "groups": ["sex: female", "sex: male"],
        "safety_factor": 4.0,
        "safety_reason": "made up",
        "rows": ROWS,
        "checked_on": {},
    }
    return json.dumps(content | changes).encode()


UNGROUPED = [each | {"groups": {}} for each in ROWS]
CALIBRATION = parse_calibration(encoded())


def test_measured_rows_are_given_back_exactly():
    for each in ROWS:
        rate = CALIBRATION.fmr_at(each["score"])
        assert rate.rate == pytest.approx(each["fmr"])
        assert rate.upper_95 == pytest.approx(each["fmr_upper_95"])
    for each in ROWS[1:]:
        assert CALIBRATION.mean_threshold_at(each["fmr"]).score == pytest.approx(each["score"])


def test_between_rows_the_logarithm_of_the_rate_is_linear():
    assert CALIBRATION.fmr_at(0.6).rate == pytest.approx(10**-1.5)
    assert CALIBRATION.mean_threshold_at(10**-1.5).score == pytest.approx(0.6)


def test_above_the_last_row_the_rate_is_a_bound_and_not_made_up():
    estimate = CALIBRATION.fmr_at(0.99)
    assert (estimate.rate, estimate.is_upper_bound) == (0.0001, True)
    assert not CALIBRATION.fmr_at(0.9).is_upper_bound


def test_a_rate_beyond_the_data_has_no_supported_threshold():
    threshold = CALIBRATION.mean_threshold_at(0.00001)
    assert (threshold.score, threshold.supported) == (0.9, False)
    assert CALIBRATION.mean_threshold_at(0.0001).supported


def test_a_threshold_of_1_to_1_is_set_for_a_group_worse_than_the_mean():
    for asked in (0.1, 0.01, 0.0004):
        assert CALIBRATION.threshold_at(asked) == CALIBRATION.mean_threshold_at(asked / 4)
    assert not CALIBRATION.threshold_at(0.0003).supported


def test_the_worst_group_is_named_only_where_all_groups_were_measured():
    assert CALIBRATION.fmr_at(0.7).worst_group == pytest.approx(0.03)
    assert CALIBRATION.fmr_at(0.6).worst_group == pytest.approx(math.sqrt(0.3 * 0.03))
    assert CALIBRATION.fmr_at(0.9).worst_group == pytest.approx(
        0.03
    )  # a bound: from the last row with both groups
    assert parse_calibration(encoded(groups=[], rows=UNGROUPED)).fmr_at(0.7).worst_group is None


def test_below_the_first_row_every_impostor_matches():
    assert CALIBRATION.fmr_at(-1.0).rate == 1.0


@given(st.floats(min_value=0.0001, max_value=0.1))
def test_the_rate_at_a_rates_threshold_is_that_rate(rate):
    assert CALIBRATION.fmr_at(CALIBRATION.mean_threshold_at(rate).score).rate == pytest.approx(rate)


@given(st.floats(min_value=-1, max_value=1))
def test_the_bound_and_the_worst_group_are_never_below_the_mean(score):
    rate = CALIBRATION.fmr_at(score)
    assert rate.upper_95 >= rate.rate * (1 - 1e-9)
    assert rate.worst_group >= rate.rate * (1 - 1e-9)


@given(st.floats(min_value=-1, max_value=1), st.floats(min_value=-1, max_value=1))
def test_a_higher_score_never_has_a_higher_rate(a, b):
    low, high = sorted((a, b))
    assert CALIBRATION.fmr_at(high).rate <= CALIBRATION.fmr_at(low).rate
    assert CALIBRATION.fmr_at(high).worst_group <= CALIBRATION.fmr_at(low).worst_group


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
        {"rows": [*ROWS, row(0.001, 0.95)]},
        {"rows": [*ROWS, row(0.00005, 0.85)]},
        {"rows": [*ROWS, row(0.00005, 0.95, false_matches=29)]},
        {"rows": [*ROWS, row(0.00005, "high")]},
        {"rows": [*ROWS, row(0.00005, 0.95, fmr_upper_95=0.00004)]},
        {"rows": [*ROWS, row(0.00005, 0.95) | {"groups": {"age: old": 0.1}}]},
        {"rows": [*ROWS, row(0.00005, 0.95) | {"groups": {"sex: male": 0.0}}]},
        {"rows": [*ROWS, row(0.00005, 0.95) | {"groups": 3}]},
        {"safety_factor": 0.5},
        {"safety_factor": float("nan")},
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


def test_an_agencys_own_calibration_comes_before_the_one_that_ships(tmp_path):
    (tmp_path / "test-model.json").write_bytes(encoded())
    (tmp_path / f"{SHIPPED[0]}.json").write_bytes(encoded(model_id=SHIPPED[0]))
    assert load_calibration("test-model", tmp_path) == CALIBRATION
    assert load_calibration(SHIPPED[0], tmp_path).data == "made up"
    assert load_calibration(SHIPPED[0]).data != "made up"
    assert load_calibrations(tmp_path).keys() == {"test-model", *SHIPPED}


def test_a_file_named_after_another_model_is_refused(tmp_path):
    (tmp_path / "model-a.json").write_bytes(encoded())
    with pytest.raises(CalibrationError, match="another model"):
        load_calibration("model-a", tmp_path)


def test_a_calibration_of_other_numbers_is_refused_and_the_command_is_named():
    CALIBRATION.check_engine("test-model", FINGERPRINT, "onnx")
    with pytest.raises(CalibrationError) as refused:
        CALIBRATION.check_engine("test-model", "0" * 64, "onnx")
    assert "made for test-model (ffffffffffffffff), this engine is test-model (0000000000000000)" in str(
        refused.value
    )
    assert "--engine onnx --card CARD --out test-model.json" in str(refused.value)
    with pytest.raises(CalibrationError, match=r"--engine dlib --out other\.json"):
        CALIBRATION.check_engine("other", FINGERPRINT, "dlib")


def test_a_missing_calibration_is_told_with_its_files_name_setting_and_command(tmp_path):
    with pytest.raises(CalibrationError) as missing:
        load_calibration("agency-r100-v1", tmp_path)
    for wanted in ("agency-r100-v1.json", "`calibrations`", str(tmp_path), "--engine onnx --card"):
        assert wanted in missing.value.message


def test_another_content_is_another_calibration():
    assert parse_calibration(encoded(data="other")).id != CALIBRATION.id


SHIPPED = sorted(load_calibrations())


@pytest.mark.parametrize("model_id", SHIPPED)
def test_a_calibration_that_ships_is_sound_and_supports_one_in_ten_thousand(model_id):
    calibration = load_calibration(model_id)
    assert calibration.model_id == model_id
    assert calibration.threshold_at(1e-4).supported
    assert not calibration.threshold_at(1e-7).supported
    assert calibration.groups == ("sex: female", "sex: male")
    assert calibration.safety_factor > 1


@pytest.mark.parametrize("model_id", SHIPPED)
def test_a_calibration_that_ships_held_on_the_other_half_of_the_people(model_id):
    checked = load_calibration(model_id).checked_on
    at = {row["asked_fmr"]: row for row in checked["at"]}
    assert checked["people"] > 2_000
    for rate in (1e-2, 1e-3):
        assert at[rate]["fmr"] == pytest.approx(rate, rel=0.5)
