"""Document numbers, compared: the same number, or one character that readers of OCR-B take for another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.watchlist.persons import DocumentKey

CONFUSABLE: Final = ("0ODQ", "1IL", "2Z", "5S", "6G", "8B", "UV")
"""Characters of the zone that are taken for one another, in groups.

A letter and a digit of one outline are what readers of OCR-B, the zone's type (ICAO Doc 9303-3), mix up most: O and
0, I and 1, Z and 2, S and 5, G and 6, B and 8. D and Q are O but for a stroke, L is a worn I, U a blurred V. The
zone's check digit doesn't see G for 6, and a number typed into a list has none. What only handwriting mixes
up, such as 1 and 7 or 4 and 9, stays out: a digit for a digit would make other documents of a series match.
"""

MIN_CONFUSED: Final = 5
"""In a shorter number no confusion is looked for, only the same number.

A number of n characters has about n numbers one confusion away. Of 10^n numbers of a state these are 1 in 2,500 at
four characters, so that a list of 1,000 numbers would alarm for every third holder of one; 1 in 20,000 at five; and 1
in 100 million at nine, which is what passports have (ICAO Doc 9303-4, 4.2.2).
"""

_CLASS: Final = str.maketrans({other: group[0] for group in CONFUSABLE for other in group})

FoldedKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class NumberMatch:
    """How a traveler's document number matches a listed one.

    Unless `exact`, the character at `position` (from 0, fillers and spaces not counted) is `given` in the traveler's
    number and `listed` in the listed one; where exact they are None and empty.
    """

    exact: bool
    position: int | None
    given: str
    listed: str


EXACT: Final = NumberMatch(True, None, "", "")


class NumberIndex:
    """One immutable block of documents. Safe to search from several threads at a time."""

    def __init__(self, documents: Sequence[tuple[int, DocumentKey]]) -> None:
        """Take the row of an entry and one of its documents; a row may have several."""
        self._listed: dict[FoldedKey, list[tuple[int, FoldedKey]]] = defaultdict(list)
        for row, document in documents:
            self._listed[_class_of(document.key)].append((row, document.key))

    def find(self, document: DocumentKey) -> list[tuple[int, NumberMatch]]:
        """Every row with the document, or with one that differs in one confusable character; by row.

        Of a row's documents an exact one counts, or else the first.
        """
        best: dict[int, NumberMatch] = {}
        for row, listed in self._listed.get(_class_of(document.key), ()):
            match = _match(document.key, listed)
            if match is not None and (match.exact or row not in best):
                best[row] = match
        return sorted(best.items(), key=lambda found: found[0])


def match_numbers(given: DocumentKey, listed: DocumentKey) -> NumberMatch | None:
    """The match of two documents; None if they are different ones. Their kind and issuing state must be the same."""
    return _match(given.key, listed.key)


def _match(given: FoldedKey, listed: FoldedKey) -> NumberMatch | None:
    here, there = given[2], listed[2]
    if given == listed:
        return EXACT
    if given[:2] != listed[:2] or len(here) != len(there) or len(here) < MIN_CONFUSED:
        return None
    differing = [place for place, both in enumerate(zip(here, there, strict=True)) if both[0] != both[1]]
    place = differing[0]
    if len(differing) > 1 or here[place].translate(_CLASS) != there[place].translate(_CLASS):
        return None
    return NumberMatch(False, place, here[place], there[place])


def _class_of(key: FoldedKey) -> FoldedKey:
    """What all keys have in common that confusions lead to."""
    code, state, number = key
    return code, state, number.translate(_CLASS)
