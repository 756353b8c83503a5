"""LDIF as the ICAO PKD publishes it (RFC 2849): records of attributes, one at a time.

Only what brings trust is kept of a record: values of the attributes that are asked for. The whole of a value is
in the file, so nothing can grow beyond the file's own size; what a value refers to (`:<` and an address) is never
fetched.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

MAX_RECORDS: Final = 20_000
"""Records of one file. One of 12 MiB with document signers has about 5,000."""

MAX_LINES: Final = 250_000
"""Lines of one file, continuations counted: 12 MiB folded at 64 characters have 200,000."""

MAX_NAME_BYTES: Final = 4096
"""Bytes of an attribute's name, and of a distinguished name that is kept: LDAP servers allow less."""

_GONE: Final = frozenset({b"delete", b"modrdn", b"moddn"})
"""Change types that bring nothing (RFC 2849, changerecord)."""

_BOM: Final = b"\xef\xbb\xbf"


class LdifError(ValueError):
    """The file breaks the grammar of RFC 2849, or has more lines or records than are taken. Says in which line."""


@dataclass(frozen=True, slots=True)
class LdifRecord:
    """One record: its place among the records from 0, its name, and the values that were asked for, in order.

    `takes_away` tells that it removes or renames an entry; it has no values then.
    """

    position: int
    name: str
    values: tuple[tuple[str, bytes], ...]
    takes_away: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its continuations joined (RFC 2849, note 2), and the number of its first one, from 1."""

    number: int
    text: bytes


def looks_like_ldif(data: bytes) -> bool:
    """Tell whether the first line that is no comment names a version or an entry (RFC 2849, ldif-file)."""
    start = data.removeprefix(_BOM)[:MAX_NAME_BYTES].splitlines()
    first = next((line for line in start if line.strip() and not line.startswith((b"#", b" "))), b"")
    return first.lower().startswith((b"dn:", b"version:"))


def read_ldif(data: bytes, attributes: AbstractSet[str]) -> Iterator[LdifRecord]:
    """Yield the records of a file with the values of `attributes` (lower case, options included).

    Raises LdifError.
    """
    for position, lines in enumerate(_records(data)):
        if position >= MAX_RECORDS:
            raise LdifError(f"line {lines[0].number}: got more than {MAX_RECORDS:,} records")
        yield _record(position, lines, attributes)


def _records(data: bytes) -> Iterator[Sequence[_Line]]:
    lines: list[_Line] = []
    for line in _unfolded(data):
        if line.text:
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _unfolded(data: bytes) -> Iterator[_Line]:
    """Lines without their ends; a line that begins with a space goes on the one before. Comments are left out."""
    parts: list[bytes] = []
    begun = 0
    for number, raw in enumerate(io.BytesIO(data.removeprefix(_BOM)), 1):
        if number > MAX_LINES:
            raise LdifError(f"line {number}: got more than {MAX_LINES:,} lines")
        text = raw.rstrip(b"\r\n")
        if text.startswith(b" "):
            if not parts or not parts[0]:
                raise LdifError(f"line {number}: got a continuation of no line")
            parts.append(text[1:])
            continue
        yield from _whole(begun, parts)
        parts, begun = [text], number
    yield from _whole(begun, parts)


def _whole(number: int, parts: Sequence[bytes]) -> Iterator[_Line]:
    if parts and not parts[0].startswith(b"#"):
        yield _Line(number, b"".join(parts))


def _record(position: int, lines: Sequence[_Line], attributes: AbstractSet[str]) -> LdifRecord:
    if position == 0 and lines[0].text.lower().startswith(b"version:"):
        lines = lines[1:] or lines
        if lines[0].text.lower().startswith(b"version:"):
            return LdifRecord(position, "", ())
    key, value = _split(lines[0])
    if key != "dn":
        raise LdifError(f"line {lines[0].number}: want the name of an entry (dn:)")
    name = _decoded(lines[0], value)[:MAX_NAME_BYTES].decode("utf-8", "replace")
    if any(_takes_away(line) for line in lines[1:]):
        return LdifRecord(position, name, (), takes_away=True)
    return LdifRecord(position, name, tuple(_values(lines[1:], attributes)))


def _takes_away(line: _Line) -> bool:
    key, _, value = line.text.partition(b":")
    return key.lower() == b"changetype" and value.strip().lower() in _GONE


def _values(lines: Sequence[_Line], attributes: AbstractSet[str]) -> Iterator[tuple[str, bytes]]:
    """Values of the attributes, but for those of a modification that deletes them (RFC 2849, mod-spec)."""
    deleting = False
    for line in lines:
        if line.text == b"-":  # the end of one modification
            deleting = False
            continue
        key, value = _split(line)
        if key == "delete":
            deleting = True
        elif key in attributes and not deleting:
            yield key, _decoded(line, value)


def _split(line: _Line) -> tuple[str, bytes]:
    """The attribute's name, in lower case, and what is behind its colon."""
    key, colon, value = line.text.partition(b":")
    if not colon or not key or len(key) > MAX_NAME_BYTES:
        raise LdifError(f"line {line.number}: want an attribute's name, a colon and a value")
    return key.decode("latin-1").lower(), value


def _decoded(line: _Line, value: bytes) -> bytes:
    if value.startswith(b"<"):
        raise LdifError(f"line {line.number}: got an address in place of a value, want the value itself")
    if not value.startswith(b":"):
        return value.strip()
    try:
        return base64.b64decode(value[1:].strip(), validate=True)
    except (binascii.Error, ValueError):
        raise LdifError(f"line {line.number}: got a value that is no base64") from None
