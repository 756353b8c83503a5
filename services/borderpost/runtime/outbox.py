"""Events of a service on their way to the decision log.

An event is written in the same transaction as the change that it tells of, and delivered until the log
has taken it: at least once; the log drops an event id that it has.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import Event

OUTBOX_SCHEMA: Final = "CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB NOT NULL)"
"""A migration of every database that has an outbox."""

BATCH: Final = 100
"""Events per delivery; RecordEvents takes at most 500."""

_log = structlog.get_logger(__name__)

Deliver = Callable[[Sequence[Event]], Awaitable[None]]
"""Hands events to the log; returns when they are durable there, raises BorderpostError if it can't."""


def enqueue(connection: sqlite3.Connection, event: Event) -> None:
    """Put an event into the outbox, within the transaction of the change that it tells of."""
    connection.execute("INSERT INTO outbox (event) VALUES (?)", (event.SerializeToString(),))


class Outbox:
    """Delivers what `enqueue` has put in."""

    def __init__(self, database: Database, deliver: Deliver, pause: float = 0.5) -> None:
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

    def _oldest(self) -> list[sqlite3.Row]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT sequence, event FROM outbox ORDER BY sequence LIMIT ?", (BATCH,)
            )
            return rows.fetchall()

    def _forget(self, last: int) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE sequence <= ?", (last,))
