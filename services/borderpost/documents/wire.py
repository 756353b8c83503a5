"""Domain to protobuf. documents.proto is the specification."""

from __future__ import annotations

from typing import Final

from borderpost.documents import domain, mrz
from borderpost.documents.challenge import Challenge
from borderpost.documents.messages import advice
from borderpost.documents.verdict import Check, Overall, Verdict
from borderpost.documents.wire_chip import to_chip
from borderpost.documents.wire_mrz import to_mrz
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import documents_pb2 as pb
from borderpost.v1 import types_pb2

_OVERALL: Final = {
    Overall.PASS: types_pb2.CHECK_STATUS_PASSED,
    Overall.FAIL: types_pb2.CHECK_STATUS_FAILED,
    Overall.UNDETERMINED: types_pb2.CHECK_STATUS_UNDETERMINED,
}


def to_response(reading: domain.DocumentReading, language: str = "") -> pb.ReadDocumentResponse:
    """Turn a reading into the answer of ReadDocument. `language` is the advice's, a BCP 47 tag or empty."""
    response = pb.ReadDocumentResponse(
        portrait=reading.portrait.jpeg if reading.portrait else b"",
        optical=_verdict(reading.optical),
        electronic=_verdict(reading.electronic),
        consistency=_verdict(reading.consistency),
        reader=reading.reader,
        stages=[types_pb2.StageTime(stage=s.name, milliseconds=s.milliseconds) for s in reading.stages],
    )
    if reading.mrz is not None:
        response.mrz.CopyFrom(_read_mrz(reading.mrz, reading))
    if reading.chip is not None:
        response.chip.CopyFrom(to_chip(reading.chip))
        response.chip_portrait = reading.chip.portrait.picture if reading.chip.portrait else b""
        response.trust_store_version = reading.chip.trust_store_version
    if reading.problem is not None:
        response.problems.add(code=reading.problem.value, advice=advice(reading.problem, language))
    return response


def to_challenge(challenge: Challenge) -> pb.IssueChipChallengeResponse:
    """Turn a challenge into the answer of IssueChipChallenge."""
    return pb.IssueChipChallengeResponse(
        nonce=challenge.nonce,
        challenge_token=challenge.token,
        expires_at=to_timestamp(challenge.expires_at),
    )


def _read_mrz(document: mrz.Mrz, reading: domain.DocumentReading) -> pb.Mrz:
    message = to_mrz(document)
    message.repairs.extend(_repair(repair, document.format) for repair in reading.repairs)
    message.warnings.extend(warning.value for warning in reading.warnings)
    confidences = [confidence for line in reading.lines for confidence in line.confidences]
    message.character_confidences.extend(confidences)
    message.confidence = min(confidences)
    return message


def _repair(repair: mrz.Repair, layout: mrz.Format) -> pb.Repair:
    basis = pb.RepairBasis.Value(f"REPAIR_BASIS_{repair.basis.value}")
    message = pb.Repair(field=repair.field, position=repair.position, to=repair.now, basis=basis)
    setattr(message, "from", repair.was)  # a keyword, so it is set by name
    for name, span, _ in mrz.kinds_of(layout):
        if name == repair.field:
            at = span.start + repair.position
            message.place.CopyFrom(pb.MrzSpan(line=span.line, start=at, end=at + 1))
    return message


def _verdict(verdict: Verdict) -> types_pb2.Verdict:
    return types_pb2.Verdict(status=_OVERALL[verdict.overall], checks=[_check(c) for c in verdict.checks])


def _check(check: Check) -> types_pb2.Check:
    return types_pb2.Check(
        name=check.name.value,
        status=types_pb2.CheckStatus.Value(f"CHECK_STATUS_{check.result.value}"),
        reasons=[check.reason] if check.reason else [],
    )
