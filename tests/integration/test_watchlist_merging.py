"""Merging: few blocks, nothing of what was removed, and the same answers before, during and after."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.runtime.clock import new_id
from borderpost.watchlist import merge, view
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.domain import EntryContent, Import, MatchKind, Watchlist
from borderpost.watchlist.merge import MOST_TOMBSTONES, SIZE_STEP
from borderpost.watchlist.search import MOST_CANDIDATES
from borderpost.watchlist.templates import Vectors
from borderpost.watchlist.view import BlockView
from fakes.watchlist import (
    ANNA,
    BEN,
    MODEL,
    OTHER_MODEL,
    House,
    a_quick_house,
    a_template,
    an_entry,
    by,
)
from fakes.watchlist_oracle import PEOPLE, Listed, a_person, a_query, assert_right

SMALL = 4
"""In the place of 512, so that a few entries are many blocks."""


class PausingIndex:
    """Builds like FAISS; builds of `thread` wait, once `pause` is set, until `go_on` is."""

    def __init__(self) -> None:
        self.pause = threading.Event()
        self.paused = threading.Event()
        self.go_on = threading.Event()
        self.thread: int | None = None

    def __call__(self, vectors: Vectors) -> FaissIndex:
        if self.pause.is_set() and threading.get_ident() == self.thread:
            self.paused.set()
            assert self.go_on.wait(60)
        return FaissIndex(vectors)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "SMALL", SMALL)
    monkeypatch.setattr(merge, "SMALL", SMALL)


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


def blocks(house: House, list_id: str) -> tuple[BlockView, ...]:
    return house.keeper.view.lists[list_id].blocks


def sizes(house: House, list_id: str) -> list[int]:
    return sorted(block.block.size for block in blocks(house, list_id))


def merge_all(house: House, *, purge: bool = False) -> int:
    done = 0
    while house.keeper.merge_once(purge=purge):
        done += 1
        assert done < 100
    return done


def imported(house: House, contents: list[EntryContent]) -> dict[str, EntryContent]:
    """Add all of them in one change; return them under their ids."""
    list_id = contents[0].list_id
    begun = house.importing.begin(
        Import(new_id(), list_id, new_id(), b"x" * 32, False, len(contents), ANNA), by(ANNA)
    )
    rows = [(row, str(row), replace(content, entry_id="")) for row, content in enumerate(contents, 1)]
    house.importing.stage(begun.import_id, rows, by(ANNA))
    house.importing.finish(begun.import_id, by(ANNA), skip_errors=False, dry_run=False)
    house.importing.approve(begun.import_id, by(BEN))
    ids = house.bodies("watchlist_imported")[-1].added_entry_ids
    return {
        entry_id: replace(content, entry_id=entry_id) for entry_id, content in zip(ids, contents, strict=True)
    }


def filled(house: House, groups: tuple[int, ...]) -> tuple[Watchlist, dict[str, EntryContent]]:
    """A list with so many entries in each of several changes."""
    watchlist, picks = house.new_list(target_fpir=0.1), random.Random(1)  # noqa: S311  # repeatable
    active: dict[str, EntryContent] = {}
    for count in groups:
        people = [a_person(picks.randrange(PEOPLE), watchlist.list_id, picks) for _ in range(count)]
        active |= imported(house, people)
    return watchlist, active


def assert_all_right(house: House, watchlist: Watchlist, active: dict[str, EntryContent]) -> None:
    listed, now = Listed(watchlist, dict(active)), house.clock.now()
    asked = [
        replace(a_query(person, 1 + person % 3), list_ids=frozenset({watchlist.list_id}))
        for person in range(PEOPLE)
    ]
    for query, answer in zip(asked, house.app.search(asked), strict=True):
        assert_right(answer.results[0], listed, query, now)


def test_blocks_of_one_size_are_merged_once_there_are_enough_of_them(house: House):
    watchlist, active = filled(house, (SMALL + 1,) * (SIZE_STEP - 1))
    assert not house.keeper.merge_once()
    active |= imported(
        house, [replace(each, entry_id=new_id()) for each in list(active.values())[: SMALL + 1]]
    )
    assert sizes(house, watchlist.list_id) == [SMALL + 1] * SIZE_STEP
    assert house.keeper.merge_once()
    assert sizes(house, watchlist.list_id) == [SIZE_STEP * (SMALL + 1)]
    assert not house.keeper.merge_once()
    assert_all_right(house, watchlist, active)


def test_small_blocks_are_merged_with_the_change_that_makes_them(house: House):
    watchlist, active = filled(house, (1,) * 3)
    assert sizes(house, watchlist.list_id) == [3]
    assert_all_right(house, watchlist, active)


def test_a_block_of_which_much_was_struck_out_is_made_anew_and_any_if_memory_is_to_be_cleared(house: House):
    watchlist, active = filled(house, (20,))
    gone = list(active)[: int(20 * MOST_TOMBSTONES)]
    for entry_id in gone:
        house.app.remove_entry(entry_id, by(ANNA))
        del active[entry_id]
    assert not house.keeper.merge_once()
    assert house.app.statistics(watchlist.list_id, by(ANNA)).tombstones == len(gone)
    assert house.keeper.merge_once(purge=True)
    assert sizes(house, watchlist.list_id) == [20 - len(gone)]
    assert not house.keeper.merge_once(purge=True)
    for entry_id in list(active)[:5]:
        house.app.remove_entry(entry_id, by(ANNA))
        del active[entry_id]
    assert house.keeper.merge_once()
    assert house.app.statistics(watchlist.list_id, by(ANNA)).tombstones == 0
    assert_all_right(house, watchlist, active)


def test_after_a_purge_nothing_of_what_was_removed_is_in_memory(house: House):
    watchlist, active = filled(house, (10, 10))
    gone = [entry_id for entry_id, each in active.items() if any(t.model == MODEL for t in each.templates)][
        :3
    ]
    traces = [t.values for entry_id in gone for t in active[entry_id].templates if t.model == MODEL]
    for entry_id in gone:
        house.app.remove_entry(entry_id, by(ANNA))
    merge_all(house, purge=True)
    for block in blocks(house, watchlist.list_id):
        assert not set(gone) & set(block.block.entries.entry_ids)
        assert not set(gone) & set(block.block.places)
        held = block.block.faces[MODEL].index.vectors.tobytes()
        assert not any(trace in held for trace in traces)


def test_a_list_of_which_all_was_removed_is_empty_and_takes_entries_again(house: House):
    watchlist, active = filled(house, (10, 10))
    for entry_id in active:
        house.app.remove_entry(entry_id, by(ANNA))
    merge_all(house, purge=True)
    assert_all_right(house, watchlist, {})
    assert sum(sizes(house, watchlist.list_id)) == 0
    more = imported(house, list(active.values())[:6])
    assert_all_right(house, watchlist, more)
    assert sizes(house, watchlist.list_id) == [6]


def test_changes_that_are_made_while_a_merge_runs_are_kept():
    build = PausingIndex()
    with a_quick_house(build) as house, ThreadPoolExecutor(1) as thread:
        watchlist, active = filled(house, (SMALL + 1,) * SIZE_STEP)
        before = dict(active)
        build.thread = thread.submit(threading.get_ident).result()
        build.pause.set()
        merging = thread.submit(house.keeper.merge_once)
        assert build.paused.wait(60)
        removed, withdrawn, changed, *_ = before
        house.app.remove_entry(removed, by(ANNA))
        house.app.withdraw_entry(withdrawn, by(ANNA))
        del active[removed], active[withdrawn]
        # The changed one is struck out of the block that is merged, and is in a new one.
        template = (
            a_template(5, replace(OTHER_MODEL)) if not has(before[changed], OTHER_MODEL) else a_template(5)
        )
        if not has(before[changed], template.model):
            house.app.add_templates(changed, (template,), by(ANNA))
            kept = active[changed]
            active[changed] = replace(kept, templates=(*kept.templates, template))
        added = house.add(an_entry(watchlist.list_id, templates=(a_template(3),)))
        active[added.entry_id] = added
        changed_list = replace(watchlist, target_fpir=0.01)
        house.app.change_watchlist(changed_list, by(ANNA))
        assert_all_right(house, changed_list, active)
        version = house.keeper.view.version
        build.go_on.set()
        assert merging.result(60)
        assert house.keeper.view.version == version
        merged = max(blocks(house, watchlist.list_id), key=lambda block: block.block.size)
        assert merged.block.size == len(before)
        assert merged.tombstones >= 2
        assert_all_right(house, changed_list, active)
        build.pause.clear()
        merge_all(house, purge=True)
        assert_all_right(house, changed_list, active)


def has(content: EntryContent, model) -> bool:
    return any(template.model == model for template in content.templates)


def test_a_merge_whose_blocks_were_merged_meanwhile_is_dropped():
    build = PausingIndex()
    with a_quick_house(build) as house, ThreadPoolExecutor(1) as thread:
        watchlist, active = filled(house, (SMALL + 1,) * SIZE_STEP)
        build.thread = thread.submit(threading.get_ident).result()
        build.pause.set()
        late = thread.submit(house.keeper.merge_once)
        assert build.paused.wait(60)
        assert house.keeper.merge_once()
        build.go_on.set()
        late.result(60)
        assert sizes(house, watchlist.list_id) == [len(active)]
        assert_all_right(house, watchlist, active)


def test_of_very_many_candidates_the_best_of_each_kind_are_answered_and_the_others_counted(house: House):
    watchlist = house.new_list(target_fpir=0.1)
    picks = random.Random(3)  # noqa: S311  # repeatable
    people = [a_person(1, watchlist.list_id, picks) for _ in range(3 * MOST_CANDIDATES)]
    active = imported(house, [replace(each, valid_from=None) for each in people])
    (result,) = house.search(a_query(1, 2)).results
    counted = Counter(each.kind for each in result.candidates)
    assert counted == dict.fromkeys(MatchKind, MOST_CANDIDATES)
    assert result.left_out > MOST_CANDIDATES
    assert_all_right(house, watchlist, active)


def test_a_search_that_has_begun_ends_on_the_view_that_it_began_with(house: House):
    watchlist, active = filled(house, (SMALL + 1,) * SIZE_STEP)
    began = house.keeper.view
    house.app.remove_entry(next(iter(active)), by(ANNA))
    merge_all(house, purge=True)
    kept = began.lists[watchlist.list_id].blocks
    assert [int(np.sum(block.alive)) for block in kept] == [SMALL + 1] * SIZE_STEP


Picks = st.randoms(use_true_random=False)


@given(Picks, st.lists(st.sampled_from("iiarrwtdmMc"), min_size=4, max_size=16))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_changes_blocks_are_few_and_searches_right(
    house: House, picks: random.Random, changes: list[str]
):
    world = World(house, picks)
    for change in changes:
        world.do(change)
    world.check()
    merge_all(house)
    world.check()
    kinds: dict[int, int] = {}
    for size in sizes(house, world.watchlist.list_id):
        assert size > 0
        kind = merge._size_class(size)
        kinds[kind] = kinds.get(kind, 0) + 1
    assert all(count < SIZE_STEP for count in kinds.values())
    merge_all(house, purge=True)
    world.check()
    assert not any(block.tombstones for block in blocks(house, world.watchlist.list_id))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(Picks, st.lists(st.sampled_from("iiarrwtdmMc"), min_size=4, max_size=60))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_very_many_changes_too(house: House, picks: random.Random, changes: list[str]):
    world = World(house, picks)
    for change in changes:
        world.do(change)
        if picks.random() < 0.2:
            world.check()
    world.check()
    merge_all(house, purge=True)
    world.check()


class World:
    """A list of its own in a house, what must be on it, and changes by letter."""

    def __init__(self, house: House, picks: random.Random) -> None:
        self.house, self.picks = house, picks
        self.watchlist = house.new_list(target_fpir=picks.choice((0.1, 0.01)))
        self.active: dict[str, EntryContent] = {}

    def do(self, change: str) -> None:
        acts = {
            "i": self._import,
            "a": self._add,
            "r": self._remove,
            "w": self._withdraw,
            "t": self._add_templates,
            "d": lambda: self.house.clock.move(timedelta(hours=13)),
            "m": self.house.keeper.merge_once,
            "M": lambda: self.house.keeper.merge_once(purge=True),
            "c": self._change,
        }
        acts[change]()

    def check(self) -> None:
        assert_all_right(self.house, self.watchlist, self.active)

    def _person(self) -> EntryContent:
        person, now = self.picks.randrange(PEOPLE), self.house.clock.now()
        return a_person(person, self.watchlist.list_id, self.picks, now)

    def _any(self) -> str | None:
        return self.picks.choice(sorted(self.active)) if self.active else None

    def _import(self) -> None:
        self.active |= imported(self.house, [self._person() for _ in range(self.picks.randrange(1, 15))])

    def _add(self) -> None:
        content = self.house.add(self._person())
        self.active[content.entry_id] = content

    def _remove(self) -> None:
        entry_id = self._any()
        if entry_id is not None:
            self.house.app.remove_entry(entry_id, by(ANNA))
            del self.active[entry_id]

    def _withdraw(self) -> None:
        entry_id = self._any()
        if entry_id is not None:
            self.house.app.withdraw_entry(entry_id, by(ANNA))
            del self.active[entry_id]

    def _add_templates(self) -> None:
        without = sorted(entry_id for entry_id, each in self.active.items() if not has(each, MODEL))
        if without:
            entry_id, template = self.picks.choice(without), a_template(self.picks.randrange(PEOPLE))
            self.house.app.add_templates(entry_id, (template,), by(ANNA))
            kept = self.active[entry_id]
            self.active[entry_id] = replace(kept, templates=(*kept.templates, template))

    def _change(self) -> None:
        self.watchlist = replace(self.watchlist, target_fpir=self.picks.choice((0.1, 0.03, 0.001)))
        self.house.app.change_watchlist(self.watchlist, by(ANNA))
