"""Names to the letters of the machine readable zone: ICAO Doc 9303-3, section 6, table A (Latin letters)."""

from __future__ import annotations

import unicodedata
from typing import Final

LATIN: Final = {
    "Ä": "AE",
    "Å": "AA",
    "Æ": "AE",
    "Ð": "D",
    "Đ": "D",
    "Ə": "E",
    "Ħ": "H",
    "ı": "I",
    "Ĳ": "IJ",
    "ĸ": "Q",
    "Ł": "L",
    "Ŋ": "N",
    "Ö": "OE",
    "Ø": "OE",
    "Œ": "OE",
    "ß": "SS",
    "ẞ": "SS",
    "Ŧ": "T",
    "Ü": "UE",
    "Þ": "TH",
}
"""Letters that become something other than their base letter; every other accented letter loses its mark."""

OMITTED: Final = frozenset("'’ʼ`´.,")
"""Marks that are left out; hyphens and spaces become a filler (ICAO Doc 9303-3, 4.6)."""


def to_mrz_letters(name: str) -> str:
    """Turn a printed name into words of A to Z, one space between them.

    Letters outside table A's Latin part and digits, which no name may hold, are dropped.
    """
    letters = "".join(_letter(character) for character in unicodedata.normalize("NFC", name))
    return " ".join(letters.split())


def _letter(character: str) -> str:
    for form in (character, character.upper()):
        if form in LATIN:
            return LATIN[form]
    if character in OMITTED:
        return ""
    base = "".join(part for part in unicodedata.normalize("NFD", character.upper()) if "A" <= part <= "Z")
    return base or (" " if not character.isalnum() and unicodedata.category(character)[0] != "M" else "")
