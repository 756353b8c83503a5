"""The gateway's requests, checked once at the edge: field, got X, want Y."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from borderpost.gateway.domain import CHIP_FILES, ScreenRequest
from borderpost.runtime.calls import Call
from borderpost.runtime.clock import from_timestamp, is_id
from borderpost.runtime.errors import InvalidRequestError, PictureEmptyError
from borderpost.runtime.identity import kiosk_of
from borderpost.v1 import documents_pb2, gateway_pb2, types_pb2

MAX_ATTEMPT: Final = 100
MAX_FRAMES: Final = 8
MAX_PICTURES: Final = 16
MAX_POLICY_NAME: Final = 200
MAX_ROWS: Final = 50
MAX_ROWS_BYTES: Final = 12 * 1024 * 1024
"""Of one StageImportRows (gateway.proto)."""

MAX_CHIP_BYTES: Final = 4 * 1024 * 1024
"""All files of a chip together (documents.proto); a portrait of 100 KB is a large one."""


def screen_request(
    request: gateway_pb2.ScreenTravelerRequest, call: Call, received_at: datetime, late: bool = False
) -> ScreenRequest:
    """Check a ScreenTravelerRequest; `late`, if it comes from a kiosk's spool. Raises InvalidRequestError,
    PictureEmptyError."""
    for field in ("request_id", "visit_id"):
        _id(field, getattr(request, field))
    if not 1 <= request.attempt <= MAX_ATTEMPT:
        raise InvalidRequestError(f"attempt: got {request.attempt}, want 1 to {MAX_ATTEMPT}", field="attempt")
    if request.direction not in (types_pb2.DIRECTION_ENTRY, types_pb2.DIRECTION_EXIT):
        raise InvalidRequestError("direction: want DIRECTION_ENTRY or DIRECTION_EXIT", field="direction")
    if request.group_id:
        _id("group_id", request.group_id)
    if not request.document_page and not request.chip.dg1:
        raise PictureEmptyError(
            "document_page: got no bytes, want a picture of the data page, or data group 1 of the chip"
        )
    _frames(request)
    kiosk_id, crossing = kiosk_of(call.actor)
    return ScreenRequest(
        request_id=request.request_id,
        visit_id=request.visit_id,
        attempt=request.attempt,
        kiosk_id=kiosk_id,
        crossing=crossing,
        direction=request.direction,
        kiosk_time=_kiosk_time(request),
        received_at=received_at,
        page=request.document_page,
        frames=tuple(request.live_frames),
        language=request.language,
        capture_token=request.capture_token,
        portrait_page=request.portrait_page,
        chip=_chip(request.chip) if request.HasField("chip") else None,
        declined=request.face_matching_declined,
        group_id=request.group_id,
        late=late,
    )


def _frames(request: gateway_pb2.ScreenTravelerRequest) -> None:
    if request.face_matching_declined:
        if request.live_frames or request.capture_token:
            raise InvalidRequestError(
                "live_frames: got some, want none and no capture_token where face matching is declined",
                field="live_frames",
            )
    elif not 1 <= len(request.live_frames) <= MAX_FRAMES:
        raise InvalidRequestError(
            f"live_frames: got {len(request.live_frames)}, want 1 to {MAX_FRAMES}", field="live_frames"
        )


def enrol_request(request: gateway_pb2.EnrolEntryRequest) -> None:
    """Check what of an EnrolEntryRequest the watchlist service won't see. Raises InvalidRequestError."""
    if request.entry.templates:
        raise InvalidRequestError("entry.templates: want none, they are made of the pictures", field="entry")
    if request.entry.pictures:
        raise InvalidRequestError(
            "entry.pictures: want none, but pictures with keep_pictures", field="entry.pictures"
        )
    if len(request.pictures) > MAX_PICTURES:
        raise InvalidRequestError(
            f"pictures: got {len(request.pictures)}, want at most {MAX_PICTURES}", field="pictures"
        )


def stage_request(request: gateway_pb2.StageImportRowsRequest) -> None:
    """Check a StageImportRowsRequest. Raises InvalidRequestError."""
    _id("import_id", request.import_id)
    if len(request.rows) > MAX_ROWS:
        raise InvalidRequestError(f"rows: got {len(request.rows)}, want at most {MAX_ROWS}", field="rows")
    if request.ByteSize() > MAX_ROWS_BYTES:
        raise InvalidRequestError(
            f"rows: got {request.ByteSize():,} bytes, want at most {MAX_ROWS_BYTES:,} a call", field="rows"
        )


def migrate_request(request: gateway_pb2.MigrateEntriesRequest) -> None:
    """Check a MigrateEntriesRequest; its token is read where it is used. Raises InvalidRequestError."""
    _id("list_id", request.list_id)


def replay_request(request: gateway_pb2.ReplayScreeningRequest) -> None:
    """Check which screening is to be decided again. Raises InvalidRequestError."""
    _id("request_id", request.request_id)


def activate_policy(request: gateway_pb2.ActivatePolicyRequest) -> None:
    """Check which policy is wanted. Raises InvalidRequestError."""
    length = len(request.policy)
    if not 1 <= length <= MAX_POLICY_NAME:
        raise InvalidRequestError(
            f"policy: got {length} characters, want its name and hash, as it was proposed", field="policy"
        )


def _id(field: str, text: str) -> None:
    if not is_id(text):
        raise InvalidRequestError(f"{field}: want a UUIDv7 in canonical text form", field=field)


def _chip(chip: documents_pb2.ChipFiles) -> documents_pb2.ChipFiles:
    if chip.ByteSize() > MAX_CHIP_BYTES:
        raise InvalidRequestError(
            f"chip: got {chip.ByteSize():,} bytes, want at most {MAX_CHIP_BYTES:,}", field="chip"
        )
    if not any(getattr(chip, name) for name in CHIP_FILES):
        raise InvalidRequestError("chip: got no file, want those that were read, or no chip", field="chip")
    return chip


def _kiosk_time(request: gateway_pb2.ScreenTravelerRequest) -> datetime:
    if not request.HasField("kiosk_time"):
        raise InvalidRequestError("kiosk_time: want the kiosk's own time", field="kiosk_time")
    try:
        return from_timestamp(request.kiosk_time)
    except (ValueError, OverflowError):
        raise InvalidRequestError(
            "kiosk_time: want a time between the years 1 and 9999", field="kiosk_time"
        ) from None
