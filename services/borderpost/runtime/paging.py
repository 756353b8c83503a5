"""Page tokens: where a page begins, as bytes that mean nothing to the caller."""

from __future__ import annotations

import base64
import binascii

from borderpost.runtime.errors import InvalidRequestError


def make_token(place: bytes) -> str:
    """The token for the page that begins behind a place."""
    return base64.urlsafe_b64encode(place).decode()


def read_token(token: str, length: int) -> bytes:
    """The place that a token holds, of that many bytes. Raises InvalidRequestError."""
    try:
        place = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise no_token() from None
    if len(place) != length:
        raise no_token()
    return place


def no_token() -> InvalidRequestError:
    """The error for a token that no answer gave."""
    return InvalidRequestError(
        "page_token: got one that no answer gave, want next_page_token or nothing", field="page_token"
    )
