"""What cases need from outside, beside the log and the keys."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from borderpost.decisions.cases.domain import Case
from borderpost.decisions.domain import Record
from borderpost.v1.decisions_pb2 import ScreeningEvidence, ScreeningPayload

OpensScreening = Callable[[str, bool], tuple[Record, ScreeningPayload | None, ScreeningEvidence | None]]
"""Opens a screening by its event id, with its evidence if that is wanted. Doesn't record who looks."""


MOST_COUNTED: Final = 10_000
"""More cases than this are not counted."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; all that is set must hold. `states`: empty for all but CLOSED. `reasons`: one of these. `holder`: an
    actor's subject."""

    states: AbstractSet[int] = frozenset()
    crossing: str | None = None
    reasons: AbstractSet[str] | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind this case."""

    priority: int
    opened_at: int
    case_id: str


@dataclass(frozen=True, slots=True)
class CasePage:
    """Cases by priority, then waiting time. `behind` is where the next page begins; None at the end. `total`: how many
    fit in all, MOST_COUNTED at most; None where they were looked for by reason."""

    cases: tuple[Case, ...]
    behind: Place | None
    total: int | None = None


class CaseIndex(Protocol):
    """The cases: a view of the log, which catches up before it answers."""

    def get(self, case_id: str) -> Case | None:
        """Return a case."""
        ...

    def list(self, wanted: CaseFilter, time: datetime, behind: Place | None, limit: int) -> CasePage:
        """Return the first `limit` cases behind a place that are wanted, as they stand at `time`."""
        ...
