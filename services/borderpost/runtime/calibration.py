"""What a score means: the calibration of a face model, one hashed file read by faces and watchlist alike.

A calibration is a table of false-match rates (FMR, ISO/IEC 19795-1) and the scores at which they were
measured. Between its rows the logarithm of the rate is linear in the score. Outside them nothing is made
up: a rate beyond the table is given as a bound, and a threshold beyond it is marked as not supported.

Rates are means over all impostor pairs. Beside them stand the upper end of their 95 % interval, and the rate
of the worst of the groups that were measured. 1:1 thresholds are set for a group worse than the mean by the
calibration's safety factor; the thresholds of lists, which aim at a mean over all travelers, are not.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import grpc

from borderpost.runtime.errors import BorderpostError, InvalidRequestError

METRIC: Final = "cosine"
"""The only metric at this depth: the cosine of two templates, -1 to 1, higher is more alike."""

MIN_FALSE_MATCHES: Final = 30
"""A rate is stated from this many observed errors on (the "rule of 30", ISO/IEC 19795-1, annex B)."""

MAKE_ONE: Final = "borderpost faces calibrate --folder DIR --out FILE"

FINGERPRINT_SHOWN: Final = 16
"""Of a fingerprint's 64 digits, in a sentence for people."""

MAX_FMR_TARGET: Final = 0.1
"""Nobody has reason to ask for a threshold that lets more than one impostor in ten pass."""


class CalibrationError(BorderpostError):
    """No sound calibration ships for a model, so no score of it has a meaning."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CALIBRATION_UNUSABLE"


@dataclass(frozen=True, slots=True)
class FalseMatchRate:
    """The FMR at a score. Where the data end below the score the true rate is at most `rate`.

    `upper_95` is the upper end of the rate's 95 % interval. `worst_group` is the rate in the worst of the
    groups that were measured, or a bound of it where their data end below the score; None if none was.
    """

    rate: float
    is_upper_bound: bool
    upper_95: float
    worst_group: float | None


@dataclass(frozen=True, slots=True)
class Threshold:
    """The score at which two templates match at the asked FMR.

    Where `supported` is false the data can't show so small a rate, and `score` belongs to the smallest one
    that it can: a score below it is no match, a score above it decides nothing.
    """

    score: float
    supported: bool


@dataclass(frozen=True, slots=True)
class Row:
    """At `score`, `false_matches` of the calibration's impostor comparisons matched: the rate `fmr`.

    `groups` has the rate of each group, among its own people, that has MIN_FALSE_MATCHES there.
    """

    fmr: float
    score: float
    false_matches: int
    upper_95: float
    groups: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A model's table, and where it comes from. `rows` go from the rate 1 to the smallest one supported.

    `groups` are those that were measured. `safety_factor` divides the rate that a 1:1 threshold is asked for;
    `safety_reason` says where it is from. `card_sha256` is the fingerprint of the engine that it was made with.
    """

    id: str
    model_id: str
    card_sha256: str
    metric: str
    data: str
    method: str
    impostor_comparisons: int
    groups: tuple[str, ...]
    safety_factor: float
    safety_reason: str
    rows: tuple[Row, ...]
    checked_on: Mapping[str, Any]

    def check_engine(self, model_id: str, fingerprint: str, engine: str) -> None:
        """Raise CalibrationError unless it was made with this engine."""
        if (self.model_id, self.card_sha256) != (model_id, fingerprint):
            raise CalibrationError(
                f"this calibration was made for {_named(self.model_id, self.card_sha256)}, this engine is "
                f"{_named(model_id, fingerprint)}: calibrate again with `{calibrating(model_id, engine)}`",
                model_id=model_id,
            )

    def fmr_at(self, score: float) -> FalseMatchRate:
        """The rate at which impostors reach `score`. Raises InvalidRequestError if it is no number."""
        if not math.isfinite(score):
            raise InvalidRequestError(
                "score: got no finite number, want a cosine from -1 to 1", field="score"
            )
        return FalseMatchRate(
            rate=_rate_at(score, [(row.score, row.fmr) for row in self.rows]),
            is_upper_bound=score > self.rows[-1].score,
            upper_95=_rate_at(score, [(row.score, row.upper_95) for row in self.rows]),
            worst_group=self._worst_group_at(score),
        )

    def threshold_at(self, fmr: float) -> Threshold:
        """The score of a 1:1 comparison at the rate `fmr`, above 0 and at most MAX_FMR_TARGET.

        Set where the mean rate is `fmr` divided by the safety factor, so that a group worse than the mean by
        that factor keeps the asked rate. Raises InvalidRequestError for another rate.
        """
        return self._threshold_at(fmr, fmr / self.safety_factor)

    def mean_threshold_at(self, fmr: float) -> Threshold:
        """The score that impostors reach at the mean rate `fmr`, above 0 and at most MAX_FMR_TARGET: for lists.

        A list's target is a rate of false alarms over all travelers, and an alarm is seen by an officer; a
        stricter threshold would miss those who are listed. Raises InvalidRequestError for another rate.
        """
        return self._threshold_at(fmr, fmr)

    def _threshold_at(self, asked: float, fmr: float) -> Threshold:
        if not 0.0 < asked <= MAX_FMR_TARGET:
            raise InvalidRequestError(
                f"fmr: got {asked:g}, want a rate above 0 and at most {MAX_FMR_TARGET:g}", field="fmr"
            )
        smallest = self.rows[-1]
        if fmr < smallest.fmr:
            return Threshold(smallest.score, supported=False)
        above = bisect.bisect_left([-row.fmr for row in self.rows], -fmr)
        low, high = self.rows[above - 1], self.rows[above]
        share = math.log(fmr / low.fmr) / math.log(high.fmr / low.fmr)
        return Threshold(low.score + share * (high.score - low.score), supported=True)

    def _worst_group_at(self, score: float) -> float | None:
        """From the rows in which every group was measured; with one missing, another could pass for the worst."""
        if not self.groups:
            return None
        complete = [row for row in self.rows if len(row.groups) == len(self.groups)]
        return _rate_at(score, [(row.score, max(row.groups.values())) for row in complete])


def _rate_at(score: float, points: Sequence[tuple[float, float]]) -> float:
    """Between points of rising score and falling rate, linear in the rate's logarithm; the end's beyond."""
    above = bisect.bisect_left([point for point, _ in points], score)
    if above == 0:
        return points[0][1]
    if above == len(points):
        return points[-1][1]
    (low, low_rate), (high, high_rate) = points[above - 1], points[above]
    return float(low_rate * (high_rate / low_rate) ** ((score - low) / (high - low)))


def target_fmr(fpir: float, comparisons: float) -> float:
    """The false-match rate per comparison at which a traveler alarms falsely with probability `fpir`.

    1 − (1 − FPIR)^(1/n), for n independent comparisons (ISO/IEC 19795-1: FPIR = 1 − (1 − FMR)^n).
    """
    return -math.expm1(math.log1p(-fpir) / comparisons)


def calibrating(model_id: str, engine: str) -> str:
    """The command that makes the calibration of an engine's model."""
    card = " --card CARD" if engine == "onnx" else ""
    return f"borderpost faces calibrate --folder DIR --engine {engine}{card} --out {model_id}.json"


def _named(model_id: str, fingerprint: str) -> str:
    return f"{model_id} ({fingerprint[:FINGERPRINT_SHOWN]})"


def load_calibration(model_id: str, folder: Path | None = None) -> Calibration:
    """The calibration of a model: MODEL_ID.json of `folder`, an agency's own, or else the one that ships.

    Raises CalibrationError where there is none, or a bad one.
    """
    for place in _places(folder):
        file = place / f"{model_id}.json"
        if model_id.replace("-", "").isalnum() and file.is_file():
            return _of_model(parse_calibration(file.read_bytes()), model_id)
    setting = f"is {folder}" if folder else "is not set"
    raise CalibrationError(
        f"no calibration of {model_id} is there: want {model_id}.json in the folder that the setting `calibrations` "
        f"names (it {setting}); make the file with `{calibrating(model_id, 'onnx')}`",
        model_id=model_id,
    )


def load_calibrations(folder: Path | None = None) -> dict[str, Calibration]:
    """All that ship and all of `folder`, by model id; the folder's own come first. Raises CalibrationError."""
    names = {
        file.name for place in _places(folder) for file in place.iterdir() if file.name.endswith(".json")
    }
    models = sorted(name.removesuffix(".json") for name in names)
    return {model_id: load_calibration(model_id, folder) for model_id in models}


def _places(folder: Path | None) -> tuple[Traversable, ...]:
    shipped = resources.files("borderpost.runtime") / "calibrations"
    return (shipped,) if folder is None else (folder, shipped)


def _of_model(calibration: Calibration, model_id: str) -> Calibration:
    if calibration.model_id != model_id:
        raise CalibrationError(
            f"{model_id}.json: got the calibration of another model, want that of the one it is named after",
            model_id=model_id,
        )
    return calibration


def parse_calibration(data: bytes) -> Calibration:
    """A calibration from the bytes of its file; its id is their SHA-256. Raises CalibrationError."""
    try:
        content = json.loads(data)
        calibration = Calibration(
            id=hashlib.sha256(data).hexdigest(),
            model_id=str(content["model_id"]),
            card_sha256=str(content["card_sha256"]),
            metric=str(content["metric"]),
            data=str(content["data"]),
            method=str(content["method"]),
            impostor_comparisons=int(content["impostor_comparisons"]),
            groups=tuple(str(group) for group in content["groups"]),
            safety_factor=float(content["safety_factor"]),
            safety_reason=str(content["safety_reason"]),
            rows=tuple(_parse_row(row) for row in content["rows"]),
            checked_on=dict(content["checked_on"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CalibrationError(
            f"the calibration is not in its format: make it anew with `{MAKE_ONE}`",
            cause=type(error).__name__,
        ) from None
    _check(calibration)
    return calibration


def _parse_row(row: Any) -> Row:
    return Row(
        fmr=float(row["fmr"]),
        score=float(row["score"]),
        false_matches=int(row["false_matches"]),
        upper_95=float(row["fmr_upper_95"]),
        groups={str(group): float(rate) for group, rate in row["groups"].items()},
    )


def _check(calibration: Calibration) -> None:
    rows = calibration.rows
    complete = len(rows) >= 2 and rows[0].fmr == 1.0
    falling = all(a.fmr > b.fmr > 0 and a.score < b.score for a, b in itertools.pairwise(rows))
    finite = all(math.isfinite(row.score) and math.isfinite(row.fmr) for row in rows)
    enough = all(row.false_matches >= MIN_FALSE_MATCHES for row in rows)
    bounded = all(row.fmr <= row.upper_95 <= 1 for row in rows)
    grouped = all(
        row.groups.keys() <= set(calibration.groups) and all(0 < rate <= 1 for rate in row.groups.values())
        for row in rows
    )
    begun = rows != () and set(rows[0].groups) == set(calibration.groups)
    factor = math.isfinite(calibration.safety_factor) and calibration.safety_factor >= 1
    if calibration.metric != METRIC or not (
        complete and falling and finite and enough and bounded and grouped and begun and factor
    ):
        raise CalibrationError(
            f"the calibration is not sound: want the metric {METRIC}, rates that fall from 1 at "
            f"rising scores and not above their bounds, {MIN_FALSE_MATCHES} false matches in each, and a "
            "safety factor of at least 1",
            model_id=calibration.model_id,
        )
