"""Requests of DocumentsService, checked once at the edge: field, got X, want Y."""

from __future__ import annotations

import datetime
from typing import Final

from borderpost.documents.capture import Capture, ChipAnswer, ChipCapture
from borderpost.runtime.clock import from_timestamp, is_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import documents_pb2 as pb

MAX_CHIP_BYTES: Final = 4 * 1024 * 1024
"""All files of a chip together (documents.proto)."""

MAX_SIGNATURE_BYTES: Final = 1024
"""An RSA key of 8,192 bits; chips have at most 4,096."""

JUDGED_YEARS: Final = range(1970, 9000)
"""Years of which a document can be judged: the century of its dates lies around them."""

DATA_GROUPS: Final = (1, 2, 11, 12, 14, 15)
"""The data groups that a kiosk may send."""


def judged_at(request: pb.ReadDocumentRequest) -> datetime.datetime:
    """Return the time at which validity is judged (UTC). Raises InvalidRequestError."""
    if not request.HasField("at"):
        raise InvalidRequestError("at: want the time at which validity is judged", field="at")
    try:
        at = from_timestamp(request.at)
    except (ValueError, OverflowError):
        at = None
    if at is None or at.year not in JUDGED_YEARS:
        raise InvalidRequestError(
            f"at: want a time from {JUDGED_YEARS.start} to {JUDGED_YEARS.stop - 1}", field="at"
        )
    return at


def capture(request: pb.ReadDocumentRequest) -> Capture:
    """Return what the kiosk sent. Raises InvalidRequestError; pictures are checked when they are decoded."""
    chip = _chip(request.chip) if request.HasField("chip") else None
    if chip is not None and chip.answer is not None:
        _visit(request.visit_id)
    if chip is not None and not request.page and 1 not in chip.data_groups:
        raise InvalidRequestError(
            "page: got none, want one, or data group 1 of the chip, which says the same", field="page"
        )
    return Capture(request.page, request.portrait_page, chip, request.visit_id)


def challenged_visit(request: pb.IssueChipChallengeRequest) -> str:
    """Return the visit that a challenge is for. Raises InvalidRequestError."""
    return _visit(request.visit_id)


def _visit(visit_id: str) -> str:
    if not is_id(visit_id):
        raise InvalidRequestError("visit_id: want a UUIDv7 in canonical text form", field="visit_id")
    return visit_id


def _chip(chip: pb.ChipFiles) -> ChipCapture:
    size = chip.ByteSize()
    if size > MAX_CHIP_BYTES:
        raise InvalidRequestError(f"chip: got {size:,} bytes, want at most {MAX_CHIP_BYTES:,}", field="chip")
    groups = {number: getattr(chip, f"dg{number}") for number in DATA_GROUPS}
    read = {number: content for number, content in groups.items() if content}
    if not (chip.com or chip.sod or read):
        raise InvalidRequestError("chip: got no file, want those that were read, or no chip", field="chip")
    answer = _answer(chip.active_authentication) if chip.HasField("active_authentication") else None
    return ChipCapture(chip.com, chip.sod, read, answer, chip.chip_authentication_claimed)


def _answer(active: pb.ActiveAuthentication) -> ChipAnswer:
    if not 1 <= len(active.signature) <= MAX_SIGNATURE_BYTES:
        raise InvalidRequestError(
            f"chip.active_authentication.signature: got {len(active.signature)} bytes, "
            f"want 1 to {MAX_SIGNATURE_BYTES}",
            field="chip.active_authentication.signature",
        )
    return ChipAnswer(active.challenge_token, active.signature)
