"""Elementary files: what is read from each, and that no bytes get past their bounds."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents.chip import tlv
from borderpost.documents.chip.common import CommonData, read_common
from borderpost.documents.chip.domain import HolderDetails, IssuanceDetails
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.groups import MAX_NAMES, MAX_TEXT, read_holder, read_issuance, read_mrz
from borderpost.documents.chip.security_infos import SecurityInfos, read_active_key, read_security_infos
from borderpost.documents.chip.security_object import read_security_object
from borderpost.documents.mrz import PartialDate
from borderpost.documents.pki.errors import KeyNotSupportedError
from borderpost.specimens.chip import Holder, Issuance, data_group_11, data_group_12
from borderpost.specimens.der import tlv as made
from fakes.chips import LINES

TODAY = date(2026, 11, 1)
CARD = (
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
)
SMALL = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
READERS = (
    read_common,
    read_security_object,
    read_holder,
    read_issuance,
    read_security_infos,
    read_active_key,
    lambda data: read_mrz(data, TODAY),
)


def test_a_file_is_its_tag_and_length_and_nothing_more():
    assert tlv.elementary_file(b"\x61\x02ab", 0x61) == b"ab"
    assert tlv.elementary_file(b"\x61\x82\x00\x02ab", 0x61) == b"ab"
    for data in (
        b"\x61\x02abc",
        b"\x61\x03ab",
        b"\x62\x02ab",
        b"\x61",
        b"",
        b"\x61\x80ab\x00\x00",
        b"\x61\x85\0\0\0\0\0",
    ):
        with pytest.raises(ChipFileError):
            tlv.elementary_file(data, 0x61)


def test_tags_of_one_two_and_three_octets_are_read_and_longer_ones_refused():
    found = list(tlv.objects(b"\x5c\x01a\x5f\x1f\x01b\x7f\x81\x01\x01c"))
    assert [(item.tag, item.value) for item in found] == [(0x5C, b"a"), (0x5F1F, b"b"), (0x7F8101, b"c")]
    for data in (b"\x5f", b"\x5f\x81", b"\x5f\x81\x82\x03\x00", b"\x5c\x84\xff\xff\xff\xff"):
        with pytest.raises(ChipFileError):
            list(tlv.objects(data))


def test_a_template_of_too_many_objects_is_refused():
    with pytest.raises(ChipFileError):
        list(tlv.objects(b"\x01\x00" * 257))


@given(st.lists(st.tuples(st.sampled_from([0x5C, 0x5F1F, 0x7F61]), st.binary(max_size=300)), max_size=8))
def test_what_is_written_is_read_back(items):
    body = b"".join(made(tag, value) for tag, value in items)
    assert [(found.tag, found.value) for found in tlv.objects(body)] == items


@pytest.mark.parametrize("lines", [LINES, CARD, SMALL], ids=["TD3", "TD1", "TD2"])
def test_the_zone_of_every_format_is_read_by_its_length(lines):
    zone = read_mrz(made(0x61, made(0x5F1F, "".join(lines).encode())), TODAY)
    assert zone.lines == lines
    assert zone.fields.surname == "ERIKSSON"


@pytest.mark.parametrize(
    "zone", [b"", b"P<" * 43, b"P<UTO" + b"<" * 84, "É".encode() * 44, b"p<uto" + b"<" * 83]
)
def test_what_is_no_zone_is_a_typed_error(zone):
    with pytest.raises(ChipFileError):
        read_mrz(made(0x61, made(0x5F1F, zone)), TODAY)


def test_common_data_are_versions_and_groups():
    data = made(0x60, made(0x5F01, b"0107") + made(0x5F36, b"040000") + made(0x5C, b"\x61\x75\x6e\x6f"))
    assert read_common(data) == CommonData("1.7", frozenset({1, 2, 14, 15}))
    with pytest.raises(ChipFileError):
        read_common(made(0x60, made(0x5F01, b"0107") + made(0x5C, b"\x61\x62")))


def test_details_of_holder_and_document_are_read_as_they_are():
    holder = Holder(
        "SÖDERBERG<<ÅSA", ("BERG<<ÅSA", "S<<A"), "19740812-1234", date(1974, 8, 12), ("Göteborg", "Sweden")
    )
    assert read_holder(data_group_11(holder)) == HolderDetails(
        "SÖDERBERG<<ÅSA",
        ("BERG<<ÅSA", "S<<A"),
        "19740812-1234",
        PartialDate(1974, 8, 12),
        ("Göteborg", "Sweden"),
    )
    issuance = Issuance("Ministry of Utopia", date(2026, 2, 28), "NONE")
    assert read_issuance(data_group_12(issuance)) == IssuanceDetails(
        "Ministry of Utopia", PartialDate(2026, 2, 28), "NONE"
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"19740812", PartialDate(1974, 8, 12)),
        (bytes.fromhex("19740812"), PartialDate(1974, 8, 12)),
        (b"19740800", PartialDate(1974, 8, None)),
        (b"19740000", PartialDate(1974, None, None)),
        (b"00000229", PartialDate(None, 2, 29)),
        (b"20230229", None),
        (b"20231301", None),
        (b"2023123", None),
        ("١٩٧٤".encode(), None),
        (bytes.fromhex("1974ab12"), None),
        (b"", None),
    ],
)
def test_dates_are_digits_or_packed_digits_and_may_lack_parts(written, read):
    assert read_holder(made(0x6B, made(0x5F2B, written))).birth_date == read


def test_long_and_unprintable_texts_are_cut():
    others = b"".join(made(0x5F0F, b"X") for _ in range(60))
    data = made(
        0x6B,
        made(0x5F0E, b"\x1b[31mA\x00" + b"B" * 9_000 + b"\xff") + made(0xA0, made(0x02, b"\x3c") + others),
    )
    holder = read_holder(data)
    assert holder.full_name.startswith("[31mAB")
    assert len(holder.full_name) <= MAX_TEXT
    assert holder.full_name.isprintable()
    assert len(holder.other_names) == MAX_NAMES


def test_security_infos_tell_what_the_chip_can_prove():
    def info(*parts: bytes) -> bytes:
        return made(0x30, b"".join(parts))

    active = info(
        made(6, bytes.fromhex("678108010105")),
        made(2, b"\x01"),
        made(6, bytes.fromhex("04007f00070101040103")),
    )
    chip = info(made(6, bytes.fromhex("04007f000702020102")), made(0x30, b""))
    pace = info(made(6, bytes.fromhex("04007f00070202040202")), made(2, b"\x02"), made(2, b"\x0d"))
    assert read_security_infos(made(0x6E, made(0x31, active + chip + pace))) == SecurityInfos(
        True, "0.4.0.127.0.7.1.1.4.1.3"
    )
    assert read_security_infos(made(0x6E, made(0x31, pace))) == SecurityInfos(False, "")
    for body in (b"", made(0x30, active), made(0x31, made(0x31, b"")), made(0x31, info(made(6, b"")))):
        with pytest.raises(ChipFileError):
            read_security_infos(made(0x6E, body))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([0x60, 0x77, 0x61, 0x6B, 0x6C, 0x6E, 0x6F]))
def test_no_bytes_raise_anything_but_typed_errors(body, tag):
    for reader in READERS:
        for data in (body, made(tag, body)):
            with contextlib.suppress(ChipFileError, KeyNotSupportedError):
                reader(data)
