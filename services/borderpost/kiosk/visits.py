"""What a kiosk keeps of a traveler and makes requests of: pure, the same for both clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.v1 import documents_pb2, faces_pb2, gateway_pb2, types_pb2


@dataclass(slots=True)
class Visit:
    """The attempts of one traveler. `group_id`: the same for all who travel together (`new_id`); adults go first."""

    direction: types_pb2.Direction.ValueType = types_pb2.DIRECTION_ENTRY
    visit_id: str = field(default_factory=new_id)
    attempts: int = 0
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class Guided:
    """What a guided capture came to: the frames to send, best first, and the token that goes with them."""

    frames: tuple[bytes, ...]
    token: bytes
    result: faces_pb2.CaptureResult


@dataclass(frozen=True, slots=True)
class Captured:
    """What was captured of a traveler for one attempt.

    `page` is the picture of the data page (may be empty where the chip has data group 1), `portrait_page` the side of
    a card that has the portrait where `page` hasn't, `frames` live pictures of the face, `token` that of the guided
    capture that they are from, `chip` what `read_chip` gave. `declined`: the traveler declines to have their face
    matched; there are no frames then.
    """

    page: bytes = b""
    frames: Sequence[bytes] = ()
    token: bytes = b""
    portrait_page: bytes = b""
    chip: documents_pb2.ChipFiles | None = None
    declined: bool = False


def make_request(
    visit: Visit, captured: Captured, language: str, now: datetime
) -> gateway_pb2.ScreenTravelerRequest:
    """Make the request of the visit's next attempt."""
    visit.attempts += 1
    return gateway_pb2.ScreenTravelerRequest(
        request_id=new_id(),
        visit_id=visit.visit_id,
        attempt=visit.attempts,
        direction=visit.direction,
        kiosk_time=to_timestamp(now),
        document_page=captured.page,
        live_frames=captured.frames,
        capture_token=captured.token,
        language=language,
        portrait_page=captured.portrait_page,
        chip=captured.chip,
        face_matching_declined=captured.declined,
        group_id=visit.group_id,
    )
