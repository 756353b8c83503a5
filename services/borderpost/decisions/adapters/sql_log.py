"""The event log in a database: the truth, in tables `log`, `sealed`, `lookups` and `subtrees`.

Callers that append at the same time share a transaction, and so a sync of the disk. One sequencer gives the places:
SQLite's writer lock, PostgreSQL's advisory lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from borderpost.decisions.adapters.sql_errors import damaged, log_explained
from borderpost.decisions.adapters.sql_rows import RECORD_COLUMNS, record_of, to_microseconds
from borderpost.decisions.adapters.sql_snapshot import SqlLogSnapshot
from borderpost.decisions.adapters.sql_tree import leaf_hashes, log_size, subtree_roots
from borderpost.decisions.domain import Appended, NewEvent, Part, Record
from borderpost.decisions.errors import EventIdReusedError, OnceTakenError
from borderpost.proofs.tree import SUBTREE, Blocks, leaf_hash, reference_root
from borderpost.runtime.clock import Clock
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.grouping import Grouped
from borderpost.runtime.sql import Connection, SqlDatabase, chunks, placeholders

BATCHES_AT_ONCE: Final = 128
"""Batches of one transaction: twice the writers that there are by default."""

SEQUENCER: Final = 0x626F7265
"""PostgreSQL's advisory lock of whoever appends: any number that other programs are unlikely to take."""

_Batch = Sequence[NewEvent]


class SqlLog:
    """An `EventLog` in a database that `schema` has opened."""

    def __init__(self, database: SqlDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._blocks: Blocks | None = None
        self._grouped: Grouped[_Batch, list[Appended]] = Grouped(self._append_all, BATCHES_AT_ONCE)

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        """Append all or none, in this order; durable when it returns. See `EventLog.append`."""
        return self._grouped(events)

    def size(self) -> int:
        """How many events are stored."""
        with log_explained(), self._database.read() as connection:
            return log_size(connection)

    def find(self, event_id: str) -> Record | None:
        """Return the event with this id."""
        return self._one("event_id = ?", event_id)

    def find_once(self, once: str) -> Record | None:
        """Return the event that was appended with this `once`."""
        return self._one("once = ?", once)

    def records(self, start: int, stop: int) -> Iterator[Record]:
        """Give the events from `start` up to `stop`, in order, of one consistent state."""
        with log_explained(), self._database.snapshot() as snapshot:
            rows = snapshot.stream(
                f"SELECT {RECORD_COLUMNS} FROM log WHERE idx >= ? AND idx < ? ORDER BY idx",  # noqa: S608
                (start, stop),
            )
            names = RECORD_COLUMNS.split(", ")
            for row in rows:
                yield record_of(dict(zip(names, row, strict=True)))

    def ciphertext(self, event_id: str, part: Part) -> bytes | None:
        """Return what is sealed beside an event."""
        with log_explained(), self._database.read() as connection:
            row = connection.execute(
                "SELECT ciphertext FROM sealed WHERE event_id = ? AND part = ?", (event_id, int(part))
            ).fetchone()
        return None if row is None else bytes(row["ciphertext"])

    @contextmanager
    def snapshot(self) -> Iterator[SqlLogSnapshot]:
        """Open the log as it is now; appends go on meanwhile and are not seen."""
        with log_explained(), self._database.snapshot() as snapshot:
            yield SqlLogSnapshot(snapshot)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _one(self, condition: str, value: str) -> Record | None:
        with log_explained(), self._database.read() as connection:
            row = connection.execute(
                f"SELECT {RECORD_COLUMNS} FROM log WHERE {condition}",  # noqa: S608
                (value,),
            ).fetchone()
        return None if row is None else record_of(row)

    def _append_all(self, batches: Sequence[_Batch]) -> Sequence[list[Appended] | Exception]:
        """Append several batches in one transaction; each has its own result."""
        with log_explained(), self._database.transaction() as connection:
            self._database.sequence(connection, SEQUENCER)
            blocks = self._caught_up(connection)
            group = _Group(_known(connection, batches), blocks, self._clock.now())
            results = [group.take(batch) for batch in batches]
            group.store(connection)
        # Only now: what was rolled back must leave no trace in memory.
        self._blocks = group.blocks
        return results

    def _caught_up(self, connection: Connection) -> Blocks:
        """What is behind the last complete subtrees, of all that is stored: others may have appended since."""
        size = log_size(connection)
        if self._blocks is None:
            _want_subtrees(connection, size)
            return _open_blocks(connection, size)
        if self._blocks.size > size:
            raise damaged(size)
        blocks = self._blocks.copy()
        for leaf in leaf_hashes(connection, blocks.size, size):
            blocks.append(leaf)
        if blocks.size != size:
            raise damaged(blocks.size)
        return blocks


@dataclass(slots=True)
class _Known:
    """What the log has of what is to be appended: records by event id, and by `once` with the id of their event."""

    by_id: dict[str, Record] = field(default_factory=dict)
    by_once: dict[str, tuple[str, Record]] = field(default_factory=dict)


class _Group:
    """Batches on their way into the log, within one transaction."""

    def __init__(self, known: _Known, blocks: Blocks, logged_at: datetime) -> None:
        self.blocks = blocks
        self._known = known
        self._logged_at = logged_at
        self._new: list[tuple[Record, NewEvent]] = []
        self._subtrees: list[tuple[int, int, bytes]] = []

    def take(self, batch: _Batch) -> list[Appended] | Exception:
        """Give the batch its places, unless it can't be appended."""
        try:
            self._check(batch)
        except (BorderpostError, ValueError) as error:
            return error
        return [self._append(event) for event in batch]

    def store(self, connection: Connection) -> None:
        """Write all that was taken."""
        logged_at = to_microseconds(self._logged_at)
        connection.executemany(
            "INSERT INTO log (idx, event_id, once, event, leaf_sha256, logged_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (record.index, event.event_id, event.once, event.stored, record.leaf_sha256, logged_at)
                for record, event in self._new
            ],
        )
        sealed = [
            (event.event_id, int(part), ciphertext)
            for _, event in self._new
            for part, ciphertext in (event.sealed or {}).items()
        ]
        lookups = [
            (int(lookup.kind), lookup.hash, record.index)
            for record, event in self._new
            for lookup in event.lookups
        ]
        for table, rows in (("sealed", sealed), ("lookups", lookups), ("subtrees", self._subtrees)):
            if rows:
                connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)  # noqa: S608

    def _check(self, batch: _Batch) -> None:
        """Want each event to be new, or the one that is there; and the batch to be at one with itself."""
        contents: dict[str, bytes] = {}
        steps: dict[str, str] = {}
        for event in batch:
            known = self._known.by_id.get(event.event_id)
            stored = known.stored if known else b""
            if (stored or contents.setdefault(event.event_id, event.stored)) != event.stored:
                where = f"event {known.index}" if known else "another of its batch"
                raise EventIdReusedError(
                    f"event_id: got one that {where} has with other content, want a new one: none was taken"
                )
            if event.once is None:
                continue
            if steps.setdefault(event.once, event.event_id) != event.event_id:
                raise ValueError("once: the same for two events of a batch")
            event_id, record = self._known.by_once.get(event.once, (event.event_id, None))
            if event_id != event.event_id and record is not None:
                raise OnceTakenError(record)

    def _append(self, event: NewEvent) -> Appended:
        known = self._known.by_id.get(event.event_id)
        if known is not None:
            return Appended(known, duplicate=True)
        record = Record(self.blocks.size, self._logged_at, event.stored, leaf_hash(event.stored))
        self._subtrees += self.blocks.append(record.leaf_sha256)
        self._new.append((record, event))
        self._known.by_id[event.event_id] = record
        if event.once is not None:
            self._known.by_once[event.once] = (event.event_id, record)
        return Appended(record, duplicate=False)


def _known(connection: Connection, batches: Sequence[_Batch]) -> _Known:
    """Look for everything that these batches could repeat, at once."""
    known = _Known()
    events = [event for batch in batches for event in batch]
    once = [event.once for event in events if event.once is not None]
    for column, values in (("event_id", [event.event_id for event in events]), ("once", once)):
        for some in chunks(values):
            rows = connection.execute(
                f"SELECT event_id, once, {RECORD_COLUMNS} FROM log WHERE {column} IN ({placeholders(some)})",  # noqa: S608
                some,
            )
            for row in rows:
                record = record_of(row)
                known.by_id[row["event_id"]] = record
                if row["once"] is not None:
                    known.by_once[row["once"]] = (row["event_id"], record)
    return known


def _want_subtrees(connection: Connection, size: int) -> None:
    """Want the stored subtrees to be those of the leaves, as far as that is quickly seen; make those that are
    missing, of a log from before there were any.

    LogDamagedError: a place is empty, or the last complete subtree of a level isn't what is below it.
    """
    count = connection.execute("SELECT count(*) AS count FROM log").fetchone()["count"]
    if count != size:
        raise damaged(_first_gap(connection))
    level, below = 1, size
    while below := below // SUBTREE:
        row = connection.execute(
            "SELECT count(*) AS count FROM subtrees WHERE level = ?", (level,)
        ).fetchone()
        for position in range(row["count"], below):
            connection.execute(
                "INSERT INTO subtrees (level, position, hash) VALUES (?, ?, ?)",
                (level, position, _root_below(connection, level, position)),
            )
        last = subtree_roots(connection, level, below - 1, below)
        if row["count"] > below or last != [_root_below(connection, level, below - 1)]:
            raise damaged(below * SUBTREE**level)
        level += 1


def _root_below(connection: Connection, level: int, position: int) -> bytes:
    """The root of a subtree, made of what is a level below it."""
    start, stop = position * SUBTREE, (position + 1) * SUBTREE
    if level == 1:
        return reference_root(leaf_hashes(connection, start, stop))
    return reference_root(subtree_roots(connection, level - 1, start, stop))


def _open_blocks(connection: Connection, size: int) -> Blocks:
    """What is behind the last complete subtree of each level."""
    start = size // SUBTREE * SUBTREE
    levels = [leaf_hashes(connection, start, size)]
    level, above = 1, size // SUBTREE
    while above:
        levels.append(subtree_roots(connection, level, above // SUBTREE * SUBTREE, above))
        level, above = level + 1, above // SUBTREE
    return Blocks(levels, size)


def _first_gap(connection: Connection) -> int:
    row = connection.execute(
        "SELECT min(place) AS gap FROM (SELECT idx, row_number() OVER (ORDER BY idx) - 1 AS place FROM log) AS places"
        " WHERE idx <> place"
    ).fetchone()
    gap: int = row["gap"]
    return gap
