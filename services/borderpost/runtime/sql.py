"""One SQL for two databases: what a store needs of SQLite (`runtime.sqlite`) and PostgreSQL (`runtime.postgres`).

Statements take `?` for values, and use what both understand. Migrations are written in SQLite's words; PostgreSQL's
adapter translates the few that differ.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from borderpost.runtime.errors import UnavailableError

VALUES_AT_ONCE: Final = 1000
"""Values of one `IN (…)`. SQLite takes 32,766, PostgreSQL 65,535; more at once is not faster."""


class Cursor(Protocol):
    """The rows that a statement found, each indexed by the names of its columns."""

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What executes statements."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Execute one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Execute a statement once for each set of values."""
        ...


class Snapshot(Connection, Protocol):
    """One state of the database, on a connection of its own, for as long as it is needed, by any thread."""

    def stream(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterator[tuple[Any, ...]]:
        """Give the rows as plain tuples, fetched some at a time."""
        ...


class SqlDatabase(Protocol):
    """A database. Every method may be called from many threads."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """One writing transaction: committed at the end, durably; rolled back on an exception.

        With SQLite one at a time; with PostgreSQL what must not run beside another must take a lock first.
        """
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """One consistent state, to be read on this thread's own connection; not within another one on this thread."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """One consistent state that is read for long."""
        ...

    def sequence(self, connection: Connection, lock: int) -> None:
        """Hold off all other transactions that ask for the same lock, in all processes, until this one ends."""
        ...

    def announce(self, connection: Connection) -> None:
        """Wake those that `wait`, in all processes, when the transaction is committed."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when another process may have changed something, at the latest after that time."""
        ...

    def truncate_wal(self) -> bool:
        """Leave nothing of deleted rows in the database's files, as far as that is in its power.

        False if a reader was still on an older state: try again.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


def chunks(values: Sequence[Any], size: int = VALUES_AT_ONCE) -> Iterator[Sequence[Any]]:
    """Cut values into parts of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def placeholders(values: Sequence[Any]) -> str:
    """The inside of an `IN (…)` for these values."""
    return ", ".join("?" * len(values))


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a database that can't be used now (a full disk, a lock that is held on to) into UnavailableError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        name = getattr(error, "sqlite_errorname", None)
        if name is None or name == "SQLITE_ERROR":  # a wrong statement, which no second try mends
            raise
        raise UnavailableError(
            f"{what}: the database can't be used now: nothing was changed, try again", sqlite=name
        ) from error
