"""Hostile trust files: a typed error or a refusal, in bounded time, and never a crash."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from asn1crypto import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.documents.trust.anchors import (
    Candidate,
    Checks,
    Known,
    Rules,
    TooMuchToCheckError,
    admit,
)
from borderpost.documents.trust.domain import NOTHING_TRUSTED, FileKind, Findings
from borderpost.documents.trust.errors import TrustFileRefusedError, TrustFileUnreadableError
from borderpost.documents.trust.importing import MAX_ITEMS, examine
from borderpost.documents.trust.master_list import MAX_LISTED
from borderpost.documents.trust.sniffing import file_kind
from borderpost.runtime.trust_reasons import TRUST_REASONS
from borderpost.specimens import pki
from borderpost.specimens.der import sequence, tlv
from fakes.trust import NOW, House, a_house, a_list, authority, in_ldif, sha256, utopia

TYPED = (TrustFileRefusedError, TrustFileUnreadableError)
SECONDS = 20.0
"""On a busy machine; on a quiet one each takes less than 5."""

MAX_MESSAGE = 2000
BYTES = 256 * 1024 * 1024
FULL = 12 * 1024 * 1024


def look(file: bytes, issuer: bytes = b"") -> Findings:
    return examine(
        file, NOTHING_TRUSTED, frozenset(), Rules(NOW, accept_specimens=True, issuer_sha256=issuer)
    )


def outcome(file: bytes, issuer: bytes = b"") -> Findings | TrustFileRefusedError | TrustFileUnreadableError:
    """What a file brings, or the typed error; whatever else is raised fails the test."""
    try:
        return look(file, issuer)
    except TYPED as error:
        return error


def deep(levels: int) -> bytes:
    """Elements within elements, by the indefinite length, so that each level takes two bytes."""
    return b"\x30\x80" * levels + b"\x00\x00" * levels


def nested(levels: int) -> bytes:
    """The same with lengths that fit."""
    data = b"\x05\x00"
    for _ in range(levels):
        data = sequence(data)
    return data


GOOD = {
    "master list": lambda: utopia().master_list,
    "LDIF": lambda: utopia().ldif,
    "certificate": lambda: utopia().csca.der,
    "revocation list": lambda: utopia().revocation_list,
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_that_is_cut_off_anywhere_is_a_typed_error(kind: str):
    data = GOOD[kind]()
    issuer = sha256(utopia().csca.der)
    for length in {*range(40), *range(40, len(data) - 1, max(1, len(data) // 60))}:
        found = outcome(data[:length], issuer)
        whole_records = isinstance(found, Findings) and found.kind is FileKind.LDIF
        assert whole_records or isinstance(found, TYPED)


@pytest.mark.parametrize("kind", GOOD)
def test_bytes_altered_at_random_bring_nothing_but_typed_errors_and_known_reasons(kind: str):
    data, chance = GOOD[kind](), random.Random(4711)  # noqa: S311  # what to alter is no secret
    for _ in range(150):
        spoiled = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8))):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        found = outcome(bytes(spoiled), sha256(utopia().csca.der))
        if isinstance(found, Findings):
            assert {each.reason for each in found.refused} <= TRUST_REASONS.keys()
        else:
            assert len(found.message) < MAX_MESSAGE


@given(st.binary(max_size=600))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_bring_nothing(data: bytes):
    found = outcome(data)
    assert isinstance(found, TYPED) or found.certificates == ()


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_on_a_signed_list_are_refused_one_by_one_or_as_a_whole(data: bytes):
    csca = authority("signs anything")
    found = outcome(a_list([csca.der, data], csca), sha256(csca.der))
    assert isinstance(found, TYPED) or {each.reason for each in found.refused} <= TRUST_REASONS.keys()


@pytest.mark.parametrize(
    "make",
    [
        lambda: deep(FULL // 4),
        lambda: nested(4000),
        lambda: b"\x30\x84\xff\xff\xff\xff" + bytes(1000),
        lambda: b"\x30\xff" + b"\xff" * 127,
        lambda: sequence(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", tlv(0xA0, deep(100_000))),
        lambda: sequence(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", tlv(0xA0, nested(4000))),
        lambda: sequence(bytes(FULL - 100)),
        lambda: b"\x30" * FULL,
        lambda: b"-----BEGIN CERTIFICATE-----\n" + b"A" * (FULL - 100) + b"\n-----END CERTIFICATE-----\n",
        lambda: b"-----BEGIN CMS-----\n" * 500_000,
        lambda: b"-----BEGIN CERTIFICATE-----\n" + b"A\n" * 5_000_000,
        lambda: in_ldif(("cACertificate;binary", deep(FULL // 8))),
        lambda: in_ldif(("pkdMasterListContent", deep(FULL // 8))),
        lambda: in_ldif(("certificateRevocationList;binary", deep(FULL // 8))),
        lambda: b"dn: x\n" + b"cACertificate;binary:: AAAA\n" * 100_000,
        lambda: b"dn: x\ncACertificate;binary:: AAAA\n\n" * 6_000,
    ],
    ids=[
        "deep",
        "nested",
        "promises 4 GiB",
        "length of 127 octets",
        "deep CMS",
        "nested CMS",
        "zeros",
        "tags",
        "PEM",
        "PEM heads",
        "PEM without end",
        "LDIF, deep certificate",
        "LDIF, deep list",
        "LDIF, deep revocation list",
        "LDIF, many values",
        "LDIF, many records",
    ],
)
def test_a_bomb_is_refused_in_bounded_time_and_memory(make):
    data = make()
    assert len(data) <= FULL
    tracemalloc.start()
    start = time.process_time()
    found = outcome(data)
    taken = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, TYPED) or found.certificates == ()
    assert taken < SECONDS
    assert peak < BYTES


def test_a_list_with_more_certificates_than_any_has_is_refused_as_a_whole():
    csca = authority("of a long list")
    with pytest.raises(TrustFileUnreadableError, match="more than 5,000"):
        look(a_list([bytes([0x02, 2, n >> 8, n & 255]) for n in range(MAX_LISTED + 1)], csca))


def test_signatures_that_are_to_be_checked_have_an_end():
    # Each of the forged ones names an issuer that may be any of the twins, by one name and many keys.
    twins = [authority(f"twin {number}", name="Twin") for number in range(20)]
    ders = [each.der for each in twins]
    for number in range(30):
        forged = x509.Certificate.load(ders[number % len(twins)])
        forged["tbs_certificate"]["serial_number"] = 1000 + number
        ders.append(bytes(forged.dump(force=True)))
    candidates = [Candidate(place, der, sha256(der)) for place, der in enumerate(ders)]
    with pytest.raises(TooMuchToCheckError):
        admit(candidates, Known(NOTHING_TRUSTED), Checks(limit=100), accept_specimens=True)
    admitted, refused = admit(candidates, Known(NOTHING_TRUSTED), Checks(), accept_specimens=True)
    assert (len(admitted), {each.reason for each in refused}) == (20, {"SELF_SIGNATURE_WRONG"})


def test_lists_that_nobody_believes_are_not_read_again_for_each_list_that_is(house: House):
    """Ten lists that are believed one after the other, the last in the file first, beside strangers' long ones."""
    states = [authority(f"chain {i}", "AA", f"CSCA {i}") for i in range(11)]
    believed = [a_list([states[i + 1].der], states[i]) for i in reversed(range(10))]
    stranger = a_list([authority("filler", "BB").der] * 200, authority("nobody's", "CC"))
    house.take(states[0].der)
    file = in_ldif(*(("pkdMasterListContent", each) for each in (*believed, *[stranger] * 5)))
    begun = time.process_time()
    report = house.take(file)
    assert time.process_time() - begun < 4.0, "11 times 1,000 certificates take 10 seconds and more"
    assert len(report.findings.certificates) == 10
    assert [each.reason for each in report.findings.refused] == ["MASTER_LIST_SIGNER_UNKNOWN"] * 5


def test_ldif_with_more_to_check_than_any_has_is_refused():
    value = utopia().csca.der
    with pytest.raises(TrustFileRefusedError, match="more to check"):
        look(b"dn: x\n" + b"cACertificate;binary:: AAAA\n" * (MAX_ITEMS + 1))
    assert look(in_ldif(*[("cACertificate;binary", value)] * 50)).certificates


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as house:
        yield house


@pytest.mark.parametrize("name", ["CN=\u202eevil", "=HYPERLINK(1)", "[/red] :smile:", "x" * 5000, "\x00\n"])
def test_names_that_would_deceive_are_kept_as_what_they_are(house: House, name: str):
    csca = authority(f"deceiving {hash(name)}", name=name)
    house.take(csca.der)
    shown = house.app.get_trusted(sha256(csca.der).hex()).certificate
    assert "\n" not in shown.subject
    assert "\x00" not in shown.subject
    assert "\u202e" not in shown.subject
    report = house.take(a_list([csca.der, pki.utopia("ecdsa-secp256r1-sha256", NOW).signer.der], csca))
    assert all(len(each.subject) <= 200 for each in report.findings.refused)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (lambda: utopia().master_list, FileKind.MASTER_LIST),
        (lambda: utopia().ldif, FileKind.LDIF),
        (lambda: utopia().csca.der, FileKind.CERTIFICATE),
        (lambda: utopia().revocation_list, FileKind.CRL),
    ],
)
def test_each_kind_is_known_by_its_content(data, kind):
    assert file_kind(data()) is kind
