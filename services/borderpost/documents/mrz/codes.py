"""Document codes: the first two characters of every zone (ICAO Doc 9303, parts 4 to 7, 8th edition)."""

from __future__ import annotations

from typing import Final

from borderpost.documents.mrz.formats import TD1, TD2, TD3, Format

PASSPORT_TYPES: Final = {
    "PP": "national passport",
    "PE": "emergency passport",
    "PD": "diplomatic passport",
    "PO": "official or service passport",
    "PR": "refugee passport",
    "PT": "passport of an alien",
    "PS": "passport of a stateless person",
    "PL": "laissez-passer",
    "PM": "military passport",
    "PU": "emergency travel document of a single sheet",
}
"""ICAO Doc 9303-4, 4.4; for all passports issued from 2028 on. Older ones have any second character, or none."""

CREW_CERTIFICATE: Final = "AC"
"""Crew member certificate, in TD1 only (ICAO Doc 9303-5, note k and appendix C)."""

_CARD_LETTERS: Final = frozenset("ACI")
_NOT_ON_CARDS: Final = {TD1.name: frozenset({"AI"}), TD2.name: frozenset({CREW_CERTIFICATE})}


def code_fits(code: str, layout: Format) -> bool:
    """Tell whether a document code, without its fillers, may stand on a document of this format.

    P on TD3; V on visas; A, C or I on cards, where the second letter is never V, AI is not for TD1 and AC not for
    TD2 (notes k of 9303-5 and -6). IP is a card like any other.
    """
    if layout is TD3:
        return code[:1] == "P"
    if layout.name not in _NOT_ON_CARDS:
        return code[:1] == "V"
    return code[:1] in _CARD_LETTERS and code[1:] != "V" and code not in _NOT_ON_CARDS[layout.name]
