"""The data groups that hold what an officer reads: DG1, DG11 and DG12 (ICAO 9303-10, 4.7)."""

from __future__ import annotations

import calendar
import datetime
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.chip import tlv
from borderpost.documents.chip.common import GROUP_TAGS
from borderpost.documents.chip.domain import HolderDetails, IssuanceDetails
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.mrz import Mrz, PartialDate

MAX_TEXT: Final = 1_000
"""Characters of one field that are kept."""

MAX_NAMES: Final = 20
"""Other names, and parts of a place, that are kept."""

_MRZ: Final = 0x5F1F

_LINE_WIDTHS: Final = {90: 30, 72: 36, 88: 44}
"""Length of a line by the length of the zone: TD1, TD2, TD3 (ICAO 9303-10, 4.7.1)."""

_FULL_NAME, _OTHER_NAME, _PERSONAL_NUMBER = 0x5F0E, 0x5F0F, 0x5F10
_BIRTH_DATE, _PLACE_OF_BIRTH = 0x5F2B, 0x5F11
_NAMES_TEMPLATE: Final = 0xA0
_AUTHORITY, _ISSUED_ON, _ENDORSEMENTS = 0x5F19, 0x5F26, 0x5F1B

_BCD_DATE_BYTES: Final = 4
_TEXT_DATE_BYTES: Final = 8


def read_mrz(data: bytes, today: datetime.date) -> Mrz:
    """Read DG1. `today` decides centuries. Raises ChipFileError."""
    zone = tlv.want(tlv.elementary_file(data, GROUP_TAGS[1]), _MRZ)
    width = _LINE_WIDTHS.get(len(zone))
    if width is None or not zone.isascii():
        raise ChipFileError(f"DG1: got {len(zone)} characters, want 90, 72 or 88 of the MRZ's")
    text = zone.decode("ascii")
    try:
        return mrz.parse(tuple(text[at : at + width] for at in range(0, len(text), width)), today)
    except ValueError:  # MrzShapeError, or a day so late that no century is after it
        raise ChipFileError("DG1: got characters or lines that no MRZ has") from None


def read_holder(data: bytes) -> HolderDetails:
    """Read DG11 (4.7.11). Raises ChipFileError."""
    value = tlv.elementary_file(data, GROUP_TAGS[11])
    found = {item.tag: item.value for item in tlv.objects(value)}
    others = [item.value for item in tlv.objects(found.get(_NAMES_TEMPLATE, b"")) if item.tag == _OTHER_NAME]
    return HolderDetails(
        full_name=_text(found.get(_FULL_NAME)),
        other_names=tuple(_text(name) for name in others[:MAX_NAMES]),
        personal_number=_text(found.get(_PERSONAL_NUMBER)),
        birth_date=_date(found.get(_BIRTH_DATE)),
        place_of_birth=tuple(part for part in _text(found.get(_PLACE_OF_BIRTH)).split("<") if part)[
            :MAX_NAMES
        ],
    )


def read_issuance(data: bytes) -> IssuanceDetails:
    """Read DG12 (4.7.12). Raises ChipFileError."""
    value = tlv.elementary_file(data, GROUP_TAGS[12])
    found = {item.tag: item.value for item in tlv.objects(value)}
    return IssuanceDetails(
        authority=_text(found.get(_AUTHORITY)),
        issued_on=_date(found.get(_ISSUED_ON)),
        endorsements=_text(found.get(_ENDORSEMENTS)),
    )


def _text(value: bytes | None) -> str:
    """UTF-8 as on the chip, without fillers at its ends and without characters that can't be shown."""
    text = (value or b"")[: 4 * MAX_TEXT].decode("utf-8", errors="replace")
    return "".join(char for char in text if char.isprintable()).strip(" <")[:MAX_TEXT]


def _date(value: bytes | None) -> PartialDate | None:
    """YYYYMMDD as eight digits, or packed into four bytes; 00 for an unknown part. None if it is no date."""
    if value is None:
        return None
    digits = value.hex() if len(value) == _BCD_DATE_BYTES else value.decode("ascii", errors="replace")
    if len(digits) != _TEXT_DATE_BYTES or not (digits.isascii() and digits.isdecimal()):
        return None
    year, month, day = int(digits[:4]) or None, int(digits[4:6]) or None, int(digits[6:]) or None
    if month is not None and month > len(calendar.month_name) - 1:
        return None
    longest = calendar.monthrange(year or mrz.LEAP_YEAR, month)[1] if month else 31
    return PartialDate(year, month, day) if day is None or day <= longest else None
