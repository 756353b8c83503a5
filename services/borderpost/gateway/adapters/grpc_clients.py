"""The ports over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import grpc

from borderpost.runtime.calls import Call
from borderpost.runtime.context import write_context
from borderpost.runtime.status import from_rpc_error
from borderpost.v1 import (
    decisions_pb2,
    decisions_pb2_grpc,
    documents_pb2,
    documents_pb2_grpc,
    faces_pb2,
    faces_pb2_grpc,
    types_pb2,
    watchlist_pb2,
    watchlist_pb2_grpc,
)

Answer = TypeVar("Answer")


async def _ask(
    method: grpc.aio.UnaryUnaryMultiCallable[Any, Answer],
    request: object,
    call: Call,
    seconds: float,
    wait_for_ready: bool = False,
) -> Answer:
    try:
        return await method(
            request, timeout=seconds, metadata=write_context(call), wait_for_ready=wait_for_ready
        )
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None


class GrpcDocuments:
    """The documents service behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = documents_pb2_grpc.DocumentsServiceStub(channel)

    async def read(
        self, request: documents_pb2.ReadDocumentRequest, call: Call, seconds: float
    ) -> documents_pb2.ReadDocumentResponse:
        """See the port."""
        return await _ask(self._stub.ReadDocument, request, call, seconds)


class GrpcFaces:
    """The faces service behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = faces_pb2_grpc.FacesServiceStub(channel)

    async def extract(
        self, request: faces_pb2.ExtractTemplateRequest, call: Call, seconds: float
    ) -> faces_pb2.ExtractTemplateResponse:
        """See the port."""
        return await _ask(self._stub.ExtractTemplate, request, call, seconds)

    async def compare(
        self, probe: types_pb2.Template, reference: types_pb2.Template, fmr: float, call: Call, seconds: float
    ) -> faces_pb2.CompareResponse:
        """See the port."""
        request = faces_pb2.CompareRequest(probe=probe, reference=reference, target_fmr=fmr)
        return await _ask(self._stub.Compare, request, call, seconds)


class GrpcWatchlists:
    """The watchlist service behind a channel.

    Lists never go back: of several replicas, or after an old backup was put in place, none that is behind what was
    answered before is believed.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = watchlist_pb2_grpc.WatchlistServiceStub(channel)
        self._newest = 0

    async def search(
        self, request: watchlist_pb2.SearchRequest, call: Call, seconds: float
    ) -> watchlist_pb2.SearchResponse:
        """See the port."""
        request.min_version = max(request.min_version, self._newest)
        answer = await _ask(self._stub.Search, request, call, seconds)
        self._newest = max(self._newest, answer.version)
        return answer

    async def propose(
        self, entry: watchlist_pb2.Entry, call: Call, seconds: float
    ) -> watchlist_pb2.ProposeEntryResponse:
        """See the port."""
        request = watchlist_pb2.ProposeEntryRequest(entry=entry)
        return await _ask(self._stub.ProposeEntry, request, call, seconds)

    async def stage_rows(
        self, request: watchlist_pb2.StageRowsRequest, call: Call, seconds: float
    ) -> watchlist_pb2.StageRowsResponse:
        """See the port."""
        return await _ask(self._stub.StageRows, request, call, seconds)

    async def without_model(
        self, request: watchlist_pb2.ListWithoutModelRequest, call: Call, seconds: float
    ) -> watchlist_pb2.ListWithoutModelResponse:
        """See the port."""
        return await _ask(self._stub.ListWithoutModel, request, call, seconds)

    async def add_templates(
        self, entry_id: str, templates: Sequence[types_pb2.Template], call: Call, seconds: float
    ) -> watchlist_pb2.AddTemplatesResponse:
        """See the port."""
        request = watchlist_pb2.AddTemplatesRequest(entry_id=entry_id, templates=templates)
        return await _ask(self._stub.AddTemplates, request, call, seconds)


class GrpcDecisions:
    """The decision log behind a channel.

    Calls wait for the connection as long as they have time: both are safe to repeat, and without the log
    there is no outcome at all.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = decisions_pb2_grpc.DecisionsServiceStub(channel)

    async def find(
        self, kiosk_id: str, request_id: str, call: Call, seconds: float
    ) -> decisions_pb2.LogEntry | None:
        """See the port."""
        request = decisions_pb2.FindScreeningRequest(kiosk_id=kiosk_id, request_id=request_id)
        try:
            answer = await self._stub.FindScreening(
                request, timeout=seconds, metadata=write_context(call), wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise from_rpc_error(error) from None
        return answer.entry

    async def append(
        self, request: decisions_pb2.AppendScreeningRequest, call: Call, seconds: float
    ) -> decisions_pb2.AppendScreeningResponse:
        """See the port."""
        return await _ask(self._stub.AppendScreening, request, call, seconds, wait_for_ready=True)

    async def look_back(
        self, request: decisions_pb2.LookBackRequest, call: Call, seconds: float
    ) -> decisions_pb2.LookBackResponse:
        """See the port."""
        return await _ask(self._stub.LookBack, request, call, seconds)

    async def get(
        self, request: decisions_pb2.GetScreeningRequest, call: Call, seconds: float
    ) -> decisions_pb2.GetScreeningResponse:
        """See the port."""
        return await _ask(self._stub.GetScreening, request, call, seconds)

    async def policy(self, version: str, call: Call, seconds: float) -> bytes:
        """See the port."""
        request = decisions_pb2.GetPolicyRequest(policy=version)
        answer = await _ask(self._stub.GetPolicy, request, call, seconds)
        return answer.toml
