"""What check digits prove of doubtful characters."""

from __future__ import annotations

import itertools
from typing import Final

from borderpost.documents.mrz.digits import DigitState, digit_evidence, digit_state, refuted
from borderpost.documents.mrz.formats import (
    MRV_A,
    MRV_B,
    CheckRule,
    Format,
    Kind,
    format_of,
    kinds_of,
    replaced,
)
from borderpost.documents.mrz.kinds import LETTER_FOR_DIGIT, Repair, RepairBasis

_SAME_SHAPE: Final = {letter: digit for digit, letter in LETTER_FOR_DIGIT.items()}

MAX_DOUBTFUL: Final = 4
"""With more doubtful characters under one check digit, chance alone makes some reading fit."""

CONFUSIONS: Final = ("0OQD", "1IL", "2Z", "5S", "6G", "8B", "UV", "CG", "EF", "MN", "KX", "38", "17")
"""Characters that readers of OCR-B mistake for one another."""


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
        for name, span, kind in kinds_of(layout)
        if span.line == row and span.start <= position < span.end
    )
    fitting = [
        (fixed, Repair(name, position - span.start, was, now, RepairBasis.CHECK_DIGIT))
        for now in _confusable(was, kind)
        if not refuted(digit_evidence(fixed := replaced(lines, row, position, now), layout))
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
    kinds = {place: kind for _, span, kind in kinds_of(layout) for place in span.places()}
    choices = [
        (lines[row][position], *_lookalikes(lines[row][position], kinds.get((row, position), Kind.DIGITS)))
        for row, position in places
    ]
    fitting = 0
    for chars in itertools.product(*choices):
        read = lines
        for (row, position), char in zip(places, chars, strict=True):
            read = replaced(read, row, position, char)
        fitting += digit_state(read, layout, rule) is not DigitState.REFUTED
    return fitting == 1


def _lookalikes(char: str, kind: Kind) -> set[str]:
    """A letter for its digit or the reverse where there is one, otherwise what readers take it for."""
    swapped = LETTER_FOR_DIGIT.get(char) or _SAME_SHAPE.get(char)
    if swapped is None:
        return _confusable(char, kind)
    return {swapped} & set(kind.value)


def _confusable(char: str, kind: Kind) -> set[str]:
    return {
        other
        for group in CONFUSIONS
        if char in group
        for other in group
        if other != char and other in kind.value
    }
