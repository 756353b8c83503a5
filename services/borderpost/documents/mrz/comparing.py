"""Two zones of one document: the printed one, and the chip's (data group 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from borderpost.documents.mrz.fields import Mrz
from borderpost.documents.mrz.formats import kinds_of, text_at

FORMAT: Final = "format"

_SAME_IN_ALL_FORMATS: Final = (
    "document_code",
    "issuing_state",
    "document_number",
    "nationality",
    "birth_date",
    "sex",
    "expiry_date",
)


def differences(printed: Mrz, chip: Mrz) -> tuple[str, ...]:
    """Name what differs: fields, and check digits as "birth_date_check_digit". Empty if and only if all lines agree.

    The chip holds the lines of the page (ICAO Doc 9303-10, 4.7.1), so lines are compared. Where even the formats
    differ, "format" comes first and then the values that say something else; of names that differ in length the
    shorter may be a cut one, and optional data say nothing.
    """
    if printed.format is not chip.format:
        return (FORMAT, *_values(printed, chip))
    return tuple(
        name
        for name, span, _ in kinds_of(printed.format)
        if text_at(printed.lines, span) != text_at(chip.lines, span)
    )


def _values(printed: Mrz, chip: Mrz) -> tuple[str, ...]:
    differ = [
        name for name in _SAME_IN_ALL_FORMATS if getattr(printed.fields, name) != getattr(chip.fields, name)
    ]
    if not all(_agree(*pair) for pair in _identifiers(printed, chip)):
        differ.append("names")
    return tuple(differ)


def _identifiers(one: Mrz, other: Mrz) -> Iterator[tuple[_Identifier, _Identifier]]:
    for name in ("surname", "given_names"):
        words = (tuple(getattr(each.fields, name).split()) for each in (one, other))
        first, second = zip(words, (one.names_may_be_cut, other.names_may_be_cut), strict=True)
        yield _Identifier(*first), _Identifier(*second)


@dataclass(frozen=True, slots=True)
class _Identifier:
    words: tuple[str, ...]
    may_be_cut: bool

    def may_lack_words_of(self, other: _Identifier) -> bool:
        return len(self.words) >= len(other.words) or (self.may_be_cut and len(self.words) > 0)


def _agree(one: _Identifier, other: _Identifier) -> bool:
    """Tell whether both can be one identifier, either of them cut (ICAO Doc 9303-4, 4.2.3)."""
    return (
        one.may_lack_words_of(other)
        and other.may_lack_words_of(one)
        and all(
            a == b or (one.may_be_cut and b.startswith(a)) or (other.may_be_cut and a.startswith(b))
            for a, b in zip(one.words, other.words, strict=False)
        )
    )
