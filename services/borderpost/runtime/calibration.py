"""What a score means: the calibration of a face model, one hashed file read by faces and watchlist alike.

A calibration is a table of false-match rates (FMR, ISO/IEC 19795-1) and the scores at which they were
measured. Between its rows the logarithm of the rate is linear in the score. Outside them nothing is made
up: a rate beyond the table is given as a bound, and a threshold beyond it is marked as not supported.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import grpc

from borderpost.runtime.errors import BorderpostError, InvalidRequestError

METRIC: Final = "cosine"
"""The only metric at this depth: the cosine of two templates, -1 to 1, higher is more alike."""

MIN_FALSE_MATCHES: Final = 30
"""A rate is stated from this many observed errors on (the "rule of 30", ISO/IEC 19795-1, annex B)."""

MAX_FMR_TARGET: Final = 0.1
"""Nobody has reason to ask for a threshold that lets more than one impostor in ten pass."""


class CalibrationError(BorderpostError):
    """No sound calibration ships for a model, so no score of it has a meaning."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CALIBRATION_UNUSABLE"


@dataclass(frozen=True, slots=True)
class FalseMatchRate:
    """The FMR at a score. Where the data end below the score the true rate is at most `rate`."""

    rate: float
    is_upper_bound: bool


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
    """At `score`, `false_matches` of the calibration's impostor comparisons matched: the rate `fmr`."""

    fmr: float
    score: float
    false_matches: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """A model's table, and where it comes from. `rows` go from the rate 1 to the smallest one supported."""

    id: str
    model_id: str
    metric: str
    data: str
    method: str
    impostor_comparisons: int
    rows: tuple[Row, ...]
    checked_on: Mapping[str, Any]

    def fmr_at(self, score: float) -> FalseMatchRate:
        """The rate at which impostors reach `score`. Raises InvalidRequestError if it is no number."""
        if not math.isfinite(score):
            raise InvalidRequestError(
                "score: got no finite number, want a cosine from -1 to 1", field="score"
            )
        scores = [row.score for row in self.rows]
        if score <= scores[0]:
            return FalseMatchRate(self.rows[0].fmr, is_upper_bound=False)
        if score > scores[-1]:
            return FalseMatchRate(self.rows[-1].fmr, is_upper_bound=True)
        above = bisect.bisect_left(scores, score)
        low, high = self.rows[above - 1], self.rows[above]
        share = (score - low.score) / (high.score - low.score)
        return FalseMatchRate(low.fmr * (high.fmr / low.fmr) ** share, is_upper_bound=False)

    def threshold_at(self, fmr: float) -> Threshold:
        """The score that impostors reach at the rate `fmr`, above 0 and at most MAX_FMR_TARGET.

        Raises InvalidRequestError for another rate.
        """
        if not 0.0 < fmr <= MAX_FMR_TARGET:
            raise InvalidRequestError(
                f"fmr: got {fmr:g}, want a rate above 0 and at most {MAX_FMR_TARGET:g}", field="fmr"
            )
        smallest = self.rows[-1]
        if fmr < smallest.fmr:
            return Threshold(smallest.score, supported=False)
        above = bisect.bisect_left([-row.fmr for row in self.rows], -fmr)
        low, high = self.rows[above - 1], self.rows[above]
        share = math.log(fmr / low.fmr) / math.log(high.fmr / low.fmr)
        return Threshold(low.score + share * (high.score - low.score), supported=True)


def load_calibration(model_id: str) -> Calibration:
    """The calibration that ships for a model. Raises CalibrationError where there is none, or a bad one."""
    file = resources.files("borderpost.runtime") / "calibrations" / f"{model_id}.json"
    if not model_id.replace("-", "").isalnum() or not file.is_file():
        raise CalibrationError(
            "no calibration ships for this model: make one with `python -m borderpost.faces.calibrate`",
            model_id=model_id,
        )
    return parse_calibration(file.read_bytes())


def parse_calibration(data: bytes) -> Calibration:
    """A calibration from the bytes of its file; its id is their SHA-256. Raises CalibrationError."""
    try:
        content = json.loads(data)
        calibration = Calibration(
            id=hashlib.sha256(data).hexdigest(),
            model_id=str(content["model_id"]),
            metric=str(content["metric"]),
            data=str(content["data"]),
            method=str(content["method"]),
            impostor_comparisons=int(content["impostor_comparisons"]),
            rows=tuple(
                Row(float(row["fmr"]), float(row["score"]), int(row["false_matches"]))
                for row in content["rows"]
            ),
            checked_on=dict(content["checked_on"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CalibrationError(
            "the calibration is not in its format: make it anew with `python -m borderpost.faces.calibrate`",
            cause=type(error).__name__,
        ) from None
    _check(calibration)
    return calibration


def _check(calibration: Calibration) -> None:
    rows = calibration.rows
    complete = len(rows) >= 2 and rows[0].fmr == 1.0
    falling = all(a.fmr > b.fmr > 0 and a.score < b.score for a, b in itertools.pairwise(rows))
    finite = all(math.isfinite(row.score) and math.isfinite(row.fmr) for row in rows)
    enough = all(row.false_matches >= MIN_FALSE_MATCHES for row in rows)
    if calibration.metric != METRIC or not (complete and falling and finite and enough):
        raise CalibrationError(
            f"the calibration is not sound: want the metric {METRIC}, rates that fall from 1 at "
            f"rising scores, and {MIN_FALSE_MATCHES} false matches in each",
            model_id=calibration.model_id,
        )
