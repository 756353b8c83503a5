"""Sealing a SQLite database that was made before anything in it was sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog

from borderpost.runtime.calls import Actor
from borderpost.runtime.sql import Connection, chunks
from borderpost.runtime.sqlite import Database
from borderpost.watchlist.adapters.sql_change import SqlChange
from borderpost.watchlist.adapters.sql_schema import FORMER_TABLES
from borderpost.watchlist.domain import (
    Approval,
    Category,
    EntryContent,
    Watchlist,
    from_microseconds,
)
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.ports import NewEntry
from borderpost.watchlist.templates import Model, Template

ENTRIES_AT_ONCE: Final = 500
"""Entries that are read and sealed at a time."""

_PUT_ASIDE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'former_entries'"

_log = structlog.get_logger(__name__)


def seal_former(database: Database, store: Any) -> None:
    """Seal what is in the former tables, if there is anything, and leave no clear text in the file."""
    with database.transaction() as connection:
        if connection.execute(_PUT_ASIDE).fetchone() is None:
            return
    with store.change() as change:
        lists = change.connection.execute("SELECT * FROM former_lists").fetchall()
        if lists:
            _seal_all(change, change.connection, lists)
        for table in FORMER_TABLES:
            change.connection.execute(f"DROP TABLE former_{table}")
    if lists:
        _log.info("former_lists_sealed", lists=len(lists))
        database.vacuum()
        database.truncate_wal()


def _seal_all(change: SqlChange, connection: Connection, lists: Sequence[Any]) -> None:
    for row in lists:
        _seal_list(change, connection, row)
    places = [row["place"] for row in connection.execute("SELECT place FROM former_entries ORDER BY place")]
    for some in chunks(places, ENTRIES_AT_ONCE):
        rows = connection.execute(
            "SELECT * FROM former_entries WHERE place BETWEEN ? AND ? ORDER BY place", (some[0], some[-1])
        ).fetchall()
        change.add_entries([_new_entry(connection, row) for row in rows])
        for row in rows:
            if row["approved_version"] is not None:
                by = Actor(row["approved_issuer"], row["approved_subject"])
                change.approve((row["entry_id"],), Approval(by, row["approved_version"]))
    # Who followed the former database knows nothing of these stamps: whatever is older is to be loaded anew.
    connection.execute(
        "UPDATE version SET version = former.version + 1, forgotten = former.version + 1"
        " FROM former_version former"
    )


def _seal_list(change: SqlChange, connection: Connection, row: Any) -> None:
    watchlist = Watchlist(
        list_id=row["list_id"],
        name=row["name"],
        authority=row["authority"],
        legal_basis=row["legal_basis"],
        category=Category(row["category"]),
        priority=row["priority"],
        handling_instruction=row["handling_instruction"],
        target_fpir=row["target_fpir"],
        name_target_fpir=row["target_fpir"],
    )
    change.put_list(watchlist, from_microseconds(row["changed_at"]))
    connection.execute("UPDATE lists SET version = ? WHERE list_id = ?", (row["version"], row["list_id"]))


def _new_entry(connection: Connection, row: Any) -> NewEntry:
    templates, names, documents = (
        _parts(connection, table, row["place"]) for table in ("templates", "names", "documents")
    )
    content = EntryContent(
        entry_id=row["entry_id"],
        list_id=row["list_id"],
        templates=tuple(
            Template(Model(each["model_id"], each["dimension"]), bytes(each["vector"])) for each in templates
        ),
        names=tuple(PersonName(each["primary_identifier"], each["secondary_identifier"]) for each in names),
        birth_date=PartialDate(row["birth_year"], row["birth_month"], row["birth_day"]),
        documents=tuple(
            DocumentKey(each["document_code"], each["issuing_state"], each["number"]) for each in documents
        ),
        reason_code=row["reason_code"],
        source_reference=row["source_reference"],
        valid_from=None if row["valid_from"] is None else from_microseconds(row["valid_from"]),
        valid_until=from_microseconds(row["valid_until"]),
    )
    return NewEntry(content, Actor(row["proposed_issuer"], row["proposed_subject"]))


def _parts(connection: Connection, table: str, place: int) -> Sequence[Any]:
    return connection.execute(
        f"SELECT * FROM former_{table} WHERE entry = ? ORDER BY place",  # noqa: S608  # names from here
        (place,),
    ).fetchall()
