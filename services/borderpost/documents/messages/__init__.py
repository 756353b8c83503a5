"""What is said to travelers, in their language: a catalogue per language, one TOML file each.

A catalogue is plain data: `[problems]` has the advice for every `Problem`. To add a language, add its file; a test
holds that it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from borderpost.documents.domain import Problem
from borderpost.runtime.languages import fitting, read_catalogues

CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {
    language: content["problems"] for language, content in read_catalogues(__package__).items()
}
"""Advice by problem, by language tag in lower case."""


def advice(problem: Problem, language: str = "") -> str:
    """What a traveler can do before the next picture. `language` is a BCP 47 tag, or empty."""
    return fitting(CATALOGUES, language)[problem.value]
