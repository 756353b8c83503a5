"""What travelers are told: complete in every language, and never why."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

from borderpost.kiosk.answers import Next
from borderpost.kiosk.messages import CATALOGUES, texts
from borderpost.runtime.reasons import REASONS

LONGEST_WORDS = 25


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_language_has_every_text_and_no_other(language):
    assert set(CATALOGUES[language]) == set(CATALOGUES["en"])
    assert all(text.strip() for text in CATALOGUES[language].values())


def test_there_are_two_languages_at_least_and_a_text_for_everywhere_a_traveler_goes():
    assert len(CATALOGUES) >= 2
    assert set(Next) <= set(texts("en"))


@pytest.mark.parametrize("language", CATALOGUES)
def test_no_text_has_a_reason_code_in_it_or_a_long_sentence(language):
    for key, text in CATALOGUES[language].items():
        assert not [code for code in REASONS if code in text], key
        for sentence in re.split(r"[.?!]", text):
            assert len(sentence.split()) <= LONGEST_WORDS, (key, sentence)


@pytest.mark.parametrize("language", CATALOGUES)
def test_the_words_for_the_officer_accuse_nobody(language):
    words = texts(language)["OFFICER"].lower() + texts(language)["OFFICER_HOW"].lower()
    for word in (
        "refus",
        "reject",
        "suspic",
        "wanted",
        "list",
        "fail",
        "verdacht",
        "gesucht",
        "fahnd",
        "verweiger",
    ):
        assert word not in words


def test_an_unknown_language_is_spoken_to_in_english():
    assert texts("xx") == texts("en") == texts("")
    assert texts("de-CH") == texts("de")


def test_the_catalogues_are_files_of_the_package():
    names = {file.name for file in resources.files("borderpost.kiosk.messages").iterdir()}
    assert {f"{language}.toml" for language in CATALOGUES} <= names
    for name in names:
        if name.endswith(".toml"):
            file = resources.files("borderpost.kiosk.messages") / name
            assert set(tomllib.loads(file.read_text("utf-8"))) == {"texts"}
