"""How the services are, as the gateway finds them: for administrators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from importlib.metadata import version

import grpc

from borderpost.gateway.telling import PolicyTold
from borderpost.policy.model import PolicyVersion
from borderpost.runtime.health import is_serving
from borderpost.runtime.settings import ServiceName
from borderpost.v1.gateway_pb2 import GetStatusResponse, ServiceStatus


class Standing:
    """Asks every service whether it serves, all at once."""

    def __init__(
        self, channels: Mapping[ServiceName, grpc.aio.Channel], told: PolicyTold, policy: PolicyVersion
    ) -> None:
        """`told`: without it the gateway itself doesn't serve."""
        self._channels = channels
        self._told = told
        self._policy = policy

    async def status(self) -> GetStatusResponse:
        """Return it. A service that doesn't answer in time doesn't serve."""
        services = await asyncio.gather(*(_ask(name, channel) for name, channel in self._channels.items()))
        itself = ServiceStatus(service="gateway", serving=self._told.taken, milliseconds=0)
        return GetStatusResponse(
            services=[itself, *services],
            software=f"borderpost {version('borderpost')}",
            policy=self._policy.version,
            policy_toml=self._policy.toml,
        )


async def _ask(name: ServiceName, channel: grpc.aio.Channel) -> ServiceStatus:
    begun = time.monotonic()
    serving = await is_serving(channel)
    took = 1000 * (time.monotonic() - begun)
    return ServiceStatus(service=name, serving=serving, milliseconds=took if serving else None)
