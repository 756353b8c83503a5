"""What travelers are told: every language says everything, and the right one is found."""

from __future__ import annotations

import pytest

from borderpost.faces.domain import CaptureAction, CaptureProblem
from borderpost.faces.messages import CATALOGUES, advice, prompt
from borderpost.runtime.languages import FALLBACK
from borderpost.runtime.reasons import REASONS


def test_there_is_english_and_at_least_one_more_language():
    assert {FALLBACK, "de"} <= set(CATALOGUES)


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_every_language_has_a_sentence_for_every_problem_and_action_and_for_nothing_else(language):
    catalogue = CATALOGUES[language]
    assert set(catalogue.problems) == {problem.value for problem in CaptureProblem}
    assert set(catalogue.actions) == {action.name for action in CaptureAction}
    for text in (*catalogue.problems.values(), *catalogue.actions.values()):
        assert text.endswith(".")
        assert text == text.strip()


@pytest.mark.parametrize("language", sorted(set(CATALOGUES) - {FALLBACK}))
def test_no_text_was_left_untranslated(language):
    ours, english = CATALOGUES[language], CATALOGUES[FALLBACK]
    assert not set(ours.problems.values()) & set(english.problems.values())
    assert not set(ours.actions.values()) & set(english.actions.values())


@pytest.mark.parametrize("language", ["de", "de-AT", "DE", "de_CH", "de-Latn-DE-1996"])
def test_a_language_is_found_by_its_longest_known_prefix(language):
    assert advice(CaptureProblem.EYES_CLOSED, language) == CATALOGUES["de"].problems["EYES_CLOSED"]
    assert prompt(CaptureAction.BLINK, language) == CATALOGUES["de"].actions["BLINK"]


@pytest.mark.parametrize(
    "language", ["", "en", "en-GB", "tlh", "d", "deu", "-", "de;en", "../de", "x" * 10_000, "-" * 999]
)
def test_any_other_language_is_answered_in_english(language):
    assert advice(CaptureProblem.NO_FACE, language) == CATALOGUES["en"].problems["NO_FACE"]


def test_officers_have_a_meaning_for_every_problem():
    assert {problem.value for problem in CaptureProblem} <= set(REASONS)
