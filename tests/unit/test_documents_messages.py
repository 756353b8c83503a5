from __future__ import annotations

import pytest

from borderpost.documents.domain import Problem
from borderpost.documents.messages import CATALOGUES, advice


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_every_language_has_advice_for_every_problem_and_no_other(language):
    assert set(CATALOGUES[language]) == {problem.value for problem in Problem}
    assert all(text.endswith(".") for text in CATALOGUES[language].values())


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [("de", "de"), ("de-AT", "de"), ("DE_at", "de"), ("", "en"), ("xx", "en"), ("-" * 999, "en")],
)
def test_the_longest_prefix_that_there_is_a_catalogue_for_is_spoken(asked, spoken):
    assert advice(Problem.NO_MRZ, asked) == CATALOGUES[spoken]["NO_MRZ"]
