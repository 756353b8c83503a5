"""Deciding a screening again from its record, to see whether it comes to the same."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from borderpost.gateway.assess import ListTerms, assess, is_stale
from borderpost.gateway.deadline import left
from borderpost.gateway.domain import Findings
from borderpost.gateway.ports import Decisions, Faces
from borderpost.gateway.recorded import findings_of
from borderpost.policy.deciding import decide
from borderpost.policy.domain import Advice, CheckKind, CheckResult, Decision, Status, Traveler
from borderpost.policy.inputs import recorded_checks, recorded_traveler
from borderpost.policy.model import Policy, read_policy
from borderpost.runtime.calls import Call
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import decisions_pb2, gateway_pb2, types_pb2

SAME: Final = 1e-6
"""Scores are of float32 numbers: what differs by less is the same."""

FROM_FINDINGS: Final = "FINDINGS"
FROM_CHECKS: Final = "CHECKS"
"""What an outcome was computed from again."""

COMPARISONS: Final = (
    ("compare", "live_template", "portrait_template", "comparison"),
    ("compare_chip", "live_template", "chip_portrait_template", "chip_comparison"),
    ("compare_portraits", "portrait_template", "chip_portrait_template", "portraits_comparison"),
)
"""Comparisons: the step, the two templates of the evidence, and where the payload has what it came to."""

NO_EVIDENCE: Final = "NO_EVIDENCE"
ANOTHER_MODEL: Final = "ANOTHER_MODEL"
FACES_UNAVAILABLE: Final = "FACES_UNAVAILABLE"
"""Why scores were not computed again."""


@dataclass(frozen=True, slots=True)
class _Again:
    """What a record comes to now: from what, which checks, and which decision."""

    computed_from: str
    checks: Sequence[CheckResult]
    decision: Decision


class Replay:
    """Decides screenings again. Changes nothing."""

    def __init__(self, decisions: Decisions, faces: Faces) -> None:
        self._decisions = decisions
        self._faces = faces

    async def replay(
        self, kiosk_id: str, request_id: str, call: Call, seconds: float
    ) -> gateway_pb2.ReplayScreeningResponse:
        """Decide a screening again by the policy that was in force. Its reader is recorded by the log, with the
        purpose.

        What the log says of a missing purpose, record or policy is passed on.
        """
        until = time.monotonic() + seconds
        wanted = decisions_pb2.GetScreeningRequest(
            kiosk_id=kiosk_id, request_id=request_id, with_evidence=True
        )
        record = await self._decisions.get(wanted, call, left(until))
        screening = record.entry.event.traveler_screened
        toml = await self._decisions.policy(screening.versions.policy, call, left(until))
        policy = read_policy(toml, "policy in the log").policy
        again = decided_again(policy, screening, record.payload if record.HasField("payload") else None)
        scores, why_not = await self._scores(record, policy.face_match_fmr, call, until)
        return _answer(screening, again, scores, why_not)

    async def _scores(
        self, record: decisions_pb2.GetScreeningResponse, fmr: float, call: Call, until: float
    ) -> tuple[list[gateway_pb2.ReplayedScore], str]:
        """Compare the templates that are still held; or say why not."""
        held = {field.name: value for field, value in record.evidence.ListFields()}
        recorded = {field.name: value for field, value in record.payload.ListFields()}
        scores: list[gateway_pb2.ReplayedScore] = []
        why_not = ""
        for step, one, other, comparison in COMPARISONS:
            if comparison not in recorded:
                continue
            if one not in held or other not in held:
                why_not = NO_EVIDENCE
                continue
            try:
                compared = await self._faces.compare(held[one], held[other], fmr, call, left(until))
            except BorderpostError as error:
                refused = error.code is grpc.StatusCode.INVALID_ARGUMENT
                why_not = ANOTHER_MODEL if refused else FACES_UNAVAILABLE
                continue
            before, now = recorded[comparison].score.value, compared.score.value
            same = math.isclose(before, now, rel_tol=0, abs_tol=SAME)
            scores.append(gateway_pb2.ReplayedScore(step=step, recorded=before, replayed=now, same=same))
        return scores, why_not or ("" if scores else NO_EVIDENCE)


def decided_again(
    policy: Policy,
    screening: decisions_pb2.TravelerScreened,
    payload: decisions_pb2.ScreeningPayload | None,
) -> _Again:
    """Return what a record comes to by a policy: from its findings, or from its checks where these are not (or no
    longer) there."""
    findings = findings_of(payload, screening) if payload is not None else None
    traveler = recorded_traveler(screening)
    if findings is not None:
        received_at = from_timestamp(screening.received_at)
        stale = is_stale(findings.watchlists_as_of, received_at, policy.max_watchlist_age_seconds)
        checks = assess(findings, ListTerms(stale, policy.refer_suppressed))
        traveler = traveler or _former_traveler(screening, findings)
        return _Again(FROM_FINDINGS, checks, decide(policy, traveler, checks))
    if traveler is not None:
        checks = recorded_checks(screening)
        return _Again(FROM_CHECKS, checks, decide(policy, traveler, checks))
    former = [_recorded(check, screening) for check in screening.checks]
    policy = _with_required(policy, screening)
    return _Again(FROM_CHECKS, former, decide(policy, _former_traveler(screening, None), former))


def _former_traveler(screening: decisions_pb2.TravelerScreened, findings: Findings | None) -> Traveler:
    """The traveler of a record from before records kept what policies look at."""
    identity = findings.identity if findings else None
    return Traveler(
        screening.crossing,
        types_pb2.Direction.Name(screening.direction).removeprefix("DIRECTION_"),
        identity.document.document_code if identity else "",
        screening.attempt,
        has_chip=findings is not None and findings.chip_sent,
    )


def _with_required(policy: Policy, screening: decisions_pb2.TravelerScreened) -> Policy:
    """The policy with the one rule that was applied: which one fits can't be told without the document."""
    required = tuple(
        CheckKind(types_pb2.CheckKind.Name(kind).removeprefix("CHECK_KIND_")) for kind in screening.required
    )
    only = policy.rules[-1].model_copy(update={"required": required})
    return policy.model_copy(update={"rules": (only,)})


def _recorded(check: types_pb2.Check, screening: decisions_pb2.TravelerScreened) -> CheckResult:
    """Make a check of what the public record says of it. What another picture can mend is known by its reasons
    there."""
    status = Status(types_pb2.CheckStatus.Name(check.status).removeprefix("CHECK_STATUS_"))
    advice = tuple(
        Advice(problem.code, problem.advice)
        for problem in screening.advice
        if status not in (Status.PASSED, Status.FAILED)
    )
    tolerable = bool(check.reasons) and set(check.reasons) <= set(screening.tolerated)
    return CheckResult(CheckKind(check.name), status, tuple(check.reasons), advice, merely_unsure=tolerable)


def _answer(
    screening: decisions_pb2.TravelerScreened,
    again: _Again,
    scores: Sequence[gateway_pb2.ReplayedScore],
    why_not: str,
) -> gateway_pb2.ReplayScreeningResponse:
    outcome = types_pb2.Outcome.Value(f"OUTCOME_{again.decision.outcome}")
    before = {check.name: (check.status, tuple(check.reasons)) for check in screening.checks}
    now = {str(check.kind): (_status(check), check.reasons) for check in again.checks}
    differing = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    same = (
        outcome == screening.outcome
        and list(screening.reasons) == list(again.decision.reasons)
        and not differing
        and all(score.same for score in scores)
    )
    return gateway_pb2.ReplayScreeningResponse(
        same=same,
        policy=screening.versions.policy,
        recorded_outcome=screening.outcome,
        replayed_outcome=outcome,
        recorded_reasons=screening.reasons,
        replayed_reasons=again.decision.reasons,
        computed_from=again.computed_from,
        differing_checks=differing,
        scores=scores,
        scores_not_computed=why_not,
    )


def _status(check: CheckResult) -> types_pb2.CheckStatus.ValueType:
    return types_pb2.CheckStatus.Value(f"CHECK_STATUS_{check.status}")
