"""What is said to travelers, in their language: a catalogue per language, one TOML file each.

A catalogue is plain data: `[problems]` has the advice for every `CaptureProblem`, `[actions]` the prompt for
every `CaptureAction`. To add a language, add its file; a test holds that it is complete.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from borderpost.faces.domain import CaptureAction, CaptureProblem

FALLBACK: Final = "en"
"""Spoken where a language is empty, unknown, or none."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All texts of one language."""

    problems: Mapping[str, str]
    actions: Mapping[str, str]


def _read_all() -> Mapping[str, Catalogue]:
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".toml"))
    return {file.name.removesuffix(".toml"): _parsed(file.read_text(encoding="utf-8")) for file in files}


def _parsed(text: str) -> Catalogue:
    content = tomllib.loads(text)
    return Catalogue(content["problems"], content["actions"])


CATALOGUES: Final = _read_all()
"""By language tag, in lower case."""


def advice(problem: CaptureProblem, language: str = "") -> str:
    """What a traveler can do about a problem. `language` is a BCP 47 tag, or empty."""
    return _catalogue(language).problems[problem.value]


def prompt(action: CaptureAction, language: str = "") -> str:
    """What a traveler is asked to do in a guided capture. `language` is a BCP 47 tag, or empty."""
    return _catalogue(language).actions[action.name]


def _catalogue(language: str) -> Catalogue:
    """The catalogue of the tag's longest prefix that there is one for (RFC 4647, 3.4), or else the fallback."""
    return next((CATALOGUES[tag] for tag in _prefixes(language) if tag in CATALOGUES), CATALOGUES[FALLBACK])


MAX_SUBTAGS: Final = 8
"""Longer tags are nobody's language; the rest is not looked at."""


def _prefixes(language: str) -> Iterator[str]:
    subtags = language.lower().replace("_", "-").split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for count in range(len(subtags), 0, -1):
        yield "-".join(subtags[:count])
