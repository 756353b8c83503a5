"""A challenge for a chip holds for the visit and the kiosk that it was made for, for a few minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from borderpost.documents.challenge import CHALLENGE_LIFE, NONCE_BYTES, Challenges
from borderpost.runtime.calls import Actor
from borderpost.runtime.tokens import CLOCK_SKEW, TokenRefusedError

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KIOSK = Actor("borderpost.test", "kiosk/north/1")
VISIT = "0192b1f4-7c1e-7d3a-8f00-000000000001"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class At:
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


CHALLENGE = Challenges(KEY, At(NOW)).issue(VISIT, KIOSK)


def nonce_of(token=CHALLENGE.token, visit=VISIT, caller=KIOSK, now=NOW, key=KEY):
    return Challenges(key, At(now)).nonce_of(token, visit, caller)


def test_the_nonce_comes_back_and_has_the_length_of_rnd_ifd():
    assert nonce_of() == CHALLENGE.nonce
    assert len(CHALLENGE.nonce) == NONCE_BYTES
    assert CHALLENGE.expires_at == NOW + CHALLENGE_LIFE


def test_no_two_challenges_are_alike():
    challenges = Challenges(KEY, At(NOW))
    assert len({challenges.issue(VISIT, KIOSK).nonce for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"visit": "0192b1f4-7c1e-7d3a-8f00-000000000002"}, "FOR_ANOTHER_VISIT"),
        ({"caller": Actor("borderpost.test", "kiosk/north/2")}, "FOR_ANOTHER_CALLER"),
        ({"now": NOW + CHALLENGE_LIFE + CLOCK_SKEW + timedelta(seconds=1)}, "EXPIRED"),
        ({"now": NOW - CLOCK_SKEW - timedelta(seconds=1)}, "NOT_YET_VALID"),
        ({"key": Ed25519PrivateKey.generate()}, "OF_ANOTHER_KEY"),
        ({"token": b""}, "OF_ANOTHER_KEY"),
        ({"token": b"\xff"}, "UNREADABLE"),
        ({"token": CHALLENGE.token + bytes(5000)}, "UNREADABLE"),
    ],
)
def test_it_holds_for_nothing_else(change, reason):
    with pytest.raises(TokenRefusedError) as refusal:
        nonce_of(**change)
    assert refusal.value.reason == reason


@given(st.integers(0, len(CHALLENGE.token) - 1), st.integers(1, 255))
def test_no_changed_byte_is_believed(place, change):
    token = bytearray(CHALLENGE.token)
    token[place] ^= change
    with pytest.raises(TokenRefusedError):
        nonce_of(bytes(token))
