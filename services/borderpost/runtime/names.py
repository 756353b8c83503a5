"""Names as the machine readable zone writes them (ICAO Doc 9303-3, 4.6 and section 6), and compared with it.

The tables are recommendations: a state may spell a name of another script by ear. So a name that can't be the
zone's is a reason to look, and no proof of a forgery.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from borderpost.runtime.transliteration import (
    CYRILLIC_FIRST,
    LETTERS,
    SHADDA,
    TEH_MARBUTA,
    TEH_MARBUTA_LAST,
    Spellings,
)

FILLER: Final = "<"
SEPARATORS: Final = frozenset(f"{FILLER},\u060c\u2212")
"""These, spaces and dashes part two words (ICAO Doc 9303-3, 4.6); other punctuation is left out without a gap."""

SILENT: Final[Spellings] = ("",)
"""For marks, punctuation and numerals, which no name in the zone holds (ICAO Doc 9303-3, 4.6)."""

IdentifierPair = tuple[str, str]
"""Primary and secondary identifier: surname and given names. The second may be empty."""


class NameAnswer(Enum):
    """Whether a printed name can be the zone's. UNKNOWN: it holds letters that the tables don't have."""

    POSSIBLE = "POSSIBLE"
    IMPOSSIBLE = "IMPOSSIBLE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class NameComparison:
    """The answer and what it took: letters spelt otherwise than usual, such as ("Ü", "UXX"), and cut words."""

    answer: NameAnswer
    spelt: tuple[tuple[str, str], ...] = ()
    shortened: bool = False


@dataclass(frozen=True, slots=True)
class _Letter:
    """One printed letter and what the zone may write for it; None where no table has it."""

    printed: str
    spellings: Spellings | None


_Word = tuple[_Letter, ...]


def to_mrz_letters(name: str) -> str:
    """Turn a printed name into words of A to Z, one space between them; empty if no letter of the tables is in it.

    Of several spellings the first is taken; letters that the tables don't have are left out.
    """
    words = ("".join((letter.spellings or SILENT)[0] for letter in word) for word in _words(name))
    return " ".join(filter(None, words))


def allowed_spellings(name: str) -> Iterator[tuple[Spellings, ...]]:
    """What the zone may write for every letter of every word, the usual spelling first.

    A letter that the tables don't have is left out of its word, as to_mrz_letters does.
    """
    for word in _words(name):
        yield tuple(letter.spellings or SILENT for letter in word)


def split_name(name: str) -> IdentifierPair:
    """Split a name that is written in one field: at `<<` (DG11) or the first comma (ICAO Doc 9303-3, 3.4)."""
    for separator in (FILLER * 2, ","):
        primary, found, secondary = name.partition(separator)
        if found:
            return primary.strip(), secondary.strip(f"{FILLER} ")
    return name.strip(f"{FILLER} "), ""


def compare_names(printed: IdentifierPair, zone: IdentifierPair, *, may_be_cut: bool) -> NameComparison:
    """Tell whether the zone's name can stand for the printed one, which may be of another script.

    Every spelling that the tables allow is tried. With `may_be_cut` (the zone's last letter touches its field's
    end) a word may miss its end, and an identifier its last words, but not all of them (ICAO Doc 9303-4, 4.2.3, and
    its like in parts 5 to 7).
    """
    found = [
        _compare(tuple(_words(of_page)), tuple(of_zone.replace(FILLER, " ").split()), may_be_cut=may_be_cut)
        for of_page, of_zone in zip(printed, zone, strict=True)
    ]
    for answer in (NameAnswer.UNKNOWN, NameAnswer.IMPOSSIBLE):
        if any(one.answer is answer for one in found):
            return NameComparison(answer)
    spelt = tuple(choice for one in found for choice in one.spelt)
    return NameComparison(NameAnswer.POSSIBLE, spelt, any(one.shortened for one in found))


def _compare(words: tuple[_Word, ...], zone: tuple[str, ...], *, may_be_cut: bool) -> NameComparison:
    if any(letter.spellings is None for word in words for letter in word):
        return NameComparison(NameAnswer.UNKNOWN)
    missing = len(words) - len(zone)
    if missing < 0 or (missing > 0 and not (may_be_cut and zone)):
        return NameComparison(NameAnswer.IMPOSSIBLE)
    spelt: tuple[tuple[str, str], ...] = ()
    shortened = missing > 0
    for word, written in zip(words, zone, strict=False):
        choices = _spelling_of(word, written, may_be_cut=False)
        if choices is None and may_be_cut:
            choices = _spelling_of(word, written, may_be_cut=True)
            shortened = True
        if choices is None:
            return NameComparison(NameAnswer.IMPOSSIBLE)
        spelt += choices
    return NameComparison(NameAnswer.POSSIBLE, spelt, shortened)


def _spelling_of(word: _Word, written: str, *, may_be_cut: bool) -> tuple[tuple[str, str], ...] | None:
    """Find spellings that make the word `written`, or its beginning; those that aren't the usual ones are named.

    Keeps one way to each place in `written`, so that time grows with the product of both lengths only.
    """
    ways: dict[int, tuple[tuple[str, str], ...]] = {0: ()}
    for letter in word:
        longer: dict[int, tuple[tuple[str, str], ...]] = {}
        for place, choices in ways.items():
            for spelling in letter.spellings or ():
                taken = (
                    choices
                    if spelling == (letter.spellings or ())[0]
                    else (*choices, (letter.printed, spelling))
                )
                if written.startswith(spelling, place):
                    longer.setdefault(place + len(spelling), taken)
                elif may_be_cut and spelling.startswith(written[place:]):
                    longer.setdefault(len(written), taken)
        if may_be_cut and len(written) in longer:
            return longer[len(written)]
        ways = longer
    return ways.get(len(written))


def _words(name: str) -> Iterator[_Word]:
    """Every word that leaves something to write, or holds an unknown letter."""
    upper = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).upper())
    parted = "".join(" " if _parts(char) else char for char in upper)
    for text in parted.split():
        word = tuple(_letters(text))
        if any(letter.spellings != SILENT for letter in word):
            yield word


def _parts(char: str) -> bool:
    return char in SEPARATORS or char.isspace() or unicodedata.category(char) == "Pd"


def _letters(text: str) -> Iterator[_Letter]:
    """Every letter of one word, with the rules that depend on its place."""
    heard = [char for char in text if char == SHADDA or _spellings(char) != SILENT]
    previous: _Letter | None = None
    for place, char in enumerate(heard):
        if char == SHADDA:
            if previous is not None:
                yield _Letter(previous.printed, _again(previous.spellings))
            continue
        spellings = _spellings(char)
        if place == 0 and char in CYRILLIC_FIRST and spellings is not None:
            spellings = (*spellings, CYRILLIC_FIRST[char])
        if char == TEH_MARBUTA and place == len(heard) - 1:
            spellings = (TEH_MARBUTA_LAST,)
        previous = _Letter(char, spellings)
        yield previous


def _again(spellings: Spellings | None) -> Spellings | None:
    """Repeat a letter: XDZ becomes XDZDZ in the standard's example, so the escaping X isn't repeated; or it is."""
    if spellings is None:
        return None
    return tuple(dict.fromkeys(form for spelling in spellings for form in (spelling.lstrip("X"), spelling)))


def _spellings(char: str) -> Spellings | None:
    """Look a character up, without its marks if need be. None: a letter that no table has."""
    if "A" <= char <= "Z":
        return (char,)
    if char in LETTERS:
        return LETTERS[char]
    parts = unicodedata.normalize("NFKD", char)
    base = "".join(
        (LETTERS.get(part) or (part,))[0] for part in parts if part in LETTERS or "A" <= part <= "Z"
    )
    if base:
        return (base,)
    return None if unicodedata.category(char) in {"Lu", "Ll", "Lt", "Lo"} else SILENT
