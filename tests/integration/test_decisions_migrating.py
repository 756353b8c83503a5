"""A log of the first version, one SQLite file with a root after each event, is brought over with all that is in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from borderpost.decisions.adapters.migrations.versions import r0001_one_file as former
from borderpost.decisions.adapters.schema import open_sqlite
from borderpost.decisions.domain import EventFilter
from borderpost.decisions.sealing import new_key, seal
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.keys import KEY_MIGRATIONS
from borderpost.runtime.sqlite import Database, DatabaseTooNewError, DatabaseUnusableError
from borderpost.v1.decisions_pb2 import Event, TravelerScreened
from borderpost.v1.types_pb2 import Actor
from fakes.decisions import START, a_call, a_list_event, a_payload, a_screening
from fakes.decisions_house import append, open_house

COUNT = 300


def screening_event(screening: TravelerScreened, ciphertext: bytes, event_id: str) -> Event:
    """An event as the first version wrote it: without a subject."""
    return Event(
        schema_version=1,
        event_id=event_id,
        time=to_timestamp(START),
        actor=Actor(issuer="borderpost.local", subject=screening.kiosk_id),
        payload_sha256=sha256(ciphertext).digest(),
        traveler_screened=screening,
    )


def write_former(folder: Path) -> tuple[list[bytes], TravelerScreened]:
    """Write a log of the first version and its keys; return the events and one of the screenings."""
    keys, stored, payloads, rows = {}, [], [], []
    frontier = Frontier()
    screening = a_screening()
    for number in range(COUNT):
        kiosk = request = None
        if number % 3:
            event = a_list_event()
        else:
            screening = a_screening()
            event_id, key = new_id(), new_key()
            ciphertext = seal(key, a_payload().SerializeToString(), event_id)
            event = screening_event(screening, ciphertext, event_id)
            keys[event_id], kiosk, request = key, screening.kiosk_id, screening.request_id
            payloads.append((event_id, ciphertext))
        stored.append(event.SerializeToString(deterministic=True))
        frontier = frontier.append(leaf_hash(stored[-1]))
        rows.append((event, kiosk, request, frontier.root()))
    folder.mkdir()
    with closing(sqlite3.connect(folder / "decisions.sqlite")) as connection, connection:
        for statement in former.STATEMENTS:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.executemany("INSERT INTO payloads VALUES (?, ?)", payloads)
        for number, (event, kiosk, request, root) in enumerate(rows):
            leaf = leaf_hash(stored[number])
            connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, 7)", (number, stored[number], leaf, root)
            )
            connection.execute(
                "INSERT INTO event_index VALUES (?, ?, 1, 0, NULL, ?, NULL, ?)",
                (number, event.event_id, kiosk, request),
            )
    database = Database(folder / "keys" / "keys.sqlite", KEY_MIGRATIONS[:2])
    with closing(database), database.transaction() as connection:
        connection.executemany("INSERT INTO keys (id, key) VALUES (?, ?)", list(keys.items()))
    return stored, screening


def test_every_event_payload_and_key_is_there_and_the_log_goes_on(tmp_path: Path) -> None:
    stored, screening = write_former(tmp_path / "state")
    with open_house(tmp_path / "state") as house:
        assert [record.stored for record in house.log.records(0, COUNT)] == stored
        found = house.verify()
        assert found.intact, found.faults
        call = a_call("case 4711", Role.AUDITOR)
        assert house.decisions.get_screening(None, screening.request_id, False, call)[1] == a_payload()
        assert append(house, screening).duplicate
        append(house, a_screening())
        house.transparency.make()
        assert (
            len(house.index.query(EventFilter(kiosk_id=screening.kiosk_id), None, 500).records) >= COUNT // 3
        )
        found = house.verify()
        assert found.intact, found.faults
        assert found.trusted_until == found.size
    with open_house(tmp_path / "state") as house:
        assert house.verify().intact


def test_a_log_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log" / "log.sqlite"
    open_sqlite(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseTooNewError, match="newer Borderpost"):
        open_sqlite(path)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseUnusableError, match=r"log\.sqlite"):
        open_sqlite(path)
    assert path.read_bytes() == b"no database" * 1000
