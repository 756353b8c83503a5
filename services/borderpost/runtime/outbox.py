"""Events of a service on their way to the decision log.

An event is written in the same transaction as the change that it tells of, and delivered until the log
has taken it: at least once; the log drops an event id that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final

import structlog

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.sql import Connection, SqlDatabase
from borderpost.v1.decisions_pb2 import Event

OUTBOX_SCHEMA: Final = "CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB NOT NULL)"
"""A migration of every database that has an outbox."""

BATCH: Final = 100
"""Events per delivery; RecordEvents takes at most 500."""

BATCH_BYTES: Final = 2 * 1024 * 1024
"""Bytes per delivery; the log takes a message of 4 MiB. An event that names 2,000 entries of an import has 76 KB."""

_log = structlog.get_logger(__name__)

Deliver = Callable[[Sequence[Event]], Awaitable[None]]
"""Hands events to the log; returns when they are durable there, raises BorderpostError if it can't."""


def enqueue(connection: Connection, event: Event) -> None:
    """Put an event into the outbox, within the transaction of the change that it tells of."""
    connection.execute("INSERT INTO outbox (event) VALUES (?)", (event.SerializeToString(),))


class Outbox:
    """Delivers what `enqueue` has put in."""

    def __init__(self, database: SqlDatabase, deliver: Deliver, pause: float = 0.5) -> None:
        self._database = database
        self._deliver = deliver
        self._pause = pause

    async def run(self) -> None:
        """Deliver for ever. A log that is down makes events wait; none is lost, and none overtakes another."""
        failing = False
        while True:
            try:
                delivered = await self.deliver_batch()
                failing = False
            except BorderpostError as error:
                delivered = 0
                if not failing:
                    _log.warning("outbox_waits", reason=error.reason)
                failing = True
            if delivered < BATCH:
                await asyncio.sleep(self._pause)

    async def deliver_batch(self) -> int:
        """Deliver the oldest events and forget them; return how many."""
        # The database may make a caller wait for a writer: never on the event loop, which answers everybody.
        rows = await asyncio.to_thread(self._oldest)
        if not rows:
            return 0
        await self._deliver([Event.FromString(row["event"]) for row in rows])
        await asyncio.to_thread(self._forget, rows[-1]["sequence"])
        return len(rows)

    def backlog(self) -> tuple[int, datetime | None]:
        """Return how many events wait, and from when the oldest is. Reads the database."""
        with self._database.read() as connection:
            count = connection.execute("SELECT COUNT(*) AS waiting FROM outbox").fetchone()["waiting"]
            row = connection.execute("SELECT event FROM outbox ORDER BY sequence LIMIT 1").fetchone()
        oldest = None if row is None else Event.FromString(row["event"]).time.ToDatetime(UTC)
        return int(count), oldest

    def _oldest(self) -> list[Any]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT sequence, event FROM outbox ORDER BY sequence LIMIT ?", (BATCH,)
            ).fetchall()
        sizes = accumulate(len(row["event"]) for row in rows)
        # The first one goes whatever it has: an event that is too long is the log's to refuse.
        return [row for row, size in zip(rows, sizes, strict=True) if size <= BATCH_BYTES] or rows[:1]

    def _forget(self, last: int) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE sequence <= ?", (last,))
