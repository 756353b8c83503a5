"""Letters where only digits may be, and the reverse."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from borderpost.documents.mrz.formats import Kind, format_of, kinds_of, replaced

LETTER_FOR_DIGIT: Final = {"0": "O", "1": "I", "2": "Z", "5": "S", "6": "G", "8": "B"}
DIGIT_FOR_LETTER: Final = {letter: digit for digit, letter in LETTER_FOR_DIGIT.items()} | {"D": "0", "Q": "0"}


class RepairBasis(Enum):
    """Why one character was replaced by another."""

    FIELD_KIND = "FIELD_KIND"  # the field allows only letters, or only digits
    CHECK_DIGIT = "CHECK_DIGIT"  # of all confusions, exactly one makes every check digit fit


@dataclass(frozen=True, slots=True)
class Repair:
    """One character that was replaced, and why. `position` counts from 0 within the field."""

    field: str
    position: int
    was: str
    now: str
    basis: RepairBasis


def map_kinds(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Repair, ...]]:
    """Put a digit for its lookalike letter where only digits may be, and the reverse; say where.

    Raises MrzShapeError.
    """
    layout = format_of(lines)
    repairs = []
    for name, span, kind in kinds_of(layout):
        table = {Kind.LETTERS: LETTER_FOR_DIGIT, Kind.DIGITS: DIGIT_FOR_LETTER}.get(kind, {})
        for position in range(span.start, span.end):
            was = lines[span.line][position]
            if was in table:
                lines = replaced(lines, span.line, position, table[was])
                repairs.append(Repair(name, position - span.start, was, table[was], RepairBasis.FIELD_KIND))
    return lines, tuple(repairs)
