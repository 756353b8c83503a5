"""Requests of TrustService, checked once at the edge: field, got X, want Y."""

from __future__ import annotations

import re
from typing import Final

from borderpost.documents.trust.tokens import parse_page_token
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import trust_pb2 as pb

MAX_FILE_BYTES: Final = 12 * 1024 * 1024
MAX_SOURCE: Final = 200
MAX_PAGE_SIZE: Final = 500
SHA256_BYTES: Final = 32
"""As in trust.proto."""

_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_ID: Final = re.compile(r"[0-9A-Fa-f]{8,64}")


def import_trust(request: pb.ImportTrustRequest) -> None:
    """Check a file to import; what is in it is for the use case."""
    size = len(request.file)
    if not 1 <= size <= MAX_FILE_BYTES:
        raise _wrong("file", f"{size:,} bytes", f"1 to {MAX_FILE_BYTES:,}")
    if len(request.source) > MAX_SOURCE or not request.source.isprintable():
        raise _wrong(
            "source", f"{len(request.source)} characters", f"at most {MAX_SOURCE}, all of them printable"
        )
    if len(request.issuer_sha256) not in (0, SHA256_BYTES):
        raise _wrong("issuer_sha256", f"{len(request.issuer_sha256)} bytes", f"{SHA256_BYTES}, or none")


def list_trusted(request: pb.ListTrustedRequest) -> None:
    """Check which certificates to list."""
    if request.country and not _COUNTRY.fullmatch(request.country):
        raise _wrong("country", f"{len(request.country)} characters", "two letters, or none")
    if request.HasField("valid_at"):
        try:
            from_timestamp(request.valid_at)
        except (ValueError, OverflowError):
            raise _wrong("valid_at", "a time out of bounds", "one of the years 1 to 9999") from None
    if request.page_size > MAX_PAGE_SIZE:
        raise _wrong("page_size", str(request.page_size), f"at most {MAX_PAGE_SIZE}")
    parse_page_token(request.page_token)


def get_trusted(request: pb.GetTrustedRequest) -> None:
    """Check which certificate to show."""
    if not _ID.fullmatch(request.id):
        raise _wrong("id", f"{len(request.id)} characters", "8 to 64 hexadecimal digits")


def _wrong(field: str, got: str, want: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field}: got {got}, want {want}", field=field)
