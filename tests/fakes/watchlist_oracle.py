"""What a search must answer: by the definition, entry by entry, without blocks, indexes or coalescing.

It shares with the service what scores mean (thresholds, name and number matching), and no code of how they are found.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property

import numpy as np
import pytest

from borderpost.watchlist.domain import EntryContent, ListResult, MatchKind, SearchQuery, Watchlist
from borderpost.watchlist.names import load_name_calibration, match_names
from borderpost.watchlist.numbers import match_numbers
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.search import MOST_CANDIDATES
from borderpost.watchlist.thresholds import FaceThreshold, face_threshold
from fakes.watchlist import CALIBRATIONS, MODEL, NOW, OTHER_MODEL, a_name, a_template, an_entry, near

PEOPLE = 12
"""People whose faces, names and documents recur, so that many searches have candidates."""

Answer = list[tuple[str, MatchKind, float]]
"""Entry, kind and score of the candidates of one list: of a number 1 if it is the same, else 0."""


@dataclass(frozen=True)
class Listed:
    """A list and its approved entries, at one version."""

    watchlist: Watchlist
    active: Mapping[str, EntryContent]

    @cached_property
    def faces(self) -> tuple[np.ndarray, list[EntryContent]]:
        """All templates of MODEL as float64, and the entry of each."""
        owned = [(t, e) for e in self.active.values() for t in e.templates if t.model == MODEL]
        rows = b"".join(template.values for template, _ in owned)
        vectors = np.frombuffer(rows, dtype=np.float32).astype(np.float64).reshape(-1, MODEL.dimension)
        return vectors, [entry for _, entry in owned]

    def searched(self, now: datetime) -> set[str]:
        """The ids of entries that are searched at `now`."""
        return {
            entry_id
            for entry_id, each in self.active.items()
            if (each.valid_from is None or each.valid_from <= now) and now < each.valid_until
        }

    def threshold(self, query: SearchQuery, now: datetime) -> FaceThreshold:
        """From which score a face is a candidate; no list of these was measured."""
        here = self.searched(now)
        owners = [entry.entry_id for entry in self.faces[1] if entry.entry_id in here]
        fpir, probes = self.watchlist.target_fpir, len(query.templates)
        calibration = CALIBRATIONS[MODEL.model_id]
        return face_threshold(calibration, fpir, len(owners), len(set(owners)), probes, None)

    def answer(self, query: SearchQuery, now: datetime) -> Answer:
        """The candidates of this list, in order."""
        here = self.searched(now)
        entries = [each for each in self.active.values() if each.entry_id in here]
        return [
            *self._by_face(query, here, self.threshold(query, now).score),
            *_by_document(entries, query),
            *self._by_name(entries, query),
        ]

    def _by_face(self, query: SearchQuery, here: set[str], threshold: float | None) -> Answer:
        vectors, owners = self.faces
        best: dict[str, float] = {}
        for template in query.templates:
            probe = np.frombuffer(template.values, dtype=np.float32).astype(np.float64)
            for owner, score in zip(owners, (vectors @ probe).tolist(), strict=True):
                if owner.entry_id in here and threshold is not None and score >= threshold:
                    best[owner.entry_id] = max(score, best.get(owner.entry_id, -1.0))
        ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return [(entry_id, MatchKind.FACE, score) for entry_id, score in ordered]

    def _by_name(self, entries: list[EntryContent], query: SearchQuery) -> Answer:
        names = [(each.entry_id, name, each.birth_date) for each in entries for name in each.names]
        if query.name is None or not names:
            return []
        fpir = self.watchlist.name_target_fpir
        threshold = load_name_calibration().threshold_at(fpir, len(names)).score
        best: dict[str, float] = {}
        for entry_id, name, born in names:
            score = _likeness(query.name, query.birth_date, name, born)
            if score >= threshold:
                best[entry_id] = max(score, best.get(entry_id, 0.0))
        ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return [(entry_id, MatchKind.NAME, score) for entry_id, score in ordered]


def _by_document(entries: list[EntryContent], query: SearchQuery) -> Answer:
    best: dict[str, float] = {}
    for each in entries:
        matches = (
            [match_numbers(query.document, listed) for listed in each.documents] if query.document else []
        )
        for match in matches:
            if match is not None:
                best[each.entry_id] = max(float(match.exact), best.get(each.entry_id, 0.0))
    ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [(entry_id, MatchKind.DOCUMENT, exact) for entry_id, exact in ordered]


@cache
def _likeness(one: PersonName, one_born: PartialDate, other: PersonName, other_born: PartialDate) -> float:
    return match_names(one, one_born, other, other_born).score


def in_order(watchlists: Iterable[Watchlist]) -> list[Watchlist]:
    """Lists in the order of an answer."""
    return sorted(watchlists, key=lambda each: (each.priority, each.name, each.list_id))


def assert_right(result: ListResult, listed: Listed, query: SearchQuery, now: datetime) -> None:
    """Fail unless one list's answer is what it must be."""
    assert result.state.watchlist == listed.watchlist
    assert result.threshold == listed.threshold(query, now)
    assert result.entries_searched == len(listed.searched(now))
    got: Answer = []
    for each in result.candidates:
        if each.face is not None:
            got.append((each.entry_id, each.kind, each.face.value))
        elif each.name is not None:
            got.append((each.entry_id, each.kind, each.name.score))
        else:
            got.append((each.entry_id, each.kind, float(each.number is not None and each.number.exact)))
    everybody = listed.answer(query, now)
    kinds = (MatchKind.FACE, MatchKind.DOCUMENT, MatchKind.NAME)
    wanted = [each for kind in kinds for each in [e for e in everybody if e[1] is kind][:MOST_CANDIDATES]]
    assert result.left_out == len(everybody) - len(wanted)
    assert [each[:2] for each in got] == [each[:2] for each in wanted]
    assert [score for _, _, score in got] == pytest.approx([score for _, _, score in wanted], abs=1e-12)


def a_person(person: int, list_id: str, picks: random.Random, now: datetime = NOW) -> EntryContent:
    """An entry of one of the people: by face, several or none, by name and document, now or later."""
    templates = tuple(
        near(a_template(person), picks.choice((0.4, 0.7, 0.9, 0.99)), picks.randrange(1000))
        for _ in range(picks.randrange(3))
    )
    if picks.random() < 0.2:
        templates += (a_template(person, OTHER_MODEL),)
    return an_entry(
        list_id,
        templates=templates,
        names=(a_name(person),) if picks.random() < 0.5 else (),
        birth_date=PartialDate(1950 + person, picks.choice((None, 1 + person % 12))),
        documents=(DocumentKey("P", "UTO", f"D{person:06}"),),
        valid_from=picks.choice((None, now + timedelta(days=1))),
        valid_until=now + timedelta(days=picks.choice((2, 400))),
    )


def a_query(person: int, templates: int) -> SearchQuery:
    """A search for one of the people."""
    return SearchQuery(
        templates=tuple(near(a_template(person), 0.95, i) for i in range(templates)),
        document=DocumentKey("P", "UTO", f"D{person:06}"),
        name=a_name(person),
        birth_date=PartialDate(1950 + person, 1 + person % 12, 7),
    )
