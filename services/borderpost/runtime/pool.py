"""Worker threads for use cases, behind a queue that has an end."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from borderpost.runtime.errors import OverloadedError

P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER_MS: Final = 500
"""What a caller is told to wait when the queue is full: about the time of one call."""


class WorkPool:
    """A fixed number of threads. Calls beyond `threads + queue` are refused at once, not made to wait."""

    def __init__(self, threads: int, queue: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._free = threads + queue

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a thread, with this task's context, and return what it returns.

        Raises OverloadedError if the queue is full. If the caller goes away, work that has not begun is dropped;
        work that has ends all the same, and keeps its place until then.
        """
        if self._free == 0:
            raise OverloadedError(
                "too many calls at once: try again later", retry_after_ms=str(RETRY_AFTER_MS)
            )
        self._free -= 1
        context = contextvars.copy_context()
        future = self._threads.submit(lambda: context.run(work, *args, **kwargs))
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(self._release)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            future.cancel()  # only if no thread has taken it up yet
            raise

    def close(self) -> None:
        """Finish what has begun, and take nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _release(self, future: asyncio.Future[T]) -> None:
        self._free += 1
        if not future.cancelled():
            future.exception()  # seen by the caller; if it went away, nobody else asks
