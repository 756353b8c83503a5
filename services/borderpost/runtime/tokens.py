"""Tokens that a service signs for a caller to carry back to it: bound to a visit, a caller and a few minutes.

Only the service that made a token checks it. Sent again within its time it says the same again, which is what a
retry needs; it can't be carried over to another visit or another caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError

from borderpost.runtime.calls import Actor
from borderpost.v1.types_pb2 import Actor as ActorMessage
from borderpost.v1.types_pb2 import SignedToken

CLOCK_SKEW: Final = timedelta(seconds=30)
"""By how much the clocks of two replicas may differ, where one made the token and another checks it."""

MAX_TOKEN_BYTES: Final = 4096
"""The longest has less than a thousand: a capture of eight frames."""


class Claims(Protocol):
    """A generated message of claims: what every token says, beside what it is for."""

    visit_id: str
    key_id: str
    issued_ms: int
    expires_ms: int

    @property
    def caller(self) -> ActorMessage:
        """Whom it was made for."""

    def SerializeToString(self) -> bytes:  # noqa: N802  protobuf's name
        """Protobuf's."""


C = TypeVar("C", bound=Claims)


class TokenRefusedError(Exception):
    """A token doesn't hold. `reason` says why: UNREADABLE, OF_ANOTHER_KEY, ALTERED, EXPIRED, NOT_YET_VALID, ..."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class VisitTokens(Generic[C]):
    """Makes and checks one kind of token with one key.

    `purpose` is signed before the claims, so that no signature of the key can be taken for one over something
    else; `parse` is the claims' FromString.
    """

    def __init__(
        self, key: Ed25519PrivateKey, purpose: str, parse: Callable[[bytes], C], life: timedelta
    ) -> None:
        self._key = key
        self._public = key.public_key()
        self._signed_as = f"borderpost {purpose} 1\n".encode()
        self._parse = parse
        self._life = life
        self.key_id = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def make(self, claims: C, visit_id: str, caller: Actor, now: datetime) -> bytes:
        """Sign claims, after filling in whom they are for, the key, and until when they hold."""
        claims.visit_id = visit_id
        claims.caller.issuer, claims.caller.subject = caller.issuer, caller.subject
        claims.key_id = self.key_id
        claims.issued_ms = milliseconds(now)
        claims.expires_ms = milliseconds(now + self._life)
        message = claims.SerializeToString()
        signature = self._key.sign(self._signed_as + message)
        return SignedToken(claims=message, signature=signature).SerializeToString()

    def check(self, token: bytes, visit_id: str, caller: Actor, now: datetime) -> C:
        """Return the claims of a token that holds. Raises TokenRefusedError.

        In this order, so that nothing is believed of claims before their signature was checked.
        """
        # 1. Is it a token at all, and of this installation?
        signed, claims = self._read(token)
        if claims.key_id != self.key_id:
            raise TokenRefusedError("OF_ANOTHER_KEY")
        # 2. Is every byte as it was signed?
        try:
            self._public.verify(signed.signature, self._signed_as + signed.claims)
        except InvalidSignature:
            raise TokenRefusedError("ALTERED") from None
        # 3. Does it hold now?
        skew = CLOCK_SKEW // timedelta(milliseconds=1)
        if milliseconds(now) > claims.expires_ms + skew:
            raise TokenRefusedError("EXPIRED")
        if milliseconds(now) < claims.issued_ms - skew:
            raise TokenRefusedError("NOT_YET_VALID")
        # 4. Is it for this visit and this caller?
        if claims.visit_id != visit_id:
            raise TokenRefusedError("FOR_ANOTHER_VISIT")
        if Actor(claims.caller.issuer, claims.caller.subject) != caller:
            raise TokenRefusedError("FOR_ANOTHER_CALLER")
        return claims

    def _read(self, token: bytes) -> tuple[SignedToken, C]:
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenRefusedError("UNREADABLE")
        try:
            signed = SignedToken.FromString(token)
            return signed, self._parse(signed.claims)
        except DecodeError:
            raise TokenRefusedError("UNREADABLE") from None


def milliseconds(time: datetime) -> int:
    """Return milliseconds since 1970 (UTC)."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
