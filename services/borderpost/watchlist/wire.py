"""Protobuf to domain, of requests that were validated, and domain to protobuf."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp, to_timestamp
from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist import domain
from borderpost.watchlist.app import EntryPage
from borderpost.watchlist.tokens import make_page_token

CATEGORIES: Final = {
    domain.Category.SECURITY: watchlist_pb2.WATCHLIST_CATEGORY_SECURITY,
    domain.Category.WANTED: watchlist_pb2.WATCHLIST_CATEGORY_WANTED,
    domain.Category.MISSING_OR_VULNERABLE: watchlist_pb2.WATCHLIST_CATEGORY_MISSING_OR_VULNERABLE,
    domain.Category.IMMIGRATION: watchlist_pb2.WATCHLIST_CATEGORY_IMMIGRATION,
    domain.Category.DOCUMENT: watchlist_pb2.WATCHLIST_CATEGORY_DOCUMENT,
}
CATEGORY_OF: Final = {number: category for category, number in CATEGORIES.items()}

STATES: Final = {
    domain.EntryState.PROPOSED: watchlist_pb2.ENTRY_STATE_PROPOSED,
    domain.EntryState.ACTIVE: watchlist_pb2.ENTRY_STATE_ACTIVE,
    domain.EntryState.EXPIRED: watchlist_pb2.ENTRY_STATE_EXPIRED,
}

KINDS: Final = {
    domain.MatchKind.FACE: watchlist_pb2.MATCH_KIND_FACE,
    domain.MatchKind.DOCUMENT: watchlist_pb2.MATCH_KIND_DOCUMENT,
    domain.MatchKind.NAME: watchlist_pb2.MATCH_KIND_NAME,
}


def from_watchlist(message: watchlist_pb2.Watchlist) -> domain.Watchlist:
    """A list as it is asked for."""
    return domain.Watchlist(
        list_id=message.list_id,
        name=message.name,
        authority=message.authority,
        legal_basis=message.legal_basis,
        category=CATEGORY_OF[message.category],
        priority=message.priority,
        handling_instruction=message.handling_instruction,
        target_fpir=message.target_fpir,
    )


def from_entry(message: watchlist_pb2.Entry) -> domain.EntryContent:
    """An entry as it is proposed; what the service sets is left out."""
    return domain.EntryContent(
        entry_id=message.entry_id,
        list_id=message.list_id,
        templates=tuple(map(_from_template, message.templates)),
        names=tuple(map(_from_name, message.names)),
        birth_date=_from_date(message.birth_date),
        documents=tuple(map(_from_document, message.documents)),
        reason_code=message.reason_code,
        source_reference=message.source_reference,
        valid_from=from_timestamp(message.valid_from) if message.HasField("valid_from") else None,
        valid_until=from_timestamp(message.valid_until),
    )


def from_search(message: watchlist_pb2.SearchRequest) -> domain.SearchQuery:
    """Who is looked for."""
    return domain.SearchQuery(
        templates=tuple(map(_from_template, message.templates)),
        document=_from_document(message.document) if message.HasField("document") else None,
        name=_from_name(message.name) if message.HasField("name") else None,
        birth_date=_from_date(message.birth_date),
        min_version=message.min_version,
    )


def to_watchlist(watchlist: domain.Watchlist) -> watchlist_pb2.Watchlist:
    """A list as kept."""
    return watchlist_pb2.Watchlist(
        list_id=watchlist.list_id,
        name=watchlist.name,
        authority=watchlist.authority,
        legal_basis=watchlist.legal_basis,
        category=CATEGORIES[watchlist.category],
        priority=watchlist.priority,
        handling_instruction=watchlist.handling_instruction,
        target_fpir=watchlist.target_fpir,
    )


def to_status(summary: domain.ListSummary) -> watchlist_pb2.WatchlistStatus:
    """A list with what is on it."""
    return watchlist_pb2.WatchlistStatus(
        watchlist=to_watchlist(summary.state.watchlist),
        active_entries=summary.active_entries,
        proposed_entries=summary.proposed_entries,
        thresholds=map(_to_threshold, summary.thresholds),
        version=summary.state.version,
        changed_at=to_timestamp(summary.state.changed_at),
    )


def to_entry(entry: domain.Entry, now: datetime) -> watchlist_pb2.Entry:
    """An entry as kept, without its templates."""
    content = entry.content
    return watchlist_pb2.Entry(
        entry_id=content.entry_id,
        list_id=content.list_id,
        state=STATES[entry.state(now)],
        names=map(_to_name, content.names),
        birth_date=_to_date(content.birth_date),
        documents=map(_to_document, content.documents),
        reason_code=content.reason_code,
        source_reference=content.source_reference,
        valid_from=None if content.valid_from is None else to_timestamp(content.valid_from),
        valid_until=to_timestamp(content.valid_until),
        proposed_by=_to_actor(entry.proposed_by),
        approved_by=None if entry.approval is None else _to_actor(entry.approval.by),
        template_count=entry.template_count,
    )


def to_approved(entry: domain.Entry, now: datetime) -> watchlist_pb2.ApproveEntryResponse:
    """An approved entry, with the version from which it is searched."""
    response = watchlist_pb2.ApproveEntryResponse(entry=to_entry(entry, now))
    if entry.approval is not None:
        response.version = entry.approval.version
    return response


def to_page(page: EntryPage, now: datetime) -> watchlist_pb2.ListEntriesResponse:
    """A page of entries with the token of the next."""
    return watchlist_pb2.ListEntriesResponse(
        entries=[to_entry(entry, now) for entry in page.entries],
        next_page_token=make_page_token(page.next_after),
    )


def to_answer(answer: domain.SearchAnswer) -> watchlist_pb2.SearchResponse:
    """The answer of all lists."""
    return watchlist_pb2.SearchResponse(
        results=map(_to_result, answer.results),
        version=answer.version,
        searched_by=[KINDS[kind] for kind in answer.searched_by],
    )


def _to_result(result: domain.ListResult) -> watchlist_pb2.ListResult:
    return watchlist_pb2.ListResult(
        watchlist=to_watchlist(result.state.watchlist),
        version=result.state.version,
        changed_at=to_timestamp(result.state.changed_at),
        threshold=None if result.threshold is None else _to_threshold(result.threshold),
        entries_searched=result.entries_searched,
        candidates=map(_to_candidate, result.candidates),
    )


def _to_candidate(candidate: domain.Candidate) -> watchlist_pb2.Candidate:
    message = watchlist_pb2.Candidate(entry_id=candidate.entry_id, kind=KINDS[candidate.kind])
    if candidate.score is not None:
        score = candidate.score
        message.score.CopyFrom(_to_score(score))
        message.template_index = score.template_index
    return message


def _to_score(score: domain.FaceScore) -> types_pb2.Score:
    return types_pb2.Score(
        value=score.value,
        fmr=score.fmr.rate,
        fmr_is_upper_bound=score.fmr.is_upper_bound,
        fmr_upper_95=score.fmr.upper_95,
        fmr_worst_group=score.fmr.worst_group,
        calibration_id=score.calibration_id,
    )


def _to_threshold(threshold: domain.FaceThreshold) -> watchlist_pb2.FaceThreshold:
    return watchlist_pb2.FaceThreshold(
        score=threshold.score,
        target_supported=threshold.supported,
        templates=threshold.templates,
        calibration_id=threshold.calibration_id,
        model_id=threshold.model_id,
    )


def _from_template(message: types_pb2.Template) -> domain.Template:
    return domain.Template(domain.Model(message.model_id, message.dimension), message.values)


def _from_name(message: watchlist_pb2.PersonName) -> domain.PersonName:
    return domain.PersonName(message.primary_identifier, message.secondary_identifier)


def _to_name(name: domain.PersonName) -> watchlist_pb2.PersonName:
    return watchlist_pb2.PersonName(
        primary_identifier=name.primary_identifier, secondary_identifier=name.secondary_identifier
    )


def _from_date(message: types_pb2.PartialDate) -> domain.PartialDate:
    return domain.PartialDate(
        message.year if message.HasField("year") else None,
        message.month if message.HasField("month") else None,
        message.day if message.HasField("day") else None,
    )


def _to_date(date: domain.PartialDate) -> types_pb2.PartialDate | None:
    if date == domain.UNKNOWN_DATE:
        return None
    return types_pb2.PartialDate(year=date.year, month=date.month, day=date.day)


def _from_document(message: types_pb2.DocumentKey) -> domain.DocumentKey:
    return domain.DocumentKey(message.document_code, message.issuing_state, message.number)


def _to_document(document: domain.DocumentKey) -> types_pb2.DocumentKey:
    return types_pb2.DocumentKey(
        document_code=document.document_code, issuing_state=document.issuing_state, number=document.number
    )


def _to_actor(actor: Actor) -> types_pb2.Actor:
    return types_pb2.Actor(issuer=actor.issuer, subject=actor.subject)
