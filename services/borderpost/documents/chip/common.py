"""EF.COM: versions, and which data groups there are (ICAO 9303-10, 4.6.1). Nobody has signed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from borderpost.documents.chip import tlv
from borderpost.documents.chip.errors import ChipFileError

COM_TAG: Final = 0x60

GROUP_TAGS: Final = {
    1: 0x61, 2: 0x75, 3: 0x63, 4: 0x76, 5: 0x65, 6: 0x66, 7: 0x67, 8: 0x68,
    9: 0x69, 10: 0x6A, 11: 0x6B, 12: 0x6C, 13: 0x6D, 14: 0x6E, 15: 0x6F, 16: 0x70,
}  # fmt: skip
"""Outer tag of each data group's file (ICAO 9303-10, 4.7)."""

_NUMBERS: Final = {tag: number for number, tag in GROUP_TAGS.items()}
_LDS_VERSION: Final = 0x5F01
_TAG_LIST: Final = 0x5C
_VERSION_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class CommonData:
    """LDS version such as "1.7", and the numbers of the data groups."""

    lds_version: str
    groups: frozenset[int]


def read_common(data: bytes) -> CommonData:
    """Read EF.COM. Raises ChipFileError."""
    value = tlv.elementary_file(data, COM_TAG)
    tags = tlv.want(value, _TAG_LIST)
    unknown = [tag for tag in tags if tag not in _NUMBERS]
    if unknown:
        raise ChipFileError(f"EF.COM: got {len(unknown)} tags that are no data group's")
    return CommonData(version_text(tlv.want(value, _LDS_VERSION)), frozenset(_NUMBERS[tag] for tag in tags))


def version_text(digits: bytes) -> str:
    """Write "0107" as "1.7". Empty for anything else than four digits."""
    if len(digits) != _VERSION_DIGITS or not digits.isdigit():
        return ""
    return f"{int(digits[:2])}.{int(digits[2:])}"
