"""How the services are, as the gateway finds them: for administrators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from importlib.metadata import version

import grpc

from borderpost.gateway.policies import Policies
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.health import is_serving
from borderpost.runtime.settings import ServiceName
from borderpost.v1.gateway_pb2 import GetStatusResponse, PolicyProposal, ServiceStatus


class Standing:
    """Asks every service whether it serves, all at once."""

    def __init__(self, channels: Mapping[ServiceName, grpc.aio.Channel], policies: Policies) -> None:
        self._channels = channels
        self._policies = policies

    async def status(self) -> GetStatusResponse:
        """Return it. A service that doesn't answer in time doesn't serve."""
        services = await asyncio.gather(*(_ask(name, channel) for name, channel in self._channels.items()))
        itself = ServiceStatus(service="gateway", serving=self._policies.told, milliseconds=0)
        policy = self._policies.current()
        return GetStatusResponse(
            services=[itself, *services],
            software=f"borderpost {version('borderpost')}",
            policy=policy.version,
            policy_toml=policy.toml,
            proposals=await self._proposals(),
            policy_by_people=self._policies.by_people,
        )

    async def _proposals(self) -> list[PolicyProposal]:
        """What waits; nothing while the log is away, which shows by itself."""
        try:
            return await self._policies.proposals()
        except BorderpostError:
            return []


async def _ask(name: ServiceName, channel: grpc.aio.Channel) -> ServiceStatus:
    begun = time.monotonic()
    serving = await is_serving(channel)
    took = 1000 * (time.monotonic() - begun)
    return ServiceStatus(service=name, serving=serving, milliseconds=took if serving else None)
