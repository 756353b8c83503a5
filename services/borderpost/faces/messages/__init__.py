"""What is said to travelers, in their language: a catalogue per language, one TOML file each.

A catalogue is plain data: `[problems]` has the advice for every `CaptureProblem`, `[actions]` the prompt for
every `CaptureAction`. To add a language, add its file; a test holds that it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from borderpost.faces.domain import CaptureAction, CaptureProblem
from borderpost.runtime.languages import fitting, read_catalogues


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All texts of one language."""

    problems: Mapping[str, str]
    actions: Mapping[str, str]


CATALOGUES: Final = {
    language: Catalogue(content["problems"], content["actions"])
    for language, content in read_catalogues(__package__).items()
}
"""By language tag, in lower case."""


def advice(problem: CaptureProblem, language: str = "") -> str:
    """What a traveler can do about a problem. `language` is a BCP 47 tag, or empty."""
    return fitting(CATALOGUES, language).problems[problem.value]


def prompt(action: CaptureAction, language: str = "") -> str:
    """What a traveler is asked to do in a guided capture. `language` is a BCP 47 tag, or empty."""
    return fitting(CATALOGUES, language).actions[action.name]
