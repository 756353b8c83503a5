"""Worker threads for use cases, behind a queue that has an end, in calls and in bytes."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Final, ParamSpec, TypeVar

from borderpost.runtime.errors import OverloadedError

P = ParamSpec("P")
T = TypeVar("T")

BYTES_AT_ONCE: Final = 128 * 1024 * 1024
"""Requests that a service holds at the same time, in bytes. A request is in memory up to three times (as received, as
a message, its pictures), and one alone has at most 96 MiB of pictures (eight of 12 MiB)."""

FIRST_GUESS_SECONDS: Final = 0.5
"""What a call is taken to need until one has been measured."""

NEWEST_SHARE: Final = 0.1
"""Weight of the newest call in the mean service time: about the last 20 calls count."""

LEAST_RETRY_MS: Final = 50
MOST_RETRY_MS: Final = 30_000
"""Nobody is asked to come back at once, or to wait longer than a kiosk would."""

WARM_UP_SECONDS: Final = 120.0
"""A warm-up that takes longer is stuck."""


class WorkPool:
    """A fixed number of threads. Calls beyond `threads + queue` are refused at once, not made to wait.

    To be used from one event loop.
    """

    def __init__(self, threads: int, queue: int, bytes_at_once: int = BYTES_AT_ONCE) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._thread_count = threads
        self._places = threads + queue
        self._taken = 0
        self._bytes_at_once = bytes_at_once
        self._bytes = 0
        self._service_seconds = FIRST_GUESS_SECONDS
        self.refused = {"places": 0, "bytes": 0}

    @property
    def places(self) -> int:
        """Calls that may work or wait at once."""
        return self._places

    @property
    def taken(self) -> int:
        """Calls that work or wait now."""
        return self._taken

    @property
    def held_bytes(self) -> int:
        """Bytes of requests that are held now."""
        return self._bytes

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a thread, with this task's context, and return what it returns.

        Raises OverloadedError if the queue is full. If the caller goes away, work that has not begun is dropped;
        work that has ends all the same, and keeps its place until then.
        """
        if self._taken == self._places:
            self.refused["places"] += 1
            raise self._overloaded("too many calls at once: try again later")
        self._taken += 1
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()

        def timed() -> T:
            started = time.monotonic()
            try:
                return context.run(work, *args, **kwargs)
            finally:
                loop.call_soon_threadsafe(self._note, time.monotonic() - started)

        future = self._threads.submit(timed)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(self._release)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            future.cancel()  # only if no thread has taken it up yet
            raise

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count a request's bytes as held until the end of the block.

        Raises OverloadedError if the service then held more than it may. One request alone is always taken: the
        longest message is limited elsewhere.
        """
        if self._bytes and self._bytes + size > self._bytes_at_once:
            self.refused["bytes"] += 1
            raise self._overloaded("too many large calls at once: try again later")
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    async def warm_up(self, work: Callable[[], object]) -> None:
        """Run `work` once on every thread, before any call. Raises what it raises."""
        together = Barrier(self._thread_count)

        def once() -> None:
            together.wait(WARM_UP_SECONDS)  # so that no thread takes two of them
            work()

        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._threads, once) for _ in range(self._thread_count)))

    def retry_after_ms(self) -> int:
        """When a refused caller should try again: once the work that is here now is done, as the last calls went."""
        seconds = self._service_seconds * max(1, self._taken) / self._thread_count
        return min(MOST_RETRY_MS, max(LEAST_RETRY_MS, math.ceil(seconds * 1000)))

    def close(self) -> None:
        """Finish what has begun, and take nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _overloaded(self, message: str) -> OverloadedError:
        return OverloadedError(message, retry_after_ms=str(self.retry_after_ms()))

    def _note(self, seconds: float) -> None:
        self._service_seconds += NEWEST_SHARE * (seconds - self._service_seconds)

    def _release(self, future: asyncio.Future[T]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # seen by the caller; if it went away, nobody else asks
