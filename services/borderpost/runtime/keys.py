"""Keys of what is encrypted, in a database of their own, apart from what they open and from its backups.

Keys are stored as they are: who reads this database and the other one reads everything. Wrapping them by a
key-encryption key belongs here, where they are put and got, and nowhere else.

Of a destroyed key its id is kept, so that what was encrypted and comes back with a backup is known to be erased.
In SQLite a destroyed key is overwritten. PostgreSQL keeps what was deleted in its pages and its write-ahead log until
they are used again: there the key database has to lie on storage that is itself erased or encrypted, without archived
logs and with backups that are kept for less time than a destroyed key may live on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.sql import SqlDatabase, chunks, explained, placeholders
from borderpost.runtime.sqlite import Database

KEY_MIGRATIONS: Final = (
    "CREATE TABLE keys (event_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "ALTER TABLE keys RENAME COLUMN event_id TO id",
)


class KeyStore(Protocol):
    """Keys by an id."""

    def put_many(self, keys: Mapping[str, bytes]) -> None:
        """Keep keys, in the place of those that these ids had; durable when it returns."""
        ...

    def get(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none (any more)."""
        ...

    def get_many(self, key_ids: Sequence[str]) -> dict[str, bytes]:
        """Return those of these keys that there are."""
        ...

    def all(self) -> AbstractContextManager[Iterator[tuple[str, bytes]]]:
        """Every key that there is when this begins, by the order of the ids."""
        ...

    def destroy_many(self, key_ids: Sequence[str]) -> None:
        """Destroy keys for good; nothing happens for those that there are not. UnavailableError: call again."""
        ...

    def destroyed(self, key_ids: Sequence[str]) -> set[str]:
        """Which of these keys were destroyed, and not lost."""
        ...


class SqlKeyStore:
    """A `KeyStore` in a database that was opened with `KEY_MIGRATIONS`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def put(self, key_id: str, key: bytes) -> None:
        """Keep a key; durable when it returns."""
        self.put_many({key_id: key})

    def put_many(self, keys: Mapping[str, bytes]) -> None:
        """Keep keys, in the place of those that these ids had; durable when it returns."""
        with explained("key store"), self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO keys (id, key) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET key = excluded.key",
                list(keys.items()),
            )

    def get(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none (any more)."""
        return self.get_many((key_id,)).get(key_id)

    def get_many(self, key_ids: Sequence[str]) -> dict[str, bytes]:
        """Return those of these keys that there are."""
        found: dict[str, bytes] = {}
        with explained("key store"), self._database.read() as connection:
            for some in chunks(key_ids):
                query = f"SELECT id, key FROM keys WHERE length(key) > 0 AND id IN ({placeholders(some)})"  # noqa: S608
                found.update((row["id"], bytes(row["key"])) for row in connection.execute(query, some))
        return found

    @contextmanager
    def all(self) -> Iterator[Iterator[tuple[str, bytes]]]:
        """Every key that there is when this begins, by the order of the ids."""
        with explained("key store"), self._database.snapshot() as snapshot:
            # A snapshot begins with its first statement.
            snapshot.execute("SELECT 1 FROM keys LIMIT 1").fetchone()
            rows = snapshot.stream("SELECT id, key FROM keys ORDER BY id")
            yield ((key_id, key) for key_id, key in rows if key)

    def destroy(self, key_id: str) -> None:
        """Destroy a key for good; nothing happens if there is none. UnavailableError: call again."""
        self.destroy_many((key_id,))

    def destroy_many(self, key_ids: Sequence[str]) -> None:
        """Destroy keys for good; nothing happens for those that there are not. That they were destroyed is kept.

        UnavailableError: they are gone, and copies may be left in the write-ahead log: call again.
        """
        with explained("key store"):
            with self._database.transaction() as connection:
                for some in chunks(key_ids):
                    connection.execute(
                        f"UPDATE keys SET key = ? WHERE id IN ({placeholders(some)})",  # noqa: S608
                        (b"", *some),
                    )
            # SQLite overwrites what it replaces (secure_delete); the write-ahead log has to be emptied.
            emptied = self._database.truncate_wal()
        if not emptied:
            raise UnavailableError(
                "key store: readers keep its write-ahead log from being emptied: try again"
            )

    def destroyed(self, key_ids: Sequence[str]) -> set[str]:
        """Which of these keys were destroyed, and not lost."""
        found: set[str] = set()
        with explained("key store"), self._database.read() as connection:
            for some in chunks(key_ids):
                query = f"SELECT id FROM keys WHERE length(key) = 0 AND id IN ({placeholders(some)})"  # noqa: S608
                found.update(row["id"] for row in connection.execute(query, some))
        return found

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def open_sqlite_keys(path: Path) -> SqlKeyStore:
    """Open or create a key store in a SQLite file; its folder must not be that of what the keys open."""
    return SqlKeyStore(Database(path, KEY_MIGRATIONS))
