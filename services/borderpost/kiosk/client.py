"""Screen travelers from a kiosk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

import grpc

from borderpost.kiosk.chip import AUTHENTICATION_KEY, Chip, chip_files
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.clock import Clock, SystemClock, new_id, to_timestamp
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import from_rpc_error
from borderpost.v1 import (
    documents_pb2,
    documents_pb2_grpc,
    faces_pb2,
    faces_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
    types_pb2,
)

SCREENING_SECONDS: Final = 15.0
"""How long a kiosk waits by default: the gateway's own longest time, and the way there and back."""


CHALLENGE_SECONDS: Final = 5.0
"""How long a kiosk waits for a challenge; it costs the service nothing."""

GUIDING_SECONDS: Final = 75.0
"""How long a guided capture may take: the service's own longest time, and some more."""

Tell = Callable[[faces_pb2.CaptureGuidance], object]


@dataclass(slots=True)
class Visit:
    """The attempts of one traveler."""

    direction: types_pb2.Direction.ValueType = types_pb2.DIRECTION_ENTRY
    visit_id: str = field(default_factory=new_id)
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Guided:
    """What a guided capture came to: the frames to send, best first, and the token that goes with them."""

    frames: tuple[bytes, ...]
    token: bytes
    result: faces_pb2.CaptureResult


class Kiosk:
    """A kiosk, by its certificate. Safe to use from several threads.

    >>> with Kiosk(load_settings(), "kiosk/north/1") as kiosk:
    ...     visit = Visit()
    ...     guided = kiosk.guide(visit, camera, tell=screen.show)
    ...     answer = kiosk.send(kiosk.request(visit, page, guided.frames, guided.token))
    """

    def __init__(self, settings: Settings, identity: str, clock: Clock | None = None) -> None:
        """Open a channel to the gateway. Raises CertificateError."""
        self._clock = clock or SystemClock()
        self._channel = open_sync_channel(settings, "gateway", identity)
        self._stub = gateway_pb2_grpc.GatewayServiceStub(self._channel)
        self._faces = faces_pb2_grpc.FacesServiceStub(self._channel)
        self._documents = documents_pb2_grpc.DocumentsServiceStub(self._channel)

    def request(
        self,
        visit: Visit,
        page: bytes,
        frames: Sequence[bytes],
        token: bytes = b"",
        language: str = "",
        portrait_page: bytes = b"",
        chip: documents_pb2.ChipFiles | None = None,
    ) -> gateway_pb2.ScreenTravelerRequest:
        """Make the request of the visit's next attempt. Keep it until it is answered: it may be sent again.

        `token` is the one of the guided capture that `frames` are from, `portrait_page` the side of a card that has
        the portrait where `page` hasn't, and `chip` what `read_chip` gave.
        """
        visit.attempts += 1
        return gateway_pb2.ScreenTravelerRequest(
            request_id=new_id(),
            visit_id=visit.visit_id,
            attempt=visit.attempts,
            direction=visit.direction,
            kiosk_time=to_timestamp(self._clock.now()),
            document_page=page,
            live_frames=frames,
            capture_token=token,
            language=language,
            portrait_page=portrait_page,
            chip=chip,
        )

    def read_chip(
        self, visit: Visit, chip: Chip, claimed: bool = False, seconds: float = CHALLENGE_SECONDS
    ) -> documents_pb2.ChipFiles:
        """Challenge a chip that can prove that it is no copy, and return what `request` takes of it.

        `claimed`: the reader did chip authentication with it. Raises RemoteError.
        """
        if AUTHENTICATION_KEY not in chip.files:
            return chip_files(chip, claimed=claimed)
        request = documents_pb2.IssueChipChallengeRequest(visit_id=visit.visit_id)
        try:
            challenge = self._documents.IssueChipChallenge(request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
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
        ended = Event()
        result = faces_pb2.CaptureResult()
        start = faces_pb2.CaptureStart(visit_id=visit.visit_id, language=language, challenge=challenge)
        try:
            call = self._faces.GuideCapture(_messages(start, camera, sent, ended), timeout=seconds)
            for answer in call:
                if answer.HasField("guidance"):
                    _forget(sent, answer.guidance)
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
        """Send a request; the same one again gets the same answer.

        Raises RemoteError. On UNAVAILABLE and DEADLINE_EXCEEDED send the same request again, or the traveler
        to an officer.
        """
        try:
            return self._stub.ScreenTraveler(request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def __enter__(self) -> Kiosk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _messages(
    start: faces_pb2.CaptureStart, camera: Iterable[bytes], sent: dict[int, bytes], ended: Event
) -> Iterator[faces_pb2.GuideCaptureRequest]:
    yield faces_pb2.GuideCaptureRequest(start=start)
    for number, picture in enumerate(camera):
        if ended.is_set():
            return
        sent[number] = picture
        frame = faces_pb2.CaptureFrame(picture=picture, captured_ms=round(time.monotonic() * 1000))
        yield faces_pb2.GuideCaptureRequest(frame=frame)


def _forget(sent: dict[int, bytes], guidance: faces_pb2.CaptureGuidance) -> None:
    """Forget the frames that can't be chosen any more."""
    for number in [number for number in list(sent) if number <= guidance.frame]:
        if number not in guidance.kept:
            del sent[number]
