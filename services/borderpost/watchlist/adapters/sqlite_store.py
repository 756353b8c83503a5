"""Lists and entries in SQLite, with the outbox of their events."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

import structlog

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.outbox import OUTBOX_SCHEMA, enqueue
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import (
    Event,
    WatchlistCreated,
    WatchlistEntryApproved,
    WatchlistEntryProposed,
    WatchlistEntryRemoved,
)
from borderpost.v1.types_pb2 import Actor as ActorMessage
from borderpost.watchlist.domain import (
    Approval,
    Category,
    ChangeEvent,
    ChangeKind,
    DocumentKey,
    Entry,
    EntryContent,
    ListState,
    Model,
    PartialDate,
    PersonName,
    Template,
    Watchlist,
)
from borderpost.watchlist.ports import Stored, StoredSummary
from borderpost.watchlist.view import EPOCH, microseconds

EVENT_SCHEMA: Final = 1
"""`Event.schema_version` of the events made here."""

MIGRATIONS: Final = (
    OUTBOX_SCHEMA,
    """
    CREATE TABLE version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL);
    INSERT INTO version VALUES (1, 0);
    CREATE TABLE lists (
        list_id TEXT PRIMARY KEY, name TEXT NOT NULL, authority TEXT NOT NULL, legal_basis TEXT NOT NULL,
        category TEXT NOT NULL, priority INTEGER NOT NULL, handling_instruction TEXT NOT NULL,
        target_fpir REAL NOT NULL, version INTEGER NOT NULL, changed_at INTEGER NOT NULL
    );
    CREATE TABLE entries (
        place INTEGER PRIMARY KEY AUTOINCREMENT, entry_id TEXT NOT NULL UNIQUE,
        list_id TEXT NOT NULL REFERENCES lists,
        birth_year INTEGER, birth_month INTEGER, birth_day INTEGER,
        reason_code TEXT NOT NULL, source_reference TEXT NOT NULL,
        valid_from INTEGER, valid_until INTEGER NOT NULL,
        proposed_issuer TEXT NOT NULL, proposed_subject TEXT NOT NULL,
        approved_issuer TEXT, approved_subject TEXT, approved_version INTEGER
    );
    CREATE INDEX entries_by_list ON entries (list_id, place);
    CREATE TABLE templates (
        entry INTEGER NOT NULL REFERENCES entries, place INTEGER NOT NULL,
        model_id TEXT NOT NULL, dimension INTEGER NOT NULL, vector BLOB NOT NULL
    );
    CREATE INDEX templates_by_entry ON templates (entry, place);
    CREATE INDEX templates_by_model ON templates (model_id, dimension);
    CREATE TABLE names (
        entry INTEGER NOT NULL REFERENCES entries, place INTEGER NOT NULL,
        primary_identifier TEXT NOT NULL, secondary_identifier TEXT NOT NULL
    );
    CREATE INDEX names_by_entry ON names (entry, place);
    CREATE TABLE documents (
        entry INTEGER NOT NULL REFERENCES entries, place INTEGER NOT NULL,
        document_code TEXT NOT NULL, issuing_state TEXT NOT NULL, number TEXT NOT NULL
    );
    CREATE INDEX documents_by_entry ON documents (entry, place)
    """,
)
"""No index holds personal data, so a removed row leaves nothing in one. Times are microseconds (UTC)."""

_TEMPLATES: Final = "SELECT * FROM templates"
_NAMES: Final = "SELECT * FROM names"
_DOCUMENTS: Final = "SELECT * FROM documents"

_ENTRIES: Final = (
    "SELECT *, (SELECT count(*) FROM templates WHERE entry = entries.place) AS template_count FROM entries"
)
_ACTIVE: Final = (
    "list_id = ? AND approved_version IS NOT NULL AND valid_until > ? AND ifnull(valid_from, ?) <= ?"
)
_COUNT_ACTIVE: Final = "SELECT count(*) FROM entries WHERE " + _ACTIVE  # noqa: S608  # constants only
_COUNT_PROPOSED: Final = (
    "SELECT count(*) FROM entries WHERE list_id = ? AND approved_version IS NULL AND valid_until > ?"
)
_COUNT_TEMPLATES: Final = (  # constants only
    "SELECT model_id, dimension, count(*) AS count FROM templates"  # noqa: S608
    " JOIN entries ON entries.place = templates.entry WHERE " + _ACTIVE + " GROUP BY model_id, dimension"
    " ORDER BY model_id, dimension"
)

_log = structlog.get_logger(__name__)


class SqliteStore:
    """The store in one SQLite database, opened with `MIGRATIONS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def change(self) -> Iterator[SqliteChange]:
        """One change at a time: durable when the block ends, undone when it raises."""
        with self._database.transaction() as connection:
            yield SqliteChange(connection)

    def scrub(self) -> None:
        """Write the log into the database file and empty it: deleted rows are overwritten there."""
        if not self._database.truncate_wal():
            _log.warning("removed_rows_still_in_wal", advice="they go with the next removal or restart")

    def load(self) -> Stored:
        """Everything that can be searched, with templates."""
        with self._database.read() as connection:
            lists = connection.execute("SELECT * FROM lists").fetchall()
            active = tuple(_all_active(connection))
            return Stored(_version(connection), tuple(map(_list_state, lists)), active)

    def summaries(self, now: datetime) -> Sequence[StoredSummary]:
        """All lists by name, with what is on them."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM lists ORDER BY name, list_id").fetchall()
            return [_summary(connection, row, microseconds(now)) for row in rows]

    def entry(self, entry_id: str) -> Entry | None:
        """An entry without its templates, if there is one."""
        with self._database.read() as connection:
            return _entry(connection, entry_id, with_templates=False)

    def entries(self, list_id: str, after: int, limit: int) -> Sequence[tuple[int, Entry]] | None:
        """Up to `limit` entries of a list behind place `after`, oldest first; None if there is no such list."""
        with self._database.read() as connection:
            if connection.execute("SELECT 1 FROM lists WHERE list_id = ?", (list_id,)).fetchone() is None:
                return None
            rows = connection.execute(
                _ENTRIES + " WHERE list_id = ? AND place > ? ORDER BY place LIMIT ?", (list_id, after, limit)
            ).fetchall()
            entries = _entries(connection, rows, with_templates=False)
            return [(row["place"], entry) for row, entry in zip(rows, entries, strict=True)]


class SqliteChange:
    """One change, within a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def version(self) -> int:
        """The version of all lists together, within the change."""
        return _version(self._connection)

    def list_state(self, list_id: str) -> ListState | None:
        """The list, if there is one."""
        row = self._connection.execute("SELECT * FROM lists WHERE list_id = ?", (list_id,)).fetchone()
        return None if row is None else _list_state(row)

    def entry(self, entry_id: str) -> Entry | None:
        """The entry with its templates, if there is one."""
        return _entry(self._connection, entry_id, with_templates=True)

    def dimension(self, model_id: str) -> int | None:
        """The dimension of the templates that are kept of a model, if there are any."""
        row = self._connection.execute(
            "SELECT dimension FROM templates WHERE model_id = ? LIMIT 1", (model_id,)
        ).fetchone()
        return None if row is None else int(row["dimension"])

    def add_list(self, watchlist: Watchlist, now: datetime) -> None:
        """Add a list whose id is new, at version 0."""
        self._connection.execute(
            "INSERT INTO lists VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                watchlist.list_id,
                watchlist.name,
                watchlist.authority,
                watchlist.legal_basis,
                watchlist.category.value,
                watchlist.priority,
                watchlist.handling_instruction,
                watchlist.target_fpir,
                microseconds(now),
            ),
        )

    def add_entry(self, content: EntryContent, proposed_by: Actor) -> None:
        """Add a proposed entry whose id is new to a list that exists."""
        place = self._connection.execute(
            "INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
            (
                content.entry_id,
                content.list_id,
                content.birth_date.year,
                content.birth_date.month,
                content.birth_date.day,
                content.reason_code,
                content.source_reference,
                None if content.valid_from is None else microseconds(content.valid_from),
                microseconds(content.valid_until),
                proposed_by.issuer,
                proposed_by.subject,
            ),
        ).lastrowid
        self._connection.executemany(
            "INSERT INTO templates VALUES (?, ?, ?, ?, ?)",
            [
                (place, i, template.model.model_id, template.model.dimension, template.values)
                for i, template in enumerate(content.templates)
            ],
        )
        self._connection.executemany(
            "INSERT INTO names VALUES (?, ?, ?, ?)",
            [
                (place, i, name.primary_identifier, name.secondary_identifier)
                for i, name in enumerate(content.names)
            ],
        )
        self._connection.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?)",
            [
                (place, i, document.document_code, document.issuing_state, document.number)
                for i, document in enumerate(content.documents)
            ],
        )

    def approve(self, entry_id: str, approval: Approval) -> None:
        """Mark an entry as approved."""
        self._connection.execute(
            "UPDATE entries SET approved_issuer = ?, approved_subject = ?, approved_version = ? WHERE entry_id = ?",
            (approval.by.issuer, approval.by.subject, approval.version, entry_id),
        )

    def remove(self, entry_id: str) -> None:
        """Delete an entry with all that belongs to it; SQLite overwrites the rows (secure_delete)."""
        (place,) = self._connection.execute(
            "SELECT place FROM entries WHERE entry_id = ?", (entry_id,)
        ).fetchone()
        self._connection.execute("DELETE FROM templates WHERE entry = ?", (place,))
        self._connection.execute("DELETE FROM names WHERE entry = ?", (place,))
        self._connection.execute("DELETE FROM documents WHERE entry = ?", (place,))
        self._connection.execute("DELETE FROM entries WHERE place = ?", (place,))

    def bump(self, list_id: str, now: datetime) -> ListState:
        """Raise the version of a list, and that of all lists together."""
        self._connection.execute("UPDATE version SET version = version + 1")
        row = self._connection.execute(
            "UPDATE lists SET version = version + 1, changed_at = ? WHERE list_id = ? RETURNING *",
            (microseconds(now), list_id),
        ).fetchone()
        return _list_state(row)

    def record(self, event: ChangeEvent) -> None:
        """Put an event into the outbox, with the change."""
        enqueue(self._connection, to_event(event))


def to_event(event: ChangeEvent) -> Event:
    """The event as the decision log takes it."""
    message = Event(
        schema_version=EVENT_SCHEMA,
        event_id=event.event_id,
        time=to_timestamp(event.time),
        actor=ActorMessage(issuer=event.actor.issuer, subject=event.actor.subject),
        purpose=event.purpose,
    )
    list_id, entry_id, version = event.list_id, event.entry_id or "", event.version
    match event.kind:
        case ChangeKind.WATCHLIST_CREATED:
            message.watchlist_created.CopyFrom(WatchlistCreated(list_id=list_id, version=version))
        case ChangeKind.ENTRY_PROPOSED:
            message.watchlist_entry_proposed.CopyFrom(
                WatchlistEntryProposed(list_id=list_id, entry_id=entry_id, version=version)
            )
        case ChangeKind.ENTRY_APPROVED:
            message.watchlist_entry_approved.CopyFrom(
                WatchlistEntryApproved(list_id=list_id, entry_id=entry_id, version=version)
            )
        case ChangeKind.ENTRY_REMOVED:
            message.watchlist_entry_removed.CopyFrom(
                WatchlistEntryRemoved(list_id=list_id, entry_id=entry_id, version=version)
            )
    return message


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT version FROM version").fetchone()["version"])


def _time(stored: int) -> datetime:
    return EPOCH + timedelta(microseconds=stored)


def _list_state(row: sqlite3.Row) -> ListState:
    watchlist = Watchlist(
        row["list_id"],
        row["name"],
        row["authority"],
        row["legal_basis"],
        Category(row["category"]),
        row["priority"],
        row["handling_instruction"],
        row["target_fpir"],
    )
    return ListState(watchlist, row["version"], _time(row["changed_at"]))


def _summary(connection: sqlite3.Connection, row: sqlite3.Row, now: int) -> StoredSummary:
    at = (row["list_id"], now, now, now)
    (active,) = connection.execute(_COUNT_ACTIVE, at).fetchone()
    (proposed,) = connection.execute(_COUNT_PROPOSED, (row["list_id"], now)).fetchone()
    templates = connection.execute(_COUNT_TEMPLATES, at).fetchall()
    counts = tuple((Model(each["model_id"], each["dimension"]), each["count"]) for each in templates)
    return StoredSummary(_list_state(row), active, proposed, counts)


def _entry(connection: sqlite3.Connection, entry_id: str, *, with_templates: bool) -> Entry | None:
    rows = connection.execute(_ENTRIES + " WHERE entry_id = ?", (entry_id,)).fetchall()
    return next(iter(_entries(connection, rows, with_templates=with_templates)), None)


def _entries(
    connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], *, with_templates: bool
) -> Iterator[Entry]:
    """A few entries, each with its parts."""
    of_entry = " WHERE entry = ? ORDER BY place"
    for row in rows:
        place = (row["place"],)
        yield _to_entry(
            row,
            connection.execute(_TEMPLATES + of_entry, place).fetchall() if with_templates else [],
            connection.execute(_NAMES + of_entry, place).fetchall(),
            connection.execute(_DOCUMENTS + of_entry, place).fetchall(),
        )


def _all_active(connection: sqlite3.Connection) -> Iterator[Entry]:
    """All active entries, with one query for each kind of part."""
    templates, names, documents = (
        _by_entry(connection.execute(table + " ORDER BY entry, place"))
        for table in (_TEMPLATES, _NAMES, _DOCUMENTS)
    )
    for row in connection.execute(_ENTRIES + " WHERE approved_version IS NOT NULL ORDER BY place"):
        place = row["place"]
        yield _to_entry(row, templates.get(place, []), names.get(place, []), documents.get(place, []))


def _by_entry(rows: Iterable[sqlite3.Row]) -> dict[int, list[sqlite3.Row]]:
    return {entry: list(parts) for entry, parts in groupby(rows, key=itemgetter("entry"))}


def _to_entry(
    row: sqlite3.Row,
    templates: Sequence[sqlite3.Row],
    names: Sequence[sqlite3.Row],
    documents: Sequence[sqlite3.Row],
) -> Entry:
    content = EntryContent(
        entry_id=row["entry_id"],
        list_id=row["list_id"],
        templates=tuple(
            Template(Model(each["model_id"], each["dimension"]), each["vector"]) for each in templates
        ),
        names=tuple(PersonName(each["primary_identifier"], each["secondary_identifier"]) for each in names),
        birth_date=PartialDate(row["birth_year"], row["birth_month"], row["birth_day"]),
        documents=tuple(
            DocumentKey(each["document_code"], each["issuing_state"], each["number"]) for each in documents
        ),
        reason_code=row["reason_code"],
        source_reference=row["source_reference"],
        valid_from=None if row["valid_from"] is None else _time(row["valid_from"]),
        valid_until=_time(row["valid_until"]),
    )
    approval = None
    if row["approved_version"] is not None:
        approval = Approval(Actor(row["approved_issuer"], row["approved_subject"]), row["approved_version"])
    return Entry(
        content, row["template_count"], Actor(row["proposed_issuer"], row["proposed_subject"]), approval
    )
