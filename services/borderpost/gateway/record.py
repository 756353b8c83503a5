"""The record of a screening: its public part for everybody who may query, its personal part encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from borderpost.gateway import combined
from borderpost.gateway.domain import Advice, CheckResult, Decision, Findings, ScreenRequest
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import decisions_pb2, documents_pb2, types_pb2, watchlist_pb2

PAYLOAD_SCHEMA: Final = 1

MAX_PAIR_BYTES: Final = 1024 * 1024
"""Pairs that a record keeps, for an officer to suppress. One has about 6 KB: the templates of the request. The log
takes records of 3 MiB, and a screening without a record is none."""


def record_of(
    request: ScreenRequest,
    findings: Findings,
    checks: Sequence[CheckResult],
    decision: Decision,
    policy: str,
    software: str,
) -> decisions_pb2.AppendScreeningRequest:
    """Return what the log is to keep of a screening."""
    screening = decisions_pb2.TravelerScreened(
        request_id=request.request_id,
        visit_id=request.visit_id,
        attempt=request.attempt,
        kiosk_id=request.kiosk_id,
        crossing=request.crossing,
        direction=request.direction,
        kiosk_time=to_timestamp(request.kiosk_time),
        received_at=to_timestamp(request.received_at),
        content_sha256=request.content_sha256(),
        outcome=types_pb2.Outcome.Value(f"OUTCOME_{decision.outcome}"),
        reasons=decision.reasons,
        checks=[_check(check) for check in checks],
        required=[types_pb2.CheckKind.Value(f"CHECK_KIND_{kind}") for kind in decision.required],
        advice=[_problem(advice) for advice in decision.advice],
        steps=findings.steps,
        versions=_versions(findings, policy, software),
        tolerated=decision.tolerated,
    )
    return decisions_pb2.AppendScreeningRequest(screening=screening, payload=_payload(findings))


def _payload(findings: Findings) -> decisions_pb2.ScreeningPayload:
    payload = decisions_pb2.ScreeningPayload(schema_version=PAYLOAD_SCHEMA)
    if findings.document:
        _add_document(payload, findings.document, findings)
    _add_faces(payload, findings)
    if findings.watchlists:
        _add_watchlists(payload, findings.watchlists)
    return payload


def _add_watchlists(payload: decisions_pb2.ScreeningPayload, searched: watchlist_pb2.SearchResponse) -> None:
    """Keep every candidate, and the pairs of as many as there is room for, in the order of the answer."""
    payload.watchlists.extend(searched.results)
    room = MAX_PAIR_BYTES
    for candidate in (candidate for result in payload.watchlists for candidate in result.candidates):
        room -= len(candidate.pair)
        if room < 0:
            candidate.ClearField("pair")


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
    return decisions_pb2.Versions(
        software=software,
        policy=policy,
        model_id=extraction.template.model_id if extraction else "",
        calibration_id=comparison.score.calibration_id if comparison else "",
        watchlists=findings.watchlists.version if findings.watchlists else 0,
        document_reader=findings.document.reader if findings.document else "",
        trust_store=findings.document.trust_store_version if findings.document else 0,
    )


def _check(check: CheckResult) -> types_pb2.Check:
    return types_pb2.Check(
        name=check.kind,
        status=types_pb2.CheckStatus.Value(f"CHECK_STATUS_{check.status}"),
        reasons=check.reasons,
    )


def _problem(advice: Advice) -> types_pb2.CaptureProblem:
    return types_pb2.CaptureProblem(code=advice.code, advice=advice.text)
