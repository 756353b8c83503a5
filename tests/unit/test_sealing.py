"""Sealing: only what was sealed comes out, with its key, for what it was bound to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.runtime.sealing import NONCE_BYTES, SealedDamagedError, new_key, seal, unseal


@given(plaintext=st.binary(max_size=200), bound_to=st.binary(max_size=50))
def test_what_was_sealed_comes_out(plaintext: bytes, bound_to: bytes) -> None:
    key = new_key()
    assert unseal(key, seal(key, plaintext, bound_to), bound_to) == plaintext


@given(position=st.integers(0, NONCE_BYTES + 20), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(position: int, bit: int) -> None:
    key = new_key()
    sealed = bytearray(seal(key, b"said", b"a"))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(SealedDamagedError):
        unseal(key, bytes(sealed), b"a")


@pytest.mark.parametrize("cut", [0, 5, NONCE_BYTES, NONCE_BYTES + 15])
def test_what_was_cut_short_is_noticed(cut: int) -> None:
    key = new_key()
    with pytest.raises(SealedDamagedError):
        unseal(key, seal(key, b"said", b"a")[:cut], b"a")


def test_another_key_or_owner_opens_nothing() -> None:
    key = new_key()
    sealed = seal(key, b"said", b"body:a")
    for other_key, other in ((new_key(), b"body:a"), (key, b"body:b"), (key, b"pictures:a")):
        with pytest.raises(SealedDamagedError):
            unseal(other_key, sealed, other)


def test_the_same_is_never_sealed_to_the_same() -> None:
    key = new_key()
    assert seal(key, b"said", b"a") != seal(key, b"said", b"a")
