"""How old somebody is, no more exactly than a policy asks."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date

from borderpost.policy.domain import Age
from borderpost.policy.model import Policy
from borderpost.v1.types_pb2 import PartialDate


def age_limits(policy: Policy) -> tuple[int, ...]:
    """Return every age that a rule of the policy names, ascending."""
    limits = {limit for rule in policy.rules for limit in (rule.age_from, rule.age_below) if limit}
    return tuple(sorted(limits))


def age_of(birth_date: PartialDate, at: date, limits: Sequence[int]) -> Age:
    """Return between which of the limits somebody's age is at a date.

    Unknown parts of the birth date may be anything, so the bounds are as wide as they have to be; without a year, or
    with a date that doesn't exist, nothing is known.
    """
    years = _years(birth_date, at)
    if years is None:
        return Age()
    least, most = years
    return Age(
        at_least=max((limit for limit in limits if limit <= least), default=None),
        below=min((limit for limit in limits if limit > most), default=None),
    )


def is_adult(birth_date: PartialDate, at: date, adult_age: int) -> bool:
    """Tell whether somebody is certainly an adult."""
    return age_of(birth_date, at, (adult_age,)).at_least == adult_age


def _years(birth_date: PartialDate, at: date) -> tuple[int, int] | None:
    """Return the least and the most whole years that somebody may have lived."""
    if not birth_date.HasField("year") or not _exists(birth_date):
        return None
    months = [birth_date.month] if birth_date.HasField("month") else [1, 12]
    days = [birth_date.day] if birth_date.HasField("day") else [1, 31]
    born = [(month, day) for month in months for day in days]
    ages = [at.year - birth_date.year - ((at.month, at.day) < month_and_day) for month_and_day in born]
    return (max(0, min(ages)), max(ages)) if max(ages) >= 0 else None


def _exists(birth_date: PartialDate) -> bool:
    """Tell whether there is such a date, whatever its unknown parts may be."""
    month = birth_date.month if birth_date.HasField("month") else 1
    if not 1 <= month <= 12 or not 1 <= birth_date.year <= 9999:
        return False
    longest = calendar.monthrange(birth_date.year, month)[1]
    return not birth_date.HasField("day") or 1 <= birth_date.day <= longest
