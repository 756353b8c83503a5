"""LDIF (RFC 2849): what a record says is read to the byte, and what is no LDIF is a typed error, soon."""

from __future__ import annotations

import base64
import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.documents.trust.ldif import MAX_RECORDS, LdifError, looks_like_ldif, read_ldif

LIST, CRL = "pkdmasterlistcontent", "certificaterevocationlist;binary"
WANTED = frozenset({LIST, CRL})


def folded(line: bytes, width: int) -> bytes:
    """Fold a line as RFC 2849 has it: each further line begins with a space."""
    first, rest = line[:width], line[width:]
    pieces = [rest[start : start + width - 1] for start in range(0, len(rest), width - 1)]
    return b"\n ".join([first, *pieces])


def record(name: str, *values: tuple[str, bytes], width: int = 76) -> bytes:
    lines = [f"dn: {name}".encode()]
    lines += [key.encode() + b":: " + base64.b64encode(value) for key, value in values]
    return b"".join(folded(line, width) + b"\n" for line in lines)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(sorted(WANTED)), st.binary(min_size=1, max_size=300)), max_size=4),
        min_size=1,
        max_size=5,
    ),
    st.integers(40, 100),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_what_was_written_is_read_however_it_is_folded(records, width, end):
    text = b"\n".join(
        record(f"cn={i},dc=int", *values, width=width) for i, values in enumerate(records)
    ).replace(b"\n", end)
    read = list(read_ldif(b"version: 1" + end + end + text, WANTED))
    assert [(each.name, list(each.values)) for each in read if each.name] == [
        (f"cn={i},dc=int", values) for i, values in enumerate(records)
    ]


def test_attributes_are_found_in_any_case_and_others_are_left_out():
    text = b"dn: o=ml\nobjectClass: top\nPKDMasterListContent:: TUw=\nsn: 12\n"
    (found,) = read_ldif(text, WANTED)
    assert found.values == ((LIST, b"ML"),)


def test_a_version_on_the_first_records_own_lines_a_mark_and_comments_are_passed_over():
    text = (
        b"\xef\xbb\xbfversion: 1\n# a comment\n  that goes on\ndn:: bz1tbA==\npkdmasterlistcontent:: TUw=\n"
    )
    (found,) = read_ldif(text, WANTED)
    assert (found.position, found.name, found.values) == (0, "o=ml", ((LIST, b"ML"),))


def test_records_that_take_away_bring_nothing():
    gone = b"dn: c=DE\nchangetype: delete\npkdmasterlistcontent:: TUw=\n\n"
    moved = b"dn: c=DE\nchangetype: modrdn\nnewrdn: c=NL\n\n"
    modified = (
        b"dn: c=DE\nchangetype: modify\ndelete: certificateRevocationList;binary\n"
        b"certificateRevocationList;binary:: T0xE\n-\nadd: certificateRevocationList;binary\n"
        b"certificateRevocationList;binary:: TkVX\n-\n"
    )
    assert [each.values for each in read_ldif(gone + moved + modified, WANTED)] == [(), (), ((CRL, b"NEW"),)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"dn: c=DE\nno colon here\n", "line 2: want an attribute's name"),
        (b" begins with a continuation\n", "line 1: got a continuation of no line"),
        (b"dn: c=DE\n\n continued after nothing\n", "line 3: got a continuation of no line"),
        (b"objectClass: top\n", "line 1: want the name of an entry"),
        (b"dn: c=DE\npkdmasterlistcontent:: %%%\n", "line 2: got a value that is no base64"),
        (b"dn: c=DE\npkdmasterlistcontent:: TUw\n", "line 2: got a value that is no base64"),
        (b"dn: c=DE\npkdmasterlistcontent:< file:///etc/passwd\n", "line 2: got an address"),
        (b"dn: x\n\n" * (MAX_RECORDS + 1), f"got more than {MAX_RECORDS:,} records"),
    ],
)
def test_what_is_no_ldif_is_an_error_that_says_in_which_line(text, says):
    with pytest.raises(LdifError, match=says):
        list(read_ldif(text, WANTED))


@given(st.binary(max_size=2000))
@settings(max_examples=200)
def test_any_bytes_are_records_or_a_typed_error(data):
    try:
        for found in read_ldif(data, WANTED):
            assert all(key in WANTED for key, _ in found.values)
    except LdifError:
        pass


@pytest.mark.parametrize(
    "bomb",
    [
        b"dn: x\npkdmasterlistcontent:: " + b"\n A" * 4_000_000,
        b"dn: x\n" + b"a:b\n" * 3_000_000,
        b"\n" * 12_000_000,
        b"dn: " + b"x" * 12_000_000,
    ],
    ids=["folds", "attributes", "empty lines", "one line"],
)
def test_a_file_of_the_largest_size_is_read_or_refused_within_seconds(bomb):
    start = time.monotonic()
    with contextlib.suppress(LdifError):
        assert len(list(read_ldif(bomb, WANTED))) <= 1
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("data", "is_ldif"),
    [
        (b"dn: c=DE\n", True),
        (b"\xef\xbb\xbf# made by\n\nVersion: 1\ndn: c=DE\n", True),
        (b"-----BEGIN CERTIFICATE-----\n", False),
        (b"\x30\x82\x01\x00", False),
        (b"", False),
    ],
)
def test_ldif_is_known_by_its_first_line(data, is_ldif):
    assert looks_like_ldif(data) is is_ldif
