"""What every index of events must find, whatever it is kept in: what a plain look through the log finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.decisions.adapters.schema import open_postgres, open_sqlite
from borderpost.decisions.adapters.sql_cases import CasesView
from borderpost.decisions.adapters.sql_index import IndexView, SqlIndex
from borderpost.decisions.adapters.sql_log import SqlLog
from borderpost.decisions.adapters.sql_views import SqlViews
from borderpost.decisions.domain import EventFilter, NewEvent, new_event
from borderpost.decisions.lookups import Lookups
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.sql import SqlDatabase
from borderpost.v1.decisions_pb2 import EventKind, ScreeningPayload
from borderpost.v1.types_pb2 import DocumentKey, Outcome
from fakes.decisions import START, MemoryLog, TickingClock, a_list_event, a_screening
from fakes.postgres import shared_postgres

LOOKUPS = Lookups(b"l" * 32)
SECOND = 1_000_000
BEGIN = int(START.timestamp()) * SECOND
VISITS = [new_id() for _ in range(2)]
DOCUMENTS = [DocumentKey(document_code="P", issuing_state="UTO", number=number) for number in ("A1", "B2")]


class Site:
    """A log with its index in a database, and the same in memory."""

    def __init__(self, database: SqlDatabase) -> None:
        self.database = database
        self.log = SqlLog(database, TickingClock())
        self.views = SqlViews(database, (IndexView(), CasesView()))
        self.index = SqlIndex(database, self.views.catch_up)
        self.memory = MemoryLog(TickingClock())

    def append(self, *events: NewEvent) -> None:
        self.log.append(events)
        self.memory.append(events)


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    sqlite = request.param == "sqlite"
    opened = (
        open_sqlite(tmp_path / "log" / "log.sqlite")
        if sqlite
        else open_postgres(shared_postgres().new_database())
    )
    with closing(opened) as database:
        yield Site(database)


def screening_event(
    seconds: int, kiosk: int, outcome: int, reasons: list[str], document: int, entry: int
) -> NewEvent:
    event = a_list_event()
    screening = a_screening(outcome, reasons, f"kiosk/north/{kiosk}")
    screening.crossing = f"c{kiosk}"
    screening.visit_id = VISITS[kiosk]
    event.traveler_screened.CopyFrom(screening)
    event.time.CopyFrom(to_timestamp(START))
    event.time.seconds += seconds
    event.actor.subject = screening.kiosk_id
    event.subject = event.event_id
    payload = ScreeningPayload(schema_version=1)
    payload.mrz.document.CopyFrom(DOCUMENTS[document])
    if entry:
        found = payload.watchlists.add()
        found.watchlist.list_id = f"list-{entry}"
        found.candidates.add(entry_id=f"entry-{entry}")
    return new_event(event, lookups=LOOKUPS.of_payload(payload))


def entry_event(seconds: int, number: int) -> NewEvent:
    event = a_list_event()
    event.time.CopyFrom(to_timestamp(START))
    event.time.seconds += seconds
    event.watchlist_entry_proposed.list_id = f"list-{number}"
    event.watchlist_entry_proposed.entry_id = f"entry-{number}"
    return new_event(event)


SECONDS = st.integers(0, 5)
EVENTS = st.lists(
    st.one_of(
        st.builds(
            screening_event,
            SECONDS,
            st.integers(0, 1),
            st.sampled_from([Outcome.OUTCOME_CLEAR, Outcome.OUTCOME_REFER, Outcome.OUTCOME_RETAKE]),
            st.lists(st.sampled_from(["ONE", "TWO"]), unique=True),
            st.integers(0, 1),
            st.integers(0, 2),
        ),
        st.builds(entry_event, SECONDS, st.integers(1, 2)),
    ),
    max_size=25,
)


def maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), st.none(), values)


FILTERS = st.builds(
    EventFilter,
    since=maybe(SECONDS.map(lambda seconds: BEGIN + seconds * SECOND)),
    until=maybe(SECONDS.map(lambda seconds: BEGIN + seconds * SECOND)),
    kinds=st.sampled_from(
        [
            frozenset(),
            frozenset({EventKind.EVENT_KIND_TRAVELER_SCREENED}),
            frozenset(
                {EventKind.EVENT_KIND_TRAVELER_SCREENED, EventKind.EVENT_KIND_WATCHLIST_ENTRY_PROPOSED}
            ),
        ]
    ),
    outcomes=st.sampled_from(
        [
            frozenset(),
            frozenset({Outcome.OUTCOME_REFER}),
            frozenset({Outcome.OUTCOME_CLEAR, Outcome.OUTCOME_REFER}),
        ]
    ),
    reason=maybe(st.sampled_from(["ONE", "TWO", "THREE"])),
    kiosk_id=maybe(st.sampled_from(["kiosk/north/0", "kiosk/north/1"])),
    crossing=maybe(st.sampled_from(["c0", "c1"])),
    visit_id=maybe(st.sampled_from(VISITS)),
    actor=maybe(st.just("kiosk/north/0")),
    document=maybe(st.sampled_from(DOCUMENTS).map(LOOKUPS.document)),
    list_id=maybe(st.sampled_from(["list-1", "list-2"]).map(lambda name: (name, LOOKUPS.list(name)))),
    entry_id=maybe(st.sampled_from(["entry-1", "entry-2"]).map(lambda name: (name, LOOKUPS.entry(name)))),
)


@given(EVENTS, st.lists(FILTERS, min_size=5, max_size=10))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_filter_finds_what_a_plain_look_finds(site: Site, events: list[NewEvent], filters) -> None:
    site.append(*events)
    for wanted in filters:
        expected = [record.index for record in site.memory.query(wanted, None, 10_000).records]
        assert [record.index for record in site.index.query(wanted, None, 10_000).records] == expected
        page = site.index.query(wanted, None, 3)
        assert [record.index for record in page.records] == expected[:3]
        assert (page.next_before is None) == (len(expected) <= 3)


def test_pages_join_without_gap_or_repetition_while_the_log_grows(site: Site) -> None:
    site.append(*(entry_event(0, 1) for _ in range(10)))
    seen, before = [], None
    wanted = EventFilter(list_id=("list-1", LOOKUPS.list("list-1")))
    while True:
        page = site.index.query(wanted, before, 3)
        seen += [record.index for record in page.records]
        site.append(entry_event(0, 1))
        before = page.next_before
        if before is None:
            break
    assert seen == list(range(9, -1, -1))


def test_what_was_acknowledged_is_found_at_once(site: Site) -> None:
    for number in range(5):
        site.append(entry_event(0, 1))
        assert site.index.query(EventFilter(), None, 1).records[0].index == number


def test_a_view_that_is_dropped_and_made_again_is_the_same(site: Site) -> None:
    site.append(*(screening_event(1, number % 2, 2, ["ONE"], 0, number % 3) for number in range(40)))
    tables = ("event_index", "event_terms", "cases")

    def rows() -> list[list[dict]]:
        with site.database.read() as connection:
            return [
                sorted((dict(row) for row in connection.execute(f"SELECT * FROM {table}")), key=str)  # noqa: S608
                for table in tables
            ]

    site.views.catch_up()
    before = rows()
    assert before[0]
    for name in ("index", "cases"):
        site.views.rebuild(name)
    assert rows() == before


def test_an_event_that_was_pruned_is_not_found_and_the_others_are(site: Site) -> None:
    site.append(*(entry_event(0, 1) for _ in range(4)))
    with site.database.transaction() as connection:
        connection.execute("UPDATE log SET event = NULL WHERE idx < 2")
    found = site.index.query(EventFilter(), None, 10).records
    assert [record.index for record in found] == [3, 2]
