"""The capture token: it holds for what it was made for, and for nothing else, whatever is done to it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from borderpost.faces.capture.token import TOKEN_LIFE, CaptureClaims, CaptureTokens
from borderpost.faces.domain import Liveness, Status
from borderpost.runtime.calls import Actor
from borderpost.runtime.tokens import CLOCK_SKEW
from borderpost.v1 import faces_pb2, types_pb2

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KIOSK = Actor("borderpost.test", "kiosk/north/1")
VISIT = "0192b1f4-7c1e-7d3a-8f00-000000000001"
FRAMES = [b"one", b"two"]
LIVENESS = Liveness(Status.PASSED, "challenge", "1")
CLAIMS = CaptureClaims(
    "0192b1f4-7c1e-7d3a-8f00-000000000002",
    bytes(16),
    VISIT,
    KIOSK,
    tuple(hashlib.sha256(frame).digest() for frame in FRAMES),
    LIVENESS,
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TOKENS = CaptureTokens(KEY)
TOKEN = TOKENS.make(CLAIMS, NOW)


def check(token=TOKEN, visit_id=VISIT, caller=KIOSK, frames=FRAMES, now=NOW, tokens=TOKENS):
    return tokens.check(token, visit_id, caller, frames, now)


def refused(reason):
    return Liveness(Status.UNDETERMINED, None, None, reasons=(f"CAPTURE_TOKEN_{reason}",))


def test_a_token_says_what_the_capture_came_to():
    assert check() == Liveness(Status.PASSED, "challenge 1", None, measured=False)


def test_a_failure_with_its_reasons_comes_back_too():
    failed = Liveness(Status.FAILED, "challenge", "1", reasons=("CHALLENGE_OTHER_MOVEMENTS",))
    token = TOKENS.make(CaptureClaims("s", b"", VISIT, KIOSK, CLAIMS.frames_sha256, failed), NOW)
    assert (check(token).status, check(token).reasons) == (Status.FAILED, failed.reasons)


def test_the_same_again_says_the_same_again():
    assert check() == check(now=NOW + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frames": [b"one"]}, "FOR_OTHER_FRAMES"),
        ({"frames": [b"two", b"one"]}, "FOR_OTHER_FRAMES"),
        ({"frames": [b"one", b"two", b"two"]}, "FOR_OTHER_FRAMES"),
        ({"frames": []}, "FOR_OTHER_FRAMES"),
        ({"visit_id": "0192b1f4-7c1e-7d3a-8f00-000000000009"}, "FOR_ANOTHER_VISIT"),
        ({"visit_id": ""}, "FOR_ANOTHER_VISIT"),
        ({"caller": Actor("borderpost.test", "kiosk/north/2")}, "FOR_ANOTHER_CALLER"),
        ({"caller": Actor("other.test", "kiosk/north/1")}, "FOR_ANOTHER_CALLER"),
        ({"now": NOW + TOKEN_LIFE + CLOCK_SKEW + timedelta(milliseconds=1)}, "EXPIRED"),
        ({"now": NOW - CLOCK_SKEW - timedelta(milliseconds=1)}, "NOT_YET_VALID"),
        ({"token": b"nonsense"}, "UNREADABLE"),
        ({"token": bytes(10_000)}, "UNREADABLE"),
        ({"token": b""}, "OF_ANOTHER_KEY"),
        ({"tokens": CaptureTokens(Ed25519PrivateKey.generate())}, "OF_ANOTHER_KEY"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_it_was_not_made_for_is_undetermined_with_the_reason(change, reason):
    assert check(**change) == refused(reason)


@pytest.mark.parametrize("now", [NOW - CLOCK_SKEW, NOW + TOKEN_LIFE + CLOCK_SKEW], ids=["early", "late"])
def test_clocks_of_two_replicas_may_differ_a_little(now):
    assert check(now=now).status is Status.PASSED


@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 255))
def test_not_one_byte_can_be_changed(index, change):
    altered = bytearray(TOKEN)
    altered[index] ^= change
    assert check(bytes(altered)).status is Status.UNDETERMINED


@given(st.binary(max_size=600))
def test_nonsense_is_never_an_error_and_never_passes(token):
    assert check(token).status is Status.UNDETERMINED


def test_claims_that_somebody_else_signed_under_our_keys_name_are_not_believed():
    forged = types_pb2.SignedToken.FromString(TOKEN)
    claims = faces_pb2.CaptureClaims.FromString(forged.claims)
    claims.visit_id = "0192b1f4-7c1e-7d3a-8f00-000000000009"
    forged.claims = claims.SerializeToString()
    forged.signature = Ed25519PrivateKey.generate().sign(b"borderpost capture token 1\n" + forged.claims)
    altered = check(forged.SerializeToString(), visit_id=claims.visit_id)
    assert altered == refused("ALTERED")


def test_a_signature_over_something_else_is_none_over_claims():
    signed = types_pb2.SignedToken.FromString(TOKEN)
    signed.signature = KEY.sign(signed.claims)
    assert check(signed.SerializeToString()) == refused("ALTERED")
