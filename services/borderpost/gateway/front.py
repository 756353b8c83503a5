"""The front for people: methods of other services that the gateway passes on as they are.

A person's call ends at the gateway, where the person is identified and the access table asked; the gateway
then calls the service in the person's name. The messages pass unread, as bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import grpc

from borderpost.runtime import calls
from borderpost.runtime.context import seconds_left, write_context
from borderpost.runtime.settings import ServiceName
from borderpost.runtime.status import from_rpc_error

SECONDS: Final = 60.0
"""Longest time for a call that is passed on, if the caller's own deadline isn't shorter."""

FORWARDED: Final[Mapping[tuple[str, ServiceName], tuple[str, ...]]] = {
    ("borderpost.v1.WatchlistService", "watchlist"): (
        "CreateWatchlist",
        "ListWatchlists",
        "ApproveEntry",
        "GetEntry",
        "ListEntries",
        "RemoveEntry",
    ),
    ("borderpost.v1.DecisionsService", "decisions"): ("GetScreening", "QueryEvents", "VerifyLog"),
}
"""What is passed on, by service. The access table says to whom."""


def register_front(server: grpc.aio.Server, channels: Mapping[ServiceName, grpc.aio.Channel]) -> None:
    """Serve what is passed on."""
    for (service, owner), methods in FORWARDED.items():
        handlers: dict[str, Any] = {
            method: grpc.unary_unary_rpc_method_handler(_pass_on(channels[owner], f"/{service}/{method}"))
            for method in methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _pass_on(channel: grpc.aio.Channel, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    ask: Any = channel.unary_unary(method)

    async def pass_on(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        seconds = seconds_left(context, SECONDS)
        try:
            answer: bytes = await ask(request, timeout=seconds, metadata=write_context(calls.current()))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return answer

    return pass_on
