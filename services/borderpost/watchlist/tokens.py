"""Page tokens: the place of the last entry of a page, opaque to the caller."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from borderpost.runtime.errors import InvalidRequestError

BYTES: Final = 8
"""A place is an SQLite rowid: 63 bits."""


def make_page_token(place: int | None) -> str:
    """The token for the page behind `place`; empty for None, the end."""
    return "" if place is None else base64.urlsafe_b64encode(place.to_bytes(BYTES, "big")).decode()


def parse_page_token(token: str) -> int:
    """The place behind which a page begins; 0 for an empty token. Raises InvalidRequestError."""
    if not token:
        return 0
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _no_token() from None
    place = int.from_bytes(data, "big")
    if len(data) != BYTES or place.bit_length() >= BYTES * 8:
        raise _no_token()
    return place


def _no_token() -> InvalidRequestError:
    return InvalidRequestError(
        "page_token: got one that no answer gave, want next_page_token or nothing", field="page_token"
    )
