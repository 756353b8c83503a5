"""CMS SignedData: what is signed, by whom, over which bytes; each way of being wrong has its own fault."""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime

import pytest
from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents.pki.certificates import parse_certificate
from borderpost.documents.pki.errors import SignedDataError
from borderpost.documents.pki.signed_data import MAX_SIGNERS, Fault, parse_signed_data, verify_signed_data

KIND = "2.23.136.1.1.1"
CONTENT = b"\x30\x03\x02\x01\x05"
WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


@functools.cache
def certificate(serial: int = 77) -> bytes:
    subject = x509.Name.from_rfc4514_string("CN=Signer,C=UT")
    issuer = x509.Name.from_rfc4514_string("CN=CSCA,C=UT")
    return (
        x509.CertificateBuilder(issuer, subject, KEY.public_key(), serial, WHEN, WHEN.replace(year=2040))
        .add_extension(x509.SubjectKeyIdentifier(b"S" * 20), critical=False)
        .sign(OTHER, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def attribute(kind: str, *values: core.Asn1Value) -> bytes:
    members = b"".join(value.dump() for value in values)
    oid = core.ObjectIdentifier(kind).dump()
    inner = oid + b"\x31" + bytes([len(members)]) + members
    return b"\x30" + bytes([len(inner)]) + inner


def attributes(content: bytes = CONTENT, kind: str = KIND) -> list[bytes]:
    return [
        attribute("1.2.840.113549.1.9.3", core.ObjectIdentifier(kind)),
        attribute("1.2.840.113549.1.9.5", cms.Time({"utc_time": core.UTCTime(WHEN)})),
        attribute("1.2.840.113549.1.9.4", core.OctetString(hashlib.sha256(content).digest())),
    ]


def info(
    attrs: list[bytes] | None, *, over: bytes | None = None, key=KEY, by_key_id: bool = False,
    digest: str = "sha256", serial: int = 77,
) -> cms.SignerInfo:  # fmt: skip
    """A signer info whose attributes are written in the order given; `over` is what is signed in their place."""
    parsed = parse_certificate(certificate())
    issuer = asn1_x509.Certificate.load(certificate()).issuer
    sid = {"subject_key_identifier": b"S" * 20} if by_key_id else {
        "issuer_and_serial_number": {"issuer": issuer, "serial_number": serial}
    }  # fmt: skip
    body = b"".join(attrs or [])
    signed = over if over is not None else (b"\x31" + _length(body) + body if attrs is not None else CONTENT)
    made = {
        "version": "v1",
        "sid": cms.SignerIdentifier(sid),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
        "signature": key.sign(signed, ec.ECDSA(hashes.SHA256())),
    }
    assert parsed.serial == 77
    if attrs is not None:
        made["signed_attrs"] = cms.CMSAttributes.load(b"\x31" + _length(body) + body)
    return cms.SignerInfo(made)


def _length(body: bytes) -> bytes:
    return bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])


def sealed(
    *infos: cms.SignerInfo, certificates: tuple[bytes, ...] | None = None, content: bytes | None = CONTENT
) -> bytes:
    found = (certificate(),) if certificates is None else certificates
    inner = {"content_type": KIND}
    if content is not None:
        inner["content"] = core.ParsableOctetString(content)
    data = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": inner,
            "certificates": [asn1_x509.Certificate.load(der) for der in found],
            "signer_infos": cms.SignerInfos(infos),
        }
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()


def fault_of(*infos: cms.SignerInfo, **made: object) -> Fault | None:
    return verify_signed_data(parse_signed_data(sealed(*infos, **made))).fault


def test_a_genuine_signature_holds_and_says_who_when_and_how():
    result = verify_signed_data(parse_signed_data(sealed(info(sorted(attributes())))))
    assert result.fault is None
    assert result.certificate == parse_certificate(certificate())
    assert result.info.attributes.signing_time == WHEN
    assert str(result.algorithm) == "ECDSA SHA-256"


def test_the_signer_is_found_by_its_key_too():
    assert fault_of(info(sorted(attributes()), by_key_id=True)) is None


@pytest.mark.parametrize("signed_sorted", [False, True])
def test_attributes_out_of_order_hold_whether_signed_as_written_or_sorted(signed_sorted):
    written = sorted(attributes(), reverse=True)
    body = b"".join(sorted(written) if signed_sorted else written)
    assert fault_of(info(written, over=b"\x31" + _length(body) + body)) is None


def test_without_attributes_the_signature_is_over_the_content():
    assert fault_of(info(None)) is None
    assert fault_of(info(None, over=b"another content")) is Fault.SIGNATURE_WRONG


def test_a_signature_over_attributes_is_none_over_content_that_is_these_attributes():
    """The attributes of a genuine object, presented as if they were content that has none."""
    body = b"".join(sorted(attributes()))
    as_content = b"\x31" + _length(body) + body
    assert fault_of(info(None, over=as_content), content=as_content) is Fault.ATTRIBUTES_MISSING


def test_each_way_of_being_wrong_has_its_fault():
    good = sorted(attributes())
    assert fault_of(info(good, key=OTHER)) is Fault.SIGNATURE_WRONG
    assert fault_of(info(sorted(attributes(content=b"other")))) is Fault.ATTRIBUTES_DIGEST
    assert fault_of(info(sorted(attributes(kind="2.23.136.1.1.2")))) is Fault.ATTRIBUTES_CONTENT_TYPE
    assert fault_of(info(good[:2])) in (Fault.ATTRIBUTES_DIGEST, Fault.ATTRIBUTES_CONTENT_TYPE)
    assert fault_of(info(good), certificates=()) is Fault.SIGNER_CERTIFICATE_MISSING
    assert fault_of(info(good, serial=78)) is Fault.SIGNER_CERTIFICATE_MISSING
    assert fault_of(info(good, digest="md5")) is Fault.HASH_TOO_WEAK
    assert fault_of(info(good, digest="shake128")) is Fault.ALGORITHM_NOT_SUPPORTED


def test_of_several_signatures_one_that_holds_is_enough_and_the_first_tells_the_fault():
    good, wrong = info(sorted(attributes())), info(sorted(attributes()), key=OTHER)
    assert fault_of(wrong, good) is None
    missing = info(sorted(attributes()), serial=5)
    assert fault_of(wrong, missing) in (Fault.SIGNATURE_WRONG, Fault.SIGNER_CERTIFICATE_MISSING)


def test_unreadable_certificates_are_counted_with_their_reasons():
    key = ec.generate_private_key(ec.SECP256K1()).public_key()
    other = x509.Name.from_rfc4514_string("CN=Other,C=UT")
    odd = x509.CertificateBuilder(other, other, key, 1, WHEN, WHEN.replace(year=2040)).sign(
        OTHER, hashes.SHA256()
    )
    data = parse_signed_data(
        sealed(info(sorted(attributes())), certificates=(odd.public_bytes(Encoding.DER), certificate()))
    )
    assert data.unreadable_certificates == ("KEY_NOT_SUPPORTED",)
    assert verify_signed_data(data).fault is None


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30\x00",
        sealed(info(sorted(attributes())), content=None),
        sealed(),
        sealed(*[info(sorted(attributes())) for _ in range(MAX_SIGNERS + 1)]),
        sealed(info(sorted([*attributes(), attributes(b"other")[2]]))),
        cms.ContentInfo({"content_type": "data", "content": b"x"}).dump(),
        sealed(info(sorted(attributes()))) + b"\0",
    ],
    ids=["empty", "nothing", "detached", "unsigned", "too many signers", "digest twice", "data", "trailing"],
)
def test_what_is_no_signed_data_is_a_typed_error(der):
    with pytest.raises(SignedDataError):
        parse_signed_data(der)


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 2**20), octet=st.integers(1, 255))
def test_no_damage_gets_another_content_through(place, octet):
    sound = sealed(info(sorted(attributes())))
    damaged = bytearray(sound)
    damaged[place % len(sound)] ^= octet
    try:
        data = parse_signed_data(bytes(damaged))
    except SignedDataError:
        return
    if verify_signed_data(data).fault is None:
        assert (data.content, data.content_type) == (CONTENT, KIND)


@settings(max_examples=50, deadline=None)
@given(keep=st.integers(0, 2**20))
def test_a_truncated_object_is_a_typed_error(keep):
    sound = sealed(info(sorted(attributes())))
    with pytest.raises(SignedDataError):
        parse_signed_data(sound[: keep % len(sound)])
