"""Specimen chips: what is written parses, fits together and verifies, in every algorithm; forgeries do what they claim.

Nothing of the verifier is used here: signatures are checked with `cryptography` and textbook arithmetic.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import typer
from asn1crypto import algos, cms, core, crl, keys, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from borderpost.cli.specimen_chip import make_chip_folder
from borderpost.documents import mrz
from borderpost.specimens import chip as chips
from borderpost.specimens import der, face, forgeries, pki
from borderpost.specimens.active import ACTIVE_ALGORITHMS
from borderpost.specimens.chip import ChipOrder, Holder, Issuance, Protection, SpecimenError, make_chip
from borderpost.specimens.cms import Signer
from borderpost.specimens.curves import CURVES
from borderpost.specimens.folder import load_chip, save_chip
from borderpost.specimens.forgeries import FINDINGS, Forgery, forge
from borderpost.specimens.signing import ALGORITHMS, EC_CURVES, Scheme, signing_key

SIGNED = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
LINES = (
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
CARD = (
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
)
HASHES = {
    "sha1": hashes.SHA1(),  # noqa: S303 old chips
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
NONCE = bytes.fromhex("00112233445566ff")


def portrait_of(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (90, 120), colour).save(out, "PNG")
    return out.getvalue()


def order(**values) -> ChipOrder:
    return ChipOrder(**{"lines": LINES, "portrait": portrait_of("grey"), "signed_at": SIGNED, **values})


def head(data: bytes) -> tuple[int, int, int]:
    """Tag, start and end of the first object: tags of one or two bytes, lengths in the shortest form."""
    at = 2 if data[0] & 0x1F == 0x1F else 1
    tag, size = int.from_bytes(data[:at], "big"), data[at]
    at += 1
    if size >= 0x80:
        digits, at = data[at : at + size - 0x80], at + size - 0x80
        size = int.from_bytes(digits, "big")
        assert size >= 0x80
        assert digits[0] != 0
    assert at + size <= len(data)
    return tag, at, at + size


def children(value: bytes) -> list[tuple[int, bytes, bytes]]:
    """Tag, content and whole bytes of each object in a value."""
    found = []
    while value:
        tag, start, end = head(value)
        found.append((tag, value[start:end], value[:end]))
        value = value[end:]
    return found


def inner(file: bytes) -> bytes:
    """Content of the one object that a file is."""
    ((_, content, _),) = children(file)
    return content


def find(value: bytes, *path: int) -> bytes:
    """Go down by tags; the first of each."""
    for tag in path:
        value = next(content for number, content, _ in children(value) if number == tag)
    return value


def tags(value: bytes, *above: int) -> Iterator[tuple[int, ...]]:
    """Path of tags of every primitive object."""
    for tag, content, whole in children(value):
        if whole[0] & 0x20:
            yield from tags(content, *above, tag)
        else:
            yield (*above, tag)


def loaded_key(info: keys.PublicKeyInfo):
    """Load a public key; a curve that is written out must be exactly the one whose prime it has."""
    if info.algorithm == "ec" and info["algorithm"]["parameters"].name == "specified":
        given_domain = info["algorithm"]["parameters"].chosen
        prime = given_domain["field_id"]["parameters"].native
        name, curve = next((name, curve) for name, curve in CURVES.items() if curve.p == prime)
        base = given_domain["base"].contents
        assert int.from_bytes(given_domain["curve"]["a"].native, "big") == curve.a
        assert int.from_bytes(given_domain["curve"]["b"].native, "big") == curve.b
        assert len(given_domain["curve"]["a"].native) == curve.size
        assert base == b"\x04" + curve.x.to_bytes(curve.size, "big") + curve.y.to_bytes(curve.size, "big")
        assert (given_domain["order"].native, given_domain["cofactor"].native) == (curve.n, 1)
        return ec.EllipticCurvePublicKey.from_encoded_point(EC_CURVES[name], info["public_key"].contents[1:])
    return load_der_public_key(info.dump())


def verify(
    info: keys.PublicKeyInfo, algorithm: algos.SignedDigestAlgorithm, signature: bytes, message: bytes
):
    """Verify by what the AlgorithmIdentifier says alone. Raises InvalidSignature."""
    key = loaded_key(info)
    if algorithm.signature_algo == "ecdsa":
        key.verify(signature, message, ec.ECDSA(HASHES[algorithm.hash_algo]))
    elif algorithm.signature_algo == "rsassa_pss":
        parameters = algorithm["parameters"]
        digest = HASHES[parameters["hash_algorithm"]["algorithm"].native]
        mask = HASHES[parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native]
        key.verify(
            signature, message, padding.PSS(padding.MGF1(mask), parameters["salt_length"].native), digest
        )
    else:
        key.verify(signature, message, padding.PKCS1v15(), HASHES[algorithm.hash_algo])


def verify_certificate(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    assert certificate.issuer.dump() == issuer.subject.dump()
    assert certificate["signature_algorithm"].dump() == certificate["tbs_certificate"]["signature"].dump()
    verify(
        issuer.public_key,
        certificate["signature_algorithm"],
        certificate["signature_value"].native,
        certificate["tbs_certificate"].dump(),
    )


def opened(sod: bytes) -> tuple[cms.SignedData, bytes, x509.Certificate]:
    """Signed data, its content and the certificate in it."""
    info = cms.ContentInfo.load(inner(sod), strict=True)
    assert info["content_type"].native == "signed_data"
    signed = info["content"]
    return signed, bytes(signed["encap_content_info"]["content"]), signed["certificates"][0].chosen


def verify_signed_data(signed: cms.SignedData, certificate: x509.Certificate) -> None:
    """RFC 5652, 5.4: the digest attribute is the content's, and the signature is over the attributes as a SET."""
    (info,) = signed["signer_infos"]
    if info["signed_attrs"].native is None:
        raise InvalidSignature("no signed attributes")
    attributes = {each["type"].native: each["values"][0].native for each in info["signed_attrs"]}
    content = bytes(signed["encap_content_info"]["content"])
    digest = info["digest_algorithm"]["algorithm"].native
    assert attributes["content_type"] == signed["encap_content_info"]["content_type"].native
    if attributes["message_digest"] != hashlib.new(digest, content).digest():
        raise InvalidSignature("message digest")
    message = b"\x31" + info["signed_attrs"].dump()[1:]
    verify(certificate.public_key, info["signature_algorithm"], info["signature"].native, message)


def signed_hashes(content: bytes) -> tuple[int, str, dict[int, bytes]]:
    """Version, hash function and hashes of an LDSSecurityObject."""
    parts = children(inner(content))
    version = int.from_bytes(parts[0][1], "big")
    digest = algos.DigestAlgorithm.load(parts[1][2])["algorithm"].native
    pairs = (children(pair) for _, pair, _ in children(parts[2][1]))
    return version, digest, {int.from_bytes(number[1], "big"): value[1] for number, value in pairs}


def groups_of(chip: chips.SpecimenChip) -> dict[int, bytes]:
    return {int(name[2:]): content for name, content in chip.files.items() if name.startswith("DG")}


def unfitting(chip: chips.SpecimenChip) -> set[int]:
    """Data groups whose hash is not signed, or another one."""
    _, digest, values = signed_hashes(opened(chip.files["SOD"])[1])
    found = {number: hashlib.new(digest, content).digest() for number, content in groups_of(chip).items()}
    return {number for number, value in found.items() if values.get(number) != value}


@pytest.fixture(scope="module")
def genuine() -> chips.SpecimenChip:
    return make_chip(order())


@pytest.fixture(scope="module")
def state() -> pki.Pki:
    return order().state()


class TestEveryAlgorithm:
    @pytest.mark.parametrize("name", ALGORITHMS)
    def test_a_chip_verifies_from_its_hashes_to_the_csca(self, name):
        chip = make_chip(order(algorithm=name))
        signed, content, signer = opened(chip.files["SOD"])
        assert signer.dump() == chip.signer
        verify_signed_data(signed, signer)
        csca = x509.Certificate.load(chip.csca)
        verify_certificate(signer, csca)
        verify_certificate(csca, csca)
        assert unfitting(chip) == set()
        assert signed_hashes(content)[1] == ALGORITHMS[name].hash

    @pytest.mark.parametrize("name", ALGORITHMS)
    def test_what_is_signed_says_the_algorithm_that_was_asked_for(self, name):
        wanted = ALGORITHMS[name]
        info = pki.utopia(name, SIGNED).csca.certificate.public_key
        if wanted.scheme is Scheme.ECDSA:
            kind = info["algorithm"]["parameters"].name
            assert kind == ("specified" if wanted.explicit else "named")
            assert loaded_key(info).curve.name == wanted.curve
        else:
            assert info.algorithm == "rsa"
        said = pki.utopia(name, SIGNED).csca.certificate["signature_algorithm"]
        assert (
            said.signature_algo
            == {
                Scheme.ECDSA: "ecdsa",
                Scheme.RSA_PSS: "rsassa_pss",
                Scheme.RSA_PKCS1: "rsassa_pkcs1v15",
            }[wanted.scheme]
        )
        assert said.hash_algo == wanted.hash

    def test_they_are_all_that_travel_documents_are_signed_with(self):
        rsa_schemes = {(a.scheme, a.hash) for a in ALGORITHMS.values() if a.scheme is not Scheme.ECDSA}
        assert rsa_schemes == {
            (scheme, name) for scheme in (Scheme.RSA_PKCS1, Scheme.RSA_PSS) for name in HASHES
        }
        curves = {(a.curve, a.explicit) for a in ALGORITHMS.values() if a.scheme is Scheme.ECDSA}
        assert curves == {(curve, explicit) for curve in CURVES for explicit in (False, True)}


class TestTheState:
    def test_its_csca_has_icaos_profile(self, state):
        held = state.csca.certificate
        assert held.subject.native == {
            "country_name": "UT",
            "organization_name": "Utopia SPECIMEN",
            "common_name": "CSCA SPECIMEN",
            "serial_number": held.key_identifier[:4].hex().upper(),
        }
        assert held.ca is True
        assert held.max_path_length == 0
        assert held.key_usage_value.native == {"key_cert_sign", "crl_sign"}
        assert held.key_identifier == held.authority_key_identifier
        assert held.critical_extensions == {"basic_constraints", "key_usage"}
        bits = held.public_key["public_key"].contents[1:]
        assert held.key_identifier == hashlib.new("sha1", bits, usedforsecurity=False).digest()
        assert held.not_valid_before < SIGNED < held.not_valid_after
        assert held.private_key_usage_period_value["not_after"].native < held.not_valid_after

    def test_its_signer_has_icaos_profile(self, state):
        held = state.signer.certificate
        assert held.subject.native["country_name"] == "UT"
        assert not held.ca
        assert held.key_usage_value.native == {"digital_signature"}
        assert held.authority_key_identifier == state.csca.certificate.key_identifier
        assert held.extended_key_usage_value is None
        period = held.private_key_usage_period_value
        assert period["not_before"].native <= SIGNED <= period["not_after"].native
        types = next(
            each["extn_value"].contents
            for each in held["tbs_certificate"]["extensions"]
            if each["extn_id"].native == "2.23.136.1.1.6.2"
        )
        version, listed = children(inner(types))
        assert version[1] == b"\x00"
        assert [text for _, text, _ in children(listed[1])] == [b"I", b"P", b"V"]

    def test_its_former_csca_vouches_for_the_new_key(self, state):
        verify_certificate(state.link, state.former.certificate)
        assert state.link.public_key.dump() == state.csca.certificate.public_key.dump()
        assert state.link.key_identifier == state.csca.certificate.key_identifier
        assert state.link.authority_key_identifier == state.former.certificate.key_identifier

    def test_its_revocation_list_names_the_revoked_signer_alone(self, state):
        listed = crl.CertificateList.load(state.revocation_list, strict=True)
        body = listed["tbs_cert_list"]
        verify(
            state.csca.certificate.public_key,
            listed["signature_algorithm"],
            listed["signature"].native,
            body.dump(),
        )
        assert listed.issuer.dump() == state.csca.certificate.subject.dump()
        revoked = [each["user_certificate"].native for each in body["revoked_certificates"]]
        assert revoked == [state.revoked_signer.certificate.serial_number]
        assert body["next_update"].native > SIGNED

    def test_a_revocation_list_of_nothing_leaves_the_field_out(self, state):
        listed = crl.CertificateList.load(state.foreign_revocation_list, strict=True)
        assert listed["tbs_cert_list"]["revoked_certificates"].native is None

    def test_its_master_list_is_signed_and_complete(self, state):
        signed = cms.ContentInfo.load(state.master_list, strict=True)["content"]
        assert signed["encap_content_info"]["content_type"].native == "2.23.136.1.1.2"
        (info,) = signed["signer_infos"]
        signers = {each.chosen.key_identifier: each.chosen for each in signed["certificates"]}
        signer = signers[info["sid"].chosen.native]
        verify_signed_data(signed, signer)
        verify_certificate(signer, state.csca.certificate)
        assert signer.extended_key_usage_value.native == ["2.23.136.1.1.3"]
        version, listed = children(inner(bytes(signed["encap_content_info"]["content"])))
        assert version[1] == b"\x00"
        whole = [each for _, _, each in children(listed[1])]
        assert whole == sorted(whole)
        assert set(whole) == {
            state.csca.der,
            state.former.der,
            state.link.dump(),
            state.expired.der,
            state.foreign.der,
        }

    def test_its_ldif_holds_what_the_pkd_has(self, state):
        lines = state.ldif.decode("ascii").split("\n")
        assert max(map(len, lines)) <= 76
        unfolded = state.ldif.decode("ascii").replace("\n ", "")
        values = re.findall(r"^([A-Za-z]+(?:;binary)?):: (.+)$", unfolded, re.MULTILINE)
        found = [(name, base64.b64decode(value, validate=True)) for name, value in values]
        assert found == [
            ("pkdMasterListContent", state.master_list),
            ("userCertificate;binary", state.signer.der),
            ("userCertificate;binary", state.revoked_signer.der),
            ("certificateRevocationList;binary", state.revocation_list),
            ("certificateRevocationList;binary", state.foreign_revocation_list),
        ]
        assert (
            len(re.findall(r"^dn: .+,dc=data,dc=download,dc=pkd,dc=icao,dc=int$", unfolded, re.MULTILINE))
            == 5
        )

    def test_states_of_different_keys_have_different_names(self, state):
        other = pki.utopia("ecdsa-secp384r1-sha384", SIGNED)
        assert other.csca.certificate.subject.dump() != state.csca.certificate.subject.dump()
        of_the_state = (state.former, state.expired)
        assert {each.certificate.subject.dump() for each in of_the_state} == {
            state.csca.certificate.subject.dump()
        }

    def test_times_from_2050_on_are_written_out(self):
        late = datetime(2045, 1, 1, tzinfo=UTC)
        held = pki.utopia("ecdsa-secp256r1-sha256", late).csca.certificate
        validity = held["tbs_certificate"]["validity"]
        assert (validity["not_before"].name, validity["not_after"].name) == ("utc_time", "general_time")

    def test_keys_last_for_the_run_and_roles_have_their_own(self):
        algorithm = ALGORITHMS["ecdsa-secp256r1-sha256"]
        assert signing_key(algorithm, "csca").key_id() == signing_key(algorithm, "csca").key_id()
        assert signing_key(algorithm, "csca").key_id() != signing_key(algorithm, "document signer").key_id()

    def test_everything_it_signs_with_says_specimen(self, state):
        for each in (state.csca, state.former, state.expired, state.foreign, state.signer, state.list_signer):
            assert "SPECIMEN" in each.certificate.subject.native["common_name"]


class TestFiles:
    @pytest.mark.parametrize("lines", [LINES, CARD])
    def test_dg1_is_the_zone_without_line_breaks(self, lines):
        chip = make_chip(order(lines=lines))
        assert chip.files["DG1"][:1] == b"\x61"
        ((tag, text, _),) = children(inner(chip.files["DG1"]))
        assert tag == 0x5F1F
        assert text == "".join(lines).encode()

    def test_com_lists_the_groups_that_are_there(self):
        chip = make_chip(order(holder=Holder("A<<B"), issuance=Issuance("C")))
        assert chip.files["COM"][:1] == b"\x60"
        versions = find(chip.files["COM"], 0x60, 0x5F01), find(chip.files["COM"], 0x60, 0x5F36)
        assert versions == (b"0108", b"040000")
        assert find(chip.files["COM"], 0x60, 0x5C) == bytes.fromhex("61756b6c6e6f")
        assert sorted(groups_of(chip)) == [1, 2, 11, 12, 14, 15]

    @pytest.mark.parametrize(("version", "members"), [(0, 3), (1, 4)])
    def test_the_security_object_has_the_version_asked_for(self, version, members):
        _, content, _ = opened(make_chip(order(lds_version=version)).files["SOD"])
        assert len(children(inner(content))) == members
        assert signed_hashes(content)[0] == version
        assert children(inner(content))[1][1].endswith(b"\x05\x00") is (version == 0)
        if version == 1:
            lds, unicode = children(children(inner(content))[3][1])
            assert (lds[1], unicode[1]) == (b"0108", b"040000")

    @pytest.mark.parametrize("by_key_id", [False, True])
    def test_the_security_object_names_its_signer(self, by_key_id):
        signed, _, signer = opened(make_chip(order(by_key_id=by_key_id)).files["SOD"])
        (info,) = signed["signer_infos"]
        if by_key_id:
            assert info["version"].native == "v3"
            assert info["sid"].chosen.native == signer.key_identifier
        else:
            assert info["version"].native == "v1"
            assert info["sid"].chosen["issuer"].dump() == signer.issuer.dump()
            assert info["sid"].chosen["serial_number"].native == signer.serial_number

    @pytest.mark.parametrize("said", [False, True])
    def test_the_security_object_says_when_it_was_signed_if_asked(self, said):
        signed, _, _ = opened(make_chip(order(signing_time=said)).files["SOD"])
        attributes = {
            each["type"].native: each["values"][0].native
            for each in signed["signer_infos"][0]["signed_attrs"]
        }
        assert attributes.get("signing_time") == (SIGNED if said else None)

    def test_dg11_has_what_is_known_of_the_holder_in_the_standards_order(self):
        holder = Holder(
            "Øster<<Änna", ("Older<<Name", "Other<<Name"), "12-34", date(1974, 8, 12), ("Zenith", "UT")
        )
        objects = children(inner(make_chip(order(holder=holder)).files["DG11"]))
        assert [tag for tag, _, _ in objects] == [0x5C, 0x5F0E, 0xA0, 0x5F10, 0x5F2B, 0x5F11]
        values = [value for _, value, _ in objects]
        assert values[0] == bytes.fromhex("5f0e5f0f5f105f2b5f11")
        assert values[1].decode() == "Øster<<Änna"
        assert [value for _, value, _ in children(values[2])] == [b"\x02", b"Older<<Name", b"Other<<Name"]
        assert values[3:] == [b"12-34", b"19740812", b"Zenith<UT"]

    @pytest.mark.parametrize(
        ("day", "bcd", "written"),
        [
            (date(1974, 8, 12), True, bytes.fromhex("19740812")),
            (mrz.PartialDate(1974, None, None), False, b"19740000"),
            (mrz.PartialDate(None, 8, 12), False, b"00000812"),
        ],
    )
    def test_dates_may_be_packed_or_partly_unknown(self, day, bcd, written):
        chip = make_chip(order(holder=Holder(birth_date=day), bcd_dates=bcd))
        assert find(chip.files["DG11"], 0x6B, 0x5F2B) == written

    def test_dg12_leaves_out_what_is_not_known(self):
        content = inner(make_chip(order(issuance=Issuance(issued_on=date(2026, 11, 1)))).files["DG12"])
        assert [whole.hex() for _, _, whole in children(content)] == [
            "5c025f26",
            "5f2608" + b"20261101".hex(),
        ]

    def test_dg14_of_chip_authentication_has_a_key_and_its_protocol(self):
        chip = make_chip(order(protection=Protection.CHIP))
        infos = children(inner(inner(chip.files["DG14"])))
        by_protocol = {
            core.ObjectIdentifier.load(children(info)[0][2]).native: children(info) for _, info, _ in infos
        }
        assert set(by_protocol) == {"0.4.0.127.0.7.2.2.1.2", "0.4.0.127.0.7.2.2.3.2.2"}
        info = keys.PublicKeyInfo.load(by_protocol["0.4.0.127.0.7.2.2.1.2"][1][2])
        assert loaded_key(info).curve.name == "brainpoolP256r1"
        assert "DG15" not in chip.files

    def test_a_chip_without_protection_has_no_keys(self):
        chip = make_chip(order(protection=Protection.NONE))
        assert set(chip.files) == {"COM", "SOD", "DG1", "DG2"}
        with pytest.raises(SpecimenError, match="no key"):
            chip.answer(NONCE)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"lines": ("P<UTO",)}, "9303 format"),
            ({"portrait": b"no picture"}, "portrait"),
            ({"portrait": portrait_of("grey")[:60]}, "portrait"),
            ({"lds_version": 2}, "0 or 1"),
            ({"active": "rsa"}, "active"),
            ({"algorithm": "dsa"}, "algorithm"),
        ],
    )
    def test_an_order_that_cannot_be_met_is_refused(self, wrong, message):
        with pytest.raises(SpecimenError, match=message):
            make_chip(order(**wrong))


class TestPortrait:
    @pytest.mark.parametrize("kind", face.PictureKind)
    def test_a_19794_5_record_holds_one_picture_of_the_right_size(self, kind):
        chip = make_chip(order(picture=kind))
        template = find(chip.files["DG2"], 0x75, 0x7F61, 0x7F60)
        (_, header, _), (tag, record, _) = children(template)
        assert tag == 0x5F2E
        assert header == bytes.fromhex("800201018101028702010188020008")
        assert struct.unpack(">4s4sIH", record[:14]) == (b"FAC\0", b"010\0", len(record), 1)
        block = record[14:]
        assert struct.unpack(">IH", block[:6]) == (len(block), 0)
        face_type, data_type, width, height = struct.unpack(">BBHH", block[20:26])
        assert (face_type, data_type) == (1, 0 if kind is face.PictureKind.JPEG else 1)
        with Image.open(io.BytesIO(block[32:])) as picture:
            assert (picture.format, picture.size) == (kind.value, (width, height))
            assert picture.size == (413, 531)

    @pytest.mark.parametrize("kind", face.PictureKind)
    def test_a_39794_5_record_has_the_structure_of_the_standard(self, kind):
        chip = make_chip(order(picture=kind, face_format=face.FaceFormat.ISO_39794_5))
        template = find(chip.files["DG2"], 0x75, 0x7F61, 0x7F60)
        (_, header, _), (tag, record, _) = children(template)
        assert tag == 0x7F2E
        assert header.endswith(bytes.fromhex("8802002a"))
        block = find(record, 0xA1, 0x65)
        assert [value for _, value, _ in children(find(block, 0xA0))] == [b"\x03", b"\x07\xe3"]
        representation = find(block, 0xA1, 0x30)
        picture_2d = find(representation, 0xA1, 0xA0, 0xA0)
        assert find(picture_2d, 0xA1, 0xA0, 0x80) == (b"\x02" if kind is face.PictureKind.JPEG else b"\x03")
        with Image.open(io.BytesIO(find(picture_2d, 0x80))) as picture:
            assert (picture.format, picture.size) == (kind.value, (413, 531))
            picture.load()


def recovered(info: keys.PublicKeyInfo, signature: bytes, *, smaller: bool) -> bytes:
    """Open an ISO/IEC 9796-2 signature with the public key: plain arithmetic.

    Of the block and its complement, one ends in the nibble C (ISO/IEC 9796-2, annex B).
    """
    numbers = info["public_key"].parsed.native
    modulus = numbers["modulus"]
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if smaller:
        assert number <= modulus - number
    block = pow(number, numbers["public_exponent"], modulus)
    if smaller and block % 16 != 0xC:
        block = modulus - block
    return block.to_bytes(size, "big")


class TestActiveAuthentication:
    @pytest.mark.parametrize("name", [name for name, each in ACTIVE_ALGORITHMS.items() if not each.curve])
    def test_an_rsa_answer_holds_the_hash_of_both_nonces(self, name):
        chip = make_chip(order(active=name))
        assert "DG14" not in chip.files
        info = keys.PublicKeyInfo.load(inner(chip.files["DG15"]))
        algorithm = ACTIVE_ALGORITHMS[name]
        signature = chip.answer(NONCE)
        assert len(signature) * 8 == algorithm.bits
        block = recovered(info, signature, smaller=algorithm.smaller)
        trailer = {"sha1": "bc", "sha224": "38cc", "sha256": "34cc", "sha384": "36cc", "sha512": "35cc"}
        ending = bytes.fromhex(trailer[algorithm.hash])
        size = hashlib.new(algorithm.hash).digest_size
        body = block[1 : -len(ending)]
        assert block[0] == 0x6A
        assert block.endswith(ending)
        assert body[-size:] == hashlib.new(algorithm.hash, body[:-size] + NONCE).digest()
        assert body[-size:] != hashlib.new(algorithm.hash, body[:-size] + NONCE[::-1]).digest()
        assert recovered(info, chip.answer(NONCE), smaller=algorithm.smaller) != block

    @pytest.mark.parametrize("name", [name for name, each in ACTIVE_ALGORITHMS.items() if each.curve])
    def test_an_ecdsa_answer_is_r_and_s_side_by_side(self, name):
        chip = make_chip(order(active=name))
        algorithm = ACTIVE_ALGORITHMS[name]
        key = loaded_key(keys.PublicKeyInfo.load(inner(chip.files["DG15"])))
        signature = chip.answer(NONCE)
        half = len(signature) // 2
        assert half == CURVES[algorithm.curve].size
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        method = ec.ECDSA(HASHES[algorithm.hash])
        key.verify(encode_dss_signature(r, s), NONCE, method)
        with pytest.raises(InvalidSignature):
            key.verify(encode_dss_signature(r, s), NONCE[::-1], method)
        ((_, info, _),) = children(inner(inner(chip.files["DG14"])))
        protocol, version, signed_with = children(info)
        assert core.ObjectIdentifier.load(protocol[2]).native == "2.23.136.1.1.5"
        assert version[1] == b"\x01"
        number = {"sha1": 1, "sha224": 2, "sha256": 3, "sha384": 4, "sha512": 5}[algorithm.hash]
        assert core.ObjectIdentifier.load(signed_with[2]).native == f"0.4.0.127.0.7.1.1.4.1.{number}"

    def test_no_two_chips_share_a_key(self, genuine):
        assert make_chip(order()).files["DG15"] != genuine.files["DG15"]


SAME = ("files", "signer", "csca", "crl", "trust", "printed", "key")
CHANGES = {
    Forgery.CHANGED_MRZ: ({"DG1"}, {"printed"}),
    Forgery.SWAPPED_PORTRAIT: ({"DG2"}, set()),
    Forgery.UNSIGNED_GROUP: ({"COM", "DG11"}, set()),
    Forgery.MISSING_GROUP: ({"DG2"}, set()),
    Forgery.HIDDEN_KEY: ({"COM", "DG14", "DG15"}, {"key"}),
    Forgery.SWAPPED_KEY: ({"DG15"}, {"key"}),
    Forgery.SILENT_CLONE: (set(), {"key"}),
    Forgery.ANSWERING_CLONE: (set(), {"key"}),
    Forgery.WRONG_ISSUER: ({"SOD"}, {"signer"}),
    Forgery.UNKNOWN_ISSUER_KEY: ({"SOD"}, {"signer"}),
    Forgery.UNKNOWN_ISSUER: ({"SOD"}, {"signer"}),
    Forgery.EXPIRED_SIGNER: ({"SOD"}, {"signer"}),
    Forgery.SIGNER_NOT_YET_VALID: ({"SOD"}, {"signer"}),
    Forgery.EXPIRED_CSCA: ({"SOD"}, {"signer", "csca", "trust"}),
    Forgery.REVOKED_SIGNER: ({"SOD"}, {"signer"}),
    Forgery.FOREIGN_SIGNER: ({"SOD"}, {"signer", "csca", "crl", "trust"}),
    Forgery.LIST_SIGNER: ({"SOD"}, {"signer"}),
    Forgery.BROKEN_SIGNATURE: ({"SOD"}, set()),
    Forgery.WRONG_DIGEST: ({"SOD", "DG1"}, {"printed"}),
    Forgery.NO_SIGNED_ATTRIBUTES: ({"SOD"}, set()),
    Forgery.MISMATCHED_HASH: ({"SOD"}, set()),
    Forgery.WEAK_HASH: ({"SOD"}, set()),
    Forgery.TRUNCATED_SECURITY_OBJECT: ({"SOD"}, set()),
    Forgery.OTHER_COMMON_DATA: ({"COM"}, set()),
    Forgery.OTHER_PAGE: (set(), {"printed"}),
}
UNSIGNED = (Forgery.BROKEN_SIGNATURE, Forgery.WRONG_DIGEST, Forgery.NO_SIGNED_ATTRIBUTES)
NOT_ISSUED = (Forgery.WRONG_ISSUER, Forgery.UNKNOWN_ISSUER_KEY, Forgery.UNKNOWN_ISSUER)
HASHES_DIFFER = {
    Forgery.CHANGED_MRZ: {1},
    Forgery.SWAPPED_PORTRAIT: {2},
    Forgery.UNSIGNED_GROUP: {11},
    Forgery.SWAPPED_KEY: {15},
    Forgery.MISMATCHED_HASH: {1, 2, 14, 15},
}


class TestForgeries:
    def test_each_is_made_and_says_what_must_be_found(self):
        assert set(CHANGES) == set(Forgery) == set(FINDINGS)
        assert {finding.verdict for finding in FINDINGS.values()} == {"FAIL", "UNDETERMINED"}

    @pytest.mark.parametrize("forgery", Forgery)
    def test_it_differs_from_the_genuine_chip_in_what_it_claims_alone(self, forgery, genuine):
        forged = forge(forgery, order(), genuine=genuine)
        names = set(forged.files) | set(genuine.files)
        files = {name for name in names if forged.files.get(name) != genuine.files.get(name)}
        others = {name for name in SAME[1:] if getattr(forged, name) != getattr(genuine, name)}
        assert (files, others) == CHANGES[forgery]

    @pytest.mark.parametrize(
        "forgery", [each for each in Forgery if each is not Forgery.TRUNCATED_SECURITY_OBJECT]
    )
    def test_only_the_claimed_links_of_the_chain_are_broken(self, forgery, genuine):
        forged = forge(forgery, order(), genuine=genuine)
        assert unfitting(forged) == HASHES_DIFFER.get(forgery, set())
        signed, _, signer = opened(forged.files["SOD"])
        assert signer.dump() == forged.signer
        if forgery in UNSIGNED:
            with pytest.raises(InvalidSignature):
                verify_signed_data(signed, signer)
        else:
            verify_signed_data(signed, signer)
        csca = x509.Certificate.load(forged.csca)
        if forgery in NOT_ISSUED:
            with pytest.raises((InvalidSignature, AssertionError)):
                verify_certificate(signer, csca)
        else:
            verify_certificate(signer, csca)

    def test_all_of_one_order_are_judged_with_one_master_list(self, genuine, state):
        for forgery in Forgery:
            forged = forge(forgery, order(), genuine=genuine)
            assert forged.trust["masterlist.ml"] == genuine.trust["masterlist.ml"]
            assert forged.trust["pkd.ldif"] == genuine.trust["pkd.ldif"]
            assert forged.csca in {state.csca.der, state.expired.der, state.foreign.der}

    def test_a_changed_mrz_has_all_its_check_digits_right_and_one_other_letter(self, genuine):
        forged = forge(Forgery.CHANGED_MRZ, order(), genuine=genuine)
        assert forged.files["DG1"].endswith("".join(forged.printed).encode())
        assert mrz.refuted(mrz.digit_evidence(forged.printed, mrz.TD3)) == ()
        pairs = zip("".join(forged.printed), "".join(genuine.printed), strict=True)
        assert sum(one != other for one, other in pairs) == 1

    def test_a_swapped_portrait_shows_who_was_given(self, genuine):
        forged = forge(Forgery.SWAPPED_PORTRAIT, order(), genuine=genuine, other_portrait=portrait_of("red"))
        assert forged.files["DG2"] == make_chip(order(portrait=portrait_of("red"))).files["DG2"]

    def test_a_group_is_added_to_a_chip_that_had_signed_details(self):
        detailed = order(holder=Holder("A<<B"))
        assert unfitting(forge(Forgery.UNSIGNED_GROUP, detailed)) == {11}

    def test_a_hidden_key_is_still_in_the_security_object(self, genuine):
        forged = forge(Forgery.HIDDEN_KEY, order(), genuine=genuine)
        _, _, values = signed_hashes(opened(forged.files["SOD"])[1])
        assert set(values) == {1, 2, 14, 15}
        assert find(forged.files["COM"], 0x60, 0x5C) == bytes.fromhex("6175")

    def test_a_silent_clone_answers_nothing_and_another_answers_wrongly(self, genuine):
        with pytest.raises(SpecimenError):
            forge(Forgery.SILENT_CLONE, order(), genuine=genuine).answer(NONCE)
        key = loaded_key(keys.PublicKeyInfo.load(inner(genuine.files["DG15"])))
        signature = forge(Forgery.ANSWERING_CLONE, order(), genuine=genuine).answer(NONCE)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        with pytest.raises(InvalidSignature):
            key.verify(encode_dss_signature(r, s), NONCE, ec.ECDSA(hashes.SHA256()))

    def test_a_swapped_key_answers_by_its_own_group(self, genuine):
        forged = forge(Forgery.SWAPPED_KEY, order(), genuine=genuine)
        assert keys.PublicKeyInfo.load(inner(forged.files["DG15"])).dump() == forged.key.public_info().dump()

    def test_a_wrong_issuer_copies_all_that_points_to_the_csca(self, genuine):
        signer = x509.Certificate.load(forge(Forgery.WRONG_ISSUER, order(), genuine=genuine).signer)
        csca = x509.Certificate.load(genuine.csca)
        assert signer.issuer.dump() == csca.subject.dump()
        assert signer.authority_key_identifier == csca.key_identifier

    def test_an_unknown_key_has_a_known_name_and_an_unknown_issuer_has_not(self, genuine):
        csca = x509.Certificate.load(genuine.csca)
        one = x509.Certificate.load(forge(Forgery.UNKNOWN_ISSUER_KEY, order(), genuine=genuine).signer)
        other = x509.Certificate.load(forge(Forgery.UNKNOWN_ISSUER, order(), genuine=genuine).signer)
        assert one.issuer.dump() == csca.subject.dump() != other.issuer.dump()
        assert csca.key_identifier not in {one.authority_key_identifier, other.authority_key_identifier}

    def test_validity_is_missed_as_each_says(self, genuine):
        later = SIGNED + timedelta(days=30)
        expired = x509.Certificate.load(forge(Forgery.EXPIRED_SIGNER, order(), genuine=genuine).signer)
        assert expired.not_valid_before < SIGNED < expired.not_valid_after < later
        early = x509.Certificate.load(forge(Forgery.SIGNER_NOT_YET_VALID, order(), genuine=genuine).signer)
        assert SIGNED < early.not_valid_before < later < early.not_valid_after
        old = forge(Forgery.EXPIRED_CSCA, order(), genuine=genuine)
        csca, signer = x509.Certificate.load(old.csca), x509.Certificate.load(old.signer)
        assert csca.not_valid_before < SIGNED < csca.not_valid_after < later < signer.not_valid_after

    def test_a_foreign_signer_is_of_the_country_of_its_csca(self, genuine):
        forged = forge(Forgery.FOREIGN_SIGNER, order(), genuine=genuine)
        countries = {
            x509.Certificate.load(each).subject.native["country_name"]
            for each in (forged.signer, forged.csca)
        }
        assert countries == {"ZZ"}

    def test_a_wrong_digest_leaves_the_signature_over_the_attributes_right(self, genuine):
        forged = forge(Forgery.WRONG_DIGEST, order(), genuine=genuine)
        signed, _, signer = opened(forged.files["SOD"])
        (info,) = signed["signer_infos"]
        message = b"\x31" + info["signed_attrs"].dump()[1:]
        verify(signer.public_key, info["signature_algorithm"], info["signature"].native, message)

    def test_no_signed_attributes_are_left(self, genuine):
        signed, _, _ = opened(forge(Forgery.NO_SIGNED_ATTRIBUTES, order(), genuine=genuine).files["SOD"])
        assert signed["signer_infos"][0]["signed_attrs"].native is None

    def test_a_weak_hash_fits_and_is_md5(self, genuine):
        forged = forge(Forgery.WEAK_HASH, order(), genuine=genuine)
        assert signed_hashes(opened(forged.files["SOD"])[1])[1] == "md5"

    def test_a_truncated_security_object_cannot_be_parsed(self, genuine):
        with pytest.raises(AssertionError):
            inner(forge(Forgery.TRUNCATED_SECURITY_OBJECT, order(), genuine=genuine).files["SOD"])

    def test_other_common_data_names_groups_that_are_not_there(self, genuine):
        forged = forge(Forgery.OTHER_COMMON_DATA, order(), genuine=genuine)
        assert find(forged.files["COM"], 0x60, 0x5C) == bytes.fromhex("616e6f6367")

    @pytest.mark.parametrize("forgery", [each for each in Forgery if each in forgeries.NEED_ACTIVE])
    @pytest.mark.parametrize("protection", [Protection.CHIP, Protection.NONE])
    def test_a_copy_needs_something_to_prove(self, forgery, protection):
        with pytest.raises(SpecimenError, match="without active authentication"):
            forge(forgery, order(protection=protection))

    def test_too_early_a_signature_needs_a_time(self):
        with pytest.raises(SpecimenError, match="signing time"):
            forge(Forgery.SIGNER_NOT_YET_VALID, order(signing_time=False))

    @pytest.mark.parametrize("algorithm", ["rsa-pss-sha256", "ecdsa-brainpoolP384r1-sha384-explicit"])
    @pytest.mark.parametrize("forgery", [*UNSIGNED, Forgery.WRONG_ISSUER, Forgery.MISMATCHED_HASH])
    def test_it_can_be_made_in_other_algorithms(self, forgery, algorithm):
        forged = forge(forgery, order(algorithm=algorithm))
        assert opened(forged.files["SOD"])[2].dump() == forged.signer


DATA = Path(os.environ.get("BORDERPOST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "chips/dg2"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("gmrtd_ICAO_9303-10_sample_DG2.bin", face.FaceFormat.ISO_19794_5),
        ("ICAO_39794_5_AP_DG2_MandFields.dat.bin", face.FaceFormat.ISO_39794_5),
    ],
)
def test_dg2_is_tagged_as_the_standards_own_sample_is(name, encoding):
    if not DATA.is_dir():
        pytest.skip("evaluation data is absent: ../shared/data/chips, or BORDERPOST_DATA")
    header = (0x75, 0x7F61, 0x7F60, 0xA1)
    optional = {(*header, 0x80), (*header, 0x81)}  # version and biometric type: not in each of the samples
    wanted = [path for path in tags((DATA / name).read_bytes()) if path not in optional]
    made = list(tags(make_chip(order(face_format=encoding)).files["DG2"]))
    assert [path for path in made if path not in optional] == wanted


class TestFolder:
    @pytest.mark.parametrize("active", ["ecdsa-secp521r1-sha512", "rsa-1024-sha1"])
    def test_a_saved_chip_is_read_back_and_answers(self, active, tmp_path):
        chip = make_chip(order(active=active, holder=Holder("A<<B")))
        save_chip(chip, tmp_path / "chip")
        loaded = load_chip(tmp_path / "chip")
        assert replace(loaded, key=None) == replace(chip, key=None)
        assert loaded.key.public_info().dump() == chip.key.public_info().dump()
        assert loaded.key.algorithm == chip.key.algorithm
        assert (tmp_path / "chip" / "chip.key").stat().st_mode & 0o777 == 0o600

    def test_a_chip_takes_the_place_of_an_earlier_one(self, tmp_path):
        save_chip(make_chip(order(holder=Holder("A<<B"))), tmp_path)
        plain = make_chip(order(protection=Protection.NONE))
        save_chip(plain, tmp_path)
        assert load_chip(tmp_path) == plain

    def test_a_folder_without_a_chip_says_so(self, tmp_path):
        with pytest.raises(SpecimenError, match="want a folder of a specimen chip"):
            load_chip(tmp_path)

    @pytest.mark.parametrize("name", ["chip.json", "chip.key"])
    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b"5"])
    def test_a_damaged_folder_is_refused(self, name, content, genuine, tmp_path):
        save_chip(genuine, tmp_path)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SpecimenError):
            load_chip(tmp_path)

    def test_a_key_of_another_kind_is_refused(self, genuine, tmp_path):
        save_chip(genuine, tmp_path)
        other = make_chip(order(active="rsa-2048-sha256"))
        save_chip(other, tmp_path / "other")
        (tmp_path / "chip.key").write_bytes((tmp_path / "other" / "chip.key").read_bytes())
        with pytest.raises(SpecimenError, match="damaged"):
            load_chip(tmp_path)

    def test_a_huge_file_is_not_read(self, genuine, tmp_path):
        save_chip(genuine, tmp_path)
        (tmp_path / "DG2.bin").write_bytes(bytes(4 * 1024 * 1024 + 1))
        with pytest.raises(SpecimenError, match="at most"):
            load_chip(tmp_path)


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path):
        app = typer.Typer()
        app.command()(make_chip_folder)
        (tmp_path / "me.png").write_bytes(portrait_of("grey"))

        def call(*options: str):
            paths = ["--portrait", str(tmp_path / "me.png"), "--out", str(tmp_path / "chip")]
            return CliRunner().invoke(app, [*paths, *options])

        return call

    def test_it_makes_a_chip_that_can_be_loaded(self, run, tmp_path):
        result = run("--surname", "Müller", "--json")
        assert result.exit_code == 0, result.output
        chip = load_chip(tmp_path / "chip")
        assert chip.printed[0].startswith("P<UTOMUELLER<<TRAVELER")
        assert set(chip.files) == {"COM", "SOD", "DG1", "DG2", "DG11", "DG12", "DG14", "DG15"}
        assert unfitting(chip) == set()

    def test_it_makes_a_forged_chip_and_says_what_must_be_found(self, run, tmp_path):
        result = run("--forgery", "changed-mrz", "--no-details", "--protection", "chip")
        assert result.exit_code == 0, result.output
        assert "DATA_GROUP_HASHES" in result.output
        assert unfitting(load_chip(tmp_path / "chip")) == {1}

    def test_it_takes_the_lines_of_any_format(self, run, tmp_path):
        result = run(*(word for line in CARD for word in ("--mrz", line)))
        assert result.exit_code == 0, result.output
        assert load_chip(tmp_path / "chip").printed == CARD

    @pytest.mark.parametrize(("protection", "missing"), [("active", 0), ("none", 4)])
    def test_it_makes_every_chip_with_one_trust(self, run, protection, missing, tmp_path):
        result = run("--all", "--protection", protection, "--json")
        assert result.exit_code == 0, result.output
        folders = [Path(each["folder"]) for each in json.loads(result.output)["chips"]]
        assert len(folders) == 1 + len(Forgery) - missing
        assert len({load_chip(folder).trust["masterlist.ml"] for folder in folders}) == 1
        assert unfitting(load_chip(tmp_path / "chip" / "genuine")) == set()

    @pytest.mark.parametrize(
        "option", ["--algorithm", "--active", "--protection", "--face", "--picture", "--forgery", "--sex"]
    )
    def test_an_unknown_choice_is_refused_with_what_there_is(self, run, option, tmp_path):
        result = run(option, "nonsense")
        assert result.exit_code == 2
        assert "want one of" in " ".join(re.sub(r"[│\s]+", " ", result.output).split())
        assert not (tmp_path / "chip").exists()


@given(st.integers(min_value=0, max_value=2**600))
def test_numbers_are_written_as_asn1crypto_reads_them(number):
    assert core.Integer.load(der.integer(number), strict=True).native == number


@given(st.binary(max_size=70_000), st.sampled_from([0x04, 0x30, 0x61, 0x7F61, 0x5F2E]))
def test_tags_and_lengths_are_written_as_they_are_read(content, tag):
    written = der.tlv(tag, content)
    assert children(written) == [(tag, content, written)]


@pytest.mark.parametrize("curve", CURVES)
def test_the_curves_are_those_that_their_names_say(curve):
    """The base point is on the curve, and is the public key of 1; the order takes it back to where it began."""
    values = CURVES[curve]
    assert (values.y**2 - values.x**3 - values.a * values.x - values.b) % values.p == 0
    base = ec.derive_private_key(1, EC_CURVES[curve]).public_key().public_numbers()
    assert (base.x, base.y) == (values.x, values.y)
    opposite = ec.derive_private_key(values.n - 1, EC_CURVES[curve]).public_key().public_numbers()
    assert (opposite.x, opposite.y) == (values.x, values.p - values.y)


def test_a_signer_keeps_its_bytes(state):
    assert Signer(state.csca.key, state.csca.certificate).der == x509.Certificate.load(state.csca.der).dump()
    assert isinstance(signing_key(ALGORITHMS["rsa-pss-sha256"], "csca").private, rsa.RSAPrivateKey)
