"""What kind of file it is, by its content: DER, PEM or LDIF."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

from borderpost.documents.pki.certificates import der_of, parse_certificate
from borderpost.documents.pki.errors import CertificateError, PkiError
from borderpost.documents.trust.domain import FileKind
from borderpost.documents.trust.errors import TrustFileUnreadableError
from borderpost.documents.trust.ldif import looks_like_ldif

_PEM_KINDS: Final = {
    b"CERTIFICATE": FileKind.CERTIFICATE,
    b"X509 CERTIFICATE": FileKind.CERTIFICATE,
    b"X509 CRL": FileKind.CRL,
    b"CMS": FileKind.MASTER_LIST,
    b"PKCS7": FileKind.MASTER_LIST,
}
"""Labels of PEM (RFC 7468)."""

_PEM_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")

_SEQUENCE: Final = 0x30
_OBJECT_IDENTIFIER: Final = 0x06
_VERSION: Final = 0xA0
"""Tag of a certificate's version (RFC 5280, 4.1); revocation lists begin otherwise."""

_LONG: Final = 0x80
"""Bit of a length that says that more octets follow; alone it is the indefinite length (X.690, 8.1.3)."""


def file_kind(file: bytes) -> FileKind:
    """Tell what kind of file it is. Raises TrustFileUnreadableError."""
    if file.lstrip()[:10].startswith(b"-----BEGIN"):
        labels = [found[1] for found in islice(_PEM_LABEL.finditer(file), 2)]
        if len(labels) != 1 or labels[0] not in _PEM_KINDS:
            raise unreadable("got several PEM blocks, or one of another kind")
        return _PEM_KINDS[labels[0]]
    if file[:1] == bytes([_SEQUENCE]):
        return _der_kind(file)
    if looks_like_ldif(file):
        return FileKind.LDIF
    raise unreadable("got something else")


def file_der(file: bytes) -> bytes:
    """The DER bytes of a file in DER or PEM. Raises TrustFileUnreadableError."""
    try:
        return der_of(file)
    except PkiError as error:
        raise unreadable(error.message) from None


def unreadable(what: str) -> TrustFileUnreadableError:
    """The error for a file that is none of the kinds."""
    return TrustFileUnreadableError(
        f"file: {what}, want a CSCA master list, LDIF of the ICAO PKD, a certificate or a revocation list"
    )


def _der_kind(file: bytes) -> FileKind:
    content, size = _header(file, 0)
    if size is not None and content + size > len(file):
        raise unreadable(f"it is cut off: got {len(file):,} bytes of {content + size:,}")
    if file[content : content + 1] == bytes([_OBJECT_IDENTIFIER]):
        return FileKind.MASTER_LIST
    inner, _ = _header(file, content)
    if file[inner : inner + 1] == bytes([_VERSION]):
        return FileKind.CERTIFICATE
    try:  # certificates of version 1 don't say their version
        parse_certificate(file)
    except PkiError as error:
        return FileKind.CRL if error.reason == CertificateError.reason else FileKind.CERTIFICATE
    return FileKind.CERTIFICATE


def _header(file: bytes, at: int) -> tuple[int, int | None]:
    """Where the content of the element at `at` begins, and its size; None if that isn't said."""
    length = file[at + 1] if at + 1 < len(file) else 0
    if length < _LONG:
        return at + 2, length
    octets = length - _LONG
    start = at + 2 + octets
    return start, int.from_bytes(file[at + 2 : start], "big") if octets else None
