"""Bad input for every method, over real processes and real mutual TLS: a typed error, and the next call works.

The methods come from the descriptors: a method that is new has no good request yet, and fails here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from borderpost.cli.stack import Stack, private_settings
from borderpost.runtime.access import ACCESS
from borderpost.runtime.channels import COMMON_OPTIONS, open_sync_channel
from borderpost.runtime.context import CONTEXT_KEY, PURPOSE_KEY
from borderpost.runtime.errors import ERROR_DOMAIN
from borderpost.runtime.health import serves
from borderpost.runtime.limits import LONGEST, MIB, USUAL_BYTES
from borderpost.runtime.settings import SERVICES, ServiceName, Settings
from borderpost.runtime.tls import Credentials, dns_name, load_credentials
from fakes.requests import (
    IDENTITIES,
    MAY_BE_EMPTY,
    METHODS,
    PICTURE_FIELDS,
    POLICY_FIELDS,
    SPOOL_FIELDS,
    TOKEN_FIELDS,
    TRUST_FIELDS,
    WATCHLIST_FIELDS,
    Ask,
    Way,
    as_role,
    good_request,
    has_good_request,
    ways,
    with_new_id,
)
from fakes.spoil import CANARY, bad_pictures, spoiled, spoiled_bytes

FORESEEN = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
}
"""What bad input may be answered with. Never INTERNAL, UNKNOWN or UNAVAILABLE."""

EVERY_METHOD = pytest.mark.parametrize("path", METHODS, ids=[path.rpartition(".")[2] for path in METHODS])
SECONDS = 20.0
TOO_LARGE = 33 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Got:
    """An answer or an error. `reason` is empty unless the error is one of Borderpost's own."""

    answer: bytes | None
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""
    text: str = ""


class Client:
    """Sends raw bytes to any method, as anybody."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channels: dict[tuple[ServiceName, str], grpc.Channel] = {}
        self.ask = Ask(settings, self._ask)

    def call(self, way: Way, path: str, request: bytes) -> Got:
        key = (way.service, way.identity)
        if key not in self._channels:
            own = load_credentials(self._settings, way.identity)
            self._channels[key] = open_channel(self._settings, way.service, own)
        return call(self._channels[key], path, request, way.sent(self._settings))

    def _ask(self, path: str, request: Message) -> Message:
        got = self.call(ways(path)[0], path, request.SerializeToString())
        assert got.answer is not None, (path, got)
        return METHODS[path][1].output_type._concrete_class.FromString(got.answer)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


def open_channel(settings: Settings, service: ServiceName, own: Credentials | None) -> grpc.Channel:
    """A channel without the client's own limits, so that the server's are met."""
    ca = load_credentials(settings, service).ca
    pair = (own.key, own.certificate) if own else (None, None)
    options = [
        (name, -1 if name == "grpc.max_send_message_length" else value) for name, value in COMMON_OPTIONS
    ]
    options.append(("grpc.ssl_target_name_override", dns_name(settings, service)))
    credentials = grpc.ssl_channel_credentials(ca, *pair)
    return grpc.secure_channel(settings.service(service).address, credentials, options)


def call(channel: grpc.Channel, path: str, request: bytes, metadata=()) -> Got:
    try:
        if METHODS[path][1].client_streaming:  # one message, and the last of its answers
            answers = list(channel.stream_stream(path)(iter([request]), timeout=SECONDS, metadata=metadata))
            return Got(answers[-1])
        if METHODS[path][1].server_streaming:
            answers = list(channel.unary_stream(path)(request, timeout=SECONDS, metadata=metadata))
            return Got(answers[-1])
        return Got(channel.unary_unary(path)(request, timeout=SECONDS, metadata=metadata))
    except grpc.RpcError as error:
        reason, text = "", error.details() or ""
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
                reason, text = info.reason, f"{text} {dict(info.metadata)}"
        return Got(None, error.code(), reason, text)


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    made = Client(stack.settings)
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def processes_that_never_fail(stack: Stack) -> Iterator[None]:
    """After all tests of this module: the same processes serve, and none met an error that it didn't foresee."""
    before = {name: stack.log_file(name).stat().st_size for name in SERVICES}
    yield
    assert stack.ended() == []
    for name in SERVICES:
        with stack.log_file(name).open("rb") as log:
            log.seek(before[name])
            text = log.read().decode()
        assert CANARY not in text, name
        whole, _, _ = text.rpartition("\n")  # a last line without its end is still being written
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        unforeseen = [line for line in lines if line["event"] == "unforeseen_error"]
        assert unforeseen == []


def assert_works(client: Client, path: str) -> None:
    for way in ways(path):
        request = good_request(path, client.ask)
        assert client.call(way, path, request.SerializeToString()).code is grpc.StatusCode.OK, way


def assert_typed(got: Got, case: object) -> None:
    assert got.code in FORESEEN, (case, got)
    assert got.reason, (case, got)
    assert CANARY not in got.text, (case, got)


def test_every_method_has_a_good_request_and_an_access_rule():
    assert len(METHODS) > 15
    assert [path for path in METHODS if not has_good_request(path) or path not in ACCESS] == []


@EVERY_METHOD
def test_a_good_request_is_answered_in_every_way(client, path):
    assert_works(client, path)


@EVERY_METHOD
def test_bytes_that_are_no_message_are_an_invalid_request(client, path):
    for way in ways(path):
        for garbage in (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x07", b"\x0b" * 200):
            got = client.call(way, path, garbage)
            assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), (way, got)
            assert "google" not in got.text
    assert_works(client, path)


@EVERY_METHOD
def test_a_spoiled_request_is_answered_or_gets_a_typed_error(client, path):
    good = good_request(path, client.ask)
    for way in ways(path):
        cases = [(label, message.SerializeToString()) for label, message in spoiled(good)]
        for label, request in (*cases, *spoiled_bytes(good, seed=20261124)):
            got = client.call(way, path, with_new_id(path, good, request))
            if got.answer is None:
                assert_typed(got, (way.service, label))
    assert_works(client, path)


@EVERY_METHOD
def test_an_empty_message_is_an_invalid_request_unless_nothing_is_asked_for(client, path):
    nothing_needed = {
        *("ListWatchlists", "ListTrusted", "VerifyLog", "QueryEvents", "RecordEvents"),
        *("ListCases", "GetRetention", "ApplyRetention", "GetCheckpoint", "GetSpoolKey", "GetStatus"),
        *("ListMachines", "GetRevocations", "ListPolicies"),
    }
    for way in ways(path):
        got = client.call(way, path, b"")
        if path.rpartition("/")[2] in nothing_needed:
            assert got.code is grpc.StatusCode.OK
        else:
            assert got.code is grpc.StatusCode.INVALID_ARGUMENT
            assert_typed(got, way)


@pytest.mark.parametrize("service", SERVICES)
def test_a_message_beyond_the_limit_is_refused_by_grpc_itself(client, service):
    # The limit is the server's, the same for all of its methods: one of them shows it.
    path = next(path for path, (owner, _) in METHODS.items() if owner == service)
    got = client.call(ways(path)[0], path, bytes(TOO_LARGE))
    assert got.code is grpc.StatusCode.RESOURCE_EXHAUSTED, got
    assert_works(client, path)


@EVERY_METHOD
def test_a_request_longer_than_its_method_takes_is_refused_before_it_is_decoded(client, path):
    if METHODS[path][1].client_streaming:
        return  # streams limit their own messages
    most = LONGEST.get(path, USUAL_BYTES)
    if most > MIB * 2:
        return  # those of pictures are near gRPC's own limit, which another test is about
    for way in ways(path):
        got = client.call(way, path, bytes(most + 1))
        assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE"), way


@pytest.mark.parametrize("path", PICTURE_FIELDS, ids=[path.rpartition(".")[2] for path in PICTURE_FIELDS])
def test_a_picture_that_is_none_is_refused_with_its_reason_and_its_field(client, path):
    for field in PICTURE_FIELDS[path]:
        for label, (picture, reasons) in bad_pictures().items():
            if not picture and field in MAY_BE_EMPTY:
                continue
            request = good_request(path, client.ask)
            if request.DESCRIPTOR.fields_by_name[field].is_repeated:
                getattr(request, field)[:] = [picture]
            else:
                setattr(request, field, picture)
            got = client.call(ways(path)[0], path, request.SerializeToString())
            assert_typed(got, (field, label))
            assert got.reason in reasons, (field, label, got)
            assert field in got.text, (label, got)
    assert_works(client, path)


def test_every_field_of_bytes_in_a_request_is_one_that_a_test_is_about():
    known = {(path, field) for path, fields in PICTURE_FIELDS.items() for field in fields}
    known |= TOKEN_FIELDS | TRUST_FIELDS | WATCHLIST_FIELDS | SPOOL_FIELDS | POLICY_FIELDS
    found = {
        (path, field.name)
        for path, (_, method) in METHODS.items()
        for field in method.input_type.fields
        if field.type == field.TYPE_BYTES
    }
    assert found == known


@EVERY_METHOD
def test_the_context_of_a_call_is_believed_only_if_it_is_one(client, path):
    owner, _ = METHODS[path]
    if owner == "gateway" or ACCESS[path].direct:
        way = replace(ways(path)[0], metadata=((PURPOSE_KEY, b"\xff\xfe" + CANARY.encode()),))
        want = "INVALID_REQUEST"
        assert client.call(way, path, b"").reason == want
        return
    for context in (b"\xff" * 30, b"", b"\x12\x05" + CANARY[:5].encode()):
        got = client.call(Way(owner, "gateway", ((CONTEXT_KEY, context),)), path, b"")
        assert_typed(got, context)
    assert client.call(Way(owner, "gateway"), path, b"").reason == "NOT_PERMITTED"


@EVERY_METHOD
def test_a_wrong_role_is_refused_before_anything_is_read(client, path):
    owner, _ = METHODS[path]
    rule = ACCESS[path]
    direct = owner == "gateway" or rule.direct
    refused = [as_role(owner, role) for role in IDENTITIES if not (direct and role in rule.actors)]
    if not direct:
        refused += [Way(owner, "gateway", speaks_for=role) for role in IDENTITIES if role not in rule.actors]
        # A context counts for nothing from anybody but the gateway.
        told = min(rule.actors)
        machines = [as_role(owner, role).identity for role in IDENTITIES]
        refused += [Way(owner, who, speaks_for=told) for who in machines if who != "gateway"]
    for way in refused:
        for request in (b"", b"\xff" * 40):
            got = client.call(way, path, request)
            assert got.code is grpc.StatusCode.PERMISSION_DENIED, (way, got)
            assert got.reason in {"NOT_PERMITTED", "TOKEN_NOT_HERE"}, (way, got)


@EVERY_METHOD
def test_at_the_gateway_a_wrong_role_is_refused_and_what_is_not_passed_on_does_not_exist(client, path):
    for role in IDENTITIES:
        got = client.call(as_role("gateway", role), path, b"\xff")
        passed_on = any(way.service == "gateway" for way in ways(path))
        if not passed_on:
            assert got.code is grpc.StatusCode.UNIMPLEMENTED
        elif role not in ACCESS[path].at_gateway:
            assert got.reason == "NOT_PERMITTED"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("who", ["nobody", "somebody of another authority"])
def test_without_a_certificate_of_our_authority_no_method_answers(stack, tmp_path: Path, service, who):
    own = None
    if who != "nobody":
        foreign = private_settings(tmp_path, Settings())
        own = load_credentials(foreign, "gateway")
    with open_channel(stack.settings, service, own) as channel:
        for path in METHODS:
            got = call(channel, path, b"")
            assert (got.code, got.answer) == (grpc.StatusCode.UNAVAILABLE, None), (path, got)
    with open_sync_channel(stack.settings, service, "gateway") as channel:
        assert serves(channel)
