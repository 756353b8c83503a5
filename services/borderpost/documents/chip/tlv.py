"""BER-TLV as elementary files use it (ISO/IEC 7816-4, 6; ISO/IEC 8825-1): definite lengths only, all of them checked.

Nothing here recurses and nothing is copied before its length is known to fit, so hostile bytes cost what they weigh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from borderpost.documents.chip.errors import ChipFileError

MAX_TAG_OCTETS: Final = 3
"""Tags of travel documents have one or two (ICAO 9303-10, 4.7)."""

MAX_LENGTH_OCTETS: Final = 4
"""After the first octet of a length: 4 GiB, more than any chip holds."""

MAX_OBJECTS: Final = 256
"""On one level. The fullest data group has about twenty."""

_LONG_TAG: Final = 0x1F
_MORE_TAG: Final = 0x80
_LONG_LENGTH: Final = 0x80


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object: its tag as a number (0x5F1F), and its value."""

    tag: int
    value: bytes


def elementary_file(data: bytes, tag: int) -> bytes:
    """Return the value of a whole file: this tag outside, and not a byte after it. Raises ChipFileError."""
    outer, end = _read(data, 0)
    if outer.tag != tag:
        raise ChipFileError(f"file: got the tag {outer.tag:X}, want {tag:X}")
    if end != len(data):
        raise ChipFileError(f"file: got {len(data) - end} bytes after its end")
    return outer.value


def objects(value: bytes) -> Iterator[Tlv]:
    """Yield the data objects of a template one by one, up to its very end. Raises ChipFileError."""
    at = count = 0
    while at < len(value):
        count += 1
        if count > MAX_OBJECTS:
            raise ChipFileError(f"template: got more than {MAX_OBJECTS} data objects")
        found, at = _read(value, at)
        yield found


def first(value: bytes, *tags: int) -> Tlv | None:
    """Return the first data object of a template with one of these tags, or None. Raises ChipFileError."""
    return next((found for found in objects(value) if found.tag in tags), None)


def want(value: bytes, *tags: int) -> bytes:
    """Return the value of the first data object of a template with one of these tags. Raises ChipFileError."""
    found = first(value, *tags)
    if found is None:
        raise ChipFileError(f"template: got none with the tag {' or '.join(f'{tag:X}' for tag in tags)}")
    return found.value


def _read(data: bytes, at: int) -> tuple[Tlv, int]:
    tag, at = _read_tag(data, at)
    length, at = _read_length(data, at)
    if length > len(data) - at:
        raise ChipFileError(
            f"data object {tag:X}: got {len(data) - at} bytes, want the {length} of its length"
        )
    return Tlv(tag, data[at : at + length]), at + length


def _read_tag(data: bytes, at: int) -> tuple[int, int]:
    start = at
    octet = _octet(data, at)
    at += 1
    if octet & _LONG_TAG == _LONG_TAG:
        while _octet(data, at) & _MORE_TAG:
            at += 1
            if at - start >= MAX_TAG_OCTETS:
                raise ChipFileError(f"tag: got more than {MAX_TAG_OCTETS} octets")
        at += 1
    return int.from_bytes(data[start:at], "big"), at


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    octet = _octet(data, at)
    at += 1
    if octet < _LONG_LENGTH:
        return octet, at
    count = octet - _LONG_LENGTH
    if not 1 <= count <= MAX_LENGTH_OCTETS:
        raise ChipFileError("length: got an indefinite one, or one of more octets than any file needs")
    if count > len(data) - at:
        raise ChipFileError("length: got the end of the file within it")
    return int.from_bytes(data[at : at + count], "big"), at + count


def _octet(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ChipFileError("data object: got the end of the file, want a tag or a length")
    return data[at]
