"""The key store in a SQLite file of its own, in a directory of its own.

Keys are stored as they are: who reads this file and the log's reads every payload. Wrapping them by a
key-encryption key belongs here, in `put` and `get`, and nowhere else.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.sqlite import Database

_MIGRATIONS: Final = (
    "CREATE TABLE keys (event_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID",
)


class SqliteKeyStore:
    """A `KeyStore`."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; its directory must not be the log's, or backups would hold both."""
        self._database = Database(path, _MIGRATIONS)

    def put(self, event_id: str, key: bytes) -> None:
        """Keep a key; durable when it returns."""
        try:
            with self._database.transaction() as connection:
                connection.execute("INSERT INTO keys (event_id, key) VALUES (?, ?)", (event_id, key))
        except sqlite3.OperationalError as error:
            raise UnavailableError(
                "key store: can't be written: nothing was recorded, try again", sqlite=str(error)
            ) from error

    def get(self, event_id: str) -> bytes | None:
        """Return a key, or None if there is none (any more)."""
        with self._database.read() as connection:
            row = connection.execute("SELECT key FROM keys WHERE event_id = ?", (event_id,)).fetchone()
        return None if row is None else bytes(row["key"])

    def destroy(self, event_id: str) -> None:
        """Destroy a key for good; nothing happens if there is none.

        UnavailableError: it is deleted, and a copy may be left in the write-ahead log: call again.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM keys WHERE event_id = ?", (event_id,))
        # The database overwrites what it deletes (secure_delete); the write-ahead log has to be emptied.
        if not self._database.truncate_wal():
            raise UnavailableError(
                "key store: readers keep its write-ahead log from being emptied: try again"
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()
