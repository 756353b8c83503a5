"""What page, chip and live face say together: the combined verdict of BSI TR-03135. Pure.

The documents service judges page and chip, and holds their texts against each other. The faces are the gateway's
to add, because only it has the scores.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from borderpost.gateway.domain import Findings
from borderpost.v1 import documents_pb2, faces_pb2, types_pb2

PASSED = types_pb2.CHECK_STATUS_PASSED
FAILED = types_pb2.CHECK_STATUS_FAILED
UNDETERMINED = types_pb2.CHECK_STATUS_UNDETERMINED
NOT_PERFORMED = types_pb2.CHECK_STATUS_NOT_PERFORMED

NOT_PASSIVE: Final = frozenset({"CLONE_PROTECTION"})
"""Checks of the electronic verdict that say nothing about what the state signed. All others, known or not, do."""


def chip_data(document: documents_pb2.ReadDocumentResponse) -> types_pb2.Verdict:
    """Passive authentication alone: is what the chip holds what the state signed?"""
    return _verdict(check for check in document.electronic.checks if check.name not in NOT_PASSIVE)


def consistency(findings: Findings) -> types_pb2.Verdict:
    """Whether page, chip and live face tell of one document and one person."""
    document = findings.document
    if document is None:
        return _verdict(())
    if not (findings.chip_sent or document.HasField("chip")):
        return document.consistency
    faces = (
        _faces("PAGE_PORTRAIT_IS_THE_CHIPS", findings.portraits_comparison, "PORTRAITS_DIFFER", findings),
        _faces("LIVE_FACE_IS_THE_CHIPS", findings.chip_comparison, "FACE_NOT_THE_CHIPS", findings),
    )
    return _verdict((*document.consistency.checks, *faces))


def combined(findings: Findings) -> types_pb2.Verdict:
    """The combined verdict: optical, electronic and consistent, each with the reasons of its own checks."""
    document = findings.document
    if document is None:
        return _verdict(())
    parts = (
        ("OPTICAL", document.optical),
        ("ELECTRONIC", document.electronic),
        ("CONSISTENT", consistency(findings)),
    )
    return _verdict(_summed_up(name, verdict) for name, verdict in parts)


def reasons_of(verdict: types_pb2.Verdict) -> list[str]:
    """Return why a verdict isn't PASSED: what failed if anything did, otherwise all that is open."""
    failed = [check for check in verdict.checks if check.status == FAILED]
    return list(dict.fromkeys(reason for check in failed or verdict.checks for reason in check.reasons))


def status_of(verdict: types_pb2.Verdict) -> types_pb2.CheckStatus.ValueType:
    """Return what a verdict comes to: by its own checks and by the service's word, whichever is worse."""
    said = {_verdict(verdict.checks).status, verdict.status}
    if FAILED in said:
        return FAILED
    return PASSED if said == {PASSED} else UNDETERMINED


def is_merely_unsure(checks: Iterable[types_pb2.Check]) -> bool:
    """Tell whether all that isn't PASSED was made, came to no clear result, and says why."""
    open_ = [check for check in checks if check.status != PASSED]
    return bool(open_) and all(check.status == UNDETERMINED and check.reasons for check in open_)


def all_checks(findings: Findings) -> list[types_pb2.Check]:
    """Return every check that the combined verdict rests on."""
    document = findings.document
    if document is None:
        return []
    return [*document.optical.checks, *document.electronic.checks, *consistency(findings).checks]


def _summed_up(name: str, verdict: types_pb2.Verdict) -> types_pb2.Check:
    status = status_of(verdict)
    return types_pb2.Check(name=name, status=status, reasons=() if status == PASSED else reasons_of(verdict))


def contradicts_itself(comparison: faces_pb2.CompareResponse) -> bool:
    """Tell whether a comparison says PASSED of a score below its own threshold, or of none at all."""
    if comparison.status != PASSED:
        return False
    return not comparison.HasField("score") or not comparison.score.value >= comparison.threshold


def _faces(
    name: str, comparison: faces_pb2.CompareResponse | None, differ: str, findings: Findings
) -> types_pb2.Check:
    if comparison is None:
        reason = "FACE_MATCHING_DECLINED" if findings.declined else f"{name}_NOT_CHECKED"
        return types_pb2.Check(name=name, status=NOT_PERFORMED, reasons=[reason])
    if contradicts_itself(comparison):
        return types_pb2.Check(name=name, status=UNDETERMINED, reasons=["ANSWER_CONTRADICTS_ITSELF"])
    reasons = {FAILED: [differ], UNDETERMINED: ["FMR_NOT_SUPPORTED"]}.get(comparison.status, [])
    known = comparison.status in (PASSED, FAILED, UNDETERMINED)
    status = comparison.status if known else NOT_PERFORMED
    return types_pb2.Check(name=name, status=status, reasons=reasons)


def _verdict(checks: Iterable[types_pb2.Check]) -> types_pb2.Verdict:
    """FAILED if one failed, PASSED if all of at least one passed, otherwise UNDETERMINED."""
    made = list(checks)
    statuses = {check.status for check in made}
    if FAILED in statuses:
        return types_pb2.Verdict(status=FAILED, checks=made)
    return types_pb2.Verdict(status=PASSED if statuses == {PASSED} else UNDETERMINED, checks=made)
