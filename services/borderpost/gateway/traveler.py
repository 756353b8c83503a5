"""From a request and what was found to what the policy looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from borderpost.gateway.domain import Findings, ScreenRequest
from borderpost.policy.ages import age_limits, age_of
from borderpost.policy.domain import Age, Candidate, Traveler
from borderpost.policy.model import Policy
from borderpost.v1 import types_pb2, watchlist_pb2

UNKNOWN: Final = "UNSPECIFIED"
"""Of a category or kind that this version doesn't know."""

_CATEGORIES: Final[Mapping[int, str]] = {
    number: name.removeprefix("WATCHLIST_CATEGORY_")
    for name, number in watchlist_pb2.WatchlistCategory.items()
}
_KINDS: Final[Mapping[int, str]] = {
    number: name.removeprefix("MATCH_KIND_") for name, number in watchlist_pb2.MatchKind.items()
}


def traveler_of(request: ScreenRequest, findings: Findings, policy: Policy, draw: int) -> Traveler:
    """Return what the policy looks at."""
    identity, back = findings.identity, findings.looked_back
    birth_date = identity.birth_date if identity else None
    return Traveler(
        crossing=request.crossing,
        direction=types_pb2.Direction.Name(request.direction).removeprefix("DIRECTION_"),
        document_code=identity.document.document_code if identity else "",
        # A kiosk that lost count, or was started anew, is not believed over the log.
        attempt=max(request.attempt, back.attempts + 1 if back else 0),
        has_chip=request.chip is not None,
        age=age_of(birth_date, request.at.date(), age_limits(policy)) if birth_date else Age(),
        accompanied=bool(request.group_id and back and back.adult_in_group),
        declined=request.declined,
        late=request.late,
        draw=draw,
        candidates=tuple(_candidates(findings)),
        patterns=tuple(dict.fromkeys(pattern.code for pattern in back.patterns)) if back else (),
    )


def _candidates(findings: Findings) -> Iterator[Candidate]:
    """One of each list, kind and whether it counts: more tell a policy nothing."""
    results = findings.watchlists.results if findings.watchlists else ()
    seen = {
        _candidate(result.watchlist, candidate): None for result in results for candidate in result.candidates
    }
    yield from seen


def _candidate(watchlist: watchlist_pb2.Watchlist, candidate: watchlist_pb2.Candidate) -> Candidate:
    suppressed = candidate.HasField("suppressed")
    return Candidate(
        list_id="" if suppressed else watchlist.list_id,
        category=_CATEGORIES.get(watchlist.category, UNKNOWN),
        priority=watchlist.priority,
        kind=_KINDS.get(candidate.kind, UNKNOWN),
        suppressed=suppressed,
    )
