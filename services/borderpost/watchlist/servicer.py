"""The watchlist service on the wire: validates, translates, and leaves the rest to the use cases."""

from __future__ import annotations

from typing import Any, Final

from borderpost.runtime import calls
from borderpost.runtime.clock import Clock
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import watchlist_pb2 as pb
from borderpost.v1.watchlist_pb2_grpc import WatchlistServiceServicer
from borderpost.watchlist import validate, wire
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.tokens import parse_page_token

DEFAULT_PAGE_SIZE: Final = 100
"""As in watchlist.proto."""


class WatchlistServicer(WatchlistServiceServicer):
    """Handlers of WatchlistService; watchlist.proto is their specification."""

    def __init__(self, app: Watchlists, pool: WorkPool, clock: Clock) -> None:
        self._app = app
        self._pool = pool
        self._clock = clock

    async def CreateWatchlist(
        self, request: pb.CreateWatchlistRequest, context: Any
    ) -> pb.CreateWatchlistResponse:
        """Make a list."""
        validate.check_create_watchlist(request)
        call = calls.current()
        state = await self._pool.run(
            self._app.create_watchlist, wire.from_watchlist(request.watchlist), call.actor, call.purpose
        )
        return pb.CreateWatchlistResponse(watchlist=wire.to_watchlist(state.watchlist))

    async def ListWatchlists(
        self, request: pb.ListWatchlistsRequest, context: Any
    ) -> pb.ListWatchlistsResponse:
        """List all lists."""
        summaries = await self._pool.run(self._app.list_watchlists)
        return pb.ListWatchlistsResponse(watchlists=map(wire.to_status, summaries))

    async def ProposeEntry(self, request: pb.ProposeEntryRequest, context: Any) -> pb.ProposeEntryResponse:
        """Propose an entry."""
        validate.check_propose_entry(request)
        call = calls.current()
        content = wire.from_entry(request.entry)
        entry = await self._pool.run(self._app.propose_entry, content, call.actor, call.purpose)
        return pb.ProposeEntryResponse(entry=wire.to_entry(entry, self._clock.now()))

    async def ApproveEntry(self, request: pb.ApproveEntryRequest, context: Any) -> pb.ApproveEntryResponse:
        """Approve an entry."""
        validate.check_approve_entry(request)
        call = calls.current()
        entry = await self._pool.run(self._app.approve_entry, request.entry_id, call.actor, call.purpose)
        return wire.to_approved(entry, self._clock.now())

    async def GetEntry(self, request: pb.GetEntryRequest, context: Any) -> pb.GetEntryResponse:
        """Get one entry."""
        validate.check_get_entry(request)
        entry = await self._pool.run(self._app.get_entry, request.entry_id)
        return pb.GetEntryResponse(entry=wire.to_entry(entry, self._clock.now()))

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Any) -> pb.ListEntriesResponse:
        """List a page of entries."""
        validate.check_list_entries(request)
        after, size = parse_page_token(request.page_token), request.page_size or DEFAULT_PAGE_SIZE
        page = await self._pool.run(self._app.list_entries, request.list_id, after, size)
        return wire.to_page(page, self._clock.now())

    async def RemoveEntry(self, request: pb.RemoveEntryRequest, context: Any) -> pb.RemoveEntryResponse:
        """Remove an entry for good."""
        validate.check_remove_entry(request)
        call = calls.current()
        version = await self._pool.run(self._app.remove_entry, request.entry_id, call.actor, call.purpose)
        return pb.RemoveEntryResponse(version=version)

    async def Search(self, request: pb.SearchRequest, context: Any) -> pb.SearchResponse:
        """Search all lists."""
        validate.check_search(request)
        return wire.to_answer(await self._pool.run(self._app.search, wire.from_search(request)))
