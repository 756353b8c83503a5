"""A document's chip, as a kiosk reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from borderpost.v1 import documents_pb2

FILES: Final = ("COM", "SOD", "DG1", "DG2", "DG11", "DG12", "DG14", "DG15")
"""The files that are sent, by their names in ICAO 9303-10."""

AUTHENTICATION_KEY: Final = "DG15"
"""Who has this file can be challenged (ICAO 9303-11, 6.1)."""


class Chip(Protocol):
    """A chip that was opened (BAC or PACE) and read; a reader of a vendor's behind it, or a specimen."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files that were read, whole and unchanged, by name: "SOD", "DG1", ..."""

    def answer(self, nonce: bytes) -> bytes | None:
        """Return the chip's answer to INTERNAL AUTHENTICATE over 8 bytes; None if it gives none."""


def chip_files(
    chip: Chip, challenge: documents_pb2.IssueChipChallengeResponse | None = None, claimed: bool = False
) -> documents_pb2.ChipFiles:
    """Make of a chip what ScreenTraveler takes. `claimed`: the reader did chip authentication with it."""
    message = documents_pb2.ChipFiles(chip_authentication_claimed=claimed)
    for name in FILES:
        setattr(message, name.lower(), chip.files.get(name, b""))
    signature = chip.answer(challenge.nonce) if challenge else None
    if challenge and signature:
        message.active_authentication.challenge_token = challenge.challenge_token
        message.active_authentication.signature = signature
    return message
