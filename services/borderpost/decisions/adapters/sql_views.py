"""Views of the log: tables that are made from its events, and can be dropped and made again at any time.

Appends don't pay for views. A view is caught up some hundred events at a time by whoever reads it, and now and then in
the background; table `views` says how far each has come. With several replicas one at a time does it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import from_microseconds
from borderpost.runtime.sql import Connection, SqlDatabase

EVENTS_AT_ONCE: Final = 500
"""Events of one transaction: with SQLite appends wait while it lasts."""


@dataclass(frozen=True, slots=True)
class ViewRow:
    """What a view is made from: an event's place, its bytes, and when the log took it.

    `stored` is empty if the body was pruned before the view came to it.
    """

    index: int
    stored: bytes
    logged_at: datetime


class View(Protocol):
    """Tables that are made from the log's events, and by nothing else."""

    @property
    def name(self) -> str:
        """Its name in table `views`; never changed."""
        ...

    def clear(self, connection: Connection) -> None:
        """Empty its tables."""
        ...

    def apply(self, connection: Connection, rows: Sequence[ViewRow]) -> None:
        """Bring it on by these events, which follow on those before without a gap.

        It must come to the same however the log is cut into such parts.
        """
        ...


class SqlViews:
    """The views of a log. To be used by many threads."""

    def __init__(self, database: SqlDatabase, views: Sequence[View]) -> None:
        self._database = database
        self._views = {view.name: view for view in views}
        self._lock = threading.Lock()
        with log_explained(), database.transaction() as connection:
            connection.executemany(
                "INSERT INTO views (name, upto) VALUES (?, 0) ON CONFLICT (name) DO NOTHING",
                [(name,) for name in self._views],
            )

    def catch_up(self) -> None:
        """Bring all views to what is in the log now. UnavailableError, LogDamagedError."""
        size, behind = self._behind()
        if not behind:
            return
        # One thread does it. The others find it done when it is their turn.
        with self._lock:
            for name in behind:
                upto: int | None = 0
                while upto is not None and upto < size:
                    upto = self._step(self._views[name])

    def rebuild(self, name: str) -> None:
        """Drop a view, and make it again from the log's first event."""
        with self._lock, log_explained(), self._database.transaction() as connection:
            connection.execute("UPDATE views SET upto = 0 WHERE name = ?", (name,))
            self._views[name].clear(connection)
        self.catch_up()

    def _behind(self) -> tuple[int, list[str]]:
        """The size of the log, and the views that lack some of it."""
        with log_explained(), self._database.read() as connection:
            size = connection.execute("SELECT coalesce(max(idx), -1) + 1 AS size FROM log").fetchone()["size"]
            rows = connection.execute("SELECT name FROM views WHERE upto < ?", (size,)).fetchall()
        return size, [row["name"] for row in rows if row["name"] in self._views]

    def _step(self, view: View) -> int | None:
        """Bring a view on by some events; return the next index that it needs, or None if it lacked nothing."""
        with log_explained(), self._database.transaction() as connection:
            # Writing first: in PostgreSQL that holds other replicas off until this is committed.
            connection.execute("UPDATE views SET upto = upto WHERE name = ?", (view.name,))
            upto: int = connection.execute("SELECT upto FROM views WHERE name = ?", (view.name,)).fetchone()[
                "upto"
            ]
            found = connection.execute(
                "SELECT idx, event, logged_at FROM log WHERE idx >= ? ORDER BY idx LIMIT ?",
                (upto, EVENTS_AT_ONCE),
            ).fetchall()
            rows = [
                ViewRow(row["idx"], bytes(row["event"] or b""), from_microseconds(row["logged_at"]))
                for row in found
            ]
            if not rows:
                return None
            view.apply(connection, rows)
            upto = rows[-1].index + 1
            connection.execute("UPDATE views SET upto = ? WHERE name = ?", (upto, view.name))
        return upto
