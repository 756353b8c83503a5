"""Figures: whole days, rare reasons not named, percentiles by nearest rank."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.decisions.figures import Counts, Day, Figures, check_span, percentile, without_rare_reasons
from borderpost.runtime.calls import Role
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError, UnavailableError
from fakes.decisions import MemoryLog, TickingClock, a_call

START = datetime(2026, 11, 1, tzinfo=UTC)


@given(st.dictionaries(st.text("ABC", min_size=1), st.integers(1, 20)))
def test_rare_reasons_are_not_named_and_their_sum_stays(reasons: dict[str, int]) -> None:
    shown = without_rare_reasons(Day("north", "2026-11-01", reasons=reasons)).reasons
    assert sum(shown.values()) == sum(reasons.values())
    assert {name for name in shown if name != "OTHER"} == {name for name, n in reasons.items() if n >= 5}


@pytest.mark.parametrize(("percent", "want"), [(50, 5), (95, 10), (1, 1), (100, 10)])
def test_a_percentile_is_the_value_of_the_nearest_rank(percent: int, want: int) -> None:
    assert percentile(list(range(10, 0, -1)), percent) == want


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 50) is None


@pytest.mark.parametrize("span", [timedelta(0), timedelta(-1), timedelta(401), timedelta(hours=30)])
def test_a_span_that_is_not_some_whole_days_is_refused(span: timedelta) -> None:
    with pytest.raises(InvalidRequestError):
        check_span(START, START + span)


def test_four_hundred_days_are_taken() -> None:
    check_span(START, START + timedelta(400))


class Counting:
    """A `FigureStore` that notes whether it was asked."""

    asked = 0

    def count(self, since, until, crossing):
        self.asked += 1
        return Counts((Day("north", "2026-11-01", screenings=3),), ())


def test_who_asks_is_recorded_before_anything_is_counted_and_wants_a_purpose() -> None:
    log, store = MemoryLog(TickingClock()), Counting()
    figures = Figures(log, store, TickingClock())
    span = (START, START + timedelta(days=1))
    with pytest.raises(PurposeMissingError):
        figures.get(*span, None, a_call("", Role.AUDITOR))
    log.down = True
    with pytest.raises(UnavailableError):
        figures.get(*span, None, a_call("monthly report", Role.AUDITOR))
    assert store.asked == 0
    log.down = False
    assert figures.get(*span, "north", a_call("monthly report", Role.AUDITOR)).days[0].screenings == 3
    (record,) = log.records(0, 2)
    event = record.event()
    assert event.purpose == "monthly report"
    assert list(event.record_consulted.filters) == ["from", "until", "crossing"]
