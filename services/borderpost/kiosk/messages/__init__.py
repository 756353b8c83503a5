"""What a kiosk tells travelers, in their language: one TOML file each.

The same words whatever the reason: nobody standing at a kiosk is told why they see an officer, and nobody beside them
can tell. To add a language, add its file; a test holds that it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from borderpost.runtime.languages import fitting, read_catalogues

CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {
    language: content["texts"] for language, content in read_catalogues(__package__).items()
}
"""Texts by key, by language tag in lower case."""


def texts(language: str = "") -> Mapping[str, str]:
    """Return the texts of a language (BCP 47), or of the one that fits best. Keys: those of `answers.Next`, and what
    en.toml has."""
    return fitting(CATALOGUES, language)
