"""Cosignatures of witnesses (C2SP tlog-cosignature, https://c2sp.org/tlog-cosignature): cosignature/v1, Ed25519 with
a time.

A witness that cosigns a checkpoint says: at this time this was the largest tree of this log that I have seen, and it is
consistent with all that I saw before.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Final

from borderpost.proofs.notes import NoteError, Signature, Signer, Verifier, split_note

COSIGNATURE_V1: Final = 4
"""The signature type of a witness's key."""

_TIME: Final = struct.Struct(">Q")
_SIGNATURE_BYTES: Final = 64
_LAST_SECOND: Final = 253_402_300_799
"""9999-12-31: what a time may be."""


def witness_verifier(signer: Signer) -> Verifier:
    """The key that a witness's cosignatures are checked with."""
    return Verifier(signer.name, signer.verifier.key, COSIGNATURE_V1)


def cosign(text: str, witness: Signer, time: datetime) -> Signature:
    """Cosign the text of a checkpoint."""
    seconds = int(time.timestamp())
    signature = witness.key.sign(_message(text, seconds))
    verifier = witness_verifier(witness)
    return Signature(witness.name, verifier.key_hash, _TIME.pack(seconds) + signature)


def find_cosignature(note: str, witness: Verifier) -> tuple[Signature, datetime] | None:
    """Return a witness's cosignature of a checkpoint, and its time; None if it has none.

    NoteError: it is no note, or what bears the witness's name and key isn't its signature.
    """
    if witness.kind != COSIGNATURE_V1:
        raise NoteError("verifier key: want a witness's, of type 4 (cosignature/v1)")
    text, signatures = split_note(note)
    for signature in signatures:
        if (signature.name, signature.key_hash) == (witness.name, witness.key_hash):
            return signature, _checked(text, signature, witness)
    return None


def _checked(text: str, signature: Signature, witness: Verifier) -> datetime:
    value = signature.signature
    if len(value) == _TIME.size + _SIGNATURE_BYTES:
        (seconds,) = _TIME.unpack(value[: _TIME.size])
        if seconds <= _LAST_SECOND and witness.verify(value[_TIME.size :], _message(text, seconds)):
            return datetime.fromtimestamp(seconds, UTC)
    raise NoteError(f"checkpoint: the cosignature of {witness.name} is not right")


def _message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
