"""One check per request, at the edge: "field: got X, want Y", without ever repeating what a field holds."""

from __future__ import annotations

from typing import Final

from borderpost.decisions.subjects.app import BASES, MAX_ERASED
from borderpost.runtime.clock import is_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.subjects_pb2 import EraseSubjectRequest, FindSubjectRequest, RectifySubjectRequest
from borderpost.v1.types_pb2 import DocumentKey

MAX_CODE: Final = 2
MAX_STATEMENT: Final = 2000
MAX_STATE: Final = 3
MAX_NUMBER: Final = 30
"""Characters. A number that doesn't fit its field in an MRZ goes on in the optional data (ICAO 9303-5, 4.2.2.1)."""


def find_subject(request: FindSubjectRequest) -> None:
    """Check whose screenings to find."""
    _want(request.HasField("document"), "document", "none", "a document")
    _document(request.document)


def erase_subject(request: EraseSubjectRequest) -> None:
    """Check whose data to erase."""
    by_document, by_ids = request.HasField("document"), bool(request.event_ids)
    both = "both" if by_document else "none"
    _want(by_document != by_ids, "document, event_ids", both, "one of the two")
    if by_document:
        _document(request.document)
    count = len(request.event_ids)
    _want(count <= MAX_ERASED, "event_ids", str(count), f"at most {MAX_ERASED:,}")
    for event_id in request.event_ids:
        _want(is_id(event_id), "event_ids", f"{len(event_id)} characters", "UUIDv7s in canonical text form")
    _want(request.basis in BASES, "basis", f"{len(request.basis)} characters", f"one of {', '.join(BASES)}")


def rectify_subject(request: RectifySubjectRequest) -> None:
    """Check what to say beside which screenings."""
    count, length = len(request.event_ids), len(request.statement)
    _want(1 <= count <= MAX_ERASED, "event_ids", str(count), f"1 to {MAX_ERASED:,}")
    for event_id in request.event_ids:
        _want(is_id(event_id), "event_ids", f"{len(event_id)} characters", "UUIDv7s in canonical text form")
    said = bool(request.statement.strip()) and length <= MAX_STATEMENT
    _want(said, "statement", f"{length} characters", f"1 to {MAX_STATEMENT:,}")


def _document(document: DocumentKey) -> None:
    _text("document.document_code", document.document_code, MAX_CODE)
    _text("document.issuing_state", document.issuing_state, MAX_STATE)
    _text("document.number", document.number, MAX_NUMBER)


def _text(field: str, text: str, most: int) -> None:
    said = text.replace("<", "").strip()
    fits = bool(said) and text.isascii() and text.isprintable() and len(text) <= most
    _want(fits, field, f"{len(text)} characters", f"1 to {most} of an MRZ")


def _want(holds: bool, field: str, got: str, want: str) -> None:
    if not holds:
        raise InvalidRequestError(f"{field}: got {got}, want {want}", field=field)
