"""What a kiosk sends of one document: plain values, checked for size, not yet believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChipAnswer:
    """A chip's signature, and the token of the challenge that it is said to answer."""

    challenge_token: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ChipCapture:
    """The files of a chip as read. `data_groups` by number, non-empty ones only."""

    com: bytes
    sod: bytes
    data_groups: Mapping[int, bytes]
    answer: ChipAnswer | None = None
    chip_authentication_claimed: bool = False


@dataclass(frozen=True, slots=True)
class Capture:
    """The page, the card's other side (empty if there is none), the chip, and the visit that they belong to."""

    page: bytes
    portrait_page: bytes = b""
    chip: ChipCapture | None = None
    visit_id: str = ""
