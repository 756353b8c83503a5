"""What a name's score means: a shipped table of false-match rates, measured on pairs of different people.

The table is a staircase: at each score the rate at which two different people reach it. Between two steps the rate of
the lower one holds, which is the larger. Beyond the last step nothing is made up: a rate is given as a bound, and a
threshold is marked as not supported.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import ModuleType
from typing import Final

from borderpost.runtime.calibration import MIN_FALSE_MATCHES, CalibrationError, target_fmr
from borderpost.watchlist.naming import dates, matching, parts

FILE: Final = "name_calibration.json"
MAKE_ONE: Final = "python -m borderpost.watchlist.evaluation_names --data DIR --calibration FILE"

MAX_NAME_FMR: Final = 1e-3
"""A list of few names asks for no more: a shared surname is no reason to stop a traveler."""


@dataclass(frozen=True, slots=True)
class NameFalseMatchRate:
    """The share of pairs of different people who reach a score; at most that where `is_upper_bound`."""

    rate: float
    is_upper_bound: bool


@dataclass(frozen=True, slots=True)
class NameThreshold:
    """The score from which a name is a candidate.

    `measured` is what the data alone ask for; `score` is never below what its own claim asks for. Where `supported`
    is false the data can't show so small a rate: `score` stands on the claim, and more false alarms than asked may
    come.
    """

    score: float
    supported: bool
    measured: float
    calibration_id: str


@dataclass(frozen=True, slots=True)
class NameRow:
    """At `score`, `false_matches` pairs are expected to match: the rate `fmr`."""

    score: float
    fmr: float
    false_matches: float


@dataclass(frozen=True, slots=True)
class NameCalibration:
    """The table, by rising score, and where it comes from. `id` is the SHA-256 of its file."""

    id: str
    data: str
    method: str
    weights_sha256: str
    rows: tuple[NameRow, ...]

    def fmr_at(self, score: float) -> NameFalseMatchRate:
        """The rate at which the names and birth dates of different people reach `score`."""
        place = bisect.bisect_right([row.score for row in self.rows], score) - 1
        return NameFalseMatchRate(self.rows[max(place, 0)].fmr, score > self.rows[-1].score)

    def threshold_at(self, fpir: float, names_on_list: int) -> NameThreshold:
        """The score at which a traveler alarms falsely by name with probability `fpir` at most, over all names.

        1 - (1 - FMR)^N = FPIR, for N independent names (ISO/IEC 19795-1). Names, not entries: an alias is one more
        chance to be mistaken. A score of s claims that chance reaches it in one of 10^s pairs, and is held to that
        even where the data would allow less: their names are more varied than those of many a border.
        """
        fmr = min(target_fmr(fpir, max(names_on_list, 1)), MAX_NAME_FMR)
        enough = [row.score for row in self.rows if row.fmr <= fmr]
        measured = enough[0] if enough else self.rows[-1].score
        return NameThreshold(max(measured, -math.log10(fmr)), bool(enough), measured, self.id)


def name_threshold(fpir: float, names_on_list: int) -> NameThreshold:
    """The threshold of a list, by the shipped calibration. Raises CalibrationError if that is unsound."""
    return load_name_calibration().threshold_at(fpir, names_on_list)


def name_fmr_at(score: float) -> NameFalseMatchRate:
    """The rate at a score, by the shipped calibration. Raises CalibrationError if that is unsound."""
    return load_name_calibration().fmr_at(score)


@cache
def load_name_calibration() -> NameCalibration:
    """The calibration that ships. Raises CalibrationError if it is unsound or was made with other weights."""
    return parse_name_calibration((resources.files("borderpost.watchlist") / FILE).read_bytes())


def parse_name_calibration(data: bytes) -> NameCalibration:
    """A calibration from the bytes of its file. Raises CalibrationError."""
    try:
        content = json.loads(data)
        calibration = NameCalibration(
            id=hashlib.sha256(data).hexdigest(),
            data=str(content["data"]),
            method=str(content["method"]),
            weights_sha256=str(content["weights_sha256"]),
            rows=tuple(
                NameRow(float(row["score"]), float(row["fmr"]), float(row["false_matches"]))
                for row in content["rows"]
            ),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CalibrationError(
            f"the calibration of names is not in its format: make it anew with `{MAKE_ONE}`",
            cause=type(error).__name__,
        ) from None
    if calibration.weights_sha256 != weights_sha256():
        raise CalibrationError(
            f"the calibration of names was made with other weights: make it anew with `{MAKE_ONE}`"
        )
    _check(calibration.rows)
    return calibration


def weights_sha256() -> str:
    """A fingerprint of all weights and limits that a score depends on, the same on every machine."""
    weights = {
        f"{room.__name__}.{name}": str(sorted(value) if isinstance(value, frozenset) else value)
        for room in (dates, matching, parts)
        for name, value in vars(room).items()
        if name.isupper() and not isinstance(value, ModuleType)
    }
    return hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()


def _check(rows: tuple[NameRow, ...]) -> None:
    begun = len(rows) >= 2 and (rows[0].score, rows[0].fmr) == (0.0, 1.0)
    falling = all(a.score < b.score and a.fmr > b.fmr > 0 for a, b in itertools.pairwise(rows))
    enough = all(math.isfinite(row.score) and row.false_matches >= MIN_FALSE_MATCHES for row in rows)
    if not (begun and falling and enough):
        raise CalibrationError(
            "the calibration of names is not sound: want rates that fall from 1 at the score 0, at rising scores, and "
            f"{MIN_FALSE_MATCHES} false matches behind each"
        )
