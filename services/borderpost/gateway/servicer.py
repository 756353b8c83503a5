"""GatewayService: protobuf in, use case, protobuf out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import grpc
from structlog.contextvars import bind_contextvars

from borderpost.gateway import validate
from borderpost.gateway.app import Gateway, Screened
from borderpost.runtime import calls
from borderpost.runtime.clock import Clock
from borderpost.runtime.context import seconds_left
from borderpost.v1 import gateway_pb2, gateway_pb2_grpc

Rpc = grpc.aio.ServicerContext[Any, Any]

ENROL_SECONDS: Final = 30.0
"""Longest time for an enrolment, if the caller's own deadline isn't shorter."""


class GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, gateway: Gateway, clock: Clock, screening_seconds: float) -> None:
        self._gateway = gateway
        self._clock = clock
        self._screening_seconds = screening_seconds

    async def ScreenTraveler(
        self, request: gateway_pb2.ScreenTravelerRequest, context: Rpc
    ) -> gateway_pb2.ScreenTravelerResponse:
        """See gateway.proto."""
        call = calls.current()
        screening = validate.screen_request(request, call, self._clock.now())
        bind_contextvars(request_id=screening.request_id)
        call = replace(call, request_id=screening.request_id)
        seconds = seconds_left(context, self._screening_seconds)
        return _answer(await self._gateway.screen(screening, call, seconds))

    async def EnrolEntry(
        self, request: gateway_pb2.EnrolEntryRequest, context: Rpc
    ) -> gateway_pb2.EnrolEntryResponse:
        """See gateway.proto."""
        validate.enrol_request(request)
        seconds = seconds_left(context, ENROL_SECONDS)
        entry = await self._gateway.enrol(request.entry, request.pictures, calls.current(), seconds)
        return gateway_pb2.EnrolEntryResponse(entry=entry)


def _answer(screened: Screened) -> gateway_pb2.ScreenTravelerResponse:
    entry, screening = screened.entry, screened.entry.event.traveler_screened
    return gateway_pb2.ScreenTravelerResponse(
        request_id=screening.request_id,
        visit_id=screening.visit_id,
        outcome=screening.outcome,
        advice=screening.advice,
        event_id=entry.event.event_id,
        log_index=entry.index,
        decided_at=entry.logged_at,
        steps=screening.steps,
        already_answered=screened.already_answered,
    )
