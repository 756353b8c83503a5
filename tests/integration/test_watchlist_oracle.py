"""Searches against a brute-force oracle: after random changes, and while changes are made."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.watchlist.domain import (
    DocumentKey,
    EntryContent,
    MatchKind,
    PersonName,
    SearchAnswer,
    SearchQuery,
    Template,
    Watchlist,
    face_threshold,
)
from fakes.watchlist import ANNA, BEN, CALIBRATION, NOW, House, a_house, a_template, an_entry, near

PEOPLE = 12
"""People whose faces, names and documents recur, so that many searches have candidates."""


def a_person(person: int, list_id: str, picks: random.Random, now: datetime = NOW) -> EntryContent:
    templates = tuple(
        near(a_template(person), picks.choice((0.4, 0.7, 0.9, 0.99)), picks.randrange(1000))
        for _ in range(picks.randrange(3))
    )
    return an_entry(
        list_id,
        templates=templates,
        names=(PersonName(f"P{chr(65 + person)}", ""),) if picks.random() < 0.5 else (),
        documents=(DocumentKey("P", "UTO", f"D{person}"),),
        valid_from=picks.choice((None, now + timedelta(days=1))),
        valid_until=now + timedelta(days=picks.choice((2, 400))),
    )


def a_query(person: int, templates: int) -> SearchQuery:
    return SearchQuery(
        templates=tuple(near(a_template(person), 0.95, i) for i in range(templates)),
        document=DocumentKey("P", "UTO", f"D{person}"),
        name=PersonName(f"P{chr(65 + person)}", ""),
    )


Candidates = list[tuple[str, MatchKind, float | None]]


def oracle(
    lists: list[Watchlist], active: Mapping[str, EntryContent], query: SearchQuery, now: datetime
) -> list[Candidates]:
    """The candidates of each list, by the definition and without an index."""
    answers = []
    for watchlist in sorted(lists, key=lambda each: (each.priority, each.name, each.list_id)):
        entries = [
            each
            for each in active.values()
            if each.list_id == watchlist.list_id and (each.valid_from or now) <= now < each.valid_until
        ]
        count = sum(len(each.templates) for each in entries)
        score = face_threshold(CALIBRATION, watchlist.target_fpir, count, len(query.templates)).score
        best = {
            each.entry_id: best_cosine(each.templates, query.templates) for each in entries if each.templates
        }
        faces = [(i, MatchKind.FACE, s) for i, s in best.items() if score is not None and s >= score]
        documents = [each.entry_id for each in entries if query.document in each.documents]
        names = [each.entry_id for each in entries if query.name in each.names]
        answers.append(
            [
                *sorted(faces, key=lambda face: (-face[2], face[0])),
                *((i, MatchKind.DOCUMENT, None) for i in sorted(documents)),
                *((i, MatchKind.NAME, None) for i in sorted(names)),
            ]
        )
    return answers


def best_cosine(ours: tuple[Template, ...], theirs: tuple[Template, ...]) -> float:
    a, b = (
        np.array([np.frombuffer(t.values, dtype=np.float32) for t in side], dtype=np.float64)
        for side in (ours, theirs)
    )
    return float((a @ b.T).max())


def assert_right(answer: SearchAnswer, wanted: list[Candidates]) -> None:
    got = [[(c.entry_id, c.kind, c.score) for c in result.candidates] for result in answer.results]
    assert [[c[:2] for c in each] for each in got] == [[c[:2] for c in each] for each in wanted]
    for mine, right in zip(got, wanted, strict=True):
        for (_, _, score), (_, _, value) in zip(mine, right, strict=True):
            assert (score is None) == (value is None)
            assert score is None or score.value == pytest.approx(value, abs=1e-12)


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from("aaaprd"), min_size=5, max_size=25))
@settings(max_examples=25, deadline=None)
def test_after_any_changes_a_search_finds_what_brute_force_finds(picks: random.Random, changes: list[str]):
    with tempfile.TemporaryDirectory() as folder, a_house(Path(folder)) as house:
        lists = [house.new_list(priority=i + 1, target_fpir=f) for i, f in enumerate((0.1, 0.01))]
        active: dict[str, EntryContent] = {}
        for change in changes:
            content = a_person(picks.randrange(PEOPLE), picks.choice(lists).list_id, picks, house.clock.now())
            if change == "a":
                active[content.entry_id] = house.add(content)
            elif change == "p":
                house.app.propose_entry(content, ANNA, "")
            elif change == "r" and active:
                entry_id = picks.choice(sorted(active))
                house.app.remove_entry(entry_id, ANNA, "")
                del active[entry_id]
            elif change == "d":
                house.clock.move(timedelta(hours=13))
        for person in range(PEOPLE):
            query = a_query(person, templates=1 + person % 3)
            assert_right(house.app.search(query), oracle(lists, active, query, house.clock.now()))


@dataclass(frozen=True)
class Asked:
    """An answer with the version that was acknowledged before it was asked for."""

    query: SearchQuery
    acknowledged: int
    answer: SearchAnswer


@pytest.mark.parametrize("seconds", [3.0])
def test_every_answer_is_right_for_the_version_it_names_while_the_lists_change(
    tmp_path: Path, seconds: float
):
    with a_house(tmp_path) as house:
        lists = [house.new_list(priority=i + 1, target_fpir=0.01) for i in range(2)]
        writer = Writer(house, lists)
        for _ in range(100):
            writer.add()
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(5) as threads:
            searches = [threads.submit(search_until, end, house, writer, seed) for seed in range(4)]
            threads.submit(writer.change_until, end).result()
            asked = [each for search in searches for each in search.result()]
        assert len(writer.states) > 150
        assert len(asked) > 500
        assert len({each.answer.version for each in asked}) > 50
        for each in asked:
            assert each.answer.version >= each.acknowledged
            assert_right(each.answer, oracle(lists, writer.states[each.answer.version], each.query, NOW))


class Writer:
    """Changes the lists, and remembers what was active at each version."""

    def __init__(self, house: House, lists: list[Watchlist]) -> None:
        self._house = house
        self._lists = lists
        self._picks = random.Random(7)  # noqa: S311  # repeatable
        self.acknowledged = len(lists)
        self.states: dict[int, dict[str, EntryContent]] = {self.acknowledged: {}}

    def add(self) -> None:
        content = a_person(
            self._picks.randrange(PEOPLE), self._picks.choice(self._lists).list_id, self._picks
        )
        active = self.states[self.acknowledged]
        self._next(active)
        self._house.app.propose_entry(content, ANNA, "")
        self._next(active | {content.entry_id: content})
        self._house.app.approve_entry(content.entry_id, BEN, "")
        self.acknowledged += 2

    def remove(self) -> None:
        active = dict(self.states[self.acknowledged])
        entry_id = self._picks.choice(sorted(active))
        del active[entry_id]
        self._next(active)
        self._house.app.remove_entry(entry_id, ANNA, "")
        self.acknowledged += 1

    def change_until(self, end: float) -> None:
        while time.monotonic() < end:
            self._picks.choice((self.add, self.remove))()

    def _next(self, active: dict[str, EntryContent]) -> None:
        """Note what will be active before the change can be seen."""
        self.states[max(self.states) + 1] = active


def search_until(end: float, house: House, writer: Writer, seed: int) -> list[Asked]:
    picks, asked = random.Random(seed), []  # noqa: S311  # repeatable
    while time.monotonic() < end:
        query = a_query(picks.randrange(PEOPLE), templates=1 + picks.randrange(3))
        acknowledged = writer.acknowledged
        asked.append(Asked(query, acknowledged, house.app.search(query)))
        if len(asked) % 8 == 0:
            threading.Event().wait(
                0.002
            )  # searchers that never wait would starve the writer of the interpreter
    return asked
