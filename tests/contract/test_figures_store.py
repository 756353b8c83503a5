"""Figures are what counting the events one by one gives, whatever database they are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.decisions.adapters.sql_cases import to_bytes
from borderpost.decisions.adapters.sql_figures import DAY, SqlFigures
from borderpost.decisions.adapters.sql_rows import from_microseconds
from borderpost.decisions.adapters.sql_views import SqlViews
from borderpost.decisions.cases.domain import Case
from borderpost.decisions.figures import Counts
from borderpost.v1.decisions_pb2 import FindingGiven, FindingVerdict, ReferralOpened
from borderpost.v1.types_pb2 import Outcome
from fakes.subject_site import DATABASES

START = 20_000 * DAY
FAILED = "ATTEMPTS_EXHAUSTED"
screening = st.tuples(
    st.integers(START - DAY, START + 3 * DAY),
    st.sampled_from(["north", "south"]),
    st.sampled_from("abcde"),
    st.sampled_from([1, 2, 3]),
    st.frozensets(st.sampled_from([FAILED, "X", "Y"])),
)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path) -> Iterator[Any]:
    database = DATABASES[request.param](tmp_path)
    yield database
    database.close()


def count(database: Any, since: int, until: int, crossing: str | None = None) -> Counts:
    return SqlFigures(database, SqlViews(database, [])).count(since, until, crossing)


def write(database: Any, screenings: list[Any]) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM event_index")
        connection.execute("DELETE FROM event_terms")
        for index, (time, crossing, visit, outcome, reasons) in enumerate(screenings):
            connection.execute(
                "INSERT INTO event_index (idx, kind, time, actor, outcome, crossing, visit_id) "
                "VALUES (?, 1, ?, 'kiosk', ?, ?, ?)",
                (index, time, outcome, crossing, visit),
            )
            for reason in reasons:
                connection.execute(
                    "INSERT INTO event_terms (kind, term, idx) VALUES (1, ?, ?)", (reason, index)
                )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(screening, max_size=40), st.sampled_from([None, "north"]))
def test_screenings_visits_and_failures_are_what_a_plain_count_gives(database, screenings, crossing):
    write(database, screenings)
    since, until = START, START + 2 * DAY
    wanted = [s for s in screenings if since <= s[0] < until and crossing in (None, s[1])]
    days = count(database, since, until, crossing).days
    outcomes = Counter((s[1], s[0] // DAY, s[3]) for s in wanted)
    reasons = Counter((s[1], s[0] // DAY, reason) for s in wanted for reason in s[4])
    by_visit: dict[Any, list[Any]] = {}
    for each in sorted(wanted):
        by_visit.setdefault((each[1], each[2]), []).append(each)
    visits = Counter((v[0][1], v[0][0] // DAY) for v in by_visit.values())
    failures = Counter(
        (v[0][1], v[0][0] // DAY)
        for v in by_visit.values()
        if all(s[3] == Outcome.OUTCOME_RETAKE or FAILED in s[4] for s in v)
    )
    assert [(d.day, d.crossing) for d in days] == sorted((d.day, d.crossing) for d in days)
    found = {(d.crossing, 20_000 if d.day == days_name(0) else 20_001): d for d in days}
    assert {(*k, o): n for k, d in found.items() for o, n in d.outcomes.items()} == outcomes
    assert {(*k, r): n for k, d in found.items() for r, n in d.reasons.items()} == reasons
    assert {k: d.visits for k, d in found.items() if d.visits} == visits
    assert {k: d.failures_to_acquire for k, d in found.items() if d.failures_to_acquire} == failures
    assert sum(d.screenings for d in days) == len(wanted)


def days_name(after: int) -> str:
    return ["2024-10-04", "2024-10-05"][after]


def test_cases_and_the_findings_that_stand_are_counted_when_they_close(database):
    finding = FindingGiven()
    for list_id, verdict in (("l1", "SAME_PERSON"), ("l2", "NOT_SAME_PERSON"), ("l3", "CANNOT_TELL")):
        finding.lists.add(list_id=list_id, verdict=FindingVerdict.Value(f"FINDING_VERDICT_{verdict}"))
    opened = from_microseconds(START)
    with database.transaction() as connection:
        for name, closed in (("c1", START + DAY + 5_000_000), ("c2", None)):
            case = Case(name, 1, 1, ReferralOpened(), opened, finding=finding if closed else None)
            connection.execute(
                "INSERT INTO cases (case_id, version, state, priority, crossing, opened_at, closed_at, body) "
                "VALUES (?, 1, 1, 9, 'north', ?, ?, ?)",
                (name, START, closed, to_bytes(case)),
            )
    found = count(database, START, START + 2 * DAY)
    assert [(d.day, d.cases, d.seconds_to_close) for d in found.days] == [
        ("2024-10-04", 2, ()),
        ("2024-10-05", 0, [86_405.0]),
    ]
    assert [(c.list_id, c.confirmed, c.refuted, c.undecided) for c in found.lists] == [
        ("l1", 1, 0, 0),
        ("l2", 0, 1, 0),
        ("l3", 0, 0, 1),
    ]
    assert count(database, START, START + 2 * DAY, "south") == Counts((), ())
