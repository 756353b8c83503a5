"""Screen travelers from a kiosk: the client for programs with threads. `aio` has the same for programs with an event
loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import grpc
import structlog

from borderpost.kiosk.answers import Told, Trying, told, without_answer
from borderpost.kiosk.chip import AUTHENTICATION_KEY, Chip, chip_files
from borderpost.kiosk.spool import Spool, keep
from borderpost.kiosk.visits import Captured, Guided, Visit, make_request
from borderpost.runtime.channels import open_sync_channel
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

SCREENING_SECONDS: Final = 15.0
"""How long a kiosk waits by default: the gateway's own longest time, and the way there and back."""

CHALLENGE_SECONDS: Final = 5.0
"""How long a kiosk waits for a challenge, or for the key of the spool; they cost the service nothing."""

SUBMIT_SECONDS: Final = 60.0
MOST_SUBMIT_SECONDS: Final = 900.0
"""How often what is kept is submitted in the background, and how seldom at least."""

GUIDING_SECONDS: Final = 75.0
"""How long a guided capture may take: the service's own longest time, and some more."""

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

Tell = Callable[[faces_pb2.CaptureGuidance], object]


class Kiosk:
    """A kiosk, by its certificate. Safe to use from several threads.

    >>> with Kiosk(load_settings(), "kiosk/north/1") as kiosk:
    ...     visit = Visit()
    ...     guided = kiosk.guide(visit, camera, tell=screen.show)
    ...     told = kiosk.screen(visit, Captured(page, guided.frames, guided.token), language="de")
    ...     screen.show(texts("de")[told.next])
    """

    def __init__(
        self, settings: Settings, identity: str, clock: Clock | None = None, spool: Spool | None = None
    ) -> None:
        """Open a channel to the gateway. With a `spool` captures are kept while there is no connection. Raises
        CertificateError."""
        self._clock = clock or SystemClock()
        self._spool = spool
        self._closed = threading.Event()
        self._submitting: threading.Thread | None = None
        self._channel = open_sync_channel(settings, "gateway", identity)
        self._stub = gateway_pb2_grpc.GatewayServiceStub(self._channel)
        self._faces = faces_pb2_grpc.FacesServiceStub(self._channel)
        self._documents = documents_pb2_grpc.DocumentsServiceStub(self._channel)

    def screen(
        self, visit: Visit, captured: Captured, language: str = "", seconds: float = SCREENING_SECONDS
    ) -> Told:
        """Screen a traveler: one attempt, sent again as long as there is time and sense in it.

        Whatever fails, there is something to tell the traveler within `seconds`; what couldn't be screened is kept,
        where there is a spool. Raises RemoteError only where the capture itself is at fault: a picture that is none.
        """
        request = make_request(visit, captured, language, self._clock.now())
        trying = Trying(time.monotonic() + seconds)
        while True:
            try:
                return told(self.send(request, trying.left(time.monotonic())))
            except RemoteError as error:
                pause = trying.pause_after(error, time.monotonic())
                if pause is None:
                    return without_answer(error, keep(self._spool, request, error))
            time.sleep(pause)

    def submit_kept(self) -> int:
        """Fetch the key of the spool, and submit what is in it, oldest first; return how many were taken.

        Raises RemoteError where nothing is taken of this kiosk now, for want of a connection, of a certificate that
        holds, or of a gateway that doesn't fail; the rest stays. SpoolError: the folder can't be used, or another
        program is submitting.
        """
        if self._spool is None:
            return 0
        with self._spool.submitting() as run:
            key = self._ask(self._stub.GetSpoolKey, gateway_pb2.GetSpoolKeyRequest(), CHALLENGE_SECONDS)
            self._spool.use_key(key)
            for kept, request in run.requests():
                try:
                    self._ask(self._stub.SubmitSpooled, request, SCREENING_SECONDS)
                except RemoteError as error:
                    run.not_taken(kept, error)
                else:
                    run.taken(kept)
        return run.count

    def submit_in_background(self, seconds: float = SUBMIT_SECONDS) -> None:
        """Submit what is in the spool every so many seconds from now on, less often while nothing is taken, until the
        kiosk is closed; what fails is tried again the next time."""
        if self._submitting is None:
            self._submitting = threading.Thread(
                target=self._submit_again, args=(seconds,), name="spool", daemon=True
            )
            self._submitting.start()

    def _submit_again(self, seconds: float) -> None:
        pause = seconds
        while not self._closed.is_set():
            try:
                self.submit_kept()
                pause = seconds
            except (BorderpostError, OSError, ValueError) as error:
                if self._closed.is_set():  # a closed channel raises ValueError
                    return
                pause = min(2 * pause, MOST_SUBMIT_SECONDS)
                _log.warning("spool_waits", reason=getattr(error, "reason", "SPOOL"))
            self._closed.wait(pause)

    def request(
        self,
        visit: Visit,
        page: bytes,
        frames: Sequence[bytes],
        token: bytes = b"",
        language: str = "",
        portrait_page: bytes = b"",
        chip: documents_pb2.ChipFiles | None = None,
        declined: bool = False,
    ) -> gateway_pb2.ScreenTravelerRequest:
        """Make the request of the visit's next attempt, to be sent by `send`, again and again if need be."""
        captured = Captured(page, frames, token, portrait_page, chip, declined)
        return make_request(visit, captured, language, self._clock.now())

    def read_chip(
        self, visit: Visit, chip: Chip, claimed: bool = False, seconds: float = CHALLENGE_SECONDS
    ) -> documents_pb2.ChipFiles:
        """Challenge a chip that can prove that it is no copy, and return what `Captured` takes of it.

        `claimed`: the reader did chip authentication with it. Raises RemoteError.
        """
        if AUTHENTICATION_KEY not in chip.files:
            return chip_files(chip, claimed=claimed)
        request = documents_pb2.IssueChipChallengeRequest(visit_id=visit.visit_id)
        challenge = self._ask(self._documents.IssueChipChallenge, request, seconds)
        return chip_files(chip, challenge, claimed)

    def guide(
        self,
        visit: Visit,
        camera: Iterable[bytes],
        tell: Tell = lambda _: None,
        challenge: bool = False,
        language: str = "",
        seconds: float = GUIDING_SECONDS,
    ) -> Guided:
        """Guide the traveler through a capture, and return the frames that were chosen.

        `camera` gives encoded pictures as they are taken, not mirrored; it is read by another thread, no longer
        than the capture lasts. `tell` shows the traveler what to do. Raises RemoteError.
        """
        sent: dict[int, bytes] = {}
        ended = threading.Event()
        result = faces_pb2.CaptureResult()
        start = faces_pb2.CaptureStart(visit_id=visit.visit_id, language=language, challenge=challenge)
        try:
            call = self._faces.GuideCapture(_messages(start, camera, sent, ended), timeout=seconds)
            for answer in call:
                if answer.HasField("guidance"):
                    forget(sent, answer.guidance)
                    tell(answer.guidance)
                elif answer.HasField("result"):
                    result = answer.result
                    ended.set()
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        return Guided(tuple(sent[number] for number in result.frames), result.capture_token, result)

    def send(
        self, request: gateway_pb2.ScreenTravelerRequest, seconds: float = SCREENING_SECONDS
    ) -> gateway_pb2.ScreenTravelerResponse:
        """Send a request once; the same one again gets the same answer. Raises RemoteError."""
        return self._ask(self._stub.ScreenTraveler, request, seconds)

    def close(self) -> None:
        """Close the channel, and end what works in the background."""
        self._closed.set()
        self._channel.close()

    def __enter__(self) -> Kiosk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: Callable[..., Answer], request: object, seconds: float) -> Answer:
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None


def _messages(
    start: faces_pb2.CaptureStart, camera: Iterable[bytes], sent: dict[int, bytes], ended: threading.Event
) -> Iterator[faces_pb2.GuideCaptureRequest]:
    yield faces_pb2.GuideCaptureRequest(start=start)
    for number, picture in enumerate(camera):
        if ended.is_set():
            return
        sent[number] = picture
        yield frame_of(picture)


def frame_of(picture: bytes) -> faces_pb2.GuideCaptureRequest:
    """Make the message of a frame that was taken just now."""
    captured_ms = round(time.monotonic() * 1000)
    return faces_pb2.GuideCaptureRequest(
        frame=faces_pb2.CaptureFrame(picture=picture, captured_ms=captured_ms)
    )


def forget(sent: dict[int, bytes], guidance: faces_pb2.CaptureGuidance) -> None:
    """Forget the frames that can't be chosen any more."""
    for number in [number for number in list(sent) if number <= guidance.frame]:
        if number not in guidance.kept:
            del sent[number]
