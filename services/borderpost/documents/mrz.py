"""The machine readable zone: its five formats as tables, emitted and parsed (ICAO Doc 9303, parts 3 to 7).

Nothing here reads pictures or the clock. Lines are text of A to Z, 0 to 9 and the filler `<`; positions
count from 0. A check digit is evidence of its own: VERIFIED, REFUTED or ABSENT, never a bare yes or no.
"""

from __future__ import annotations

import calendar
import datetime
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

FILLER: Final = "<"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"
ALPHABET: Final = DIGITS + LETTERS + FILLER
"""All 37 characters (ICAO Doc 9303-3, 4.3)."""

CHECK_WEIGHTS: Final = (7, 3, 1)
"""ICAO Doc 9303-3, 4.9."""

LEAP_YEAR: Final = 2000
"""29 February is possible when the year is unknown."""

EXPIRY_AHEAD_YEARS: Final = 50
"""An expiry date lies less than this after today, otherwise in the century before."""


class Kind(Enum):
    """What a field may hold. Where only one of letter and digit is allowed, the other is a misreading."""

    LETTERS = LETTERS + FILLER
    DIGITS = DIGITS + FILLER
    ANY = ALPHABET


class Sex(Enum):
    """Position 21 of a TD3's second line; `<` (and `X`) mean unspecified."""

    FEMALE = "F"
    MALE = "M"
    UNSPECIFIED = "<"


class DigitState(Enum):
    """What a check digit says of its field."""

    VERIFIED = "VERIFIED"
    REFUTED = "REFUTED"
    ABSENT = "ABSENT"


class RepairBasis(Enum):
    """Why one character was replaced by another."""

    FIELD_KIND = "FIELD_KIND"  # the field allows only letters, or only digits
    CHECK_DIGIT = "CHECK_DIGIT"  # of all confusions, exactly one makes every check digit fit


class MrzShapeError(ValueError):
    """The lines are no MRZ: their number, length or characters fit none of the five formats."""


@dataclass(frozen=True, slots=True)
class Span:
    """Positions `start` to `end` (not included) of one line."""

    line: int
    start: int
    end: int

    def places(self) -> Iterator[tuple[int, int]]:
        """Every line and position of it."""
        return ((self.line, position) for position in range(self.start, self.end))


@dataclass(frozen=True, slots=True)
class Field:
    """A named field of a format."""

    name: str
    span: Span
    kind: Kind


@dataclass(frozen=True, slots=True)
class CheckRule:
    """Where a check digit is, and which characters it covers, in order."""

    field: str
    digit: Span
    covers: tuple[Span, ...]

    def places(self) -> Iterator[tuple[int, int]]:
        """Line and position of the digit and of all that it covers."""
        return (place for span in (self.digit, *self.covers) for place in span.places())


@dataclass(frozen=True, slots=True)
class Format:
    """One layout of the MRZ. `checks` ends with the composite digit where the format has one."""

    name: str
    rows: int
    width: int
    fields: tuple[Field, ...]
    checks: tuple[CheckRule, ...]

    def field(self, name: str) -> Field:
        """Look a field up by its name."""
        return next(field for field in self.fields if field.name == name)


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
class DigitEvidence:
    """One check digit: the field it covers ("composite" for the whole), and what it says."""

    field: str
    state: DigitState


@dataclass(frozen=True, slots=True)
class Repair:
    """One character that was replaced, and why. `position` counts from 0 within the field."""

    field: str
    position: int
    was: str
    now: str
    basis: RepairBasis


@dataclass(frozen=True, slots=True)
class Mrz:
    """A parsed MRZ. `names_may_be_cut`: the name fills its field, so letters may be missing."""

    format: Format
    lines: tuple[str, ...]
    fields: MrzFields
    digits: tuple[DigitEvidence, ...]
    names_may_be_cut: bool


def _two_lines(name: str, width: int, *, visa: bool) -> Format:
    """Build TD2, TD3, MRV-A and MRV-B, which share all but their optional data (parts 4, 6 and 7)."""
    has_optional_digit = width == 44 and not visa
    optional_end = width if visa else width - (2 if has_optional_digit else 1)
    number, birth, expiry = Span(1, 0, 9), Span(1, 13, 19), Span(1, 21, 27)
    optional = Span(1, 28, optional_end)
    fields = (
        Field("document_code", Span(0, 0, 2), Kind.LETTERS),
        Field("issuing_state", Span(0, 2, 5), Kind.LETTERS),
        Field("names", Span(0, 5, width), Kind.LETTERS),
        Field("document_number", number, Kind.ANY),
        Field("nationality", Span(1, 10, 13), Kind.LETTERS),
        Field("birth_date", birth, Kind.DIGITS),
        Field("sex", Span(1, 20, 21), Kind.LETTERS),
        Field("expiry_date", expiry, Kind.DIGITS),
        Field("optional_data", optional, Kind.ANY),
    )
    checks = [
        CheckRule("document_number", Span(1, 9, 10), (number,)),
        CheckRule("birth_date", Span(1, 19, 20), (birth,)),
        CheckRule("expiry_date", Span(1, 27, 28), (expiry,)),
    ]
    if has_optional_digit:
        checks.append(CheckRule("optional_data", Span(1, 42, 43), (optional,)))
    if not visa:
        covers = (Span(1, 0, 10), Span(1, 13, 20), Span(1, 21, width - 1))
        checks.append(CheckRule("composite", Span(1, width - 1, width), covers))
    return Format(name, 2, width, fields, tuple(checks))


TD3: Final = _two_lines("TD3", 44, visa=False)
TD2: Final = _two_lines("TD2", 36, visa=False)
MRV_A: Final = _two_lines("MRV-A", 44, visa=True)
MRV_B: Final = _two_lines("MRV-B", 36, visa=True)
TD1: Final = Format(
    "TD1",
    3,
    30,
    (
        Field("document_code", Span(0, 0, 2), Kind.LETTERS),
        Field("issuing_state", Span(0, 2, 5), Kind.LETTERS),
        Field("document_number", Span(0, 5, 14), Kind.ANY),
        Field("optional_data", Span(0, 15, 30), Kind.ANY),
        Field("birth_date", Span(1, 0, 6), Kind.DIGITS),
        Field("sex", Span(1, 7, 8), Kind.LETTERS),
        Field("expiry_date", Span(1, 8, 14), Kind.DIGITS),
        Field("nationality", Span(1, 15, 18), Kind.LETTERS),
        Field("optional_data_2", Span(1, 18, 29), Kind.ANY),
        Field("names", Span(2, 0, 30), Kind.LETTERS),
    ),
    (
        CheckRule("document_number", Span(0, 14, 15), (Span(0, 5, 14),)),
        CheckRule("birth_date", Span(1, 6, 7), (Span(1, 0, 6),)),
        CheckRule("expiry_date", Span(1, 14, 15), (Span(1, 8, 14),)),
        CheckRule(
            "composite", Span(1, 29, 30), (Span(0, 5, 30), Span(1, 0, 7), Span(1, 8, 15), Span(1, 18, 29))
        ),
    ),
)

FORMATS: Final = (TD1, TD2, TD3, MRV_A, MRV_B)
LONG_NUMBER_FORMATS: Final = frozenset({"TD1", "TD2"})
"""A document number over nine characters runs on into the optional data (part 5, 4.2.2; part 6, 4.2.2)."""

LETTER_FOR_DIGIT: Final = {"0": "O", "1": "I", "2": "Z", "5": "S", "6": "G", "8": "B"}
DIGIT_FOR_LETTER: Final = {letter: digit for digit, letter in LETTER_FOR_DIGIT.items()} | {"D": "0", "Q": "0"}

_SAME_SHAPE: Final = {letter: digit for digit, letter in LETTER_FOR_DIGIT.items()}

MAX_DOUBTFUL: Final = 4
"""With more doubtful characters under one check digit, chance alone makes some reading fit."""

CONFUSIONS: Final = ("0OQD", "1IL", "2Z", "5S", "6G", "8B", "UV", "CG", "EF", "MN", "KX", "38", "17")
"""Characters that readers of OCR-B mistake for one another."""


def check_digit(text: str) -> int:
    """Weighted sum modulo 10 over digits, letters (A = 10) and fillers (0): ICAO Doc 9303-3, 4.9."""
    return sum(_value(char) * CHECK_WEIGHTS[i % 3] for i, char in enumerate(text)) % 10


def _value(char: str) -> int:
    return 0 if char == FILLER else ALPHABET.index(char)


def format_of(lines: tuple[str, ...]) -> Format:
    """Tell the format by the number and length of the lines, and `V` for a visa. Raises MrzShapeError."""
    widths = {len(line) for line in lines}
    if any(char not in ALPHABET for line in lines for char in line):
        raise MrzShapeError("MRZ: got characters outside A to Z, 0 to 9 and <")
    for candidate in FORMATS:
        visa = candidate in (MRV_A, MRV_B)
        if candidate.rows == len(lines) and widths == {candidate.width} and visa == lines[0].startswith("V"):
            return candidate
    raise MrzShapeError(f"MRZ: got {len(lines)} lines of {sorted(widths)} characters, want a 9303 format")


def map_kinds(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Repair, ...]]:
    """Put a digit for its lookalike letter where only digits may be, and the reverse; say where.

    Raises MrzShapeError.
    """
    layout = format_of(lines)
    repairs = []
    for name, span, kind in _kinds(layout):
        table = {Kind.LETTERS: LETTER_FOR_DIGIT, Kind.DIGITS: DIGIT_FOR_LETTER}.get(kind, {})
        for position in range(span.start, span.end):
            was = lines[span.line][position]
            if was in table:
                lines = _replaced(lines, span.line, position, table[was])
                repairs.append(Repair(name, position - span.start, was, table[was], RepairBasis.FIELD_KIND))
    return lines, tuple(repairs)


def repair(
    lines: tuple[str, ...], doubtful: frozenset[tuple[int, int]]
) -> tuple[tuple[str, ...], Repair] | None:
    """Replace the one doubtful character (line, position) by what every check digit proves it to be.

    Only confusions that readers make are tried, and exactly one of them must fit. With two doubtful
    characters under the digits a fit would be a guess: one digit in ten fits by chance. Names can't be
    repaired, since no digit covers them; visas are not, since they have no composite digit. Raises
    MrzShapeError.
    """
    layout = format_of(lines)
    if layout in (MRV_A, MRV_B):
        return None
    protected = {place for rule in layout.checks for place in rule.places()}
    if len(doubtful & protected) != 1:
        return None
    ((row, position),) = doubtful & protected
    was = lines[row][position]
    name, span, kind = next(
        (name, span, kind)
        for name, span, kind in _kinds(layout)
        if span.line == row and span.start <= position < span.end
    )
    fitting = [
        (fixed, Repair(name, position - span.start, was, now, RepairBasis.CHECK_DIGIT))
        for now in _confusable(was, kind)
        if not refuted(digit_evidence(fixed := _replaced(lines, row, position, now), layout))
    ]
    return fitting[0] if len(fitting) == 1 else None


def proves(
    lines: tuple[str, ...], layout: Format, rule: CheckRule, doubtful: frozenset[tuple[int, int]]
) -> bool:
    """Tell whether a fitting check digit settles the doubtful characters under it.

    It does if no other reading of them fits as well: two wrong characters can make up for each other, as
    OO and 00 do in the fourth and fifth place of a number. Only lookalikes count as other readings.
    """
    places = sorted(doubtful & set(rule.places()))
    if len(places) > MAX_DOUBTFUL:
        return False
    kinds = {place: kind for _, span, kind in _kinds(layout) for place in span.places()}
    choices = [
        (lines[row][position], *_lookalikes(lines[row][position], kinds.get((row, position), Kind.DIGITS)))
        for row, position in places
    ]
    fitting = 0
    for chars in itertools.product(*choices):
        read = lines
        for (row, position), char in zip(places, chars, strict=True):
            read = _replaced(read, row, position, char)
        fitting += _digit_state(read, layout, rule) is not DigitState.REFUTED
    return fitting == 1


def _lookalikes(char: str, kind: Kind) -> set[str]:
    """A letter for its digit or the reverse where there is one, otherwise what readers take it for."""
    swapped = LETTER_FOR_DIGIT.get(char) or _SAME_SHAPE.get(char)
    if swapped is None:
        return _confusable(char, kind)
    return {swapped} & set(kind.value)


def _kinds(layout: Format) -> Iterator[tuple[str, Span, Kind]]:
    """Every field, then every check digit, with what it may hold."""
    for field in layout.fields:
        yield field.name, field.span, field.kind
    for rule in layout.checks:
        yield f"{rule.field}_check_digit", rule.digit, Kind.DIGITS


def _confusable(char: str, kind: Kind) -> set[str]:
    return {
        other
        for group in CONFUSIONS
        if char in group
        for other in group
        if other != char and other in kind.value
    }


def _replaced(lines: tuple[str, ...], line: int, position: int, char: str) -> tuple[str, ...]:
    changed = lines[line][:position] + char + lines[line][position + 1 :]
    return (*lines[:line], changed, *lines[line + 1 :])


def _text(lines: tuple[str, ...], span: Span) -> str:
    return lines[span.line][span.start : span.end]


def digit_evidence(lines: tuple[str, ...], layout: Format) -> tuple[DigitEvidence, ...]:
    """Check every digit of the format. A format without a composite digit has it as ABSENT."""
    found = [DigitEvidence(rule.field, _digit_state(lines, layout, rule)) for rule in layout.checks]
    if layout.checks[-1].field != "composite":
        found.append(DigitEvidence("composite", DigitState.ABSENT))
    return tuple(found)


def _digit_state(lines: tuple[str, ...], layout: Format, rule: CheckRule) -> DigitState:
    digit = _text(lines, rule.digit)
    covered = "".join(_text(lines, span) for span in rule.covers)
    if rule.field == "document_number" and _is_long_number(lines, layout):
        number, digit = _long_number(lines, layout)
        covered = number
    if digit == FILLER and not covered.strip(FILLER) and rule.field != "composite":
        return DigitState.ABSENT
    return DigitState.VERIFIED if digit == str(check_digit(covered)) else DigitState.REFUTED


def refuted(digits: tuple[DigitEvidence, ...]) -> tuple[str, ...]:
    """Name the fields whose check digit does not fit."""
    return tuple(evidence.field for evidence in digits if evidence.state is DigitState.REFUTED)


def _is_long_number(lines: tuple[str, ...], layout: Format) -> bool:
    """A filler in place of the check digit, and a number without fillers, says that the number runs on."""
    if layout.name not in LONG_NUMBER_FORMATS:
        return False
    optional = _text(lines, layout.field("optional_data").span)
    digit = _text(lines, layout.checks[0].digit)
    return digit == FILLER and optional[0] != FILLER and len(optional.partition(FILLER)[0]) > 1


def _long_number(lines: tuple[str, ...], layout: Format) -> tuple[str, str]:
    """Split a long number that runs on in the optional data into the number and its check digit."""
    tail = _text(lines, layout.field("optional_data").span).partition(FILLER)[0]
    return _text(lines, layout.field("document_number").span) + tail[:-1], tail[-1]


def parse(lines: tuple[str, ...], today: datetime.date) -> Mrz:
    """Read the fields of an MRZ whose kinds are mapped already. `today` decides centuries.

    Raises MrzShapeError. A check digit that does not fit, or a date that no calendar has, is no error: it
    is in the result.
    """
    layout = format_of(lines)
    values = {field.name: _text(lines, field.span) for field in layout.fields}
    optional = values["optional_data"]
    number = values["document_number"].rstrip(FILLER)
    if _is_long_number(lines, layout):
        number = _long_number(lines, layout)[0]
        optional = optional.partition(FILLER)[2]
    surname, given = _names(values["names"])
    parts = (optional, values["optional_data_2"]) if "optional_data_2" in values else (optional,)
    fields = MrzFields(
        document_code=values["document_code"].rstrip(FILLER),
        issuing_state=values["issuing_state"].rstrip(FILLER),
        surname=surname,
        given_names=given,
        document_number=number,
        nationality=values["nationality"].rstrip(FILLER),
        birth_date=read_birth_date(values["birth_date"], today),
        sex=Sex(values["sex"]) if values["sex"] in ("F", "M") else Sex.UNSPECIFIED,
        expiry_date=read_expiry_date(values["expiry_date"], today),
        optional_data=tuple(part.rstrip(FILLER) for part in parts),
    )
    cut = values["names"][-1] != FILLER
    return Mrz(layout, lines, fields, digit_evidence(lines, layout), cut)


def _names(text: str) -> tuple[str, str]:
    surname, _, given = text.strip(FILLER).partition(FILLER * 2)
    return " ".join(surname.split(FILLER)), " ".join(given.replace(FILLER, " ").split())


def read_birth_date(text: str, today: datetime.date) -> PartialDate | None:
    """Read YYMMDD with `<<` for unknown parts, as the latest such date that is not after `today`."""
    return _read_date(text, latest=today)


def read_expiry_date(text: str, today: datetime.date) -> PartialDate | None:
    """Read YYMMDD as the latest such date that is less than EXPIRY_AHEAD_YEARS ahead of `today`'s year."""
    return _read_date(text, latest=datetime.date(today.year + EXPIRY_AHEAD_YEARS - 1, 12, 31))


def _read_date(text: str, latest: datetime.date) -> PartialDate | None:
    try:
        year, month, day = (
            None if part == FILLER * 2 else int(part) for part in (text[:2], text[2:4], text[4:6])
        )
    except ValueError:
        return None
    if year is None:
        return PartialDate(None, month, day) if _in_calendar(LEAP_YEAR, month, day) else None
    newest = latest.year - (latest.year - year) % 100
    for candidate in (newest, newest - 100):
        if _in_calendar(candidate, month, day):
            earliest = datetime.date(candidate, month or 1, day or 1)
            if earliest <= latest:
                return PartialDate(candidate, month, day)
    return None


def _in_calendar(year: int, month: int | None, day: int | None) -> bool:
    if month is not None and not 1 <= month <= 12:
        return False
    longest = 31 if month is None else calendar.monthrange(year, month)[1]
    return day is None or 1 <= day <= longest


def emit(fields: MrzFields, layout: Format) -> tuple[str, ...]:
    """Write the lines of an MRZ with all its check digits; names too long for their field are cut.

    Raises MrzShapeError if a field does not fit or holds characters that the zone has no room for.
    """
    optional = (*fields.optional_data, "", "")
    values = {
        "document_code": fields.document_code,
        "issuing_state": fields.issuing_state,
        "names": _emit_names(fields, _width(layout.field("names").span)),
        "document_number": fields.document_number,
        "nationality": fields.nationality,
        "birth_date": _emit_date(fields.birth_date),
        "sex": fields.sex.value,
        "expiry_date": _emit_date(fields.expiry_date),
        "optional_data": optional[0],
        "optional_data_2": optional[1],
    }
    excess = fields.document_number[_width(layout.field("document_number").span) :]
    if excess and layout.name in LONG_NUMBER_FORMATS:
        values["document_number"] = fields.document_number[: -len(excess)]
        tail = f"{excess}{check_digit(fields.document_number)}"
        values["optional_data"] = f"{tail}{FILLER}{optional[0]}" if optional[0] else tail
    lines: tuple[str, ...] = (FILLER * layout.width,) * layout.rows
    for field in layout.fields:
        lines = _written(lines, field.span, values[field.name])
    for rule in layout.checks:
        if not (excess and rule.field == "document_number"):
            covered = "".join(_text(lines, span) for span in rule.covers)
            empty = rule.field == "optional_data" and not covered.strip(FILLER)
            lines = _written(lines, rule.digit, FILLER if empty else str(check_digit(covered)))
    format_of(lines)
    return lines


def _written(lines: tuple[str, ...], span: Span, text: str) -> tuple[str, ...]:
    if len(text) > _width(span):
        raise MrzShapeError(f"MRZ: got {len(text)} characters for a field of {_width(span)}")
    if not set(text) <= set(ALPHABET):
        raise MrzShapeError("MRZ: got a character that is none of A to Z, 0 to 9 and the filler")
    line = lines[span.line]
    changed = line[: span.start] + text.ljust(_width(span), FILLER) + line[span.end :]
    return (*lines[: span.line], changed, *lines[span.line + 1 :])


def _width(span: Span) -> int:
    return span.end - span.start


def _emit_names(fields: MrzFields, width: int) -> str:
    """Surname `<<` given names; a cut one ends in a letter (ICAO Doc 9303-4, 4.2.3)."""
    surname, given = fields.surname.replace(" ", FILLER), fields.given_names.replace(" ", FILLER)
    text = f"{surname}{FILLER * 2}{given}" if given else surname
    while len(text) > width and (text[width - 1] == FILLER or len(surname) > width - 3):
        surname = surname[:-1].rstrip(FILLER)
        text = f"{surname}{FILLER * 2}{given}" if given else surname
    return text[:width]


def _emit_date(date: PartialDate | None) -> str:
    if date is None:
        raise MrzShapeError("MRZ: got no date to emit, want one, if need be with unknown parts")
    year = None if date.year is None else date.year % 100
    return "".join(FILLER * 2 if part is None else f"{part:02d}" for part in (year, date.month, date.day))
