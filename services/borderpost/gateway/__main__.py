"""Composition root of the gateway."""

from __future__ import annotations

from datetime import timedelta

import grpc

from borderpost.gateway.adapters.grpc_clients import GrpcDecisions, GrpcDocuments, GrpcFaces, GrpcWatchlists
from borderpost.gateway.admission import Admission
from borderpost.gateway.app import Gateway
from borderpost.gateway.enrolment import Enrolment
from borderpost.gateway.front import FORWARDED, STREAMED, register_front
from borderpost.gateway.late import LateCaptures
from borderpost.gateway.looking import Services
from borderpost.gateway.measuring import ScreeningNumbers
from borderpost.gateway.policies import Itself, Policies
from borderpost.gateway.replay import Replay
from borderpost.gateway.servicer import GatewayServicer
from borderpost.gateway.spool_keys import SpoolKeys
from borderpost.gateway.status import Standing
from borderpost.runtime.calls import Actor
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.event_log import GrpcLog
from borderpost.runtime.health import is_serving
from borderpost.runtime.metrics import Numbers
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.tls import load_authorities
from borderpost.v1 import gateway_pb2_grpc
from borderpost.v1.decisions_pb2 import Versions

CALLED: tuple[ServiceName, ...] = ("documents", "faces", "watchlist", "decisions", "authority")


async def build(settings: Settings, _pool: WorkPool) -> Service:
    """Build the gateway.

    Serving means that the decision log serves, without which there is no outcome, and that it has the policy's text,
    without which no outcome could be replayed.
    """
    channels = {name: open_channel(settings, name, "gateway") for name in CALLED}
    log = GrpcLog(channels["decisions"])
    itself = Itself(Actor(settings.trust_domain, "gateway"), settings.state_dir / "gateway-policy.toml")
    policies = Policies(settings.gateway.policy, itself, log.policies, log.deliver, SystemClock())
    services = Services(
        GrpcDocuments(channels["documents"]),
        GrpcFaces(channels["faces"]),
        GrpcWatchlists(channels["watchlist"]),
        GrpcDecisions(channels["decisions"]),
    )
    own = settings.gateway
    admission = Admission(own.screenings, own.waiting)
    numbers = Numbers()
    counted = ScreeningNumbers(numbers)
    counted.follow(admission)
    gateway = Gateway(services, policies.current, admission, own.commit_seconds, counted=counted.screened)
    enrolment = Enrolment(services.faces, services.watchlists)
    replay = Replay(services.decisions, services.faces)
    late = LateCaptures(
        SpoolKeys(settings.spool_keys, make=settings.mode == "development"),
        lambda: load_authorities(settings),
        settings.trust_domain,
        lambda: timedelta(seconds=policies.current().policy.late.most_age_seconds),
    )
    standing = Standing(channels, policies)
    servicer = GatewayServicer(
        gateway, enrolment, replay, late, standing, policies, SystemClock(), own.screening_seconds
    )

    def register(server: grpc.aio.Server) -> None:
        gateway_pb2_grpc.add_GatewayServiceServicer_to_server(servicer, server)
        register_front(server, channels)

    async def ready() -> bool:
        return policies.told and await is_serving(channels["decisions"])

    forwarded = (service for service, _ in (*FORWARDED, *STREAMED))
    names = tuple(dict.fromkeys(("borderpost.v1.GatewayService", *forwarded)))
    report = Report(log.deliver, lambda: Versions(policy=policies.current().version))
    return Service(names, register, ready, (policies.run,), report=report, numbers=numbers)


def main() -> None:
    """Run the gateway."""
    serve("gateway", build)


if __name__ == "__main__":
    main()
