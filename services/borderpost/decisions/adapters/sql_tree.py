"""The stored hashes of the log's tree."""

from __future__ import annotations

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import blob
from borderpost.runtime.sql import Connection, SqlDatabase


class SqlTree:
    """`Hashes` (`borderpost.proofs.tree`) in the log's database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def size(self) -> int:
        """How many leaves are stored."""
        with log_explained(), self._database.read() as connection:
            return log_size(connection)

    def leaves(self, start: int, stop: int) -> list[bytes]:
        """Return the leaf hashes from `start` up to `stop`."""
        with log_explained(), self._database.read() as connection:
            return leaf_hashes(connection, start, stop)

    def subtrees(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the roots at these positions of a level."""
        with log_explained(), self._database.read() as connection:
            return subtree_roots(connection, level, start, stop)


def log_size(connection: Connection) -> int:
    """How many events are stored: places are given without gaps."""
    size: int = connection.execute("SELECT coalesce(max(idx), -1) + 1 AS size FROM log").fetchone()["size"]
    return size


def leaf_hashes(connection: Connection, start: int, stop: int) -> list[bytes]:
    """The leaf hashes from `start` up to `stop`."""
    rows = connection.execute(
        "SELECT leaf_sha256 FROM log WHERE idx >= ? AND idx < ? ORDER BY idx", (start, stop)
    )
    return [blob(row["leaf_sha256"]) for row in rows]


def subtree_roots(connection: Connection, level: int, start: int, stop: int) -> list[bytes]:
    """The roots at these positions of a level."""
    rows = connection.execute(
        "SELECT hash FROM subtrees WHERE level = ? AND position >= ? AND position < ? ORDER BY position",
        (level, start, stop),
    )
    return [blob(row["hash"]) for row in rows]
