"""Hash and signature algorithms by their identifiers (RFC 4055, RFC 5480, RFC 5758, BSI TR-03111)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from asn1crypto import algos

from borderpost.documents.pki.errors import AlgorithmNotSupportedError, unreadable_as

HASHES: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""Hashes by object identifier, named as in hashlib."""


_WEAK: Final = frozenset(
    {
        "1.2.840.113549.2.2",
        "1.2.840.113549.2.4",
        "1.2.840.113549.2.5",
        "1.2.840.113549.1.1.2",
        "1.2.840.113549.1.1.3",
        "1.2.840.113549.1.1.4",
    }
)
"""MD2, MD4 and MD5, and RSA with them: no document may have them, and anybody can find two files with one hash."""


class Scheme(Enum):
    """How a signature is made. PLAIN is r and s side by side, of equal length (BSI TR-03111, 5.2.1)."""

    RSA_PKCS1 = "RSA"
    RSA_PSS = "RSA-PSS"
    ECDSA = "ECDSA"
    ECDSA_PLAIN = "ECDSA plain"


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """A scheme and its hash; for PSS also the hash of its mask generation and the length of its salt in bytes."""

    scheme: Scheme
    hash: str
    mgf_hash: str = ""
    salt_length: int = 0

    def __str__(self) -> str:
        return f"{self.scheme.value} {hash_label(self.hash)}"


_WITH_HASH: Final = {
    "1.2.840.113549.1.1.5": (Scheme.RSA_PKCS1, "sha1"),
    "1.3.14.3.2.29": (Scheme.RSA_PKCS1, "sha1"),
    "1.2.840.113549.1.1.14": (Scheme.RSA_PKCS1, "sha224"),
    "1.2.840.113549.1.1.11": (Scheme.RSA_PKCS1, "sha256"),
    "1.2.840.113549.1.1.12": (Scheme.RSA_PKCS1, "sha384"),
    "1.2.840.113549.1.1.13": (Scheme.RSA_PKCS1, "sha512"),
    "1.2.840.10045.4.1": (Scheme.ECDSA, "sha1"),
    "1.2.840.10045.4.3.1": (Scheme.ECDSA, "sha224"),
    "1.2.840.10045.4.3.2": (Scheme.ECDSA, "sha256"),
    "1.2.840.10045.4.3.3": (Scheme.ECDSA, "sha384"),
    "1.2.840.10045.4.3.4": (Scheme.ECDSA, "sha512"),
    "0.4.0.127.0.7.1.1.4.1.1": (Scheme.ECDSA_PLAIN, "sha1"),
    "0.4.0.127.0.7.1.1.4.1.2": (Scheme.ECDSA_PLAIN, "sha224"),
    "0.4.0.127.0.7.1.1.4.1.3": (Scheme.ECDSA_PLAIN, "sha256"),
    "0.4.0.127.0.7.1.1.4.1.4": (Scheme.ECDSA_PLAIN, "sha384"),
    "0.4.0.127.0.7.1.1.4.1.5": (Scheme.ECDSA_PLAIN, "sha512"),
}

_HASH_FROM_OUTSIDE: Final = {
    "1.2.840.113549.1.1.1": Scheme.RSA_PKCS1,  # rsaEncryption (RFC 3370, 3.2)
    "1.2.840.10045.2.1": Scheme.ECDSA,  # id-ecPublicKey, which some signers write in its place
    "1.2.840.10045.4.3": Scheme.ECDSA,  # ecdsa-with-SHA2
}
"""Identifiers that leave the hash to the signer info's digest algorithm."""

_PSS: Final = "1.2.840.113549.1.1.10"
_MGF1: Final = "1.2.840.113549.1.1.8"

MAX_SALT: Final = 1024
"""Bytes of a PSS salt: no key that is taken has room for more."""


def _refuse_weak(oid: str) -> None:
    if oid in _WEAK:
        raise AlgorithmNotSupportedError("hash: got MD2, MD4 or MD5, want SHA-1 to SHA-512", "HASH_TOO_WEAK")


def hash_of(oid: str) -> str:
    """Return the hash of an object identifier. Raises AlgorithmNotSupportedError."""
    _refuse_weak(oid)
    if oid not in HASHES:
        raise AlgorithmNotSupportedError(f"hash: got {oid[:40]}, want one of SHA-1 to SHA-512")
    return HASHES[oid]


def hash_label(name: str) -> str:
    """Write a hash as people do: "SHA-256"."""
    return f"SHA-{name.removeprefix('sha')}"


def digest(name: str, data: bytes) -> bytes:
    """Hash bytes by a hash of HASHES. SHA-1 is among them: documents of ten years ago are signed with it."""
    return hashlib.new(name, data, usedforsecurity=False).digest()


def signature_algorithm(
    oid: str, parameters: Any = None, hash_outside: str | None = None
) -> SignatureAlgorithm:
    """Read an AlgorithmIdentifier: its object identifier, and its parameters as asn1crypto has them.

    `hash_outside` is the digest algorithm beside it, for identifiers that name no hash. Raises
    AlgorithmNotSupportedError.
    """
    _refuse_weak(oid)
    if oid in _WITH_HASH:
        return SignatureAlgorithm(*_WITH_HASH[oid])
    if oid == _PSS:
        with unreadable_as(AlgorithmNotSupportedError, "RSASSA-PSS parameters"):
            return _pss(parameters)
    if oid in _HASH_FROM_OUTSIDE and hash_outside is not None:
        return SignatureAlgorithm(_HASH_FROM_OUTSIDE[oid], hash_outside)
    raise AlgorithmNotSupportedError(
        f"signature algorithm: got {oid[:40]}, want RSA or ECDSA with SHA-1 to SHA-512"
    )


def _pss(parameters: Any) -> SignatureAlgorithm:
    """RFC 4055, 3.1: what is left out is SHA-1, MGF1 with SHA-1, and a salt of 20 bytes."""
    read = (
        algos.RSASSAPSSParams.load(parameters.dump()) if parameters is not None else algos.RSASSAPSSParams()
    )
    mask, salt = read["mask_gen_algorithm"], read["salt_length"].native
    if mask["algorithm"].dotted != _MGF1:
        raise AlgorithmNotSupportedError("RSASSA-PSS: want MGF1 as its mask generation")
    if read["trailer_field"].native != "trailer_field_bc":
        raise AlgorithmNotSupportedError("RSASSA-PSS: want the trailer field 1")
    if not 0 <= salt <= MAX_SALT:
        raise AlgorithmNotSupportedError("RSASSA-PSS: got a salt of a length that no key has room for")
    hash_name = hash_of(read["hash_algorithm"]["algorithm"].dotted)
    mask_hash = hash_of(mask["parameters"]["algorithm"].dotted)
    return SignatureAlgorithm(Scheme.RSA_PSS, hash_name, mask_hash, salt)
