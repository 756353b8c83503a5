"""Encryption of payloads: a key per screening, bound to its event."""

from __future__ import annotations

from borderpost.decisions.errors import PayloadDamagedError
from borderpost.runtime import sealing
from borderpost.runtime.sealing import NONCE_BYTES, SealedDamagedError, new_key

__all__ = ["NONCE_BYTES", "new_key", "seal", "unseal"]


def seal(key: bytes, plaintext: bytes, bound_to: str) -> bytes:
    """Encrypt; what it belongs to (an event's id, or `domain.key_id` of a part) is authenticated with it."""
    return sealing.seal(key, plaintext, bound_to.encode())


def unseal(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    """Decrypt what `seal` made for the same; raise PayloadDamagedError if it is anything else."""
    try:
        return sealing.unseal(key, sealed, bound_to.encode())
    except SealedDamagedError:
        raise PayloadDamagedError(
            "payload: the stored ciphertext is not what was encrypted: verify the log", of=bound_to
        ) from None
