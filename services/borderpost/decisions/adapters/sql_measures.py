"""What the log shows operators, out of its database: its size, its checkpoint, cases that wait, what is overdue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from borderpost.decisions.adapters.sql_tree import log_size
from borderpost.decisions.cases.domain import CLOSED
from borderpost.decisions.subjects.retention import RetentionStatus
from borderpost.runtime.metric_table import (
    CASES_OLDEST,
    CASES_OPEN,
    LOG_CHECKPOINT,
    LOG_COVERED,
    LOG_EVENTS,
    RETENTION_OVERDUE,
)
from borderpost.runtime.metrics import Reading, Sample
from borderpost.runtime.sql import SqlDatabase, placeholders
from borderpost.v1.cases_pb2 import CaseState

OVERDUE_SECONDS: Final = 600.0
"""How often is counted what is held: all of it is looked at. Retention is applied as often."""

MICROSECONDS: Final = 1_000_000

_NOT_CLOSED: Final = tuple(state for state in CaseState.values() if state != CLOSED)
"""By their states the index of the queue finds them; of those that are closed there are many."""


def log_reading(database: SqlDatabase) -> Reading:
    """The log and its cases, as the views know them."""

    def read() -> Iterator[Sample]:
        with database.read() as connection:
            yield LOG_EVENTS, (), log_size(connection)
            newest = connection.execute(
                "SELECT size, made_at FROM checkpoints ORDER BY size DESC LIMIT 1"
            ).fetchone()
            yield LOG_COVERED, (), newest["size"] if newest else 0
            yield LOG_CHECKPOINT, (), newest["made_at"] / MICROSECONDS if newest else 0
            for row in connection.execute(
                "SELECT priority, COUNT(*) AS cases, MIN(opened_at) AS oldest FROM cases "  # noqa: S608
                f"WHERE state IN ({placeholders(_NOT_CLOSED)}) GROUP BY priority",
                _NOT_CLOSED,
            ):
                priority = (str(row["priority"]),)
                yield CASES_OPEN, priority, row["cases"]
                yield CASES_OLDEST, priority, row["oldest"] / MICROSECONDS

    return Reading((LOG_EVENTS, LOG_COVERED, LOG_CHECKPOINT, CASES_OPEN, CASES_OLDEST), read)


def overdue_reading(status: Callable[[], RetentionStatus]) -> Reading:
    """What is held although its time has passed."""

    def read() -> Iterator[Sample]:
        overdue = dict.fromkeys(("evidence", "payload", "events"), 0)
        for count in status().held.counts:
            held = "events" if count.part is None else count.part.name.lower()
            overdue[held] = overdue.get(held, 0) + count.overdue
        for held, pieces in overdue.items():
            yield RETENTION_OVERDUE, (held,), pieces

    return Reading((RETENTION_OVERDUE,), read, OVERDUE_SECONDS)
