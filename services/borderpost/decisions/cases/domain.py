"""Cases: what the events make of them, and what may be done to them. Pure; time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from borderpost.decisions.cases.errors import (
    CaseHeldError,
    CaseNotYoursError,
    CaseStateError,
    FindingAlreadyYoursError,
    SupervisorNeededError,
)
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp, to_timestamp
from borderpost.runtime.identity import is_same_person
from borderpost.v1.cases_pb2 import CaseState
from borderpost.v1.decisions_pb2 import (
    Event,
    FindingCorrected,
    FindingGiven,
    FindingsDisagree,
    FirstLookGiven,
    ReferralClaimed,
    ReferralClosed,
    ReferralEscalated,
    ReferralOpened,
    ReferralReleased,
    SecondFindingGiven,
)

OPEN: Final = CaseState.CASE_STATE_OPEN
CLAIMED: Final = CaseState.CASE_STATE_CLAIMED
FOUND: Final = CaseState.CASE_STATE_FOUND
ESCALATED: Final = CaseState.CASE_STATE_ESCALATED
CLOSED: Final = CaseState.CASE_STATE_CLOSED

Step = (
    ReferralClaimed
    | ReferralReleased
    | ReferralEscalated
    | FirstLookGiven
    | FindingGiven
    | SecondFindingGiven
    | FindingsDisagree
    | ReferralClosed
    | FindingCorrected
)
"""The body of an event that brings a case on."""

BODIES: Final[dict[type, str]] = {
    ReferralClaimed: "referral_claimed",
    ReferralReleased: "referral_released",
    ReferralEscalated: "referral_escalated",
    FirstLookGiven: "first_look_given",
    FindingGiven: "finding_given",
    SecondFindingGiven: "second_finding_given",
    FindingsDisagree: "findings_disagree",
    ReferralClosed: "referral_closed",
    FindingCorrected: "finding_corrected",
}
"""The field of `Event` that each step is in."""

CASE_BODIES: Final = frozenset({"referral_opened", *BODIES.values()})
"""Fields of `Event` that are about a case; its id is the event's subject."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a case, since when, and when that ends by itself."""

    holder: Actor
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding, who gave it and when. Its personal part is sealed beside the event with this id."""

    event_id: str
    officer: Actor
    time: datetime
    body: FindingGiven
    correction: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Who gave their own first look. What they said is sealed beside the event with this id."""

    event_id: str
    officer: Actor


@dataclass(frozen=True, slots=True)
class Case:
    """A case. `state` is the one beneath a claim: never CLAIMED; see `state_at`. `version` counts its events."""

    case_id: str
    version: int
    state: int
    opened: ReferralOpened
    opened_at: datetime
    claim: Claim | None = None
    findings: tuple[Finding, ...] = ()
    closed_at: datetime | None = None
    finding: FindingGiven | None = None
    looks: tuple[Look, ...] = ()
    escalated_by: Actor | None = None

    def claim_at(self, time: datetime) -> Claim | None:
        """Who holds it at a time, or None: a claim ends by itself."""
        return self.claim if self.claim is not None and time < self.claim.until else None

    def state_at(self, time: datetime) -> int:
        """Where it stands at a time."""
        return self.state if self.claim_at(time) is None else CLAIMED


def apply(case: Case | None, event: Event, time: datetime) -> Case:
    """Bring a case on by its next event, which happened at `time`. ValueError: it isn't one that can be next."""
    kind = event.WhichOneof("body") or ""
    if case is None:
        if kind != "referral_opened":
            raise ValueError("case: got a step of a case that was not opened")
        return Case(event.referral_opened.case_id, 1, OPEN, event.referral_opened, time)
    case = replace(case, version=case.version + 1)
    actor = Actor(event.actor.issuer, event.actor.subject)
    match kind:
        case "referral_claimed":
            return _claimed(case, actor, time, event.referral_claimed)
        case "referral_released":
            return replace(case, claim=None)
        case "referral_escalated" | "findings_disagree":
            by = actor if kind == "referral_escalated" else None
            return replace(case, claim=None, state=ESCALATED, escalated_by=by)
        case "first_look_given":
            return replace(case, looks=(*case.looks, Look(event.event_id, actor)))
        case "finding_given" | "second_finding_given":
            given = event.finding_given if kind == "finding_given" else event.second_finding_given.finding
            return _found(case, Finding(event.event_id, actor, time, given))
        case "referral_closed":
            finding = event.referral_closed.finding
            return replace(case, claim=None, state=CLOSED, closed_at=time, finding=finding)
        case "finding_corrected":
            corrected = Finding(event.event_id, actor, time, event.finding_corrected.finding, True)
            return replace(case, findings=(*case.findings, corrected), finding=corrected.body)
        case _:
            raise ValueError("case: got an event that is no step of a case")


def claim(case: Case, actor: Actor, supervisor: bool, time: datetime, lease: timedelta) -> list[Step]:
    """Take a case, or keep it for longer."""
    _want_not_closed(case)
    held = case.claim_at(time)
    if held is not None and not is_same_person(held.holder, actor):
        raise CaseHeldError("case: another officer holds it: take another, or wait until it is given back")
    _want_entitled(case, actor, supervisor)
    return [ReferralClaimed(case_id=case.case_id, lease_until=to_timestamp(time + lease))]


def release(case: Case, actor: Actor, time: datetime) -> list[Step]:
    """Give a case back."""
    _want_held(case, actor, time)
    return [ReferralReleased(case_id=case.case_id)]


def escalate(case: Case, actor: Actor, time: datetime, reason: str) -> list[Step]:
    """Hand a case to the supervisors."""
    _want_held(case, actor, time)
    if case.state == ESCALATED:
        raise CaseStateError("case: it is with the supervisors already: give a finding, or give it back")
    return [ReferralEscalated(case_id=case.case_id, reason=reason)]


def look(case: Case, actor: Actor, time: datetime, given: FirstLookGiven) -> list[Step]:
    """Say what one sees before one is shown what the system makes of it; once."""
    _want_held(case, actor, time)
    if look_by(case, actor) is not None:
        raise CaseStateError("case: you gave your first look, and it stays")
    return [given]


def look_by(case: Case, actor: Actor) -> Look | None:
    """Return a person's own first look, if they gave it."""
    return next((each for each in case.looks if is_same_person(each.officer, actor)), None)


def wants_look_of(case: Case, actor: Actor) -> bool:
    """Whether a person who may give a finding looks themselves before they are shown the system's opinion."""
    return case.opened.own_look_first and case.state != CLOSED and look_by(case, actor) is None


def give_finding(
    case: Case, actor: Actor, supervisor: bool, time: datetime, finding: FindingGiven
) -> list[Step]:
    """Say what was found; the first of the events is the finding's. `seconds_taken` is set here."""
    held = _want_held(case, actor, time)
    _want_entitled(case, actor, supervisor)
    given = FindingGiven()
    given.CopyFrom(finding)
    given.case_id = case.case_id
    given.seconds_taken = max(0.0, (time - held.since).total_seconds())
    if case.state == ESCALATED:
        return [given, ReferralClosed(case_id=case.case_id, finding=given, settled=True)]
    if case.state == FOUND:
        return _second(case, given)
    if case.opened.second_finding:
        return [given]
    return [given, ReferralClosed(case_id=case.case_id, finding=given)]


def correct(case: Case, actor: Actor, finding: FindingGiven) -> list[Step]:
    """Put another finding in the place of the one that a closed case stands on; by somebody who gave none of its."""
    if case.state != CLOSED:
        raise CaseStateError("case: it isn't closed: give a finding")
    _want_no_finding_of(case, actor)
    given = FindingGiven()
    given.CopyFrom(finding)
    given.case_id = case.case_id
    return [FindingCorrected(finding=given)]


def is_same_finding(one: FindingGiven, other: FindingGiven) -> bool:
    """Tell whether two findings say the same: of the document, of the lists, and what becomes of the traveler."""
    return _said(one) == _said(other)


def visible_findings(case: Case, viewer: Actor) -> tuple[Finding, ...]:
    """The findings that a person may see: while a second one is wanted, only their own.

    That holds for all roles: the same person may hold a certificate of another one.
    """
    if case.state != FOUND:
        return case.findings
    return tuple(each for each in case.findings if is_same_person(each.officer, viewer))


def _claimed(case: Case, actor: Actor, time: datetime, body: ReferralClaimed) -> Case:
    held = case.claim_at(time)
    since = held.since if held is not None and is_same_person(held.holder, actor) else time
    until = from_timestamp(body.lease_until)
    return replace(case, claim=Claim(actor, since, until))


def _found(case: Case, finding: Finding) -> Case:
    state = FOUND if case.state == OPEN and case.opened.second_finding else case.state
    return replace(case, claim=None, state=state, findings=(*case.findings, finding))


def _second(case: Case, given: FindingGiven) -> list[Step]:
    first = case.findings[0].body
    second = SecondFindingGiven(finding=given)
    if is_same_finding(first, given):
        return [second, ReferralClosed(case_id=case.case_id, finding=first)]
    return [second, FindingsDisagree(case_id=case.case_id)]


def _said(finding: FindingGiven) -> tuple[int, list[tuple[str, int]], int]:
    lists = sorted((each.list_id, int(each.verdict)) for each in finding.lists)
    return finding.document, lists, finding.disposition


def _want_not_closed(case: Case) -> None:
    if case.state == CLOSED:
        raise CaseStateError("case: it is closed")


def _want_held(case: Case, actor: Actor, time: datetime) -> Claim:
    _want_not_closed(case)
    held = case.claim_at(time)
    if held is None or not is_same_person(held.holder, actor):
        raise CaseNotYoursError("case: you don't hold it, or no longer: claim it first")
    return held


def _want_entitled(case: Case, actor: Actor, supervisor: bool) -> None:
    """Two findings are never by one person, and what was escalated is for supervisors; for another than who escalated
    it, or one person alone would close a case that wants two."""
    if case.state == ESCALATED and not supervisor:
        raise SupervisorNeededError("case: it was escalated: a supervisor must settle it")
    if case.state == ESCALATED and case.escalated_by and is_same_person(case.escalated_by, actor):
        raise SupervisorNeededError("case: you escalated it: another supervisor must settle it")
    _want_no_finding_of(case, actor)


def _want_no_finding_of(case: Case, actor: Actor) -> None:
    if any(is_same_person(each.officer, actor) for each in case.findings):
        raise FindingAlreadyYoursError("case: a finding on it is yours: another person must give the next")
