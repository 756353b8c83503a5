"""A gateway that answers as it is told to, over a real socket with mutual TLS. Not real: nothing is screened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.settings import Settings
from borderpost.runtime.spooling import key_id_of, open_capture
from borderpost.runtime.status import to_status
from borderpost.runtime.tls import ensure_development_certificates, load_credentials
from borderpost.v1 import gateway_pb2, gateway_pb2_grpc, types_pb2

KIOSK = "kiosk/north/1"


@dataclass
class FakeGateway(gateway_pb2_grpc.GatewayServiceServicer):
    """`script`: what the next screenings come to, an outcome or an error; CLEAR when it is at its end. `asked` and
    `submitted` are what came. `refusals`: what the next kept captures come to, `refuses_kept` all of them. `away`:
    everything is refused as unavailable."""

    script: deque[types_pb2.Outcome.ValueType | BorderpostError] = field(default_factory=deque)
    asked: list[gateway_pb2.ScreenTravelerRequest] = field(default_factory=list)
    submitted: list[gateway_pb2.ScreenTravelerRequest] = field(default_factory=list)
    refuses_kept: BorderpostError | None = None
    refusals: deque[BorderpostError] = field(default_factory=deque)
    away: bool = False
    key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def ScreenTraveler(self, request, context):  # noqa: N802
        self._want_here(context)
        self.asked.append(request)
        outcome = self.script.popleft() if self.script else types_pb2.OUTCOME_CLEAR
        if isinstance(outcome, BorderpostError):
            context.abort_with_status(to_status(outcome))
        advice = [types_pb2.CaptureProblem(code="NO_FACE", advice="Look here.")]
        return gateway_pb2.ScreenTravelerResponse(
            request_id=request.request_id,
            outcome=outcome,
            advice=advice if outcome == types_pb2.OUTCOME_RETAKE else (),
        )

    def GetSpoolKey(self, request, context):  # noqa: N802
        self._want_here(context)
        public = self.key.public_key().public_bytes_raw()
        return gateway_pb2.GetSpoolKeyResponse(
            key_id=key_id_of(public), public_key=public, most_age_seconds=3600
        )

    def SubmitSpooled(self, request, context):  # noqa: N802
        self._want_here(context)
        if self.refusals:
            context.abort_with_status(to_status(self.refusals.popleft()))
        if self.refuses_kept is not None:
            context.abort_with_status(to_status(self.refuses_kept))
        kept = open_capture(self.key, KIOSK, request.sealed).request
        self.submitted.append(kept)
        return gateway_pb2.SubmitSpooledResponse(request_id=kept.request_id)

    def _want_here(self, context) -> None:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[FakeGateway, Settings]]:
    """Serve one, with development certificates in `folder`."""
    gateway = FakeGateway()
    server = grpc.server(ThreadPoolExecutor(4))
    gateway_pb2_grpc.add_GatewayServiceServicer_to_server(gateway, server)
    settings = Settings(state_dir=folder)
    ensure_development_certificates(settings)
    own = load_credentials(settings, "gateway")
    credentials = grpc.ssl_server_credentials([(own.key, own.certificate)], own.ca, True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    section = settings.gateway.model_copy(update={"address": f"127.0.0.1:{port}"})
    try:
        yield gateway, settings.model_copy(update={"gateway": section})
    finally:
        server.stop(0).wait()
