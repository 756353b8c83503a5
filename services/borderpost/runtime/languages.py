"""Catalogues of texts by language, one TOML file each, and which of them fits a language tag."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final, TypeVar

FALLBACK: Final = "en"
"""Spoken where a language is empty, unknown, or none."""

MAX_SUBTAGS: Final = 8
"""Longer tags are nobody's language; the rest is not looked at."""

T = TypeVar("T")


def read_catalogues(package: str) -> Mapping[str, Mapping[str, Any]]:
    """Read every TOML file of a package: its tables, by the language that the file is named after."""
    files = (file for file in resources.files(package).iterdir() if file.name.endswith(".toml"))
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8")) for file in files
    }


def fitting(catalogues: Mapping[str, T], language: str) -> T:
    """Return the catalogue of a tag's longest prefix that there is one for (RFC 4647, 3.4), or else the fallback.

    `language` is a BCP 47 tag, or empty.
    """
    tag = next((tag for tag in _prefixes(language) if tag in catalogues), FALLBACK)
    return catalogues[tag]


def _prefixes(language: str) -> Iterator[str]:
    subtags = language.lower().replace("_", "-").split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for count in range(len(subtags), 0, -1):
        yield "-".join(subtags[:count])
