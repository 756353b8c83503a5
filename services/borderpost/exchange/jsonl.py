"""JSON Lines: one entry a line (docs/exchange.md has the fields)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import (
    MAX_NATIONALITIES,
    MAX_PARTS,
    MAX_PICTURE_BYTES,
    MAX_PICTURE_TEXT,
    MAX_PICTURES,
    MAX_TEMPLATE_TEXT,
    Record,
    check_record_id,
    fill_ground,
    make_template,
    parse_base64,
    parse_birth_date,
    parse_object,
    readable_id,
    show_birth_date,
)
from borderpost.exchange.lines import Line, Lines
from borderpost.exchange.pictures import read_picture
from borderpost.exchange.problems import RowProblemError, bad_row, invalid
from borderpost.v1 import types_pb2, watchlist_pb2

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
"""Four pictures of 1 MiB in base64 have 5.4 MiB, sixteen of the largest templates 0.4 MiB."""

FIELDS: Final = (
    "record_id",
    "names",
    "birth_date",
    "sex",
    "nationalities",
    "documents",
    "reason_code",
    "source_reference",
    "valid_from",
    "valid_until",
    "templates",
    "pictures",
)
NAME_FIELDS: Final = ("primary_identifier", "secondary_identifier", "native")
DOCUMENT_FIELDS: Final = ("document_code", "issuing_state", "number")
TEMPLATE_FIELDS: Final = ("model_id", "values")
PICTURE_FIELDS: Final = ("base64", "path")


def count_rows(lines: Lines, choices: Choices) -> int:
    """Count the rows: lines that aren't blank."""
    return sum(1 for _ in _rows_of(lines))


def read_rows(lines: Lines, choices: Choices) -> Iterator[watchlist_pb2.ImportRow]:
    """Yield every row, numbered from 1, one that can't be used as its error."""
    for row, line in enumerate(_rows_of(lines), 1):
        record_id = ""
        try:
            values = parse_object(line.data)
            record_id = readable_id(values.get("record_id"))
            read = _read_row(values, choices)
        except RowProblemError as problem:
            yield bad_row(row, line.number, problem, record_id)
        else:
            read.row = row
            yield read


def write_entries(out: BinaryIO, entries: Iterable[watchlist_pb2.Entry]) -> int:
    """Write entries, one a line, with their entry ids as record ids. Returns how many there were."""
    count = 0
    for entry in entries:
        out.write(json.dumps(to_plain(entry), ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        count += 1
    return count


def to_plain(entry: watchlist_pb2.Entry) -> dict[str, Any]:
    """Turn an entry into the object of its line. What the service sets is left out, and what is empty."""
    plain: dict[str, Any] = {
        "record_id": entry.entry_id,
        "names": [_filled(name, NAME_FIELDS) for name in entry.names],
        "birth_date": show_birth_date(entry.birth_date) if entry.HasField("birth_date") else "",
        "sex": entry.sex,
        "nationalities": list(entry.nationalities),
        "documents": [_filled(document, DOCUMENT_FIELDS) for document in entry.documents],
        "reason_code": entry.reason_code,
        "source_reference": entry.source_reference,
        "valid_from": entry.valid_from.ToJsonString() if entry.HasField("valid_from") else "",
        "valid_until": entry.valid_until.ToJsonString() if entry.HasField("valid_until") else "",
        "templates": [
            {"model_id": template.model_id, "values": base64.b64encode(template.values).decode()}
            for template in entry.templates
        ],
        "pictures": [{"base64": base64.b64encode(picture).decode()} for picture in entry.pictures],
    }
    return {name: value for name, value in plain.items() if value}


def _filled(message: Any, names: Iterable[str]) -> dict[str, str]:
    return {name: getattr(message, name) for name in names if getattr(message, name)}


def _rows_of(lines: Lines) -> Iterator[Line]:
    return (line for line in lines if line.data is None or line.data.strip())


def _read_row(values: dict[str, Any], choices: Choices) -> watchlist_pb2.ImportRow:
    record = Record(values, FIELDS)
    entry = watchlist_pb2.Entry(
        sex=record.text("sex"), nationalities=record.texts("nationalities", MAX_NATIONALITIES)
    )
    entry.names.extend(_names(record))
    entry.documents.extend(_documents(record))
    if birth_date := record.text("birth_date"):
        entry.birth_date.CopyFrom(parse_birth_date("birth_date", birth_date))
    times = (record.text("valid_from"), record.text("valid_until"))
    fill_ground(entry, record.text("reason_code"), record.text("source_reference"), times, choices.defaults)
    entry.templates.extend(_templates(record))
    entry.pictures.extend(_pictures(record, choices))
    record_id = check_record_id("record_id", values.get("record_id", ""))
    return watchlist_pb2.ImportRow(record_id=record_id, entry=entry)


def _names(record: Record) -> Iterator[watchlist_pb2.PersonName]:
    for _, name in record.records("names", MAX_PARTS, NAME_FIELDS):
        yield watchlist_pb2.PersonName(
            primary_identifier=name.required("primary_identifier"),
            secondary_identifier=name.text("secondary_identifier"),
            native=name.text("native"),
        )


def _documents(record: Record) -> Iterator[types_pb2.DocumentKey]:
    for _, document in record.records("documents", MAX_PARTS, DOCUMENT_FIELDS):
        code, state, number = (document.required(name) for name in DOCUMENT_FIELDS)
        yield types_pb2.DocumentKey(document_code=code, issuing_state=state, number=number)


def _templates(record: Record) -> Iterator[types_pb2.Template]:
    for field, template in record.records("templates", MAX_PARTS, TEMPLATE_FIELDS):
        values = parse_base64(f"{field}.values", template.required("values", MAX_TEMPLATE_TEXT))
        yield make_template(field, template.required("model_id"), values)


def _pictures(record: Record, choices: Choices) -> Iterator[bytes]:
    for field, picture in record.records("pictures", MAX_PICTURES, PICTURE_FIELDS):
        if picture.has("base64") == picture.has("path"):
            raise invalid(field, "both or neither", "either base64 or path")
        if picture.has("path"):
            yield read_picture(choices.folder, f"{field}.path", picture.required("path"))
            continue
        data = parse_base64(f"{field}.base64", picture.required("base64", MAX_PICTURE_TEXT))
        if len(data) > MAX_PICTURE_BYTES:
            raise invalid(f"{field}.base64", f"{len(data):,} bytes", f"at most {MAX_PICTURE_BYTES:,}")
        yield data
