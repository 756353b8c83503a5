"""What the gateway's clients do beside passing on."""

from __future__ import annotations

from typing import Any

from borderpost.gateway.adapters.grpc_clients import GrpcWatchlists
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.v1 import watchlist_pb2

KIOSK = Actor("borderpost.test", "kiosk/north/1")
CALL = Call("", KIOSK, Role.KIOSK, KIOSK, frozenset({Role.KIOSK}), "", "", "00-0-0-00")


class Replicas:
    """A channel to watchlist services that are at these versions, one for each search."""

    def __init__(self, *versions: int) -> None:
        self._versions = iter(versions)
        self.asked: list[int] = []

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Any:
        async def search(request: watchlist_pb2.SearchRequest, **_: Any) -> watchlist_pb2.SearchResponse:
            self.asked.append(request.min_version)
            return watchlist_pb2.SearchResponse(version=next(self._versions))

        return search


async def test_no_search_is_believed_that_is_behind_an_earlier_one():
    replicas = Replicas(7, 9, 8, 9)
    watchlists = GrpcWatchlists(replicas)  # type: ignore[arg-type]
    for _ in range(4):
        await watchlists.search(watchlist_pb2.SearchRequest(), CALL, 1.0)
    assert replicas.asked == [0, 7, 9, 9]
