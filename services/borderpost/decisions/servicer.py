"""DecisionsService on the wire: checks, translates, hands to the use cases."""

from __future__ import annotations

from typing import Any

from borderpost.decisions import validate
from borderpost.decisions.app import Decisions
from borderpost.decisions.messages import event_filter, log_entry, page_start, query_response, verify_response
from borderpost.runtime.calls import current
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1.decisions_pb2_grpc import DecisionsServiceServicer


class DecisionsServicer(DecisionsServiceServicer):
    """See protos/borderpost/v1/decisions.proto."""

    def __init__(self, app: Decisions, pool: WorkPool) -> None:
        self._app = app
        self._pool = pool

    async def AppendScreening(
        self, request: pb.AppendScreeningRequest, context: Any
    ) -> pb.AppendScreeningResponse:
        """Append a screening."""
        validate.append_screening(request)
        appended = await self._pool.run(
            self._app.append_screening, request.screening, request.payload, current()
        )
        return pb.AppendScreeningResponse(entry=log_entry(appended.record), duplicate=appended.duplicate)

    async def FindScreening(self, request: pb.FindScreeningRequest, context: Any) -> pb.FindScreeningResponse:
        """Find a screening's public record."""
        validate.find_screening(request)
        record = await self._pool.run(self._app.find_screening, request.kiosk_id, request.request_id)
        return pb.FindScreeningResponse(entry=log_entry(record))

    async def RecordEvents(self, request: pb.RecordEventsRequest, context: Any) -> pb.RecordEventsResponse:
        """Take other services' events."""
        validate.record_events(request, current().peer_role)
        appended = await self._pool.run(self._app.record_events, list(request.events))
        return pb.RecordEventsResponse(appended=appended)

    async def GetScreening(self, request: pb.GetScreeningRequest, context: Any) -> pb.GetScreeningResponse:
        """Get a screening with what it found."""
        validate.get_screening(request)
        record, payload = await self._pool.run(
            self._app.get_screening, request.kiosk_id or None, request.request_id, current()
        )
        return pb.GetScreeningResponse(entry=log_entry(record), payload=payload)

    async def QueryEvents(self, request: pb.QueryEventsRequest, context: Any) -> pb.QueryEventsResponse:
        """List events."""
        validate.query_events(request)
        page = await self._pool.run(
            self._app.query_events,
            event_filter(request),
            page_start(request),
            request.page_size or validate.DEFAULT_PAGE,
            current(),
        )
        return query_response(request, page)

    async def VerifyLog(self, request: pb.VerifyLogRequest, context: Any) -> pb.VerifyLogResponse:
        """Check the whole log."""
        return verify_response(await self._pool.run(self._app.verify_log))
