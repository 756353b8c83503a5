"""Active authentication: proven, refuted, and everything that proves nothing."""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from borderpost.documents.chip.active import recovers
from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles, ChipReading, CloneProtection
from borderpost.documents.chip.read import read_chip
from borderpost.documents.pki.keys import RsaKey
from borderpost.documents.trust.domain import NOTHING_TRUSTED
from borderpost.documents.verdict import CheckName, Result
from borderpost.specimens.active import ACTIVE_ALGORITHMS
from borderpost.specimens.chip import Protection, SpecimenChip, make_chip
from fakes.chips import NONCE, SIGNED, by_name, files_of, order, trust_of

RSA = rsa.generate_private_key(65537, 1024)  # noqa: S505 what chips of ten years ago have
KEY = RsaKey(RSA.public_key().public_numbers().n, 65537)
SIZE = 128


@functools.cache
def chip(active: str = "ecdsa-secp256r1-sha256", protection: Protection = Protection.ACTIVE) -> SpecimenChip:
    return make_chip(order(active=active, protection=protection))


def read(files: ChipFiles, of: SpecimenChip) -> ChipReading:
    return read_chip(files, trust_of(of), SIGNED)


def outcome(reading: ChipReading) -> tuple[CloneProtection, Result, str]:
    check = by_name(reading)[CheckName.CLONE_PROTECTION]
    return reading.clone_protection, check.result, check.reason


def changed(of: SpecimenChip, **fields: object) -> ChipReading:
    return read(dataclasses.replace(files_of(of), **fields), of)


def opened(block: bytes) -> bytes:
    """The RSA signature whose recovered block is this one."""
    d = RSA.private_numbers().d
    return pow(int.from_bytes(block, "big"), d, KEY.n).to_bytes(SIZE, "big")


def block(
    header: bytes = b"\x6a", trailer: bytes = b"\x34\xcc", hash_name: str = "sha256", nonce: bytes = NONCE
) -> bytes:
    length = SIZE - len(header) - hashlib.new(hash_name).digest_size - len(trailer)
    own = bytes(range(1, length + 1))
    return header + own + hashlib.new(hash_name, own + nonce).digest() + trailer


@pytest.mark.parametrize("active", ACTIVE_ALGORITHMS)
def test_a_genuine_answer_proves_and_any_other_refutes(active):
    of = chip(active)
    assert outcome(read(files_of(of), of)) == (CloneProtection.PROVEN, Result.PASSED, "")
    refuted = (CloneProtection.REFUTED, Result.FAILED, "ACTIVE_AUTHENTICATION_WRONG")
    answer = of.answer(NONCE)
    other_nonce = bytes(8)
    for wrong in (
        ActiveAuthentication(other_nonce, answer),
        ActiveAuthentication(NONCE, answer[:-1]),
        ActiveAuthentication(NONCE, answer + b"\0"),
        ActiveAuthentication(NONCE, b""),
        ActiveAuthentication(NONCE, bytes(len(answer))),
        ActiveAuthentication(NONCE, b"\xff" * len(answer)),
        ActiveAuthentication(NONCE[:4], answer),
        ActiveAuthentication(NONCE, bytes([answer[0] ^ 1]) + answer[1:]),
    ):
        assert outcome(changed(of, active=wrong)) == refuted


@pytest.mark.parametrize(
    ("trailer", "hash_name"),
    [(b"\xbc", "sha1"), (b"\x33\xcc", "sha1"), (b"\x38\xcc", "sha224"), (b"\x34\xcc", "sha256"),
     (b"\x36\xcc", "sha384"), (b"\x35\xcc", "sha512")],
)  # fmt: skip
def test_every_trailer_goes_with_its_hash_and_no_other(trailer, hash_name):
    assert recovers(KEY, opened(block(trailer=trailer, hash_name=hash_name)), NONCE)
    for other in {"sha1", "sha224", "sha256", "sha384", "sha512"} - {hash_name}:
        assert not recovers(KEY, opened(block(trailer=trailer, hash_name=other)), NONCE)


def test_the_complement_of_a_signature_is_one_too():
    """ISO/IEC 9796-2 lets a signer give the smaller of both."""
    signature = opened(block())
    complement = (KEY.n - int.from_bytes(signature, "big")).to_bytes(SIZE, "big")
    assert recovers(KEY, complement, NONCE)


@pytest.mark.parametrize(
    "made",
    [
        block(header=b"\x4a"),
        block(header=b"\x6b"),
        block(header=b"\x2a"),
        block(header=b""),
        block(trailer=b"\x37\xcc"),
        block(trailer=b"\xcc\xcc"),
        block(trailer=b"\x0c"),
        block(nonce=b""),
        b"\x6a" + block()[2:-2] + b"\0" + b"\x34\xcc",
        b"\x6a" + bytes(SIZE - 3) + b"\x34\xcc",
    ],
    ids=["total recovery", "padded", "no header", "headless", "Whirlpool", "no hash", "nibble", "nonce left out",
         "shifted", "empty"],
)  # fmt: skip
def test_a_block_that_is_otherwise_built_proves_nothing(made):
    assert not recovers(KEY, opened(made), NONCE)


def test_the_number_itself_must_be_below_the_modulus_and_of_its_length():
    signature = opened(block())
    larger = (int.from_bytes(signature, "big") + KEY.n).to_bytes(SIZE + 1, "big")
    for wrong in (larger, larger[-SIZE:], b"\0" + signature, signature[1:], KEY.n.to_bytes(SIZE, "big")):
        assert not recovers(KEY, wrong, NONCE)


@given(st.binary(max_size=SIZE + 2))
def test_no_bytes_prove_anything(signature):
    assert not recovers(KEY, signature, NONCE)


def test_a_key_that_was_not_asked_or_whose_answer_was_refused_is_unverified():
    of = chip()
    assert outcome(changed(of, active=None)) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "ACTIVE_AUTHENTICATION_NOT_DONE",
    )  # fmt: skip
    assert outcome(changed(of, active=None, active_refused="CHALLENGE_EXPIRED")) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "CHALLENGE_EXPIRED",
    )  # fmt: skip


def test_a_readers_claim_is_recorded_and_proves_nothing():
    of = chip(protection=Protection.CHIP)
    assert outcome(changed(of)) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "CHIP_AUTHENTICATION_NOT_DONE",
    )  # fmt: skip
    assert outcome(changed(of, chip_authentication_claimed=True)) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "CHIP_AUTHENTICATION_CLAIMED",
    )  # fmt: skip


@pytest.mark.parametrize("claimed", [False, True])
@pytest.mark.parametrize("answered", [False, True])
def test_a_chip_without_any_key_could_be_a_clone_whatever_is_claimed_or_answered(claimed, answered):
    of = chip(protection=Protection.NONE)
    active = ActiveAuthentication(NONCE, b"answer") if answered else None
    assert outcome(changed(of, active=active, chip_authentication_claimed=claimed)) == (
        CloneProtection.COULD_BE_A_CLONE, Result.UNDETERMINED, "COULD_BE_A_CLONE",
    )  # fmt: skip


def test_a_key_left_out_or_added_or_swapped_is_noticed_by_the_security_object():
    of, other = chip(), make_chip(order())
    groups = dict(files_of(of).data_groups)
    without = {number: data for number, data in groups.items() if number not in (14, 15)}
    assert outcome(changed(of, data_groups=without, com=b""))[1:] == (
        Result.UNDETERMINED, "ACTIVE_AUTHENTICATION_NO_KEY",
    )  # fmt: skip
    assert outcome(changed(of, data_groups=without, com=b"", active=None))[0] is CloneProtection.UNVERIFIED
    bare, theirs = chip(protection=Protection.NONE), files_of(other)
    added = dict(files_of(bare).data_groups) | {number: theirs.data_groups[number] for number in (14, 15)}
    assert outcome(changed(bare, data_groups=added, com=b"", active=theirs.active)) == (
        CloneProtection.COULD_BE_A_CLONE, Result.UNDETERMINED, "ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC",
    )  # fmt: skip
    swapped = groups | {15: theirs.data_groups[15]}
    assert outcome(changed(of, data_groups=swapped, active=theirs.active)) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC",
    )  # fmt: skip


def test_a_right_answer_proves_nothing_where_no_state_vouches_for_the_key():
    of = chip()
    assert outcome(read_chip(files_of(of), NOTHING_TRUSTED, SIGNED)) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "ACTIVE_AUTHENTICATION_KEY_NOT_AUTHENTIC",
    )  # fmt: skip
    without_object = dataclasses.replace(files_of(of), sod=b"")
    assert read(without_object, of).clone_protection is CloneProtection.UNVERIFIED


def test_ecdsa_without_its_algorithm_in_data_group_14_is_not_supported():
    of = chip()
    groups = {number: data for number, data in files_of(of).data_groups.items() if number != 14}
    assert outcome(changed(of, data_groups=groups)) == (
        CloneProtection.UNVERIFIED, Result.UNDETERMINED, "ACTIVE_AUTHENTICATION_NOT_SUPPORTED",
    )  # fmt: skip
