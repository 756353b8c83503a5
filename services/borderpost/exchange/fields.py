"""The values of a row: their types and bounds, dates, times, templates.

Whether an entry can be kept is the service's to say.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.exchange.problems import (
    FIELD_UNKNOWN,
    NOT_JSON,
    NOT_UTF8,
    TOO_LONG,
    RowProblemError,
    invalid,
    missing,
    shown_name,
)
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import types_pb2, watchlist_pb2

MAX_TEXT: Final = 1000
"""Characters of a text field: more than any that the service takes, so that a row of text stays small."""

MAX_RECORD_ID: Final = 200
MAX_PARTS: Final = 16
"""Templates, names or documents of an entry, as in watchlist.proto."""

MAX_NATIONALITIES: Final = 8
MAX_PICTURES: Final = 4
MAX_PICTURE_BYTES: Final = 1024 * 1024
"""Pictures of an entry, as in watchlist.proto."""

MAX_DIMENSION: Final = 4096
FLOAT32_BYTES: Final = 4
MAX_TEMPLATE_TEXT: Final = 4 * (MAX_DIMENSION * FLOAT32_BYTES // 3 + 1)
MAX_PICTURE_TEXT: Final = 4 * (MAX_PICTURE_BYTES // 3 + 1)
"""Characters in base64: four for three bytes."""

MAX_MARKS: Final = 10_000
"""Brackets and commas of a line of JSON. An entry has a few hundred; each one more could cost a hundred bytes."""

MAX_DIGITS: Final = 20
"""Of a whole number: no field has one; longer ones cost time."""

LEAP_YEAR: Final = 2000
"""Stands for an unknown year, so that 29 February is a day."""

DATE_FORM: Final = "YYYY-MM-DD, unknown parts as X: 1980-07-XX"
TIME_FORM: Final = "a day, YYYY-MM-DD, or a time by RFC 3339"
DOCUMENT_FORM: Final = "CODE:STATE:NUMBER, such as P:UTO:L898902C3"

_DATE: Final = re.compile(r"([0-9]{4}|XXXX)-([0-9]{2}|XX)-([0-9]{2}|XX)")
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_LAST_SECOND: Final = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What stands for a field that a row doesn't have."""

    valid_until: datetime | None = None
    reason_code: str = ""


class Record:
    """A JSON object of a row: its values by name and kind. `place` is where it stands in the row, as "names[0]."."""

    def __init__(self, values: dict[str, Any], known: Sequence[str], place: str = "") -> None:
        """Raises RowProblemError for a name that is not among the known ones."""
        unknown = next((name for name in values if name not in known), None)
        if unknown is not None:
            where = place.removesuffix(".")
            raise RowProblemError(
                FIELD_UNKNOWN,
                where,
                f"{where or 'row'}: got {shown_name(unknown)!r}, which isn't known, want {', '.join(known)}",
            )
        self._values = values
        self._place = place

    def has(self, name: str) -> bool:
        """Tell whether the field is there."""
        return name in self._values

    def text(self, name: str, longest: int = MAX_TEXT) -> str:
        """Return a text; empty if it isn't there. Raises RowProblemError."""
        return check_text(f"{self._place}{name}", self._values.get(name, ""), longest)

    def required(self, name: str, longest: int = MAX_TEXT) -> str:
        """Return a text that must be there. Raises RowProblemError."""
        text = self.text(name, longest)
        if not text:
            raise missing(f"{self._place}{name}", "a text")
        return text

    def texts(self, name: str, most: int) -> list[str]:
        """Return a list of texts. Raises RowProblemError."""
        return [check_text(field, value, MAX_TEXT) for field, value in self._items(name, most)]

    def records(self, name: str, most: int, known: Sequence[str]) -> Iterator[tuple[str, Record]]:
        """Yield a list of objects, each with its place. Raises RowProblemError."""
        for field, value in self._items(name, most):
            if not isinstance(value, dict):
                raise invalid(field, _kind(value), "an object")
            yield field, Record(value, known, f"{field}.")

    def _items(self, name: str, most: int) -> Iterator[tuple[str, Any]]:
        field = f"{self._place}{name}"
        values = self._values.get(name, [])
        if not isinstance(values, list):
            raise invalid(field, _kind(values), "a list")
        check_count(field, len(values), most)
        yield from ((f"{field}[{place}]", value) for place, value in enumerate(values))


def parse_object(data: bytes | None, most_marks: int = MAX_MARKS) -> dict[str, Any]:
    """Read a line as a JSON object (RFC 8259) of at most so many brackets and commas. Raises RowProblemError."""
    text = decode_line(data)
    if sum(text.count(mark) for mark in "[{,") > most_marks:
        raise _no_json(f"more than {most_marks:,} brackets and commas")
    try:
        value = json.loads(
            text, object_pairs_hook=_once_each, parse_constant=_no_constant, parse_int=_whole_number
        )
    except RecursionError:
        raise _no_json("objects or lists that are nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _no_json(f"text that stops being JSON at character {error.colno}") from None
    if not isinstance(value, dict):
        raise _no_json(_kind(value))
    return value


def decode_line(data: bytes | None) -> str:
    """Read a line as UTF-8. Raises RowProblemError, also for None: a line that was too long."""
    if data is None:
        raise RowProblemError(TOO_LONG, "", "row: got more bytes than any entry can need, want fewer")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowProblemError(
            NOT_UTF8, "", f"row: got a byte that is no UTF-8 at place {error.start}, want UTF-8"
        ) from None


def check_text(field: str, value: object, longest: int) -> str:
    """Return a text as it is. Raises RowProblemError if it is none, too long or no Unicode."""
    if not isinstance(value, str):
        raise invalid(field, _kind(value), "a text")
    if len(value) > longest:
        raise invalid(field, f"{len(value):,} characters", f"at most {longest:,}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid(field, "half of a surrogate pair", "Unicode text") from None
    return value


def check_record_id(field: str, value: object) -> str:
    """Return a record id as it is. Raises RowProblemError if it is none: nobody could tell which record it means."""
    text = check_text(field, value, MAX_RECORD_ID)
    if not text:
        raise missing(field, "the source's own id of the record")
    if not text.strip() or any(unicodedata.category(character) == "Cc" for character in text):
        raise invalid(field, "only spaces, or a control character", "the source's own id of the record")
    return text


def readable_id(value: object) -> str:
    """Return the record id of a row that may be in error; empty if it is none."""
    try:
        return check_record_id("record_id", value)
    except RowProblemError:
        return ""


def check_count(field: str, count: int, most: int) -> None:
    """Raise RowProblemError for more than there may be."""
    if count > most:
        raise invalid(field, f"{count:,}", f"at most {most}")


def parse_birth_date(field: str, text: str) -> types_pb2.PartialDate:
    """Read "1980-07-12", unknown parts as X (ICAO 9303-3, 4.8). Raises RowProblemError."""
    parts = _DATE.fullmatch(text.upper())
    if parts is None:
        raise invalid(field, f"{len(text)} characters that are no date", DATE_FORM)
    year, month, day = (None if "X" in part else int(part) for part in parts.groups())
    try:
        date(LEAP_YEAR if year is None else year, month or 1, day or 1)
        possible = month != 0 and day != 0
    except ValueError:
        possible = False
    if not possible:
        raise invalid(field, "a day that no calendar has", DATE_FORM)
    return types_pb2.PartialDate(year=year, month=month, day=day)


def show_birth_date(partial: types_pb2.PartialDate) -> str:
    """Write a date as `parse_birth_date` reads it."""
    year = f"{partial.year:04}" if partial.HasField("year") else "XXXX"
    month = f"{partial.month:02}" if partial.HasField("month") else "XX"
    day = f"{partial.day:02}" if partial.HasField("day") else "XX"
    return f"{year}-{month}-{day}"


def parse_time(field: str, text: str, *, end_of_day: bool) -> Timestamp:
    """Read a time, or a day: its first second, or its last one, in UTC. Raises RowProblemError."""
    day = _DAY.fullmatch(text)
    stamp = Timestamp()
    try:
        if day is not None:
            at = datetime.combine(
                date(*map(int, day.groups())), _LAST_SECOND if end_of_day else time.min, tzinfo=UTC
            )
            return to_timestamp(at)
        if _TIME.fullmatch(text):
            stamp.FromJsonString(text)
            return stamp
    except (ValueError, OverflowError):
        raise invalid(field, "a time that no calendar has", TIME_FORM) from None
    raise invalid(field, f"{len(text)} characters that are no time", TIME_FORM)


def parse_document(field: str, text: str) -> types_pb2.DocumentKey:
    """Read "P:UTO:L898902C3". Raises RowProblemError."""
    parts = text.split(":")
    if len(parts) != 3 or not all(parts):
        raise invalid(field, f"{len(parts)} parts or an empty one", DOCUMENT_FORM)
    return types_pb2.DocumentKey(document_code=parts[0], issuing_state=parts[1], number=parts[2])


def parse_base64(field: str, text: str) -> bytes:
    """Read base64 (RFC 4648, 4). Raises RowProblemError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(field, f"{len(text):,} characters that are no base64", "base64 (RFC 4648, 4)") from None


def make_template(field: str, model_id: str, values: bytes) -> types_pb2.Template:
    """Make a template of float32 values, little endian, of Euclidean length 1. Raises RowProblemError."""
    dimension, rest = divmod(len(values), FLOAT32_BYTES)
    if rest or not 1 <= dimension <= MAX_DIMENSION:
        raise invalid(
            f"{field}.values",
            f"{len(values):,} bytes",
            f"{FLOAT32_BYTES} for each dimension, 1 to {MAX_DIMENSION:,}",
        )
    return types_pb2.Template(
        model_id=model_id,
        dimension=dimension,
        element_type=types_pb2.ELEMENT_TYPE_FLOAT32,
        normalisation=types_pb2.NORMALISATION_L2,
        values=values,
    )


def fill_ground(
    entry: watchlist_pb2.Entry, reason: str, source: str, times: tuple[str, str], defaults: Defaults
) -> None:
    """Set why and for how long: reason code, source reference, and `times`, valid_from and valid_until.

    Raises RowProblemError.
    """
    entry.reason_code = reason or defaults.reason_code
    if not entry.reason_code:
        raise missing("reason_code", "a code, or one for all rows (--reason)")
    if not source:
        raise missing("source_reference", "the authority's own file or case")
    entry.source_reference = source
    start, end = times
    if start:
        entry.valid_from.CopyFrom(parse_time("valid_from", start, end_of_day=False))
    if end:
        entry.valid_until.CopyFrom(parse_time("valid_until", end, end_of_day=True))
    elif defaults.valid_until is not None:
        entry.valid_until.CopyFrom(to_timestamp(defaults.valid_until))
    else:
        raise missing(
            "valid_until", "a day: nobody is on a list for ever; or one for all rows (--valid-until)"
        )


def _kind(value: object) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "null")


def _no_json(got: str) -> RowProblemError:
    return RowProblemError(NOT_JSON, "", f"row: got {got}, want one JSON object")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _no_json("an object that names a field twice")
    return values


def _no_constant(_text: str) -> float:
    raise _no_json("NaN or Infinity, which JSON has not")


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _no_json(f"a number of more than {MAX_DIGITS} digits")
    return int(text)
