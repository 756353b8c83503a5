"""Recent screenings, by the look-ups that are written together with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import to_microseconds
from borderpost.decisions.domain import Lookup, LookupKind
from borderpost.decisions.patterns.ports import Earlier
from borderpost.runtime.sql import SqlDatabase, chunks, placeholders
from borderpost.v1.decisions_pb2 import Event

_FOUND_BY: Final = "EXISTS (SELECT 1 FROM lookups o WHERE o.kind = ? AND o.hash = ? AND o.idx = k.idx)"


class SqlRecent:
    """A `RecentStore` in a database with the decision log's tables."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def screenings(
        self, lookup: Lookup, since: datetime, limit: int, without: Lookup | None = None
    ) -> list[Earlier]:
        """Return the newest `limit` screenings that are found by this, not by `without`, and that the log took since
        then, newest first."""
        others = "" if without is None else f" AND NOT {_FOUND_BY}"
        excluded = () if without is None else (int(without.kind), without.hash)
        with log_explained(), self._database.read() as connection:
            rows = connection.execute(
                "SELECT l.idx, l.event FROM lookups k JOIN log l ON l.idx = k.idx WHERE k.kind = ? AND k.hash = ?"  # noqa: S608
                f" AND l.logged_at >= ? AND l.event IS NOT NULL{others} ORDER BY k.idx DESC LIMIT ?",
                (int(lookup.kind), lookup.hash, to_microseconds(since), *excluded, limit),
            ).fetchall()
        return [Earlier(row["idx"], Event.FromString(bytes(row["event"]))) for row in rows]

    def portraits(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        """Return the keyed hashes of the chips' portraits of those of these screenings that had one."""
        found: dict[int, bytes] = {}
        with log_explained(), self._database.read() as connection:
            for some in chunks(indexes):
                rows = connection.execute(
                    f"SELECT idx, hash FROM lookups WHERE kind = ? AND idx IN ({placeholders(some)})",  # noqa: S608
                    (int(LookupKind.PORTRAIT), *some),
                )
                found |= {row["idx"]: bytes(row["hash"]) for row in rows}
        return found
