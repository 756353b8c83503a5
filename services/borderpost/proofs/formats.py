"""The three formats of an export's events: JSON Lines, CSV (RFC 4180) and Apache Parquet."""

from __future__ import annotations

import base64
import binascii
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from borderpost.proofs.readable import COLUMNS
from borderpost.runtime.errors import InvalidRequestError

MAX_LINE: Final = 2 * 1024 * 1024
"""An event has 128 KiB at most, which is 175 KB as base64, and its columns as much again."""

ROWS_AT_ONCE: Final = 5000
"""Rows of a group in Parquet."""

FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet takes for a formula, and our own mark against it."""

TEXTS: Final = ("logged_at", *COLUMNS)
NAMES: Final = ("index", *TEXTS, "event", "leaf_sha256")

Reader = Iterator["ExportRow"]


class BundleError(InvalidRequestError):
    """An export's files can't be read or written. The message says which, where, and what is wanted."""

    reason = "EXPORT_WRONG"


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One event of an export."""

    index: int
    logged_at: str
    columns: Mapping[str, str]
    event: bytes
    leaf: bytes


class Writer(Protocol):
    """Writes rows into a file."""

    def write(self, row: ExportRow) -> None:
        """Write one."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class _JsonLines:
    def __init__(self, file: Path) -> None:
        self._file = file.open("w", encoding="utf-8")

    def write(self, row: ExportRow) -> None:
        self._file.write(json.dumps(_texts(row), ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Csv:
    def __init__(self, file: Path) -> None:
        self._file = file.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, lineterminator="\r\n")
        self._csv.writerow(NAMES)

    def write(self, row: ExportRow) -> None:
        self._csv.writerow([_guarded(str(value)) for value in _texts(row).values()])

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, file: Path) -> None:
        self._arrow, parquet = _pyarrow()
        fields = [(name, self._arrow.string()) for name in TEXTS]
        binary = [("event", self._arrow.binary()), ("leaf_sha256", self._arrow.binary())]
        self._schema = self._arrow.schema([("index", self._arrow.int64()), *fields, *binary])
        self._parquet = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, row: ExportRow) -> None:
        self._rows.append({**_texts(row), "event": row.event, "leaf_sha256": row.leaf})
        if len(self._rows) == ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._parquet.close()

    def _flush(self) -> None:
        if self._rows:
            self._parquet.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def format_of(path: Path) -> str:
    """The format that a file's ending names: "jsonl", "csv" or "parquet". BundleError."""
    ending = path.suffix.removeprefix(".").lower()
    if ending not in ("jsonl", "csv", "parquet"):
        raise BundleError(f"{path}: want an ending that names a format: .jsonl, .csv or .parquet")
    return ending


def writer_of(path: Path, part: Path) -> Writer:
    """Open what writes a file of `path`'s format into `part`."""
    writers: Mapping[str, type[Any]] = {"jsonl": _JsonLines, "csv": _Csv, "parquet": _Parquet}
    writer: Writer = writers[format_of(path)](part)
    return writer


def reader_of(path: Path) -> Reader:
    """Read a file of events. BundleError, also while it is read."""
    readers = {"jsonl": _read_json_lines, "csv": _read_csv, "parquet": _read_parquet}
    try:
        yield from readers[format_of(path)](path)
    except OSError as error:
        raise BundleError(f"{path}: can't be read: {error.strerror or error}") from None


def _read_json_lines(path: Path) -> Reader:
    with path.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE), b""), 1):
            try:
                value = json.loads(line.decode("utf-8")) if line.endswith(b"\n") else None
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict) or set(value) != set(NAMES):
                raise BundleError(
                    f"{path}: line {number}: want an event's fields as JSON on a line: it may be cut off"
                )
            yield _row(value, path, number)


def _read_csv(path: Path) -> Reader:
    with path.open(encoding="utf-8", newline="") as file, _longest_cell(MAX_LINE):
        lines = csv.reader(file, strict=True)
        try:
            if next(lines, None) != list(NAMES):
                raise BundleError(f"{path}: line 1: want the names of the columns of an export")
            for cells in lines:
                if len(cells) != len(NAMES):
                    raise BundleError(
                        f"{path}: line {lines.line_num}: got {len(cells)} cells, want {len(NAMES)}"
                    )
                texts = dict(zip(NAMES, map(_unguarded, cells), strict=True))
                yield _row(texts, path, lines.line_num)
        except (csv.Error, UnicodeDecodeError):
            raise BundleError(
                f"{path}: line {lines.line_num + 1}: want CSV in UTF-8: it may be cut off"
            ) from None


@contextmanager
def _longest_cell(characters: int) -> Iterator[None]:
    """Let cells of CSV be so long, for a while: the limit is the whole process's."""
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_parquet(path: Path) -> Reader:
    arrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            if file.schema_arrow.names != list(NAMES):
                raise BundleError(f"{path}: want the columns of an export")
            number = 0
            for batch in file.iter_batches(batch_size=1000):
                for value in batch.to_pylist():
                    number += 1
                    yield _row(value, path, number)
    except arrow.ArrowException as error:
        raise BundleError(f"{path}: want a Parquet file: {type(error).__name__}: it may be cut off") from None


def _row(value: Mapping[str, Any], path: Path, number: int) -> ExportRow:
    try:
        index = int(value["index"])
        texts = {name: value[name] for name in TEXTS}
        event, leaf = value["event"], value["leaf_sha256"]
        if not isinstance(event, bytes):
            event, leaf = base64.b64decode(event, validate=True), bytes.fromhex(leaf)
        if not all(isinstance(text, str) for text in texts.values()) or index < 0 or len(leaf) != 32:
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise BundleError(f"{path}: row {number}: want an event as an export has it") from None
    logged_at = texts.pop("logged_at")
    return ExportRow(index, logged_at, texts, event, leaf)


def _texts(row: ExportRow) -> dict[str, Any]:
    return {
        "index": row.index,
        "logged_at": row.logged_at,
        **{name: row.columns[name] for name in COLUMNS},
        "event": base64.b64encode(row.event).decode(),
        "leaf_sha256": row.leaf.hex(),
    }


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULAS) else text


def _pyarrow() -> Sequence[Any]:
    try:
        import pyarrow as arrow  # noqa: PLC0415  # large, and needed by one format alone
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise BundleError('Parquet needs pyarrow: want the extra "cli" installed') from None
    return arrow, parquet
