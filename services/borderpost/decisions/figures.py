"""Figures: counts by crossing and day, without personal data. What each means is in docs/reports.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from borderpost.decisions.domain import new_event
from borderpost.decisions.events import consulted
from borderpost.decisions.ports import EventLog
from borderpost.runtime.calls import Call, stated_purpose
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.decisions_pb2 import RecordConsulted

MAX_SPAN: Final = timedelta(days=400)
"""A year, and the month that it is compared with."""

FEWEST: Final = 5
"""A reason that fewer screenings of a crossing and day have is not named: it could single out a person."""

OTHER: Final = "OTHER"
"""What reasons that are too rare to be named are counted as, together."""

ATTEMPTS_EXHAUSTED: Final = "ATTEMPTS_EXHAUSTED"
"""The reason of a referral for want of a good picture, after the last attempt."""


@dataclass(frozen=True, slots=True)
class Day:
    """Counts of one crossing and day (`day`: YYYY-MM-DD, UTC). `seconds_to_close`: of every case closed on it."""

    crossing: str
    day: str
    screenings: int = 0
    visits: int = 0
    outcomes: Mapping[int, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    failures_to_acquire: int = 0
    cases: int = 0
    seconds_to_close: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class ListCounts:
    """Of closed cases with a candidate on a list: whether one was the traveler."""

    list_id: str
    confirmed: int = 0
    refuted: int = 0
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Days by day, then crossing; lists by their id."""

    days: tuple[Day, ...]
    lists: tuple[ListCounts, ...]


class FigureStore(Protocol):
    """Counts what is in the log."""

    def count(self, since: int, until: int, crossing: str | None) -> Counts:
        """Count events of `since` ≤ time < `until` (microseconds since 1970), of all crossings or one."""
        ...


class Figures:
    """Gives figures, and writes down who asked for them."""

    def __init__(self, log: EventLog, store: FigureStore, clock: Clock) -> None:
        self._log = log
        self._store = store
        self._clock = clock

    def get(self, since: datetime, until: datetime, crossing: str | None, call: Call) -> Counts:
        """Count whole days; first record who looks, and why. PurposeMissingError, InvalidRequestError."""
        purpose = stated_purpose(call)
        check_span(since, until)
        filters = ["from", "until", *(["crossing"] if crossing else [])]
        what = RecordConsulted(method=call.method, filters=filters)
        self._log.append([new_event(consulted(new_id(), self._clock.now(), call.actor, purpose, what))])
        counts = self._store.count(_microseconds(since), _microseconds(until), crossing)
        return replace(counts, days=tuple(without_rare_reasons(day) for day in counts.days))


def check_span(since: datetime, until: datetime) -> None:
    """Raise InvalidRequestError unless it is some whole days, not too many.

    Parts of days aren't counted: the difference between two such answers would be a count too small to be shown.
    """
    for name, time in (("from", since), ("until", until)):
        if time != time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0):
            raise InvalidRequestError(f"{name}: got a time within a day, want the start of a day (UTC)")
    if since >= until:
        raise InvalidRequestError("until: got a time not after from, want a later one")
    if until - since > MAX_SPAN:
        raise InvalidRequestError(
            f"until: got {(until - since).days} days after from, want at most {MAX_SPAN.days}"
        )


def without_rare_reasons(day: Day) -> Day:
    """Count reasons that are too rare to be named as OTHER. The sum over all reasons stays."""
    named = {reason: count for reason, count in day.reasons.items() if count >= FEWEST}
    rest = sum(day.reasons.values()) - sum(named.values())
    return replace(day, reasons={**named, OTHER: rest} if rest else named)


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The value that `percent` of all are at most, by nearest rank; None if there are none."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(percent * len(values) / 100), 1) - 1]


def _microseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
