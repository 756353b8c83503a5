"""Just enough of DER to write the files of a specimen chip (ITU-T X.690; ICAO Doc 9303-10, 4)."""

from __future__ import annotations

from typing import Final

SEQUENCE: Final = 0x30
SET: Final = 0x31
INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
PRINTABLE_STRING: Final = 0x13

LONG_FORM: Final = 0x80
"""A length from here on is written as the number of its bytes, then the bytes (X.690, 8.1.3)."""


def tlv(tag: int, *values: bytes) -> bytes:
    """Write a tag of one or two bytes, the length of all values, and the values."""
    value = b"".join(values)
    return unsigned(tag) + length(len(value)) + value


def length(size: int) -> bytes:
    """Write a length in the shortest form."""
    if size < LONG_FORM:
        return bytes((size,))
    digits = unsigned(size)
    return bytes((LONG_FORM | len(digits),)) + digits


def unsigned(number: int) -> bytes:
    """Write a number without a sign in as few bytes as it needs, at least one."""
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def integer(number: int, tag: int = INTEGER) -> bytes:
    """Write a number of at least 0 as an INTEGER, or under an implicit tag."""
    return tlv(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def sequence(*values: bytes) -> bytes:
    """Write a SEQUENCE."""
    return tlv(SEQUENCE, *values)


def set_of(*values: bytes) -> bytes:
    """Write a SET OF, sorted as DER wants it (X.690, 11.6)."""
    return tlv(SET, *sorted(values))


def octets(value: bytes) -> bytes:
    """Write an OCTET STRING."""
    return tlv(OCTET_STRING, value)


def printable(text: str) -> bytes:
    """Write a PrintableString."""
    return tlv(PRINTABLE_STRING, text.encode("ascii"))
