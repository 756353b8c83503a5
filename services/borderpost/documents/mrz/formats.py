"""The five formats of the machine readable zone as tables (ICAO Doc 9303, parts 4 to 7).

Lines are text of A to Z, 0 to 9 and the filler `<`; positions count from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

FILLER: Final = "<"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"
ALPHABET: Final = DIGITS + LETTERS + FILLER
"""All 37 characters (ICAO Doc 9303-3, 4.3)."""


class Kind(Enum):
    """What a field may hold. Where only one of letter and digit is allowed, the other is a misreading."""

    LETTERS = LETTERS + FILLER
    DIGITS = DIGITS + FILLER
    ANY = ALPHABET


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

    def holds(self, place: tuple[int, int]) -> bool:
        """Tell whether a line and position are of it."""
        line, position = place
        return line == self.line and self.start <= position < self.end


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


def kinds_of(layout: Format) -> Iterator[tuple[str, Span, Kind]]:
    """Every field, then every check digit, with what it may hold."""
    for field in layout.fields:
        yield field.name, field.span, field.kind
    for rule in layout.checks:
        yield f"{rule.field}_check_digit", rule.digit, Kind.DIGITS


def replaced(lines: tuple[str, ...], line: int, position: int, char: str) -> tuple[str, ...]:
    """Put another character at one place."""
    changed = lines[line][:position] + char + lines[line][position + 1 :]
    return (*lines[:line], changed, *lines[line + 1 :])


def text_at(lines: tuple[str, ...], span: Span) -> str:
    """Cut the text of a span."""
    return lines[span.line][span.start : span.end]


def width_of(span: Span) -> int:
    """Count the characters of a span."""
    return span.end - span.start
