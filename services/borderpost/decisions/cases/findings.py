"""What an officer says, against what the screening found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from borderpost.decisions.domain import PAYLOAD_SCHEMA
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.cases_pb2 import GiveFindingRequest
from borderpost.v1.decisions_pb2 import (
    CandidateFinding,
    FindingGiven,
    FindingPayload,
    FindingVerdict,
    ListFinding,
    ScreeningPayload,
)


def finding_of(
    request: GiveFindingRequest, payload: ScreeningPayload | None, list_ids: Sequence[str]
) -> FindingGiven:
    """Make the finding without its personal part. `list_ids`: those of the case.

    With the screening's payload a verdict of each candidate that isn't suppressed is wanted, and of no other. After it
    was erased nothing can be told of the lists any more, and no words about the person are taken.
    """
    lists = _erased(request, list_ids) if payload is None else _by_list(request, payload)
    return FindingGiven(
        case_id=request.case_id,
        document=request.document,
        lists=lists,
        disposition=request.disposition,
        reasons=request.reasons,
    )


def payload_of(request: GiveFindingRequest, looks: Iterable[CandidateFinding] = ()) -> FindingPayload:
    """Make a finding's personal part. `looks`: what the officer said at their own first look."""
    first = {(each.list_id, each.entry_id): each.verdict for each in looks}
    payload = FindingPayload(schema_version=PAYLOAD_SCHEMA, candidates=request.candidates, note=request.note)
    for each in payload.candidates:
        each.first_look = first.get((each.list_id, each.entry_id), FindingVerdict.FINDING_VERDICT_UNSPECIFIED)
    return payload


def by_list(said: Mapping[tuple[str, str], FindingVerdict.ValueType]) -> list[ListFinding]:
    """Return the verdict about each list from those about its candidates: by list and entry."""
    return [
        ListFinding(
            list_id=list_id, verdict=verdict_of(verdict for (of, _), verdict in said.items() if of == list_id)
        )
        for list_id in sorted({list_id for list_id, _ in said})
    ]


def verdict_of(verdicts: Iterable[int]) -> FindingVerdict.ValueType:
    """The verdict about a list from those about its candidates."""
    said = set(verdicts)
    for verdict in (FindingVerdict.FINDING_VERDICT_SAME_PERSON, FindingVerdict.FINDING_VERDICT_CANNOT_TELL):
        if verdict in said:
            return verdict
    return FindingVerdict.FINDING_VERDICT_NOT_SAME_PERSON


def _by_list(request: GiveFindingRequest, payload: ScreeningPayload) -> list[ListFinding]:
    shown = {
        (result.watchlist.list_id, candidate.entry_id)
        for result in payload.watchlists
        for candidate in result.candidates
        if not candidate.HasField("suppressed")
    }
    said = {(each.list_id, each.entry_id): each.verdict for each in request.candidates}
    if said.keys() != shown or len(said) != len(request.candidates):
        raise InvalidRequestError(
            f"candidates: got {len(request.candidates)} verdicts, want one of each of the {len(shown)} candidates "
            "that are shown and aren't suppressed",
            field="candidates",
        )
    return by_list(said)


def _erased(request: GiveFindingRequest, list_ids: Sequence[str]) -> list[ListFinding]:
    _want_nothing_personal(request)
    cannot_tell = FindingVerdict.FINDING_VERDICT_CANNOT_TELL
    return [ListFinding(list_id=list_id, verdict=cannot_tell) for list_id in list_ids]


def _want_nothing_personal(request: GiveFindingRequest) -> None:
    for field in ("candidates", "note"):
        if getattr(request, field):
            raise InvalidRequestError(
                f"{field}: got some, want none: the traveler's data was erased", field=field
            )
