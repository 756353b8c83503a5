"""One state of the log, read through once to be checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from borderpost.decisions.adapters.sql_rows import blob
from borderpost.decisions.adapters.sql_tree import log_size
from borderpost.decisions.domain import IndexRow, Part
from borderpost.decisions.ports import StoredRow
from borderpost.runtime.sql import Snapshot

ROWS_AT_ONCE: Final = 1000
"""Events whose terms are read together."""

_ROWS: Final = """
    SELECT l.idx, l.event_id, l.once, l.event, l.leaf_sha256, i.idx, i.kind, i.time, i.actor, i.subject, i.outcome,
           i.kiosk_id, i.crossing, i.visit_id, i.request_id
    FROM log l LEFT JOIN event_index i ON i.idx = l.idx WHERE l.idx >= ? ORDER BY l.idx LIMIT ?
"""
_TERMS: Final = "SELECT idx, kind, term FROM event_terms WHERE idx >= ? AND idx <= ?"
REASON: Final = 1
LIST: Final = 2
ENTRY: Final = 3
"""Kinds of terms."""

_Terms = dict[tuple[int, int], set[str]]


class SqlLogSnapshot:
    """A `LogSnapshot`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        # A snapshot begins with its first statement.
        self._size = log_size(snapshot)

    @property
    def size(self) -> int:
        """How many events it has."""
        return self._size

    @property
    def indexed(self) -> int:
        """How many of them the index has."""
        row = self._snapshot.execute("SELECT upto FROM views WHERE name = ?", ("index",)).fetchone()
        return 0 if row is None else int(row["upto"])

    def rows(self) -> Iterator[StoredRow]:
        """Give every event in order of its index."""
        start = -1
        while rows := list(self._snapshot.stream(_ROWS, (start, ROWS_AT_ONCE))):
            first, last = rows[0][0], rows[-1][0]
            terms: _Terms = defaultdict(set)
            for idx, kind, term in self._snapshot.stream(_TERMS, (first, last)):
                terms[idx, kind].add(term)
            for row in rows:
                yield _stored_row(row, terms)
            start = last + 1

    def ciphertext(self, event_id: str, part: Part) -> bytes | None:
        """Return what is sealed beside an event."""
        row = self._snapshot.execute(
            "SELECT ciphertext FROM sealed WHERE event_id = ? AND part = ?", (event_id, int(part))
        ).fetchone()
        return None if row is None else blob(row["ciphertext"])

    def stray_index_rows(self) -> Iterator[int]:
        """Give the indexes that the index has and the log has not."""
        for (idx,) in self._snapshot.stream(
            "SELECT idx FROM event_index UNION SELECT idx FROM event_terms EXCEPT SELECT idx FROM log ORDER BY idx"
        ):
            yield idx

    def subtrees(self) -> Iterator[tuple[int, int, bytes]]:
        """Give the stored roots of complete subtrees: level (1 and above), position, hash."""
        for level, position, node in self._snapshot.stream(
            "SELECT level, position, hash FROM subtrees ORDER BY level, position"
        ):
            yield level, position, blob(node)

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Give all kept checkpoints, the smallest first: the size they are kept under, and their note."""
        yield from self._snapshot.stream("SELECT size, note FROM checkpoints ORDER BY size")

    def pruned(self) -> Iterator[tuple[int, int, str]]:
        """Give the ranges whose bodies were pruned: first index, index behind the last, signed note."""
        yield from self._snapshot.stream("SELECT start, stop, note FROM pruned ORDER BY start")


def _stored_row(row: tuple[Any, ...], terms: _Terms) -> StoredRow:
    idx, event_id, once, event, leaf, indexed, *found = row
    if indexed is None:
        return StoredRow(idx, event_id, once, blob(event), blob(leaf), None)
    of = [frozenset(terms.get((idx, kind), ())) for kind in (REASON, LIST, ENTRY)]
    return StoredRow(idx, event_id, once, blob(event), blob(leaf), IndexRow(event_id, *found, *of))
