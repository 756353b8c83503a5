"""DecisionsService on the wire: checks, translates, hands to the use cases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from borderpost.decisions import validate
from borderpost.decisions.app import Decisions
from borderpost.decisions.exporting import Exporting
from borderpost.decisions.figures import Figures
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.messages import (
    event_filter,
    figures_response,
    filter_names,
    log_entry,
    page_start,
    query_response,
    verify_response,
)
from borderpost.decisions.patterns.app import LookBack
from borderpost.decisions.patterns.messages import look_back_response
from borderpost.decisions.recording import Recording
from borderpost.decisions.sampled import entry_for_officers
from borderpost.decisions.subjects.rectifying import Rectifying
from borderpost.decisions.verify import Verification
from borderpost.runtime.calls import current
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.scopes import narrowed
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1.decisions_pb2_grpc import DecisionsServiceServicer


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service does."""

    decisions: Decisions
    recording: Recording
    verify: Callable[[], Verification]
    exporting: Exporting
    figures: Figures
    look_back: LookBack


class DecisionsServicer(DecisionsServiceServicer):
    """See protos/borderpost/v1/decisions.proto."""

    def __init__(
        self, use: UseCases, lookups: Lookups, rectifying: Rectifying, pool: WorkPool, writers: WorkPool
    ) -> None:
        """`writers` has a thread for each append at the same time: they wait for one sync together."""
        self._use = use
        self._lookups = lookups
        self._rectifying = rectifying
        self._pool = pool
        self._writers = writers

    async def AppendScreening(
        self, request: pb.AppendScreeningRequest, context: Any
    ) -> pb.AppendScreeningResponse:
        """Append a screening."""
        validate.append_screening(request)
        appended = await self._writers.run(self._use.decisions.append_screening, request, current())
        self._use.look_back.remember(request, appended.record)
        return pb.AppendScreeningResponse(entry=log_entry(appended.record), duplicate=appended.duplicate)

    async def FindScreening(self, request: pb.FindScreeningRequest, context: Any) -> pb.FindScreeningResponse:
        """Find a screening's public record."""
        validate.find_screening(request)
        find = self._use.decisions.find_screening
        record = await self._writers.run(find, request.kiosk_id, request.request_id)
        return pb.FindScreeningResponse(entry=log_entry(record))

    async def LookBack(self, request: pb.LookBackRequest, context: Any) -> pb.LookBackResponse:
        """Look back at a visit, its group and its document."""
        validate.look_back(request)
        return look_back_response(await self._pool.run(self._use.look_back.look_back, request))

    async def RecordEvents(self, request: pb.RecordEventsRequest, context: Any) -> pb.RecordEventsResponse:
        """Take other services' events."""
        validate.record_events(request, current().peer_role)
        appended = await self._writers.run(self._use.recording.record_events, list(request.events))
        return pb.RecordEventsResponse(appended=appended)

    async def GetScreening(self, request: pb.GetScreeningRequest, context: Any) -> pb.GetScreeningResponse:
        """Get a screening with what it found."""
        validate.get_screening(request)
        record, payload, evidence = await self._pool.run(
            self._use.decisions.get_screening,
            request.kiosk_id or None,
            request.request_id,
            request.with_evidence,
            current(),
        )
        entry = entry_for_officers(log_entry(record), current())
        statements = await self._pool.run(self._rectifying.of, record.event().event_id)
        return pb.GetScreeningResponse(
            entry=entry, payload=payload, evidence=evidence, rectifications=statements
        )

    async def QueryEvents(self, request: pb.QueryEventsRequest, context: Any) -> pb.QueryEventsResponse:
        """List events."""
        validate.query_events(request)
        request.crossing = narrowed(current(), request.crossing)
        page = await self._pool.run(
            self._use.decisions.query_events,
            event_filter(request, self._lookups),
            filter_names(request),
            page_start(request),
            request.page_size or validate.DEFAULT_PAGE,
            current(),
        )
        return query_response(request, page)

    async def VerifyLog(self, request: pb.VerifyLogRequest, context: Any) -> pb.VerifyLogResponse:
        """Check the whole log."""
        return verify_response(await self._pool.run(self._use.verify))

    async def ExportEvents(
        self, request: pb.ExportEventsRequest, context: Any
    ) -> AsyncIterator[pb.ExportEventsResponse]:
        """Give out events, chunk by chunk: the next is read when the last was taken."""
        validate.export_events(request)
        request.filter.crossing = narrowed(current(), request.filter.crossing)
        wanted = event_filter(request.filter, self._lookups)
        names = filter_names(request.filter)
        chunks = self._use.exporting.export(wanted, names, request.format, current())
        try:
            while (chunk := await self._pool.run(_next, chunks)) is not None:
                yield chunk
        finally:
            await self._pool.run(chunks.close)

    async def GetFigures(self, request: pb.GetFiguresRequest, context: Any) -> pb.GetFiguresResponse:
        """Count."""
        validate.get_figures(request)
        since, until = from_timestamp(getattr(request, "from")), from_timestamp(request.until)
        crossing = narrowed(current(), request.crossing) or None
        return figures_response(
            await self._pool.run(self._use.figures.get, since, until, crossing, current())
        )

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Any) -> pb.GetPolicyResponse:
        """Get a policy's text."""
        validate.get_policy(request)
        return pb.GetPolicyResponse(toml=await self._pool.run(self._use.recording.policy, request.policy))

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: Any) -> pb.ListPoliciesResponse:
        """List what became of policies."""
        records = await self._pool.run(self._use.recording.policies)
        return pb.ListPoliciesResponse(entries=map(log_entry, records))


def _next(chunks: Iterator[pb.ExportEventsResponse]) -> pb.ExportEventsResponse | None:
    return next(chunks, None)
