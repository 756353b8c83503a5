"""The officer's own first look: what they see in pictures, before they are shown what the system makes of them.

People who are told first tend to see what they were told (automation bias: Regulation (EU) 2024/1689, article
14(4)(b)).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from borderpost.decisions.cases.findings import by_list
from borderpost.decisions.domain import PAYLOAD_SCHEMA
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.cases_pb2 import RecordFirstLookRequest
from borderpost.v1.decisions_pb2 import FindingPayload, FirstLookGiven, ScreeningPayload
from borderpost.v1.watchlist_pb2 import Candidate, MatchKind

COMPARISONS: Final = ("comparison", "chip_comparison", "portraits_comparison")


def look_of(request: RecordFirstLookRequest, payload: ScreeningPayload | None) -> FirstLookGiven:
    """Make the event of a first look.

    InvalidRequestError: not a verdict of each candidate by face, or of another.
    """
    wanted = set() if payload is None else {(of, each.entry_id) for of, each in _by_face(payload)}
    said = {(each.list_id, each.entry_id): each.verdict for each in request.candidates}
    if not wanted or said.keys() != wanted or len(said) != len(request.candidates):
        raise InvalidRequestError(
            f"candidates: got {len(request.candidates)} verdicts, want one of each of the {len(wanted)} candidates by "
            "face that are shown and aren't suppressed",
            field="candidates",
        )
    return FirstLookGiven(case_id=request.case_id, lists=by_list(said))


def look_payload(request: RecordFirstLookRequest) -> FindingPayload:
    """Make its personal part."""
    return FindingPayload(schema_version=PAYLOAD_SCHEMA, candidates=request.candidates)


def has_opinion(payload: ScreeningPayload) -> bool:
    """Whether there is a candidate by face to look at first."""
    return any(True for _ in _by_face(payload))


def without_opinion(payload: ScreeningPayload) -> ScreeningPayload:
    """Return what was found without what the system makes of faces: scores and odds of candidates, comparisons."""
    shown = ScreeningPayload()
    shown.CopyFrom(payload)
    for _, candidate in _by_face(shown):
        candidate.ClearField("score")
        candidate.ClearField("odds")
    for name in COMPARISONS:
        shown.ClearField(name)
    return shown


def _by_face(payload: ScreeningPayload) -> Iterator[tuple[str, Candidate]]:
    for result in payload.watchlists:
        for candidate in result.candidates:
            if candidate.kind == MatchKind.MATCH_KIND_FACE and not candidate.HasField("suppressed"):
                yield result.watchlist.list_id, candidate
