"""The stream of a guided capture: frames in, guidance out, and an end whatever the caller does.

Frames are read as they come; while one is looked at, only the newest of those that follow is kept. A capture holds
a thread only while it looks at a frame. It ends when it is complete, and otherwise with time, frames or the
caller's patience; a caller that doesn't take its answers is cut off by the interceptors. So a capture holds at most
three frames at any time: one that is looked at, one that waits, and one that is being received.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from borderpost.faces.capture import wire
from borderpost.faces.capture.app import CaptureResult, Captures, Frame, GuidedCapture
from borderpost.faces.capture.session import MAX_FRAMES, MAX_MS, SILENCE_MS
from borderpost.faces.domain import CaptureEnd
from borderpost.faces.errors import TooManyCapturesError
from borderpost.runtime.calls import Actor
from borderpost.runtime.errors import InvalidRequestError, OverloadedError
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import faces_pb2

RETRY_AFTER_MS: Final = 5_000
"""What a caller is told to wait when too many captures are open: about half of a usual one."""

END_TRIES: Final = 20
END_PAUSE_SECONDS: Final = 0.1
"""A finished capture is not thrown away because the pool is full for a moment."""

LAST_WORD_SECONDS: Final = 1.0
"""How long a caller may take to end its side after the result. What it sends is read and dropped until then: in a
caller's gRPC a write that meets a closed stream can hide the status, and the result with it."""

PER_CALLER: Final = 2
"""Captures that one caller may have open: a kiosk has one camera, and may begin anew before it was missed. So no kiosk
takes the places of all others."""

Requests = AsyncIterator[faces_pb2.GuideCaptureRequest]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """When a capture ends by itself, and how many may be open at once."""

    open_at_once: int
    per_caller: int = PER_CALLER
    ms: int = MAX_MS
    silence_ms: int = SILENCE_MS
    frames: int = MAX_FRAMES


class CaptureStreams:
    """Guides captures, up to a number of them at once."""

    def __init__(self, captures: Captures, pool: WorkPool, limits: StreamLimits) -> None:
        self._captures = captures
        self._pool = pool
        self._limits = limits
        self._open: Counter[Actor] = Counter()

    @property
    def open(self) -> int:
        """How many captures are open now."""
        return self._open.total()

    async def guide(
        self, requests: Requests, caller: Actor
    ) -> AsyncGenerator[faces_pb2.GuideCaptureResponse]:
        """Guide one capture, from its start to its result. Raises InvalidRequestError, TooManyCapturesError."""
        self._check_room(caller)
        self._open[caller] += 1
        try:
            start = await self._start(requests)
            since_begin = _stopwatch()
            capture = self._captures.begin(start.visit_id, caller, start.challenge, since_begin)
            inbox = _Inbox()
            reader = asyncio.create_task(self._read(requests, inbox, since_begin))
            try:
                yield wire.to_session(capture.session_id, self._limits.ms, self._limits.frames)
                while not capture.complete and (frame := await self._next(inbox, since_begin)):
                    try:
                        with self._pool.holding(len(frame.data)):
                            guidance = await self._pool.run(capture.see, frame)
                    except OverloadedError:  # the frame is dropped: another one follows
                        continue
                    yield wire.to_guidance(guidance, start.language)
                end = CaptureEnd.COMPLETE if capture.complete else self._why(inbox, since_begin)
                yield wire.to_result(await self._finish(capture, end), start.language)
                await asyncio.wait([reader], timeout=LAST_WORD_SECONDS)
            finally:
                reader.cancel()
        finally:
            self._open[caller] -= 1
            self._open += Counter()  # forgets callers that have none

    def _check_room(self, caller: Actor) -> None:
        if self._open[caller] >= self._limits.per_caller:
            problem = f"this caller has {self._open[caller]} captures open already, want fewer: end one"
        elif self.open >= self._limits.open_at_once:
            problem = f"got {self.open} captures open already, want fewer: try again later"
        else:
            return
        raise TooManyCapturesError(problem, retry_after_ms=str(RETRY_AFTER_MS))

    async def _start(self, requests: Requests) -> faces_pb2.CaptureStart:
        try:
            first = await asyncio.wait_for(anext(requests), self._limits.silence_ms / 1000)
        except (TimeoutError, StopAsyncIteration):
            raise InvalidRequestError("step: got nothing, want a start", field="step") from None
        return wire.from_start(first)

    async def _read(self, requests: Requests, inbox: _Inbox, since_begin: Callable[[], int]) -> None:
        captured_ms = 0
        try:
            for number in range(self._limits.frames):
                request = await anext(requests)
                frame = wire.from_frame(request, captured_ms)
                captured_ms = frame.captured_ms
                inbox.put(Frame(number, frame.picture, captured_ms, since_begin()))
            inbox.close(CaptureEnd.FRAMES)
            async for _ in requests:  # until the capture ends, as for every other end
                pass
        except StopAsyncIteration:
            inbox.close(CaptureEnd.BY_CALLER)
        except Exception as error:  # raised where the answers are made, as the interceptors want it
            inbox.fail(error)

    async def _next(self, inbox: _Inbox, since_begin: Callable[[], int]) -> Frame | None:
        left = min(self._limits.silence_ms, self._limits.ms - since_begin())
        return await inbox.take(left / 1000) if left > 0 else None

    def _why(self, inbox: _Inbox, since_begin: Callable[[], int]) -> CaptureEnd:
        if since_begin() >= self._limits.ms:
            return CaptureEnd.TIME
        return inbox.end or CaptureEnd.SILENCE

    async def _finish(self, capture: GuidedCapture, end: CaptureEnd) -> CaptureResult:
        for _ in range(END_TRIES):
            with suppress(OverloadedError):
                return await self._pool.run(capture.finish, end)
            await asyncio.sleep(END_PAUSE_SECONDS)
        return await self._pool.run(capture.finish, end)


class _Inbox:
    """The newest frame that came, and how the stream of them ended."""

    def __init__(self) -> None:
        self.end: CaptureEnd | None = None
        self._frame: Frame | None = None
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Keep a frame, in the place of one that nobody has taken."""
        self._frame = frame
        self._changed.set()

    def close(self, end: CaptureEnd) -> None:
        """No frame follows."""
        self.end = end
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """What followed can't be read."""
        self._error = error
        self._changed.set()

    async def take(self, seconds: float) -> Frame | None:
        """Take the newest frame; None at the end, or if none comes for so long. Raises what reading raised."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        if self._error:
            raise self._error
        frame, self._frame = self._frame, None
        if self.end is None:
            self._changed.clear()
        return frame


def _stopwatch() -> Callable[[], int]:
    began = time.monotonic()
    return lambda: round((time.monotonic() - began) * 1000)
