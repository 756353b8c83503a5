"""What every event log must do, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from borderpost.decisions.adapters.schema import open_postgres, open_sqlite
from borderpost.decisions.adapters.sql_log import SqlLog
from borderpost.decisions.adapters.sql_tree import SqlTree
from borderpost.decisions.domain import Lookup, LookupKind, NewEvent, Part, Record, new_event, screening_once
from borderpost.decisions.errors import EventIdReusedError, LogDamagedError, OnceTakenError
from borderpost.decisions.events import screened
from borderpost.decisions.ports import EventLog
from borderpost.proofs.tree import Hashes, leaf_hash, reference_root, root
from borderpost.runtime.clock import from_timestamp, new_id
from borderpost.runtime.sql import SqlDatabase
from borderpost.v1.decisions_pb2 import TravelerScreened
from fakes.decisions import MemoryLog, TickingClock, a_call, a_list_event, a_payload, a_screening
from fakes.postgres import shared_postgres

DATABASES: dict[str, Callable[[Path], SqlDatabase]] = {
    "sqlite": lambda folder: open_sqlite(folder / "log" / "log.sqlite"),
    "postgres": lambda _: open_postgres(shared_postgres().new_database()),
}


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    with closing(DATABASES[request.param](tmp_path)) as opened:
        yield opened


@pytest.fixture(params=[*DATABASES, "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    if request.param == "memory":
        yield MemoryLog(TickingClock())
        return
    with closing(DATABASES[request.param](tmp_path)) as database:
        yield SqlLog(database, TickingClock())


def tree_of(log: EventLog) -> Hashes:
    return log if isinstance(log, MemoryLog) else SqlTree(log._database)


def new_screening(screening: TravelerScreened, ciphertext: bytes = b"sealed") -> NewEvent:
    sealed, event_id = {Part.PAYLOAD: ciphertext}, new_id()
    event = screened(event_id, from_timestamp(screening.received_at), a_call().actor, screening, sealed)
    return new_event(event, screening_once(screening.kiosk_id, screening.request_id), sealed)


def records(log: EventLog) -> list[Record]:
    return list(log.records(0, log.size()))


def append(log: EventLog, event: NewEvent) -> Record:
    (appended,) = log.append([event])
    assert not appended.duplicate
    return appended.record


def test_an_empty_log_finds_nothing(log: EventLog) -> None:
    assert log.size() == 0
    assert records(log) == []
    assert log.find(new_id()) is None
    assert log.find_once("anything") is None
    assert log.ciphertext(new_id(), Part.PAYLOAD) is None
    assert root(tree_of(log), 0) == reference_root([])


def test_records_keep_their_bytes_and_places(log: EventLog) -> None:
    events = [new_event(a_list_event()) for _ in range(5)]
    appended = [result.record for result in log.append(events[:2]) + log.append(events[2:])]
    assert [record.index for record in appended] == [0, 1, 2, 3, 4]
    assert [record.stored for record in appended] == [event.stored for event in events]
    assert [record.leaf_sha256 for record in appended] == [leaf_hash(event.stored) for event in events]
    assert records(log) == appended
    assert list(log.records(1, 3)) == appended[1:3]
    assert log.find(events[3].event_id) == appended[3]


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
    assert log.size() == 1
    assert append(log, new_event(a_list_event())).index == 1


def test_what_may_be_there_once_takes_nothing_of_a_second_batch_and_says_what_is_there(log: EventLog) -> None:
    screening = a_screening()
    first = append(log, new_screening(screening))
    with pytest.raises(OnceTakenError) as taken:
        log.append([new_event(a_list_event()), new_screening(screening, b"sealed anew")])
    assert taken.value.record == first
    assert log.size() == 1
    screening.kiosk_id = "kiosk/south/1"
    other = append(log, new_screening(screening))
    assert log.find_once(screening_once("kiosk/south/1", screening.request_id)) == other


def test_a_batch_that_is_not_at_one_with_itself_is_not_taken(log: EventLog) -> None:
    event = a_list_event()
    first = new_event(event)
    event.purpose = "other content"
    with pytest.raises(EventIdReusedError):
        log.append([first, new_event(event)])
    assert log.size() == 0


def test_a_fault_of_one_caller_is_not_another_ones(database: SqlDatabase) -> None:
    log = SqlLog(database, TickingClock())
    results = log._append_all(
        [
            [new_event(a_list_event(), once="step/1"), new_event(a_list_event(), once="step/1")],
            [new_event(a_list_event())],
        ]
    )
    assert isinstance(results[0], ValueError)
    assert [appended.record.index for appended in results[1]] == [0]


def test_of_many_at_the_same_moment_one_is_appended(log: EventLog) -> None:
    screening, start = a_screening(), Barrier(8)

    def attempt(_: int) -> int:
        start.wait()
        try:
            return append(log, new_screening(screening)).index
        except OnceTakenError as taken:
            return -1 - taken.record.index

    with ThreadPoolExecutor(8) as threads:
        places = list(threads.map(attempt, range(8)))
    assert sorted(places) == [-1] * 7 + [0]
    assert log.size() == 1


def test_threads_append_without_gaps_and_each_gets_its_own_result(log: EventLog) -> None:
    def attempt(number: int) -> tuple[NewEvent, Record] | None:
        event = new_event(a_list_event())
        if number % 10:
            return event, append(log, event)
        with pytest.raises(EventIdReusedError):
            log.append([event, new_event(reused)])
        return None

    reused = a_list_event()
    append(log, new_event(reused))
    reused.purpose = "other content"
    with ThreadPoolExecutor(16) as threads:
        results = [result for result in threads.map(attempt, range(400)) if result is not None]
    assert sorted(record.index for _, record in results) == list(range(1, 361))
    assert all(record.stored == event.stored for event, record in results)
    leaves = [record.leaf_sha256 for record in records(log)]
    assert root(tree_of(log), 361) == reference_root(leaves)


def test_what_is_sealed_is_found_by_event_and_part(log: EventLog) -> None:
    event = a_list_event()
    sealed = {Part.PAYLOAD: b"payload", Part.EVIDENCE: b"pictures"}
    lookups = frozenset({Lookup(LookupKind.DOCUMENT, b"h" * 32)})
    append(log, new_event(event, sealed=sealed, lookups=lookups))
    assert log.ciphertext(event.event_id, Part.PAYLOAD) == b"payload"
    assert log.ciphertext(event.event_id, Part.EVIDENCE) == b"pictures"


def test_a_snapshot_does_not_see_later_appends(log: EventLog) -> None:
    append(log, new_event(a_list_event()))
    with log.snapshot() as snapshot:
        with ThreadPoolExecutor(1) as other:
            other.submit(append, log, new_event(a_list_event())).result()
        assert snapshot.size == 1
        assert len(list(snapshot.rows())) == 1


def test_what_is_stored_does_not_depend_on_the_order_of_serialisation(log: EventLog) -> None:
    event = new_screening(a_screening(), a_payload().SerializeToString())
    assert append(log, event).event().SerializeToString(deterministic=True) == event.stored


def test_two_logs_on_one_database_keep_one_order_and_one_tree(database: SqlDatabase) -> None:
    logs = [SqlLog(database, TickingClock()) for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: append(logs[number % 2], new_event(a_list_event())), range(700)))
    found = records(logs[0])
    assert [record.index for record in found] == list(range(700))
    tree = SqlTree(database)
    assert tree.subtrees(1, 0, 3) == [
        reference_root([record.leaf_sha256 for record in found[start : start + 256]]) for start in (0, 256)
    ]
    assert root(tree, 700) == reference_root([record.leaf_sha256 for record in found])


def test_a_log_goes_on_where_it_was(database: SqlDatabase) -> None:
    first = SqlLog(database, TickingClock())
    for _ in range(3):
        first.append([new_event(a_list_event()) for _ in range(100)])
    again = SqlLog(database, TickingClock())
    assert append(again, new_event(a_list_event())).index == 300
    leaves = [record.leaf_sha256 for record in records(again)]
    assert root(SqlTree(database), 301) == reference_root(leaves)


def test_subtrees_that_are_missing_are_made(database: SqlDatabase) -> None:
    first = SqlLog(database, TickingClock())
    first.append([new_event(a_list_event()) for _ in range(600)])
    before = SqlTree(database).subtrees(1, 0, 2)
    with database.transaction() as connection:
        connection.execute("DELETE FROM subtrees")
    SqlLog(database, TickingClock()).append([])
    assert SqlTree(database).subtrees(1, 0, 2) == before


def test_nothing_is_appended_over_a_gap_or_a_wrong_subtree(database: SqlDatabase) -> None:
    SqlLog(database, TickingClock()).append([new_event(a_list_event()) for _ in range(300)])
    with database.transaction() as connection:
        connection.execute("UPDATE subtrees SET hash = ?", (b"x" * 32,))
    with pytest.raises(LogDamagedError):
        SqlLog(database, TickingClock()).append([])
    with database.transaction() as connection:
        connection.execute("DELETE FROM subtrees")
        connection.execute("DELETE FROM log WHERE idx = 7")
    with pytest.raises(LogDamagedError, match="at event 7"):
        SqlLog(database, TickingClock()).append([])


def test_what_failed_leaves_no_trace_in_the_tree(database: SqlDatabase) -> None:
    log = SqlLog(database, TickingClock())
    append(log, new_event(a_list_event()))
    clash = new_event(a_list_event(), sealed={Part.PAYLOAD: None})  # type: ignore[dict-item]
    with pytest.raises((LogDamagedError, psycopg.Error)):
        log.append([clash])
    assert append(log, new_event(a_list_event())).index == 1
    assert root(SqlTree(database), 2) == reference_root([record.leaf_sha256 for record in records(log)])
