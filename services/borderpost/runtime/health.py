"""`grpc.health.v1`: NOT_SERVING until proven ready, while something needed is away, and from SIGTERM on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

CHECK_SECONDS: Final = 1.0
"""How often readiness is looked at."""

_log = structlog.get_logger(__name__)

Ready = Callable[[], Awaitable[bool]]
"""Tells whether the service can do its work now: what it needs answers."""

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """The health of one server: of the whole (""), and of its service by name."""

    def __init__(self, server: grpc.aio.Server, service: str) -> None:
        self._servicer = health_aio.HealthServicer()
        self._names = ("", service)
        self._serving: bool | None = None
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    @property
    def serving(self) -> bool:
        """What is shown."""
        return self._serving is True

    async def follow(self, ready: Ready) -> None:
        """Show what `ready` tells, for ever."""
        while True:
            await self.show(await _safely(ready))
            await asyncio.sleep(CHECK_SECONDS)

    async def show(self, serving: bool) -> None:
        """Show a state; a change is logged."""
        if serving is self._serving:
            return
        self._serving = serving
        _log.info("health", serving=serving)
        for name in self._names:
            await self._servicer.set(name, _SERVING if serving else _NOT_SERVING)

    async def end(self) -> None:
        """Show NOT_SERVING from now on, whatever comes."""
        self._serving = False
        await self._servicer.enter_graceful_shutdown()


async def is_serving(channel: grpc.aio.Channel, seconds: float = CHECK_SECONDS) -> bool:
    """Ask a service whether it serves. A service that doesn't answer doesn't."""
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=seconds
        )
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == _SERVING)


def serves(channel: grpc.Channel, seconds: float = CHECK_SECONDS) -> bool:
    """Ask as `is_serving` does, from code without an event loop."""
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=seconds)
    except grpc.RpcError:
        return False
    return bool(answer.status == _SERVING)


async def _safely(ready: Ready) -> bool:
    try:
        return await ready()
    except Exception as error:  # a readiness check that fails is an answer
        _log.warning("not_ready", error=type(error).__name__)
        return False
