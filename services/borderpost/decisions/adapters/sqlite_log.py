"""The event log in one SQLite file.

Table `events` is the truth. `event_index` and `event_reasons` are made from its bytes and can be made again;
`payloads` holds ciphertext only.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from borderpost.decisions.domain import Appended, EventFilter, IndexRow, NewEvent, Page, Record
from borderpost.decisions.errors import EventIdReusedError, LogDamagedError
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.decisions.ports import StoredRow
from borderpost.runtime.clock import Clock
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.sqlite import Database

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_SCHEMA: Final = """
CREATE TABLE events (
    idx INTEGER PRIMARY KEY CHECK (idx >= 0),
    event BLOB NOT NULL,
    leaf_sha256 BLOB NOT NULL,
    root_sha256 BLOB NOT NULL,
    logged_at INTEGER NOT NULL
) STRICT;
CREATE TABLE payloads (event_id TEXT PRIMARY KEY, ciphertext BLOB NOT NULL) STRICT;
CREATE TABLE event_index (
    idx INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    time INTEGER NOT NULL,
    outcome INTEGER,
    kiosk_id TEXT,
    visit_id TEXT,
    request_id TEXT,
    UNIQUE (request_id, kiosk_id)
) STRICT;
CREATE INDEX event_index_time ON event_index (time);
CREATE INDEX event_index_kind ON event_index (kind);
CREATE INDEX event_index_outcome ON event_index (outcome) WHERE outcome IS NOT NULL;
CREATE INDEX event_index_kiosk ON event_index (kiosk_id) WHERE kiosk_id IS NOT NULL;
CREATE INDEX event_index_visit ON event_index (visit_id) WHERE visit_id IS NOT NULL;
CREATE TABLE event_reasons (idx INTEGER, reason TEXT, PRIMARY KEY (idx, reason)) STRICT, WITHOUT ROWID;
CREATE INDEX event_reasons_reason ON event_reasons (reason)
"""

_RECORD: Final = (
    "SELECT e.idx, e.logged_at, e.event, e.leaf_sha256 FROM event_index i JOIN events e ON e.idx = i.idx"
)
_INDEX_COLUMNS: Final = "event_id, kind, time, outcome, kiosk_id, visit_id, request_id"


class SqliteLog:
    """An `EventLog`. Processes that share the file are kept in order by SQLite's own lock."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or create the file; see `Database` for the errors."""
        self._database = Database(path, (_SCHEMA,))
        self._clock = clock
        self._sequencer = threading.Lock()
        self._frontier = Frontier()

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        """Append all or none, in this order; durable when it returns. See `EventLog.append`."""
        with self._sequencer, _explained():
            with self._database.transaction() as connection:
                batch = _Batch(connection, self._caught_up(connection), self._clock.now())
                results = [batch.append(event) for event in events]
            # Only now: what was rolled back must leave no trace in the tree.
            self._frontier = batch.frontier
        return results

    def screenings(self, request_id: str, kiosk_id: str | None = None) -> list[Record]:
        """Return the screenings with this request id, of one kiosk or of all."""
        with _explained(), self._database.read() as connection:
            rows = connection.execute(
                f"{_RECORD} WHERE i.request_id = ? AND (? IS NULL OR i.kiosk_id = ?) ORDER BY i.idx",
                (request_id, kiosk_id, kiosk_id),
            ).fetchall()
        return [_record(row) for row in rows]

    def ciphertext(self, event_id: str) -> bytes | None:
        """Return the payload stored for an event."""
        with _explained(), self._database.read() as connection:
            return _ciphertext(connection, event_id)

    def query(self, wanted: EventFilter, before: int | None, limit: int) -> Page:
        """Return the newest `limit` events that are wanted and whose index is below `before`."""
        conditions = _conditions(wanted)
        if before is not None:
            conditions.append(("i.idx < ?", (before,)))
        where = " AND ".join(text for text, _ in conditions) or "TRUE"
        values = [value for _, values in conditions for value in values]
        with _explained(), self._database.read() as connection:
            rows = connection.execute(
                f"{_RECORD} WHERE {where} ORDER BY i.idx DESC LIMIT ?", (*values, limit + 1)
            ).fetchall()
        records = tuple(_record(row) for row in rows[:limit])
        return Page(records, records[-1].index if len(rows) > limit else None)

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Open the log as it is now; appends go on meanwhile and are not seen."""
        with _explained(), self._database.read() as connection:
            # SQLite takes the snapshot at the first read, not when the transaction begins.
            connection.execute("SELECT max(idx) FROM events").fetchone()
            yield SqliteSnapshot(connection)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _caught_up(self, connection: sqlite3.Connection) -> Frontier:
        """Return the tree's frontier with every stored event in it: at the first append those of earlier runs."""
        frontier, root = self._frontier, None
        for row in connection.execute(
            "SELECT idx, leaf_sha256, root_sha256 FROM events WHERE idx >= ? ORDER BY idx", (frontier.size,)
        ):
            if row["idx"] != frontier.size:
                raise _damaged(frontier.size)
            frontier, root = frontier.append(row["leaf_sha256"]), row["root_sha256"]
        if root is not None and root != frontier.root():
            raise _damaged(frontier.size - 1)
        return frontier


@dataclass(slots=True)
class _Batch:
    """Appends within one transaction."""

    connection: sqlite3.Connection
    frontier: Frontier
    logged_at: datetime

    def append(self, event: NewEvent) -> Appended:
        known = self._known(event)
        if known is not None:
            return Appended(known, duplicate=True)
        record = Record(self.frontier.size, self.logged_at, event.stored, leaf_hash(event.stored))
        self.frontier = self.frontier.append(record.leaf_sha256)
        self.connection.execute(
            "INSERT INTO events (idx, event, leaf_sha256, root_sha256, logged_at) VALUES (?, ?, ?, ?, ?)",
            (
                record.index,
                record.stored,
                record.leaf_sha256,
                self.frontier.root(),
                (self.logged_at - _EPOCH) // _MICROSECOND,
            ),
        )
        self._insert_index(record.index, event.index)
        if event.ciphertext is not None:
            self.connection.execute(
                "INSERT INTO payloads (event_id, ciphertext) VALUES (?, ?)",
                (event.index.event_id, event.ciphertext),
            )
        return Appended(record, duplicate=False)

    def _known(self, event: NewEvent) -> Record | None:
        """Return the record of the same event, or of the same screening under another event id."""
        index = event.index
        row = self.connection.execute(f"{_RECORD} WHERE i.event_id = ?", (index.event_id,)).fetchone()
        if row is not None and bytes(row["event"]) != event.stored:
            raise EventIdReusedError(
                f"event_id: got one that event {row['idx']} has with other content, want a new one: none was taken"
            )
        if row is None and index.request_id is not None:
            row = self.connection.execute(
                f"{_RECORD} WHERE i.request_id = ? AND i.kiosk_id = ?", (index.request_id, index.kiosk_id)
            ).fetchone()
        return None if row is None else _record(row)

    def _insert_index(self, index: int, row: IndexRow) -> None:
        self.connection.execute(
            f"INSERT INTO event_index (idx, {_INDEX_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                index,
                row.event_id,
                row.kind,
                row.time,
                row.outcome,
                row.kiosk_id,
                row.visit_id,
                row.request_id,
            ),
        )
        self.connection.executemany(
            "INSERT INTO event_reasons (idx, reason) VALUES (?, ?)",
            [(index, reason) for reason in row.reasons],
        )


class SqliteSnapshot:
    """A `LogSnapshot`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self) -> Iterator[StoredRow]:
        """Give every event in order of its index."""
        for row in self._connection.execute(
            f"SELECT e.idx, e.event, e.leaf_sha256, e.root_sha256, {_INDEX_COLUMNS}"  # noqa: S608
            " FROM events e LEFT JOIN event_index i ON i.idx = e.idx ORDER BY e.idx"
        ):
            yield StoredRow(
                row["idx"],
                _blob(row["event"]),
                _blob(row["leaf_sha256"]),
                _blob(row["root_sha256"]),
                self._index_row(row),
            )

    def ciphertext(self, event_id: str) -> bytes | None:
        """Return the payload stored for an event."""
        return _ciphertext(self._connection, event_id)

    def stray_index_rows(self) -> Iterator[int]:
        """Give the indexes that the side index has and the log has not."""
        for row in self._connection.execute(
            "SELECT idx FROM event_index UNION SELECT idx FROM event_reasons EXCEPT SELECT idx FROM events ORDER BY idx"
        ):
            yield row["idx"]

    def _index_row(self, row: sqlite3.Row) -> IndexRow | None:
        if row["event_id"] is None:
            return None
        reasons = self._connection.execute("SELECT reason FROM event_reasons WHERE idx = ?", (row["idx"],))
        return IndexRow(
            row["event_id"],
            row["kind"],
            row["time"],
            row["outcome"],
            row["kiosk_id"],
            row["visit_id"],
            row["request_id"],
            frozenset(reason for (reason,) in reasons),
        )


_Condition = tuple[str, tuple[Any, ...]]


def _conditions(wanted: EventFilter) -> list[_Condition]:
    """Turn a filter into SQL conditions and their values."""
    single = {
        "i.time >= ?": wanted.since,
        "i.time < ?": wanted.until,
        "i.kiosk_id = ?": wanted.kiosk_id,
        "i.visit_id = ?": wanted.visit_id,
        "i.request_id = ?": wanted.request_id,
        "i.idx IN (SELECT idx FROM event_reasons WHERE reason = ?)": wanted.reason,
    }
    conditions: list[_Condition] = [(text, (value,)) for text, value in single.items() if value is not None]
    conditions += [
        (f"{column} IN ({', '.join('?' * len(values))})", tuple(sorted(values)))
        for column, values in (("i.kind", wanted.kinds), ("i.outcome", wanted.outcomes))
        if values
    ]
    return conditions


def _record(row: sqlite3.Row) -> Record:
    logged_at = _EPOCH + row["logged_at"] * _MICROSECOND
    return Record(row["idx"], logged_at, bytes(row["event"]), bytes(row["leaf_sha256"]))


def _ciphertext(connection: sqlite3.Connection, event_id: str) -> bytes | None:
    row = connection.execute("SELECT ciphertext FROM payloads WHERE event_id = ?", (event_id,)).fetchone()
    return None if row is None else bytes(row["ciphertext"])


def _blob(value: object) -> bytes:
    """Return what should be a blob. In a damaged file it can be anything, which then fails its hash."""
    return value if isinstance(value, bytes) else b""


@contextmanager
def _explained() -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", None)
        if isinstance(error, sqlite3.OperationalError) and name is not None:
            raise UnavailableError(
                "decision log: the database can't be used now: nothing was recorded, try again", sqlite=name
            ) from error
        raise LogDamagedError(
            "decision log: the database file is damaged: look into it, or restore it", sqlite=str(name)
        ) from error


def _damaged(index: int) -> LogDamagedError:
    return LogDamagedError(
        f"decision log: it is not what was written, at event {index} or before: nothing is appended; verify it",
        index=str(index),
    )
