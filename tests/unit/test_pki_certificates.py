"""Certificates, names and revocation lists, made with another library than the one that reads them."""

from __future__ import annotations

import contextlib
import functools
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import example, given, settings
from hypothesis import strategies as st

from borderpost.documents.pki import names
from borderpost.documents.pki.certificates import der_of, is_issued_by, parse_certificate
from borderpost.documents.pki.crl import is_signed_by, parse_crl
from borderpost.documents.pki.errors import AlgorithmNotSupportedError, CertificateError, RevocationListError

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = datetime(2055, 6, 7, 8, 9, 10, tzinfo=UTC)
CA_KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def name(country: str = "ut", common: str = "CSCA Utopia") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Gov, Ltd."),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


@functools.cache
def csca() -> x509.Certificate:
    public = CA_KEY.public_key()
    return (
        x509.CertificateBuilder(name(), name(), public, 0x1234, START, END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(b"K" * 20), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(b"A" * 20, None, None), critical=False)
        .add_extension(usage(sign=False, certify=True), critical=True)
        .sign(CA_KEY, hashes.SHA384())
    )


def usage(*, sign: bool, certify: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=certify, crl_sign=certify, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def revocations(serials: range, *extensions: x509.ExtensionType) -> bytes:
    builder = x509.CertificateRevocationListBuilder(name(), START, START + timedelta(days=90))
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder(serial, START - timedelta(days=1)).build()
        builder = builder.add_revoked_certificate(revoked)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(CA_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def test_every_field_is_read():
    der = csca().public_bytes(Encoding.DER)
    read = parse_certificate(der)
    assert (read.der, read.serial, read.country) == (der, 0x1234, "UT")
    assert read.sha256 == csca().fingerprint(hashes.SHA256())
    assert (read.not_before, read.not_after) == (START, END)
    assert read.not_after.utcoffset() == timedelta(0)
    assert (read.key_id, read.authority_key_id) == (b"K" * 20, b"A" * 20)
    assert read.subject_text == csca().subject.rfc4514_string() == "CN=CSCA Utopia,O=Gov\\, Ltd.,C=ut"
    assert read.is_ca
    assert read.is_self_issued
    assert read.key_usage == {"key_cert_sign", "crl_sign"}
    assert (str(read.key), str(read.algorithm)) == ("EC P-256", "ECDSA SHA-384")
    assert (read.is_valid_at(START), read.is_valid_at(END)) == (True, True)
    assert not read.is_valid_at(START - timedelta(seconds=1))
    assert not read.is_valid_at(END + timedelta(seconds=1))


def test_a_signature_is_the_issuers_and_nobody_elses():
    read = parse_certificate(csca().public_bytes(Encoding.DER))
    other = (
        x509.CertificateBuilder(name(), name(), OTHER_KEY.public_key(), 1, START, END)
        .sign(OTHER_KEY, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    assert is_issued_by(read, read)
    assert not is_issued_by(read, parse_certificate(other))
    assert not is_issued_by(parse_certificate(other), read)


def test_extended_key_usage_is_read():
    purposes = [ObjectIdentifier("2.23.136.1.1.3"), ObjectIdentifier("1.3.6.1.5.5.7.3.4")]
    signer = (
        x509.CertificateBuilder(name(), name(common="Signer"), CA_KEY.public_key(), 2, START, END)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=True)
        .add_extension(usage(sign=True, certify=False), critical=True)
        .sign(CA_KEY, hashes.SHA256())
    )
    read = parse_certificate(signer.public_bytes(Encoding.DER))
    assert read.extended_key_usage == {"2.23.136.1.1.3", "1.3.6.1.5.5.7.3.4"}
    assert read.key_usage == {"digital_signature"}
    assert not read.is_ca
    assert not read.is_self_issued


def test_pem_and_der_are_the_same():
    assert der_of(csca().public_bytes(Encoding.PEM)) == csca().public_bytes(Encoding.DER)
    assert der_of(csca().public_bytes(Encoding.DER)) == csca().public_bytes(Encoding.DER)
    for damaged in (b"-----BEGIN CERTIFICATE-----\nMII", b"-----BEGIN X-----\nAAA\n-----END X-----"):
        with pytest.raises(CertificateError):
            der_of(damaged)


def asn1_name(*parts: tuple[str, core.Primitive]) -> asn1_x509.Name:
    pairs = [{"type": kind, "value": value} for kind, value in parts]
    return asn1_x509.Name(
        "", asn1_x509.RDNSequence([asn1_x509.RelativeDistinguishedName([pair]) for pair in pairs])
    )


def test_names_are_the_same_whatever_their_string_type_case_and_spaces():
    one = asn1_name(
        ("country_name", core.PrintableString("RO")),
        ("common_name", asn1_x509.DirectoryString("utf8_string", core.UTF8String("CSCA  Romania "))),
    )
    other = asn1_name(
        ("country_name", core.PrintableString("ro")),
        ("common_name", asn1_x509.DirectoryString("printable_string", core.PrintableString("csca Romania"))),
    )
    third = asn1_name(
        ("country_name", core.PrintableString("ro")),
        ("common_name", asn1_x509.DirectoryString("printable_string", core.PrintableString("csca Rumania"))),
    )
    assert names.normalised(one) == names.normalised(other) != names.normalised(third)
    assert (names.country_of(one), names.country_of(third)) == ("RO", "RO")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30))
@example(" ")
@example("  ")
def test_any_text_of_a_name_is_escaped_so_that_it_can_be_read_again(text):
    made = asn1_name(("common_name", asn1_x509.DirectoryString("utf8_string", core.UTF8String(text))))
    shown = names.as_text(made)
    assert shown.startswith("CN=")
    assert not any(ord(char) < 32 for char in shown)
    if text and text.isprintable():
        assert (
            x509.Name.from_rfc4514_string(shown).get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == text
        )


@given(st.integers(0, 2**20), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_damaged_certificate_is_another_one_or_a_typed_error(place, octet):
    sound = csca().public_bytes(Encoding.DER)
    damaged = bytearray(sound)
    damaged[place % len(sound)] ^= octet
    authority = parse_certificate(sound)
    with contextlib.suppress(CertificateError, AlgorithmNotSupportedError):
        assert not is_issued_by(parse_certificate(bytes(damaged)), authority)
    with pytest.raises(CertificateError):
        parse_certificate(sound[: place % len(sound)])


def test_nothing_may_follow_a_certificate():
    sound = csca().public_bytes(Encoding.DER)
    for der in (sound + b"\0", b"", bytes(70_000)):
        with pytest.raises(CertificateError) as caught:
            parse_certificate(der)
        assert caught.value.reason == "CERTIFICATE_UNREADABLE"


def test_a_key_that_is_not_taken_is_told_by_its_own_reason():
    curve = (
        x509.CertificateBuilder(
            name(), name(), ec.generate_private_key(ec.SECP256K1()).public_key(), 3, START, END
        )
        .sign(CA_KEY, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    with pytest.raises(CertificateError) as caught:
        parse_certificate(curve)
    assert caught.value.reason == "KEY_NOT_SUPPORTED"


def test_a_revocation_list_is_read_and_its_signature_verified():
    authority = parse_certificate(csca().public_bytes(Encoding.DER))
    der = revocations(range(1, 400), x509.CRLNumber(7), x509.AuthorityKeyIdentifier(b"K" * 20, None, None))
    read = parse_crl(der)
    assert (read.issuer, read.country, read.number, read.authority_key_id) == (
        authority.subject,
        "UT",
        7,
        b"K" * 20,
    )
    assert (read.this_update, read.next_update) == (START, START + timedelta(days=90))
    assert read.revoked == dict.fromkeys(range(1, 400), START - timedelta(days=1))
    assert is_signed_by(read, authority)
    damaged = bytearray(der)
    damaged[der.index(b"\x02\x01\x05") + 2] = 105  # another serial number is revoked
    assert not is_signed_by(parse_crl(bytes(damaged)), authority)


def test_an_empty_revocation_list_revokes_nothing():
    assert parse_crl(revocations(range(0))).revoked == {}


def test_lists_of_changes_and_of_parts_are_refused():
    part = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    for extension in (x509.DeltaCRLIndicator(1), part):
        with pytest.raises(RevocationListError):
            parse_crl(revocations(range(3), extension))


@given(st.integers(0, 2**20), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_damaged_list_is_another_one_or_a_typed_error(place, octet):
    sound = revocations(range(1, 9))
    damaged = bytearray(sound)
    damaged[place % len(sound)] ^= octet
    authority = parse_certificate(csca().public_bytes(Encoding.DER))
    with contextlib.suppress(RevocationListError, AlgorithmNotSupportedError):
        assert not is_signed_by(parse_crl(bytes(damaged)), authority)
    with pytest.raises(RevocationListError):
        parse_crl(sound[: place % len(sound)])


@pytest.mark.parametrize("hidden", ["\u202e", "\u009b", "\u2028", "\u200f", "\x1b", "\u00a0"])
def test_what_can_not_be_seen_in_a_name_is_written_as_octets(hidden: str):
    """RFC 4514, 2.4. A subject is shown on terminals, and decides which certificate a person trusts."""
    shown = names.as_text(asn1_x509.Name.build({"organization_name": f"A{hidden}B"}))
    assert shown == "O=A" + "".join(f"\\{octet:02X}" for octet in hidden.encode()) + "B"
