"""A file of entries in one of the formats: how many rows it has, its SHA-256, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Final

from borderpost.exchange import ftm, jsonl, table
from borderpost.exchange.choices import Choices
from borderpost.exchange.lines import Lines
from borderpost.exchange.problems import FileUnusableError
from borderpost.v1 import watchlist_pb2

Writer = Callable[[BinaryIO, Iterable[watchlist_pb2.Entry]], int]


@dataclass(frozen=True, slots=True)
class _Format:
    longest_line: int
    count: Callable[[Lines, Choices], int]
    read: Callable[[Lines, Choices], Iterator[watchlist_pb2.ImportRow]]


_FORMATS: Final = {
    "jsonl": _Format(jsonl.MAX_LINE_BYTES, jsonl.count_rows, jsonl.read_rows),
    "csv": _Format(table.MAX_LINE_BYTES, table.count_rows, table.read_rows),
    "ftm": _Format(ftm.MAX_LINE_BYTES, ftm.count_rows, ftm.read_rows),
}
FORMATS: Final = tuple(_FORMATS)
"""What can be read."""

WRITERS: Final[dict[str, Writer]] = {"jsonl": jsonl.write_entries, "csv": table.write_entries}
"""What can be written: each takes an open file and entries, and returns how many there were."""

SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
"""Formats by the end of a file's name. FollowTheMoney's `.json` is told by nothing but its user."""


@dataclass(frozen=True, slots=True)
class Facts:
    """SHA-256 of a file, and how many rows it has."""

    sha256: bytes
    rows: int


class Source:
    """An open file of entries. Its rows can be read several times; every time they are the same, or it is told."""

    def __init__(self, file: BinaryIO, format_name: str, choices: Choices) -> None:
        """Read from `file`, which can seek, in one of FORMATS."""
        self._file = file
        self._format = _FORMATS[format_name]
        self._choices = choices

    def facts(self) -> Facts:
        """Read the file once, without keeping it. Raises FileUnusableError."""
        lines = Lines(self._file, self._format.longest_line)
        rows = self._format.count(lines, self._choices)
        return Facts(lines.sha256, rows)

    def rows(self, facts: Facts) -> Iterator[watchlist_pb2.ImportRow]:
        """Yield its rows, those in error too.

        Raises FileUnusableError, at its end if the file is no longer what `facts` says.
        """
        lines = Lines(self._file, self._format.longest_line)
        count = 0
        for row in self._format.read(lines, self._choices):
            count += 1
            yield row
        if Facts(lines.sha256, count) != facts:
            raise FileUnusableError("file: it changed while it was read: begin again, as another import")

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
