"""Many names, searched at once: the same answers as the definition, without asking it about every pair.

Nothing is blocked that could match: each part of the vocabulary is compared with each part of the traveler's name, and
that gives every name a bound that its score can't exceed. The definition (matching.py) is asked about those whose
bound reaches the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.naming.dates import AGREEMENTS, MOST_EVIDENCE, Dates, compare_all, to_dates
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


NO_IDS: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Found:
    """Items, and for each the place of its match in `matches`: those of one kind share it, however many they are."""

    items: Ids
    kinds: Ids
    matches: Sequence[NameMatch]


class NameIndex:
    """One immutable block of names. Safe to search from several threads at a time."""

    def __init__(self, names: Sequence[tuple[int, PersonName, PartialDate]]) -> None:
        """Take the row of an entry, one of its names, and its birth date; a row may have several names."""
        making = Forms()
        forms: dict[Form, int] = {}
        uses: list[tuple[int, int]] = []
        for item, (_, name, _) in enumerate(names):
            uses.extend((item, forms.setdefault(form, len(forms))) for form in making.of(name))
        self._rows = np.array([row for row, _, _ in names], dtype=np.int64)
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
        """Every row whose best name reaches the score, by row, with that name's match; equal ones may be one object.

        Of names that reach the same the first counts. A score of 0 or less is reached by every row.
        """
        given_forms = Forms().of(name)
        birth = to_dates([birth_date])
        found = [self._matches(given, birth, score) for given in given_forms]
        if score <= 0.0:
            found.append(self._unmatched(self._without_pair(given_forms), birth))
        return self._best_of_each_row(found, score)

    def _matches(self, given: Form, birth: Dates, score: float) -> _Found:
        """Every item one of whose forms may reach the score with this form: first by name alone, then with dates."""
        bounds = self._bounds(given)[self._use_form]
        uses = np.flatnonzero(np.maximum(bounds + MOST_EVIDENCE, 0.0) >= score - ROUNDING)
        agreements, dates = compare_all(birth, self._births[self._use_item[uses]])
        chosen = np.maximum(bounds[uses] + dates, 0.0) >= score - ROUNDING
        uses, agreements, dates = uses[chosen], agreements[chosen], dates[chosen]
        forms = self._use_form[uses]
        firsts, kinds = _distinct(forms, agreements, dates)
        matched: dict[int, FormMatch] = {}
        matches = []
        for first in firsts.tolist():
            form = int(forms[first])
            if form not in matched:
                matched[form] = match_forms(given, self._forms[form])
            matches.append(matched[form].with_date(AGREEMENTS[agreements[first]], float(dates[first])))
        return _Found(self._use_item[uses], kinds, matches)

    def _unmatched(self, items: Ids, birth: Dates) -> _Found:
        """Items of whose name no part agrees."""
        agreements, _ = compare_all(birth, self._births[items])
        return _Found(items, agreements, [NameMatch((), False, agreement, 0.0) for agreement in AGREEMENTS])

    def _best_of_each_row(self, found: Sequence[_Found], score: float) -> list[tuple[int, NameMatch]]:
        """By row; of what scores the same, the first item, and of that what was found first."""
        matches: list[NameMatch] = []
        items, kinds = [NO_IDS], [NO_IDS]
        for each in found:
            items.append(each.items)
            kinds.append(each.kinds + len(matches))
            matches += each.matches
        item, kind = np.concatenate(items), np.concatenate(kinds)
        scores = np.array([match.score for match in matches], dtype=np.float64)[kind]
        enough = np.flatnonzero(scores >= score)
        rows = self._rows[item[enough]]
        order = np.lexsort((item[enough], -scores[enough], rows))  # stable
        row, first = np.unique(rows[order], return_index=True)
        best = kind[enough][order[first]]
        return [(each, matches[place]) for each, place in zip(row.tolist(), best.tolist(), strict=True)]

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


def _distinct(forms: Ids, agreements: Ids, dates: Numbers) -> tuple[Ids, Ids]:
    """Of N uses one of each kind, and of which kind each is: of a kind are those that match in the same way."""
    weights, weight_of = np.unique(dates, return_inverse=True)
    code = (forms * len(AGREEMENTS) + agreements) * len(weights) + weight_of
    _, firsts, kinds = np.unique(code, return_index=True, return_inverse=True)
    return firsts, kinds
