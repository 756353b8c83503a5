"""Protobuf to domain, of requests that were validated, and domain to protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.runtime.calibration import Calibration, FalseMatchRate
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp, to_timestamp
from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist import domain
from borderpost.watchlist.names import DateAgreement, NameCalibration, NameMatch, PartAgreement
from borderpost.watchlist.numbers import NumberMatch
from borderpost.watchlist.persons import UNKNOWN_DATE, DocumentKey, PartialDate, PersonName
from borderpost.watchlist.templates import Model, Template
from borderpost.watchlist.thresholds import AlertOdds, FaceThreshold

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
    domain.EntryState.APPROVED: watchlist_pb2.ENTRY_STATE_APPROVED,
    domain.EntryState.ACTIVE: watchlist_pb2.ENTRY_STATE_ACTIVE,
    domain.EntryState.EXPIRED: watchlist_pb2.ENTRY_STATE_EXPIRED,
    domain.EntryState.WITHDRAWN: watchlist_pb2.ENTRY_STATE_WITHDRAWN,
}

KINDS: Final = {
    domain.MatchKind.FACE: watchlist_pb2.MATCH_KIND_FACE,
    domain.MatchKind.DOCUMENT: watchlist_pb2.MATCH_KIND_DOCUMENT,
    domain.MatchKind.NAME: watchlist_pb2.MATCH_KIND_NAME,
}

SUPPRESSION_STATES: Final = {
    domain.SuppressionState.PROPOSED: watchlist_pb2.SUPPRESSION_STATE_PROPOSED,
    domain.SuppressionState.ACTIVE: watchlist_pb2.SUPPRESSION_STATE_ACTIVE,
    domain.SuppressionState.EXPIRED: watchlist_pb2.SUPPRESSION_STATE_EXPIRED,
    domain.SuppressionState.REVOKED: watchlist_pb2.SUPPRESSION_STATE_REVOKED,
    domain.SuppressionState.OUTDATED: watchlist_pb2.SUPPRESSION_STATE_OUTDATED,
}

IMPORT_STATES: Final = {
    domain.ImportState.STAGING: watchlist_pb2.IMPORT_STATE_STAGING,
    domain.ImportState.PROPOSED: watchlist_pb2.IMPORT_STATE_PROPOSED,
    domain.ImportState.APPLIED: watchlist_pb2.IMPORT_STATE_APPLIED,
    domain.ImportState.CANCELLED: watchlist_pb2.IMPORT_STATE_CANCELLED,
}

PARTS: Final = {
    PartAgreement.EXACT: watchlist_pb2.PART_AGREEMENT_EXACT,
    PartAgreement.SPELLING: watchlist_pb2.PART_AGREEMENT_SPELLING,
    PartAgreement.CUT: watchlist_pb2.PART_AGREEMENT_CUT,
    PartAgreement.INITIAL: watchlist_pb2.PART_AGREEMENT_INITIAL,
    PartAgreement.EDIT: watchlist_pb2.PART_AGREEMENT_EDIT,
    PartAgreement.PHONETIC: watchlist_pb2.PART_AGREEMENT_PHONETIC,
    PartAgreement.MISSING_HERE: watchlist_pb2.PART_AGREEMENT_MISSING_HERE,
    PartAgreement.MISSING_THERE: watchlist_pb2.PART_AGREEMENT_MISSING_THERE,
}

DATES: Final = {
    DateAgreement.SAME: watchlist_pb2.DATE_AGREEMENT_SAME,
    DateAgreement.POSSIBLE: watchlist_pb2.DATE_AGREEMENT_POSSIBLE,
    DateAgreement.SWAPPED: watchlist_pb2.DATE_AGREEMENT_SWAPPED,
    DateAgreement.NEAR: watchlist_pb2.DATE_AGREEMENT_NEAR,
    DateAgreement.DIFFERENT: watchlist_pb2.DATE_AGREEMENT_DIFFERENT,
    DateAgreement.UNKNOWN: watchlist_pb2.DATE_AGREEMENT_UNKNOWN,
}

DEFAULT_SUPPRESSION_PEOPLE: Final = 2
"""As in watchlist.proto."""


def from_watchlist(message: watchlist_pb2.Watchlist) -> domain.Watchlist:
    """A list as it is asked for, or as it was kept."""
    return domain.Watchlist(
        list_id=message.list_id,
        name=message.name,
        authority=message.authority,
        legal_basis=message.legal_basis,
        category=CATEGORY_OF[message.category],
        priority=message.priority,
        handling_instruction=message.handling_instruction,
        target_fpir=message.target_fpir,
        name_target_fpir=message.name_target_fpir or message.target_fpir,
        valid_from=_from_time(message, "valid_from"),
        valid_until=_from_time(message, "valid_until"),
        retention_days=message.retention_days,
        crossings=tuple(message.crossings),
        base_rate=message.assumed_base_rate or domain.DEFAULT_BASE_RATE,
        suppression_people=message.suppression_people or DEFAULT_SUPPRESSION_PEOPLE,
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
        name_target_fpir=watchlist.name_target_fpir,
        valid_from=_to_time(watchlist.valid_from),
        valid_until=_to_time(watchlist.valid_until),
        retention_days=watchlist.retention_days,
        crossings=watchlist.crossings,
        assumed_base_rate=watchlist.base_rate,
        suppression_people=watchlist.suppression_people,
    )


def from_content(message: watchlist_pb2.Entry) -> domain.EntryContent:
    """What is said of an entry; what the service sets is left out."""
    return domain.EntryContent(
        entry_id=message.entry_id,
        list_id=message.list_id,
        templates=tuple(map(from_template, message.templates)),
        names=tuple(map(_from_name, message.names)),
        birth_date=_from_date(message.birth_date),
        documents=tuple(map(from_document, message.documents)),
        reason_code=message.reason_code,
        source_reference=message.source_reference,
        valid_from=_from_time(message, "valid_from"),
        valid_until=from_timestamp(message.valid_until),
        sex=message.sex,
        nationalities=tuple(message.nationalities),
        pictures=tuple(message.pictures),
    )


def to_content(content: domain.EntryContent) -> watchlist_pb2.Entry:
    """What is said of an entry, all of it: templates and pictures too, where they are in it."""
    return watchlist_pb2.Entry(
        entry_id=content.entry_id,
        list_id=content.list_id,
        templates=map(to_template, content.templates),
        names=map(_to_name, content.names),
        birth_date=_to_date(content.birth_date),
        documents=map(to_document, content.documents),
        reason_code=content.reason_code,
        source_reference=content.source_reference,
        valid_from=_to_time(content.valid_from),
        valid_until=to_timestamp(content.valid_until),
        sex=content.sex,
        nationalities=content.nationalities,
        pictures=content.pictures,
    )


def to_entry(entry: domain.Entry, now: datetime) -> watchlist_pb2.Entry:
    """An entry as kept, without its templates and pictures."""
    message = to_content(entry.shown().content)
    message.state = STATES[entry.state(now)]
    message.proposed_by.CopyFrom(to_actor(entry.proposed_by))
    if entry.approval is not None:
        message.approved_by.CopyFrom(to_actor(entry.approval.by))
    message.template_count = entry.template_count
    message.picture_count = entry.picture_count
    if entry.withdrawn_at is not None:
        message.withdrawn_at.CopyFrom(to_timestamp(entry.withdrawn_at))
    if entry.provenance is not None:
        message.provenance.CopyFrom(
            watchlist_pb2.Provenance(
                import_id=entry.provenance.import_id,
                source=entry.provenance.source,
                record_id=entry.provenance.record_id,
                content_sha256=entry.provenance.content_sha256,
            )
        )
    return message


def from_search(
    message: watchlist_pb2.SearchRequest, crossing: str | None, scopes: frozenset[str]
) -> domain.SearchQuery:
    """Who is looked for, at which crossing, in the lists that the scopes open."""
    return domain.SearchQuery(
        templates=tuple(map(from_template, message.templates)),
        document=from_document(message.document) if message.HasField("document") else None,
        name=_from_name(message.name) if message.HasField("name") else None,
        birth_date=_from_date(message.birth_date),
        list_ids=frozenset(message.list_ids),
        crossing=crossing,
        scopes=scopes,
    )


def to_status(summary: domain.ListSummary) -> watchlist_pb2.WatchlistStatus:
    """A list with what is on it."""
    return watchlist_pb2.WatchlistStatus(
        watchlist=to_watchlist(summary.state.watchlist),
        active_entries=summary.active_entries,
        proposed_entries=summary.proposed_entries,
        ended_entries=summary.ended_entries,
        thresholds=map(_to_threshold, summary.thresholds),
        version=summary.state.version,
        changed_at=to_timestamp(summary.state.changed_at),
    )


def to_measured(measured: domain.Measured, calibration: Calibration) -> watchlist_pb2.OwnScores:
    """What a list's own templates said; `calibration` is that of their model."""
    own = measured.own
    return watchlist_pb2.OwnScores(
        model_id=own.model_id,
        calibration_id=own.calibration_id,
        templates=own.templates,
        entries=own.entries,
        comparisons=own.comparisons,
        reaching=own.reaching,
        score=own.score,
        factor=own.factor,
        version=measured.version,
        measured_at=to_timestamp(measured.measured_at),
        alike=[
            watchlist_pb2.AlikePair(
                entry_id=pair.entry_id,
                other_entry_id=pair.other_entry_id,
                score=_to_score(pair.score, calibration.fmr_at(pair.score), calibration.id),
            )
            for pair in measured.alike
        ],
    )


def to_statistics(
    statistics: domain.ListStatistics, calibrations: Mapping[str, Calibration]
) -> watchlist_pb2.GetStatisticsResponse:
    """Everything about the state of a list."""
    return watchlist_pb2.GetStatisticsResponse(
        status=to_status(statistics.summary),
        own_scores=[to_measured(each, calibrations[each.own.model_id]) for each in statistics.measured],
        name_threshold=_to_name_threshold(statistics.name_threshold),
        names=statistics.names,
        documents=statistics.documents,
        suppressions=statistics.suppressions,
        blocks=statistics.blocks,
        tombstones=statistics.tombstones,
        index_version=statistics.index_version,
        as_of=to_timestamp(statistics.as_of),
    )


def to_answer(answer: domain.SearchAnswer, names: NameCalibration) -> watchlist_pb2.SearchResponse:
    """The answer of all lists; `names` is the calibration of name scores."""
    return watchlist_pb2.SearchResponse(
        results=[_to_result(result, names) for result in answer.results],
        version=answer.version,
        searched_by=[KINDS[kind] for kind in answer.searched_by],
        as_of=to_timestamp(answer.as_of),
    )


def to_suppression(
    suppression: domain.Suppression, state: domain.SuppressionState
) -> watchlist_pb2.Suppression:
    """A suppression, without the holder's face."""
    return watchlist_pb2.Suppression(
        suppression_id=suppression.suppression_id,
        list_id=suppression.list_id,
        entry_id=suppression.entry_id,
        document=to_document(suppression.document),
        reason=suppression.reason,
        proposed_by=to_actor(suppression.proposed_by),
        confirmed_by=None if suppression.confirmed_by is None else to_actor(suppression.confirmed_by),
        proposed_at=to_timestamp(suppression.proposed_at),
        expires_at=to_timestamp(suppression.expires_at),
        state=SUPPRESSION_STATES[state],
        revoked_by=None if suppression.revoked_by is None else to_actor(suppression.revoked_by),
    )


def to_import(an_import: domain.Import) -> watchlist_pb2.Import:
    """An import."""
    return watchlist_pb2.Import(
        import_id=an_import.import_id,
        list_id=an_import.list_id,
        source=an_import.source,
        content_sha256=an_import.content_sha256,
        complete=an_import.complete,
        state=IMPORT_STATES[an_import.state],
        rows=an_import.rows,
        next_row=an_import.next_row,
        added=an_import.added,
        changed=an_import.changed,
        unchanged=an_import.unchanged,
        removed=an_import.removed,
        errors=an_import.errors,
        proposed_by=to_actor(an_import.proposed_by),
        approved_by=None if an_import.approved_by is None else to_actor(an_import.approved_by),
        version=an_import.version,
    )


def to_row_error(error: domain.RowError) -> watchlist_pb2.RowError:
    """Why a row can't be used."""
    return watchlist_pb2.RowError(
        row=error.row, reason=error.reason, field=error.field, message=error.message
    )


def from_template(message: types_pb2.Template) -> Template:
    """A template."""
    return Template(Model(message.model_id, message.dimension), message.values)


def to_template(template: Template) -> types_pb2.Template:
    """A template."""
    return types_pb2.Template(
        model_id=template.model.model_id,
        dimension=template.model.dimension,
        element_type=types_pb2.ELEMENT_TYPE_FLOAT32,
        normalisation=types_pb2.NORMALISATION_L2,
        values=template.values,
    )


def from_document(message: types_pb2.DocumentKey) -> DocumentKey:
    """A document's key."""
    return DocumentKey(message.document_code, message.issuing_state, message.number)


def to_document(document: DocumentKey) -> types_pb2.DocumentKey:
    """A document's key."""
    return types_pb2.DocumentKey(
        document_code=document.document_code, issuing_state=document.issuing_state, number=document.number
    )


def to_actor(actor: Actor) -> types_pb2.Actor:
    """A person or machine."""
    return types_pb2.Actor(issuer=actor.issuer, subject=actor.subject)


def _to_result(result: domain.ListResult, names: NameCalibration) -> watchlist_pb2.ListResult:
    return watchlist_pb2.ListResult(
        watchlist=to_watchlist(result.state.watchlist),
        version=result.state.version,
        changed_at=to_timestamp(result.state.changed_at),
        threshold=None if result.threshold is None else _to_threshold(result.threshold),
        entries_searched=result.entries_searched,
        candidates_left_out=result.left_out,
        candidates=[_to_candidate(candidate, names) for candidate in result.candidates],
        name_threshold=None if result.name_threshold is None else _to_name_threshold(result.name_threshold),
    )


def _to_candidate(candidate: domain.Candidate, names: NameCalibration) -> watchlist_pb2.Candidate:
    message = watchlist_pb2.Candidate(
        entry_id=candidate.entry_id,
        kind=KINDS[candidate.kind],
        name=None if candidate.name is None else _to_name_match(candidate.name, names),
        number=None if candidate.number is None else _to_number_match(candidate.number),
        odds=None if candidate.odds is None else _to_odds(candidate.odds),
        suppressed=None if candidate.suppressed is None else _to_mark(candidate.suppressed),
        pair=candidate.pair,
    )
    if candidate.face is not None:
        face = candidate.face
        message.score.CopyFrom(_to_score(face.value, face.fmr, face.calibration_id))
        message.template_index = face.template_index
    return message


def _to_name_match(match: NameMatch, names: NameCalibration) -> watchlist_pb2.NameMatch:
    rate = names.fmr_at(match.score)
    return watchlist_pb2.NameMatch(
        parts=[
            watchlist_pb2.PartMatch(given=part.given, listed=part.listed, agreement=PARTS[part.agreement])
            for part in match.parts
        ],
        swapped=match.swapped,
        birth_date=DATES[match.birth_date],
        score=match.score,
        fmr=rate.rate,
        fmr_is_upper_bound=rate.is_upper_bound,
    )


def _to_number_match(match: NumberMatch) -> watchlist_pb2.NumberMatch:
    return watchlist_pb2.NumberMatch(
        exact=match.exact, position=match.position or 0, given=match.given, listed=match.listed
    )


def _to_odds(odds: AlertOdds) -> watchlist_pb2.AlertOdds:
    return watchlist_pb2.AlertOdds(
        probability=odds.probability,
        assumed_base_rate=odds.base_rate,
        fpir=odds.fpir,
        is_bound=odds.is_bound,
    )


def _to_mark(suppression: domain.Suppression) -> watchlist_pb2.SuppressionMark:
    return watchlist_pb2.SuppressionMark(
        suppression_id=suppression.suppression_id, expires_at=to_timestamp(suppression.expires_at)
    )


def _to_score(value: float, fmr: FalseMatchRate, calibration_id: str) -> types_pb2.Score:
    return types_pb2.Score(
        value=value,
        fmr=fmr.rate,
        fmr_is_upper_bound=fmr.is_upper_bound,
        fmr_upper_95=fmr.upper_95,
        fmr_worst_group=fmr.worst_group,
        calibration_id=calibration_id,
    )


def _to_threshold(threshold: FaceThreshold) -> watchlist_pb2.FaceThreshold:
    return watchlist_pb2.FaceThreshold(
        score=threshold.score,
        target_supported=threshold.supported,
        templates=threshold.templates,
        calibration_id=threshold.calibration_id,
        model_id=threshold.model_id,
        comparisons=threshold.comparisons,
        factor=threshold.factor,
        expected_fpir=threshold.expected_fpir,
    )


def _to_name_threshold(threshold: domain.NameThreshold) -> watchlist_pb2.NameThreshold:
    return watchlist_pb2.NameThreshold(
        score=threshold.score,
        target_supported=threshold.supported,
        names=threshold.names,
        calibration_id=threshold.calibration_id,
    )


def _from_name(message: watchlist_pb2.PersonName) -> PersonName:
    return PersonName(message.primary_identifier, message.secondary_identifier, message.native)


def _to_name(name: PersonName) -> watchlist_pb2.PersonName:
    return watchlist_pb2.PersonName(
        primary_identifier=name.primary_identifier,
        secondary_identifier=name.secondary_identifier,
        native=name.native,
    )


def _from_date(message: types_pb2.PartialDate) -> PartialDate:
    return PartialDate(
        message.year if message.HasField("year") else None,
        message.month if message.HasField("month") else None,
        message.day if message.HasField("day") else None,
    )


def _to_date(date: PartialDate) -> types_pb2.PartialDate | None:
    if date == UNKNOWN_DATE:
        return None
    return types_pb2.PartialDate(year=date.year, month=date.month, day=date.day)


def _from_time(message: watchlist_pb2.Watchlist | watchlist_pb2.Entry, field: str) -> datetime | None:
    if not message.HasField(field):  # type: ignore[arg-type]  # both have the fields that are asked for
        return None
    return from_timestamp(getattr(message, field))


def _to_time(time: datetime | None) -> Timestamp | None:
    return None if time is None else to_timestamp(time)
