"""The console's words: every language says everything, and says it about the same things; nothing is said that isn't
used, and nothing used that isn't said."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import borderpost.console
from borderpost.console.words import CATALOGUES, REASON_TEXTS, Words, accepted, words
from borderpost.runtime.reasons import REASONS

ROOM = Path(borderpost.console.__file__).parent
SOURCES = [*ROOM.glob("*.py"), *ROOM.glob("templates/*.html")]
LITERAL = re.compile(
    r"""\b(?:t|said|spoken|words)(?:\.count|\.has)?\(\s*f?["']([a-z_]+(?:\.[A-Za-z_-]+)+)["']\s*[,)]"""
)
NOTICE = re.compile(r'Notice\(\s*"([a-z_.]+)"')


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_language_says_everything_with_the_same_things_put_in(language):
    english, other = CATALOGUES["en"], CATALOGUES[language]
    assert set(other) == set(english)
    assert {key for key in english if fields(english[key]) != fields(other[key])} == set()
    assert not [key for key, text in other.items() if not text.strip()]


def test_every_text_that_is_asked_for_is_there():
    asked = set()
    for source in SOURCES:
        content = source.read_text("utf-8")
        asked |= set(LITERAL.findall(content)) | set(NOTICE.findall(content))
    there = CATALOGUES["en"].keys()
    assert {key for key in asked if key not in there and f"{key}.one" not in there} == set()
    assert len(asked) > 250


def test_every_table_of_texts_is_used():
    content = "\n".join(source.read_text("utf-8") for source in SOURCES)
    tables = {key.partition(".")[0] for key in CATALOGUES["en"]}
    assert {table for table in tables if not re.search(rf"""["']{table}[.'"]""", content)} == set()


def test_a_language_explains_no_code_that_there_isnt():
    for language, reasons in REASON_TEXTS.items():
        assert set(reasons) <= set(REASONS), language


def test_every_reason_has_a_sentence_in_every_language():
    for language in CATALOGUES:
        said = Words(language)
        assert all(said.reason(code) and "{" not in said.reason(code) for code in REASONS)


def test_numbers_are_written_as_the_language_does_and_agree_with_their_noun():
    assert Words("en").count("queue.count_waiting", 5000) == "5,000 referrals are open"
    assert Words("de").count("queue.count_waiting", 5000) == "5.000 Vorlagen sind offen"
    assert Words("en").count("queue.count_waiting", 1) == "1 referral is open"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-CH,fr;q=0.9", "de"),
        ("fr, de;q=0.5", "de"),
        ("fr", "en"),
        ("", "en"),
        ("*", "en"),
        ("x" * 9000, "en"),
    ],
)
def test_a_browser_gets_the_first_of_its_languages_that_there_is(header, language):
    assert accepted(header) == language
    assert words(language).language == language
