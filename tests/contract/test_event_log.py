"""What every event log must do, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from borderpost.decisions.adapters.sqlite_log import SqliteLog
from borderpost.decisions.domain import EventFilter, NewEvent, Record, consulted, new_event, screened
from borderpost.decisions.errors import EventIdReusedError
from borderpost.proofs.tree import leaf_hash, reference_root
from borderpost.decisions.ports import EventLog
from borderpost.decisions.verify import verify
from borderpost.runtime.clock import from_timestamp, new_id
from borderpost.v1.decisions_pb2 import EventKind, RecordConsulted, TravelerScreened
from borderpost.v1.types_pb2 import Outcome
from fakes.decisions import START, MemoryLog, TickingClock, a_call, a_list_event, a_payload, a_screening

ADAPTERS: dict[str, Callable[[Path], SqliteLog | MemoryLog]] = {
    "sqlite": lambda folder: SqliteLog(folder / "log.sqlite", TickingClock()),
    "memory": lambda folder: MemoryLog(TickingClock()),
}


@pytest.fixture(params=ADAPTERS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    with closing(ADAPTERS[request.param](tmp_path)) as adapter:
        yield adapter


def new_screening(screening: TravelerScreened, ciphertext: bytes = b"sealed") -> NewEvent:
    time = from_timestamp(screening.received_at)
    return new_event(screened(new_id(), time, a_call().actor, screening, ciphertext), ciphertext)


def append(log: EventLog, event: NewEvent) -> Record:
    (appended,) = log.append([event])
    assert not appended.duplicate
    return appended.record


def indexes(log: EventLog, wanted: EventFilter) -> list[int]:
    return [record.index for record in log.query(wanted, None, 100).records]


def test_an_empty_log_is_intact_and_finds_nothing(log: EventLog) -> None:
    with log.snapshot() as snapshot:
        found = verify(snapshot)
    assert found.intact
    assert found.size == 0
    assert log.query(EventFilter(), None, 10).records == ()
    assert log.screenings(new_id()) == []
    assert log.ciphertext(new_id()) is None


def test_records_keep_their_bytes_and_places(log: EventLog) -> None:
    events = [new_event(a_list_event()) for _ in range(5)]
    records = [appended.record for appended in log.append(events[:2]) + log.append(events[2:])]
    assert [record.index for record in records] == [0, 1, 2, 3, 4]
    assert [record.stored for record in records] == [event.stored for event in events]
    assert [record.leaf_sha256 for record in records] == [leaf_hash(event.stored) for event in events]
    assert log.query(EventFilter(), None, 10).records == tuple(reversed(records))


def test_the_root_is_that_of_all_leaves(log: EventLog) -> None:
    records = [append(log, new_event(a_list_event())) for _ in range(7)]
    with log.snapshot() as snapshot:
        found = verify(snapshot)
    assert found.root_sha256 == reference_root([record.leaf_sha256 for record in records])
    assert found.intact


def test_an_event_id_is_appended_once(log: EventLog) -> None:
    event = new_event(a_list_event())
    first = append(log, event)
    (again,) = log.append([event])
    assert again.duplicate
    assert again.record == first
    twice = new_event(a_list_event())
    assert [appended.duplicate for appended in log.append([twice, twice])] == [False, True]


def test_an_event_id_with_other_content_takes_nothing_of_its_batch(log: EventLog) -> None:
    event = a_list_event()
    append(log, new_event(event))
    event.watchlist_created.version = 2
    with pytest.raises(EventIdReusedError):
        log.append([new_event(a_list_event()), new_event(event)])
    assert indexes(log, EventFilter()) == [0]
    assert append(log, new_event(a_list_event())).index == 1
    with log.snapshot() as snapshot:
        assert verify(snapshot).intact


def test_a_request_id_is_appended_once_per_kiosk(log: EventLog) -> None:
    screening = a_screening()
    first = append(log, new_screening(screening))
    (again,) = log.append([new_screening(screening, b"sealed anew")])
    assert again.duplicate
    assert again.record == first
    screening.kiosk_id = "kiosk/south/1"
    other = append(log, new_screening(screening))
    assert log.screenings(screening.request_id) == [first, other]
    assert log.screenings(screening.request_id, "kiosk/south/1") == [other]


def test_threads_with_the_same_request_get_one_record(log: EventLog) -> None:
    screening = a_screening()
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: log.append([new_screening(screening)])[0], range(8)))
    assert sum(not appended.duplicate for appended in results) == 1
    assert len({appended.record for appended in results}) == 1


def test_threads_append_without_gaps(log: EventLog) -> None:
    with ThreadPoolExecutor(8) as threads:
        records = list(threads.map(lambda _: append(log, new_event(a_list_event())), range(60)))
    assert sorted(record.index for record in records) == list(range(60))
    with log.snapshot() as snapshot:
        assert verify(snapshot).intact


def test_a_payload_is_found_by_its_event(log: EventLog) -> None:
    event = new_screening(a_screening(), b"ciphertext")
    append(log, event)
    assert log.ciphertext(event.index.event_id) == b"ciphertext"


def test_each_filter_selects_and_all_must_hold(log: EventLog) -> None:
    clear = a_screening(Outcome.OUTCOME_CLEAR, ())
    refer = a_screening(Outcome.OUTCOME_REFER, ("DOCUMENT_EXPIRED", "FACE_NOT_MATCHED"), "kiosk/south/1")
    look = consulted(new_id(), START, a_call().actor, "case 1", RecordConsulted(request_id=refer.request_id))
    for event in (new_screening(clear), new_screening(refer), new_event(a_list_event()), new_event(look)):
        append(log, event)
    screened_kind, created_kind = (
        EventKind.EVENT_KIND_TRAVELER_SCREENED,
        EventKind.EVENT_KIND_WATCHLIST_CREATED,
    )
    assert indexes(log, EventFilter(kinds=frozenset({screened_kind}))) == [1, 0]
    assert indexes(log, EventFilter(kinds=frozenset({screened_kind, created_kind}))) == [2, 1, 0]
    assert indexes(log, EventFilter(outcomes=frozenset({Outcome.OUTCOME_CLEAR}))) == [0]
    assert indexes(log, EventFilter(outcomes=frozenset({Outcome.OUTCOME_CLEAR, Outcome.OUTCOME_REFER}))) == [
        1,
        0,
    ]
    assert indexes(log, EventFilter(reason="FACE_NOT_MATCHED")) == [1]
    assert indexes(log, EventFilter(kiosk_id="kiosk/north/7")) == [0]
    assert indexes(log, EventFilter(visit_id=clear.visit_id)) == [0]
    assert indexes(log, EventFilter(request_id=refer.request_id)) == [1]
    assert indexes(log, EventFilter(reason="FACE_NOT_MATCHED", kiosk_id="kiosk/north/7")) == []
    assert indexes(log, EventFilter(reason="FACE_NOT_MATCHED", kiosk_id="kiosk/south/1")) == [1]


def test_time_bounds_are_of_the_event_from_inclusive_to_exclusive(log: EventLog) -> None:
    for seconds in range(4):
        append(log, new_event(a_list_event(time=START + timedelta(seconds=seconds))))
    first = int(START.timestamp()) * 1_000_000
    wanted = EventFilter(since=first + 1_000_000, until=first + 3_000_000)
    assert indexes(log, wanted) == [2, 1]
    assert indexes(log, EventFilter(since=first + 1_000_001, until=first + 2_000_000)) == []


def test_pages_join_without_gap_or_repetition_while_the_log_grows(log: EventLog) -> None:
    for _ in range(10):
        append(log, new_event(a_list_event()))
    seen: list[int] = []
    before = None
    while True:
        page = log.query(EventFilter(), before, 3)
        seen += [record.index for record in page.records]
        append(log, new_event(a_list_event()))
        before = page.next_before
        if before is None:
            break
    assert seen == list(range(9, -1, -1))


def test_a_page_that_is_just_full_is_the_last(log: EventLog) -> None:
    for _ in range(3):
        append(log, new_event(a_list_event()))
    assert log.query(EventFilter(), None, 3).next_before is None
    assert log.query(EventFilter(), None, 2).next_before == 1


def test_a_snapshot_does_not_see_later_appends(log: EventLog) -> None:
    append(log, new_event(a_list_event()))
    with log.snapshot() as snapshot:
        with ThreadPoolExecutor(1) as other:
            other.submit(append, log, new_event(a_list_event())).result()
        assert len(list(snapshot.rows())) == 1


def test_what_is_stored_does_not_depend_on_the_order_of_serialisation(log: EventLog) -> None:
    event = new_screening(a_screening(), a_payload().SerializeToString())
    assert append(log, event).event().SerializeToString(deterministic=True) == event.stored
