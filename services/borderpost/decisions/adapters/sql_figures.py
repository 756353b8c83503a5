"""Figures, counted in SQL from the index of events and from the cases; the findings are read from the events."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from borderpost.decisions.adapters.sql_cases import from_bytes
from borderpost.decisions.adapters.sql_errors import log_explained
from borderpost.decisions.adapters.sql_views import SqlViews
from borderpost.decisions.figures import ATTEMPTS_EXHAUSTED, Counts, Day, ListCounts
from borderpost.runtime.sql import Connection, SqlDatabase
from borderpost.v1.decisions_pb2 import EventKind, FindingVerdict
from borderpost.v1.types_pb2 import Outcome

DAY: Final = 86_400_000_000
"""Microseconds of a day."""

_SCREENED: Final = EventKind.EVENT_KIND_TRAVELER_SCREENED
_REASON: Final = 1

_OUTCOMES: Final = f"""
    SELECT crossing, time / {DAY} AS day, outcome, count(*) AS n FROM event_index
    WHERE kind = {_SCREENED} AND time >= ? AND time < ? AND (? = '' OR crossing = ?)
    GROUP BY crossing, time / {DAY}, outcome
"""  # noqa: S608 - constants
_REASONS: Final = f"""
    SELECT e.crossing AS crossing, e.time / {DAY} AS day, t.term AS term, count(*) AS n
    FROM event_index e JOIN event_terms t ON t.idx = e.idx AND t.kind = {_REASON}
    WHERE e.kind = {_SCREENED} AND e.time >= ? AND e.time < ? AND (? = '' OR e.crossing = ?)
    GROUP BY e.crossing, e.time / {DAY}, t.term
"""  # noqa: S608 - constants
# A visit counts on the day of its first attempt in the span. It failed if every attempt was to be made again, or ended
# with the last one allowed.
_VISITS: Final = f"""
    SELECT crossing, day, count(*) AS n, sum(failed) AS failed FROM (
        SELECT e.crossing AS crossing, min(e.time) / {DAY} AS day,
               min(CASE WHEN e.outcome = {Outcome.OUTCOME_RETAKE} OR t.idx IS NOT NULL THEN 1 ELSE 0 END) AS failed
        FROM event_index e
        LEFT JOIN event_terms t
            ON t.idx = e.idx AND t.kind = {_REASON} AND t.term = '{ATTEMPTS_EXHAUSTED}'
        WHERE e.kind = {_SCREENED} AND e.time >= ? AND e.time < ? AND (? = '' OR e.crossing = ?)
        GROUP BY e.crossing, e.visit_id
    ) AS v GROUP BY crossing, day
"""  # noqa: S608 - constants
_OPENED: Final = f"""
    SELECT crossing, opened_at / {DAY} AS day, count(*) AS n FROM cases
    WHERE opened_at >= ? AND opened_at < ? AND (? = '' OR crossing = ?)
    GROUP BY crossing, opened_at / {DAY}
"""  # noqa: S608 - constants
_CLOSED: Final = f"""
    SELECT crossing, closed_at / {DAY} AS day, closed_at - opened_at AS took FROM cases
    WHERE closed_at >= ? AND closed_at < ? AND (? = '' OR crossing = ?)
"""  # noqa: S608 - constants
_FINDINGS: Final = """
    SELECT body FROM cases WHERE closed_at >= ? AND closed_at < ? AND (? = '' OR crossing = ?)
"""


class SqlFigures:
    """Counts from the views of a log."""

    def __init__(self, database: SqlDatabase, views: SqlViews) -> None:
        self._database = database
        self._views = views

    def count(self, since: int, until: int, crossing: str | None) -> Counts:
        """Count events of `since` ≤ time < `until`. UnavailableError, LogDamagedError."""
        self._views.catch_up()
        values = (since, until, crossing or "", crossing or "")
        with log_explained(), self._database.read() as connection:
            return Counts(_days(connection, values), _lists(connection, values))


def _days(connection: Connection, values: tuple[Any, ...]) -> tuple[Day, ...]:
    found: dict[tuple[int, str], dict[str, Any]] = defaultdict(dict)

    def rows(sql: str) -> Any:
        for row in connection.execute(sql, values):
            yield found[row["day"], row["crossing"] or ""], row

    for day, row in rows(_OUTCOMES):
        day.setdefault("outcomes", {})[row["outcome"]] = row["n"]
    for day, row in rows(_REASONS):
        day.setdefault("reasons", {})[row["term"]] = row["n"]
    for day, row in rows(_VISITS):
        day.update(visits=row["n"], failures_to_acquire=int(row["failed"]))
    for day, row in rows(_OPENED):
        day["cases"] = row["n"]
    for day, row in rows(_CLOSED):
        day.setdefault("seconds_to_close", []).append(row["took"] / 1e6)
    return tuple(
        Day(crossing, _date(day), screenings=sum(counts.get("outcomes", {}).values()), **counts)
        for (day, crossing), counts in sorted(found.items())
    )


def _lists(connection: Connection, values: tuple[Any, ...]) -> tuple[ListCounts, ...]:
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for row in connection.execute(_FINDINGS, values):
        standing = from_bytes(bytes(row["body"])).finding
        for finding in standing.lists if standing is not None else ():
            found[finding.list_id][finding.verdict] += 1
    return tuple(
        ListCounts(
            list_id,
            counts[FindingVerdict.FINDING_VERDICT_SAME_PERSON],
            counts[FindingVerdict.FINDING_VERDICT_NOT_SAME_PERSON],
            counts[FindingVerdict.FINDING_VERDICT_CANNOT_TELL],
        )
        for list_id, counts in sorted(found.items())
    )


def _date(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
