"""Check digits (ICAO Doc 9303-3, 4.9).

A check digit is evidence of its own: VERIFIED, REFUTED or ABSENT, never a bare yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from borderpost.documents.mrz.formats import ALPHABET, FILLER, LONG_NUMBER_FORMATS, CheckRule, Format, text_at

CHECK_WEIGHTS: Final = (7, 3, 1)
"""ICAO Doc 9303-3, 4.9."""


class DigitState(Enum):
    """What a check digit says of its field."""

    VERIFIED = "VERIFIED"
    REFUTED = "REFUTED"
    ABSENT = "ABSENT"


@dataclass(frozen=True, slots=True)
class DigitEvidence:
    """One check digit: the field it covers ("composite" for the whole), and what it says."""

    field: str
    state: DigitState


def check_digit(text: str) -> int:
    """Weighted sum modulo 10 over digits, letters (A = 10) and fillers (0): ICAO Doc 9303-3, 4.9."""
    return sum(value(char) * CHECK_WEIGHTS[i % 3] for i, char in enumerate(text)) % 10


def value(char: str) -> int:
    """Worth of one character: a digit its own, A to Z 10 to 35, the filler 0."""
    return 0 if char == FILLER else ALPHABET.index(char)


def digit_evidence(lines: tuple[str, ...], layout: Format) -> tuple[DigitEvidence, ...]:
    """Check every digit of the format. A format without a composite digit has it as ABSENT."""
    found = [DigitEvidence(rule.field, digit_state(lines, layout, rule)) for rule in layout.checks]
    if layout.checks[-1].field != "composite":
        found.append(DigitEvidence("composite", DigitState.ABSENT))
    return tuple(found)


def digit_state(lines: tuple[str, ...], layout: Format, rule: CheckRule) -> DigitState:
    """Check one digit. It is absent where it and all that it covers are fillers; a composite never is."""
    digit = text_at(lines, rule.digit)
    covered = "".join(text_at(lines, span) for span in rule.covers)
    if rule.field == "document_number" and is_long_number(lines, layout):
        number, digit = split_long_number(lines, layout)
        covered = number
    if digit == FILLER and not covered.strip(FILLER) and rule.field != "composite":
        return DigitState.ABSENT
    return DigitState.VERIFIED if digit == str(check_digit(covered)) else DigitState.REFUTED


def refuted(digits: tuple[DigitEvidence, ...]) -> tuple[str, ...]:
    """Name the fields whose check digit does not fit."""
    return tuple(evidence.field for evidence in digits if evidence.state is DigitState.REFUTED)


def is_long_number(lines: tuple[str, ...], layout: Format) -> bool:
    """Tell whether the number runs on in the optional data (ICAO Doc 9303-5 and -6, 4.2.2, note j).

    It does if a filler is in place of its check digit, its ninth character is none, and more of it, a check
    digit and a filler follow.
    """
    if layout.name not in LONG_NUMBER_FORMATS:
        return False
    number = text_at(lines, layout.field("document_number").span)
    tail, filler, _ = text_at(lines, layout.field("optional_data").span).partition(FILLER)
    return text_at(lines, layout.checks[0].digit) == FILLER != number[-1] and len(tail) > 1 and filler != ""


def split_long_number(lines: tuple[str, ...], layout: Format) -> tuple[str, str]:
    """Split a long number that runs on in the optional data into the number and its check digit."""
    tail = text_at(lines, layout.field("optional_data").span).partition(FILLER)[0]
    return text_at(lines, layout.field("document_number").span) + tail[:-1], tail[-1]
