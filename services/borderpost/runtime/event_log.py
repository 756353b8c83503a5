"""The decision log behind a channel, as the outbox of every service hands events to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc

from borderpost.runtime.status import from_rpc_error
from borderpost.v1.decisions_pb2 import Event, ListPoliciesRequest, LogEntry, RecordEventsRequest
from borderpost.v1.decisions_pb2_grpc import DecisionsServiceStub

DELIVERY_SECONDS: Final = 10.0
"""Time for one batch to become durable in the log."""


class GrpcLog:
    """Delivers events. Repeating a delivery is safe: the log drops an event id that it has."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = DecisionsServiceStub(channel)

    async def deliver(self, events: Sequence[Event]) -> None:
        """Return when the events are durable in the log. Raises BorderpostError if they may not be."""
        try:
            await self._stub.RecordEvents(RecordEventsRequest(events=events), timeout=DELIVERY_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def policies(self) -> Sequence[LogEntry]:
        """Return what became of policies, newest first; for the gateway. Raises BorderpostError."""
        try:
            answer = await self._stub.ListPolicies(ListPoliciesRequest(), timeout=DELIVERY_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return list(answer.entries)
