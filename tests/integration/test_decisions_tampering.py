"""What someone with the database file in hand can change, and how the log's check names it."""

# ruff: noqa: S608  # statements are put together on purpose: this is the attacker

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from borderpost.decisions.adapters.sqlite_log import SqliteLog
from borderpost.decisions.app import Decisions
from borderpost.decisions.domain import index_row
from borderpost.decisions.errors import LogDamagedError
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.decisions.verify import MAX_FAULTS, FaultCode, Verification, verify
from borderpost.runtime.calls import Role
from borderpost.runtime.keys import open_sqlite_keys
from borderpost.v1.decisions_pb2 import Event
from fakes.decisions import NAME, TickingClock, a_call, a_list_event, a_payload, a_screening

SIZE = 12
"""Events in the log: every second one a screening, so that even ones have payloads."""


class Files:
    """A written log, closed, with its file open for tampering."""

    def __init__(self, folder: Path) -> None:
        self.log_path = folder / "log" / "log.sqlite"
        self.keys_path = folder / "keys" / "keys.sqlite"

    def open(self) -> Decisions:
        clock = TickingClock()
        return Decisions(SqliteLog(self.log_path, clock), open_sqlite_keys(self.keys_path), clock)

    def check(self) -> Verification:
        with closing(SqliteLog(self.log_path, TickingClock())) as log, log.snapshot() as snapshot:
            return verify(snapshot)

    def faults(self) -> list[tuple[int, str]]:
        return [(fault.index, fault.code) for fault in self.check().faults]

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.log_path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    app = files.open()
    for _ in range(SIZE // 2):
        app.append_screening(a_screening(), a_payload(), a_call())
        app.record_events([a_list_event()])
    assert files.faults() == []
    return files


def change_event(connection: sqlite3.Connection, index: int) -> bytes:
    """Change the purpose of an event, so that it stays a good one; return its new bytes."""
    (stored,) = connection.execute("SELECT event FROM events WHERE idx = ?", (index,)).fetchone()
    event = Event.FromString(stored)
    event.purpose = "another"
    return event.SerializeToString(deterministic=True)


def test_one_byte_of_an_event(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection, connection:
        (stored,) = connection.execute("SELECT event FROM events WHERE idx = 4").fetchone()
        changed = stored[:60] + bytes([stored[60] ^ 1]) + stored[61:]
        connection.execute("UPDATE events SET event = ? WHERE idx = 4", (changed,))
    assert files.faults() == [(4, FaultCode.EVENT_ALTERED)]


def test_an_event_with_its_leaf_made_to_fit_is_named_by_the_first_wrong_root(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection, connection:
        changed = change_event(connection, 5)
        connection.execute(
            "UPDATE events SET event = ?, leaf_sha256 = ? WHERE idx = 5", (changed, leaf_hash(changed))
        )
    assert files.faults() == [(5, FaultCode.ROOT_WRONG)]


def test_bytes_that_are_no_event_with_leaf_and_root_made_to_fit(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection, connection:
        leaves = [row[0] for row in connection.execute("SELECT leaf_sha256 FROM events ORDER BY idx")]
        leaves[-1] = leaf_hash(b"\xff")
        frontier = Frontier()
        for leaf in leaves:
            frontier = frontier.append(leaf)
        connection.execute(
            "UPDATE events SET event = ?, leaf_sha256 = ?, root_sha256 = ? WHERE idx = ?",
            (b"\xff", leaves[-1], frontier.root(), SIZE - 1),
        )
    assert files.faults() == [(SIZE - 1, FaultCode.EVENT_ALTERED)]


@pytest.mark.parametrize("index", [0, 6])
def test_a_row_deleted(files: Files, index: int) -> None:
    files.change(f"DELETE FROM events WHERE idx = {index}")
    assert files.faults() == [(index, FaultCode.EVENT_MISSING), (index, FaultCode.INDEX_WRONG)]


def test_a_row_deleted_and_the_rest_moved_up(files: Files) -> None:
    files.change(
        "DELETE FROM events WHERE idx = 5",
        "UPDATE events SET idx = idx - 1 WHERE idx > 5",
        "DELETE FROM event_index WHERE idx = 5",
        "DELETE FROM event_reasons WHERE idx = 5",
        "UPDATE event_index SET idx = idx - 1 WHERE idx > 5",
        "UPDATE event_reasons SET idx = idx - 1 WHERE idx > 5",
    )
    assert files.faults() == [(5, FaultCode.ROOT_WRONG)]


def test_two_rows_swapped(files: Files) -> None:
    files.change(
        "UPDATE events SET idx = 99 WHERE idx = 3",
        "UPDATE events SET idx = 3 WHERE idx = 8",
        "UPDATE events SET idx = 8 WHERE idx = 99",
    )
    found = files.faults()
    assert (3, FaultCode.ROOT_WRONG) in found
    assert {index for index, code in found if code == FaultCode.INDEX_WRONG} == {3, 8}


def test_one_root_changed_is_named_alone(files: Files) -> None:
    files.change("UPDATE events SET root_sha256 = zeroblob(32) WHERE idx = 7")
    assert files.faults() == [(7, FaultCode.ROOT_WRONG)]


def test_the_newest_events_cut_off_are_named_by_what_is_left_of_them(files: Files) -> None:
    files.change(f"DELETE FROM events WHERE idx >= {SIZE - 2}")
    assert files.faults() == [(SIZE - 2, FaultCode.INDEX_WRONG), (SIZE - 1, FaultCode.INDEX_WRONG)]


def test_the_newest_events_cut_off_with_all_that_is_theirs_are_seen_only_by_a_root_kept_elsewhere(
    files: Files,
) -> None:
    kept = files.check()
    files.change(
        *(
            f"DELETE FROM {table} WHERE idx >= {SIZE - 2}"
            for table in ("events", "event_index", "event_reasons")
        )
    )
    found = files.check()
    assert found.intact
    assert (found.size, found.root_sha256) != (kept.size, kept.root_sha256)


def test_a_payload_changed(files: Files) -> None:
    event_id = event_id_at(files, 2)
    files.change(f"UPDATE payloads SET ciphertext = zeroblob(60) WHERE event_id = '{event_id}'")
    assert files.faults() == [(2, FaultCode.PAYLOAD_ALTERED)]


def test_two_payloads_swapped(files: Files) -> None:
    one, other = event_id_at(files, 2), event_id_at(files, 4)
    files.change(
        f"UPDATE payloads SET event_id = 'x' WHERE event_id = '{one}'",
        f"UPDATE payloads SET event_id = '{one}' WHERE event_id = '{other}'",
        f"UPDATE payloads SET event_id = '{other}' WHERE event_id = 'x'",
    )
    assert files.faults() == [(2, FaultCode.PAYLOAD_ALTERED), (4, FaultCode.PAYLOAD_ALTERED)]


def test_a_payload_deleted(files: Files) -> None:
    files.change(f"DELETE FROM payloads WHERE event_id = '{event_id_at(files, 2)}'")
    assert files.faults() == [(2, FaultCode.PAYLOAD_MISSING)]


def test_a_payload_added_to_an_event_that_has_none(files: Files) -> None:
    files.change(f"INSERT INTO payloads VALUES ('{event_id_at(files, 3)}', x'00')")
    assert files.faults() == [(3, FaultCode.PAYLOAD_ALTERED)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event_index SET outcome = 1 WHERE idx = 4",
        "UPDATE event_index SET time = time + 1 WHERE idx = 4",
        "UPDATE event_index SET kiosk_id = 'kiosk/south/1' WHERE idx = 4",
        "UPDATE event_index SET visit_id = NULL WHERE idx = 4",
        "DELETE FROM event_index WHERE idx = 4",
        "DELETE FROM event_reasons WHERE idx = 4",
        "INSERT INTO event_reasons VALUES (4, 'DOCUMENT_EXPIRED')",
    ],
)
def test_an_index_that_would_hide_an_event_from_queries(files: Files, statement: str) -> None:
    files.change(statement)
    assert files.faults() == [(4, FaultCode.INDEX_WRONG)]


def test_faults_are_counted_up_to_their_limit_in_a_log_of_ruins(files: Files) -> None:
    files.change("DELETE FROM events WHERE idx < 11", "UPDATE events SET idx = 9000000000")
    found = files.check()
    assert len(found.faults) == MAX_FAULTS
    assert not found.intact


def test_nothing_is_appended_to_a_log_whose_leaves_or_places_are_not_what_was_written(files: Files) -> None:
    files.change("UPDATE events SET leaf_sha256 = zeroblob(32) WHERE idx = 3")
    with pytest.raises(LogDamagedError):
        files.open().record_events([a_list_event()])
    with pytest.raises(LogDamagedError):
        files.open().check_writable()
    files.change("DELETE FROM events WHERE idx = 3")
    with pytest.raises(LogDamagedError):
        files.open().record_events([a_list_event()])
    assert files.check().size == SIZE - 1


def test_nothing_is_appended_after_a_gap_even_if_the_last_root_was_made_to_fit(files: Files) -> None:
    files.change(
        f"DELETE FROM events WHERE idx < {SIZE - 1}",
        "UPDATE events SET root_sha256 = leaf_sha256",  # the root of one leaf is the leaf
    )
    with pytest.raises(LogDamagedError):
        files.open().record_events([a_list_event()])


def test_bytes_flipped_in_the_file_itself_never_pass_as_intact(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (stored,) = connection.execute("SELECT event FROM events WHERE idx = 4").fetchone()
    original = files.log_path.read_bytes()
    start = original.index(stored)
    # The row's own header just before its bytes, and the bytes from their first to their last.
    for place in (start - 6, start - 3, start, start + 40, start + len(stored) - 1):
        files.log_path.write_bytes(original[:place] + bytes([original[place] ^ 0x41]) + original[place + 1 :])
        try:
            intact = files.check().intact
        except LogDamagedError:
            intact = False
        assert not intact, f"byte {place - start} of the event"


def test_a_file_that_is_no_database_any_more_is_a_typed_error(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    original = files.log_path.read_bytes()
    log = SqliteLog(files.log_path, TickingClock())
    files.log_path.write_bytes(original[:4096] + b"\xff" * (len(original) - 4096))
    with pytest.raises(LogDamagedError), log.snapshot() as snapshot:
        verify(snapshot)


def test_personal_data_is_nowhere_in_the_files(files: Files) -> None:
    written = [path for path in files.log_path.parent.parent.rglob("*") if path.is_file()]
    assert files.log_path in written
    for path in written:
        assert NAME.encode() not in path.read_bytes(), path.name


def test_a_destroyed_key_is_nowhere_in_the_key_files_and_the_log_stays_intact(files: Files) -> None:
    app, keys = files.open(), open_sqlite_keys(files.keys_path)
    screening = a_screening()
    event_id = app.append_screening(screening, a_payload(), a_call()).record.event().event_id
    key = keys.get(event_id)
    assert key is not None
    assert any(key in path.read_bytes() for path in files.keys_path.parent.iterdir())
    keys.destroy(event_id)
    assert not any(key in path.read_bytes() for path in files.keys_path.parent.iterdir())
    assert app.get_screening(None, screening.request_id, a_call("case 4711", Role.AUDITOR))[1] is None
    assert app.verify_log().intact


def test_a_key_is_not_in_the_logs_folder(files: Files) -> None:
    keys = open_sqlite_keys(files.keys_path)
    key = keys.get(event_id_at(files, 0))
    assert key is not None
    assert not any(key in path.read_bytes() for path in files.log_path.parent.iterdir())


def event_id_at(files: Files, index: int) -> str:
    with closing(sqlite3.connect(files.log_path)) as connection:
        (stored,) = connection.execute("SELECT event FROM events WHERE idx = ?", (index,)).fetchone()
    return index_row(Event.FromString(stored)).event_id
