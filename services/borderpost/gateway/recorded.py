"""From a record back to what the services found: the inverse of `record`, as far as the checks of the policy need
it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from borderpost.gateway.domain import Findings
from borderpost.v1 import decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2

FACE_CHECKS: Final = frozenset({"PAGE_PORTRAIT_IS_THE_CHIPS", "LIVE_FACE_IS_THE_CHIPS"})
"""What the gateway adds to the documents service's consistency (`combined`), and makes again here."""

HELD: Final = b"\0"
"""In the place of a picture: that there was one is all that the checks ask."""


def findings_of(
    payload: decisions_pb2.ScreeningPayload, screening: decisions_pb2.TravelerScreened
) -> Findings | None:
    """Make findings of which `assess` makes the same checks. None: the record is from before it kept all that it
    takes."""
    if not payload.HasField("assessed_from"):
        return None
    known = payload.assessed_from
    return Findings(
        document=_document(payload) if known.document_read else None,
        live=_live(payload) if known.live_looked_at else None,
        portrait=_extraction(known.portrait_looked_at, known.portrait_template),
        chip_portrait=_extraction(known.chip_portrait_looked_at, known.chip_portrait_template),
        comparison=payload.comparison if payload.HasField("comparison") else None,
        chip_comparison=payload.chip_comparison if payload.HasField("chip_comparison") else None,
        portraits_comparison=payload.portraits_comparison
        if payload.HasField("portraits_comparison")
        else None,
        watchlists=_searched(payload, screening.versions) if known.lists_searched else None,
        chip_sent=known.chip_sent,
        declined=screening.inputs.face_matching_declined,
        steps=list(screening.steps),
    )


def _document(payload: decisions_pb2.ScreeningPayload) -> documents_pb2.ReadDocumentResponse:
    known = payload.assessed_from
    document = documents_pb2.ReadDocumentResponse(
        optical=payload.optical,
        electronic=payload.electronic,
        consistency=_without_faces(payload.consistency),
        problems=known.document_problems,
        portrait=HELD if known.portrait_found else b"",
        chip_portrait=HELD if known.chip_portrait_found else b"",
    )
    if payload.HasField("mrz"):
        document.mrz.CopyFrom(payload.mrz)
    if payload.HasField("chip"):
        document.chip.CopyFrom(payload.chip)
    return document


def _without_faces(consistency: types_pb2.Verdict) -> types_pb2.Verdict:
    """What the documents service said by itself. Where the gateway added faces, it made the status too, of all of
    them."""
    own = [check for check in consistency.checks if check.name not in FACE_CHECKS]
    if len(own) == len(consistency.checks):
        return consistency
    return types_pb2.Verdict(status=consistency.status, checks=own)


def _live(payload: decisions_pb2.ScreeningPayload) -> faces_pb2.ExtractTemplateResponse:
    known = payload.assessed_from
    live = _extraction(True, known.live_template) or faces_pb2.ExtractTemplateResponse()
    live.problems.extend(known.live_problems)
    if payload.HasField("liveness"):
        live.liveness.CopyFrom(payload.liveness)
    return live


def _extraction(looked_at: bool, template: bool) -> faces_pb2.ExtractTemplateResponse | None:
    if not looked_at:
        return None
    return faces_pb2.ExtractTemplateResponse(template=types_pb2.Template() if template else None)


def _searched(
    payload: decisions_pb2.ScreeningPayload, versions: decisions_pb2.Versions
) -> watchlist_pb2.SearchResponse:
    searched = watchlist_pb2.SearchResponse(
        results=payload.watchlists,
        version=versions.watchlists,
        searched_by=payload.assessed_from.searched_by,
        as_of=versions.watchlists_as_of if versions.HasField("watchlists_as_of") else None,
    )
    # What the record had no room for was found: by what, the kept ones of the same list and kind say.
    if not payload.assessed_from.candidates_left_out:
        _without_left_out(searched.results)
    return searched


def _without_left_out(results: Sequence[watchlist_pb2.ListResult]) -> None:
    for result in results:
        result.ClearField("candidates_left_out")
