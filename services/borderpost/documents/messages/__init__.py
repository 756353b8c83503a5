"""What is said to travelers, in their language: a catalogue per language, one TOML file each.

A catalogue is plain data: `[problems]` has the advice for every `Problem`. To add a language, add its file; a test
holds that it is complete.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Final

from borderpost.documents.domain import Problem

FALLBACK: Final = "en"
"""Spoken where a language is empty, unknown, or none."""

MAX_SUBTAGS: Final = 8
"""Longer tags are nobody's language; the rest is not looked at."""


def _read_all() -> Mapping[str, Mapping[str, str]]:
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".toml"))
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))["problems"]
        for file in files
    }


CATALOGUES: Final = _read_all()
"""Advice by problem, by language tag in lower case."""


def advice(problem: Problem, language: str = "") -> str:
    """What a traveler can do before the next picture. `language` is a BCP 47 tag, or empty."""
    tag = next((tag for tag in _prefixes(language) if tag in CATALOGUES), FALLBACK)
    return CATALOGUES[tag][problem.value]


def _prefixes(language: str) -> Iterator[str]:
    """The tag, then always one subtag less (RFC 4647, 3.4)."""
    subtags = language.lower().replace("_", "-").split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for count in range(len(subtags), 0, -1):
        yield "-".join(subtags[:count])
