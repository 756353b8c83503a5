"""The machine readable zone: its five formats, emitted and parsed (ICAO Doc 9303, parts 3 to 7).

Nothing here reads pictures or the clock; docs/mrz.md has the rules in short.
"""

from borderpost.documents.mrz.blindness import SAME_VALUE, is_blind, unprotected_fields
from borderpost.documents.mrz.codes import CREW_CERTIFICATE, PASSPORT_TYPES, code_fits
from borderpost.documents.mrz.comparing import differences
from borderpost.documents.mrz.dates import EXPIRY_AHEAD_YEARS, LEAP_YEAR, read_birth_date, read_expiry_date
from borderpost.documents.mrz.digits import (
    CHECK_WEIGHTS,
    DigitEvidence,
    DigitState,
    check_digit,
    digit_evidence,
    refuted,
)
from borderpost.documents.mrz.emitting import emit
from borderpost.documents.mrz.fields import Mrz, MrzFields, PartialDate, Sex
from borderpost.documents.mrz.formats import (
    ALPHABET,
    DIGITS,
    FILLER,
    FORMATS,
    LETTERS,
    LONG_NUMBER_FORMATS,
    MRV_A,
    MRV_B,
    TD1,
    TD2,
    TD3,
    CheckRule,
    Field,
    Format,
    Kind,
    MrzShapeError,
    Span,
    format_of,
    kinds_of,
)
from borderpost.documents.mrz.kinds import DIGIT_FOR_LETTER, LETTER_FOR_DIGIT, Repair, RepairBasis, map_kinds
from borderpost.documents.mrz.parsing import parse

__all__ = [
    "ALPHABET",
    "CHECK_WEIGHTS",
    "CREW_CERTIFICATE",
    "DIGITS",
    "DIGIT_FOR_LETTER",
    "EXPIRY_AHEAD_YEARS",
    "FILLER",
    "FORMATS",
    "LEAP_YEAR",
    "LETTERS",
    "LETTER_FOR_DIGIT",
    "LONG_NUMBER_FORMATS",
    "MRV_A",
    "MRV_B",
    "PASSPORT_TYPES",
    "SAME_VALUE",
    "TD1",
    "TD2",
    "TD3",
    "CheckRule",
    "DigitEvidence",
    "DigitState",
    "Field",
    "Format",
    "Kind",
    "Mrz",
    "MrzFields",
    "MrzShapeError",
    "PartialDate",
    "Repair",
    "RepairBasis",
    "Sex",
    "Span",
    "check_digit",
    "code_fits",
    "differences",
    "digit_evidence",
    "emit",
    "format_of",
    "is_blind",
    "kinds_of",
    "map_kinds",
    "parse",
    "read_birth_date",
    "read_expiry_date",
    "refuted",
    "unprotected_fields",
]
