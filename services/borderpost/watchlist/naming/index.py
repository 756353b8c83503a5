"""Many names, searched at once: the same answers as the definition, without asking it about every pair.

Nothing is blocked that could match: each part of the vocabulary is compared with each part of the traveler's name, and
that gives every name a bound that its score can't exceed. The definition (matching.py) is asked about those whose
bound reaches the score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.naming.dates import AGREEMENTS, MOST_EVIDENCE, compare_all, to_dates
from borderpost.watchlist.naming.matching import (
    CONTRADICTION_COST,
    MISSING_COST,
    FormMatch,
    NameMatch,
    match_forms,
)
from borderpost.watchlist.naming.parts import Form, Forms, Part
from borderpost.watchlist.naming.vocabulary import NONE, Vocabulary
from borderpost.watchlist.persons import PartialDate, PersonName

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

ROUNDING: Final = 1e-9
"""Sums of the same weights in another order differ by less."""


class NameIndex:
    """One immutable block of names. Safe to search from several threads at a time."""

    def __init__(self, names: Sequence[tuple[int, PersonName, PartialDate]]) -> None:
        """Take the row of an entry, one of its names, and its birth date; a row may have several names."""
        making = Forms()
        forms: dict[Form, int] = {}
        uses: list[tuple[int, int]] = []
        for item, (_, name, _) in enumerate(names):
            uses.extend((item, forms.setdefault(form, len(forms))) for form in making.of(name))
        self._rows = [row for row, _, _ in names]
        self._births = to_dates([birth for _, _, birth in names])
        self._use_item, self._use_form = np.array(uses, dtype=np.int64).reshape(len(uses), 2).T.copy()
        self._forms = list(forms)
        self._lengths = np.array([len(form.parts) for form in forms], dtype=np.int64)
        parts: dict[Part, int] = {}
        of_forms = np.array(
            [parts.setdefault(part, len(parts)) for form in forms for part in form.parts], dtype=np.int64
        )
        self._vocabulary = Vocabulary(list(parts))
        by_part = np.argsort(of_forms, kind="stable")
        self._bearers = np.repeat(np.arange(len(forms)), self._lengths)[by_part]
        self._first_bearer = np.searchsorted(of_forms[by_part], np.arange(len(parts) + 1))

    def at_least(
        self, name: PersonName, birth_date: PartialDate, score: float
    ) -> list[tuple[int, NameMatch]]:
        """Every row whose best name reaches the score, by row, with that name's match.

        Of names that reach the same the first counts. A score of 0 or less is reached by every row.
        """
        given_forms = Forms().of(name)
        best: dict[int, tuple[int, NameMatch]] = {}
        if score <= 0.0:
            agreements, _ = compare_all(to_dates([birth_date]), self._births)
            for item in self._without_pair(given_forms).tolist():
                match = NameMatch((), False, AGREEMENTS[agreements[item]], 0.0)
                _keep_better(best, self._rows[item], item, match)
        for given in given_forms:
            for item, match in self._matches(given, birth_date, score):
                _keep_better(best, self._rows[item], item, match)
        return [(row, match) for row, (_, match) in sorted(best.items(), key=lambda kept: kept[0])]

    def _matches(self, given: Form, birth_date: PartialDate, score: float) -> Iterator[tuple[int, NameMatch]]:
        """Every item one of whose forms reaches the score with this form: first by name alone, then with dates."""
        bounds = self._bounds(given)[self._use_form]
        uses = np.flatnonzero(np.maximum(bounds + MOST_EVIDENCE, 0.0) >= score - ROUNDING)
        agreements, dates = compare_all(to_dates([birth_date]), self._births[self._use_item[uses]])
        chosen = np.flatnonzero(np.maximum(bounds[uses] + dates, 0.0) >= score - ROUNDING)
        matched: dict[int, FormMatch] = {}
        for at in chosen.tolist():
            item, form = int(self._use_item[uses[at]]), int(self._use_form[uses[at]])
            if form not in matched:
                matched[form] = match_forms(given, self._forms[form])
            match = matched[form].with_date(AGREEMENTS[agreements[at]], float(dates[at]))
            if match.score >= score:
                yield item, match

    def _without_pair(self, given: Sequence[Form]) -> Ids:
        """The names of which there is nothing to compare with the traveler's."""
        everything = np.arange(len(self._rows))
        return np.setdiff1d(everything, self._use_item) if given else everything

    def _bounds(self, given: Form) -> Numbers:
        """For each form what its evidence, dates left aside, can't exceed: -inf where no part agrees.

        Every listed part is taken to pair with what it agrees with best, and as many to be paired as can be.
        """
        if not self._forms:
            return np.zeros(0)
        best = np.max([self._vocabulary.weights(part) for part in set(given.parts)], axis=0)
        agreeing = np.flatnonzero(best > NONE)
        spans = zip(self._first_bearer[agreeing], self._first_bearer[agreeing + 1], strict=True)
        bearers = np.concatenate([self._bearers[:0], *(self._bearers[first:end] for first, end in spans)])
        sizes = self._first_bearer[agreeing + 1] - self._first_bearer[agreeing]
        evidence = np.bincount(bearers, np.repeat(best[agreeing], sizes), minlength=len(self._forms))
        count = np.bincount(bearers, minlength=len(self._forms))
        paired = np.minimum(count, len(given.parts))
        here, there = len(given.parts) - paired, self._lengths - paired
        costs = MISSING_COST * (here + there) + CONTRADICTION_COST * np.minimum(here, there)
        return np.where(count > 0, evidence - costs, -np.inf)


def _keep_better(best: dict[int, tuple[int, NameMatch]], row: int, item: int, match: NameMatch) -> None:
    kept = best.get(row)
    if kept is None or (match.score, -item) > (kept[1].score, -kept[0]):
        best[row] = item, match
