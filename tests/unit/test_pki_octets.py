"""Bytes whose reading would take time that grows with the square of their length are refused first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import pytest

from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.security_object import read_security_object
from borderpost.documents.pki.certificates import der_of, parse_certificate
from borderpost.documents.pki.crl import parse_crl
from borderpost.documents.pki.errors import PkiError
from borderpost.documents.pki.keys import parse_key
from borderpost.documents.pki.names import tagged
from borderpost.documents.pki.octets import MAX_RUN, check_runs
from borderpost.documents.trust.master_list import parse_master_list

IN_TIME: Final = 1.0
"""CPU seconds. Unchecked, the cheapest of these takes more than four."""

LONG_IDENTIFIER: Final = tagged(0x06, b"\x2a" + b"\xff" * 120_000 + b"\x7f")


def _signed_data(content_type: bytes) -> bytes:
    return tagged(0x30, content_type)


@pytest.mark.parametrize(
    ("read", "file"),
    [
        (read_security_object, tagged(0x77, _signed_data(LONG_IDENTIFIER))),
        (parse_master_list, _signed_data(tagged(0x06, b"\x2a" + b"\xff" * 1_000_000 + b"\x7f"))),
        (parse_crl, tagged(0x30, tagged(0x30, tagged(0x30, LONG_IDENTIFIER)))),
    ],
    ids=["security object", "master list", "revocation list"],
)
def test_a_long_object_identifier_is_refused_at_once(read: Callable[[bytes], object], file: bytes) -> None:
    begun = time.process_time()
    with pytest.raises((PkiError, ChipFileError)):
        read(file)
    assert time.process_time() - begun < IN_TIME


@pytest.mark.parametrize("read", [parse_certificate, parse_key])
def test_a_long_run_is_unreadable_wherever_it_is(read: Callable[[bytes], object]) -> None:
    with pytest.raises(PkiError, match="ValueError"):
        read(tagged(0x30, tagged(0x1F, b"\xff" * MAX_RUN)))


def test_a_run_is_told_to_the_octet() -> None:
    longest = b"\0" + b"\xff" * (MAX_RUN - 1) + b"\x7f" + b"\x80" * (MAX_RUN - 1)
    assert check_runs(longest) == longest
    with pytest.raises(ValueError, match="in a row"):
        check_runs(longest + b"\x80")


def test_pem_that_never_ends_is_refused_at_once() -> None:
    begun = time.process_time()
    with pytest.raises(PkiError):
        der_of(b"-----BEGIN CERTIFICATE-----" + b" " * 20_000)
    assert time.process_time() - begun < IN_TIME
