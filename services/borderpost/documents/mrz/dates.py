"""Dates of six characters, YYMMDD (ICAO Doc 9303-3, 4.8): the century is decided by rule and a day passed in."""

from __future__ import annotations

import calendar
import datetime
from typing import Final

from borderpost.documents.mrz.fields import PartialDate
from borderpost.documents.mrz.formats import DIGITS, FILLER, MrzShapeError

LEAP_YEAR: Final = 2000
"""29 February is possible when the year is unknown."""

EXPIRY_AHEAD_YEARS: Final = 50
"""An expiry date lies less than this after today, otherwise in the century before."""


def read_birth_date(text: str, today: datetime.date) -> PartialDate | None:
    """Read YYMMDD with `<<` for unknown parts, as the latest such date that is not after `today`.

    None if no calendar has it. The zone can't tell a holder of a hundred years from an infant: two digits of the
    year say no century, and this rule takes the younger.
    """
    return _read_date(text, latest=today)


def read_expiry_date(text: str, today: datetime.date) -> PartialDate | None:
    """Read YYMMDD as the latest such date that is less than EXPIRY_AHEAD_YEARS ahead of `today`'s year."""
    return _read_date(text, latest=datetime.date(today.year + EXPIRY_AHEAD_YEARS - 1, 12, 31))


def _read_date(text: str, latest: datetime.date) -> PartialDate | None:
    parts = _parts(text)
    if parts is None:
        return None
    year, month, day = parts
    if year is None:
        return PartialDate(None, month, day) if _in_calendar(LEAP_YEAR, month, day) else None
    newest = latest.year - (latest.year - year) % 100
    for candidate in (newest, newest - 100):
        if _in_calendar(candidate, month, day):
            earliest = datetime.date(candidate, month or 1, day or 1)
            if earliest <= latest:
                return PartialDate(candidate, month, day)
    return None


def _parts(text: str) -> tuple[int | None, int | None, int | None] | None:
    """Read year, month and day, None where unknown; None for all if one is neither two digits nor two fillers."""
    pairs = (text[:2], text[2:4], text[4:])
    if any(len(pair) != 2 or (pair != FILLER * 2 and not set(pair) <= set(DIGITS)) for pair in pairs):
        return None
    year, month, day = (None if pair == FILLER * 2 else int(pair) for pair in pairs)
    return year, month, day


def _in_calendar(year: int, month: int | None, day: int | None) -> bool:
    if month is not None and not 1 <= month <= 12:
        return False
    longest = 31 if month is None else calendar.monthrange(year, month)[1]
    return day is None or 1 <= day <= longest


def emit_date(date: PartialDate | None) -> str:
    """Write YYMMDD, `<<` for unknown parts. Raises MrzShapeError where there is no date."""
    if date is None:
        raise MrzShapeError("MRZ: got no date to emit, want one, if need be with unknown parts")
    year = None if date.year is None else date.year % 100
    return "".join(FILLER * 2 if part is None else f"{part:02d}" for part in (year, date.month, date.day))
