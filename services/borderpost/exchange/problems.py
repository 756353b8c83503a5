"""What can be wrong with a file of entries, and with one row of it. Neither says what stood there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc

from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import watchlist_pb2

TOO_LONG: Final = "ROW_TOO_LONG"
NOT_UTF8: Final = "ROW_NOT_UTF8"
NOT_JSON: Final = "ROW_NOT_JSON"
NOT_A_TABLE_ROW: Final = "ROW_NOT_CSV"
FIELD_UNKNOWN: Final = "ROW_FIELD_UNKNOWN"
FIELD_MISSING: Final = "ROW_FIELD_MISSING"
FIELD_INVALID: Final = "ROW_FIELD_INVALID"
PICTURE_UNREADABLE: Final = "ROW_PICTURE_UNREADABLE"

MAX_SHOWN_NAME: Final = 40
"""Characters of a name that isn't known: enough to find it, too few for a row of content."""

ROW_REASONS: Final[Mapping[str, str]] = {
    TOO_LONG: "The row has more bytes than any entry can need.",
    NOT_UTF8: "The row holds bytes that are no UTF-8.",
    NOT_JSON: "The row is no JSON object, names a field twice, or is nested too deeply.",
    NOT_A_TABLE_ROW: "The row's quotes are wrong, or it has another number of cells than the header.",
    FIELD_UNKNOWN: "The row has a field that the format doesn't know.",
    FIELD_MISSING: "The row lacks a field that every entry needs.",
    FIELD_INVALID: "A field holds what it can't.",
    PICTURE_UNREADABLE: "A picture that the row names isn't there, is too large, or is outside the file's folder.",
}
"""Reason codes of rows that the reader itself found unusable, each with what it means. The service has more."""


class RowProblemError(Exception):
    """A row that can't be used: `reason` of ROW_REASONS, `field` with its place, and a message without content."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.message = message


class FileUnusableError(BorderpostError):
    """A file as a whole can't be read: no header, another format, too much at once, changed meanwhile."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "FILE_UNUSABLE"


def invalid(field: str, got: str, want: str) -> RowProblemError:
    """The problem of a field that holds what it can't. `got` says its kind or length, never its content."""
    return RowProblemError(FIELD_INVALID, field, f"{field}: got {got}, want {want}")


def missing(field: str, want: str) -> RowProblemError:
    """The problem of a field that isn't there."""
    return RowProblemError(FIELD_MISSING, field, f"{field}: got nothing, want {want}")


def shown_name(name: str) -> str:
    """Return the name of a field or column that isn't known, cut to what can be shown: a name of that is no content."""
    return "".join(character for character in name if character.isprintable())[:MAX_SHOWN_NAME]


def bad_row(row: int, line: int, problem: RowProblemError, record_id: str) -> watchlist_pb2.ImportRow:
    """Make the row that stands for one that can't be used; it says in which line of the file it began.

    Its record id goes with it where it can be read, else it is empty: a complete import would take the record for one
    that the source no longer has.
    """
    error = watchlist_pb2.RowError(
        row=row, reason=problem.reason, field=problem.field, message=f"line {line}: {problem.message}"
    )
    return watchlist_pb2.ImportRow(row=row, record_id=record_id, error=error)
