"""Encryption of payloads: AES-256-GCM (NIST SP 800-38D), a key per screening, bound to its event."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from borderpost.decisions.errors import PayloadDamagedError

KEY_BITS: Final = 256
NONCE_BYTES: Final = 12
"""96 bits, the length that SP 800-38D, 8.2 advises. A key seals once, so a random one can't repeat."""


def new_key() -> bytes:
    """Make a random key of 32 bytes."""
    return AESGCM.generate_key(KEY_BITS)


def seal(key: bytes, plaintext: bytes, event_id: str) -> bytes:
    """Encrypt; return nonce ‖ ciphertext ‖ tag. The event id is authenticated with it."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, event_id.encode())


def unseal(key: bytes, sealed: bytes, event_id: str) -> bytes:
    """Decrypt what `seal` made for this event; raise PayloadDamagedError if it is anything else."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], event_id.encode())
    except (InvalidTag, ValueError):
        raise PayloadDamagedError(
            "payload: the stored ciphertext is not what was encrypted: verify the log", event_id=event_id
        ) from None
