"""GatewayService: protobuf in, use case, protobuf out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import grpc
from structlog.contextvars import bind_contextvars

from borderpost.gateway import validate
from borderpost.gateway.app import Gateway, Screened
from borderpost.gateway.enrolment import Enrolment
from borderpost.gateway.late import LateCaptures
from borderpost.gateway.policies import Policies
from borderpost.gateway.replay import Replay
from borderpost.gateway.status import Standing
from borderpost.runtime import calls
from borderpost.runtime.clock import Clock
from borderpost.runtime.context import seconds_left
from borderpost.v1 import gateway_pb2, gateway_pb2_grpc

Rpc = grpc.aio.ServicerContext[Any, Any]

ENROL_SECONDS: Final = 30.0
"""Longest time for an enrolment, if the caller's own deadline isn't shorter."""


BATCH_SECONDS: Final = 60.0
"""The same for a batch of rows or entries: 50 rows of four pictures each take 10 s on two cores."""


class GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    """Translates; decides nothing."""

    def __init__(
        self,
        gateway: Gateway,
        enrolment: Enrolment,
        replay: Replay,
        late: LateCaptures,
        standing: Standing,
        policies: Policies,
        clock: Clock,
        screening_seconds: float,
    ) -> None:
        self._gateway = gateway
        self._enrolment = enrolment
        self._replay = replay
        self._late = late
        self._standing = standing
        self._policies = policies
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

    async def GetSpoolKey(
        self, request: gateway_pb2.GetSpoolKeyRequest, context: Rpc
    ) -> gateway_pb2.GetSpoolKeyResponse:
        """See gateway.proto."""
        return self._late.key()

    async def GetStatus(
        self, request: gateway_pb2.GetStatusRequest, context: Rpc
    ) -> gateway_pb2.GetStatusResponse:
        """See gateway.proto."""
        return await self._standing.status()

    async def ProposePolicy(
        self, request: gateway_pb2.ProposePolicyRequest, context: Rpc
    ) -> gateway_pb2.ProposePolicyResponse:
        """See gateway.proto."""
        version = await self._policies.propose(request.toml, calls.current())
        return gateway_pb2.ProposePolicyResponse(policy=version)

    async def ActivatePolicy(
        self, request: gateway_pb2.ActivatePolicyRequest, context: Rpc
    ) -> gateway_pb2.ActivatePolicyResponse:
        """See gateway.proto."""
        validate.activate_policy(request)
        await self._policies.activate(request.policy, calls.current())
        return gateway_pb2.ActivatePolicyResponse(policy=request.policy)

    async def SubmitSpooled(
        self, request: gateway_pb2.SubmitSpooledRequest, context: Rpc
    ) -> gateway_pb2.SubmitSpooledResponse:
        """See gateway.proto."""
        call, now = calls.current(), self._clock.now()
        kept = self._late.open(request, call.actor, now)
        screening = validate.screen_request(kept, call, now, late=True)
        bind_contextvars(request_id=screening.request_id)
        call = replace(call, request_id=screening.request_id)
        seconds = seconds_left(context, self._screening_seconds)
        screened = await self._gateway.screen(screening, call, seconds)
        return gateway_pb2.SubmitSpooledResponse(
            request_id=screening.request_id,
            event_id=screened.entry.event.event_id,
            log_index=screened.entry.index,
            already_answered=screened.already_answered,
        )

    async def EnrolEntry(
        self, request: gateway_pb2.EnrolEntryRequest, context: Rpc
    ) -> gateway_pb2.EnrolEntryResponse:
        """See gateway.proto."""
        validate.enrol_request(request)
        seconds = seconds_left(context, ENROL_SECONDS)
        entry = await self._enrolment.enrol(
            request.entry, request.pictures, request.keep_pictures, calls.current(), seconds
        )
        return gateway_pb2.EnrolEntryResponse(entry=entry)

    async def StageImportRows(
        self, request: gateway_pb2.StageImportRowsRequest, context: Rpc
    ) -> gateway_pb2.StageImportRowsResponse:
        """See gateway.proto."""
        validate.stage_request(request)
        seconds = seconds_left(context, BATCH_SECONDS)
        staged = await self._enrolment.stage(request.import_id, request.rows, calls.current(), seconds)
        # `import` is a keyword, so the field is given by name.
        return gateway_pb2.StageImportRowsResponse(
            **{"import": getattr(staged, "import")}, errors=staged.errors
        )

    async def MigrateEntries(
        self, request: gateway_pb2.MigrateEntriesRequest, context: Rpc
    ) -> gateway_pb2.MigrateEntriesResponse:
        """See gateway.proto."""
        validate.migrate_request(request)
        seconds = seconds_left(context, BATCH_SECONDS)
        return await self._enrolment.migrate(request.list_id, request.page_token, calls.current(), seconds)

    async def ReplayScreening(
        self, request: gateway_pb2.ReplayScreeningRequest, context: Rpc
    ) -> gateway_pb2.ReplayScreeningResponse:
        """See gateway.proto."""
        validate.replay_request(request)
        seconds = seconds_left(context, BATCH_SECONDS)
        return await self._replay.replay(request.kiosk_id, request.request_id, calls.current(), seconds)


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
