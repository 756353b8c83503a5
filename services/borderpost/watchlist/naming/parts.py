"""The parts of a name in letters A to Z: how each may be spelt, how it sounds, and how rare it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import jellyfish

from borderpost.runtime.names import allowed_spellings
from borderpost.runtime.transliteration import Spellings
from borderpost.watchlist.persons import PersonName

MAX_IDENTIFIER_PARTS: Final = 8
"""Of an identifier, the first so many words count: a name field of 39 places (ICAO Doc 9303-4, 4.2.2) has few more."""

MAX_PART_LETTERS: Final = 39
"""Of a word, the first so many letters count: no name field is longer (ICAO Doc 9303-4, 4.2.2)."""

MAX_SPELLINGS: Final = 64
"""Up to so many, every mixture of the allowed spellings is tried; beyond, one state's usage and single letters."""

MAX_NAME_SPELLINGS: Final = 256
"""A name that could be spelt in more ways, all its words together, is compared by the usual spellings alone.

So many have four words of as many mixtures as are tried. A name has a few dozen, in any of the tables' scripts; one
that has hundreds was made to be costly: an index is made anew of all its names, again and again.
"""

MIN_SOUND: Final = 2
"""A sound of fewer consonants says nothing: LEE, LI and LOUI would be one."""

REDUCED: Final = (("AE", "A"), ("OE", "O"), ("UE", "U"), ("AA", "A"))
"""What the zone writes for Ä, Ö, Ü and Å, and what it may write instead (ICAO Doc 9303-3, section 6, table A)."""

PARTICLES: Final = frozenset(
    {
        "ABD",
        "ABDEL",
        "ABDUL",
        "ABU",
        "AL",
        "BIN",
        "BINT",
        "DA",
        "DAS",
        "DE",
        "DEL",
        "DELLA",
        "DEN",
        "DER",
        "DI",
        "DO",
        "DOS",
        "DU",
        "EL",
        "IBN",
        "LA",
        "LE",
        "MAC",
        "MC",
        "ST",
        "TEN",
        "TER",
        "UL",
        "VAN",
        "VON",
        "ZU",
        "ZUR",
    }
)
"""Words that states write as one with what follows, apart from it, or not at all: they are joined to it here."""

LETTER_EVIDENCE: Final = 0.5
"""Each letter makes a part rarer by half a decade: a part of four letters is taken to be borne by 1 person in 100."""

RAREST: Final = 3.0
"""No part counts as rarer than 1 in 1,000: namesakes are kin and neighbours, whom a product of shares leaves out."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A word of a name: its usual spelling, all that are tried, and its sound; empty where that says nothing.

    Equal only to itself, which makes large indexes quick to build.
    """

    usual: str
    spellings: frozenset[str]
    sound: str

    @property
    def rarity(self) -> float:
        """-log10 of the share of people who are taken to bear it, from its letters alone."""
        return min(LETTER_EVIDENCE * len(self.usual), RAREST)


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A name as compared. Its first `primary` parts are the primary identifier's; None: nobody says which are.

    Equal only to itself, as its parts are.
    """

    parts: tuple[Part, ...]
    primary: int | None

    def crosses(self, place: int, other: Form, other_place: int) -> bool:
        """Tell whether the two parts are of different identifiers."""
        if self.primary is None or other.primary is None:
            return False
        return (place < self.primary) != (other_place < other.primary)

    def may_be_cut(self, place: int) -> bool:
        """Tell whether a zone that is too short would cut this part: it is its identifier's last."""
        return place == len(self.parts) - 1 or (self.primary is not None and place == self.primary - 1)


_Word = tuple[Spellings, ...]
"""A word as written: what may stand for each of its letters."""


class Forms:
    """Makes each form and each part once, and keeps them: one for each index or search."""

    def __init__(self) -> None:
        self._words: dict[str, tuple[_Word, ...]] = {}
        self._parts: dict[str, tuple[Part, ...]] = {}
        self._usual_parts: dict[str, tuple[Part, ...]] = {}
        self._joined: dict[tuple[Part, Part], Part] = {}
        self._forms: dict[tuple[tuple[Part, ...], int | None], Form] = {}

    def of(self, name: PersonName) -> tuple[Form, ...]:
        """The name in transliteration, and in its own script where that has letters of the tables."""
        usual_only = self._has_many_spellings(name)
        primary = self._of(name.primary_identifier, usual_only)
        secondary = self._of(name.secondary_identifier, usual_only)
        native = self._of(name.native, usual_only)
        parts = primary + secondary
        forms = (self._form(parts, len(primary)),) if parts else ()
        return (*forms, self._form(native, None)) if native else forms

    def _form(self, parts: tuple[Part, ...], primary: int | None) -> Form:
        form = self._forms.get((parts, primary))
        if form is None:
            form = self._forms[parts, primary] = Form(parts, primary)
        return form

    def _has_many_spellings(self, name: PersonName) -> bool:
        identifiers = (name.primary_identifier, name.secondary_identifier, name.native)
        if all(
            map(str.isascii, identifiers)
        ):  # one spelling of each letter: most names, so worth not counting
            return False
        return sum(map(self._count, identifiers)) > MAX_NAME_SPELLINGS

    def _count(self, identifier: str) -> int:
        """How many spellings an identifier has at most: a word's, and those again behind each particle before it."""
        words = itertools.chain.from_iterable(map(self._words_of, identifier.split()))
        total, particles = 0, 0
        for word in itertools.islice(words, MAX_IDENTIFIER_PARTS):
            total += _count_spellings(word) * (particles + 1)
            particles = particles + 1 if _usual(word) in PARTICLES else 0
        return total

    def _of(self, identifier: str, usual_only: bool) -> tuple[Part, ...]:
        found: list[Part] = []
        for text in identifier.split():
            found.extend(self._between_spaces(text, usual_only))
            if len(found) >= MAX_IDENTIFIER_PARTS:
                break
        parts = found[:MAX_IDENTIFIER_PARTS]
        if any(part.usual in PARTICLES for part in parts[:-1]):
            parts = self._join(parts)
        return tuple(parts)

    def _between_spaces(self, text: str, usual_only: bool) -> tuple[Part, ...]:
        """Hyphens and fillers part words, too."""
        known = self._usual_parts if usual_only else self._parts
        parts = known.get(text)
        if parts is None:
            parts = known[text] = tuple(self._make_parts(text, usual_only))
        return parts

    def _make_parts(self, text: str, usual_only: bool) -> Iterator[Part]:
        if text.isascii() and text.isalpha():  # nothing to transliterate: most names, so worth not trying
            yield _part(text.upper()[:MAX_PART_LETTERS], ())
            return
        for word in self._words_of(text):
            yield _part(_usual(word), () if usual_only else map(_cut, _spellings(word)))

    def _words_of(self, text: str) -> tuple[_Word, ...]:
        words = self._words.get(text)
        if words is None:
            cut = (word[:MAX_PART_LETTERS] for word in allowed_spellings(text))
            words = self._words[text] = tuple(word for word in cut if _usual(word))
        return words

    def _join(self, parts: list[Part]) -> list[Part]:
        """Join particles to the word that follows them in their identifier; a last one stands alone."""
        joined = parts[-1:]
        for part in reversed(parts[:-1]):
            if part.usual in PARTICLES:
                pair = (part, joined[-1])
                if pair not in self._joined:
                    self._joined[pair] = _joined(*pair)
                joined[-1] = self._joined[pair]
            else:
                joined.append(part)
        return joined[::-1]


def _joined(particle: Part, part: Part) -> Part:
    together = (_cut(particle.usual + spelling) for spelling in part.spellings)
    return _part(_cut(particle.usual + part.usual), itertools.chain(together, part.spellings))


def _usual(word: _Word) -> str:
    return _cut("".join(spellings[0] for spellings in word))


def _part(usual: str, spellings: Iterable[str]) -> Part:
    sound = jellyfish.metaphone(usual)
    spelt = frozenset(filter(None, (usual, _reduced(usual), *spellings)))
    return Part(usual, spelt, sound if len(sound) >= MIN_SOUND else "")


def _cut(word: str) -> str:
    return word[:MAX_PART_LETTERS]


def _reduced(word: str) -> str:
    for long, short in REDUCED:
        word = word.replace(long, short)
    return word


def _spellings(letters: _Word) -> Iterator[str]:
    """All mixtures if they are few; otherwise every usage kept through the word, and every single exception."""
    if _mixtures(letters) <= MAX_SPELLINGS:
        yield from map("".join, itertools.product(*letters))
        return
    for choice in range(max(len(spellings) for spellings in letters)):
        yield "".join(spellings[min(choice, len(spellings) - 1)] for spellings in letters)
    for place, spellings in enumerate(letters):
        for spelling in spellings[1:]:
            before = "".join(other[0] for other in letters[:place])
            yield before + spelling + "".join(other[0] for other in letters[place + 1 :])


def _count_spellings(letters: _Word) -> int:
    """How many `_spellings` yields."""
    mixtures = _mixtures(letters)
    if mixtures <= MAX_SPELLINGS:
        return mixtures
    lengths = [len(spellings) for spellings in letters]
    return max(lengths) + sum(length - 1 for length in lengths)


def _mixtures(letters: _Word) -> int:
    return math.prod(len(spellings) for spellings in letters)
