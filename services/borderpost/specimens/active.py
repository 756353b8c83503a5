"""How a chip proves that it is no copy: active authentication with a key of its own (ICAO Doc 9303-11, 6.1)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asn1crypto import keys
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from borderpost.specimens.signing import HASHES, RSA_BITS, PrivateKey, new_private_key, public_info

NONCE_BYTES: Final = 8
"""Length of RND.IFD."""

LEGACY_RSA_BITS: Final = 1024
"""What most chips with SHA-1 have."""

PARTIAL_RECOVERY: Final = b"\x6a"
"""Header of a block that holds a part of the message, without padding: bits 01, 1, 0, 1010 (ISO/IEC 9796-2)."""

TRAILERS: Final[Mapping[str, bytes]] = {
    "sha1": b"\xbc",
    "sha224": b"\x38\xcc",
    "sha256": b"\x34\xcc",
    "sha384": b"\x36\xcc",
    "sha512": b"\x35\xcc",
}
"""Trailers by hash (ISO/IEC 10118-3 identifiers; ICAO Doc 9303-11, 6.1.2.2): option 1 for SHA-1, else option 2."""

PLAIN_ECDSA: Final[Mapping[str, str]] = {
    "sha1": "0.4.0.127.0.7.1.1.4.1.1",
    "sha224": "0.4.0.127.0.7.1.1.4.1.2",
    "sha256": "0.4.0.127.0.7.1.1.4.1.3",
    "sha384": "0.4.0.127.0.7.1.1.4.1.4",
    "sha512": "0.4.0.127.0.7.1.1.4.1.5",
}
"""ecdsa-plain-signatures (BSI TR-03111, 5.2.1), for ActiveAuthenticationInfo."""


@dataclass(frozen=True, slots=True)
class ActiveAlgorithm:
    """How a chip signs a challenge. RSA has no `curve`, and ECDSA no `bits`.

    `explicit`: the key carries the curve's parameters. `smaller`: of an RSA signature and its complement to the modulus
    the smaller one is sent (ISO/IEC 9796-2, annex B), as some chips do.
    """

    hash: str
    curve: str = ""
    bits: int = 0
    explicit: bool = False
    smaller: bool = False

    @property
    def name(self) -> str:
        """Name on the command line, such as "ecdsa-secp256r1-sha256" or "rsa-2048-sha256"."""
        kind = f"ecdsa-{self.curve}" if self.curve else f"rsa-{self.bits}"
        return f"{kind}-{self.hash}" + ("-explicit" * self.explicit) + ("-smaller" * self.smaller)

    @property
    def oid(self) -> str:
        """Object identifier of the signature, ECDSA only."""
        return PLAIN_ECDSA[self.hash]

    def new_key(self) -> ChipKey:
        """Make the key of one chip."""
        return ChipKey(self, new_private_key(self.curve, self.bits))


DEFAULT_ACTIVE: Final = "ecdsa-secp256r1-sha256"

ACTIVE_ALGORITHMS: Final[Mapping[str, ActiveAlgorithm]] = {
    algorithm.name: algorithm
    for algorithm in (
        ActiveAlgorithm("sha256", "secp256r1"),
        ActiveAlgorithm("sha384", "secp384r1"),
        ActiveAlgorithm("sha512", "secp521r1"),
        ActiveAlgorithm("sha224", "secp224r1"),
        ActiveAlgorithm("sha1", "secp256r1"),
        ActiveAlgorithm("sha256", "brainpoolP256r1", explicit=True),
        ActiveAlgorithm("sha384", "brainpoolP384r1", explicit=True),
        ActiveAlgorithm("sha512", "brainpoolP512r1"),
        ActiveAlgorithm("sha1", bits=LEGACY_RSA_BITS),
        *(ActiveAlgorithm(name, bits=RSA_BITS) for name in HASHES),
        ActiveAlgorithm("sha256", bits=RSA_BITS, smaller=True),
    )
}
"""Every way of answering, by its name."""


@dataclass(frozen=True, slots=True)
class ChipKey:
    """The private key that never leaves a chip."""

    algorithm: ActiveAlgorithm
    private: PrivateKey

    def public_info(self) -> keys.PublicKeyInfo:
        """Return the SubjectPublicKeyInfo for data group 15."""
        return public_info(self.private, explicit=self.algorithm.explicit)

    def answer(self, nonce: bytes) -> bytes:
        """Sign RND.IFD: r and s side by side for ECDSA, ISO/IEC 9796-2 scheme 1 for RSA."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self._plain_ecdsa(self.private, nonce)
        return self._iso_9796_2(self.private, nonce)

    def _plain_ecdsa(self, private: ec.EllipticCurvePrivateKey, nonce: bytes) -> bytes:
        """BSI TR-03111, 5.2.1: both numbers as long as the order of the base point."""
        r, s = decode_dss_signature(private.sign(nonce, ec.ECDSA(HASHES[self.algorithm.hash])))
        size = (private.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def _iso_9796_2(self, private: rsa.RSAPrivateKey, nonce: bytes) -> bytes:
        """ICAO Doc 9303-11, 6.1.2.2: M1 is the chip's own nonce and can be recovered, M2 is RND.IFD."""
        size = private.key_size // 8
        trailer = TRAILERS[self.algorithm.hash]
        digest_size = HASHES[self.algorithm.hash].digest_size
        own = secrets.token_bytes(size - len(PARTIAL_RECOVERY) - digest_size - len(trailer))
        digest = hashlib.new(self.algorithm.hash, own + nonce).digest()
        block = PARTIAL_RECOVERY + own + digest + trailer
        numbers = private.private_numbers()
        modulus = numbers.public_numbers.n
        signature = pow(int.from_bytes(block, "big"), numbers.d, modulus)
        if self.algorithm.smaller:
            signature = min(signature, modulus - signature)
        return signature.to_bytes(size, "big")
