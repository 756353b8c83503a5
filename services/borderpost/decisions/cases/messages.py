"""Between cases and their messages."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Final

from borderpost.decisions.cases.app import Shown
from borderpost.decisions.cases.domain import Case
from borderpost.decisions.cases.ports import CaseFilter, Place
from borderpost.decisions.messages import log_entry
from borderpost.decisions.sampled import reasons_meant
from borderpost.runtime.calls import Call
from borderpost.runtime.clock import is_id, to_timestamp
from borderpost.runtime.paging import make_token, no_token, read_token
from borderpost.v1 import cases_pb2 as pb

_PLACE: Final = struct.Struct(">Bq36s")


def case_message(case: Case, time: datetime) -> pb.Case:
    """Say how a case stands at a time."""
    opened = case.opened
    message = pb.Case(
        case_id=case.case_id,
        state=case.state_at(time),  # type: ignore[arg-type]
        priority=opened.priority,
        crossing=opened.crossing,
        kiosk_id=opened.kiosk_id,
        request_id=opened.request_id,
        opened_at=to_timestamp(case.opened_at),
        reasons=opened.reasons,
        list_ids=opened.list_ids,
        second_finding=opened.second_finding,
        own_look_first=opened.own_look_first,
        finding=case.finding,
    )
    claim = case.claim_at(time)
    if claim is not None:
        message.holder = claim.holder.subject
        message.lease_until.CopyFrom(to_timestamp(claim.until))
    if case.closed_at is not None:
        message.closed_at.CopyFrom(to_timestamp(case.closed_at))
    return message


def shown_message(shown: Shown, time: datetime) -> pb.GetCaseResponse:
    """Say everything about a case."""
    answer = pb.GetCaseResponse(
        case=case_message(shown.case, time),
        own_look=shown.look.candidates if shown.look else (),
        opinion_withheld=shown.withheld,
    )
    screening = answer.screening
    screening.entry.CopyFrom(log_entry(shown.record))
    if shown.payload is not None:
        screening.payload.CopyFrom(shown.payload)
    if shown.evidence is not None:
        screening.evidence.CopyFrom(shown.evidence)
    for finding, payload in shown.findings:
        answer.findings.add(
            officer=finding.officer.subject,
            time=to_timestamp(finding.time),
            finding=finding.body,
            payload=payload,
            correction=finding.correction,
        )
    return answer


def case_filter(request: pb.ListCasesRequest, call: Call) -> CaseFilter:
    """Read which cases are wanted."""
    return CaseFilter(
        frozenset(request.states),
        request.crossing or None,
        reasons_meant(request.reason, call) if request.reason else None,
        call.actor.subject if request.mine else None,
    )


def place_token(place: Place | None) -> str:
    """The token for the page that begins behind a place; empty if there is none."""
    if place is None:
        return ""
    return make_token(_PLACE.pack(place.priority, place.opened_at, place.case_id.encode()))


def token_place(token: str) -> Place | None:
    """The place of a token; None if it is empty. Raises InvalidRequestError."""
    if not token:
        return None
    priority, opened_at, case_id = _PLACE.unpack(read_token(token, _PLACE.size))
    text = case_id.decode("ascii", "replace")
    if not is_id(text):
        raise no_token()
    return Place(priority, opened_at, text)
