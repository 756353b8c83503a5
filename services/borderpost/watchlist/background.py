"""What the watchlist service does by itself, beside answering: load, follow, merge, measure, remove what has ended."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from borderpost.runtime.errors import UnavailableError
from borderpost.watchlist.app import SWEEP, Watchlists
from borderpost.watchlist.domain import Caller
from borderpost.watchlist.exporting import Exporting
from borderpost.watchlist.importing import Importing
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.measuring import Measuring
from borderpost.watchlist.suppressing import Suppressing

FOLLOW_SECONDS: Final = 1.0
"""How long a replica waits for word of a change before it looks by itself: the greatest age of "nobody"."""

MERGE_SECONDS: Final = 0.2
MEASURE_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 5.0
"""Pauses between looking whether there is something to do."""

PURGE_SECONDS: Final = 60.0
"""How long what was removed may stay in memory, struck out, before its block is made anew without it."""

_log = structlog.get_logger(__name__)


class Background:
    """The tasks. Each runs for ever, off the event loop; one that fails is started again by the server."""

    def __init__(
        self,
        keeper: Keeper,
        watchlists: Watchlists,
        measuring: Measuring,
        suppressing: Suppressing,
        importing: Importing,
        exporting: Exporting,
        itself: Caller,
    ) -> None:
        self._keeper = keeper
        self._watchlists = watchlists
        self._measuring = measuring
        self._suppressing = suppressing
        self._importing = importing
        self._exporting = exporting
        self._itself = itself

    async def load(self) -> None:
        """Make the view; searches are answered from then on."""
        if not self._keeper.is_loaded:
            await asyncio.to_thread(self._keeper.load)
            _log.info("loaded", version=self._keeper.view.version)
        await asyncio.to_thread(self._keeper.clean)
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Follow what other processes change."""
        while True:
            await asyncio.to_thread(self._keeper.store.wait, FOLLOW_SECONDS)
            if self._keeper.is_loaded:
                await asyncio.to_thread(self._follow_once)

    async def merge(self) -> None:
        """Merge blocks while there are some to merge, and clear memory of what was removed."""
        clock = asyncio.get_running_loop().time
        purged = clock()
        while True:
            await asyncio.sleep(MERGE_SECONDS)
            if self._keeper.is_loaded:
                purge = clock() - purged >= PURGE_SECONDS
                if not await asyncio.to_thread(self._keeper.merge_once, purge=purge) and purge:
                    purged = clock()

    async def measure(self) -> None:
        """Measure lists that have grown."""
        while True:
            await asyncio.sleep(MEASURE_SECONDS)
            if self._keeper.is_loaded:
                await asyncio.to_thread(self._measuring.measure_due, self._itself)

    async def sweep(self) -> None:
        """Remove what has ended: entries, holders of suppressions that are over, imports that nobody goes on with,
        bundles that nobody fetches. And keys of removed entries that could not be destroyed when those were removed.
        """
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if self._keeper.is_loaded:
                while await asyncio.to_thread(self._watchlists.remove_ended, self._itself) == SWEEP:
                    pass
                await asyncio.to_thread(self._suppressing.end_expired, self._itself)
                await asyncio.to_thread(self._importing.drop_abandoned, self._itself)
                await asyncio.to_thread(self._exporting.drop_old)
                await asyncio.to_thread(self._keeper.store.destroy_keys)

    def _follow_once(self) -> None:
        try:
            self._keeper.catch_up()
        except UnavailableError as error:
            _log.warning("not_followed", reason=error.reason)
