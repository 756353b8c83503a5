"""Checkpoints in the log's database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import to_microseconds
from borderpost.runtime.sql import SqlDatabase


class SqlCheckpoints:
    """A `CheckpointStore`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def add(self, size: int, note: str, made_at: datetime) -> str:
        """Keep a checkpoint; return the one that is kept of this size, which another service may have made first."""
        with log_explained(), self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO checkpoints (size, made_at, note) VALUES (?, ?, ?) ON CONFLICT (size) DO NOTHING",
                (size, to_microseconds(made_at), note),
            )
            kept: str = connection.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()[
                "note"
            ]
        return kept

    def newest(self) -> tuple[int, str] | None:
        """The largest: its size and its note."""
        with log_explained(), self._database.read() as connection:
            row = connection.execute(
                "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
            ).fetchone()
        return None if row is None else (row["size"], row["note"])

    def of(self, size: int) -> str | None:
        """The note of this size."""
        with log_explained(), self._database.read() as connection:
            row = connection.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
        return None if row is None else str(row["note"])

    def change(self, size: int, changed: Callable[[str], str]) -> str:
        """Put what `changed` makes of a note in its place, while nobody else does; return it. KeyError: there is
        none."""
        with log_explained(), self._database.transaction() as connection:
            # Writing first: in PostgreSQL that holds others off until this is committed.
            connection.execute("UPDATE checkpoints SET size = size WHERE size = ?", (size,))
            row = connection.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
            if row is None:
                raise KeyError(size)
            note = changed(row["note"])
            connection.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (note, size))
        return note
