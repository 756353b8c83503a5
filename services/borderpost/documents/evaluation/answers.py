"""What a reader answered, and what that is worth against what the page says."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from borderpost.documents import mrz

Lines = tuple[str, ...]

MAX_EXCESS: Final = 3
"""A peer's line may have so many characters too many, at either end: the part that fits best is taken."""

LOOKALIKES: Final = str.maketrans({"«": "<<", "‹": "<", "〈": "<", "《": "<<"})
"""What general readers write for fillers."""


class Outcome(Enum):
    """What an answer is worth, best first."""

    EXACT = "exact"
    ASKED_AGAIN = "asked again"
    REFUTED = "refuted"
    FALSELY_VALID = "falsely valid"


@dataclass(frozen=True, slots=True)
class Answer:
    """The lines that a reader gave, none where it wants another picture, with its reason as `note`.

    `seconds` is CPU time, `stages` milliseconds of each step, `repairs` how many characters were repaired.
    """

    lines: Lines | None
    seconds: float
    note: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    repairs: int = 0


def outcome(lines: Lines | None, truths: Sequence[Lines]) -> Outcome:
    """Judge lines by what the picture's pages say. Falsely valid: another text, and every check digit fits."""
    if lines is None:
        return Outcome.ASKED_AGAIN
    if lines in truths:
        return Outcome.EXACT
    return Outcome.REFUTED if refuted_digits(lines) else Outcome.FALSELY_VALID


def refuted_digits(lines: Lines) -> int:
    """How many check digits don't fit. Raises MrzShapeError for lines of no format."""
    layout = mrz.format_of(lines)
    return len(mrz.refuted(mrz.digit_evidence(lines, layout)))


def assembled(texts: Sequence[str]) -> Lines | None:
    """The MRZ among lines of text as a plain reader gives them, one after another; None if there is none.

    Lines of the right length that follow one another, after spaces are left out; of a line that is a little
    too long the part that fits. Where several do, the one with the fewest wrong check digits: a rule kind to peers.
    """
    cleaned = [_cleaned(text) for text in texts]
    found = [lines for layout in mrz.FORMATS for lines in _candidates(cleaned, layout.rows, layout.width)]
    return min(found, key=refuted_digits, default=None)


def _cleaned(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).translate(LOOKALIKES).upper().split())


def _candidates(texts: Sequence[str], rows: int, width: int) -> Iterator[Lines]:
    for first in range(len(texts) - rows + 1):
        parts = [_parts(text, width) for text in texts[first : first + rows]]
        for lines in itertools.product(*parts):
            if mrz.FILLER in "".join(lines) and _has_format(lines):
                yield lines


def _parts(text: str, width: int) -> list[str]:
    if not 0 <= len(text) - width <= MAX_EXCESS:
        return []
    return [text[start : start + width] for start in range(len(text) - width + 1)]


def _has_format(lines: Lines) -> bool:
    try:
        mrz.format_of(lines)
    except mrz.MrzShapeError:
        return False
    return True
