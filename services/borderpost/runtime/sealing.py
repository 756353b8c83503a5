"""Encryption of what is kept: AES-256-GCM (NIST SP 800-38D), bound to what it belongs to."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from borderpost.runtime.errors import BorderpostError

KEY_BITS: Final = 256
NONCE_BYTES: Final = 12
"""96 bits, the length that SP 800-38D, 8.2 advises. With a random one a key may seal 2^32 times (8.3)."""


class SealedDamagedError(BorderpostError):
    """What was to be decrypted is not what was encrypted: other bytes, another key, or of something else."""

    reason = "SEALED_DAMAGED"


def new_key() -> bytes:
    """Make a random key of 32 bytes."""
    return AESGCM.generate_key(KEY_BITS)


def seal(key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    """Encrypt; return nonce ‖ ciphertext ‖ tag. `bound_to` (whose it is, and what) is authenticated with it."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Decrypt what `seal` made with the same key and `bound_to`; raise SealedDamagedError if it is anything else."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):
        raise SealedDamagedError("stored ciphertext: it is not what was encrypted") from None
