"""Following what other processes change in the same database, and what the service does by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import UnavailableError
from borderpost.watchlist import background, merge, view
from borderpost.watchlist.adapters import sql_change
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.background import Background
from borderpost.watchlist.domain import EntryContent, Import, MatchKind, SearchQuery
from borderpost.watchlist.errors import BundleNotFoundError, NotReadyError
from borderpost.watchlist.exporting import KEPT
from borderpost.watchlist.importing import ABANDONED
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.persons import DocumentKey
from borderpost.watchlist.templates import Vectors
from fakes.postgres import shared_postgres
from fakes.watchlist import (
    ANNA,
    BEN,
    CALIBRATIONS,
    CARL,
    NOW,
    OTHER_MODEL,
    Agency,
    House,
    a_house,
    a_quick_house,
    a_template,
    an_entry,
    by,
    candidates,
    found,
)

PARTNER = Agency("arcadia.test")
DOCUMENT = DocumentKey("P", "UTO", "L898902C3")
ASK = SearchQuery((a_template(1),), DOCUMENT, crossing="north")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest) -> str:
    """Where lists and entries are kept: empty for a file."""
    return "" if request.param == "SQLite" else shared_postgres().new_database()


@pytest.fixture
def house(database: str) -> Iterator[House]:
    with a_quick_house(partners=(PARTNER,), database=database) as house:
        yield house


@pytest.fixture
def other(house: House, database: str) -> Iterator[House]:
    """Stands for another process on the same database."""
    with a_house(house.folder, database=database) as other:
        yield other


def listed(house: House, list_id: str, seed: int = 1, **changes: object) -> EntryContent:
    return house.add(an_entry(list_id, templates=(a_template(seed),), **changes))


def same(house: House, other: House) -> bool:
    """Whether both answer the same to everything that is asked here."""
    answers = []
    for each in (house, other):
        asked = [replace(ASK, templates=(a_template(seed),)) for seed in range(12)]
        answers.append(
            [
                [
                    (
                        r.state,
                        r.threshold,
                        r.entries_searched,
                        [(c.entry_id, c.kind, c.suppressed) for c in r.candidates],
                    )
                    for r in answer.results
                ]
                for answer in each.app.search(asked)
            ]
        )
    return answers[0] == answers[1]


def test_every_kind_of_change_is_followed(house: House, other: House):
    watchlist = other.new_list(suppression_people=1)
    contents = [listed(other, watchlist.list_id, seed) for seed in range(6)]
    house.keeper.catch_up()
    assert same(house, other)
    pair = next(each.pair for each in candidates(other.search(ASK)) if each.kind is MatchKind.FACE)
    changes: list[Callable[[], object]] = [
        lambda: other.app.remove_entry(contents[0].entry_id, by(ANNA)),
        lambda: other.app.withdraw_entry(contents[2].entry_id, by(ANNA)),
        lambda: other.suppressing.propose(contents[1].entry_id, pair, "no", NOW + timedelta(1), by(CARL)),
        lambda: other.app.add_templates(contents[3].entry_id, (a_template(1, OTHER_MODEL),), by(ANNA)),
        lambda: other.app.change_watchlist(replace(watchlist, target_fpir=0.001), by(ANNA)),
        lambda: other.new_list(priority=1),
        lambda: [listed(other, watchlist.list_id, seed) for seed in range(10, 40)],
        lambda: other.measuring.measure(watchlist.list_id, by(ANNA)),
    ]
    for change in changes:
        before = house.keeper.view.version
        change()
        assert house.keeper.view.version == before
        house.keeper.catch_up()
        assert house.keeper.view.version == other.keeper.view.version > before
        assert same(house, other)
    assert house.app.statistics(watchlist.list_id, by(ANNA)) == other.app.statistics(
        watchlist.list_id, by(ANNA)
    )


def test_who_is_too_far_behind_loads_anew(house: House, other: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sql_change, "REMEMBERED", 2)
    list_id = other.new_list().list_id
    contents = [listed(other, list_id, seed) for seed in range(10)]
    house.keeper.catch_up()
    bundle = house.exporting.make_bundle(list_id, PARTNER.name, False, by(CARL, "why"))
    for content in contents[:8]:
        other.app.remove_entry(content.entry_id, by(ANNA))
    with house.store.read() as reading:
        assert reading.changes_since(house.keeper.view.version) is None
    house.keeper.catch_up()
    assert same(house, other)
    with pytest.raises(BundleNotFoundError):
        house.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))


def test_a_bundle_is_dropped_when_another_process_removed_an_entry(house: House, other: House):
    list_id = other.new_list().list_id
    content = listed(other, list_id)
    house.keeper.catch_up()
    bundle = house.exporting.make_bundle(list_id, PARTNER.name, False, by(CARL, "why"))
    listed(other, list_id, 2)
    house.keeper.catch_up()
    assert house.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))
    other.app.remove_entry(content.entry_id, by(ANNA))
    house.keeper.catch_up()
    with pytest.raises(BundleNotFoundError):
        house.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))


def test_a_pair_and_a_record_mean_the_same_to_all_who_share_a_database(house: House, other: House):
    list_id = other.new_list(suppression_people=1).list_id
    listed(other, list_id)
    house.keeper.catch_up()
    pair = candidates(other.search(ASK))[0].pair
    kept = house.suppressing.propose(list_id, pair, "not the person", NOW + timedelta(days=1), by(CARL))
    other.keeper.catch_up()
    assert candidates(other.search(ASK))[0].suppressed == kept


def test_an_answer_of_who_follows_says_since_when_it_may_be_old(house: House):
    following = Keeper(house.store, FaissIndex, CALIBRATIONS, house.clock, alone=False)
    following.load()
    house.clock.move(timedelta(seconds=5))
    assert following.as_of == NOW
    following.catch_up()
    assert following.as_of == NOW + timedelta(seconds=5)
    house.clock.move(timedelta(seconds=5))
    assert following.as_of == NOW + timedelta(seconds=5)
    assert house.keeper.as_of == NOW + timedelta(seconds=10)


# What the service does by itself


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FOLLOW_SECONDS", "MERGE_SECONDS", "MEASURE_SECONDS", "SWEEP_SECONDS", "PURGE_SECONDS"):
        monkeypatch.setattr(background, name, 0.001)


def tasks_of(house: House, keeper: Keeper | None = None) -> Background:
    own = keeper or house.keeper
    uses = (house.app, house.measuring, house.suppressing, house.importing, house.exporting)
    return Background(own, *uses, by(ANNA))


@asynccontextmanager
async def running(task: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    running = asyncio.create_task(task)
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # threads make it true
        await asyncio.sleep(0.005)


async def test_the_view_is_loaded_and_then_left_alone(house: House):
    content = listed(house, house.new_list().list_id)
    keeper = Keeper(house.store, FaissIndex, CALIBRATIONS, house.clock)
    with pytest.raises(NotReadyError):
        _ = keeper.view
    async with running(tasks_of(house, keeper).load()):
        await until(lambda: keeper.is_loaded)
        assert keeper.view.lists[content.list_id].entries_searched(0) == 1


async def test_while_the_view_is_loaded_changes_are_refused_and_wait_for_nothing(house: House):
    listed(house, house.new_list().list_id)
    begun, go_on = threading.Event(), threading.Event()

    def slow(vectors: Vectors) -> FaissIndex:
        begun.set()
        assert go_on.wait(60)
        return FaissIndex(vectors)

    keeper = Keeper(house.store, slow, CALIBRATIONS, house.clock)
    async with running(tasks_of(house, keeper).load()):
        assert await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(NotReadyError), keeper.change():
            pass
        go_on.set()
        await until(lambda: keeper.is_loaded)


@pytest.mark.usefixtures("at_once")
async def test_blocks_are_merged_and_memory_is_cleared(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(view, "SMALL", 1)
    monkeypatch.setattr(merge, "SMALL", 1)
    list_id = house.new_list().list_id
    contents = [listed(house, list_id, seed) for seed in range(16)]
    assert len(house.keeper.view.lists[list_id].blocks) == 8
    house.app.remove_entry(contents[0].entry_id, by(ANNA))

    def is_done() -> bool:
        blocks = house.keeper.view.lists[list_id].blocks
        return len(blocks) == 2 and not any(block.tombstones for block in blocks)

    async with running(tasks_of(house).merge()):
        await until(is_done)
    assert sorted(
        e for b in house.keeper.view.lists[list_id].blocks for e in b.block.entries.entry_ids
    ) == sorted(each.entry_id for each in contents[1:])


@pytest.mark.usefixtures("at_once")
async def test_lists_are_measured_and_what_has_ended_goes(house: House):
    list_id = house.new_list().list_id
    for seed in range(30):
        listed(house, list_id, seed, valid_until=NOW + timedelta(days=1))
    bundle = house.exporting.make_bundle(list_id, PARTNER.name, False, by(CARL, "why"))
    async with running(tasks_of(house).measure()):
        await until(lambda: bool(house.keeper.view.lists[list_id].measured))
    house.clock.move(KEPT + timedelta(seconds=1))
    async with running(tasks_of(house).sweep()):
        await until(lambda: not bundle.path.exists())
        house.clock.move(timedelta(days=1))
        await until(lambda: not house.app.list_entries(list_id, 0, 10, by(BEN)).entries)
        begun = house.importing.begin(
            Import(new_id(), list_id, "Interpol", bytes(32), False, 1, ANNA), by(ANNA)
        )
        house.clock.move(ABANDONED + timedelta(seconds=1))
        await until(lambda: not house.importing.get(begun.import_id, 0, 1, by(ANNA))[0].is_open)


@pytest.mark.usefixtures("at_once")
async def test_a_key_that_could_not_be_destroyed_is_destroyed_once_the_key_store_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    content = listed(house, house.new_list().list_id)
    with house.store._keys.all() as keys:
        before = dict(keys)

    def refuse(key_ids: object) -> None:
        raise UnavailableError("key store: told to fail")

    with monkeypatch.context() as patched:
        patched.setattr(house.store._keys, "destroy_many", refuse)
        house.app.remove_entry(content.entry_id, by(ANNA))
    assert house.store._keys.get_many(list(before)) == before

    async with running(tasks_of(house).sweep()):
        await until(lambda: len(house.store._keys.get_many(list(before))) == len(before) - 1)


@pytest.mark.usefixtures("at_once")
async def test_a_replica_follows_also_after_its_database_was_away(
    house: House, other: House, monkeypatch: pytest.MonkeyPatch
):
    away = True
    catch_up = house.keeper.catch_up

    def sometimes() -> None:
        nonlocal away
        if away:
            away = False
            raise UnavailableError("database: away")
        catch_up()

    monkeypatch.setattr(house.keeper, "catch_up", sometimes)
    content = listed(other, other.new_list().list_id)
    async with running(tasks_of(house).follow()):
        await until(lambda: house.keeper.view.version == other.keeper.view.version)
    assert found(house.search(ASK)) == [(content.entry_id, MatchKind.FACE)]
    assert not away
