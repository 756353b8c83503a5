"""What someone with the database file in hand can change, and how the log's check names it."""

# ruff: noqa: S608  # statements are put together on purpose: this is the attacker

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from borderpost.decisions.domain import Part, index_row
from borderpost.decisions.errors import LogDamagedError
from borderpost.decisions.verify import MAX_FAULTS, FaultCode, Verification
from borderpost.proofs.tree import leaf_hash
from borderpost.runtime.calls import Role
from borderpost.v1.decisions_pb2 import Event
from fakes.decisions import NAME, a_call, a_list_event, a_screening
from fakes.decisions_house import append, open_house

SIZE = 12
"""Events in the log when its first checkpoint is made: every third one a screening, its case, and a list's."""

TABLES = ("log", "event_index", "event_terms", "lookups")


class Files:
    """A written log, closed, with its file open for tampering."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log_path = folder / "decisions.sqlite"

    def check(self) -> Verification:
        with open_house(self.folder) as house:
            return house.verify()

    def faults(self) -> list[tuple[int, str]]:
        return [(fault.index, fault.code) for fault in self.check().faults]

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.log_path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def rewrite(self, index: int) -> None:
        """Change an event so that it stays a good one, and its leaf hash with it."""
        with closing(sqlite3.connect(self.log_path)) as connection, connection:
            (stored,) = connection.execute("SELECT event FROM log WHERE idx = ?", (index,)).fetchone()
            event = Event.FromString(stored)
            event.purpose = "another"
            changed = event.SerializeToString(deterministic=True)
            connection.execute(
                "UPDATE log SET event = ?, leaf_sha256 = ? WHERE idx = ?",
                (changed, leaf_hash(changed), index),
            )

    def grow(self, *, sign: bool = False) -> None:
        with open_house(self.folder) as house:
            house.recording.record_events([a_list_event()])
            if sign:
                house.transparency.make()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    with open_house(tmp_path) as house:
        for _ in range(SIZE // 3):
            append(house, a_screening())
            house.recording.record_events([a_list_event()])
        house.transparency.make()
        house.views.catch_up()
    files = Files(tmp_path)
    assert files.faults() == []
    return files


def test_one_byte_of_an_event(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection, connection:
        (stored,) = connection.execute("SELECT event FROM log WHERE idx = 4").fetchone()
        changed = stored[:60] + bytes([stored[60] ^ 1]) + stored[61:]
        connection.execute("UPDATE log SET event = ? WHERE idx = 4", (changed,))
    assert files.faults() == [(4, FaultCode.EVENT_ALTERED)]


def test_an_event_with_its_leaf_made_to_fit_is_named_by_the_first_checkpoint_behind_it(files: Files) -> None:
    files.grow(sign=True)
    files.rewrite(5)
    found = files.check()
    assert [(fault.index, fault.code) for fault in found.faults] == [(SIZE, FaultCode.CHECKPOINT_WRONG)]
    assert found.trusted_until == 0


def test_what_is_signed_before_a_change_stays_trusted(files: Files) -> None:
    files.grow(sign=True)
    files.rewrite(SIZE)
    found = files.check()
    assert [(fault.index, fault.code) for fault in found.faults] == [(SIZE + 1, FaultCode.CHECKPOINT_WRONG)]
    assert found.trusted_until == SIZE


def test_bytes_that_are_no_event_with_a_leaf_made_to_fit(files: Files) -> None:
    files.grow()
    leaf = leaf_hash(b"\xff").hex()
    files.change(f"UPDATE log SET event = x'ff', leaf_sha256 = x'{leaf}' WHERE idx = {SIZE}")
    assert files.faults() == [(SIZE, FaultCode.EVENT_ALTERED)]


def test_a_checkpoint_changed(files: Files) -> None:
    files.change("UPDATE checkpoints SET note = replace(note, 'local', 'other')")
    assert files.faults() == [(SIZE, FaultCode.SIGNATURE_WRONG)]


def test_an_event_added_behind_the_log(files: Files) -> None:
    files.change(
        f"INSERT INTO log SELECT {SIZE}, 'x', NULL, event, leaf_sha256, logged_at FROM log WHERE idx = 2"
    )
    assert (SIZE, FaultCode.EVENT_ALTERED) in files.faults()


@pytest.mark.parametrize("index", [0, 6])
def test_a_row_deleted(files: Files, index: int) -> None:
    files.change(f"DELETE FROM log WHERE idx = {index}")
    assert files.faults() == [(index, FaultCode.EVENT_MISSING), (index, FaultCode.INDEX_WRONG)]


def test_a_row_deleted_and_the_rest_moved_up(files: Files) -> None:
    files.change(
        "DELETE FROM log WHERE idx = 5",
        "UPDATE log SET idx = idx - 1 WHERE idx > 5",
        "DELETE FROM event_index WHERE idx = 5",
        "DELETE FROM event_terms WHERE idx = 5",
        "UPDATE event_index SET idx = idx - 1 WHERE idx > 5",
        "UPDATE event_terms SET idx = idx - 1 WHERE idx > 5",
    )
    assert files.faults()[0] == (SIZE - 1, FaultCode.TRUNCATED)


def test_two_rows_swapped(files: Files) -> None:
    files.change(
        "UPDATE log SET idx = 99 WHERE idx = 3",
        "UPDATE log SET idx = 3 WHERE idx = 8",
        "UPDATE log SET idx = 8 WHERE idx = 99",
    )
    found = files.faults()
    assert (SIZE, FaultCode.CHECKPOINT_WRONG) in found
    assert {index for index, code in found if code == FaultCode.INDEX_WRONG} == {3, 8}


def test_the_newest_events_cut_off_are_named_by_the_checkpoint_that_had_them(files: Files) -> None:
    files.change(*(f"DELETE FROM {table} WHERE idx >= {SIZE - 2}" for table in TABLES))
    assert (SIZE - 2, FaultCode.TRUNCATED) in files.faults()


def test_events_cut_off_with_their_checkpoints_are_seen_only_by_a_witness(files: Files) -> None:
    kept = files.check()
    files.change(
        *(f"DELETE FROM {table} WHERE idx >= {SIZE - 3}" for table in TABLES),
        "DELETE FROM checkpoints",
        f"UPDATE views SET upto = {SIZE - 3}",
    )
    found = files.check()
    assert found.intact
    assert (found.size, found.root_sha256) != (kept.size, kept.root_sha256)


def test_a_payload_changed(files: Files) -> None:
    event_id = event_id_at(files, 3)
    files.change(f"UPDATE sealed SET ciphertext = zeroblob(60) WHERE event_id = '{event_id}'")
    assert files.faults() == [(3, FaultCode.PAYLOAD_ALTERED)]


def test_two_payloads_swapped(files: Files) -> None:
    one, other = event_id_at(files, 3), event_id_at(files, 6)
    files.change(
        f"UPDATE sealed SET event_id = 'x' WHERE event_id = '{one}'",
        f"UPDATE sealed SET event_id = '{one}' WHERE event_id = '{other}'",
        f"UPDATE sealed SET event_id = '{other}' WHERE event_id = 'x'",
    )
    assert files.faults() == [(3, FaultCode.PAYLOAD_ALTERED), (6, FaultCode.PAYLOAD_ALTERED)]


def test_a_payload_deleted(files: Files) -> None:
    files.change(f"DELETE FROM sealed WHERE event_id = '{event_id_at(files, 3)}'")
    assert files.faults() == [(3, FaultCode.PAYLOAD_MISSING)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event_index SET outcome = 1 WHERE idx = 3",
        "UPDATE event_index SET time = time + 1 WHERE idx = 3",
        "UPDATE event_index SET kiosk_id = 'kiosk/south/1' WHERE idx = 3",
        "UPDATE event_index SET visit_id = NULL WHERE idx = 3",
        "DELETE FROM event_index WHERE idx = 3",
        "DELETE FROM event_terms WHERE idx = 3",
        "INSERT INTO event_terms VALUES (1, 'DOCUMENT_EXPIRED', 3)",
    ],
)
def test_an_index_that_would_hide_an_event_from_queries(files: Files, statement: str) -> None:
    files.change(statement)
    assert files.faults() == [(3, FaultCode.INDEX_WRONG)]


def test_faults_are_counted_up_to_their_limit_in_a_log_of_ruins(files: Files) -> None:
    files.change("DELETE FROM log WHERE idx < 11", "UPDATE log SET idx = 9000000000")
    found = files.check()
    assert len(found.faults) == MAX_FAULTS
    assert not found.intact


def test_nothing_is_appended_to_a_log_with_a_gap(files: Files) -> None:
    files.change("DELETE FROM log WHERE idx = 3")
    with open_house(files.folder) as house:
        with pytest.raises(LogDamagedError):
            house.recording.record_events([a_list_event()])
        with pytest.raises(LogDamagedError):
            house.decisions.check_writable()
    assert files.check().size == SIZE - 1


def test_no_checkpoint_is_signed_over_a_history_that_was_rewritten(files: Files) -> None:
    files.rewrite(5)
    files.grow()
    with open_house(files.folder) as house, pytest.raises(LogDamagedError, match="no other is signed"):
        house.transparency.make()


def test_bytes_flipped_in_the_file_itself_never_pass_as_intact(files: Files) -> None:
    with closing(sqlite3.connect(files.log_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (stored,) = connection.execute("SELECT event FROM log WHERE idx = 4").fetchone()
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
    with open_house(files.folder) as house:
        files.log_path.write_bytes(original[:4096] + b"\xff" * (len(original) - 4096))
        with pytest.raises(LogDamagedError):
            house.verify()


def test_personal_data_is_nowhere_in_the_files(files: Files) -> None:
    written = [path for path in files.folder.rglob("*") if path.is_file()]
    assert files.log_path in written
    for path in written:
        assert NAME.encode() not in path.read_bytes(), path.name


def test_a_destroyed_key_takes_the_payload_and_the_log_stays_intact(files: Files) -> None:
    with open_house(files.folder) as house:
        screening = a_screening()
        event_id = append(house, screening).record.event().event_id
        house.keys.destroy(event_id)
        call = a_call("case 4711", Role.AUDITOR)
        assert house.decisions.get_screening(None, screening.request_id, False, call)[1] is None
        assert house.log.ciphertext(event_id, Part.PAYLOAD) is not None
        assert house.verify().intact


def test_a_key_lies_open_in_no_file(files: Files) -> None:
    with open_house(files.folder) as house:
        key = house.keys.get(event_id_at(files, 0))
    assert key is not None
    assert not any(key in path.read_bytes() for path in files.folder.rglob("*") if path.is_file())


def event_id_at(files: Files, index: int) -> str:
    with closing(sqlite3.connect(files.log_path)) as connection:
        (stored,) = connection.execute("SELECT event FROM log WHERE idx = ?", (index,)).fetchone()
    return index_row(Event.FromString(stored)).event_id
