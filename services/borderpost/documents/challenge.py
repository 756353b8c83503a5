"""Challenges for chips: nonces that this service knows again, without keeping anything.

Active authentication proves something only if the nonce was the verifier's own and fresh (ICAO 9303-11, 6.1).
The token that goes with a nonce binds it to the visit and the kiosk for a few minutes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock
from borderpost.runtime.tokens import TokenRefusedError, VisitTokens
from borderpost.v1.documents_pb2 import ChipChallengeClaims

NONCE_BYTES: Final = 8
"""RND.IFD (ICAO 9303-11, 6.1)."""

CHALLENGE_LIFE: Final = timedelta(minutes=5)
"""From the challenge to the screening: the live face may have to be captured in between."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A nonce for a chip to sign, the token that lets this service know it again, and until when it does."""

    nonce: bytes
    token: bytes
    expires_at: datetime


class Challenges:
    """Makes and checks challenges with one key. Safe to use from several threads."""

    def __init__(self, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._tokens = VisitTokens(key, "chip challenge", ChipChallengeClaims.FromString, CHALLENGE_LIFE)
        self._clock = clock

    @property
    def key_id(self) -> str:
        """The key: the first 16 hexadecimal digits of the public key's SHA-256."""
        return self._tokens.key_id

    def issue(self, visit_id: str, caller: Actor) -> Challenge:
        """Make a challenge for a visit at a kiosk."""
        now, nonce = self._clock.now(), secrets.token_bytes(NONCE_BYTES)
        token = self._tokens.make(ChipChallengeClaims(nonce=nonce), visit_id, caller, now)
        return Challenge(nonce, token, now + CHALLENGE_LIFE)

    def nonce_of(self, token: bytes, visit_id: str, caller: Actor) -> bytes:
        """Return the nonce of a challenge that holds. Raises TokenRefusedError."""
        claims = self._tokens.check(token, visit_id, caller, self._clock.now())
        if len(claims.nonce) != NONCE_BYTES:
            raise TokenRefusedError("UNREADABLE")
        return claims.nonce
