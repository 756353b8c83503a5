"""From checks to an outcome: one pure function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from borderpost.policy.domain import (
    RANDOM_SAMPLE,
    RULE_OFFICER,
    Advice,
    CheckKind,
    CheckResult,
    Decision,
    Outcome,
    Status,
    Traveler,
)
from borderpost.policy.model import DRAWS, Policy, Rule, Sample

ATTEMPTS_EXHAUSTED: Final = "ATTEMPTS_EXHAUSTED"
"""Reason of a REFER that would have been another RETAKE."""

CANNOT_BE_REPEATED: Final = "CAPTURE_CANNOT_BE_REPEATED"
"""The same of a late capture, whose traveler has long gone on to an officer."""

CAPTURED_LATE: Final = "CAPTURED_LATE"
"""Further reason of every REFER of a late capture: what it found comes after the traveler was seen."""

NOT_A_TRAVEL_DOCUMENT: Final = "NOT_A_TRAVEL_DOCUMENT"
"""Reason of a REFER: what was shown doesn't let its holder travel by itself."""

DECLINED: Final = "FACE_MATCHING_DECLINED"
"""Reason of a REFER: the traveler declined to have their face matched."""

# Weightiest first: what an officer must know before anything else.
_WEIGHT: Final = (
    CheckKind.WATCHLIST_FACE,
    CheckKind.WATCHLIST_DOCUMENT,
    CheckKind.WATCHLIST_NAME,
    CheckKind.FACE_MATCH,
    CheckKind.DOCUMENT_CONSISTENT,
    CheckKind.DOCUMENT_OPTICAL,
    CheckKind.CHIP_DATA,
    CheckKind.DOCUMENT_ELECTRONIC,
    CheckKind.DOCUMENT_COMBINED,
    CheckKind.LIVENESS,
    CheckKind.FACE_CAPTURE,
)


def decide(policy: Policy, traveler: Traveler, checks: Sequence[CheckResult]) -> Decision:
    """Return the outcome of the checks.

    1. A document that is none to travel with, such as a visa alone; a check that FAILED, required or not; a required
    check that isn't PASSED and that no other picture could mend; face matching declined; a rule that wants an
    officer: REFER. 2. Every required check PASSED, or is UNDETERMINED for nothing but reasons that the policy
    tolerates: CLEAR; or, if the draw says so, REFER as one of the random sample. 3. What is left another picture
    could mend: RETAKE with its advice, or REFER at the last attempt, and of a late capture.
    """
    rules = policy.rules_for(traveler)
    required = tuple(dict.fromkeys(kind for rule in rules for kind in rule.required))
    by_kind = {check.kind: check for check in checks}
    # A check that nobody assessed is one that was not performed.
    wanted = [by_kind.get(kind) or CheckResult(kind, Status.NOT_PERFORMED) for kind in required]
    failed = [check for check in checks if check.status is Status.FAILED]
    unsure = [check for check in wanted if check.status not in (Status.PASSED, Status.FAILED)]
    open_ = [check for check in unsure if not _is_tolerated(check, policy.tolerated)]
    tolerated = _reasons([check for check in unsure if check not in open_])
    apart = _apart_from_checks(policy, traveler, rules)
    if apart or failed or not all(check.advice for check in open_):
        return _refer(traveler, (*apart, *_reasons(failed), *_reasons(open_)), required)
    maybe = tuple(rule.reason or RULE_OFFICER for rule in rules[:-1] if rule.officer)
    if not open_ and maybe:
        return _refer(traveler, maybe, required)
    if not open_:
        if _is_drawn(policy.sample, traveler):
            return Decision(Outcome.REFER, (RANDOM_SAMPLE,), required, tolerated=tolerated, sampled=True)
        return Decision(Outcome.CLEAR, (), required, tolerated=tolerated)
    if traveler.late:
        return _refer(traveler, (CANNOT_BE_REPEATED, *_reasons(open_)), required)
    if traveler.attempt < policy.max_attempts:
        return Decision(Outcome.RETAKE, _reasons(open_), required, _advice(open_))
    return _refer(traveler, (ATTEMPTS_EXHAUSTED, *_reasons(open_)), required)


def _refer(traveler: Traveler, reasons: Sequence[str], required: tuple[CheckKind, ...]) -> Decision:
    late = (CAPTURED_LATE,) if traveler.late else ()
    return Decision(Outcome.REFER, tuple(dict.fromkeys((*reasons, *late))), required)


def _apart_from_checks(policy: Policy, traveler: Traveler, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the reasons for an officer that no check has."""
    code = traveler.document_code
    no_document = (NOT_A_TRAVEL_DOCUMENT,) if code and code[:1] not in policy.travel_documents else ()
    declined = (DECLINED,) if traveler.declined else ()
    # The last one is the one that fits for certain; those before it may.
    by_rule = (rules[-1].reason or RULE_OFFICER,) if rules[-1].officer else ()
    return (*no_document, *declined, *by_rule)


def _is_drawn(sample: Sample, traveler: Traveler) -> bool:
    if traveler.late or traveler.draw is None:
        return False
    here = not sample.crossings or traveler.crossing in sample.crossings
    return here and traveler.draw < sample.share * DRAWS


def _is_tolerated(check: CheckResult, tolerated: frozenset[str]) -> bool:
    """Tell whether a check was made in every part, came to no clear result, and for nothing but tolerated reasons."""
    unsure = check.status is Status.UNDETERMINED and check.merely_unsure
    return unsure and bool(check.reasons) and tolerated.issuperset(check.reasons)


def _reasons(checks: Sequence[CheckResult]) -> tuple[str, ...]:
    ordered = sorted(checks, key=lambda check: _WEIGHT.index(check.kind))
    return tuple(dict.fromkeys(reason for check in ordered for reason in _reasons_of(check)))


def _reasons_of(check: CheckResult) -> Sequence[str]:
    """Return what led to a check's status at its root: what is wrong with the picture, if it is that."""
    if check.advice:
        return [advice.code for advice in check.advice]
    return check.reasons or (f"{check.kind}_{check.status}",)


def _advice(checks: Sequence[CheckResult]) -> tuple[Advice, ...]:
    return tuple(dict.fromkeys(advice for check in checks for advice in check.advice))
