"""The capture token: what a guided capture came to, signed, for ScreenTraveler to carry back here.

It binds the liveness result to the frames (by hash, in order), to the visit and to the caller, for a few minutes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.faces.domain import Liveness, Status
from borderpost.faces.wire import from_liveness, to_liveness
from borderpost.runtime.calls import Actor
from borderpost.runtime.tokens import TokenRefusedError, VisitTokens
from borderpost.v1 import faces_pb2

TOKEN_LIFE: Final = timedelta(minutes=5)
"""From the end of a capture to its screening: the traveler may have to lay down the document in between."""


@dataclass(frozen=True, slots=True)
class CaptureClaims:
    """What a token says of a capture; faces.proto explains the fields."""

    session_id: str
    nonce: bytes
    visit_id: str
    caller: Actor
    frames_sha256: tuple[bytes, ...]
    liveness: Liveness


class CaptureTokens:
    """Makes and checks capture tokens with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._tokens = VisitTokens(key, "capture token", faces_pb2.CaptureClaims.FromString, TOKEN_LIFE)

    @property
    def key_id(self) -> str:
        """The key: the first 16 hexadecimal digits of the public key's SHA-256."""
        return self._tokens.key_id

    def make(self, claims: CaptureClaims, now: datetime) -> bytes:
        """Sign what a capture came to."""
        message = faces_pb2.CaptureClaims(
            session_id=claims.session_id,
            nonce=claims.nonce,
            frames_sha256=claims.frames_sha256,
            liveness=to_liveness(claims.liveness),
        )
        return self._tokens.make(message, claims.visit_id, claims.caller, now)

    def check(
        self, token: bytes, visit_id: str, caller: Actor, frames: Sequence[bytes], now: datetime
    ) -> Liveness:
        """The liveness result of a token, or UNDETERMINED with the reason why it doesn't hold. Never raises."""
        try:
            claims = self._tokens.check(token, visit_id, caller, now)
        except TokenRefusedError as error:
            return _refused(error.reason)
        if list(claims.frames_sha256) != [hashlib.sha256(frame).digest() for frame in frames]:
            return _refused("FOR_OTHER_FRAMES")
        return from_liveness(claims.liveness)


def _refused(reason: str) -> Liveness:
    return Liveness(Status.UNDETERMINED, None, None, reasons=(f"CAPTURE_TOKEN_{reason}",))
