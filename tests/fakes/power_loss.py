"""A disk that forgets at a power loss what was not synced, under a real SQLite (apsw's own copy of it, with a VFS).

Not real: the file system. Every write goes to the file at once; what a power loss may take back is kept until the file
is synced, and taken back in whole. `Database` speaks to it through a connection that looks like `sqlite3`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw

from borderpost.decisions.adapters.schema import open_sqlite
from borderpost.runtime.sqlite import Database


class PowerLossError(Exception):
    """The power failed."""


class ForgetfulDisk:
    """One database file with its write-ahead log."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.sqlite"
        self._synced: dict[str, bytes] = {}
        self._left: int | None = None
        self._name = f"forgetful-{id(self)}"
        self._connections: list[apsw.Connection] = []
        self._vfs = _Vfs(self._name, self)

    def open(self, synchronous: str = "FULL") -> Database:
        """Make the tables as the service does, then open the file on this disk."""
        open_sqlite(self.path).close()
        for path in self.path.parent.iterdir():
            self._synced[str(path)] = path.read_bytes()
        return _ForgetfulDatabase(self, synchronous)

    def connect(self) -> apsw.Connection:
        """A connection to the file on this disk."""
        connection = apsw.Connection(str(self.path), vfs=self._name)
        self._connections.append(connection)
        return connection

    def fail_after(self, operations: int) -> None:
        """Let the power fail after so many writes and syncs."""
        self._left = operations

    def count(self) -> None:
        """Note a write or a sync."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise PowerLossError

    def sync(self, name: str) -> None:
        """Remember what a file holds now."""
        self._synced[name] = Path(name).read_bytes()

    def lose_power(self) -> None:
        """Take back all that was not synced."""
        self._left = -1  # what closing would still write is written to nothing
        for path in list(self.path.parent.iterdir()):
            if str(path) in self._synced:
                path.write_bytes(self._synced[str(path)])
            else:
                path.unlink()


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: ForgetfulDisk) -> None:
        self._disk = disk
        super().__init__(name, "", maxpathname=1024)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self._disk, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: ForgetfulDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = name.filename() if hasattr(name, "filename") else str(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.count()
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.count()
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.count()
        super().xSync(flags)
        self._disk.sync(self._name)


class _Rows:
    """What was found, each row by the names of its columns."""

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._rows = [dict(zip(names, row, strict=True)) for row in rows]

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        return self._rows

    def __iter__(self) -> Any:
        return iter(self._rows)


class _Connection:
    """As much of `sqlite3.Connection` as the log uses."""

    def __init__(self, raw: apsw.Connection) -> None:
        self._raw = raw

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _Rows:
        try:
            cursor = self._raw.execute(sql, tuple(parameters))
            rows, names = [], []
            for row in cursor:
                names = names or [column[0] for column in cursor.get_description()]
                rows.append(row)
        except apsw.Error as error:
            raise sqlite3.DatabaseError(str(error)) from error
        return _Rows(names, rows)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        for values in parameters:
            self.execute(sql, values)


class _ForgetfulDatabase(Database):
    """`Database` on a forgetful disk; it has one connection, with no shared memory that would be a file."""

    def __init__(self, disk: ForgetfulDisk, synchronous: str) -> None:
        self._disk = disk
        self._synchronous = synchronous
        self._only: Any = None
        super().__init__(disk.path, ())

    def _connect(self) -> Any:
        if self._only is None:
            raw = self._disk.connect()
            for pragma in (
                "locking_mode = EXCLUSIVE",
                "journal_mode = WAL",
                f"synchronous = {self._synchronous}",
            ):
                raw.execute(f"PRAGMA {pragma}").fetchall()
            self._only = _Connection(raw)
        return self._only

    def _migrate(self, migrations: Sequence[str]) -> None:
        """Nothing: the tables are there."""

    def close(self) -> None:
        """Nothing: the power goes first."""
