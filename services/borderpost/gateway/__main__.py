"""Composition root of the gateway."""

from __future__ import annotations

import grpc

from borderpost.gateway.adapters.grpc_clients import GrpcDecisions, GrpcDocuments, GrpcFaces, GrpcWatchlists
from borderpost.gateway.app import Gateway, Services
from borderpost.gateway.enrolment import Enrolment
from borderpost.gateway.front import FORWARDED, STREAMED, register_front
from borderpost.gateway.policy import load_policy
from borderpost.gateway.servicer import GatewayServicer
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.health import is_serving
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.v1 import gateway_pb2_grpc

CALLED: tuple[ServiceName, ...] = ("documents", "faces", "watchlist", "decisions")


async def build(settings: Settings, _pool: WorkPool) -> Service:
    """Build the gateway. Serving means that the decision log serves: without it there is no outcome."""
    policy = load_policy(settings.gateway.policy)
    channels = {name: open_channel(settings, name, "gateway") for name in CALLED}
    services = Services(
        GrpcDocuments(channels["documents"]),
        GrpcFaces(channels["faces"]),
        GrpcWatchlists(channels["watchlist"]),
        GrpcDecisions(channels["decisions"]),
    )
    gateway = Gateway(services, policy, settings.gateway.commit_seconds)
    enrolment = Enrolment(services.faces, services.watchlists)
    servicer = GatewayServicer(gateway, enrolment, SystemClock(), settings.gateway.screening_seconds)

    def register(server: grpc.aio.Server) -> None:
        gateway_pb2_grpc.add_GatewayServiceServicer_to_server(servicer, server)
        register_front(server, channels)

    async def ready() -> bool:
        return await is_serving(channels["decisions"])

    names = ("borderpost.v1.GatewayService", *(service for service, _ in (*FORWARDED, *STREAMED)))
    return Service(names, register, ready)


def main() -> None:
    """Run the gateway."""
    serve("gateway", build)


if __name__ == "__main__":
    main()
