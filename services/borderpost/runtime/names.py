"""Names as the machine readable zone writes them (ICAO Doc 9303-3, section 6, table A, Latin letters)."""

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
    "Ĳ": "IJ",
    "ĸ": "Q",
    "Ł": "L",
    "Ŋ": "N",
    "Ö": "OE",
    "Ø": "OE",
    "Œ": "OE",
    "ẞ": "SS",
    "Ŧ": "T",
    "Ü": "UE",
    "Þ": "TH",
}
"""Letters that lose more than a mark (ICAO Doc 9303-3, section 6, table A)."""

JOINED: Final = frozenset("'’ʼ`´.,")
"""Marks that are left out without a gap (ICAO Doc 9303-3, 4.6); all others, and the filler, make one."""


def to_mrz_letters(name: str) -> str:
    """Turn a printed name into words of A to Z, one space between them; empty if no Latin letter is in it."""
    upper = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).upper())
    return " ".join("".join(_letters(character) for character in upper).split())


def _letters(character: str) -> str:
    if character in LATIN:
        return LATIN[character]
    base = "".join(part for part in unicodedata.normalize("NFD", character) if "A" <= part <= "Z")
    if base or character in JOINED or character.isalnum() or unicodedata.combining(character):
        return base
    return " "
