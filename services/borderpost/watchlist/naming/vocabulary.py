"""The different parts of many names, and which of them agree with a part of another name, and how strongly."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from borderpost.watchlist.naming.matching import (
    COSTS,
    INITIAL_EVIDENCE,
    MAX_EDITS,
    MIN_CUT_LETTERS,
    MIN_EDIT_LETTERS,
    PartAgreement,
)
from borderpost.watchlist.naming.parts import Part

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

LAST_LETTER: Final = chr(ord("Z") + 1)
"""Sorts behind every word that goes on after a prefix."""

LETTERS_OF_AN_EDIT: Final = 2
"""So many letters at most does an edit bring in or take out: one goes and one comes."""

NONE: Final = -1.0
"""Weight of a part that doesn't agree: agreeing ones weigh 0 or more."""


class Vocabulary:
    """An immutable set of parts, each with its place; a part may stand in it more than once."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._rarities = np.array([part.rarity for part in parts], dtype=np.float64)
        self._by_spelling: dict[str, list[int]] = defaultdict(list)
        self._by_sound: dict[str, list[int]] = defaultdict(list)
        for place, part in enumerate(parts):
            for spelling in part.spellings:
                self._by_spelling[spelling].append(place)
            if part.sound:
                self._by_sound[part.sound].append(place)
        self._sorted = sorted(range(len(parts)), key=lambda place: parts[place].usual)
        self._sorted_usual = [parts[place].usual for place in self._sorted]
        self._usual = [part.usual for part in parts]
        self._lengths = np.array([len(usual) for usual in self._usual], dtype=np.int64)
        self._letters = np.array([_letters(usual) for usual in self._usual], dtype=np.uint32)

    def weights(self, part: Part) -> Numbers:
        """For each part of the vocabulary the most that it can weigh beside `part`; NONE where it doesn't agree."""
        weights = np.full(len(self._rarities), NONE)
        for agreement, places in self._agreeing(part):
            rarities = np.minimum(self._rarities[places], part.rarity)
            weight = (
                np.full(len(rarities), INITIAL_EVIDENCE)
                if agreement is PartAgreement.INITIAL
                else np.maximum(rarities - COSTS[agreement], 0.0)
            )
            weights[places] = np.maximum(weights[places], weight)
        return weights

    def _agreeing(self, part: Part) -> Iterator[tuple[PartAgreement, list[int] | Places]]:
        yield PartAgreement.EXACT, self._same(part.usual)
        for spelling in part.spellings:
            yield PartAgreement.SPELLING, self._by_spelling.get(spelling, [])
        yield PartAgreement.CUT, self._cut(part.usual)
        yield PartAgreement.EDIT, self._edited(part.usual)
        if part.sound:
            yield PartAgreement.PHONETIC, self._by_sound.get(part.sound, [])
        yield PartAgreement.INITIAL, self._initial(part.usual)

    def _cut(self, usual: str) -> list[int]:
        """What begins with the part, and what the part begins with."""
        if len(usual) < MIN_CUT_LETTERS:
            return []
        beginnings = (usual[:length] for length in range(MIN_CUT_LETTERS, len(usual)))
        return [*self._beginning_with(usual), *(place for short in beginnings for place in self._same(short))]

    def _initial(self, usual: str) -> list[int]:
        return self._beginning_with(usual) if len(usual) == 1 else self._same(usual[:1])

    def _same(self, usual: str) -> list[int]:
        first = bisect.bisect_left(self._sorted_usual, usual)
        return self._sorted[first : bisect.bisect_right(self._sorted_usual, usual, lo=first)]

    def _beginning_with(self, prefix: str) -> list[int]:
        first = bisect.bisect_left(self._sorted_usual, prefix)
        return self._sorted[first : bisect.bisect_left(self._sorted_usual, prefix + LAST_LETTER, lo=first)]

    def _edited(self, usual: str) -> Places:
        """Those within MAX_EDITS, of the parts whose length and letters allow it."""
        if len(usual) < MIN_EDIT_LETTERS:
            return np.zeros(0, dtype=np.int64)
        of_length = (self._lengths >= MIN_EDIT_LETTERS) & (abs(self._lengths - len(usual)) <= MAX_EDITS)
        others = np.bitwise_count(self._letters ^ np.uint32(_letters(usual)))
        places = np.flatnonzero(of_length & (others <= LETTERS_OF_AN_EDIT * MAX_EDITS))
        likely = [self._usual[place] for place in places.tolist()]
        distances = process.cdist(
            [usual], likely, scorer=OSA.distance, score_cutoff=MAX_EDITS, dtype=np.uint8
        )
        return places[distances.ravel() <= MAX_EDITS]


def _letters(usual: str) -> int:
    """A bit for each letter that is in the word."""
    bits = 0
    for letter in set(usual):
        bits |= 1 << (ord(letter) - ord("A"))
    return bits
