"""A calibration from labelled pictures: thresholds from half A's impostor pairs, checked on half B."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from borderpost.faces.evaluation.metrics import (
    FalseMatches,
    cosines,
    false_matches,
    fmr_estimates,
    fnmr,
    genuine_scores,
    impostor_scores,
    threshold_at,
    upper_95,
)
from borderpost.faces.evaluation.protocols import MAX_PER_PERSON, Groups, Sample
from borderpost.runtime.calibration import METRIC, MIN_FALSE_MATCHES

RATES: Final = tuple(factor * 10.0**-exponent for exponent in range(8) for factor in (1.0, 0.5, 0.2))
"""1, 0.5, 0.2, 0.1, …: down to what MIN_FALSE_MATCHES allows."""

SCORE_DIGITS: Final = 6
"""Of a score in the file; templates are stable to about 1e-5."""

FACTOR_RATES: Final = (1e-2, 1e-4)
"""The safety factor comes from rows between these rates: those that policies ask for."""

UNMEASURED_FACTOR: Final = 4.0
"""The safety factor where no group was measured: about what sex alone made on LFW, for either engine."""

POLICY_FMR: Final = 1e-3
"""The rate that the default policy asks Compare for."""

USUAL_ATTRIBUTES: Final = ("sex", "origin", "age")
"""Those by which error rates are known to differ most."""


@dataclass(frozen=True, slots=True)
class Factor:
    """The safety factor, and why."""

    value: float
    reason: str


def calibrate(
    model_id: str, fingerprint: str, data: str, first: Sample, second: Sample, groups: Groups
) -> dict[str, Any]:
    """The content of a calibration file; both samples hold a few templates of each person."""
    score_rows = cosines(first.vectors)
    impostors = impostor_scores(score_rows, first.people)
    scores = [_rounded_up(threshold_at(impostors, rate)) for rate in RATES]
    scores[0] = math.floor(float(impostors[0]) * 10**SCORE_DIGITS) / 10**SCORE_DIGITS
    found = false_matches(score_rows, first.people, scores)
    by_group = {label: _within(first, groups, label, scores) for label in groups.members}
    rows = _rows(scores, found, by_group)
    measured = tuple(label for label, group in by_group.items() if label in rows[0]["groups"])
    counts = {label: int(group.counts[RATES.index(FACTOR_RATES[0])]) for label, group in by_group.items()}
    factor = safety_factor(rows, measured, counts)
    return {
        "model_id": model_id,
        "card_sha256": fingerprint,
        "metric": METRIC,
        "data": data,
        "method": f"people split in halves by a hash of the name, up to {MAX_PER_PERSON} pictures each; thresholds "
        "from all impostor pairs of half A, checked on half B; bounds by a delete-one-person jackknife (two-sided "
        f"95 %, upper end); a group's rate is that of pairs within it; rows need {MIN_FALSE_MATCHES} false matches",
        "impostor_comparisons": found.total,
        "people": len(first.names),
        "groups": list(measured),
        "safety_factor": factor.value,
        "safety_reason": factor.reason,
        "rows": rows,
        "checked_on": _check(second, rows, groups),
    }


def safety_factor(
    rows: Sequence[Mapping[str, Any]], measured: tuple[str, ...], counts: Mapping[str, int]
) -> Factor:
    """The worst measured group's rate by the mean, the largest between FACTOR_RATES, rounded up to a whole number.

    `counts` has the false matches of every labelled group at the first of FACTOR_RATES. Where one of the `measured`
    groups has too few in every row, the factor is at least UNMEASURED_FACTOR.
    """
    if not counts:
        return Factor(UNMEASURED_FACTOR, "no group was measured: an assumption")
    used = [row for row in rows if FACTOR_RATES[1] <= row["fmr"] <= FACTOR_RATES[0]]
    complete = [row for row in used if measured and len(row["groups"]) == len(measured)]
    ratios = [(rate / row["fmr"], label) for row in complete or used for label, rate in row["groups"].items()]
    few = ", ".join(f"{label} {count}" for label, count in counts.items() if count < MIN_FALSE_MATCHES)
    reasons = []
    if ratios:
        worst, label = max(ratios)
        reasons.append(f"worst measured group ({label}): {worst:.2g} times the mean, rounded up")
    if few:
        reasons.append(
            f"not measured because of too few false matches at FMR {FACTOR_RATES[0]:g} ({MIN_FALSE_MATCHES} are "
            f"needed in each group): {few}"
        )
    if not complete:
        reasons.append(f"at least {UNMEASURED_FACTOR:g} is an assumption")
    reasons.append(
        f"groups that nobody labelled in these pictures{unlabelled(counts)} are not measured and can be many times "
        "worse"
    )
    least = 1.0 if complete else UNMEASURED_FACTOR
    return Factor(
        max([least, *(float(math.ceil(ratio)) for ratio, _ in ratios)]),
        "; ".join(reasons),
    )


def unlabelled(labels: Iterable[str]) -> str:
    """The usual attributes that none of the groups is of, in brackets after a space; nothing if all are there."""
    there = {label.partition(":")[0].strip().lower() for label in labels}
    missing = ", ".join(attribute for attribute in USUAL_ATTRIBUTES if attribute not in there)
    return f" ({missing})" if missing else ""


def people_needed(fmr: float, factor: float, pictures_each: float) -> int:
    """About how many people a calibration needs to support an FMR of 1:1 with this safety factor.

    MIN_FALSE_MATCHES by the table's rate gives the impostor pairs of half A, and they its pictures; rounded up to tens.
    """
    rate = max(rate for rate in RATES if rate <= fmr / factor * (1 + 1e-9))
    pictures = math.sqrt(2 * MIN_FALSE_MATCHES / rate)
    return math.ceil(2 * pictures / pictures_each / 10) * 10


def _rows(
    scores: Sequence[float], found: FalseMatches, by_group: Mapping[str, FalseMatches]
) -> list[dict[str, Any]]:
    """As far down as MIN_FALSE_MATCHES stand behind each."""
    bounds = upper_95(found)
    rows: list[dict[str, Any]] = []
    for index, (rate, score) in enumerate(zip(RATES, scores, strict=True)):
        if found.counts[index] < MIN_FALSE_MATCHES or (rows and score <= rows[-1]["score"]):
            break
        rows.append(
            {
                "fmr": float(f"{rate:g}"),
                "score": score,
                "false_matches": int(found.counts[index]),
                "fmr_upper_95": max(float(f"{rate:g}"), _short(bounds[index])),
                "groups": {
                    label: _short(group.rates[index])
                    for label, group in by_group.items()
                    if group.counts[index] >= MIN_FALSE_MATCHES
                },
            }
        )
    return rows


def _within(sample: Sample, groups: Groups, label: str, scores: Sequence[float]) -> FalseMatches:
    """The false matches among a group's own people."""
    chosen = groups.rows(sample, label)
    if not chosen.any():
        return FalseMatches(np.zeros(1, np.int64), np.zeros((len(scores), 1), np.int64))
    members = sample.of(chosen)
    return false_matches(cosines(members.vectors), members.people, scores)


def _check(sample: Sample, rows: Sequence[Mapping[str, Any]], groups: Groups) -> dict[str, Any]:
    """Both error rates of the other half at these thresholds."""
    score_rows, scores = cosines(sample.vectors), [row["score"] for row in rows]
    found, genuine = (
        false_matches(score_rows, sample.people, scores),
        genuine_scores(score_rows, sample.people),
    )
    by_group = {label: _within(sample, groups, label, scores) for label in groups.members}
    return {
        "people": len(sample.names),
        "templates": len(sample.vectors),
        "impostor_comparisons": found.total,
        "genuine_comparisons": len(genuine.scores),
        "at": [
            {
                "asked_fmr": row["fmr"],
                "fmr": _short(estimate.rate),
                "fmr_95": [_short(estimate.low), _short(estimate.high)],
                "false_matches": int(found.counts[index]),
                "fnmr": _short(fnmr(genuine, row["score"]).rate),
                "groups": {label: _short(group.rates[index]) for label, group in by_group.items()},
            }
            for index, (row, estimate) in enumerate(zip(rows, fmr_estimates(found), strict=True))
        ],
    }


def _rounded_up(score: float) -> float:
    return math.ceil(score * 10**SCORE_DIGITS) / 10**SCORE_DIGITS


def _short(rate: float) -> float:
    return float(f"{rate:.4g}")
