"""Birth dates with unknown parts, compared: what agrees, and how much that weighs against chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.persons import PartialDate

YEAR_EVIDENCE: Final = math.log10(60)
MONTH_EVIDENCE: Final = math.log10(12)
DAY_EVIDENCE: Final = math.log10(365.25 / 12)
"""By chance two people share a year of birth about once in 60, ages being uneven; month and day by the calendar."""

EVIDENCE: Final = np.array([YEAR_EVIDENCE, MONTH_EVIDENCE, DAY_EVIDENCE])

MOST_EVIDENCE: Final = float(EVIDENCE.sum())
"""That of the same full date."""

SWAPPED_COST: Final = 1.0
"""Day and month changed places in fewer than one record in ten."""

NEAR_EVIDENCE: Final = 0.5
"""One part of three differs: about 1 pair in 250 by chance, and about 1 true one in 80 by a slip."""

DIFFERENT_EVIDENCE: Final = -3.0
"""One true pair in 1,000 has another date: it takes a name three decades rarer to be looked at all the same."""

UNKNOWN_PART: Final = 0
"""Stands for an unknown part in arrays."""

Dates = npt.NDArray[np.int16]
"""Year, month, day of N dates: N × 3."""


class DateAgreement(Enum):
    """How two birth dates agree.

    POSSIBLE: what both know agrees, and not all is known. SWAPPED: day and month changed places. NEAR: one part of
    three differs. UNKNOWN: no part is known of both.
    """

    SAME = "same"
    POSSIBLE = "possible"
    SWAPPED = "swapped"
    NEAR = "near"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


AGREEMENTS: Final = tuple(DateAgreement)


def to_dates(dates: Sequence[PartialDate]) -> Dates:
    """Dates as an array."""
    parts = [(date.year or 0, date.month or 0, date.day or 0) for date in dates]
    return np.array(parts, dtype=np.int16).reshape(len(parts), 3)


def compare_dates(given: PartialDate, listed: PartialDate) -> tuple[DateAgreement, float]:
    """The agreement, and log10 of how much likelier it is for one person than for two."""
    agreements, evidence = compare_all(to_dates([given]), to_dates([listed]))
    return AGREEMENTS[agreements[0]], float(evidence[0])


def compare_all(given: Dates, listed: Dates) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The same for N pairs, or for one date given with N: the place in AGREEMENTS of each, and the evidence."""
    known = (given != UNKNOWN_PART) & (listed != UNKNOWN_PART)
    same = known & (given == listed)
    count, agreeing = known.sum(axis=1), same.sum(axis=1)
    full = count == len(EVIDENCE)
    crossed = (given[:, 1] == listed[:, 2]) & (given[:, 2] == listed[:, 1])
    cases = (
        (count == 0, DateAgreement.UNKNOWN, 0.0),
        (full & (agreeing == count), DateAgreement.SAME, MOST_EVIDENCE),
        (agreeing == count, DateAgreement.POSSIBLE, same @ EVIDENCE),
        (full & same[:, 0] & crossed, DateAgreement.SWAPPED, MOST_EVIDENCE - SWAPPED_COST),
        (full & (agreeing == count - 1), DateAgreement.NEAR, NEAR_EVIDENCE),
    )
    conditions = [condition for condition, _, _ in cases]
    places = [AGREEMENTS.index(agreement) for _, agreement, _ in cases]
    return (
        np.select(conditions, places, AGREEMENTS.index(DateAgreement.DIFFERENT)),
        np.select(conditions, [weight for _, _, weight in cases], DIFFERENT_EVIDENCE),
    )
