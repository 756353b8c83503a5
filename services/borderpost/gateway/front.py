"""The front: methods of other services that the gateway passes on as they are.

A person's or a kiosk's call ends at the gateway, where the caller is identified and the access table asked; the
gateway then calls the service in the caller's name. The messages pass unread, as bytes. Of a stream one message
at a time is taken from either side, and the next only when the other side has taken it: nothing piles up here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import grpc

from borderpost.runtime import calls
from borderpost.runtime.context import seconds_left, write_context
from borderpost.runtime.settings import ServiceName
from borderpost.runtime.status import from_rpc_error

SECONDS: Final = 60.0
"""Longest time for a call that is passed on, if the caller's own deadline isn't shorter."""

LONG_SECONDS: Final = 600.0
"""The same for what works on a whole list: 100,000 entries take minutes."""

LONG: Final = frozenset(
    {
        "MeasureWatchlist",
        "BeginImport",
        "FinishImport",
        "ApproveImport",
        "CancelImport",
        "MakeBundle",
        "WriteBundle",
        "VerifyLog",
        "EraseSubject",
        "ApplyRetention",
    }
)
"""The methods that may take so long."""

STREAM_SECONDS: Final = 90.0
"""The same for a stream: a guided capture ends by itself after a minute."""

FORWARDED: Final[Mapping[tuple[str, ServiceName], tuple[str, ...]]] = {
    ("borderpost.v1.WatchlistService", "watchlist"): (
        "CreateWatchlist",
        "ChangeWatchlist",
        "ListWatchlists",
        "GetStatistics",
        "MeasureWatchlist",
        "ProposeEntry",
        "ApproveEntry",
        "WithdrawEntry",
        "GetEntry",
        "GetPictures",
        "ListEntries",
        "RemoveEntry",
        "Search",
        "ProposeSuppression",
        "ConfirmSuppression",
        "RevokeSuppression",
        "ListSuppressions",
        "BeginImport",
        "StageRows",
        "FinishImport",
        "ApproveImport",
        "CancelImport",
        "GetImport",
        "ListImports",
        "ExportEntries",
        "MakeBundle",
        "ReadBundle",
        "WriteBundle",
    ),
    ("borderpost.v1.DecisionsService", "decisions"): (
        "GetScreening",
        "QueryEvents",
        "VerifyLog",
        "GetFigures",
        "GetPolicy",
    ),
    ("borderpost.v1.TransparencyService", "decisions"): (
        "GetCheckpoint",
        "GetInclusionProof",
        "GetConsistencyProof",
        "AddCosignature",
    ),
    ("borderpost.v1.CasesService", "decisions"): (
        "ListCases",
        "GetCase",
        "ClaimCase",
        "ReleaseCase",
        "EscalateCase",
        "RecordFirstLook",
        "GiveFinding",
        "CorrectFinding",
    ),
    ("borderpost.v1.SubjectsService", "decisions"): (
        "FindSubject",
        "EraseSubject",
        "RectifySubject",
        "GetRetention",
        "ApplyRetention",
    ),
    ("borderpost.v1.AuthorityService", "authority"): ("InviteKiosk", "ListMachines", "RevokeMachine"),
    ("borderpost.v1.TrustService", "documents"): ("ImportTrust", "ListTrusted", "GetTrusted"),
    ("borderpost.v1.DocumentsService", "documents"): ("IssueChipChallenge",),
    ("borderpost.v1.FacesService", "faces"): ("LocateEyes",),
}
"""What is passed on, by service. The access table says to whom."""

STREAMED: Final[Mapping[tuple[str, ServiceName], tuple[str, ...]]] = {
    ("borderpost.v1.FacesService", "faces"): ("GuideCapture",),
}
"""The same for streams in both directions."""

DOWNLOADED: Final[Mapping[tuple[str, ServiceName], tuple[str, ...]]] = {
    ("borderpost.v1.DecisionsService", "decisions"): ("ExportEvents",),
}
"""The same for one request that many answers come to."""

DOWNLOAD_SECONDS: Final = 3600.0
"""The same for these: an export of a million events takes minutes."""


def register_front(server: grpc.aio.Server, channels: Mapping[ServiceName, grpc.aio.Channel]) -> None:
    """Serve what is passed on."""
    for (service, owner), methods in FORWARDED.items():
        handlers: dict[str, Any] = {
            method: grpc.unary_unary_rpc_method_handler(_pass_on(channels[owner], f"/{service}/{method}"))
            for method in methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    for (service, owner), methods in STREAMED.items():
        streams: dict[str, Any] = {
            method: grpc.stream_stream_rpc_method_handler(_stream_on(channels[owner], f"/{service}/{method}"))
            for method in methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, streams),))
    for (service, owner), methods in DOWNLOADED.items():
        downloads: dict[str, Any] = {
            method: grpc.unary_stream_rpc_method_handler(
                _download_from(channels[owner], f"/{service}/{method}")
            )
            for method in methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, downloads),))


def _pass_on(channel: grpc.aio.Channel, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    ask: Any = channel.unary_unary(method)
    longest = LONG_SECONDS if method.rpartition("/")[2] in LONG else SECONDS

    async def pass_on(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        seconds = seconds_left(context, longest)
        try:
            answer: bytes = await ask(request, timeout=seconds, metadata=write_context(calls.current()))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return answer

    return pass_on


def _stream_on(
    channel: grpc.aio.Channel, method: str
) -> Callable[[AsyncIterator[bytes], Any], AsyncIterator[bytes]]:
    ask: Any = channel.stream_stream(method)

    async def stream_on(
        requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[bytes]:
        seconds = seconds_left(context, STREAM_SECONDS)
        async for answer in _answers(ask(requests, timeout=seconds, metadata=write_context(calls.current()))):
            yield answer

    return stream_on


def _download_from(channel: grpc.aio.Channel, method: str) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
    ask: Any = channel.unary_stream(method)

    async def download(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        seconds = seconds_left(context, DOWNLOAD_SECONDS)
        async for answer in _answers(ask(request, timeout=seconds, metadata=write_context(calls.current()))):
            yield answer

    return download


async def _answers(call: Any) -> AsyncIterator[bytes]:
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    finally:  # a caller that went away takes its call with it; of one that has ended nothing is left to cancel
        call.cancel()
