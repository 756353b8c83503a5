"""The field of names: the surname, two fillers, the given names (ICAO Doc 9303-3, 4.6)."""

from __future__ import annotations

from borderpost.documents.mrz.fields import MrzFields
from borderpost.documents.mrz.formats import FILLER


def parse_names(text: str) -> tuple[str, str]:
    """Split the field into surname and given names, words apart by one space."""
    surname, _, given = text.strip(FILLER).partition(FILLER * 2)
    return " ".join(surname.split(FILLER)), " ".join(given.replace(FILLER, " ").split())


def emit_names(fields: MrzFields, width: int) -> str:
    """Surname `<<` given names; a cut one ends in a letter (ICAO Doc 9303-4, 4.2.3)."""
    surname, given = fields.surname.replace(" ", FILLER), fields.given_names.replace(" ", FILLER)
    text = f"{surname}{FILLER * 2}{given}" if given else surname
    while len(text) > width and (text[width - 1] == FILLER or len(surname) > width - 3):
        surname = surname[:-1].rstrip(FILLER)
        text = f"{surname}{FILLER * 2}{given}" if given else surname
    return text[:width]
