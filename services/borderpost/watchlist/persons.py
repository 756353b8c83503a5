"""What tells people and documents apart on paper: names, birth dates, document keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.states import as_in_zone


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name as documents write it: surname and given names; `native` is all of it in its own script, or empty."""

    primary_identifier: str
    secondary_identifier: str
    native: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What two same names have in common."""
        return to_mrz_letters(self.primary_identifier), to_mrz_letters(self.secondary_identifier)


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date; None is an unknown part."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


UNKNOWN_DATE: Final = PartialDate()


CARD: Final = "I"
CARD_LETTERS: Final = frozenset("ACI")
"""A, C or I begins the code of a card, at its state's discretion (ICAO Doc 9303-5, 4.2.2.1; 9303-6, 4.2.2).

Lists say `ID` of any of them. A state numbers its cards in one series, and where it hasn't the number alone would
still be a reason to look.
"""


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What identifies a travel document."""

    document_code: str
    issuing_state: str
    number: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What two keys of the same document have in common.

        Of the code only the first letter counts: a state may choose the second (ICAO Doc 9303-4, 4.2.2). Of a card
        it may choose the first, too: A, C and I are one kind. The state is as the zone has it: D for DEU.
        """
        kind = fold_code(self.document_code)[:1]
        return (
            CARD if kind in CARD_LETTERS else kind,
            as_in_zone(fold_code(self.issuing_state)),
            fold_code(self.number),
        )


def fold_code(text: str) -> str:
    """Turn a document code, state or number into upper case, without fillers and spaces."""
    return "".join(text.upper().replace("<", "").split())
