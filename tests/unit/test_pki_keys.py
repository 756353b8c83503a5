"""Public keys: curves are what the standards say, explicit parameters are all of a curve's, weak keys are refused."""

from __future__ import annotations

import contextlib

import pytest
from asn1crypto import core, keys
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents.pki import curves
from borderpost.documents.pki.algorithms import (
    Scheme,
    SignatureAlgorithm,
    digest,
    hash_of,
    signature_algorithm,
)
from borderpost.documents.pki.curves import CURVES, Curve, is_of_order_n, verify_ecdsa
from borderpost.documents.pki.errors import AlgorithmNotSupportedError, KeyNotSupportedError
from borderpost.documents.pki.keys import EcKey, RsaKey, parse_key, verify

RSA = rsa.generate_private_key(65537, 2048)
KNOWN = {
    "P-192": ec.SECP192R1(),
    "P-224": ec.SECP224R1(),
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
    "brainpoolP512r1": ec.BrainpoolP512R1(),
}
HASHES = {
    "sha1": hashes.SHA1(),  # noqa: S303 old chips
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def spki(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def explicit(curve: Curve, point: tuple[int, int], **changed: int) -> bytes:
    """A SubjectPublicKeyInfo with its parameters written out, one of them changed."""
    value = {
        "p": curve.p, "a": curve.a, "b": curve.b, "x": curve.generator[0], "y": curve.generator[1],
        "n": curve.n, "h": 1,
    } | changed  # fmt: skip
    octets = curve.octets

    def coordinate(number: int) -> bytes:
        return number.to_bytes(octets, "big")

    parameters = keys.SpecifiedECDomain(
        {
            "version": "ecdpVer1",
            "field_id": {"field_type": "prime_field", "parameters": core.Integer(value["p"])},
            "curve": {"a": coordinate(value["a"]), "b": coordinate(value["b"])},
            "base": keys.ECPoint(b"\x04" + coordinate(value["x"]) + coordinate(value["y"])),
            "order": value["n"],
            "cofactor": value["h"],
        }
    )
    info = keys.PublicKeyInfo(
        {
            "algorithm": {"algorithm": "ec", "parameters": keys.ECDomainParameters("specified", parameters)},
            "public_key": keys.ECPointBitString(b"\x04" + coordinate(point[0]) + coordinate(point[1])),
        }
    )
    return info.dump()


def test_all_nineteen_curves_are_there():
    assert len(CURVES) == 5 + 14


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_curve_is_sound(curve):
    """Generator on the curve and of order n; p and n prime (Fermat); n near p, so the cofactor is 1 (Hasse)."""
    assert curve.holds(curve.generator)
    assert is_of_order_n(curve, curve.generator)
    assert pow(2, curve.p - 1, curve.p) == pow(3, curve.n - 1, curve.n) == 1
    assert abs(curve.p + 1 - curve.n) ** 2 <= 4 * curve.p


@pytest.mark.parametrize("name", KNOWN)
def test_our_parameters_are_those_of_cryptography(name):
    curve = next(curve for curve in CURVES if curve.name == name)
    key = parse_key(spki(ec.derive_private_key(1, KNOWN[name])))
    assert key == EcKey(curve, curve.generator, explicit=False)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("hash_name", ["sha1", "sha256", "sha512"])
def test_our_arithmetic_agrees_with_cryptographys(name, hash_name):
    private = ec.generate_private_key(KNOWN[name])
    key = parse_key(spki(private))
    assert isinstance(key, EcKey)
    r, s = decode_dss_signature(private.sign(b"hashes", ec.ECDSA(HASHES[hash_name])))
    hashed = digest(hash_name, b"hashes")
    assert verify_ecdsa(key.curve, key.point, hashed, r, s)
    assert not verify_ecdsa(key.curve, key.point, digest(hash_name, b"other"), r, s)
    for bad_r, bad_s in (
        (0, s),
        (r, 0),
        (key.curve.n, s),
        (r, key.curve.n),
        (r, s + key.curve.n),
        (r ^ 1, s),
    ):
        assert not verify_ecdsa(key.curve, key.point, hashed, bad_r, bad_s)


def sign(curve: Curve, secret: int, nonce: int, hashed: bytes) -> tuple[int, int]:
    """ECDSA by the textbook, with affine points."""

    def add(one, other):
        if one is None or other is None:
            return one or other
        (x1, y1), (x2, y2) = one, other
        if x1 == x2 and (y1 + y2) % curve.p == 0:
            return None
        top, bottom = (3 * x1 * x1 + curve.a, 2 * y1) if one == other else (y2 - y1, x2 - x1)
        slope = top * pow(bottom, -1, curve.p) % curve.p
        x3 = (slope * slope - x1 - x2) % curve.p
        return x3, (slope * (x1 - x3) - y1) % curve.p

    def times(number, point):
        total = None
        while number:
            if number & 1:
                total = add(total, point)
            point, number = add(point, point), number >> 1
        return total

    e = int.from_bytes(hashed, "big") >> max(0, 8 * len(hashed) - curve.n.bit_length())
    r = times(nonce, curve.generator)[0] % curve.n
    sign.point = times(secret, curve.generator)
    return r, pow(nonce, -1, curve.n) * (e + r * secret) % curve.n


@pytest.mark.parametrize(
    "name", ["brainpoolP160r1", "brainpoolP192r1", "brainpoolP224r1", "brainpoolP320r1", "brainpoolP224t1"]
)
@settings(max_examples=5, deadline=None)
@given(secret=st.integers(2, 2**150), nonce=st.integers(2, 2**150))
def test_curves_that_only_we_have_verify_what_was_signed(name, secret, nonce):
    curve = next(curve for curve in CURVES if curve.name == name)
    hashed = digest("sha512", b"longer than every one of these curves")
    r, s = sign(curve, secret, nonce, hashed)
    key = parse_key(explicit(curve, sign.point))
    plain = SignatureAlgorithm(Scheme.ECDSA_PLAIN, "sha512")
    size = (curve.n.bit_length() + 7) // 8
    signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    data = b"longer than every one of these curves"
    assert verify(key, plain, signature, data)
    assert not verify(key, plain, signature, data + b"!")
    assert not verify(key, plain, signature + b"\0", data)
    assert not verify(key, plain, signature[:-1], data)


def test_adding_a_point_and_its_opposite_is_infinity_and_no_error():
    curve = CURVES[0]
    x, y = curve.generator
    opposite = (x, curve.p - y)
    assert curves._weighted_sum(curve, 5, opposite, 5)[2] == 0
    assert curves._weighted_sum(curve, 3, curve.generator, 3)[2] != 0


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_explicit_parameters_are_the_named_curve(curve):
    key = parse_key(explicit(curve, curve.generator))
    assert key == EcKey(curve, curve.generator, explicit=True)
    assert str(key) == f"EC {curve.name} (explicit)"


@pytest.mark.parametrize("parameter", ["p", "a", "b", "x", "y", "n", "h"])
def test_a_single_other_parameter_refuses_the_key(parameter):
    """CVE-2020-0601 changed the generator alone."""
    curve = next(curve for curve in CURVES if curve.name == "P-256")
    value = {
        "p": curve.p,
        "a": curve.a,
        "b": curve.b,
        "x": curve.generator[0],
        "y": curve.generator[1],
        "n": curve.n,
        "h": 1,
    }
    with pytest.raises(KeyNotSupportedError):
        parse_key(explicit(curve, curve.generator, **{parameter: value[parameter] + 1}))


def test_a_generator_of_the_forgers_choice_is_refused():
    curve = next(curve for curve in CURVES if curve.name == "P-256")
    forged = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    with pytest.raises(KeyNotSupportedError):
        parse_key(explicit(curve, (forged.x, forged.y), x=forged.x, y=forged.y))


def test_a_point_beside_the_curve_is_refused():
    curve = CURVES[2]
    x, y = curve.generator
    for point in ((x, y ^ 1), (0, 0), (x, curve.p - 1)):
        with pytest.raises(KeyNotSupportedError):
            parse_key(explicit(curve, point))


def rsa_info(n: int, e: int) -> bytes:
    return keys.PublicKeyInfo.wrap(keys.RSAPublicKey({"modulus": n, "public_exponent": e}), "rsa").dump()


@pytest.mark.parametrize(
    ("n", "e", "reason"),
    [
        (2**1023 - 1, 65537, "KEY_TOO_WEAK"),
        (RSA.public_key().public_numbers().n, 1, "KEY_TOO_WEAK"),
        (-RSA.public_key().public_numbers().n, 65537, "KEY_TOO_WEAK"),
        (2**2047, 65537, "KEY_NOT_SUPPORTED"),
        (2**2048 - 1, 4, "KEY_NOT_SUPPORTED"),
        (2**2048 - 1, 2**65 + 1, "KEY_NOT_SUPPORTED"),
        (2**16384 + 1, 65537, "KEY_NOT_SUPPORTED"),
    ],
    ids=["short", "exponent 1", "negative", "even", "even exponent", "long exponent", "long"],
)
def test_rsa_keys_that_are_weak_or_odd_are_refused_with_a_reason(n, e, reason):
    with pytest.raises(KeyNotSupportedError) as caught:
        parse_key(rsa_info(n, e))
    assert caught.value.reason == reason


def test_a_key_of_another_kind_is_refused():
    info = keys.PublicKeyInfo(
        {"algorithm": {"algorithm": "ed25519"}, "public_key": core.OctetBitString(bytes(32))}
    )
    with pytest.raises(KeyNotSupportedError):
        parse_key(info.dump())


@pytest.mark.parametrize("hash_name", HASHES)
def test_rsa_signatures_of_both_kinds_verify(hash_name):
    key = parse_key(spki(RSA))
    assert str(key) == "RSA 2048"
    signature = RSA.sign(b"data", padding.PKCS1v15(), HASHES[hash_name])
    pkcs1 = SignatureAlgorithm(Scheme.RSA_PKCS1, hash_name)
    assert verify(key, pkcs1, signature, b"data")
    assert not verify(key, pkcs1, signature, b"date")
    for mask, mask_hash in HASHES.items():
        pss = SignatureAlgorithm(Scheme.RSA_PSS, hash_name, mask, 20)
        made = RSA.sign(b"data", padding.PSS(padding.MGF1(mask_hash), 20), HASHES[hash_name])
        assert verify(key, pss, made, b"data")
        assert not verify(key, SignatureAlgorithm(Scheme.RSA_PSS, hash_name, mask, 21), made, b"data")
        assert not verify(key, pkcs1, made, b"data")


def test_a_signature_of_another_kind_of_key_is_wrong_and_no_error():
    rsa_key, ec_key = parse_key(spki(RSA)), parse_key(spki(ec.derive_private_key(5, ec.SECP256R1())))
    assert not verify(
        rsa_key, SignatureAlgorithm(Scheme.ECDSA, "sha256"), b"\x30\x06\x02\x01\x01\x02\x01\x01", b""
    )
    assert not verify(ec_key, SignatureAlgorithm(Scheme.RSA_PKCS1, "sha256"), bytes(256), b"")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_verification(signature):
    for key in (parse_key(spki(RSA)), EcKey(CURVES[2], CURVES[2].generator, explicit=False)):
        for scheme in Scheme:
            assert not verify(key, SignatureAlgorithm(scheme, "sha256", "sha256", 32), signature, b"data")


@given(st.binary(max_size=100))
def test_no_bytes_break_the_key_reader(der):
    with pytest.raises(KeyNotSupportedError):
        parse_key(der)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 10**6), octet=st.integers(1, 255), keep=st.integers(0, 10**6))
def test_a_damaged_key_is_another_key_or_a_typed_error(place, octet, keep):
    sound = explicit(CURVES[7], CURVES[7].generator)
    damaged = bytearray(sound)
    damaged[place % len(sound)] ^= octet
    for der in (bytes(damaged), sound[: keep % len(sound)]):
        with contextlib.suppress(KeyNotSupportedError):
            assert isinstance(parse_key(der), EcKey | RsaKey)


def test_weak_hashes_are_told_from_unknown_ones():
    for oid, reason in (("1.2.840.113549.2.5", "HASH_TOO_WEAK"), ("1.2.3", "ALGORITHM_NOT_SUPPORTED")):
        with pytest.raises(AlgorithmNotSupportedError) as caught:
            hash_of(oid)
        assert caught.value.reason == reason
    with pytest.raises(AlgorithmNotSupportedError) as caught:
        signature_algorithm("1.2.840.113549.1.1.4")
    assert caught.value.reason == "HASH_TOO_WEAK"


def test_identifiers_without_a_hash_take_it_from_outside_and_never_guess():
    assert signature_algorithm("1.2.840.113549.1.1.1", None, "sha384") == SignatureAlgorithm(
        Scheme.RSA_PKCS1, "sha384"
    )
    with pytest.raises(AlgorithmNotSupportedError):
        signature_algorithm("1.2.840.113549.1.1.1")


def test_pss_without_parameters_is_sha1_with_twenty_bytes_of_salt():
    assert signature_algorithm("1.2.840.113549.1.1.10") == SignatureAlgorithm(
        Scheme.RSA_PSS, "sha1", "sha1", 20
    )
