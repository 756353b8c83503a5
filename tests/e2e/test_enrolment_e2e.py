"""A kiosk's life: invited, enrolled, at work, renewed, revoked. By the command, over the real services."""

from __future__ import annotations

import json
import time

import grpc
import pytest

from borderpost.cli.people import AUDITOR, Person
from borderpost.cli.stack import environment
from borderpost.kiosk import Captured, Kiosk, Next, Visit
from borderpost.runtime.revocations import LOOK_SECONDS
from borderpost.runtime.status import RemoteError
from borderpost.v1 import authority_pb2, authority_pb2_grpc, decisions_pb2
from fakes.command import run

NAME = "kiosk/north/enrolled"
GUESSED = "x"


def test_a_kiosk_is_invited_enrols_screens_renews_and_is_revoked(stack, travelers, tmp_path):
    def borderpost(*arguments):
        return run(environment(stack.settings), *arguments)

    invitation = tmp_path / "north.invitation"
    invited = borderpost("kiosk", "invite", NAME, "--to", str(invitation), "--purpose", "new", "--json").json
    assert invited["kiosk"] == NAME
    assert invitation.stat().st_mode & 0o077 == 0

    own = tmp_path / "kiosk-tls"
    assert borderpost("kiosk", "enrol", str(invitation), "--to", str(own)).status == 0
    assert (own / "kiosk-north-enrolled.key").stat().st_mode & 0o077 == 0
    again = borderpost("kiosk", "enrol", str(invitation), "--to", str(own), "--json")
    assert again.error["reason"] == "INVITATION_INVALID"

    settings = stack.settings.model_copy(update={"tls_dir": own, "mode": "production"})
    with Kiosk(settings, NAME) as kiosk:
        captured = Captured(travelers.page_a, (travelers.samples.a_live,))
        assert kiosk.screen(Visit(), captured).next is Next.GO

        before = (own / "kiosk-north-enrolled.pem").read_bytes()
        assert run(environment(settings), "kiosk", "renew", "--as", NAME).status == 0
        assert (own / "kiosk-north-enrolled.pem").read_bytes() != before
        assert kiosk.screen(Visit(), captured).next is Next.GO

        listed = borderpost("kiosk", "list", "--json").json["machines"]
        assert {machine["name"]: machine["state"] for machine in listed}[NAME] == "ENROLLED"
        assert borderpost("kiosk", "revoke", NAME, "--reason", "lost", "--purpose", "stolen").status == 0
        time.sleep(2 * LOOK_SECONDS)
        told = kiosk.screen(Visit(), captured)
        assert (told.next, told.reason) == (Next.OFFICER, "CERTIFICATE_REVOKED")
    refused = run(environment(settings), "kiosk", "renew", "--as", NAME, "--json")
    assert refused.error["reason"] in {"CERTIFICATE_REVOKED", "MACHINE_REVOKED"}
    assert _actions(stack) == ["INVITED", "ENROLLED", "RENEWED", "REVOKED"]


def _actions(stack):
    with Person(stack.settings, AUDITOR, "a test") as auditor:
        request = decisions_pb2.QueryEventsRequest(kinds=[decisions_pb2.EVENT_KIND_MACHINE_CHANGED])
        for _ in range(50):  # the outbox delivers within a second
            entries = auditor.ask(auditor.decisions.QueryEvents, request).entries
            found = [entry.event.machine_changed for entry in entries]
            actions = [one.action for one in reversed(found) if one.machine == NAME]
            if len(actions) == 4:
                break
            time.sleep(0.1)
    return actions


def test_the_port_for_newcomers_serves_nothing_but_enrolment(stack):
    ca = (stack.settings.certificates / "ca.pem").read_bytes()
    name = ("grpc.ssl_target_name_override", f"authority.{stack.settings.trust_domain}")
    with grpc.secure_channel(
        stack.settings.authority.enrol_address, grpc.ssl_channel_credentials(ca), (name,)
    ) as channel:
        authority = authority_pb2_grpc.AuthorityServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            authority.GetRevocations(authority_pb2.GetRevocationsRequest(), timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        enrolment = authority_pb2_grpc.EnrolmentServiceStub(channel)
        for request in (
            authority_pb2.EnrolKioskRequest(),
            authority_pb2.EnrolKioskRequest(kiosk="gateway", secret=GUESSED),
            authority_pb2.EnrolKioskRequest(kiosk="kiosk/a/b", secret=GUESSED * 101),
            authority_pb2.EnrolKioskRequest(kiosk="kiosk/a/b", secret=GUESSED, request=b"\xff" * 5000),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                enrolment.EnrolKiosk(request, timeout=5)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_file_that_is_no_invitation_is_said_to_be_none(stack, tmp_path):
    for content in ("", "[]", json.dumps({"kiosk": 7})):
        file = tmp_path / "no.invitation"
        file.write_text(content, "utf-8")
        ran = run(environment(stack.settings), "kiosk", "enrol", str(file), "--json")
        assert ran.error["reason"] == "INVITATION_FILE"


def test_a_kiosk_may_neither_invite_nor_revoke(stack):
    with Kiosk(stack.settings, "kiosk/north/1") as kiosk:
        authority = authority_pb2_grpc.AuthorityServiceStub(kiosk._channel)
        with pytest.raises((grpc.RpcError, RemoteError)) as caught:
            authority.InviteKiosk(authority_pb2.InviteKioskRequest(kiosk="kiosk/a/b"), timeout=5)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
