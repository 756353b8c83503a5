"""Whose proof doesn't hold gets nowhere: every method, with every kind of certificate and token that must not pass."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from borderpost.cli.people import token_of
from borderpost.cli.stack import environment
from borderpost.runtime.access import ACCESS
from borderpost.runtime.calls import PEOPLE, Actor, Call, Role
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.context import new_traceparent, write_context
from borderpost.runtime.dev_login import KEY_FILE
from borderpost.runtime.issuing import Authority, issue, new_authority
from borderpost.runtime.people import token_metadata
from borderpost.runtime.revocations import LOOK_SECONDS
from borderpost.runtime.settings import DEVELOPMENT_ISSUER, SERVICES
from borderpost.runtime.status import from_rpc_error
from borderpost.runtime.tls import dns_name
from fakes.command import run
from fakes.requests import IDENTITIES, METHODS, spoken_for

KIOSK = "kiosk/north/shut-out"
PEM = serialization.Encoding.PEM
OF_PEOPLE = sorted(path for path in METHODS if ACCESS[path].at_gateway & PEOPLE)
AT_GATEWAY = sorted(path for path in METHODS if not ACCESS[path].direct and ACCESS[path].at_gateway)


def reason(channel, path, metadata=()):
    """The reason that a call of a method is refused for; the code's name if gRPC itself says it."""
    method = METHODS[path][1]
    more = {"timeout": 10, "metadata": metadata}
    try:
        if method.client_streaming:
            list(channel.stream_stream(path)(iter([b""]), **more))
        elif method.server_streaming:
            list(channel.unary_stream(path)(b"", **more))
        else:
            channel.unary_unary(path)(b"", **more)
    except grpc.RpcError as error:
        return from_rpc_error(error).reason
    return "ANSWERED"


def token(stack, key=None, **changes):
    """A token of the development login, but for what is changed; by default an auditor's and administrator's."""
    own = ECKey.import_key((stack.settings.certificates / KEY_FILE).read_bytes())
    own.ensure_kid()
    now = int(time.time())
    claims = {
        "iss": DEVELOPMENT_ISSUER,
        "aud": "borderpost",
        "sub": "dev",
        "iat": now,
        "exp": now + 60,
        "roles": sorted(str(role) for role in PEOPLE),
    }
    return jwt.encode({"alg": "ES256", "kid": own.kid}, claims | changes, key or own)


@pytest.fixture(scope="module")
def bad_tokens(stack):
    token_of(stack.settings, "officer/dev")  # the login's key is there
    foreign = ECKey.generate_key("P-256")
    now = int(time.time())
    return {
        "expired": (token(stack, exp=now - 120, iat=now - 3600), "TOKEN_EXPIRED"),
        "too old a login": (token(stack, auth_time=now - 10 * 86_400), "TOKEN_EXPIRED"),
        "signed by a stranger": (token(stack, foreign), "TOKEN_INVALID"),
        "of another provider": (token(stack, iss="https://login.example"), "TOKEN_INVALID"),
        "for another application": (token(stack, aud="another"), "TOKEN_INVALID"),
        "no token": ("rubbish", "TOKEN_INVALID"),
    }


def test_no_method_answers_a_token_that_does_not_hold_and_a_good_one_is_not_refused_as_such(
    stack, bad_tokens
):
    with open_sync_channel(stack.settings, "gateway", "console") as channel:
        for path in OF_PEOPLE:
            for kind, (bad, wanted) in bad_tokens.items():
                assert reason(channel, path, token_metadata(bad)) == wanted, (path, kind)
            assert not reason(channel, path, token_metadata(token(stack))).startswith("TOKEN"), path


def test_a_token_without_a_role_that_we_know_opens_nothing(stack):
    with open_sync_channel(stack.settings, "gateway", "console") as channel:
        for path in AT_GATEWAY:
            for roles in ([], ["janitor"], ["kiosk", "gateway"], "everything"):
                bad = token_metadata(token(stack, roles=roles))
                assert reason(channel, path, bad) == "NOT_PERMITTED", (path, roles)


def test_a_console_at_which_nobody_is_logged_in_opens_nothing(stack):
    with open_sync_channel(stack.settings, "gateway", "console") as channel:
        for path in AT_GATEWAY:
            assert reason(channel, path) == "NOT_PERMITTED", path


def _certified(stack, name, life, authority=None):
    folder = stack.settings.certificates
    if authority is None:
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        authority = Authority(x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), key)
    own = ec.generate_private_key(ec.SECP256R1())
    uri = f"spiffe://{stack.settings.trust_domain}/{name}" if name else "https://nobody.example/x"
    made = issue(authority, uri, own.public_key(), life, datetime.now(UTC))
    pem = own.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, made.public_bytes(PEM)


def _channel(stack, service, pair):
    ca = (stack.settings.certificates / "ca.pem").read_bytes()
    credentials = grpc.ssl_channel_credentials(ca, *pair)
    options = (
        ("grpc.ssl_target_name_override", dns_name(stack.settings, service)),
        ("grpc.enable_retries", 0),
    )
    return grpc.secure_channel(stack.settings.service(service).address, credentials, options)


def _foreign():
    """An authority that calls itself what ours does."""
    key = ec.generate_private_key(ec.SECP256R1())
    return new_authority("borderpost", key, timedelta(days=1), datetime.now(UTC))


@pytest.mark.parametrize("kind", ["run out", "of another authority", "none"])
def test_without_a_certificate_of_ours_that_holds_nobody_gets_through_tls(stack, kind):
    pair = {
        "run out": lambda: _certified(stack, "gateway", timedelta(minutes=-1)),
        "of another authority": lambda: _certified(stack, "gateway", timedelta(hours=1), _foreign()),
        "none": lambda: (None, None),
    }[kind]()
    for service in SERVICES:
        with _channel(stack, service, pair) as channel:
            for path in methods_of(service):
                assert reason(channel, path) == "UNAVAILABLE", path


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", "NOT_AUTHENTICATED"),
        ("operator/auditor/dev", "NOT_AUTHENTICATED"),
        ("nobody", "NOT_AUTHENTICATED"),
    ],
)
def test_a_certificate_of_ours_with_another_name_is_nobodys(stack, name, wanted):
    pair = _certified(stack, name, timedelta(hours=1))
    for service in SERVICES:
        with _channel(stack, service, pair) as channel:
            for path in methods_of(service):
                assert reason(channel, path) == wanted, path


def test_a_revoked_kiosk_gets_nowhere_with_any_method_on_a_connection_that_is_open(stack, tmp_path):
    def borderpost(*arguments):
        return run(environment(stack.settings), *arguments)

    invitation, own = tmp_path / "invitation", tmp_path / "tls"
    assert borderpost("kiosk", "invite", KIOSK, "--to", str(invitation), "--purpose", "test").status == 0
    assert borderpost("kiosk", "enrol", str(invitation), "--to", str(own)).status == 0
    settings = stack.settings.model_copy(update={"tls_dir": own, "mode": "production"})
    channels = {service: open_sync_channel(settings, service, KIOSK) for service in SERVICES}
    of_kiosks = "/borderpost.v1.GatewayService/GetSpoolKey"
    assert reason(channels["gateway"], of_kiosks) == "ANSWERED"
    for service, channel in channels.items():  # every connection is open before
        path = methods_of(service)[0]
        assert reason(channel, path) not in {"UNAVAILABLE", "CERTIFICATE_REVOKED"}
    assert borderpost("kiosk", "revoke", KIOSK, "--reason", "lost", "--purpose", "test").status == 0
    time.sleep(2 * LOOK_SECONDS)
    for path, (owner, _) in METHODS.items():
        assert reason(channels[owner], path) == "CERTIFICATE_REVOKED", path
    for channel in channels.values():
        channel.close()


ROLES = [role for role in Role if role is not Role.NEWCOMER]
"""Everybody but machines that only enrol: they have no certificate, and a port of their own."""


def test_at_the_gateway_each_method_is_open_to_the_roles_of_the_table_and_to_no_other(stack):
    for role in ROLES:
        who = "console" if role in PEOPLE else IDENTITIES[role]
        metadata = token_metadata(token(stack, roles=[str(role)])) if role in PEOPLE else ()
        with open_sync_channel(stack.settings, "gateway", who) as channel:
            for path in AT_GATEWAY:
                refused = reason(channel, path, metadata) == "NOT_PERMITTED"
                assert refused == (role not in ACCESS[path].at_gateway), (path, role)


def methods_of(service):
    return [path for path, (owner, _) in METHODS.items() if owner == service]


BEHIND = [service for service in SERVICES if service != "gateway"]


@pytest.mark.parametrize("service", BEHIND)
def test_a_service_opens_to_whom_the_gateway_speaks_for_what_the_table_says_and_no_more(stack, service):
    with open_sync_channel(stack.settings, service, "gateway") as channel:
        for role in ROLES:
            metadata = spoken_for(role, stack.settings)
            for path in methods_of(service):
                if not ACCESS[path].direct:
                    refused = reason(channel, path, metadata) == "NOT_PERMITTED"
                    assert refused == (role not in ACCESS[path].actors), (path, role)


@pytest.mark.parametrize("service", BEHIND)
def test_a_machine_that_asks_a_service_itself_gets_what_the_table_says_and_no_more(stack, service):
    for role in ROLES:
        if role in PEOPLE:
            continue
        with open_sync_channel(stack.settings, service, IDENTITIES[role]) as channel:
            for path in methods_of(service):
                rule = ACCESS[path]
                refused = reason(channel, path) == "NOT_PERMITTED"
                assert refused == (not rule.direct or role not in rule.actors), (path, role)


@pytest.mark.parametrize(("shown", "wanted"), [("", "TOKEN_MISSING"), ("rubbish", "TOKEN_INVALID")])
def test_no_service_takes_the_gateways_word_for_a_person(stack, shown, wanted):
    person = Actor(DEVELOPMENT_ISSUER, "dev")
    call = Call("", person, Role.AUDITOR, person, PEOPLE, "test", "", new_traceparent(), token=shown)
    for service in BEHIND:
        with open_sync_channel(stack.settings, service, "gateway") as channel:
            for path in methods_of(service):
                if not ACCESS[path].direct:
                    assert reason(channel, path, write_context(call)) == wanted, path
