"""Requests of DocumentsService, checked once at the edge: field, got X, want Y."""

from __future__ import annotations

import datetime

from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import documents_pb2 as pb


def judged_on(request: pb.ReadDocumentRequest) -> datetime.date:
    """Return the day on which validity is judged (UTC). Raises InvalidRequestError."""
    if not request.HasField("at"):
        raise InvalidRequestError("at: want the time at which validity is judged", field="at")
    try:
        return from_timestamp(request.at).date()
    except (ValueError, OverflowError):
        raise InvalidRequestError("at: want a time between the years 1 and 9999", field="at") from None
