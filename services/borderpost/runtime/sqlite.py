"""SQLite as every service uses it: durable, one writer, readers that see whole transactions."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.sql import Connection

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # FULL: a commit is on the disk before it returns, so what was acknowledged survives a power loss.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Deleted content is overwritten, not only unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA busy_timeout = 5000",
)

PAGE_BYTES: Final = 4096
"""SQLite's own default."""

ROWS_AT_ONCE: Final = 1000
"""Rows that a stream fetches at a time."""


class DatabaseTooNewError(BorderpostError):
    """A database was written by a newer Borderpost; this one doesn't know its tables."""

    reason = "DATABASE_TOO_NEW"


class DatabaseInUseError(BorderpostError):
    """Another process uses the database, which only one may."""

    reason = "DATABASE_IN_USE"


class DatabaseUnusableError(BorderpostError):
    """A database can't be opened: its folder can't be written, or the file is none of SQLite's."""

    reason = "DATABASE_UNUSABLE"


class SqliteSnapshot(sqlite3.Connection):
    """A `Snapshot`."""

    def stream(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterator[tuple[Any, ...]]:
        """Give the rows as plain tuples, fetched some at a time."""
        cursor = self.cursor()
        cursor.row_factory = None
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows


class Database:
    """One SQLite file.

    `transaction()` gives the one writing connection, to one thread at a time; `read()` gives each thread a
    connection of its own, whose statements see a consistent state.
    """

    def __init__(self, path: Path, migrations: Sequence[str], page_bytes: int = PAGE_BYTES) -> None:
        """Open or create the file, and bring it to the last of `migrations` (SQL scripts, only ever appended to).

        `page_bytes` counts when the file is made. Raises DatabaseUnusableError or DatabaseTooNewError; what is there
        is left as it is then.
        """
        self._path = path
        self._page_bytes = page_bytes
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._readers = threading.local()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._writer = self._connect()
            path.chmod(0o600)
        except (OSError, sqlite3.Error) as error:
            raise DatabaseUnusableError(
                f"{path}: can't be used: {error}: want a file that this user can write, made by Borderpost"
            ) from None
        self._migrate(migrations)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection within a transaction: committed at the end, rolled back on an exception."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if (
                    self._writer.in_transaction
                ):  # after some errors (a full disk) SQLite has rolled back by itself
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's reading connection within one snapshot."""
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Give a connection of its own within one snapshot, for as long as it takes."""
        connection = self._connect()
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()

    def sequence(self, connection: Connection, lock: int) -> None:
        """Nothing: a SQLite file has one writer at a time."""

    def announce(self, connection: Connection) -> None:
        """Nothing: a SQLite file is one process's."""

    def wait(self, seconds: float) -> None:
        """Return after that time, or when the database is closed: there is no other process."""
        self._closed.wait(seconds)

    def vacuum(self) -> None:
        """Write the file anew, in pages of `page_bytes`, without the room that deleted rows have left."""
        with self._lock:
            # The size of pages can't be changed while there is a write-ahead log.
            for statement in ("PRAGMA journal_mode = DELETE", "VACUUM", "PRAGMA journal_mode = WAL"):
                self._writer.execute(statement).fetchall()
            # The change of mode holds its lock until something is read.
            self._writer.execute("SELECT count(*) FROM sqlite_master").fetchall()

    def truncate_wal(self) -> bool:
        """Write the log into the database file and empty it, so that deleted content is in neither.

        False if a reader was still on an older state: some of the log is kept. Not within a transaction.
        """
        with self._lock:
            (busy, _, _) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    def close(self) -> None:
        """Close the writing connection; readers close with their threads."""
        self._closed.set()
        self._writer.close()

    def _connect(self) -> SqliteSnapshot:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, factory=SqliteSnapshot
        )
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA page_size = {self._page_bytes}")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def _migrate(self, migrations: Sequence[str]) -> None:
        if self._writer.execute("PRAGMA user_version").fetchone()[0] == len(migrations):
            return  # no need for the writer's lock, which another process may hold
        with self.transaction() as connection:
            (done,) = connection.execute("PRAGMA user_version").fetchone()
            if done > len(migrations):
                raise DatabaseTooNewError(
                    f"{self._path}: got schema version {done}, want at most {len(migrations)}: "
                    "it was written by a newer Borderpost, run that one"
                )
            for script in migrations[done:]:
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(migrations)}")


@contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Be the only process that uses a database, for as long as this lasts; the lock dies with the process.

    For a service whose memory is a view of it: a second process would not see the first one's changes.
    Raises DatabaseInUseError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUseError(
                f"{path}: another process uses it, want one at a time: stop the other one"
            ) from None
        yield
