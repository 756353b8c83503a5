"""What events are found by: the view `event_index`, with `event_terms` for what an event may have several of.

A query walks down one index in the order of the log, from the newest event on, and stops when its page is full: by what
fits the fewest events as far as that is known beforehand (a document, an entry, a list, a reason), otherwise by
whichever column the database chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_rows import record_of
from borderpost.decisions.adapters.sql_snapshot import ENTRY, LIST, REASON
from borderpost.decisions.adapters.sql_views import ViewRow
from borderpost.decisions.domain import EventFilter, IndexRow, Lookup, Page, Record, index_row
from borderpost.runtime.sql import Connection, SqlDatabase, placeholders
from borderpost.v1.decisions_pb2 import Event, EventKind

_RECORDS: Final = "SELECT idx, logged_at, event, leaf_sha256 FROM log WHERE idx IN"
_COLUMNS: Final = "idx, kind, time, actor, subject, outcome, kiosk_id, crossing, visit_id, request_id"

_Condition = tuple[str, tuple[Any, ...]]


class IndexView:
    """The view: a row of `event_index` for each event, and its terms."""

    name = "index"

    def clear(self, connection: Connection) -> None:
        """Empty its tables."""
        connection.execute("DELETE FROM event_index")
        connection.execute("DELETE FROM event_terms")

    def apply(self, connection: Connection, rows: Sequence[ViewRow]) -> None:
        """Add these events. One whose body was pruned can't be found any more."""
        found = [(row.index, index_row(Event.FromString(row.stored))) for row in rows if row.stored]
        connection.executemany(
            f"INSERT INTO event_index ({_COLUMNS}) VALUES ({placeholders(_COLUMNS.split(','))})",  # noqa: S608
            [(index, *_columns(row)) for index, row in found],
        )
        terms = [(kind, term, index) for index, row in found for kind, term in _terms(row)]
        if terms:
            connection.executemany("INSERT INTO event_terms (kind, term, idx) VALUES (?, ?, ?)", terms)


class SqlIndex:
    """An `EventIndex`."""

    def __init__(self, database: SqlDatabase, catch_up: Callable[[], None]) -> None:
        """`catch_up` brings the view to what is in the log now."""
        self._database = database
        self._catch_up = catch_up

    def query(self, wanted: EventFilter, before: int | None, limit: int) -> Page:
        """Return the newest `limit` events that are wanted and whose index is below `before`."""
        self._catch_up()
        found: dict[int, Record] = {}
        with log_explained(), self._database.read() as connection:
            for way in _ways(wanted):
                found.update((record.index, record) for record in _walk(connection, way, before, limit + 1))
        records = [found[index] for index in sorted(found, reverse=True)[: limit + 1]]
        return Page(tuple(records[:limit]), records[limit - 1].index if len(records) > limit else None)

    def screenings(self, request_id: str) -> list[Record]:
        """Return the screenings with this request id, of all kiosks."""
        wanted = EventFilter(kinds=frozenset({EventKind.EVENT_KIND_TRAVELER_SCREENED}), request_id=request_id)
        return list(self.query(wanted, None, 100).records[::-1])


@dataclass(frozen=True, slots=True)
class _Way:
    """One way through the index: the table that is walked down, if another than event_index, and what must hold."""

    table: str | None
    conditions: tuple[_Condition, ...]


def _ways(wanted: EventFilter) -> Iterator[_Way]:
    """How to find what is wanted. Two ways, where it is found by a look-up or by its own name: both are walked."""
    plain = _plain(wanted)
    named = [
        _named(1, wanted.document, None) if wanted.document else None,
        _named(ENTRY, wanted.entry_id[1], wanted.entry_id[0]) if wanted.entry_id else None,
        _named(LIST, wanted.list_id[1], wanted.list_id[0]) if wanted.list_id else None,
        [("event_terms", f"kind = {REASON} AND {{}}.term = ?", wanted.reason)] if wanted.reason else None,
    ]
    sets = [choices for choices in named if choices]
    if not sets:
        yield _Way(None, tuple(plain))
        return
    first, *others = sets
    probes = [_probe(choices) for choices in others]
    for table, condition, value in first:
        walked = f"d.{condition.format('d')}"
        yield _Way(table, ((walked, (value,)), *plain, *probes))


_Choice = tuple[str, str, Any]
"""A table, a condition on it, and the condition's value."""


def _named(kind: int, lookup: Lookup, name: str | None) -> list[_Choice]:
    """Where something is found: screenings by its keyed hash; events that name it in clear by its name."""
    choices: list[_Choice] = [("lookups", f"kind = {int(lookup.kind)} AND {{}}.hash = ?", lookup.hash)]
    if name is not None:
        choices.append(("event_terms", f"kind = {kind} AND {{}}.term = ?", name))
    return choices


def _probe(choices: Sequence[_Choice]) -> _Condition:
    exist = [
        f"EXISTS (SELECT 1 FROM {table} p WHERE p.{condition.format('p')} AND p.idx = i.idx)"  # noqa: S608
        for table, condition, _ in choices
    ]
    return f"({' OR '.join(exist)})", tuple(value for _, _, value in choices)


def _plain(wanted: EventFilter) -> list[_Condition]:
    """What must hold of the event's row."""
    # With both bounds the index of times is worth walking; with one the order of the log is nearly that of time.
    time = "i.time" if wanted.since is not None and wanted.until is not None else "+i.time"
    single = {
        f"{time} >= ?": wanted.since,
        f"{time} < ?": wanted.until,
        "i.kiosk_id = ?": wanted.kiosk_id,
        "i.crossing = ?": wanted.crossing,
        "i.visit_id = ?": wanted.visit_id,
        "i.request_id = ?": wanted.request_id,
        "i.actor = ?": wanted.actor,
        "i.subject = ?": wanted.subject,
    }
    conditions: list[_Condition] = [(text, (value,)) for text, value in single.items() if value is not None]
    for column, values in (("i.kind", wanted.kinds), ("i.outcome", wanted.outcomes)):
        if len(values) == 1:
            conditions.append((f"{column} = ?", tuple(values)))
        elif values:
            # The order of the log is kept: so many values fit many events.
            conditions.append((f"+{column} IN ({placeholders(list(values))})", tuple(sorted(values))))
    return conditions


def _walk(connection: Connection, way: _Way, before: int | None, limit: int) -> Iterator[Record]:
    """Give the newest records on a way."""
    walked = "i" if way.table is None else "d"
    tables = "event_index i"
    conditions = list(way.conditions)
    if way.table is not None:
        # CROSS JOIN keeps SQLite to this order; PostgreSQL chooses for itself.
        tables = f"{way.table} d CROSS JOIN {tables}"
        conditions.append(("i.idx = d.idx", ()))
    if before is not None:
        conditions.append((f"{walked}.idx < ?", (before,)))
    where = " AND ".join(text for text, _ in conditions) or "TRUE"
    values = [value for _, values in conditions for value in values]
    # The places alone are found and put in order; events are read of one page only.
    places = f"SELECT {walked}.idx FROM {tables} WHERE {where} ORDER BY {walked}.idx DESC LIMIT ?"  # noqa: S608
    rows = connection.execute(f"{_RECORDS} ({places})", (*values, limit))
    return map(record_of, rows.fetchall())


def _columns(row: IndexRow) -> tuple[Any, ...]:
    return (
        row.kind,
        row.time,
        row.actor,
        row.subject,
        row.outcome,
        row.kiosk_id,
        row.crossing,
        row.visit_id,
        row.request_id,
    )


def _terms(row: IndexRow) -> Iterator[tuple[int, str]]:
    for kind, terms in ((REASON, row.reasons), (LIST, row.lists), (ENTRY, row.entries)):
        for term in terms:
            yield kind, term
