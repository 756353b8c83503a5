"""What the pages say, in the languages that there are: one TOML file each.

To add a language, add its file; tests hold that it has every text, that every text is used, and that the same things
are put into it. What a reason code means in English is `runtime.reasons`; other languages have a table of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from borderpost.runtime.languages import FALLBACK, fitting, read_catalogues
from borderpost.runtime.reasons import explain

REASONS: Final = "reasons"


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


_FILES: Final = read_catalogues(__package__)
CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {
    language: dict(_flat({key: table for key, table in content.items() if key != REASONS}))
    for language, content in _FILES.items()
}
"""Texts by their path ("queue.title"), by language."""

REASON_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    language: content.get(REASONS, {}) for language, content in _FILES.items()
}
"""What reason codes mean, by language; English is not among them."""


class Words:
    """The texts of one language: `words("queue.waiting", count=3)`."""

    def __init__(self, language: str) -> None:
        """`language`: a key of CATALOGUES."""
        self.language = language
        self._texts = CATALOGUES[language]
        self._reasons = REASON_TEXTS[language]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text, with values put into it. KeyError: there is none."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self._texts

    def named(self, table: str, name: str) -> str:
        """Return the text of an enum's value; its name where there is none, as of one that is newer than this page."""
        return self._texts.get(f"{table}.{name}", name)

    def reason(self, code: str) -> str:
        """Say what a reason code means."""
        return self._reasons.get(code) or explain(code)

    def count(self, key: str, number: int, **values: object) -> str:
        """Return a text with a number in it, in singular ("KEY.one") or plural ("KEY.many")."""
        return self(f"{key}.{'one' if number == 1 else 'many'}", number=self.number(number), **values)

    def number(self, number: int) -> str:
        """Write a whole number, thousands apart as the language does it."""
        return f"{number:,}".replace(",", self("format.thousands"))


def words(language: str) -> Words:
    """Return the words of a language (BCP 47), or of the one that fits best."""
    return Words(fitting({name: name for name in CATALOGUES}, language))


def accepted(header: str) -> str:
    """Return the first language of an Accept-Language header (RFC 9110, 12.5.4) that there are words of."""
    for part in header.split(",")[:10]:
        tag = part.partition(";")[0].strip()
        name: str = fitting({name: name for name in CATALOGUES}, tag)
        if tag.lower().startswith(name):
            return name
    return FALLBACK
