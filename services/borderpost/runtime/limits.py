"""How long a request may be, by method: most are short, and whoever sends a long one where none is wanted is refused
before anything of it is decoded.

What a server takes at all is limited by gRPC (`runtime.server`); streams limit their own messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc

from borderpost.runtime.channels import MAX_MESSAGE_BYTES
from borderpost.runtime.errors import BorderpostError

MIB: Final = 1024 * 1024

USUAL_BYTES: Final = MIB
"""Of every method that isn't named below. A search with sixteen templates has 35 KB."""

_V1: Final = "/borderpost.v1."

LONGEST: Final[Mapping[str, int]] = {
    # Pictures of a page and of a face, up to the longest message.
    f"{_V1}GatewayService/ScreenTraveler": MAX_MESSAGE_BYTES,
    f"{_V1}GatewayService/SubmitSpooled": MAX_MESSAGE_BYTES,
    f"{_V1}GatewayService/EnrolEntry": MAX_MESSAGE_BYTES,
    f"{_V1}DocumentsService/ReadDocument": MAX_MESSAGE_BYTES,
    f"{_V1}FacesService/ExtractTemplate": MAX_MESSAGE_BYTES,
    f"{_V1}FacesService/Compare": MAX_MESSAGE_BYTES,
    f"{_V1}FacesService/LocateEyes": MAX_MESSAGE_BYTES,
    # A record with what it holds of pictures (gateway/record.py).
    f"{_V1}DecisionsService/AppendScreening": 30 * MIB,
    f"{_V1}DecisionsService/RecordEvents": 4 * MIB,
    # An entry with four pictures; rows of an import; a part of a bundle; a file to trust.
    f"{_V1}WatchlistService/ProposeEntry": 8 * MIB,
    f"{_V1}GatewayService/StageImportRows": 14 * MIB,
    f"{_V1}WatchlistService/StageRows": 16 * MIB,
    f"{_V1}WatchlistService/WriteBundle": 2 * MIB,
    f"{_V1}TrustService/ImportTrust": 13 * MIB,
}


class RequestTooLargeError(BorderpostError):
    """A request is longer than its method takes."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "REQUEST_TOO_LARGE"


def check_length(method: str, length: int) -> None:
    """Raise RequestTooLargeError for a request that is longer than its method takes, in bytes."""
    most = LONGEST.get(method, USUAL_BYTES)
    if length > most:
        raise RequestTooLargeError(
            f"request: got {length:,} bytes, want at most {most:,} for this method", method=method
        )
