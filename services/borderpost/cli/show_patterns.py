"""What recent screenings and one say together, in words for the officer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from borderpost.cli import show
from borderpost.v1.decisions_pb2 import PatternFinding

_WORDS: Final = {
    "DOCUMENT_IN_TWO_PLACES": "the same document was at {crossing} at {at} UTC, less time ago than the way takes: "
    "look whether it is this very document, and whose",
    "MANY_VISITS": "the document was shown {screenings} times lately, last at {crossing} at {at} UTC: ask why",
    "CHIP_PORTRAIT_CHANGED": "the document's chip held another portrait at {crossing} at {at} UTC: one of the two is "
    "not as the state made it",
    "FACE_WITH_TWO_IDENTITIES": "a face like this came with a document of another name at {crossing} at {at} UTC: "
    "compare both; people look alike, and some have changed their name",
}


def pattern_words(patterns: Iterable[PatternFinding]) -> str:
    """Say what was found, a line each. None of it decides anything."""
    return "\n".join(_line(pattern) for pattern in patterns)


def _line(pattern: PatternFinding) -> str:
    words = _WORDS.get(pattern.code, "at {crossing} at {at} UTC")
    told = words.format(crossing=pattern.crossing, at=show.when(pattern.at), screenings=pattern.screenings)
    return f"{pattern.code}: {told}"
