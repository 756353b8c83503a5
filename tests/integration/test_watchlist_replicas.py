"""Two watchlist services on one PostgreSQL: what one changes the other follows, and says how far it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from borderpost.runtime.errors import UnavailableError
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.adapters.sql_store import SqlStore, open_store
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.domain import EntryContent, SearchQuery
from borderpost.watchlist.errors import EntryNotFoundError, VersionNotReachedError
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.names import load_name_calibration
from borderpost.watchlist.search import Meaning
from borderpost.watchlist.suppressing import PairSeal
from fakes.postgres import shared_postgres
from fakes.watchlist import ANNA, BEN, CALIBRATIONS, StillClock, a_list, a_template, an_entry, by


@dataclass
class Replica:
    store: SqlStore
    keeper: Keeper
    app: Watchlists
    clock: StillClock

    def finds(self, seed: int) -> list[str]:
        (answer,) = self.app.search([SearchQuery((a_template(seed),))])
        return [candidate.entry_id for result in answer.results for candidate in result.candidates]

    def add(self, content: EntryContent) -> None:
        self.app.propose_entry(content, by(ANNA))
        self.app.approve_entry(content.entry_id, by(BEN))


def a_replica(folder: Path, database: str, keys: str) -> Replica:
    store, clock = open_store(folder, database, None, keys), StillClock()
    keeper = Keeper(store, FaissIndex, CALIBRATIONS, clock, alone=False)
    keeper.load()
    meaning = Meaning(CALIBRATIONS, load_name_calibration())
    return Replica(store, keeper, Watchlists(keeper, meaning, PairSeal(store.secret("pairs")).seal), clock)


@pytest.fixture
def databases() -> tuple[str, str]:
    return shared_postgres().new_database(), shared_postgres().new_database()


@pytest.fixture
def replicas(tmp_path: Path, databases: tuple[str, str]) -> Iterator[tuple[Replica, Replica]]:
    one, other = (a_replica(tmp_path / name, *databases) for name in ("one", "other"))
    yield one, other
    one.store.close()
    other.store.close()


def test_a_replica_finds_what_another_added_and_no_longer_what_it_removed(
    replicas: tuple[Replica, Replica],
):
    one, other = replicas
    watchlist = a_list()
    one.app.create_watchlist(watchlist, by(ANNA))
    content = an_entry(watchlist.list_id, templates=(a_template(1),))
    one.add(content)
    with pytest.raises(VersionNotReachedError):
        other.keeper.check_reached(one.keeper.view.version)
    other.keeper.catch_up()
    other.keeper.check_reached(one.keeper.view.version)
    assert other.finds(1) == [content.entry_id]
    one.app.remove_entry(content.entry_id, by(ANNA))
    other.keeper.catch_up()
    assert other.finds(1) == []
    with pytest.raises(EntryNotFoundError):
        other.app.get_entry(content.entry_id, by(ANNA))


def test_a_replica_that_is_behind_changes_the_lists_as_they_are_and_has_caught_up_by_that(
    replicas: tuple[Replica, Replica],
):
    one, other = replicas
    watchlist = a_list()
    one.app.create_watchlist(watchlist, by(ANNA))
    first, second = (an_entry(watchlist.list_id, templates=(a_template(seed),)) for seed in (1, 2))
    one.add(first)
    other.add(second)
    assert other.finds(1)[0] == first.entry_id
    assert other.finds(2)[0] == second.entry_id
    assert other.keeper.view.version > one.keeper.view.version


def test_changes_of_both_at_once_are_all_made_and_both_end_on_the_same(replicas: tuple[Replica, Replica]):
    one, other = replicas
    watchlist = a_list()
    one.app.create_watchlist(watchlist, by(ANNA))
    contents = [an_entry(watchlist.list_id, templates=(a_template(seed),)) for seed in range(10)]

    def add(replica: Replica, own: list[EntryContent]) -> None:
        for content in own:
            replica.add(content)

    threads = [
        threading.Thread(target=add, args=(replica, contents[start::2]))
        for start, replica in enumerate(replicas)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for replica in replicas:
        replica.keeper.catch_up()
        assert [replica.finds(seed) for seed in range(10)] == [[content.entry_id] for content in contents]
    assert one.keeper.view.version == other.keeper.view.version == 21


def test_a_change_wakes_who_waits_for_one(replicas: tuple[Replica, Replica]):
    one, other = replicas
    waiting = threading.Thread(target=other.store.wait, args=(60.0,))
    waiting.start()
    while waiting.is_alive():  # the test's own time limit ends it, long before the 60 s, if nothing wakes
        one.app.create_watchlist(a_list(), by(ANNA))
        waiting.join(0.1)
    other.keeper.catch_up()
    assert other.keeper.view.version == one.keeper.view.version


def test_a_replica_whose_database_is_away_answers_as_of_when_it_was_there(
    replicas: tuple[Replica, Replica], databases: tuple[str, str]
):
    one, other = replicas
    watchlist = a_list()
    one.app.create_watchlist(watchlist, by(ANNA))
    content = an_entry(watchlist.list_id, templates=(a_template(1),))
    one.add(content)
    other.keeper.catch_up()
    as_of = other.keeper.as_of
    shared_postgres().refuse(databases[0])
    other.clock.move(timedelta(minutes=5))
    with pytest.raises(UnavailableError):
        other.keeper.catch_up()
    with pytest.raises(UnavailableError):
        other.app.remove_entry(content.entry_id, by(ANNA))
    assert other.finds(1) == [content.entry_id]
    assert other.keeper.as_of == as_of
    shared_postgres().refuse(databases[0], refused=False)
    other.app.remove_entry(content.entry_id, by(ANNA))
    assert other.finds(1) == []
