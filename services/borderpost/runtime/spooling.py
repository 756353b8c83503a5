"""Captures of a kiosk without a connection: encrypted so that the kiosk itself can't read them again, and signed by it.

Encryption is HPKE in base mode (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM, bound to the kiosk by `info`. The
signature is the kiosk's, by the key of its certificate, over what was encrypted: what it vouches for can be told from
what somebody else put into its spool.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from google.protobuf.message import DecodeError

from borderpost.v1.gateway_pb2 import SpooledCapture

SCHEMA: Final = 1

KEY_BYTES: Final = 32
"""Length of a public key (RFC 7748)."""
"""`SpooledCapture.schema_version` that this code writes and takes."""

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_PURPOSE: Final = b"borderpost spool 1\n"
_SIGNED_WITH: Final = ec.ECDSA(hashes.SHA256())


class UnreadableError(Exception):
    """What was to be decrypted is not what was encrypted for this key and kiosk."""


def key_id_of(public_key: bytes) -> str:
    """Return the id of a public key of 32 bytes: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def seal_capture(public_key: bytes, capture: SpooledCapture) -> bytes:
    """Encrypt a capture to a gateway's key (32 bytes); return enc ‖ ciphertext. Raises ValueError for no such key."""
    key = X25519PublicKey.from_public_bytes(public_key)
    return _SUITE.encrypt(capture.SerializeToString(), key, info=_info(capture.kiosk_id))


def open_capture(private_key: X25519PrivateKey, kiosk_id: str, sealed: bytes) -> SpooledCapture:
    """Decrypt what `seal_capture` made for the same kiosk. Raises UnreadableError if it is anything else."""
    try:
        capture = SpooledCapture.FromString(_SUITE.decrypt(sealed, private_key, info=_info(kiosk_id)))
    except (InvalidTag, ValueError, DecodeError):
        raise UnreadableError from None
    if capture.schema_version != SCHEMA or capture.kiosk_id != kiosk_id:
        raise UnreadableError
    return capture


def sign(key: ec.EllipticCurvePrivateKey, sealed: bytes) -> bytes:
    """Sign what was sealed with the key of the kiosk's certificate."""
    return key.sign(_PURPOSE + sealed, _SIGNED_WITH)


def is_signed_by(certificate: x509.Certificate, sealed: bytes, signature: bytes) -> bool:
    """Tell whether the key of a certificate signed what was sealed. It says nothing about the certificate."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, _PURPOSE + sealed, _SIGNED_WITH)
    except InvalidSignature:
        return False
    return True


def _info(kiosk_id: str) -> bytes:
    return _PURPOSE + kiosk_id.encode()
