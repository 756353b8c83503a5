"""Encryption of payloads: a key per screening, bound to its event."""

from __future__ import annotations

from borderpost.decisions.errors import PayloadDamagedError
from borderpost.runtime import sealing
from borderpost.runtime.sealing import NONCE_BYTES, SealedDamagedError, new_key

__all__ = ["NONCE_BYTES", "new_key", "seal", "unseal"]


def seal(key: bytes, plaintext: bytes, event_id: str) -> bytes:
    """Encrypt; the event id is authenticated with it."""
    return sealing.seal(key, plaintext, event_id.encode())


def unseal(key: bytes, sealed: bytes, event_id: str) -> bytes:
    """Decrypt what `seal` made for this event; raise PayloadDamagedError if it is anything else."""
    try:
        return sealing.unseal(key, sealed, event_id.encode())
    except SealedDamagedError:
        raise PayloadDamagedError(
            "payload: the stored ciphertext is not what was encrypted: verify the log", event_id=event_id
        ) from None
