"""Public keys from SubjectPublicKeyInfo, as plain numbers, and signatures by them (RFC 3279, RFC 5480)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from asn1crypto import core, keys
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from borderpost.documents.pki import algorithms, curves
from borderpost.documents.pki.algorithms import Scheme, SignatureAlgorithm
from borderpost.documents.pki.curves import Curve
from borderpost.documents.pki.errors import KeyNotSupportedError, unreadable_as
from borderpost.documents.pki.octets import check_runs

MIN_RSA_BITS: Final = 1024
"""ICAO 9303-12 wants 2048 for signers today; chips of ten years ago have keys of 1024 for active authentication."""

MAX_RSA_BITS: Final = 16_384
"""What OpenSSL takes. The longest in published master lists has 6,144."""

MAX_RSA_EXPONENT_BITS: Final = 64
"""What OpenSSL takes with long keys; it bounds the time of a verification."""

MAX_KEY_BYTES: Final = 16 * 1024
"""Of a SubjectPublicKeyInfo: the longest RSA key takes about 2 KiB."""

_RSA_KEYS: Final = frozenset({"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"})
"""rsaEncryption, id-RSASSA-PSS."""

_EC_KEY: Final = "1.2.840.10045.2.1"
_PRIME_FIELD: Final = "1.2.840.10045.1.1"
_UNCOMPRESSED: Final = 4


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA key: modulus and public exponent."""

    n: int
    e: int

    def __str__(self) -> str:
        return f"RSA {self.n.bit_length()}"


@dataclass(frozen=True, slots=True)
class EcKey:
    """A point on a curve. `explicit`: the curve's parameters were written out, and compared (ICAO 9303-12)."""

    curve: Curve
    point: curves.Point
    explicit: bool

    def __str__(self) -> str:
        return f"EC {self.curve.name}{' (explicit)' if self.explicit else ''}"


PublicKey = RsaKey | EcKey
"""A key that signatures can be verified with. Its text is "RSA 4096" or "EC brainpoolP384r1 (explicit)"."""


def parse_key(der: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo in DER, with nothing after it. Raises KeyNotSupportedError."""
    if len(der) > MAX_KEY_BYTES:
        raise KeyNotSupportedError(f"key: got {len(der):,} bytes, want at most {MAX_KEY_BYTES:,}")
    with unreadable_as(KeyNotSupportedError, "key"):
        return key_of(keys.PublicKeyInfo.load(check_runs(der), strict=True))


def key_of(info: Any) -> PublicKey:
    """Read a key that asn1crypto has taken apart (PublicKeyInfo). Raises KeyNotSupportedError."""
    with unreadable_as(KeyNotSupportedError, "key"):
        kind = info["algorithm"]["algorithm"].dotted
        if kind in _RSA_KEYS:
            return _rsa(info)
        if kind == _EC_KEY:
            return _ec(info)
    raise KeyNotSupportedError(f"key: got the kind {kind[:40]}, want RSA or EC")


def _rsa(info: Any) -> RsaKey:
    numbers = keys.RSAPublicKey.load(check_runs(bytes(info["public_key"])), strict=True)
    n, e = int(numbers["modulus"].native), int(numbers["public_exponent"].native)
    bits = n.bit_length()
    if n <= 0 or bits < MIN_RSA_BITS:
        raise KeyNotSupportedError(
            f"key: got RSA with {bits} bits, want {MIN_RSA_BITS} or more", "KEY_TOO_WEAK"
        )
    if e == 1:
        raise KeyNotSupportedError(
            "key: got RSA with the exponent 1, by which anybody can sign", "KEY_TOO_WEAK"
        )
    if bits > MAX_RSA_BITS or n % 2 == 0 or e < 1 or e % 2 == 0 or e.bit_length() > MAX_RSA_EXPONENT_BITS:
        raise KeyNotSupportedError("key: got an RSA key whose modulus or exponent is not taken")
    return RsaKey(n, e)


def _ec(info: Any) -> EcKey:
    parameters = info["algorithm"]["parameters"]
    explicit = parameters.name == "specified"
    if explicit:
        curve = _explicit_curve(parameters.chosen)
    else:
        curve = curves.named(parameters.chosen.dotted) if parameters.name == "named" else None
    if curve is None:
        raise KeyNotSupportedError(
            "key: got a curve that is none of NIST's or brainpool's, or not all of its parameters"
        )
    return EcKey(curve, _point(curve, bytes(info["public_key"])), explicit)


def _explicit_curve(parameters: Any) -> Curve | None:
    field = parameters["field_id"]
    if field["field_type"].dotted != _PRIME_FIELD:
        return None
    p = int(field["parameters"].native)
    a, b = (int.from_bytes(_octets(parameters["curve"][name]), "big") for name in ("a", "b"))
    base = _octets(parameters["base"])
    length = (p.bit_length() + 7) // 8
    cofactor = parameters["cofactor"]
    h = None if isinstance(cofactor, core.Void) else int(cofactor.native)
    if len(base) != 1 + 2 * length or base[0] != _UNCOMPRESSED:
        return None
    generator = (int.from_bytes(base[1 : 1 + length], "big"), int.from_bytes(base[1 + length :], "big"))
    return curves.with_parameters(p, a, b, generator, int(parameters["order"].native), h)


def _octets(value: Any) -> bytes:
    return bytes(value.contents)


def _point(curve: Curve, encoded: bytes) -> curves.Point:
    """Decode a point (SEC 1, 2.3.4) and check that it is on the curve; the cofactor is 1, so its order is n."""
    length = curve.octets
    if len(encoded) != 1 + 2 * length or encoded[0] != _UNCOMPRESSED:
        raise KeyNotSupportedError("key: got no uncompressed point, which ICAO 9303-12 wants")
    point = (int.from_bytes(encoded[1 : 1 + length], "big"), int.from_bytes(encoded[1 + length :], "big"))
    if not curve.holds(point):
        raise KeyNotSupportedError("key: got a point that is not on its curve")
    return point


def verify(key: PublicKey, algorithm: SignatureAlgorithm, signature: bytes, data: bytes) -> bool:
    """Tell whether `signature` over `data` is the key's; it isn't if the algorithm is one for other kinds of keys.

    Raises KeyNotSupportedError if the library can't compute with the key.
    """
    return verify_digest(key, algorithm, signature, algorithms.digest(algorithm.hash, data))


def verify_digest(key: PublicKey, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes) -> bool:
    """As `verify`, over data that has been hashed with the algorithm's hash."""
    if isinstance(key, RsaKey):
        fits = algorithm.scheme in (Scheme.RSA_PKCS1, Scheme.RSA_PSS)
        return fits and _verify_rsa(key, algorithm, signature, digest)
    if algorithm.scheme not in (Scheme.ECDSA, Scheme.ECDSA_PLAIN):
        return False
    plain = algorithm.scheme is Scheme.ECDSA_PLAIN
    numbers = _plain_numbers(key.curve, signature) if plain else _der_numbers(signature)
    return numbers is not None and _verify_ec(key, algorithm.hash, digest, *numbers)


_HASHES: Final = {
    "sha1": hashes.SHA1(),  # noqa: S303 documents of ten years ago are signed with it
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

_CURVES: Final = {
    "P-192": ec.SECP192R1(),
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
    "brainpoolP512r1": ec.BrainpoolP512R1(),
}
"""Those that `cryptography` computes with; `curves` does the others, a few milliseconds slower."""


def _verify_rsa(key: RsaKey, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes) -> bool:
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.scheme is Scheme.RSA_PSS:
        scheme = padding.PSS(padding.MGF1(_HASHES[algorithm.mgf_hash]), algorithm.salt_length)
    prehashed = Prehashed(_HASHES[algorithm.hash])
    try:
        rsa.RSAPublicNumbers(key.e, key.n).public_key().verify(signature, digest, scheme, prehashed)
    except InvalidSignature:
        return False
    except (ValueError, UnsupportedAlgorithm):
        raise KeyNotSupportedError("key: got an RSA key that can't be computed with") from None
    return True


def _verify_ec(key: EcKey, hash_name: str, digest: bytes, r: int, s: int) -> bool:
    known = _CURVES.get(key.curve.name)
    if known is None or not (0 < r < key.curve.n and 0 < s < key.curve.n):
        return curves.verify_ecdsa(key.curve, key.point, digest, r, s)
    try:
        public = ec.EllipticCurvePublicNumbers(*key.point, known).public_key()
        public.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(_HASHES[hash_name])))
    except InvalidSignature:
        return False
    except UnsupportedAlgorithm:  # an OpenSSL built without this curve
        return curves.verify_ecdsa(key.curve, key.point, digest, r, s)
    return True


def _plain_numbers(curve: Curve, signature: bytes) -> tuple[int, int] | None:
    """Split r and s, each as long as the curve's order (BSI TR-03111, 5.2.1)."""
    half = (curve.n.bit_length() + 7) // 8
    if len(signature) != 2 * half:
        return None
    return int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")


def _der_numbers(signature: bytes) -> tuple[int, int] | None:
    try:
        return decode_dss_signature(signature)
    except ValueError:
        return None
