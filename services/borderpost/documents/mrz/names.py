"""The field of names: the surname, two fillers, the given names (ICAO Doc 9303-3, 4.6)."""

from __future__ import annotations

from borderpost.documents.mrz.fields import MrzFields
from borderpost.documents.mrz.formats import FILLER, MrzShapeError


def parse_names(text: str) -> tuple[str, str]:
    """Split the field into surname and given names, words apart by one space."""
    surname, _, given = text.strip(FILLER).partition(FILLER * 2)
    return " ".join(surname.split(FILLER)), " ".join(given.replace(FILLER, " ").split())


def emit_names(fields: MrzFields, width: int) -> str:
    """Write surname, `<<` and given names. What doesn't fit is cut so that the field ends in a letter.

    Of the ways that the standard leaves open (ICAO Doc 9303-4, 4.2.3, and its like in parts 5 to 7) this one
    keeps as much of the surname as leaves room for the first given name's first letter. Raises MrzShapeError
    where no cut ends in a letter, as in thirty words of one letter.
    """
    surname = FILLER.join(fields.surname.split())
    given = FILLER.join(fields.given_names.split())
    text = f"{surname}{FILLER * 2}{given}" if given else surname
    cut: str | None = text
    if len(text) > width:
        cut = _cut_both(surname, given, width) if given else _cut(surname, width)
    if cut is None:
        raise MrzShapeError("MRZ: got a name that can't be cut to end in a letter")
    return cut


def _cut_both(surname: str, given: str, width: int) -> str | None:
    longest = width - len(FILLER * 2) - 1
    for length in range(min(len(surname), longest), 0, -1):
        head, tail = _cut(surname, length), _cut(given, width - length - len(FILLER * 2))
        if head and tail and len(head) + len(FILLER * 2) + len(tail) == width:
            return f"{head}{FILLER * 2}{tail}"
    return None


def _cut(words: str, width: int) -> str | None:
    """Cut to `width` with a letter at the end; if a filler would be there, the longest word gives a letter up."""
    if len(words) <= width:
        return words
    if words[width - 1] != FILLER:
        return words[:width]
    whole = words[: width - 1].split(FILLER)
    longest = max(range(len(whole)), key=lambda index: len(whole[index]))
    if len(whole[longest]) == 1:
        return None
    whole[longest] = whole[longest][:-1]
    return (FILLER.join(whole) + words[width - 1 :])[:width]
