"""A database of before anything was sealed: everything in it is kept, and no clear text stays in the file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from borderpost.runtime.outbox import enqueue
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.adapters.sql_schema import SQLITE_MIGRATIONS
from borderpost.watchlist.adapters.sql_store import open_store
from borderpost.watchlist.domain import Approval, Category, microseconds
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from fakes.watchlist_rows import ANNA, BEN, LARGE, NOW, SMALL, a_list, a_template, an_entry

FORMER = 2
"""Migrations of the former schema."""


def write_former(path: Path, list_id: str, entries: int) -> list:
    """Write a former database, without the code that did."""
    database = Database(path, SQLITE_MIGRATIONS[:FORMER])
    contents = []
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO lists VALUES (?, 'Wanted', 'Ministry', 'Border Act', 'wanted', 2, 'Call.', 0.01, 7, ?)",
            (list_id, microseconds(NOW)),
        )
        connection.execute("UPDATE version SET version = 9")
        for number in range(entries):
            content = an_entry(
                list_id,
                templates=(a_template(SMALL), a_template(LARGE)),
                names=(PersonName(f"CANARYSURNAME{number}", "CANARYGIVEN"),),
                birth_date=PartialDate(1974, None, 12),
                documents=(DocumentKey("P", "UTO", f"CANARY{number}"),),
                source_reference="CANARYCASE",
                valid_from=NOW - timedelta(days=1) if number % 2 else None,
            )
            contents.append(content)
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, 1974, NULL, 12, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number + 1,
                    content.entry_id,
                    list_id,
                    content.reason_code,
                    content.source_reference,
                    None if content.valid_from is None else microseconds(content.valid_from),
                    microseconds(content.valid_until),
                    ANNA.issuer,
                    ANNA.subject,
                    *((BEN.issuer, BEN.subject, number + 1) if number else (None, None, None)),
                ),
            )
            for place, template in enumerate(content.templates):
                connection.execute(
                    "INSERT INTO templates VALUES (?, ?, ?, ?, ?)",
                    (number + 1, place, template.model.model_id, template.model.dimension, template.values),
                )
            (name,), (document,) = content.names, content.documents
            connection.execute(
                "INSERT INTO names VALUES (?, 0, ?, ?)",
                (number + 1, name.primary_identifier, name.secondary_identifier),
            )
            connection.execute(
                "INSERT INTO documents VALUES (?, 0, 'P', 'UTO', ?)", (number + 1, document.number)
            )
        enqueue(connection, Event(event_id="waits"))
    database.close()
    return contents


def test_a_former_database_is_sealed_whole_and_nothing_stays_in_clear(tmp_path: Path) -> None:
    wanted = a_list()
    contents = write_former(tmp_path / "watchlist.sqlite", wanted.list_id, 30)
    store = open_store(tmp_path, "", None, "")
    store.scrub()
    with store.read() as reading:
        state = reading.list_state(wanted.list_id)
        assert state is not None
        assert (state.version, state.changed_at) == (7, NOW)
        assert (state.watchlist.name, state.watchlist.category) == ("Wanted", Category.WANTED)
        assert state.watchlist.name_target_fpir == state.watchlist.target_fpir == 0.01
        assert reading.version >= 9
        assert reading.changes_since(9) is None
        entries = [entry for _, entry in reading.entries(wanted.list_id, 0, 99)]
        assert [entry.content.entry_id for entry in entries] == [each.entry_id for each in contents]
        assert [entry.proposed_by for entry in entries] == [ANNA] * 30
        assert [entry.approval for entry in entries[:3]] == [None, Approval(BEN, 2), Approval(BEN, 3)]
        for content in contents:
            entry = reading.entry(content.entry_id, whole=True)
            assert entry is not None
            assert entry.content == content
    loaded = [
        entry_id for block in store.load(lambda done, total: None).blocks for entry_id in block.entry_ids
    ]
    assert loaded == [content.entry_id for content in contents[1:]]
    with store.database.read() as connection:
        (row,) = connection.execute("SELECT event FROM outbox").fetchall()
        assert Event.FromString(row["event"]).event_id == "waits"
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"CANARY" not in stored
    assert not any(template.values in stored for content in contents for template in content.templates)
    store.close()


def test_a_former_database_is_sealed_once(tmp_path: Path) -> None:
    contents = write_former(tmp_path / "watchlist.sqlite", a_list().list_id, 2)
    open_store(tmp_path, "", None, "").close()
    again = open_store(tmp_path, "", None, "")
    with again.read() as reading:
        assert reading.entry(contents[1].entry_id, whole=True) is not None
    again.close()


def test_a_former_database_without_lists_is_a_new_one(tmp_path: Path) -> None:
    Database(tmp_path / "watchlist.sqlite", SQLITE_MIGRATIONS[:FORMER]).close()
    store = open_store(tmp_path, "", None, "")
    with store.read() as reading:
        assert (reading.version, reading.lists()) == (0, ())
    store.close()
