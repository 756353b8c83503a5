"""The capture token: what a guided capture came to, signed, for ScreenTraveler to carry back here.

It binds the liveness result to the frames (by hash, in order), to the visit and to the caller, for a few minutes.
Only this service makes and checks it. Sent again with the same frames for the same visit it says the same again,
which is what a retry needs: it can't be carried over to other frames, another visit or another kiosk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError

from borderpost.faces.domain import Liveness, Status
from borderpost.faces.wire import from_liveness, to_liveness
from borderpost.runtime.calls import Actor
from borderpost.v1 import faces_pb2, types_pb2

TOKEN_LIFE: Final = timedelta(minutes=5)
"""From the end of a capture to its screening: the traveler may have to lay down the document in between."""

CLOCK_SKEW: Final = timedelta(seconds=30)
"""By how much the clocks of two replicas may differ, where one made the token and another checks it."""

MAX_TOKEN_BYTES: Final = 4096
"""A token of eight frames has less than a thousand."""

_SIGNED_AS: Final = b"borderpost capture token 1\n"
"""So that no signature of this key can be taken for one over something else."""


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
        self._key = key
        self._public = key.public_key()
        self.key_id = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def make(self, claims: CaptureClaims, now: datetime) -> bytes:
        """Sign what a capture came to."""
        message = faces_pb2.CaptureClaims(
            session_id=claims.session_id,
            nonce=claims.nonce,
            visit_id=claims.visit_id,
            caller=types_pb2.Actor(issuer=claims.caller.issuer, subject=claims.caller.subject),
            frames_sha256=claims.frames_sha256,
            liveness=to_liveness(claims.liveness),
            key_id=self.key_id,
            issued_ms=_milliseconds(now),
            expires_ms=_milliseconds(now + TOKEN_LIFE),
        ).SerializeToString()
        signature = self._key.sign(_SIGNED_AS + message)
        return faces_pb2.CaptureToken(claims=message, signature=signature).SerializeToString()

    def check(
        self, token: bytes, visit_id: str, caller: Actor, frames: Sequence[bytes], now: datetime
    ) -> Liveness:
        """The liveness result of a token, or UNDETERMINED with the reason why it doesn't hold. Never raises.

        In this order, so that nothing is believed of claims before their signature was checked.
        """
        # 1. Is it a token at all, and of this installation?
        read = _read(token)
        if read is None:
            return _refused("CAPTURE_TOKEN_UNREADABLE")
        signed, claims = read
        if claims.key_id != self.key_id:
            return _refused("CAPTURE_TOKEN_OF_ANOTHER_KEY")
        # 2. Is every byte as it was signed?
        try:
            self._public.verify(signed.signature, _SIGNED_AS + signed.claims)
        except InvalidSignature:
            return _refused("CAPTURE_TOKEN_ALTERED")
        # 3. Does it hold now?
        skew = _milliseconds_of(CLOCK_SKEW)
        if _milliseconds(now) > claims.expires_ms + skew:
            return _refused("CAPTURE_TOKEN_EXPIRED")
        if _milliseconds(now) < claims.issued_ms - skew:
            return _refused("CAPTURE_TOKEN_NOT_YET_VALID")
        # 4. Is it about this visit, this caller, these frames?
        if claims.visit_id != visit_id:
            return _refused("CAPTURE_TOKEN_FOR_ANOTHER_VISIT")
        if Actor(claims.caller.issuer, claims.caller.subject) != caller:
            return _refused("CAPTURE_TOKEN_FOR_ANOTHER_CALLER")
        if list(claims.frames_sha256) != [hashlib.sha256(frame).digest() for frame in frames]:
            return _refused("CAPTURE_TOKEN_FOR_OTHER_FRAMES")
        return from_liveness(claims.liveness)


def _read(token: bytes) -> tuple[faces_pb2.CaptureToken, faces_pb2.CaptureClaims] | None:
    if len(token) > MAX_TOKEN_BYTES:
        return None
    try:
        signed = faces_pb2.CaptureToken.FromString(token)
        return signed, faces_pb2.CaptureClaims.FromString(signed.claims)
    except DecodeError:
        return None


def _refused(reason: str) -> Liveness:
    return Liveness(Status.UNDETERMINED, None, None, reasons=(reason,))


def _milliseconds(time: datetime) -> int:
    return _milliseconds_of(time - datetime(1970, 1, 1, tzinfo=UTC))


def _milliseconds_of(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
