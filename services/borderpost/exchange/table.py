"""CSV (RFC 4180) with a header: one entry a row, several values of a cell parted by ";" (docs/exchange.md)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import BinaryIO, Final

from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import (
    MAX_NATIONALITIES,
    MAX_PARTS,
    MAX_PICTURES,
    check_count,
    check_record_id,
    check_text,
    decode_line,
    fill_ground,
    parse_birth_date,
    parse_document,
    readable_id,
    show_birth_date,
)
from borderpost.exchange.lines import Line, Lines
from borderpost.exchange.pictures import read_picture
from borderpost.exchange.problems import (
    NOT_A_TABLE_ROW,
    FileUnusableError,
    RowProblemError,
    bad_row,
    invalid,
    missing,
    shown_name,
)
from borderpost.v1 import watchlist_pb2

MAX_LINE_BYTES: Final = 1024 * 1024
"""No template and no picture is in a cell; a cell itself ends at csv.field_size_limit, 128 Ki characters."""

MAX_CELL: Final = 64 * 1024
"""Characters of a cell with several values."""

COLUMNS: Final = (
    "record_id",
    "surname",
    "given_names",
    "native",
    "birth_date",
    "sex",
    "nationalities",
    "documents",
    "reason_code",
    "source_reference",
    "valid_from",
    "valid_until",
    "pictures",
)
"""Names of columns, in the order in which they are written. Only record_id must be there."""

DELIMITERS: Final = (",", ";", "\t", "|")

SEPARATOR: Final = ";"
ESCAPE: Final = "\\"
GUARD: Final = "'"
"""Stands before what a spreadsheet would take for a formula; it is taken off when read."""

FORMULA_STARTS: Final = "=+-@\t\r"

CELL_STARTS: Final = r"(\A|[;\t\r\n])"
"""Where a spreadsheet may begin a cell: in much of Europe it parts them at each ";", quotes or not."""

_TO_GUARD: Final = re.compile(f"{CELL_STARTS}(?={GUARD}?[{re.escape(FORMULA_STARTS)}]|{GUARD}{GUARD})")
_GUARDED: Final = re.compile(f"{CELL_STARTS}{GUARD}(?=[{re.escape(FORMULA_STARTS)}{GUARD}])")

Cells = dict[str, str]


def count_rows(lines: Lines, choices: Choices) -> int:
    """Count the rows below the header. Raises FileUnusableError."""
    return sum(1 for _ in _rows_of(lines, _dialect(lines, choices.delimiter)[0]))


def read_rows(lines: Lines, choices: Choices) -> Iterator[watchlist_pb2.ImportRow]:
    """Yield every row, numbered from 1, one that can't be used as its error. Raises FileUnusableError."""
    delimiter, header = _dialect(lines, choices.delimiter)
    for row, (line, cells) in enumerate(_rows_of(lines, delimiter), 1):
        record_id = ""
        try:
            values = _by_column(header, cells, delimiter)
            record_id = readable_id(values["record_id"].strip())
            read = _read_row(values, choices)
        except RowProblemError as problem:
            yield bad_row(row, line, problem, record_id)
        else:
            read.row = row
            yield read


def write_entries(out: BinaryIO, entries: Iterable[watchlist_pb2.Entry]) -> int:
    """Write entries with a header and their entry ids as record ids. Returns how many there were.

    Templates and pictures have no place in a table and are left out.
    """
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(COLUMNS[:-1])
    count = 0
    for entry in entries:
        cells = _cells(entry)
        writer.writerow([_guarded(cells[column]) for column in COLUMNS[:-1]])
        count += 1
    text.detach()
    return count


def split_cell(text: str) -> list[str]:
    """Part a cell at each ";" that has no backslash before it, without the spaces around a value; nothing is none."""
    values, current, escaped = [], "", False
    for character in text:
        if escaped or character not in (SEPARATOR, ESCAPE):
            current += character
            escaped = False
        elif character == ESCAPE:
            escaped = True
        else:
            values.append(current.strip())
            current = ""
    return [*values, current.strip()] if text else []


def join_cell(values: Iterable[str]) -> str:
    """Write what `split_cell` reads."""
    return SEPARATOR.join(
        value.replace(ESCAPE, ESCAPE * 2).replace(SEPARATOR, f"{ESCAPE}{SEPARATOR}") for value in values
    )


class _Text:
    """Lines as text for the csv module; a bad line is raised and the next one can still be had."""

    def __init__(self, lines: Lines) -> None:
        self._lines: Iterator[Line] = iter(lines)
        self.number = 0

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        return decode_line(line.data) + "\n"


def _dialect(lines: Lines, delimiter: str) -> tuple[str, list[str]]:
    """Tell delimiter and header by the first row: the one delimiter with which every column is known."""
    first = next((line for line in lines if line.data != b""), None)
    if first is None:
        raise FileUnusableError("row 1: got nothing, want a header with the names of the columns")
    try:
        text = decode_line(first.data)
    except RowProblemError as problem:
        raise FileUnusableError(f"header: {problem.message}") from None
    candidates = [(each, _names_by(text, each)) for each in ((delimiter,) if delimiter else DELIMITERS)]
    for candidate, names in candidates:
        if names and not _header_problem(names):
            return candidate, names
    nearest = max((names for _, names in candidates), key=lambda names: len(set(COLUMNS).intersection(names)))
    raise FileUnusableError(
        f"header: got {_header_problem(nearest)}, want record_id and some of {', '.join(COLUMNS[1:])}, parted by "
        "one of , ; | or a tab (or --delimiter)"
    )


def _names_by(text: str, delimiter: str) -> list[str]:
    """Return the names that a header has if this is its delimiter; none if it can't be."""
    try:
        return [name.strip().lower() for name in next(csv.reader([text], delimiter=delimiter, strict=True))]
    except (csv.Error, TypeError, ValueError):
        return []


def _header_problem(names: list[str]) -> str:
    """Say what is wrong with a header; empty if nothing is.

    What has no name of a column is no header but a row of content, of which nothing is told.
    """
    if set(COLUMNS).isdisjoint(names):
        return "no name of a column that is known"
    unknown = next((name for name in names if name not in COLUMNS), None)
    if unknown is not None:
        return f"a column {shown_name(unknown)!r}, which isn't known"
    if len(set(names)) < len(names):
        return "a column twice"
    return "" if "record_id" in names else "no record_id"


def _rows_of(lines: Lines, delimiter: str) -> Iterator[tuple[int, list[str] | RowProblemError]]:
    """Yield every row below the header with the line in which it begins, one that is none as its problem."""
    text = _Text(lines)
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    below = False
    while True:
        line = text.number + 1
        cells: list[str] | RowProblemError
        try:
            cells = next(rows)
        except StopIteration:
            return
        except RowProblemError as problem:
            cells = problem
        except csv.Error:
            cells = RowProblemError(
                NOT_A_TABLE_ROW,
                "",
                "row: got quotes that don't close or too long a cell, want CSV (RFC 4180)",
            )
        if cells and below:
            yield line, cells
        below = below or bool(cells)


def _by_column(header: list[str], cells: list[str] | RowProblemError, delimiter: str) -> Cells:
    """Return the cells by their columns. Raises RowProblemError where it isn't sure which cell is which.

    What a quote that doesn't close has swallowed may end at another such quote, with the right number of cells: then
    one cell has both lines and delimiters in it.
    """
    if isinstance(cells, RowProblemError):
        raise cells
    if len(cells) != len(header):
        raise RowProblemError(
            NOT_A_TABLE_ROW, "", f"row: got {len(cells)} cells, want {len(header)} as in the header"
        )
    if any("\n" in cell and delimiter in cell for cell in cells):
        raise RowProblemError(
            NOT_A_TABLE_ROW,
            "",
            "row: got a cell of several lines with delimiters in it, as if a quote weren't closed, want it in one line",
        )
    return dict.fromkeys(COLUMNS, "") | dict(zip(header, map(_unguarded, cells), strict=True))


def _read_row(row: Cells, choices: Choices) -> watchlist_pb2.ImportRow:
    entry = watchlist_pb2.Entry(
        sex=_text(row, "sex"),
        nationalities=_values(row, "nationalities", MAX_NATIONALITIES),
        names=_names(row),
        documents=[
            parse_document(f"documents[{place}]", document)
            for place, document in enumerate(_values(row, "documents", MAX_PARTS))
        ],
    )
    if birth_date := _text(row, "birth_date"):
        entry.birth_date.CopyFrom(parse_birth_date("birth_date", birth_date))
    times = (_text(row, "valid_from"), _text(row, "valid_until"))
    fill_ground(entry, _text(row, "reason_code"), _text(row, "source_reference"), times, choices.defaults)
    for place, path in enumerate(_values(row, "pictures", MAX_PICTURES)):
        entry.pictures.append(read_picture(choices.folder, f"pictures[{place}]", path))
    record_id = check_record_id("record_id", row["record_id"].strip())
    return watchlist_pb2.ImportRow(record_id=record_id, entry=entry)


def _names(row: Cells) -> list[watchlist_pb2.PersonName]:
    surnames, given, native = (
        _values(row, column, MAX_PARTS) for column in ("surname", "given_names", "native")
    )
    if not all(surnames):
        raise missing("surname", "a surname in each place")
    if max(len(given), len(native)) > len(surnames):
        raise invalid("surname", f"{len(surnames)} values", "as many as there are given or native names")
    return [
        watchlist_pb2.PersonName(primary_identifier=one, secondary_identifier=two, native=three)
        for one, two, three in zip_longest(surnames, given, native, fillvalue="")
    ]


def _text(row: Cells, column: str) -> str:
    return check_text(column, row[column], MAX_CELL).strip()


def _values(row: Cells, column: str, most: int) -> list[str]:
    values = split_cell(_text(row, column))
    check_count(column, len(values), most)
    return values


def _cells(entry: watchlist_pb2.Entry) -> Cells:
    documents = (":".join((one.document_code, one.issuing_state, one.number)) for one in entry.documents)
    return {
        "record_id": entry.entry_id,
        "surname": join_cell(name.primary_identifier for name in entry.names),
        "given_names": join_cell(name.secondary_identifier for name in entry.names),
        "native": join_cell(name.native for name in entry.names),
        "birth_date": show_birth_date(entry.birth_date) if entry.HasField("birth_date") else "",
        "sex": entry.sex,
        "nationalities": join_cell(entry.nationalities),
        "documents": join_cell(documents),
        "reason_code": entry.reason_code,
        "source_reference": entry.source_reference,
        "valid_from": entry.valid_from.ToJsonString() if entry.HasField("valid_from") else "",
        "valid_until": entry.valid_until.ToJsonString() if entry.HasField("valid_until") else "",
    }


def _guarded(cell: str) -> str:
    return _TO_GUARD.sub(rf"\1{GUARD}", cell)


def _unguarded(cell: str) -> str:
    return _GUARDED.sub(r"\1", cell)
