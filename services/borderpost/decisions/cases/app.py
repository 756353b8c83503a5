"""The use cases of referrals. Plain and synchronous; each may run in many threads at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from borderpost.decisions.cases import domain
from borderpost.decisions.cases.domain import BODIES, Case, Finding, Step, apply
from borderpost.decisions.cases.errors import CaseNotFoundError
from borderpost.decisions.cases.findings import finding_of, payload_of
from borderpost.decisions.cases.looks import has_opinion, look_of, look_payload, without_opinion
from borderpost.decisions.cases.ports import CaseFilter, CaseIndex, CasePage, OpensScreening, Place
from borderpost.decisions.domain import NewEvent, Part, Record, case_once, new_event
from borderpost.decisions.errors import OnceTakenError, PayloadDamagedError
from borderpost.decisions.events import consulted, event_of
from borderpost.decisions.ports import EventLog, KeyStore
from borderpost.decisions.sealing import seal, unseal
from borderpost.runtime.calls import Actor, Call, Role, stated_purpose
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.identity import is_same_person
from borderpost.runtime.scopes import want_crossing
from borderpost.v1.cases_pb2 import GiveFindingRequest, RecordFirstLookRequest
from borderpost.v1.decisions_pb2 import (
    FindingGiven,
    FindingPayload,
    FirstLookGiven,
    RecordConsulted,
    ScreeningEvidence,
    ScreeningPayload,
)

FINDERS: Final = frozenset({Role.OFFICER, Role.SUPERVISOR})
"""Who gives findings, so that their own look comes first."""

TRIES: Final = 5
"""How often a step is decided anew because somebody else was faster."""

Decide = Callable[[Case, datetime], list[Step]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A case with everything that the caller may see. A finding's payload is None if it was erased, and so is `look`,
    the caller's own. `withheld`: whether what the system makes of faces is left out of the payload."""

    case: Case
    record: Record
    payload: ScreeningPayload | None
    evidence: ScreeningEvidence | None
    findings: tuple[tuple[Finding, FindingPayload | None], ...]
    look: FindingPayload | None
    withheld: bool


class Cases:
    """Lets officers work on referrals. Takes requests that `validate` has passed."""

    def __init__(
        self,
        log: EventLog,
        cases: CaseIndex,
        open_screening: OpensScreening,
        keys: KeyStore,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self._log = log
        self._cases = cases
        self._open_screening = open_screening
        self._keys = keys
        self._clock = clock
        self._lease = lease

    def now(self) -> datetime:
        """The time by which states are told."""
        return self._clock.now()

    def list_cases(self, wanted: CaseFilter, behind: Place | None, limit: int) -> CasePage:
        """Return a page of cases, by priority, then waiting time."""
        return self._cases.list(wanted, self._clock.now(), behind, limit)

    def get_case(self, case_id: str, with_evidence: bool, call: Call) -> Shown:
        """Return a case with its screening and the findings that the caller may see; first record who looks, and why.

        PurposeMissingError, CaseNotFoundError, PayloadDamagedError.
        """
        purpose = stated_purpose(call)
        case = self._case(case_id, call)
        record, payload, evidence = self._open_screening(case_id, with_evidence)
        findings = domain.visible_findings(case, call.actor)
        withheld = (
            payload is not None
            and has_opinion(payload)
            and not call.roles.isdisjoint(FINDERS)
            and domain.wants_look_of(case, call.actor)
        )
        if payload is not None and withheld:  # what others found would lead them as well
            payload = without_opinion(payload)
            findings = tuple(each for each in findings if is_same_person(each.officer, call.actor))
        opened = self._opened(case_id, findings)
        look = self._look(case, call.actor)
        shown = Shown(case, record, payload, evidence, opened, look, withheld)
        what = RecordConsulted(
            method=call.method,
            request_id=case.opened.request_id,
            events_shown=1 + len(findings),
            evidence_shown=evidence is not None,
        )
        event = consulted(new_id(), self._clock.now(), call.actor, purpose, what, case_id)
        self._log.append([new_event(event)])
        return shown

    def claim(self, case_id: str, call: Call) -> Case:
        """Take a case, or keep it for longer."""
        supervisor = Role.SUPERVISOR in call.roles
        return self._step(
            case_id, call, lambda case, time: domain.claim(case, call.actor, supervisor, time, self._lease)
        )

    def release(self, case_id: str, call: Call) -> Case:
        """Give a case back."""
        return self._step(case_id, call, lambda case, time: domain.release(case, call.actor, time))

    def escalate(self, case_id: str, reason: str, call: Call) -> Case:
        """Hand a case to the supervisors."""
        return self._step(case_id, call, lambda case, time: domain.escalate(case, call.actor, time, reason))

    def record_first_look(self, request: RecordFirstLookRequest, call: Call) -> Case:
        """Say what one sees in the candidates' pictures, before one is shown what the system makes of them.

        InvalidRequestError: not a verdict of each candidate by face.
        """
        case, time = self._case(request.case_id, call), self._clock.now()
        domain.look(case, call.actor, time, FirstLookGiven())
        given = look_of(request, self._open_screening(request.case_id, False)[1])
        return self._step(
            request.case_id,
            call,
            lambda case, time: domain.look(case, call.actor, time, given),
            look_payload(request),
        )

    def give_finding(self, request: GiveFindingRequest, call: Call) -> Case:
        """Say what was found.

        InvalidRequestError: not a verdict of each candidate that is shown, or words about data that was erased.
        """
        supervisor = Role.SUPERVISOR in call.roles
        # Who may not give one learns nothing about candidates from what is wrong with it.
        case, time = self._case(request.case_id, call), self._clock.now()
        domain.give_finding(case, call.actor, supervisor, time, FindingGiven())
        payload = self._open_screening(request.case_id, False)[1]
        finding = finding_of(request, payload, case.opened.list_ids)
        look = self._look(case, call.actor)
        personal = None if payload is None else payload_of(request, look.candidates if look else ())
        return self._step(
            request.case_id,
            call,
            lambda case, time: domain.give_finding(case, call.actor, supervisor, time, finding),
            personal,
        )

    def correct_finding(self, request: GiveFindingRequest, call: Call) -> Case:
        """Put another finding in the place of the one that a closed case stands on.

        InvalidRequestError: as `give_finding`.
        """
        case = self._case(request.case_id, call)
        domain.correct(case, call.actor, FindingGiven())
        payload = self._open_screening(request.case_id, False)[1]
        finding = finding_of(request, payload, case.opened.list_ids)
        personal = None if payload is None else payload_of(request)
        return self._step(
            request.case_id, call, lambda case, _: domain.correct(case, call.actor, finding), personal
        )

    def _case(self, case_id: str, call: Call) -> Case:
        case = self._cases.get(case_id)
        if case is None:
            raise CaseNotFoundError("case_id: there is no case with it")
        want_crossing(call, case.opened.crossing)
        return case

    def _step(self, case_id: str, call: Call, decide: Decide, personal: FindingPayload | None = None) -> Case:
        """Bring a case on. If somebody else was faster, decide again by what they made of it."""
        for _ in range(TRIES):
            case, time = self._case(case_id, call), self._clock.now()
            events, after = self._events(case, decide(case, time), time, call, personal)
            try:
                self._log.append(events)
            except OnceTakenError:
                continue
            return after
        raise UnavailableError("case: others were faster each time: nothing was changed, try again")

    def _events(
        self, case: Case, steps: Sequence[Step], time: datetime, call: Call, personal: FindingPayload | None
    ) -> tuple[list[NewEvent], Case]:
        """Make the events of some steps, and what the case is after them. The first has the personal part."""
        events: list[NewEvent] = []
        for step in steps:
            event = event_of(new_id(), time, call.actor, call.purpose, case.case_id)
            getattr(event, BODIES[type(step)]).CopyFrom(step)
            sealed = None
            if personal is not None and not events:
                ciphertext = self._sealed(case.case_id, event.event_id, personal)
                event.payload_sha256 = sha256(ciphertext).digest()
                sealed = {Part.PAYLOAD: ciphertext}
            case = apply(case, event, time)
            events.append(new_event(event, case_once(case.case_id, case.version), sealed))
        return events, case

    def _sealed(self, case_id: str, event_id: str, personal: FindingPayload) -> bytes:
        key = self._keys.get(case_id)
        if key is None:  # between opening the screening and this
            raise UnavailableError("case: its data was erased just now: look at it again")
        return seal(key, personal.SerializeToString(deterministic=True), event_id)

    def _look(self, case: Case, actor: Actor) -> FindingPayload | None:
        """What a person said at their own first look; None if nothing, or it was erased."""
        given = domain.look_by(case, actor)
        return None if given is None else self._unsealed(self._keys.get(case.case_id), given.event_id)

    def _opened(
        self, case_id: str, findings: Sequence[Finding]
    ) -> tuple[tuple[Finding, FindingPayload | None], ...]:
        key = self._keys.get(case_id) if findings else None
        return tuple((each, self._unsealed(key, each.event_id)) for each in findings)

    def _unsealed(self, key: bytes | None, event_id: str) -> FindingPayload | None:
        """Decrypt a finding's personal part. None if it was erased, or the screening's was before it."""
        if key is None:
            return None
        ciphertext = self._log.ciphertext(event_id, Part.PAYLOAD)
        if ciphertext is None:
            raise PayloadDamagedError(
                "payload: it is missing from the log: verify the log", event_id=event_id
            )
        return FindingPayload.FromString(unseal(key, ciphertext, event_id))
