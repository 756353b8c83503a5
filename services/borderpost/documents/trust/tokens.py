"""Page tokens: the version that is listed and the last certificate of a page, opaque to the caller."""

from __future__ import annotations

from typing import Final

from borderpost.runtime.paging import make_token, no_token, read_token

VERSION_BYTES: Final = 8
SHA256_BYTES: Final = 32


def make_page_token(version: int, last: bytes) -> str:
    """The token for the page behind the certificate with the SHA-256 `last`."""
    return make_token(version.to_bytes(VERSION_BYTES, "big") + last)


def parse_page_token(token: str) -> tuple[int, bytes]:
    """The version, and the SHA-256 behind which a page begins; 0 and empty for an empty token.

    Raises InvalidRequestError.
    """
    if not token:
        return 0, b""
    place = read_token(token, VERSION_BYTES + SHA256_BYTES)
    version = int.from_bytes(place[:VERSION_BYTES], "big")
    if version == 0 or version.bit_length() >= VERSION_BYTES * 8:
        raise no_token()
    return version, place[VERSION_BYTES:]
