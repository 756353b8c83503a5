"""Keys of what is encrypted, in a database of their own, apart from what they open and from its backups.

Keys are stored encrypted by a key-encryption key that lies elsewhere (`borderpost.runtime.key_encryption`): who has
this database and the one that it opens has nothing yet. Keys from before there was one are encrypted when the store
is opened.

Of a destroyed key its id is kept, so that what was encrypted and comes back with a backup is known to be erased.
In SQLite a destroyed key is overwritten. PostgreSQL keeps what was deleted in its pages and its write-ahead log until
they are used again: there the key database has to lie on storage that is itself erased or encrypted, without archived
logs and with backups that are kept for less time than a destroyed key may live on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.grouping import Grouped
from borderpost.runtime.key_encryption import KeyEncryptionError, KeyWrapper, Wrapped
from borderpost.runtime.sql import SqlDatabase, chunks, explained, placeholders
from borderpost.runtime.sqlite import Database

KEY_MIGRATIONS: Final = (
    "CREATE TABLE keys (event_id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "ALTER TABLE keys RENAME COLUMN event_id TO id",
    "ALTER TABLE keys ADD COLUMN kek TEXT NOT NULL DEFAULT ''",
)
"""`kek`: the id of the key-encryption key that a key is encrypted by; empty for one that lies open."""

OPEN: Final = ""
ROWS_AT_ONCE: Final = 1000
"""Keys that are encrypted anew in one transaction."""

CALLERS_AT_ONCE: Final = 128
"""Callers that share a commit."""


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

    def __init__(self, database: SqlDatabase, wrapper: KeyWrapper | None = None) -> None:
        """`wrapper` encrypts the keys; None leaves them open, for what is thrown away (tests, measurements)."""
        self._database = database
        self._wrapper = wrapper
        self._putting: Grouped[Mapping[str, bytes], None] = Grouped(self._put_all, CALLERS_AT_ONCE)
        self._takes_open_ones = True
        if wrapper is not None:
            self._encrypt_open_ones()

    def put(self, key_id: str, key: bytes) -> None:
        """Keep a key; durable when it returns."""
        self.put_many({key_id: key})

    def put_many(self, keys: Mapping[str, bytes]) -> None:
        """Keep keys, in the place of those that these ids had; durable when it returns."""
        self._putting(keys)

    def get(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none (any more)."""
        return self.get_many((key_id,)).get(key_id)

    def get_many(self, key_ids: Sequence[str]) -> dict[str, bytes]:
        """Return those of these keys that there are."""
        found: dict[str, bytes] = {}
        with explained("key store"), self._database.read() as connection:
            for some in chunks(key_ids):
                query = (
                    f"SELECT id, key, kek FROM keys WHERE length(key) > 0 AND id IN ({placeholders(some)})"  # noqa: S608
                )
                for row in connection.execute(query, some):
                    found[row["id"]] = self._opened(row["id"], bytes(row["key"]), row["kek"])
        return found

    @contextmanager
    def all(self) -> Iterator[Iterator[tuple[str, bytes]]]:
        """Every key that there is when this begins, by the order of the ids."""
        with explained("key store"), self._database.snapshot() as snapshot:
            # A snapshot begins with its first statement.
            snapshot.execute("SELECT 1 FROM keys LIMIT 1").fetchone()
            rows = snapshot.stream("SELECT id, key, kek FROM keys ORDER BY id")
            yield ((key_id, self._opened(key_id, key, kek)) for key_id, key, kek in rows if key)

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

    def by_kek(self) -> dict[str, int]:
        """How many keys are encrypted by each key-encryption key."""
        with explained("key store"), self._database.read() as connection:
            rows = connection.execute(
                "SELECT kek, count(*) AS n FROM keys WHERE length(key) > 0 GROUP BY kek ORDER BY kek"
            )
            return {row["kek"]: row["n"] for row in rows}

    def rewrap(self, progress: Callable[[int], None] = lambda _: None) -> int:
        """Encrypt all keys by the key-encryption key that is current now; return how many were by others.

        Some at a time, while others put, get and destroy; what is interrupted goes on where it was the next time.
        `progress` is told how many were done each time.
        """
        if self._wrapper is None:
            raise ValueError("a key store without key-encryption keys has none to change")
        done = 0
        while count := self._rewrap_pass(progress):
            done += count
        with explained("key store"):
            self._database.truncate_wal()
        return done

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _put_all(self, groups: Sequence[Mapping[str, bytes]]) -> list[None]:
        """Keep the keys of several callers in one transaction."""
        rows = [self._row(key_id, key) for keys in groups for key_id, key in keys.items()]
        with explained("key store"), self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO keys (id, key, kek) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET key = excluded.key, kek = excluded.kek",
                rows,
            )
        return [None] * len(groups)

    def _row(self, key_id: str, key: bytes) -> tuple[str, bytes, str]:
        if self._wrapper is None:
            return key_id, key, OPEN
        wrapped = self._wrapper.wrap(key_id, key)
        return key_id, wrapped.key, wrapped.kek_id

    def _opened(self, key_id: str, key: bytes, kek_id: str) -> bytes:
        if kek_id == OPEN and self._takes_open_ones:
            return key
        if kek_id == OPEN:
            raise KeyEncryptionError(
                "key store: a key lies open that was not when it was opened: somebody put it there"
            )
        if self._wrapper is None:
            raise KeyEncryptionError("key store: its keys are encrypted: want the key-encryption keys")
        return self._wrapper.unwrap(key_id, Wrapped(kek_id, key))

    def _encrypt_open_ones(self) -> None:
        """Encrypt the keys that lie open since before there were key-encryption keys, and leave no copy of them."""
        last: str | None = ""
        while last is not None:
            last, _ = self._rewrap_some("kek = ?", OPEN, last)
        # Each time: a reader may have kept copies in the write-ahead log the time before.
        with explained("key store"):
            self._database.truncate_wal()
        self._takes_open_ones = False

    def _rewrap_pass(self, progress: Callable[[int], None]) -> int:
        """Encrypt anew what is not encrypted by the current key, from the first to the last; return how many."""
        last: str | None = ""
        done = 0
        while last is not None and self._wrapper is not None:
            # Asked for anew: another one may have been made meanwhile.
            last, count = self._rewrap_some("kek <> ?", self._wrapper.current, last)
            done += count
            progress(count)
        return done

    def _rewrap_some(self, condition: str, value: str, after: str) -> tuple[str | None, int]:
        """Encrypt some keys anew; return the last one's id, None if there was none, and how many."""
        with explained("key store"), self._database.transaction() as connection:
            rows = connection.execute(
                f"SELECT id, key, kek FROM keys WHERE {condition} AND length(key) > 0 AND id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (value, after, ROWS_AT_ONCE),
            ).fetchall()
            changes = []
            for row in rows:
                former = bytes(row["key"])
                _, key, kek_id = self._row(row["id"], self._opened(row["id"], former, row["kek"]))
                changes.append((key, kek_id, row["id"], former))
            # Only what is still as it was read: another one may have destroyed it meanwhile.
            connection.executemany("UPDATE keys SET key = ?, kek = ? WHERE id = ? AND key = ?", changes)
        return (rows[-1]["id"] if rows else None), len(rows)


def open_sqlite_keys(path: Path, wrapper: KeyWrapper | None = None) -> SqlKeyStore:
    """Open or create a key store in a SQLite file; its folder must not be that of what the keys open."""
    return SqlKeyStore(Database(path, KEY_MIGRATIONS), wrapper)


def open_postgres_keys(conninfo: str, name: str, wrapper: KeyWrapper | None = None) -> SqlKeyStore:
    """Open or create a key store in a PostgreSQL database, another one than that of what the keys open."""
    # Imported here: only who keeps keys there needs PostgreSQL's driver.
    from borderpost.runtime.postgres import PostgresDatabase  # noqa: PLC0415

    return SqlKeyStore(PostgresDatabase(conninfo, KEY_MIGRATIONS, name), wrapper)
