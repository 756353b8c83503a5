"""The algorithms that states sign with, as data, and keys that are made when they are asked for.

No private key is part of the project: each process makes its own, and keeps it until it ends.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from asn1crypto import algos, core, keys
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from borderpost.specimens.curves import COFACTOR, CURVES

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

RSA_BITS: Final = 2048
"""Enough for specimens, and soon made."""

RSA_EXPONENT: Final = 65537

HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 old chips are signed with it, and must be told apart from forged ones
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

EC_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "secp224r1": ec.SECP224R1(),
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
    "brainpoolP512r1": ec.BrainpoolP512R1(),
}

UNCOMPRESSED: Final = 4
"""First byte of a point of which both coordinates follow (SEC 1, 2.3.3)."""


class Scheme(Enum):
    """Kinds of signatures (ICAO Doc 9303-12, 4.1.6)."""

    RSA_PKCS1 = "rsa-pkcs1"
    RSA_PSS = "rsa-pss"
    ECDSA = "ecdsa"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a state signs. `hash` is of HASHES, `curve` of CURVES; RSA has none.

    `explicit`: keys carry the curve's parameters instead of its name.
    """

    scheme: Scheme
    hash: str
    curve: str = ""
    explicit: bool = False

    @property
    def name(self) -> str:
        """Name on the command line, such as "ecdsa-brainpoolP256r1-sha256-explicit"."""
        parts = (self.scheme.value, self.curve, self.hash, "explicit" if self.explicit else "")
        return "-".join(part for part in parts if part)


def _algorithms() -> Iterator[Algorithm]:
    for scheme in (Scheme.RSA_PKCS1, Scheme.RSA_PSS):
        yield from (Algorithm(scheme, name) for name in HASHES)
    pairs = (
        ("secp224r1", "sha224"),
        ("secp256r1", "sha1"),
        ("secp256r1", "sha256"),
        ("secp384r1", "sha384"),
        ("secp521r1", "sha512"),
        ("brainpoolP256r1", "sha256"),
        ("brainpoolP384r1", "sha384"),
        ("brainpoolP512r1", "sha512"),
    )
    for curve, name in pairs:
        yield Algorithm(Scheme.ECDSA, name, curve)
        yield Algorithm(Scheme.ECDSA, name, curve, explicit=True)


ALGORITHMS: Final[Mapping[str, Algorithm]] = {algorithm.name: algorithm for algorithm in _algorithms()}
"""Every algorithm by its name: RSA with PKCS#1 v1.5 and PSS, ECDSA with named and explicit curves."""

DEFAULT_ALGORITHM: Final = "ecdsa-secp256r1-sha256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the algorithm that it signs with."""

    algorithm: Algorithm
    private: PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Sign, as certificates and CMS want it: ECDSA as a DER sequence of r and s."""
        digest = HASHES[self.algorithm.hash]
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(message, ec.ECDSA(digest))
        if self.algorithm.scheme is Scheme.RSA_PSS:
            return self.private.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.private.sign(message, padding.PKCS1v15(), digest)

    def public_info(self) -> keys.PublicKeyInfo:
        """Return the SubjectPublicKeyInfo."""
        return public_info(self.private, explicit=self.algorithm.explicit)

    def key_id(self) -> bytes:
        """Return the subject key identifier: SHA-1 of the public key's bits (RFC 5280, 4.2.1.2)."""
        bits: bytes = self.public_info()["public_key"].contents[1:]
        return hashlib.sha1(bits, usedforsecurity=False).digest()

    def signature_algorithm(self) -> algos.SignedDigestAlgorithm:
        """Return the AlgorithmIdentifier of a signature by this key."""
        return algos.SignedDigestAlgorithm.load(_signature_algorithm(self.algorithm).dump())


def _signature_algorithm(algorithm: Algorithm) -> algos.SignedDigestAlgorithm:
    name = algorithm.hash
    match algorithm.scheme:
        case Scheme.ECDSA:
            return algos.SignedDigestAlgorithm({"algorithm": f"{name}_ecdsa"})
        case Scheme.RSA_PKCS1:
            return algos.SignedDigestAlgorithm({"algorithm": f"{name}_rsa", "parameters": core.Null()})
        case Scheme.RSA_PSS:
            return algos.SignedDigestAlgorithm(
                {"algorithm": "rsassa_pss", "parameters": _pss_parameters(name)}
            )


def _pss_parameters(name: str) -> algos.RSASSAPSSParams:
    """Write the parameters of RSASSA-PSS (RFC 4055, 3.1): one hash for all, a salt as long as it."""
    digest = {"algorithm": name, "parameters": core.Null()}
    return algos.RSASSAPSSParams(
        {
            "hash_algorithm": digest,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": digest},
            "salt_length": HASHES[name].digest_size,
        }
    )


def public_info(private: PrivateKey, *, explicit: bool) -> keys.PublicKeyInfo:
    """Return the SubjectPublicKeyInfo of a key, its curve named or written out."""
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = keys.PublicKeyInfo.load(der)
    if not explicit or not isinstance(private, ec.EllipticCurvePrivateKey):
        return info
    written_out = keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "ec", "parameters": _explicit_parameters(private.curve.name)},
            "public_key": keys.ECPointBitString(info["public_key"].contents[1:]),
        }
    )
    return keys.PublicKeyInfo.load(written_out.dump())


def _explicit_parameters(name: str) -> keys.ECDomainParameters:
    """Write out a curve (RFC 3279, 2.3.5), with the cofactor that ICAO Doc 9303-12, 4.1.6 asks for."""
    curve = CURVES[name]

    def field(value: int) -> bytes:
        return value.to_bytes(curve.size, "big")

    return keys.ECDomainParameters(
        "specified",
        keys.SpecifiedECDomain(
            {
                "version": "ecdpVer1",
                "field_id": {"field_type": "prime_field", "parameters": curve.p},
                "curve": {"a": field(curve.a), "b": field(curve.b)},
                "base": keys.ECPoint(bytes((UNCOMPRESSED,)) + field(curve.x) + field(curve.y)),
                "order": curve.n,
                "cofactor": COFACTOR,
            }
        ),
    )


def signing_key(algorithm: Algorithm, role: str) -> SigningKey:
    """Return the key of a role, such as "csca": the same one for the whole run, another one in the next."""
    return SigningKey(algorithm, _private_key(algorithm.curve, role))


@functools.cache
def _private_key(curve: str, role: str) -> PrivateKey:
    del role  # keys of different roles differ by chance
    return new_private_key(curve)


def new_private_key(curve: str, bits: int = RSA_BITS) -> PrivateKey:
    """Make a key on a curve of CURVES, or an RSA key where `curve` is empty."""
    if curve:
        return ec.generate_private_key(EC_CURVES[curve])
    return rsa.generate_private_key(RSA_EXPONENT, bits)
