"""What check digits can't see. A weight of 7, 3 or 1 has no factor in common with 10, so a digit sees every single
change of value modulo 10, and no other."""

from __future__ import annotations

from typing import Final

from borderpost.documents.mrz.digits import value
from borderpost.documents.mrz.formats import ALPHABET, Format

MODULUS: Final = 10
"""ICAO Doc 9303-3, 4.9."""

SAME_VALUE: Final = tuple(
    "".join(char for char in ALPHABET if value(char) % MODULUS == rest) for rest in range(MODULUS)
)
"""Characters that no check digit tells apart: those of value 0, 1, ... 9 modulo 10."""


def unprotected_fields(layout: Format) -> tuple[str, ...]:
    """Name the fields that no check digit covers."""
    covered = {place for rule in layout.checks for span in rule.covers for place in span.places()}
    return tuple(field.name for field in layout.fields if covered.isdisjoint(field.span.places()))


def is_blind(layout: Format, place: tuple[int, int], was: str, now: str) -> bool:
    """Tell whether no check digit sees one character (line and position) replaced by another.

    Said of a zone whose digits are all there. The digit of a field of fillers may be 0 or `<`, which is no error.
    In TD1 and TD2 a filler for the digit 0 of the number can let the number run on in the optional data, which one
    time in ten fits; in a number that does run on, more is seen than this says.
    """
    if any(rule.digit.holds(place) for rule in layout.checks):
        return was == now
    covered = any(span.holds(place) for rule in layout.checks for span in rule.covers)
    return not covered or value(was) % MODULUS == value(now) % MODULUS
