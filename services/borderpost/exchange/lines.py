"""The lines of a file, one at a time, none longer than allowed; what was read is hashed on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Some programs write it before UTF-8 text; it says nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; `data` is None if it was too long to be kept. `number` counts from 1."""

    number: int
    data: bytes | None


class Lines:
    """The lines of a file from its beginning, at most `longest` bytes each, every time that it is iterated."""

    def __init__(self, file: BinaryIO, longest: int) -> None:
        """Read from `file`, which can seek. No more than one line is held."""
        self._file = file
        self._longest = longest
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> bytes:
        """SHA-256 of what the last iteration has read: of the whole file, once it has come to its end."""
        return self._digest.digest()

    def __iter__(self) -> Iterator[Line]:
        self._file.seek(0)
        self._digest = hashlib.sha256()
        number = 0
        while first := self._piece():
            number += 1
            kept: bytes | None = first
            piece = first
            while not piece.endswith(b"\n") and (piece := self._piece()):
                kept = None
            yield Line(number, None if kept is None else self._plain(number, kept))

    def _plain(self, number: int, line: bytes) -> bytes | None:
        plain = line.rstrip(b"\r\n")
        if number == 1:
            plain = plain.removeprefix(BYTE_ORDER_MARK)
        return plain if len(plain) <= self._longest else None

    def _piece(self) -> bytes:
        # One byte more than allowed: the line's end belongs to none of it.
        piece = self._file.readline(self._longest + 1)
        self._digest.update(piece)
        return piece
