"""Page tokens: the place of the last entry of a page, opaque to the caller."""

from __future__ import annotations

from typing import Final

from borderpost.runtime.paging import make_token, no_token, read_token

BYTES: Final = 8
"""A place is an SQLite rowid: 63 bits."""


def make_page_token(place: int | None) -> str:
    """The token for the page behind `place`; empty for None, the end."""
    return "" if place is None else make_token(place.to_bytes(BYTES, "big"))


def parse_page_token(token: str) -> int:
    """The place behind which a page begins; 0 for an empty token. Raises InvalidRequestError."""
    if not token:
        return 0
    place = int.from_bytes(read_token(token, BYTES), "big")
    if place.bit_length() >= BYTES * 8:
        raise no_token()
    return place
