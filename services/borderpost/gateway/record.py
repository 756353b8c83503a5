"""The record of a screening: its public part for everybody who may query, its personal part encrypted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from borderpost.gateway import combined
from borderpost.gateway.domain import Findings, ScreenRequest
from borderpost.gateway.looking import chip_portrait_sha256, holder_sha256, template_of
from borderpost.policy.ages import is_adult
from borderpost.policy.domain import Advice, CheckResult, Decision, Outcome, Traveler
from borderpost.policy.inputs import check_of, inputs_of
from borderpost.policy.model import Policy, PolicyVersion
from borderpost.policy.referring import referral_terms
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import decisions_pb2, documents_pb2, types_pb2, watchlist_pb2

PAYLOAD_SCHEMA: Final = 1

MAX_PAIR_BYTES: Final = 1024 * 1024
MAX_CANDIDATE_BYTES: Final = 1024 * 1024
MAX_TEXT_BYTES: Final = 512 * 1024
"""What a record keeps of the watchlists' answer beside a few hundred bytes of every list: pairs, for an officer to
suppress (one has about 6 KB: the templates of the request); candidates without them (150 bytes to 1 KB); and what is
said of the lists that have candidates. The log takes payloads of 3 MiB, and a screening without a record is none."""


MAX_EVIDENCE_BYTES: Final = 24 * 1024 * 1024
"""What a record keeps of pictures: two of the largest size allowed. Usual ones have some hundred KB each."""


def record_of(
    request: ScreenRequest,
    findings: Findings,
    traveler: Traveler,
    checks: Sequence[CheckResult],
    decision: Decision,
    policy: PolicyVersion,
    software: str,
) -> decisions_pb2.AppendScreeningRequest:
    """Return what the log is to keep of a screening; pictures and the terms of its case only where it is one to
    refer."""
    screening = decisions_pb2.TravelerScreened(
        request_id=request.request_id,
        visit_id=request.visit_id,
        attempt=traveler.attempt,
        kiosk_id=request.kiosk_id,
        crossing=request.crossing,
        direction=request.direction,
        kiosk_time=to_timestamp(request.kiosk_time),
        received_at=to_timestamp(request.received_at),
        content_sha256=request.content_sha256(),
        outcome=types_pb2.Outcome.Value(f"OUTCOME_{decision.outcome}"),
        reasons=decision.reasons,
        checks=[check_of(check) for check in checks],
        required=[types_pb2.CheckKind.Value(f"CHECK_KIND_{kind}") for kind in decision.required],
        advice=[_problem(advice) for advice in decision.advice],
        steps=findings.steps,
        versions=_versions(findings, policy.version, software),
        tolerated=decision.tolerated,
        inputs=inputs_of(traveler),
        group_id=request.group_id,
        sampled=decision.sampled,
    )
    record = decisions_pb2.AppendScreeningRequest(
        screening=screening,
        payload=_payload(findings),
        recent=_recent(request, findings, policy.policy),
    )
    if decision.outcome is Outcome.REFER:
        record.evidence.CopyFrom(_evidence(request, findings))
        terms = referral_terms(policy.policy.referral, decision.reasons, traveler)
        record.referral.priority = terms.priority
        record.referral.second_finding = terms.second_finding
        record.referral.own_look_first = terms.own_look_first
    return record


def _recent(request: ScreenRequest, findings: Findings, policy: Policy) -> decisions_pb2.RecentMarks | None:
    """Return what is kept for looking back; None, where the policy looks for no patterns and nobody travels along."""
    gallery = policy.patterns.gallery if policy.patterns else None
    if policy.patterns is None and not request.group_id:
        return None
    identity = findings.identity
    recent = decisions_pb2.RecentMarks(
        chip_portrait_sha256=chip_portrait_sha256(findings) if policy.patterns else b"",
        adult=identity is not None and is_adult(identity.birth_date, request.at.date(), policy.adult_age),
    )
    live = template_of(findings.live)
    holder = holder_sha256(findings) if gallery else b""
    if gallery is not None and live is not None and holder:
        recent.holder_sha256 = holder
        recent.live_template.CopyFrom(live)
        recent.gallery_until.FromDatetime(request.at + timedelta(seconds=gallery.seconds))
    return recent


def _evidence(request: ScreenRequest, findings: Findings) -> decisions_pb2.ScreeningEvidence:
    """Keep pictures as far as there is room, those first that an officer needs most; and the templates."""
    document = findings.document
    evidence = decisions_pb2.ScreeningEvidence(
        schema_version=PAYLOAD_SCHEMA,
        live_template=template_of(findings.live),
        portrait_template=template_of(findings.portrait),
        chip_portrait_template=template_of(findings.chip_portrait),
    )
    left = MAX_EVIDENCE_BYTES - sum(map(len, request.frames))
    if left >= 0:
        evidence.live_frames.extend(request.frames)
    else:
        left = MAX_EVIDENCE_BYTES
        evidence.left_out.append("live_frames")
    for name, picture in (
        ("portrait", document.portrait if document else b""),
        ("chip_portrait", document.chip_portrait if document else b""),
        ("page", request.page),
        ("portrait_page", request.portrait_page),
    ):
        if len(picture) <= left:
            setattr(evidence, name, picture)
            left -= len(picture)
        else:
            evidence.left_out.append(name)
    return evidence


def _assessed_from(findings: Findings) -> decisions_pb2.AssessedFrom:
    """Keep what else the checks rest on, for a replay (`recorded` makes findings of it again)."""
    document, live, searched = findings.document, findings.live, findings.watchlists
    return decisions_pb2.AssessedFrom(
        document_problems=document.problems if document else (),
        live_problems=live.problems if live else (),
        document_read=document is not None,
        live_looked_at=live is not None,
        portrait_found=bool(document and document.portrait),
        chip_portrait_found=bool(document and document.chip_portrait),
        portrait_looked_at=findings.portrait is not None,
        chip_portrait_looked_at=findings.chip_portrait is not None,
        live_template=template_of(live) is not None,
        portrait_template=template_of(findings.portrait) is not None,
        chip_portrait_template=template_of(findings.chip_portrait) is not None,
        chip_sent=findings.chip_sent,
        lists_searched=searched is not None,
        searched_by=searched.searched_by if searched else (),
        candidates_left_out=any(result.candidates_left_out for result in searched.results)
        if searched
        else False,
    )


def _payload(findings: Findings) -> decisions_pb2.ScreeningPayload:
    payload = decisions_pb2.ScreeningPayload(
        schema_version=PAYLOAD_SCHEMA, assessed_from=_assessed_from(findings)
    )
    if findings.document:
        _add_document(payload, findings.document, findings)
    _add_faces(payload, findings)
    if findings.watchlists:
        _add_watchlists(payload, findings.watchlists)
    if findings.looked_back:
        payload.patterns.extend(findings.looked_back.patterns)
    return payload


class _Room:
    """Bytes that are left. What comes after the first that has no room has none either."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Take some, and tell whether there were as many."""
        self._left -= size
        return self._left >= 0


def _add_watchlists(payload: decisions_pb2.ScreeningPayload, searched: watchlist_pb2.SearchResponse) -> None:
    """Keep what was searched, whole, and of what was found as much as there is room for; the rest is counted."""
    payload.watchlists.extend(map(_searched, searched.results))
    texts, found, pairs = _Room(MAX_TEXT_BYTES), _Room(MAX_CANDIDATE_BYTES), _Room(MAX_PAIR_BYTES)
    chosen: dict[tuple[int, int], bool] = {}
    for place, number in _by_rank(searched.results):
        candidate = searched.results[place].candidates[number]
        if found.take(candidate.ByteSize() - len(candidate.pair)):
            chosen[place, number] = pairs.take(len(candidate.pair))
    for place, number in sorted(chosen):
        candidate = payload.watchlists[place].candidates.add()
        candidate.CopyFrom(searched.results[place].candidates[number])
        if not chosen[place, number]:
            candidate.ClearField("pair")
    for result, kept in zip(searched.results, payload.watchlists, strict=True):
        kept.candidates_left_out = result.candidates_left_out + len(result.candidates) - len(kept.candidates)
        if result.candidates and texts.take(result.watchlist.ByteSize()):
            kept.watchlist.CopyFrom(result.watchlist)


def _searched(result: watchlist_pb2.ListResult) -> watchlist_pb2.ListResult:
    """Say of a list what was searched: which one, its version, thresholds and count. What else is said of a list is the
    same in every record, and long."""
    watchlist = result.watchlist
    return watchlist_pb2.ListResult(
        watchlist=watchlist_pb2.Watchlist(list_id=watchlist.list_id, name=watchlist.name),
        version=result.version,
        changed_at=result.changed_at if result.HasField("changed_at") else None,
        threshold=result.threshold if result.HasField("threshold") else None,
        entries_searched=result.entries_searched,
        name_threshold=result.name_threshold if result.HasField("name_threshold") else None,
    )


def _by_rank(results: Sequence[watchlist_pb2.ListResult]) -> list[tuple[int, int]]:
    """Return where the candidates are (list, number): of every list the first of each kind, then the second, and so on,
    so that many of one list or kind don't take the place of all others."""
    ranked: list[tuple[int, int, int]] = []
    for place, result in enumerate(results):
        ranks: Counter[int] = Counter()
        for number, candidate in enumerate(result.candidates):
            ranked.append((ranks[candidate.kind], place, number))
            ranks[candidate.kind] += 1
    return [(place, number) for _, place, number in sorted(ranked)]


def _add_document(
    payload: decisions_pb2.ScreeningPayload,
    document: documents_pb2.ReadDocumentResponse,
    findings: Findings,
) -> None:
    payload.optical.CopyFrom(document.optical)
    payload.electronic.CopyFrom(document.electronic)
    payload.consistency.CopyFrom(combined.consistency(findings))
    payload.combined.CopyFrom(combined.combined(findings))
    if document.HasField("mrz"):
        payload.mrz.CopyFrom(document.mrz)
    if document.HasField("chip"):
        payload.chip.CopyFrom(document.chip)


def _add_faces(payload: decisions_pb2.ScreeningPayload, findings: Findings) -> None:
    if findings.live:
        payload.live_quality.extend(findings.live.quality)
        payload.liveness.CopyFrom(findings.live.liveness)
    for quality, portrait in (
        (payload.portrait_quality, findings.portrait),
        (payload.chip_portrait_quality, findings.chip_portrait),
    ):
        quality.extend(portrait.quality if portrait else ())
    for field, comparison in (
        (payload.comparison, findings.comparison),
        (payload.chip_comparison, findings.chip_comparison),
        (payload.portraits_comparison, findings.portraits_comparison),
    ):
        if comparison:
            field.CopyFrom(comparison)


def _versions(findings: Findings, policy: str, software: str) -> decisions_pb2.Versions:
    extraction = findings.live or findings.portrait or findings.chip_portrait
    comparison = findings.comparison or findings.chip_comparison or findings.portraits_comparison
    as_of = findings.watchlists_as_of
    return decisions_pb2.Versions(
        software=software,
        policy=policy,
        model_id=extraction.template.model_id if extraction else "",
        calibration_id=comparison.score.calibration_id if comparison else "",
        watchlists=findings.watchlists.version if findings.watchlists else 0,
        document_reader=findings.document.reader if findings.document else "",
        trust_store=findings.document.trust_store_version if findings.document else 0,
        watchlists_as_of=None if as_of is None else to_timestamp(as_of),
    )


def _problem(advice: Advice) -> types_pb2.CaptureProblem:
    return types_pb2.CaptureProblem(code=advice.code, advice=advice.text)
