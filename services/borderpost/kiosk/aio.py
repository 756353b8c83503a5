"""Screen travelers from a kiosk: the client for programs with an event loop. `client` has the same for threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TypeVar

import grpc
import structlog

from borderpost.kiosk.answers import Told, Trying, told, without_answer
from borderpost.kiosk.chip import AUTHENTICATION_KEY, Chip, chip_files
from borderpost.kiosk.client import (
    CHALLENGE_SECONDS,
    GUIDING_SECONDS,
    MOST_SUBMIT_SECONDS,
    SCREENING_SECONDS,
    SUBMIT_SECONDS,
    Tell,
    forget,
    frame_of,
)
from borderpost.kiosk.spool import Spool, keep
from borderpost.kiosk.visits import Captured, Guided, Visit, make_request
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import Clock, SystemClock
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import RemoteError, from_rpc_error
from borderpost.v1 import (
    documents_pb2,
    documents_pb2_grpc,
    faces_pb2,
    faces_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
)

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


class AsyncKiosk:
    """A kiosk, by its certificate; see `client.Kiosk`. To be used from one event loop."""

    def __init__(
        self, settings: Settings, identity: str, clock: Clock | None = None, spool: Spool | None = None
    ) -> None:
        """Open a channel to the gateway. Raises CertificateError."""
        self._clock = clock or SystemClock()
        self._spool = spool
        self._submitting: asyncio.Task[None] | None = None
        self._channel = open_channel(settings, "gateway", identity)
        self._stub = gateway_pb2_grpc.GatewayServiceStub(self._channel)
        self._faces = faces_pb2_grpc.FacesServiceStub(self._channel)
        self._documents = documents_pb2_grpc.DocumentsServiceStub(self._channel)

    async def screen(
        self, visit: Visit, captured: Captured, language: str = "", seconds: float = SCREENING_SECONDS
    ) -> Told:
        """Screen a traveler; see `client.Kiosk.screen`."""
        request = make_request(visit, captured, language, self._clock.now())
        trying = Trying(time.monotonic() + seconds)
        while True:
            try:
                return told(await self.send(request, trying.left(time.monotonic())))
            except RemoteError as error:
                pause = trying.pause_after(error, time.monotonic())
                if pause is None:
                    kept = await asyncio.to_thread(keep, self._spool, request, error)
                    return without_answer(error, kept)
            await asyncio.sleep(pause)

    async def submit_kept(self) -> int:
        """Submit what is in the spool; see `client.Kiosk.submit_kept`."""
        if self._spool is None:
            return 0
        with self._spool.submitting() as run:
            key = await self._ask(self._stub.GetSpoolKey, gateway_pb2.GetSpoolKeyRequest(), CHALLENGE_SECONDS)
            await asyncio.to_thread(self._spool.use_key, key)
            requests = run.requests()
            while (found := await asyncio.to_thread(next, requests, None)) is not None:
                kept, request = found
                try:
                    await self._ask(self._stub.SubmitSpooled, request, SCREENING_SECONDS)
                except RemoteError as error:
                    await asyncio.to_thread(run.not_taken, kept, error)
                else:
                    await asyncio.to_thread(run.taken, kept)
        return run.count

    def submit_in_background(self, seconds: float = SUBMIT_SECONDS) -> None:
        """Submit what is in the spool from now on; see `client.Kiosk.submit_in_background`."""
        if self._submitting is None:
            self._submitting = asyncio.create_task(self._submit_again(seconds))

    async def _submit_again(self, seconds: float) -> None:
        pause = seconds
        while True:
            try:
                await self.submit_kept()
                pause = seconds
            except (BorderpostError, OSError) as error:
                pause = min(2 * pause, MOST_SUBMIT_SECONDS)
                _log.warning("spool_waits", reason=getattr(error, "reason", "SPOOL"))
            await asyncio.sleep(pause)

    async def read_chip(
        self, visit: Visit, chip: Chip, claimed: bool = False, seconds: float = CHALLENGE_SECONDS
    ) -> documents_pb2.ChipFiles:
        """Challenge a chip; see `client.Kiosk.read_chip`. The chip itself answers in a thread."""
        if AUTHENTICATION_KEY not in chip.files:
            return chip_files(chip, claimed=claimed)
        request = documents_pb2.IssueChipChallengeRequest(visit_id=visit.visit_id)
        challenge = await self._ask(self._documents.IssueChipChallenge, request, seconds)
        return await asyncio.to_thread(chip_files, chip, challenge, claimed)

    async def guide(
        self,
        visit: Visit,
        camera: AsyncIterable[bytes],
        tell: Tell = lambda _: None,
        challenge: bool = False,
        language: str = "",
        seconds: float = GUIDING_SECONDS,
    ) -> Guided:
        """Guide the traveler through a capture; see `client.Kiosk.guide`."""
        sent: dict[int, bytes] = {}
        ended = asyncio.Event()
        result = faces_pb2.CaptureResult()
        start = faces_pb2.CaptureStart(visit_id=visit.visit_id, language=language, challenge=challenge)
        try:
            call = self._faces.GuideCapture(_messages(start, camera, sent, ended), timeout=seconds)
            async for answer in call:
                if answer.HasField("guidance"):
                    forget(sent, answer.guidance)
                    tell(answer.guidance)
                elif answer.HasField("result"):
                    result = answer.result
                    ended.set()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        return Guided(tuple(sent[number] for number in result.frames), result.capture_token, result)

    async def send(
        self, request: gateway_pb2.ScreenTravelerRequest, seconds: float = SCREENING_SECONDS
    ) -> gateway_pb2.ScreenTravelerResponse:
        """Send a request once; the same one again gets the same answer. Raises RemoteError."""
        return await self._ask(self._stub.ScreenTraveler, request, seconds)

    async def connected(self) -> None:
        """Connect, and return when there is a connection. The first call does it otherwise."""
        await self._channel.channel_ready()

    async def close(self) -> None:
        """Close the channel, and end what works in the background."""
        if self._submitting is not None:
            self._submitting.cancel()
        await self._channel.close()

    async def __aenter__(self) -> AsyncKiosk:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, method: Callable[..., Awaitable[Answer]], request: object, seconds: float) -> Answer:
        try:
            return await method(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None


async def _messages(
    start: faces_pb2.CaptureStart, camera: AsyncIterable[bytes], sent: dict[int, bytes], ended: asyncio.Event
) -> AsyncIterator[faces_pb2.GuideCaptureRequest]:
    yield faces_pb2.GuideCaptureRequest(start=start)
    number = 0
    async for picture in camera:
        if ended.is_set():
            return
        sent[number] = picture
        number += 1
        yield frame_of(picture)
