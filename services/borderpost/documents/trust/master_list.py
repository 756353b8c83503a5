"""CSCA master lists (ICAO 9303-12, 9): who signed one, and what is on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from asn1crypto import parser

from borderpost.documents.pki.certificates import MAX_CERTIFICATE_BYTES, Certificate
from borderpost.documents.pki.errors import SignedDataError, unreadable_as
from borderpost.documents.pki.signed_data import Verification, parse_signed_data, verify_signed_data

MASTER_LIST_OID: Final = "2.23.136.1.1.2"
"""id-icao-cscaMasterList (ICAO 9303-12, 9.1)."""

SIGNING_KEY_OID: Final = "2.23.136.1.1.3"
"""id-icao-cscaMasterListSigningKey, the purpose that a signer's certificate names (ICAO 9303-12, 7.1)."""

MAX_LISTED: Final = 5_000
"""Certificates on a list. Published ones have up to 600."""

_VERSION: Final = 0
_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_INTEGER: Final = 0x02
_HEADER_BYTES: Final = 8
"""Of an element of up to 4 GiB: its tag and its length."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate on a list, unread: its place from 0, its DER bytes, and their SHA-256."""

    position: int
    der: bytes = field(repr=False)
    sha256: bytes


@dataclass(frozen=True, slots=True)
class MasterList:
    """A list whose signature was checked: how far it holds, and who came with it, as well as what is on it."""

    verification: Verification
    brought: tuple[Certificate, ...]
    listed: tuple[Listed, ...]


def parse_master_list(der: bytes) -> MasterList:
    """Read a list and check its signature (the signer's own trust is for the caller). Raises SignedDataError."""
    data = parse_signed_data(der)
    if data.content_type != MASTER_LIST_OID:
        raise SignedDataError("master list: got signed data of another content type")
    with unreadable_as(SignedDataError, "master list"):
        listed = tuple(_listed(data.content))
    return MasterList(verify_signed_data(data), data.certificates, listed)


def _listed(content: bytes) -> Iterator[Listed]:
    """The certificates of CscaMasterList ::= SEQUENCE { version INTEGER, certList SET OF Certificate }."""
    body = _contents(content, _SEQUENCE)
    size = _length(body, 0)
    if body[:size] != bytes([_INTEGER, 1, _VERSION]):
        raise SignedDataError("master list: got a version that is not known, want 0")
    certificates = _contents(body[size:], _SET)
    at = position = 0
    while at < len(certificates):
        if position >= MAX_LISTED:
            raise SignedDataError(f"master list: got more than {MAX_LISTED:,} certificates")
        size = _length(certificates, at)
        der = certificates[at : at + size]
        yield Listed(position, der, hashlib.sha256(der).digest())
        at, position = at + size, position + 1


def _contents(der: bytes, tag: int) -> bytes:
    """What is in an element that has this tag, and nothing after it."""
    if der[:1] != bytes([tag]):
        raise SignedDataError("master list: got other elements than ICAO 9303-12 has")
    _, _, _, _, contents, _ = parser.parse(der, strict=True)
    return bytes(contents)


def _length(elements: bytes, at: int) -> int:
    """Length of the element that begins at `at`, header included: of as many bytes as a certificate may have."""
    size: int = parser.peek(elements[at : at + MAX_CERTIFICATE_BYTES + _HEADER_BYTES])
    return size
