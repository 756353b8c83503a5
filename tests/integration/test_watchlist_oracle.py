"""Searches against a brute-force oracle: after random changes, and while changes are made from all sides."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.runtime.clock import new_id
from borderpost.watchlist import merge, view
from borderpost.watchlist.domain import EntryContent, Import, SearchAnswer, SearchQuery, Watchlist
from fakes.watchlist import ANNA, BEN, MODEL, NOW, House, a_quick_house, a_template, by
from fakes.watchlist_oracle import PEOPLE, Listed, a_person, a_query, assert_right, in_order

SEARCHERS = 8
WRITERS = 2
PHASE_SECONDS = 5.0
"""After so long all answers are checked, and those versions forgotten."""

LEAST_CHANGES = 12
LEAST_ANSWERS = 100
"""Of a phase: on a busy machine it lasts longer instead of proving less."""

TARGETS = (0.1, 0.03, 0.01, 0.001)


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from("aaaprd"), min_size=5, max_size=20))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_changes_a_search_finds_what_brute_force_finds(
    house: House, picks: random.Random, changes: list[str]
):
    lists = [house.new_list(priority=i + 1, target_fpir=f) for i, f in enumerate((0.1, 0.01))]
    active: dict[str, EntryContent] = {}
    for change in changes:
        content = a_person(picks.randrange(PEOPLE), picks.choice(lists).list_id, picks, house.clock.now())
        if change == "a":
            active[content.entry_id] = house.add(content)
        elif change == "p":
            house.app.propose_entry(content, by(ANNA))
        elif change == "r" and active:
            entry_id = picks.choice(sorted(active))
            house.app.remove_entry(entry_id, by(ANNA))
            del active[entry_id]
        elif change == "d":
            house.clock.move(timedelta(hours=13))
    for person in range(PEOPLE):
        query = a_query(person, templates=1 + person % 3)
        query = replace(query, list_ids=frozenset(each.list_id for each in lists))
        answer = house.search(query)
        assert [result.state.watchlist for result in answer.results] == in_order(lists)
        for result, watchlist in zip(answer.results, in_order(lists), strict=True):
            own = {i: each for i, each in active.items() if each.list_id == watchlist.list_id}
            assert_right(result, Listed(watchlist, own), query, house.clock.now())


@pytest.mark.parametrize(
    "seconds",
    [10.0, pytest.param(600.0, marks=[pytest.mark.slow, pytest.mark.timeout(3_000)])],
)
def test_every_answer_is_right_for_the_version_it_names_while_the_lists_change(
    house: House, seconds: float, monkeypatch: pytest.MonkeyPatch
):
    # So that some hundred entries are as many blocks as a million are, and merges never end.
    monkeypatch.setattr(view, "SMALL", 8)
    monkeypatch.setattr(merge, "SMALL", 8)
    history = History([house.new_list(priority=i + 1, target_fpir=0.01) for i in range(2)])
    end = time.monotonic() + seconds
    counts = defaultdict(int)
    writers = [Writer(house, history, random.Random(place)) for place in range(WRITERS)]  # noqa: S311  # repeatable
    for seed in range(sys.maxsize):
        if seed and time.monotonic() > end:
            break
        phase = Phase(house, history, writers, min(PHASE_SECONDS, seconds))
        phase.run(seed)
        history.settle()
        for asked in phase.asked:
            history.check(asked)
        counts["answers"] += len(phase.asked)
        counts["changes"] += phase.changes
        counts["merges"] += phase.merges
        counts["versions"] += len({asked.answer.version for asked in phase.asked})
        history.forget()
    print(dict(counts))  # noqa: T201  # what `make soak` shows with -s
    assert counts["versions"] > LEAST_CHANGES
    assert counts["merges"] > 0


@dataclass(frozen=True)
class Delta:
    """What a change made of a list."""

    added: dict[str, EntryContent] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    watchlist: Watchlist | None = None


@dataclass(frozen=True)
class Asked:
    """An answer, with the versions that were acknowledged, list by list, before it was asked for."""

    query: SearchQuery
    acknowledged: dict[str, int]
    answer: SearchAnswer


class History:
    """What was acknowledged of each list, by version. A version that is in none changed nothing that is searched."""

    def __init__(self, lists: list[Watchlist]) -> None:
        self.lists = lists
        self._lock = threading.Lock()
        self._deltas: dict[str, dict[int, list[Delta]]] = {each.list_id: {} for each in lists}
        self._base = {each.list_id: Listed(each, {}) for each in lists}
        self._states: dict[str, list[tuple[int, Listed]]] = {}
        self._acknowledged = {each.list_id: 1 for each in lists}

    def note(self, list_id: str, version: int, delta: Delta) -> None:
        """A change was acknowledged."""
        with self._lock:
            self._deltas[list_id].setdefault(version, []).append(delta)
            self._acknowledged[list_id] = max(version, self._acknowledged[list_id])

    def acknowledged(self) -> dict[str, int]:
        with self._lock:
            return dict(self._acknowledged)

    def settle(self) -> None:
        """Work out what each list was at each version, now that no change is being made."""
        for list_id, deltas in self._deltas.items():
            state = self._base[list_id]
            self._states[list_id] = [(0, state)]
            for version in sorted(deltas):
                active, watchlist = dict(state.active), state.watchlist
                for delta in deltas[version]:
                    active |= delta.added
                    watchlist = delta.watchlist or watchlist
                    for entry_id in delta.removed:
                        del active[entry_id]
                state = Listed(watchlist, active)
                self._states[list_id].append((version, state))

    def forget(self) -> None:
        """Keep the last state of each list only."""
        for list_id, states in self._states.items():
            self._base[list_id] = states[-1][1]
            self._deltas[list_id] = {}

    def check(self, asked: Asked) -> None:
        """Fail unless an answer is of one version of all lists, not older than what was acknowledged, and right."""
        answer = asked.answer
        versions = {result.state.watchlist.list_id: result.state.version for result in answer.results}
        assert versions.keys() == self._base.keys()
        assert sum(versions.values()) == answer.version  # every change raises one list's and that of all
        for result in answer.results:
            list_id = result.state.watchlist.list_id
            assert versions[list_id] >= asked.acknowledged[list_id]
            states = self._states[list_id]
            listed = next(state for version, state in reversed(states) if version <= versions[list_id])
            assert_right(result, listed, asked.query, NOW)


class Phase:
    """Some seconds of searching, changing and merging at the same time."""

    def __init__(self, house: House, history: History, writers: list[Writer], seconds: float) -> None:
        self._house, self._history, self._writers = house, history, writers
        self._end = time.monotonic() + seconds
        self._failed = threading.Event()
        self.asked: list[Asked] = []
        self.changes = 0
        self.merges = 0

    def run(self, seed: int) -> None:
        work: list[Callable[[], None]] = [
            *(partial(self._search, random.Random(SEARCHERS * seed + i)) for i in range(SEARCHERS)),  # noqa: S311
            *(partial(self._change, writer) for writer in self._writers),
            partial(self._merge, random.Random(seed)),  # noqa: S311
        ]
        with ThreadPoolExecutor(len(work)) as threads:
            for each in [threads.submit(self._guarded, each) for each in work]:
                each.result()

    @property
    def _goes_on(self) -> bool:
        enough = self.changes >= LEAST_CHANGES and len(self.asked) >= LEAST_ANSWERS
        return not self._failed.is_set() and (time.monotonic() < self._end or not enough)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            self._failed.set()
            raise

    def _search(self, picks: random.Random) -> None:
        while self._goes_on:
            queries = [
                a_query(picks.randrange(PEOPLE), templates=1 + picks.randrange(3))
                for _ in range(picks.randrange(1, 4))
            ]
            acknowledged = self._history.acknowledged()
            answers = self._house.app.search(queries)
            assert len({answer.version for answer in answers}) == 1
            self.asked += [
                Asked(query, acknowledged, answer) for query, answer in zip(queries, answers, strict=True)
            ]
            time.sleep(0.005)  # searchers that never wait would starve the writers of the interpreter

    def _change(self, writer: Writer) -> None:
        while self._goes_on:
            writer.change()
            self.changes += 1
        writer.leave()

    def _merge(self, picks: random.Random) -> None:
        while self._goes_on:
            self.merges += self._house.keeper.merge_once(purge=picks.random() < 0.3)
            time.sleep(0.01)


class Writer:
    """Changes the lists, of entries its own only, and notes what was acknowledged."""

    def __init__(self, house: House, history: History, picks: random.Random) -> None:
        self._house, self._history, self._picks = house, history, picks
        self._own: dict[str, EntryContent] = {}
        self._source = new_id()
        self._imported: dict[str, dict[str, EntryContent]] = {}

    def change(self) -> None:
        acts = (
            self._add,
            self._add,
            self._remove,
            self._withdraw,
            self._import,
            self._target,
            self._templates,
        )
        self._picks.choice(acts)()

    def leave(self) -> None:
        """Remove most of what is left, so that lists don't grow without end."""
        while len(self._own) > 15:
            self._remove()

    def _add(self) -> None:
        content = self._person()
        self._house.app.propose_entry(content, by(ANNA))
        entry = self._house.app.approve_entry(content.entry_id, by(BEN))
        assert entry.approval is not None
        self._own[content.entry_id] = content
        self._history.note(content.list_id, entry.approval.version, Delta({content.entry_id: content}))

    def _remove(self) -> None:
        self._end(lambda entry_id: self._house.app.remove_entry(entry_id, by(ANNA)))

    def _withdraw(self) -> None:
        self._end(lambda entry_id: self._house.app.withdraw_entry(entry_id, by(ANNA))[1])

    def _end(self, act: Callable[[str], int]) -> None:
        if self._own:
            entry_id = self._picks.choice(sorted(self._own))
            content = self._own.pop(entry_id)
            self._history.note(content.list_id, act(entry_id), Delta(removed=frozenset({entry_id})))

    def _templates(self) -> None:
        without = [i for i, each in self._own.items() if all(t.model != MODEL for t in each.templates)]
        if without:
            entry_id, template = self._picks.choice(without), a_template(self._picks.randrange(PEOPLE))
            _, version = self._house.app.add_templates(entry_id, (template,), by(ANNA))
            kept = self._own[entry_id]
            self._own[entry_id] = replace(kept, templates=(*kept.templates, template))
            self._history.note(kept.list_id, version, Delta({entry_id: self._own[entry_id]}))

    def _target(self) -> None:
        watchlist = replace(self._picks.choice(self._history.lists), target_fpir=self._picks.choice(TARGETS))
        state = self._house.app.change_watchlist(watchlist, by(ANNA))
        self._history.note(watchlist.list_id, state.version, Delta(watchlist=watchlist))

    def _import(self) -> None:
        """A complete import of some records, which replaces what the last one brought."""
        list_id = self._picks.choice(self._history.lists).list_id
        importing, count = self._house.importing, self._picks.randrange(1, 12)
        # A case of its own each: a record that is as it was stays the entry that it is.
        contents = [replace(self._person(), source_reference=new_id()) for _ in range(count)]
        asked = Import(new_id(), list_id, self._source, b"x" * 32, True, count, ANNA)
        importing.begin(asked, by(ANNA))
        importing.stage(asked.import_id, [(r, f"record {r}", c) for r, c in enumerate(contents, 1)], by(ANNA))
        importing.finish(asked.import_id, by(ANNA), skip_errors=False, dry_run=False)
        added = {
            entry_id: replace(contents[row - 1], entry_id=entry_id, list_id=list_id)
            for row, entry_id in self._waiting(list_id, asked.import_id)
        }
        applied = importing.approve(asked.import_id, by(BEN))
        gone = frozenset(self._imported.get(list_id, {}))
        self._imported[list_id] = added
        self._history.note(list_id, applied.version, Delta(added, gone))

    def _waiting(self, list_id: str, import_id: str) -> Iterator[tuple[int, str]]:
        """The rows of a finished import with the ids of their entries."""
        after: int | None = 0
        while after is not None:
            page = self._house.app.list_entries(list_id, after, 500, by(ANNA))
            for entry in page.entries:
                if entry.pending_import == import_id and entry.provenance is not None:
                    yield int(entry.provenance.record_id.split()[1]), entry.content.entry_id
            after = page.next_after

    def _person(self) -> EntryContent:
        list_id = self._picks.choice(self._history.lists).list_id
        return a_person(self._picks.randrange(PEOPLE), list_id, self._picks)
