"""The chain every call goes through, over real sockets and real mutual TLS, in processes run by `serve()`."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from borderpost.cli.people import token_of
from borderpost.cli.stack import environment, private_settings
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.channels import MAX_MESSAGE_BYTES, open_sync_channel
from borderpost.runtime.context import CONTEXT_KEY, Metadata, purpose_metadata, write_context
from borderpost.runtime.health import serves
from borderpost.runtime.people import AUTHORIZATION_KEY, token_metadata
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.tls import Credentials, dns_name, load_credentials
from borderpost.v1 import faces_pb2, faces_pb2_grpc, gateway_pb2, gateway_pb2_grpc, types_pb2

TOY = Path(__file__).parents[1] / "fakes" / "toy_service.py"
KIOSK, CONSOLE, MANAGER, AUDITOR = "kiosk/north/1", "console", "list-manager/dev", "auditor/dev"
REQUEST_ID = "0192b1f4-7c1e-7d3a-8f00-000000000001"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
SECONDS = 10


@dataclass(frozen=True)
class Toy:
    """A running toy service, and where it logs."""

    name: ServiceName
    settings: Settings
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return what is logged. A last line without its end is still being written."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def line(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first log line that is wanted; it may be written a moment after the answer."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            found = [line for line in self.lines() if wanted(line)]
            if found:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no such line in {self.lines()}")


def _start(name: ServiceName, settings: Settings) -> Toy:
    log = settings.state_dir / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(TOY), name], env=environment(settings), stdout=file, stderr=file
        )
    with open_sync_channel(settings, name, name) as channel:
        until = time.monotonic() + 20
        while not serves(channel):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
    return Toy(name, settings, process, log)


def _end(toy: Toy) -> None:
    toy.process.terminate()
    toy.process.wait(timeout=20)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return private_settings(tmp_path_factory.mktemp("chain"), Settings())


@pytest.fixture(scope="module")
def faces(settings: Settings) -> Iterator[Toy]:
    toy = _start("faces", settings)
    yield toy
    _end(toy)


@pytest.fixture(scope="module")
def gateway(settings: Settings) -> Iterator[Toy]:
    toy = _start("gateway", settings)
    yield toy
    _end(toy)


def _context(role: Role = Role.KIOSK, subject: str = KIOSK, purpose: str = "", token: str = "") -> Metadata:
    actor = Actor("borderpost.local", subject)
    scopes = frozenset({"crossing:north"})
    return write_context(
        Call("", actor, role, actor, frozenset({role}), purpose, REQUEST_ID, TRACEPARENT, scopes, token)
    )


def _request(do: str = "", secret: bytes = b"", seconds: float = 0.0) -> faces_pb2.CompareRequest:
    return faces_pb2.CompareRequest(probe=types_pb2.Template(model_id=do, values=secret), target_fmr=seconds)


def _compare(
    settings: Settings,
    identity: str = "gateway",
    request: faces_pb2.CompareRequest | None = None,
    metadata: Metadata = (),
    timeout: float = SECONDS,
) -> dict[str, Any]:
    """Call Compare and return what its handler knew of the call."""
    with open_sync_channel(settings, "faces", identity) as channel:
        stub = faces_pb2_grpc.FacesServiceStub(channel)
        _, rpc = stub.Compare.with_call(request or _request(), timeout=timeout, metadata=metadata)
        return dict(json.loads(dict(rpc.trailing_metadata())["call"]))


def _extract(settings: Settings, metadata: Metadata) -> None:
    with open_sync_channel(settings, "faces", "gateway") as channel:
        stub = faces_pb2_grpc.FacesServiceStub(channel)
        stub.ExtractTemplate(faces_pb2.ExtractTemplateRequest(), timeout=SECONDS, metadata=metadata)


def _logged_in(settings: Settings, person: str) -> Metadata:
    return token_metadata(token_of(settings, person))


def _enrol(settings: Settings, identity: str, metadata: Metadata = ()) -> dict[str, Any]:
    with open_sync_channel(settings, "gateway", identity) as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        _, rpc = stub.EnrolEntry.with_call(
            gateway_pb2.EnrolEntryRequest(), timeout=SECONDS, metadata=metadata
        )
        return dict(json.loads(dict(rpc.trailing_metadata())["call"]))


def _refused(caught: pytest.ExceptionInfo[grpc.RpcError], code: grpc.StatusCode, reason: str) -> None:
    """The error has this code, and one ErrorInfo with this reason."""
    assert caught.value.code() is code
    assert _reason(caught) == reason


def _reason(caught: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    status = rpc_status.from_call(caught.value)
    assert status is not None
    (detail,) = status.details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert info.domain == "borderpost"
    return info.reason


# Who gets through TLS at all


def _first_bytes(toy: Toy, own: Credentials | None, tmp_path: Path) -> bytes:
    """Speak TLS to a service, as gRPC would, and return its first bytes; none if it hangs up instead."""
    ca = load_credentials(toy.settings, "gateway").ca
    context = ssl.create_default_context(cadata=ca.decode())
    context.set_alpn_protocols(["h2"])
    if own:
        (tmp_path / "pem").write_bytes(own.certificate + own.key)
        context.load_cert_chain(tmp_path / "pem")
    host, port = toy.settings.service(toy.name).address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=dns_name(toy.settings, toy.name)) as secure,
    ):
        try:
            return secure.recv(9)
        except (ssl.SSLError, ConnectionResetError):
            return b""


def test_a_certificate_of_our_authority_gets_through_tls(faces: Toy, tmp_path: Path) -> None:
    frame = _first_bytes(faces, load_credentials(faces.settings, KIOSK), tmp_path)
    assert frame[3:4] == b"\x04", "HTTP/2 begins with the server's SETTINGS"


def test_without_a_certificate_nobody_gets_through_tls(faces: Toy, tmp_path: Path) -> None:
    assert _first_bytes(faces, None, tmp_path) == b""


def test_a_certificate_of_a_foreign_authority_does_not_get_through_tls(faces: Toy, tmp_path: Path) -> None:
    foreign = load_credentials(Settings(state_dir=tmp_path / "foreign"), "gateway")
    assert _first_bytes(faces, foreign, tmp_path) == b""


def test_a_call_without_tls_is_not_answered(faces: Toy) -> None:
    with grpc.insecure_channel(faces.settings.faces.address) as channel:
        assert not serves(channel)


def test_a_client_refuses_a_server_that_shows_another_services_name(faces: Toy) -> None:
    there = faces.settings.faces.address
    watchlist = faces.settings.watchlist.model_copy(update={"address": there})
    misled = faces.settings.model_copy(update={"watchlist": watchlist})
    with open_sync_channel(misled, "watchlist", "gateway") as channel:
        assert not serves(channel)
    with open_sync_channel(faces.settings, "faces", "gateway") as channel:
        assert serves(channel)


def test_a_proxy_for_the_web_in_the_environment_is_not_used_between_services(
    faces: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:9")
    assert _compare(faces.settings, metadata=_context())["actor"] == KIOSK


def test_whoever_tls_refuses_is_not_in_the_log_which_stays_json(faces: Toy, tmp_path: Path) -> None:
    before = len(faces.lines())
    _first_bytes(faces, None, tmp_path)
    time.sleep(0.1)
    assert all(line["event"] == "call" for line in faces.lines()[before:])


# On whose behalf


def test_the_gateway_speaks_for_a_kiosk_and_the_service_knows_for_whom(faces: Toy) -> None:
    assert _compare(faces.settings, metadata=_context(purpose="case 4711")) == {
        "peer": "gateway",
        "actor": KIOSK,
        "roles": ["kiosk"],
        "scopes": [],
        "purpose": "case 4711",
        "request_id": REQUEST_ID,
    }


@pytest.mark.parametrize("metadata", [(), _context()], ids=["without context", "with a context of its own"])
@pytest.mark.parametrize("identity", [KIOSK, CONSOLE, "watchlist"])
def test_nobody_but_the_gateway_may_call_a_service(faces: Toy, identity: str, metadata: Metadata) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings, identity, metadata=metadata)
    _refused(caught, grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


def test_the_gateway_itself_may_not_call_a_service_without_saying_for_whom(faces: Toy) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings)
    _refused(caught, grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


def test_a_context_that_is_none_is_refused(faces: Toy) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings, metadata=((CONTEXT_KEY, b"\xff\xff"),))
    _refused(caught, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


def test_a_role_that_the_methods_row_does_not_name_is_refused(faces: Toy) -> None:
    token = token_of(faces.settings, AUDITOR)
    with pytest.raises(grpc.RpcError) as caught:
        _extract(faces.settings, _context(Role.AUDITOR, "dev", token=token))
    _refused(caught, grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


def test_a_service_believes_of_a_person_what_their_token_says_and_not_the_gateway(faces: Toy) -> None:
    token = token_of(faces.settings, AUDITOR, ["crossing:south"])
    known = _compare(faces.settings, metadata=_context(Role.KIOSK, KIOSK, "case 1", token=token))
    assert (known["actor"], known["roles"], known["scopes"]) == ("dev", ["auditor"], ["crossing:south"])


def test_a_service_takes_nobodys_word_for_who_a_person_is(faces: Toy) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings, metadata=_context(Role.AUDITOR, "dev"))
    _refused(caught, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


def test_at_the_gateway_a_person_is_who_the_token_says_and_states_a_purpose(gateway: Toy) -> None:
    metadata = (*purpose_metadata("Fall 4711"), *_logged_in(gateway.settings, MANAGER))
    known = _enrol(gateway.settings, CONSOLE, metadata)
    assert (known["peer"], known["actor"], known["roles"]) == (CONSOLE, "dev", ["list-manager"])
    assert (known["purpose"], known["scopes"]) == ("Fall 4711", [])


def test_at_the_gateway_a_context_that_a_person_sends_is_not_believed(gateway: Toy) -> None:
    metadata = (*_context(Role.KIOSK, KIOSK, "told"), *_logged_in(gateway.settings, MANAGER))
    known = _enrol(gateway.settings, CONSOLE, metadata)
    assert (known["actor"], known["roles"], known["purpose"], known["request_id"]) == (
        "dev",
        ["list-manager"],
        "",
        "",
    )


@pytest.mark.parametrize("identity", [KIOSK, "faces"])
def test_a_token_counts_for_nothing_at_a_machine_that_nobody_sits_at(gateway: Toy, identity: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _enrol(gateway.settings, identity, _logged_in(gateway.settings, MANAGER))
    _refused(caught, grpc.StatusCode.PERMISSION_DENIED, "TOKEN_NOT_HERE")


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer a.b.c", "Bearer " + "x" * 6000])
def test_what_is_no_token_is_refused_with_a_reason(gateway: Toy, value: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _enrol(gateway.settings, CONSOLE, ((AUTHORIZATION_KEY, value),))
    _refused(caught, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("identity", [KIOSK, CONSOLE, "faces", "gateway"])
def test_at_the_gateway_a_context_opens_no_method_to_who_may_not_call_it(gateway: Toy, identity: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _enrol(gateway.settings, identity, _context(Role.LIST_MANAGER, MANAGER))
    _refused(caught, grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


# Errors


def test_an_error_with_a_reason_arrives_with_it(faces: Toy) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings, request=_request("refuse"), metadata=_context())
    _refused(caught, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert caught.value.details() == "probe: got a refusal, want none"


def test_an_unforeseen_error_is_internal_and_its_text_goes_nowhere(faces: Toy) -> None:
    secret = b"CANARY-EXCEPTION"
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings, request=_request("explode", secret), metadata=_context())
    _refused(caught, grpc.StatusCode.INTERNAL, "INTERNAL")
    assert secret not in repr((caught.value.details(), caught.value.trailing_metadata())).encode()
    line = faces.line(lambda line: line["event"] == "unforeseen_error")
    assert line["error"] == "RuntimeError"
    assert "toy_service.py:" in line["at"], "its place is what mends it"
    assert (line["trace_id"], line["request_id"]) == (TRACE_ID, REQUEST_ID)
    assert secret not in faces.log.read_bytes()
    assert _compare(faces.settings, metadata=_context())["actor"] == KIOSK


def test_a_message_that_is_too_large_is_refused_and_the_next_call_is_answered(faces: Toy) -> None:
    own = load_credentials(faces.settings, "gateway")
    options = (
        ("grpc.max_send_message_length", -1),
        ("grpc.ssl_target_name_override", dns_name(faces.settings, "faces")),
    )
    credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
    with grpc.secure_channel(faces.settings.faces.address, credentials, options) as channel:
        stub = faces_pb2_grpc.FacesServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Compare(_request(secret=bytes(MAX_MESSAGE_BYTES + 1)), timeout=SECONDS, metadata=_context())
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.Compare(_request(), timeout=SECONDS, metadata=_context()).threshold == 0.5


def test_bytes_that_are_no_message_are_an_error_and_the_next_call_is_answered(faces: Toy) -> None:
    with open_sync_channel(faces.settings, "faces", "gateway") as channel:
        ask: Any = channel.unary_unary("/borderpost.v1.FacesService/Compare")
        with pytest.raises(grpc.RpcError) as caught:
            ask(b"\xff\xff\xff", timeout=SECONDS, metadata=_context())
        assert caught.value.code() is not grpc.StatusCode.OK
        assert ask(b"", timeout=SECONDS, metadata=_context())


def test_a_method_that_nobody_serves_is_unimplemented(faces: Toy) -> None:
    with open_sync_channel(faces.settings, "faces", "gateway") as channel:
        ask: Any = channel.unary_unary("/borderpost.v1.FacesService/Unheard")
        with pytest.raises(grpc.RpcError) as caught:
            ask(b"", timeout=SECONDS, metadata=_context())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# The log


def test_the_log_line_of_a_call_can_be_found_by_its_ids_and_holds_nothing_personal(faces: Toy) -> None:
    trace = "00-" + "a1" * 16 + "-00f067aa0ba902b7-01"
    metadata = (*_context(subject="CANARY-PERSON", purpose="CANARY-PURPOSE")[:1],)
    _compare(
        faces.settings,
        request=_request("CANARY-FIELD", b"CANARY-TEMPLATE"),
        metadata=(*metadata, ("traceparent", trace), ("x-other", "CANARY-HEADER")),
    )
    line = faces.line(lambda line: line.get("trace_id") == "a1" * 16)
    assert line["event"] == "call"
    assert (line["method"], line["status"]) == ("/borderpost.v1.FacesService/Compare", "OK")
    assert (line["request_id"], line["caller"], line["service"]) == (REQUEST_ID, "gateway", "faces")
    assert line["milliseconds"] >= 0
    assert "CANARY-" not in faces.log.read_text()


@pytest.mark.parametrize("trace", ["", "nonsense", "00-" + "A" * 32 + "-00f067aa0ba902b7-01\n", "x" * 4000])
def test_a_trace_that_has_not_its_form_is_replaced_so_that_it_cant_write_into_the_log(
    faces: Toy, trace: str
) -> None:
    before = len(faces.lines())
    _compare(faces.settings, metadata=(*_context()[:1], ("traceparent", trace.strip())))
    line = faces.line(lambda line: line in faces.lines()[before:] and line["event"] == "call")
    assert len(line["trace_id"]) == 32
    assert set(line["trace_id"]) <= set("0123456789abcdef")


def test_a_refused_call_is_logged_with_its_reason(faces: Toy) -> None:
    with pytest.raises(grpc.RpcError):
        _compare(faces.settings, KIOSK)
    line = faces.line(lambda line: line.get("caller") == KIOSK)
    assert (line["status"], line["reason"]) == ("PERMISSION_DENIED", "NOT_PERMITTED")


def test_a_call_whose_caller_went_away_is_logged_as_cancelled(faces: Toy) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _compare(faces.settings, request=_request("wait", seconds=30), metadata=_context(), timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    faces.line(lambda line: line["event"] == "call" and line["status"] == "CANCELLED")


# gRPC's own services, through the same chain


def test_reflection_streams_through_the_chain_and_names_the_services(faces: Toy) -> None:
    with open_sync_channel(faces.settings, "faces", CONSOLE) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        questions = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="borderpost.v1.FacesService"),
        ]
        named, file = stub.ServerReflectionInfo(iter(questions), timeout=SECONDS)
    names = {service.name for service in named.list_services_response.service}
    assert {"borderpost.v1.FacesService", "grpc.health.v1.Health"} <= names
    assert file.file_descriptor_response.file_descriptor_proto


def test_health_can_be_watched(faces: Toy) -> None:
    with open_sync_channel(faces.settings, "faces", CONSOLE) as channel:
        request = health_pb2.HealthCheckRequest(service="borderpost.v1.FacesService")
        watch = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=SECONDS)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_the_health_of_an_unknown_service_is_not_found(faces: Toy) -> None:
    with open_sync_channel(faces.settings, "faces", CONSOLE) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="unheard"), timeout=SECONDS
            )
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert serves(channel)
    line = faces.line(lambda line: line.get("method") == "/grpc.health.v1.Health/Check")
    assert line["status"] == "NOT_FOUND"


# The probe of the containers


def _probe(service: str, settings: Settings) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "borderpost.runtime.probe", service],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_probe_asks_where_the_service_listens_and_not_at_the_address_of_the_others(faces: Toy) -> None:
    port = faces.settings.faces.address.rpartition(":")[2]
    changes = {"address": "faces.invalid:7402", "listen": f"0.0.0.0:{port}"}
    inside = faces.settings.model_copy(update={"faces": faces.settings.faces.model_copy(update=changes)})
    assert _probe("faces", inside) == (0, "")


def test_the_probe_of_a_service_that_is_away_ends_with_1_and_says_so(settings: Settings) -> None:
    status, told = _probe("decisions", settings)
    assert (status, told.strip()) == (1, "borderpost decisions doesn't serve")


def test_the_probe_without_certificates_ends_with_1_and_says_what_is_missing(tmp_path: Path) -> None:
    status, told = _probe("gateway", Settings(state_dir=tmp_path / "empty", mode="production"))
    assert status == 1
    assert "gateway.key" in told
    assert "Traceback" not in told


# The end


def test_a_call_in_flight_at_sigterm_is_answered_and_the_service_ends_well(tmp_path: Path) -> None:
    toy = _start("faces", private_settings(tmp_path, Settings()))
    with open_sync_channel(toy.settings, "faces", "gateway") as channel:
        stub = faces_pb2_grpc.FacesServiceStub(channel)
        call = stub.Compare.future(_request("wait", seconds=0.5), timeout=SECONDS, metadata=_context())
        time.sleep(0.2)
        toy.process.send_signal(signal.SIGTERM)
        assert call.result().threshold == 0.5
    assert toy.process.wait(timeout=SECONDS) == 0
    assert [line["event"] for line in toy.lines()][-1] == "stopped"
