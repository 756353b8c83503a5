"""For administrators: whether the services serve, machines and their certificates, the policy, and who may what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.responses import Response

from borderpost.console.case_view import span
from borderpost.console.pages import Page, Route, file_of, text_of
from borderpost.console.sessions import Notice
from borderpost.console.words import Words
from borderpost.policy.comparing import differences
from borderpost.policy.model import PolicyError, read_policy
from borderpost.policy.remarks import remarks
from borderpost.runtime.access import ACCESS
from borderpost.runtime.calibration import load_calibrations
from borderpost.runtime.calls import PEOPLE, Role
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.status import RemoteError
from borderpost.v1 import authority_pb2, gateway_pb2, trust_pb2, watchlist_pb2

REASONS: Final = ("KEY_COMPROMISE", "LOST", "RETIRED", "OTHER")
SOON_HOURS: Final = 6
"""A certificate that runs out sooner is marked: it should have been renewed by then."""

MOST_POLICY: Final = 256 * 1024


async def _show(page: Page) -> Response:
    return await _page(page)


async def _page(page: Page, **more: Any) -> Response:
    status = await page.ask(page.gateway.gateway.GetStatus, gateway_pb2.GetStatusRequest())
    return page.show(
        "administration.html",
        **{"invitation": None, "policy_diff": None, **more},
        status=status,
        machines=await _machines(page),
        may_see_machines=page.session.may(Role.ADMINISTRATOR, Role.AUDITOR),
        ages=await _ages(page),
        invitation_file=json.dumps(dict(more["invitation"]["file"]), indent=1)
        if more.get("invitation")
        else "",
        policy_text=status.policy_toml.decode("utf-8", "replace"),
        proposals=[_proposal(each, status, page) for each in status.proposals],
        may_change=page.session.may(Role.ADMINISTRATOR),
        may_activate=page.session.may(Role.APPROVER),
        reasons=REASONS,
        access=_access(),
        roles=sorted(PEOPLE),
    )


def _access() -> list[tuple[str, str, list[bool]]]:
    """What each role of people may ask for, by the table that every service goes by."""
    rows = []
    for method, rule in ACCESS.items():
        opened = rule.at_gateway & PEOPLE
        if opened and not method.startswith("/grpc."):
            service, _, name = method.rpartition(".")[2].partition("/")
            rows.append(
                (service.removesuffix("Service"), name, [Role(role) in opened for role in sorted(PEOPLE)])
            )
    return rows


async def _machines(page: Page) -> list[dict[str, Any]] | None:
    """The machines; None where they can't be seen: not by this person, or there is no authority, or it is away."""
    if not page.session.may(Role.ADMINISTRATOR, Role.AUDITOR):
        return None
    try:
        answer = await page.ask(page.gateway.authority.ListMachines, authority_pb2.ListMachinesRequest())
    except RemoteError:
        return None
    now = page.console.clock.now()
    return [_machine(each, now, page.words) for each in answer.machines]


def _machine(machine: authority_pb2.Machine, now: datetime, said: Words) -> dict[str, Any]:
    left = from_timestamp(machine.not_after) - now if machine.HasField("not_after") else None
    return {
        "name": machine.name,
        "state": machine.state,
        "said": said.named("machine_state", machine.state),
        "serial": machine.serial,
        "until": machine.not_after if left is not None else None,
        "left": span(left, said) if left is not None else "",
        "soon": left is not None and left.total_seconds() < SOON_HOURS * 3600,
        "since": machine.since,
    }


@dataclass(frozen=True, slots=True)
class Age:
    """How old something is that is searched or trusted. `bad`: older than it should be."""

    name: str
    said: str
    bad: bool = False


async def _ages(page: Page) -> list[Age]:
    """How old what is searched and trusted is."""
    trust = (
        await _trust_ages(page) if page.session.may(Role.ADMINISTRATOR, Role.AUDITOR, Role.OFFICER) else []
    )
    return trust + await _list_ages(page)


async def _trust_ages(page: Page) -> list[Age]:
    said, name = page.words, page.words("ages.trust")
    try:
        trust = await page.ask(page.gateway.trust.ListTrusted, trust_pb2.ListTrustedRequest(page_size=1))
    except RemoteError:
        return [Age(name, said("ages.away"), True)]
    if not trust.HasField("changed_at"):
        return [Age(name, said("ages.never"), True)]
    ages = [Age(name, said.count("ages.trust_text", trust.total, age=_since(trust.changed_at, page)))]
    for each in trust.revocation_lists:
        if each.HasField("next_update") and from_timestamp(each.next_update) < page.console.clock.now():
            late = said("ages.late", age=_since(each.next_update, page))
            ages.append(Age(said("ages.revocations", country=each.country), late, True))
    return ages


async def _list_ages(page: Page) -> list[Age]:
    try:
        answer = await page.ask(page.gateway.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
    except RemoteError:
        return [Age(page.words("section.lists"), page.words("ages.away"), True)]
    return [
        Age(
            each.watchlist.name,
            page.words("ages.list_text", version=each.version, age=_since(each.changed_at, page)),
        )
        for each in answer.watchlists
    ]


def _since(stamp: Timestamp, page: Page) -> str:
    return span(page.console.clock.now() - from_timestamp(stamp), page.words)


async def _invite(page: Page) -> Response:
    form = await page.form()
    kiosk = f"kiosk/{text_of(form, 'crossing', 60)}/{text_of(form, 'kiosk', 60)}"
    try:
        answer = await page.ask(
            page.gateway.authority.InviteKiosk, authority_pb2.InviteKioskRequest(kiosk=kiosk)
        )
    except RemoteError as error:
        return page.failed(error, "/administration")
    return await _page(page, invitation=_invitation(kiosk, page.console.settings.trust_domain, answer))


def _invitation(
    kiosk: str, trust_domain: str, answer: authority_pb2.InviteKioskResponse
) -> Mapping[str, Any]:
    """The invitation as `borderpost kiosk enrol` reads it."""
    file = {
        "kiosk": kiosk,
        "secret": answer.secret,
        "address": answer.address,
        "trust_domain": trust_domain,
        "authorities": answer.authorities.decode(),
    }
    return {"kiosk": kiosk, "until": answer.expires_at, "file": file}


async def _revoke(page: Page) -> Response:
    form = await page.form()
    page.want_fresh(form, "/administration")
    request = authority_pb2.RevokeMachineRequest(
        machine=text_of(form, "machine", 200), reason=text_of(form, "reason", 40)
    )
    if text_of(form, "sure", 3) != "yes":
        return page.go("/administration", Notice("notice.not_sure", bad=True))
    try:
        await page.ask(page.gateway.authority.RevokeMachine, request)
    except RemoteError as error:
        return page.failed(error, "/administration")
    return page.go("/administration", Notice("notice.revoked", {"machine": request.machine}))


def _proposal(
    waiting: gateway_pb2.PolicyProposal, status: gateway_pb2.GetStatusResponse, page: Page
) -> dict[str, Any]:
    """A policy that waits, held against the one in force."""
    return {
        "policy": waiting.policy,
        "by": waiting.proposed_by.subject,
        "mine": waiting.proposed_by.subject == page.session.name,
        "time": waiting.time,
        "purpose": waiting.purpose,
        **_held_against(waiting.toml, status.policy_toml, page),
    }


def _held_against(candidate: bytes, current: bytes, page: Page) -> dict[str, Any]:
    """What a policy changes, and what is to be said of it. Raises PolicyError."""
    new, old = read_policy(candidate, "policy"), read_policy(current, "policy")
    calibrations = load_calibrations(page.console.settings.calibrations).values()
    return {
        "name": new.version,
        "lines": differences(old.policy, new.policy),
        "remarks": remarks(new.policy, calibrations),
    }


async def _propose(page: Page) -> Response:
    form = await page.form()
    content, purpose = await file_of(form, "policy"), text_of(form, "purpose", 400)
    if not content or len(content) > MOST_POLICY or not purpose:
        return page.go("/administration", Notice("notice.policy_missing", bad=True))
    try:
        request = gateway_pb2.ProposePolicyRequest(toml=content)
        await page.ask(page.gateway.gateway.ProposePolicy, request, purpose)
    except RemoteError as error:
        return page.failed(error, "/administration")
    return page.go("/administration", Notice("notice.policy_proposed"))


async def _activate(page: Page) -> Response:
    form = await page.form()
    page.want_fresh(form, "/administration")
    purpose = text_of(form, "purpose", 400)
    request = gateway_pb2.ActivatePolicyRequest(policy=text_of(form, "policy", 200))
    try:
        await page.ask(page.gateway.gateway.ActivatePolicy, request, purpose)
    except RemoteError as error:
        return page.failed(error, "/administration")
    return page.go("/administration", Notice("notice.policy_activated", {"policy": request.policy}))


async def _compare(page: Page) -> Response:
    """Hold a policy file against the one in force: what it changes, and what is to be said of it."""
    form = await page.form()
    content = await file_of(form, "policy")
    if not content or len(content) > MOST_POLICY:
        return page.go("/administration", Notice("notice.policy_missing", bad=True))
    status = await page.ask(page.gateway.gateway.GetStatus, gateway_pb2.GetStatusRequest())
    try:
        held = _held_against(content, status.policy_toml, page)
    except PolicyError as error:
        said = {"what": error.message, "reason": error.reason}
        return page.go("/administration", Notice("notice.refused", said, bad=True))
    return await _page(page, policy_diff=held)


ROUTES: Final = (
    Route("/administration", _show),
    Route("/administration/invite", _invite, "POST"),
    Route("/administration/revoke", _revoke, "POST"),
    Route("/administration/policy", _compare, "POST"),
    Route("/administration/propose", _propose, "POST"),
    Route("/administration/activate", _activate, "POST"),
)
