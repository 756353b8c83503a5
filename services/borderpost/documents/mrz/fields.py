"""What a machine readable zone says, as types."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import Enum

from borderpost.documents.mrz.digits import DigitEvidence
from borderpost.documents.mrz.formats import Format


class Sex(Enum):
    """Position 21 of a TD3's second line; `<` (and `X`) mean unspecified."""

    FEMALE = "F"
    MALE = "M"
    UNSPECIFIED = "<"


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date of which parts may be unknown (ICAO Doc 9303-3, 4.8); None is unknown."""

    year: int | None
    month: int | None
    day: int | None

    def complete(self) -> datetime.date | None:
        """Return the day of the calendar, or None where a part is unknown."""
        if self.year is None or self.month is None or self.day is None:
            return None
        return datetime.date(self.year, self.month, self.day)


@dataclass(frozen=True, slots=True)
class MrzFields:
    """What an MRZ says. Names are words of A to Z; a date that no calendar has is None."""

    document_code: str
    issuing_state: str
    surname: str
    given_names: str
    document_number: str
    nationality: str
    birth_date: PartialDate | None
    sex: Sex
    expiry_date: PartialDate | None
    optional_data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mrz:
    """A parsed MRZ. `names_may_be_cut`: the name fills its field, so letters may be missing."""

    format: Format
    lines: tuple[str, ...]
    fields: MrzFields
    digits: tuple[DigitEvidence, ...]
    names_may_be_cut: bool
