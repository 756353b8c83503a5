"""What every store of the watchlist must do, whatever it is kept in."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.keys import open_sqlite_keys
from borderpost.runtime.postgres import PostgresDatabase
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.adapters import sql_change, sql_loading, sql_schema
from borderpost.watchlist.adapters.sql_keys import OWN_KEY, EntryKeyMissingError, KeysDontFitError
from borderpost.watchlist.adapters.sql_reading import import_name
from borderpost.watchlist.adapters.sql_rows import import_content
from borderpost.watchlist.adapters.sql_store import WHAT, SqlStore, open_store
from borderpost.watchlist.domain import (
    Alike,
    Approval,
    EntryBlock,
    EntryContent,
    EntryState,
    ImportState,
    Measured,
    RowError,
    Watchlist,
    microseconds,
)
from borderpost.watchlist.persons import DocumentKey, PersonName
from borderpost.watchlist.ports import Change, KnownRecord, StagedRow
from borderpost.watchlist.templates import Template
from borderpost.watchlist.thresholds import OwnScores
from fakes.postgres import shared_postgres
from fakes.watchlist_rows import (
    ANNA,
    BEN,
    DAY,
    LARGE,
    NOW,
    SMALL,
    a_full_entry,
    a_list,
    a_row,
    a_suppression,
    a_template,
    an_entry,
    an_import,
    new_entry,
)

SECOND = timedelta(seconds=1)
SERVICES = Path(__file__).parents[2] / "services"


class Site:
    """Where a store is kept: opened, closed and opened again."""

    def __init__(self, folder: Path, database: str = "", key_database: str = "") -> None:
        self.folder = folder
        self.database = database
        self.key_database = key_database
        self.made = time.time()

    def open(self) -> SqlStore:
        return open_store(self.folder, self.database, None, self.key_database)

    def stored(self) -> bytes:
        """Every byte of its files; of PostgreSQL's what was written since it was made, write-ahead log and all."""
        stored = b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        return stored + shared_postgres().written_since(self.made) if self.database else stored


SITES: dict[str, Callable[[Path], Site]] = {
    "sqlite": Site,
    "postgres": lambda folder: Site(folder, shared_postgres().new_database()),
}


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return SITES[request.param](tmp_path)


@pytest.fixture
def store(site: Site) -> Iterator[SqlStore]:
    store = site.open()
    yield store
    store.close()


@contextmanager
def a_bumped_change(store: SqlStore, watchlist: Watchlist) -> Iterator[Change]:
    """As the service makes every change that a search notices."""
    with store.change() as change:
        change.bump(watchlist.list_id, NOW)
        yield change


def new_list(store: SqlStore, **changes: object) -> Watchlist:
    watchlist = a_list(**changes)
    with store.change() as change:
        change.put_list(watchlist, NOW)
    return watchlist


def add(store: SqlStore, *contents: EntryContent, approved: bool = True) -> None:
    with store.change() as change:
        change.add_entries([new_entry(content) for content in contents])
        if approved:
            change.approve([content.entry_id for content in contents], Approval(BEN, 1))
            change.bump(contents[0].list_id, NOW)


def version(store: SqlStore) -> int:
    with store.read() as reading:
        return reading.version


def load(store: SqlStore) -> list[EntryBlock]:
    return list(store.load(lambda done, total: None).blocks)


def searched(store: SqlStore) -> dict[str, tuple[Template, ...]]:
    """Every entry that is searched, with its templates, as loaded."""
    found: dict[str, tuple[Template, ...]] = {}
    for block in load(store):
        found.update(dict.fromkeys(block.entry_ids, ()))
        for model, rows in block.faces.items():
            for place, vector in zip(rows.entry_of, rows.vectors, strict=True):
                found[block.entry_ids[place]] += (Template(model, vector.tobytes()),)
    return found


# --- lists


def test_a_list_is_kept_as_it_was_given(store: SqlStore) -> None:
    watchlist = a_list(
        valid_from=NOW - DAY,
        valid_until=NOW + timedelta(microseconds=7),
        retention_days=30,
        crossings=("north", "south"),
        base_rate=3e-6,
        suppression_people=1,
    )
    with store.change() as change:
        change.put_list(watchlist, NOW)
    with store.read() as reading:
        state = reading.list_state(watchlist.list_id)
        assert state is not None
        assert (state.watchlist, state.version, state.changed_at) == (watchlist, 0, NOW)
        assert reading.list_state("none") is None


def test_a_list_that_is_put_again_keeps_its_version_and_entries(store: SqlStore) -> None:
    watchlist = new_list(store)
    content = an_entry(watchlist.list_id)
    add(store, content)
    changed = replace(watchlist, name="Another name", target_fpir=0.05)
    with store.change() as change:
        change.put_list(changed, NOW + DAY)
    with store.read() as reading:
        state = reading.list_state(watchlist.list_id)
        assert state is not None
        assert (state.watchlist, state.version) == (changed, 1)
        assert reading.entry(content.entry_id) is not None


def test_lists_come_by_name(store: SqlStore) -> None:
    for name in ("b", "c", "a"):
        new_list(store, name=name)
    with store.read() as reading:
        assert [state.watchlist.name for state in reading.lists()] == ["a", "b", "c"]


def test_a_bump_raises_the_lists_version_and_that_of_all(store: SqlStore) -> None:
    first, second = new_list(store), new_list(store)
    for watchlist in (first, second, second):
        with store.change() as change:
            state = change.bump(watchlist.list_id, NOW + DAY)
    assert (state.version, state.changed_at, state.watchlist) == (2, NOW + DAY, second)
    assert version(store) == 3


# --- entries


def test_an_entry_is_kept_as_it_was_given(store: SqlStore) -> None:
    content = a_full_entry(new_list(store).list_id)
    add(store, content, approved=False)
    with store.read() as reading:
        whole = reading.entry(content.entry_id, whole=True)
        shown = reading.entry(content.entry_id)
    assert whole is not None
    assert (whole.content, whole.proposed_by, whole.approval) == (content, ANNA, None)
    assert shown == whole.shown()
    assert (whole.template_count, whole.picture_count) == (4, 2)


def test_an_entry_with_nothing_but_a_document_is_kept(store: SqlStore) -> None:
    content = an_entry(new_list(store).list_id, templates=(), documents=(DocumentKey("P", "UTO", "X1"),))
    add(store, content)
    with store.read() as reading:
        entry = reading.entry(content.entry_id, whole=True)
    assert entry is not None
    assert (entry.content, entry.template_count, entry.picture_count) == (content, 0, 0)


def test_there_is_no_entry_of_an_unknown_id(store: SqlStore) -> None:
    with store.read() as reading:
        assert reading.entry("none", whole=True) is None


def test_an_id_that_was_ever_added_stays_used_and_those_of_imports_are_not_noted(store: SqlStore) -> None:
    watchlist = new_list(store)
    kept, removed, never = (an_entry(watchlist.list_id) for _ in range(3))
    add(store, kept)
    add(store, removed, approved=False)
    _, (imported,) = stage(store, watchlist, "r1")
    with a_bumped_change(store, watchlist) as change:
        change.remove((removed.entry_id,))
        assert change.was_used(removed.entry_id)
    with store.read() as reading:
        used = [reading.was_used(each.entry_id) for each in (kept, removed, never, imported)]
    assert used == [True, True, False, False]


def test_approval_and_withdrawal_are_kept(store: SqlStore) -> None:
    watchlist = new_list(store)
    content = an_entry(watchlist.list_id)
    add(store, content)
    with a_bumped_change(store, watchlist) as change:
        change.withdraw(content.entry_id, NOW + DAY)
        entry = change.entry(content.entry_id)
    assert entry is not None
    assert entry.approval == Approval(BEN, 1)
    assert entry.withdrawn_at == NOW + DAY
    assert entry.state(NOW) is EntryState.WITHDRAWN


def test_a_change_reads_what_it_has_done(store: SqlStore) -> None:
    watchlist, content = a_list(), a_full_entry("")
    content = replace(content, list_id=watchlist.list_id)
    with store.change() as change:
        change.put_list(watchlist, NOW)
        change.add_entries([new_entry(content)])
        entry = change.entry(content.entry_id, whole=True)
        assert entry is not None
        assert entry.content == content
        change.approve((content.entry_id,), Approval(BEN, 1))
        change.bump(watchlist.list_id, NOW)
        changes = change.changes_since(change.version - 1)
        assert changes is not None
        assert [each.content.templates for each in changes.entries] == [content.templates]


def test_a_change_that_raises_leaves_nothing(store: SqlStore) -> None:
    watchlist = new_list(store)
    content, kept = an_entry(watchlist.list_id), an_entry(watchlist.list_id)
    add(store, kept)

    def fail() -> None:
        with store.change() as change:
            change.bump(watchlist.list_id, NOW)
            change.add_entries([new_entry(content)])
            change.remove((kept.entry_id,))
            raise RuntimeError("told to fail")

    with pytest.raises(RuntimeError, match="told to fail"):
        fail()
    with store.read() as reading:
        assert reading.version == 1
        assert reading.entry(content.entry_id) is None
        assert reading.entry(kept.entry_id, whole=True) is not None
    add(store, content)  # its place is given again, with another key
    store.scrub()
    assert set(searched(store)) == {content.entry_id, kept.entry_id}


def test_entries_come_in_pages_oldest_first(store: SqlStore) -> None:
    watchlist, other = new_list(store), new_list(store)
    contents = [a_full_entry(watchlist.list_id) for _ in range(5)]
    add(store, *contents[:2])
    add(store, an_entry(other.list_id), approved=False)
    add(store, *contents[2:], approved=False)
    with store.read() as reading:
        first = reading.entries(watchlist.list_id, 0, 2)
        rest = reading.entries(watchlist.list_id, first[-1][0], 9)
        assert reading.entries(watchlist.list_id, rest[-1][0], 9) == []
        waiting = reading.entries(watchlist.list_id, 0, 9, proposed=True)
    ids = [entry.content.entry_id for _, entry in (*first, *rest)]
    assert ids == [content.entry_id for content in contents]
    assert [entry.content.entry_id for _, entry in waiting] == ids[2:]
    assert all(entry.content.templates == () == entry.content.pictures for _, entry in first)


def test_active_entries_are_those_that_are_searched_now(store: SqlStore) -> None:
    watchlist = new_list(store)
    active = a_full_entry(watchlist.list_id, valid_from=NOW, valid_until=NOW + DAY)
    others = [
        an_entry(watchlist.list_id, valid_from=NOW + timedelta(microseconds=1)),
        an_entry(watchlist.list_id, valid_until=NOW),
        an_entry(watchlist.list_id),
    ]
    add(store, active, *others)
    add(store, an_entry(watchlist.list_id), approved=False)
    with a_bumped_change(store, watchlist) as change:
        change.withdraw(others[2].entry_id, NOW)
    with store.read() as reading:
        ((place, found),) = reading.active(watchlist.list_id, NOW, 0, 9, whole=True)
        assert found.content == active
        assert reading.active(watchlist.list_id, NOW, place, 9) == []
        ((_, shown),) = reading.active(watchlist.list_id, NOW, 0, 1)
        assert shown == found.shown()


def test_entries_without_a_model_are_listed_with_their_pictures(store: SqlStore) -> None:
    watchlist = new_list(store)
    small, both, picture, paper = (
        an_entry(watchlist.list_id, templates=templates, pictures=pictures)
        for templates, pictures in (
            ((a_template(SMALL),), ()),
            ((a_template(SMALL), a_template(LARGE)), ()),
            ((), (b"a picture",)),
            ((), ()),
        )
    )
    add(store, small, both, picture, paper)
    with store.read() as reading:
        found = reading.without_model(watchlist.list_id, LARGE.model_id, 0, 9)
        assert [entry.content for _, entry in found] == [small, picture]
        ((_, second),) = reading.without_model(watchlist.list_id, LARGE.model_id, found[0][0], 9)
        assert second.content == picture


def test_templates_are_added_behind_those_that_are_there(store: SqlStore) -> None:
    watchlist = new_list(store)
    content = an_entry(watchlist.list_id, pictures=(b"a picture",))
    add(store, content)
    more = (a_template(LARGE), a_template(LARGE))
    with a_bumped_change(store, watchlist) as change:
        change.add_templates(content.entry_id, more)
    with store.read() as reading:
        entry = reading.entry(content.entry_id, whole=True)
        assert entry is not None
        assert (entry.content.templates, entry.template_count) == (content.templates + more, 3)
        assert reading.without_model(watchlist.list_id, LARGE.model_id, 0, 9) == []
    assert {model: len(rows.vectors) for model, rows in load(store)[0].faces.items()} == {SMALL: 1, LARGE: 2}


def test_models_are_those_of_templates_that_are_kept(store: SqlStore) -> None:
    watchlist = new_list(store)
    small, large = (an_entry(watchlist.list_id, templates=(a_template(each),)) for each in (SMALL, LARGE))
    add(store, small, large)
    with store.read() as reading:
        assert reading.models() == (LARGE, SMALL)
        assert reading.dimension(LARGE.model_id) == LARGE.dimension
        assert reading.dimension("none") is None
    with a_bumped_change(store, watchlist) as change:
        change.remove((large.entry_id,))
    with store.read() as reading:
        assert reading.models() == (SMALL,)
        assert reading.dimension(LARGE.model_id) is None


def test_ended_entries_are_those_whose_retention_has_passed(store: SqlStore) -> None:
    kept, at_once = new_list(store, retention_days=10), new_list(store)
    expired, withdrawn, young, proposed, other = (
        an_entry(kept.list_id, valid_until=NOW - 10 * DAY),
        an_entry(kept.list_id),
        an_entry(kept.list_id, valid_until=NOW - 10 * DAY + timedelta(microseconds=1)),
        an_entry(at_once.list_id, valid_until=NOW),
        an_entry(at_once.list_id),
    )
    add(store, expired, withdrawn, young)
    add(store, proposed, other, approved=False)
    with a_bumped_change(store, kept) as change:
        change.withdraw(withdrawn.entry_id, NOW - 11 * DAY)
    with store.read() as reading:
        ended = [entry.content.entry_id for entry in reading.ended(NOW, 9)]
        assert ended == [withdrawn.entry_id, expired.entry_id, proposed.entry_id]
        assert len(reading.ended(NOW, 2)) == 2


def test_summaries_count_entries_by_state(store: SqlStore) -> None:
    empty, watchlist = new_list(store, name="a"), new_list(store, name="b")
    withdrawn = an_entry(watchlist.list_id)
    add(
        store,
        an_entry(watchlist.list_id),
        an_entry(watchlist.list_id),
        an_entry(watchlist.list_id, valid_from=NOW + DAY),
        an_entry(watchlist.list_id, valid_until=NOW),
        withdrawn,
    )
    add(store, an_entry(watchlist.list_id), approved=False)
    with a_bumped_change(store, watchlist) as change:
        change.withdraw(withdrawn.entry_id, NOW)
        state = change.list_state(watchlist.list_id)
    with store.read() as reading:
        first, second = reading.summaries(NOW)
    assert first.state.watchlist == empty
    assert (first.active_entries, first.proposed_entries, first.ended_entries) == (0, 0, 0)
    assert second.state == state
    assert (second.active_entries, second.proposed_entries, second.ended_entries) == (2, 1, 2)


# --- what was measured, and suppressions


def measured(watchlist: Watchlist, *alike: Alike, **changes: object) -> Measured:
    fields = dict.fromkeys(OwnScores.__dataclass_fields__, 1)
    own = OwnScores(**{**fields, "model_id": SMALL.model_id, "calibration_id": "c", **changes})
    return Measured(watchlist.list_id, own, alike, 7, NOW)


def test_what_was_measured_is_kept_for_each_model_and_replaced(store: SqlStore) -> None:
    watchlist = new_list(store)
    a, b, c = (an_entry(watchlist.list_id) for _ in range(3))
    add(store, a, b, c)
    before = version(store)
    pair, other = Alike(a.entry_id, b.entry_id, 0.91), Alike(a.entry_id, c.entry_id, 0.9)
    large = measured(watchlist, model_id=LARGE.model_id)
    for one in (measured(watchlist), large, measured(watchlist, pair, other)):
        with a_bumped_change(store, watchlist) as change:
            change.put_measured(one)
    wanted = (large, measured(watchlist, pair, other))
    assert store.load(lambda done, total: None).measured == wanted
    with a_bumped_change(store, watchlist) as change:
        change.remove((c.entry_id,))
        changes = change.changes_since(before)
    assert changes is not None
    assert changes.measured == (large, measured(watchlist, pair))


def test_a_suppression_is_kept_as_it_was_given_and_replaced(store: SqlStore) -> None:
    watchlist = new_list(store)
    content = a_full_entry(watchlist.list_id)
    add(store, content)
    proposed = a_suppression(content)
    confirmed = replace(proposed, confirmed_by=BEN)
    revoked = replace(confirmed, revoked_by=ANNA)
    for suppression in (proposed, confirmed, revoked):
        before = version(store)
        with a_bumped_change(store, watchlist) as change:
            change.put_suppression(suppression)
        with store.read() as reading:
            assert reading.suppression(proposed.suppression_id) == suppression
            changes = reading.changes_since(before)
            assert changes is not None
            told = () if suppression == revoked else (suppression,)
            assert (changes.suppressions, changes.gone, changes.entries) == (told, (), ())
            assert changes.resuppressed == {watchlist.list_id}
        assert store.load(lambda done, total: None).suppressions == told
    with store.read() as reading:
        assert reading.suppression("none") is None


def test_suppressions_are_told_of_lists_of_which_one_changed_and_of_no_others(store: SqlStore) -> None:
    one, two = new_list(store), new_list(store)
    contents = [an_entry(one.list_id), an_entry(two.list_id)]
    for content in contents:
        add(store, content)
        with a_bumped_change(store, one) as change:
            change.put_suppression(a_suppression(content))

    def told(since: int) -> tuple[int, frozenset[str]]:
        with store.read() as reading:
            changes = reading.changes_since(since)
        assert changes is not None
        assert {each.list_id for each in changes.suppressions} <= changes.resuppressed
        return len(changes.suppressions), changes.resuppressed

    before = version(store)
    assert told(0) == (2, {one.list_id, two.list_id})
    add(store, an_entry(one.list_id))
    with a_bumped_change(store, two) as change:
        change.withdraw(contents[1].entry_id, NOW)
    assert told(before) == (0, frozenset())
    with a_bumped_change(store, one) as change:
        change.remove((contents[1].entry_id,))  # the suppression goes with it
    assert told(before) == (0, {two.list_id})


def test_standing_suppressions_are_those_that_were_not_revoked_and_whose_time_is_not_over(
    store: SqlStore,
) -> None:
    watchlist = new_list(store)
    content, other = an_entry(watchlist.list_id), an_entry(watchlist.list_id)
    add(store, content, other)
    proposed, confirmed, short, revoked, of_other = (
        a_suppression(content),
        a_suppression(content, confirmed_by=BEN),
        a_suppression(content, expires_at=NOW + DAY),
        a_suppression(content, revoked_by=BEN),
        a_suppression(other),
    )
    with a_bumped_change(store, watchlist) as change:
        for each in (proposed, confirmed, short, revoked, of_other):
            change.put_suppression(each)
    with store.read() as reading:
        assert list(reading.standing(content.entry_id, NOW)) == [proposed, confirmed, short]
        assert list(reading.standing(content.entry_id, NOW + DAY)) == [proposed, confirmed]
        assert reading.standing_count(watchlist.list_id, NOW + DAY) == 3
        assert reading.standing_count("none", NOW) == 0


def test_suppressions_come_in_pages_newest_first_of_a_list_or_of_an_entry(store: SqlStore) -> None:
    watchlist = new_list(store)
    one, two = an_entry(watchlist.list_id), an_entry(watchlist.list_id)
    add(store, one, two)
    suppressions = [a_suppression(content) for content in (one, two, one)]
    for suppression in suppressions:
        with a_bumped_change(store, watchlist) as change:
            change.put_suppression(suppression)
    with store.read() as reading:
        first = reading.suppressions(watchlist.list_id, None, None, 2)
        rest = reading.suppressions(watchlist.list_id, None, first[-1][0], 2)
        assert [each for _, each in (*first, *rest)] == suppressions[::-1]
        of_one = reading.suppressions(watchlist.list_id, one.entry_id, None, 9)
        assert [each for _, each in of_one] == [suppressions[2], suppressions[0]]


def test_a_suppression_goes_with_its_entry(store: SqlStore) -> None:
    watchlist = new_list(store)
    content = an_entry(watchlist.list_id)
    add(store, content)
    suppression = a_suppression(content)
    with a_bumped_change(store, watchlist) as change:
        change.put_suppression(suppression)
    with a_bumped_change(store, watchlist) as change:
        change.remove((content.entry_id,))
        assert change.suppression(suppression.suppression_id) is None


# --- imports


def test_an_import_is_kept_as_it_was_given_and_replaced(store: SqlStore) -> None:
    one = an_import(new_list(store).list_id)
    done = replace(
        one, state=ImportState.APPLIED, next_row=4, added=1, removed=2, approved_by=BEN, version=3, base="7"
    )
    for each in (one, done):
        with store.change() as change:
            change.put_import(each)
        with store.read() as reading:
            assert reading.an_import(one.import_id) == each
            assert reading.an_import("none") is None


def stage(store: SqlStore, watchlist: Watchlist, *records: str):
    """An import with a row for each record, each with a new entry."""
    one = an_import(watchlist.list_id)
    rows = [a_row(number, record, one) for number, record in enumerate(records, 1)]
    with store.change() as change:
        change.put_import(one)
        change.stage(one, rows)
    return one, [row.entry.content for row in rows if row.entry is not None]


def apply(store: SqlStore, one, contents: list[EntryContent]) -> None:
    with store.change() as change:
        change.show_staged(one.import_id)
    with store.change() as change:
        change.approve([content.entry_id for content in contents], Approval(BEN, 1))
        change.bump(one.list_id, NOW)
        change.forget_rows(one.import_id)


def test_open_imports_are_those_that_were_begun_before_a_time_and_are_not_at_their_end(
    store: SqlStore,
) -> None:
    list_id = new_list(store).list_id
    old, finished, applied, dropped, new = (
        an_import(list_id, begun_at=NOW + second * SECOND, state=state)
        for second, state in enumerate(
            (
                ImportState.STAGING,
                ImportState.PROPOSED,
                ImportState.APPLIED,
                ImportState.CANCELLED,
                ImportState.STAGING,
            )
        )
    )
    with store.change() as change:
        for each in (new, dropped, applied, finished, old):
            change.put_import(replace(each, state=ImportState.STAGING))
            change.put_import(each)
    with store.read() as reading:
        assert list(reading.open_imports(new.begun_at)) == [old, finished]
        assert reading.open_imports(old.begun_at) == []


def test_staged_entries_are_out_of_sight_until_they_are_shown(store: SqlStore) -> None:
    watchlist = new_list(store)
    one, contents = stage(store, watchlist, "r1", "r2")
    with store.read() as reading:
        assert reading.entries(watchlist.list_id, 0, 9) == []
        assert reading.without_model(watchlist.list_id, "none", 0, 9) == []
        assert reading.summaries(NOW)[0].proposed_entries == 0
        entry = reading.entry(contents[0].entry_id, whole=True)
        assert entry is not None
        assert (entry.content, entry.pending_import) == (contents[0], one.import_id)
        assert entry.provenance is not None
        assert entry.provenance.record_id == "r1"
        assert reading.staged(one) == (tuple(content.entry_id for content in contents), ())
    with store.change() as change:
        change.show_staged(one.import_id)
    with store.read() as reading:
        assert len(reading.entries(watchlist.list_id, 0, 9)) == 2
        assert reading.summaries(NOW)[0].proposed_entries == 2


def test_an_applied_import_is_searched_and_no_longer_waits(store: SqlStore) -> None:
    watchlist = new_list(store)
    one, contents = stage(store, watchlist, "r1", "r2")
    before = version(store)
    apply(store, one, contents)
    assert searched(store) == {content.entry_id: content.templates for content in contents}
    with store.read() as reading:
        entry = reading.entry(contents[0].entry_id)
        assert entry is not None
        assert entry.pending_import is None
        assert reading.staged(one) == ((), ())
        changes = reading.changes_since(before)
        assert changes is not None
        assert len(changes.entries) == 2


def test_an_import_that_is_dropped_takes_its_entries_and_their_keys_with_it(store: SqlStore) -> None:
    watchlist = new_list(store)
    kept, applied = stage(store, watchlist, "r0")
    apply(store, kept, applied)
    before = key_count(store)
    one, contents = stage(store, watchlist, "r1", "r2")
    assert key_count(store) == before + 2
    with store.change() as change:
        change.forget_rows(one.import_id)
        assert change.entry(contents[0].entry_id) is None
    store.scrub()
    assert key_count(store) == before
    assert set(searched(store)) == {applied[0].entry_id}


def key_count(store: SqlStore) -> int:
    with store._keys.all() as keys:
        return sum(1 for _ in keys)


def test_known_records_are_those_that_a_list_holds_of_a_source(store: SqlStore) -> None:
    watchlist, other = new_list(store), new_list(store)
    one, contents = stage(store, watchlist, "r1", "r2")
    with store.change() as change:
        change.show_staged(one.import_id)
        assert change.known_records(watchlist.list_id, one.source, ["r1"]) == {}
    apply(store, one, contents)
    wanted = {
        record: KnownRecord(content.entry_id, b"said of " + record.encode())
        for record, content in zip(("r1", "r2"), contents, strict=True)
    }
    with store.read() as reading:
        assert reading.known_records(watchlist.list_id, one.source, ["r2", "r9", "r1"]) == wanted
        assert reading.known_records(watchlist.list_id, "another", ["r1"]) == {}
        assert reading.known_records(other.list_id, one.source, ["r1"]) == {}
        assert reading.known_records(watchlist.list_id, one.source, []) == {}
    with a_bumped_change(store, watchlist) as change:
        change.remove((contents[0].entry_id,))
        assert set(change.known_records(watchlist.list_id, one.source, ["r1", "r2"])) == {"r2"}
        change.withdraw(contents[1].entry_id, NOW)
        assert change.known_records(watchlist.list_id, one.source, ["r1", "r2"]) == {}


def test_a_sources_state_changes_with_what_is_known_of_it_and_not_otherwise(store: SqlStore) -> None:
    watchlist = new_list(store)
    states = []

    def look() -> None:
        with store.read() as reading:
            states.append(reading.source_state(watchlist.list_id, "Utopia's police"))

    look()
    first, contents = stage(store, watchlist, "r1", "r2")
    dropped, _ = stage(store, watchlist, "r3")
    look()
    with store.change() as change:
        change.forget_rows(dropped.import_id)
    add(store, an_entry(watchlist.list_id))
    look()
    assert len(set(states)) == 1
    apply(store, first, contents)
    look()
    with a_bumped_change(store, watchlist) as change:
        change.remove((contents[0].entry_id,))
    look()
    with a_bumped_change(store, watchlist) as change:
        change.withdraw(contents[1].entry_id, NOW)
    look()
    assert len(set(states[2:])) == 4


def test_missing_records_are_those_that_no_row_is_about(store: SqlStore) -> None:
    watchlist = new_list(store)
    first, contents = stage(store, watchlist, "same", "changed", "missing", "in error")
    apply(store, first, contents)
    add(store, an_entry(watchlist.list_id))  # of no source
    second = an_import(watchlist.list_id)
    error = RowError(4, "INVALID_REQUEST", "birth_date", "got nothing")
    rows = [
        a_row(1, "new", second),
        StagedRow(2, "same", same=contents[0].entry_id),
        a_row(3, "changed", second, replaces=contents[1].entry_id),
        StagedRow(4, "in error", error=error),
        StagedRow(5, "", error=replace(error, row=5)),
    ]
    with store.change() as change:
        change.put_import(second)
        change.stage(second, rows[:3])
    with store.change() as change:
        change.stage(second, rows[3:])
    with store.read() as reading:
        assert reading.missing_records(second) == (contents[2].entry_id,)
        brought = tuple(row.entry.content.entry_id for row in rows if row.entry is not None)
        assert reading.staged(second) == (brought, (contents[1].entry_id,))
        assert reading.staged_rows(second.import_id, [0, 1, 4, 6], ["same", "r9"]) == ({1, 4}, {"same"})
        assert reading.staged_rows("none", [1], ["same"]) == (set(), set())
        assert reading.row_errors(second.import_id, 0, 9) == [error, replace(error, row=5)]
        assert reading.row_errors(second.import_id, 4, 9) == [replace(error, row=5)]


# --- events


def test_an_event_is_told_with_its_change_or_not_at_all(store: SqlStore) -> None:
    def fail() -> None:
        with store.change() as change:
            change.record(Event(event_id="never"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.change() as change:
        change.record(Event(event_id="told"))
    with store.database.read() as connection:
        (row,) = connection.execute("SELECT event FROM outbox").fetchall()
    assert Event.FromString(row["event"]).event_id == "told"


# --- loading


def test_loading_gives_what_is_searched_in_blocks_of_one_list(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_loading, "BLOCK_ENTRIES", 3)
    monkeypatch.setattr(sql_loading, "PROGRESS_ENTRIES", 2)
    lists = [new_list(store) for _ in range(2)]
    contents = {}
    for number in range(8):
        content = a_full_entry(lists[number % 2].list_id, valid_from=NOW if number else None)
        contents[content.entry_id] = content
        add(store, content)
    add(store, a_full_entry(lists[0].list_id), approved=False)
    told: list[tuple[int, int]] = []
    stored = store.load(lambda done, total: told.append((done, total)))
    blocks = list(stored.blocks)
    assert stored.version == 8
    assert {state.watchlist.list_id for state in stored.lists} == {each.list_id for each in lists}
    assert sorted(len(block.entry_ids) for block in blocks) == [1, 1, 3, 3]
    assert told == [(2, 8), (4, 8), (6, 8), (8, 8), (8, 8)]
    for block in blocks:
        wanted = [contents.pop(entry_id) for entry_id in block.entry_ids]
        assert {content.list_id for content in wanted} == {block.list_id}
        always = np.iinfo(np.int64).min
        assert block.valid_from.tolist() == [
            always if content.valid_from is None else microseconds(content.valid_from) for content in wanted
        ]
        assert block.valid_until.tolist() == [microseconds(content.valid_until) for content in wanted]
        assert list(block.names) == [
            (place, name, content.birth_date)
            for place, content in enumerate(wanted)
            for name in content.names
        ]
        assert list(block.documents) == [
            (place, document) for place, content in enumerate(wanted) for document in content.documents
        ]
        for model, rows in block.faces.items():
            of_model = [
                (place, template.values)
                for place, content in enumerate(wanted)
                for template in content.templates
                if template.model == model
            ]
            assert [
                (place, row.tobytes()) for place, row in zip(rows.entry_of, rows.vectors, strict=True)
            ] == of_model
            assert rows.vectors.dtype == np.float32
    assert contents == {}


def test_loading_goes_on_while_entries_are_removed(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_loading, "BLOCK_ENTRIES", 2)
    watchlist = new_list(store)
    contents = [an_entry(watchlist.list_id) for _ in range(4)]
    add(store, *contents)
    stored = store.load(lambda done, total: None)
    removed, late = contents[3], an_entry(watchlist.list_id)
    with a_bumped_change(store, watchlist) as change:
        change.remove((removed.entry_id,))
        change.add_entries([new_entry(late)])
        change.approve((late.entry_id,), Approval(BEN, 2))
    loaded = {entry_id for block in stored.blocks for entry_id in block.entry_ids}
    with store.read() as reading:
        changes = reading.changes_since(stored.version)
    assert changes is not None
    assert changes.gone == (removed.entry_id,)
    assert (loaded - set(changes.gone)) == {content.entry_id for content in contents[:3]}
    assert [entry.content for entry in changes.entries] == [late]


def test_an_entry_whose_key_is_lost_is_not_passed_over(store: SqlStore) -> None:
    content = an_entry(new_list(store).list_id)
    add(store, content)
    with store._keys._database.transaction() as connection:
        connection.execute("DELETE FROM keys WHERE id > ?", (OWN_KEY,))
    with pytest.raises(EntryKeyMissingError, match="restore the keys"):
        load(store)
    with pytest.raises(EntryKeyMissingError), store.read() as reading:
        reading.entry(content.entry_id)


# --- changes


def test_changes_are_told_for_every_earlier_version(store: SqlStore) -> None:
    watchlist, other = new_list(store), new_list(store)
    content = an_entry(watchlist.list_id)
    add(store, content)  # version 1
    with a_bumped_change(store, watchlist) as change:  # 2
        change.add_templates(content.entry_id, (a_template(LARGE),))
    with a_bumped_change(store, watchlist) as change:  # 3
        change.withdraw(content.entry_id, NOW)
    with a_bumped_change(store, other) as change:  # 4
        change.remove((content.entry_id,))
    with store.read() as reading:
        told = [reading.changes_since(since) for since in range(6)]
    assert told[5] is None
    seen = [(each.version, each.gone, each.entries) for each in told[:5] if each is not None]
    assert seen == [
        (4, (), ()),
        (4, (content.entry_id,), ()),
        (4, (content.entry_id,), ()),
        (4, (), ()),
        (4, (), ()),
    ]
    changed = [[state.watchlist for state in each.lists] for each in told[:5] if each is not None]
    assert [len(lists) for lists in changed] == [2, 2, 2, 1, 0]
    assert changed[3] == [other]


def test_changes_that_are_too_long_ago_are_not_told(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_change, "REMEMBERED", 2)
    watchlist = new_list(store)
    contents = [an_entry(watchlist.list_id) for _ in range(5)]
    add(store, *contents)  # version 1
    for content in contents:  # versions 2 to 6
        with a_bumped_change(store, watchlist) as change:
            change.remove((content.entry_id,))
    with store.read() as reading:
        told = [reading.changes_since(since) for since in range(7)]
    assert told[:4] == [None] * 4
    assert [each.gone for each in told[4:] if each is not None] == [
        (contents[3].entry_id, contents[4].entry_id),
        (contents[4].entry_id,),
        (),
    ]


SLOTS = 4
OPERATIONS = st.sampled_from(
    ("add", "approve", "withdraw", "templates", "remove", "suppress", "expire", "undone", "batch", "nothing")
)


class Model:
    """The store as a plain dict: what is proposed and what is searched, by slot."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.watchlist = new_list(store)
        self.contents: dict[str, EntryContent] = {}
        self.state: dict[str, str] = {}
        self.ids = [a_list().list_id for _ in range(SLOTS)]
        self.views = {version(store): {}}

    def view(self) -> dict[str, tuple[Template, ...]]:
        return {
            each: self.contents[each].templates for each, state in self.state.items() if state == "approved"
        }

    def do(self, operation: str, slot: int) -> None:
        entry_id = self.ids[slot]
        if operation == "undone":
            self.undone(entry_id)
        with a_bumped_change(self.store, self.watchlist) as change:
            if operation == "batch":
                for each in self.ids:
                    self.one(change, "add", each)
                    self.one(change, "approve", each)
            else:
                self.one(change, operation, entry_id)
            seen = change.version
        self.views[seen] = self.view()

    def undone(self, entry_id: str) -> None:
        contents, state = dict(self.contents), dict(self.state)

        def fail() -> None:
            with a_bumped_change(self.store, self.watchlist) as change:
                for operation in ("add", "approve", "templates", "suppress", "remove"):
                    self.one(change, operation, entry_id)
                raise RuntimeError("told to fail")

        with pytest.raises(RuntimeError, match="told to fail"):
            fail()
        self.contents, self.state = contents, state

    def one(self, change: Change, operation: str, entry_id: str) -> None:
        state = self.state.get(entry_id)
        if operation == "add" and state is None:
            content = a_full_entry(self.watchlist.list_id, entry_id=entry_id)
            change.add_entries([new_entry(content)])
            self.contents[entry_id], self.state[entry_id] = content, "proposed"
        elif operation == "approve" and state == "proposed":
            change.approve((entry_id,), Approval(BEN, change.version))
            self.state[entry_id] = "approved"
        elif operation == "withdraw" and state in {"proposed", "approved"}:
            change.withdraw(entry_id, NOW)
            self.state[entry_id] = "withdrawn"
        elif operation == "templates" and state is not None:
            more = (a_template(LARGE), a_template(SMALL))
            change.add_templates(entry_id, more)
            content = self.contents[entry_id]
            self.contents[entry_id] = replace(content, templates=content.templates + more)
        elif operation == "suppress" and state is not None:
            change.put_suppression(a_suppression(self.contents[entry_id]))
        elif operation == "remove" and state is not None:
            change.remove((entry_id,))
            del self.contents[entry_id], self.state[entry_id]


@pytest.fixture(scope="module", params=SITES)
def lasting_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlStore]:
    """One store for many examples, each on a list of its own."""
    store = SITES[request.param](tmp_path_factory.mktemp("lasting")).open()
    yield store
    store.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(steps=st.lists(st.tuples(OPERATIONS, st.integers(0, SLOTS - 1)), min_size=1, max_size=12))
def test_any_sequence_of_changes_leaves_what_a_dict_would_hold(
    lasting_store: SqlStore, steps: list[tuple[str, int]]
) -> None:
    model = Model(lasting_store)
    for operation, slot in steps:
        model.do(operation, slot)
    lasting_store.scrub()
    with lasting_store.read() as reading:
        entries = reading.entries(model.watchlist.list_id, 0, 99)
        assert {entry.content.entry_id for _, entry in entries} == set(model.contents)
        for entry_id in model.ids:
            entry = reading.entry(entry_id, whole=True)
            assert (None if entry is None else entry.content) == model.contents.get(entry_id)
        for since, view in model.views.items():
            changes = reading.changes_since(since)
            assert changes is not None
            assert set(changes.gone) <= set(view)
            assert len(set(changes.gone)) == len(changes.gone)
            followed = {each: templates for each, templates in view.items() if each not in changes.gone}
            added = {entry.content.entry_id: entry.content.templates for entry in changes.entries}
            assert not followed.keys() & added.keys()
            assert followed | added == model.view()
    mine = set(model.ids)
    loaded = {each: templates for each, templates in searched(lasting_store).items() if each in mine}
    by_model = {each: sorted(templates, key=str) for each, templates in loaded.items()}
    assert by_model == {each: sorted(templates, key=str) for each, templates in model.view().items()}


def test_many_entries_are_added_approved_and_removed_at_once(store: SqlStore) -> None:
    watchlist = new_list(store)
    contents = [an_entry(watchlist.list_id) for _ in range(2_500)]
    add(store, *contents)
    assert len(searched(store)) == 2_500
    with a_bumped_change(store, watchlist) as change:
        change.remove([content.entry_id for content in contents[1:]])
    with store.read() as reading:
        changes = reading.changes_since(1)
    assert changes is not None
    assert len(changes.gone) == 2_499
    assert set(searched(store)) == {contents[0].entry_id}
    assert key_count(store) == 2


# --- durability, sharing


def test_everything_survives_a_restart(site: Site) -> None:
    store = site.open()
    watchlist = new_list(store)
    content = a_full_entry(watchlist.list_id)
    add(store, content)
    secret = store.secret("pairs")
    store.close()
    again = site.open()
    again.scrub()
    with again.read() as reading:
        entry = reading.entry(content.entry_id, whole=True)
    assert entry is not None
    assert entry.content == content
    assert again.secret("pairs") == secret != again.secret("records")
    again.close()


def test_a_store_of_an_earlier_release_is_brought_up_to_date(site: Site) -> None:
    watchlist, proposed = a_list(), new_id()
    one = an_import(watchlist.list_id, begun_at=NOW - DAY)
    old = an_earlier_store(site)
    with old.change() as change:
        change.put_list(watchlist, NOW)
        now = change.connection
        now.execute("INSERT INTO actors VALUES (7, 'issuer', 'subject')")
        now.execute(
            "INSERT INTO entries (place, entry_id, list, valid_until, ends, templates, pictures, named, proposed_by,"
            " hidden) SELECT 8, ?, list, 0, 0, 0, 0, 0, 7, 0 FROM lists",
            (proposed,),
        )
        now.execute("INSERT INTO removed VALUES (9, 'removed', 1, 1)")
        sealed = old._own.seal(import_content(one), import_name(one.import_id))
        for number, import_id in enumerate((one.import_id, "applied"), 10):
            now.execute(
                "INSERT INTO imports (import, import_id, list, sealed) SELECT ?, ?, list, ? FROM lists",
                (number, import_id, sealed),
            )
        now.execute(
            "INSERT INTO staged_rows (import, line, reason, field, message) VALUES (10, 1, 'REASON', 'field', 'got')"
        )
    old.close()
    store = site.open()
    with store.read() as reading:
        assert [reading.was_used(each) for each in (proposed, "removed", "another")] == [True, True, False]
        assert reading.open_imports(NOW + SECOND) == [replace(one, begun_at=NOW)]
        assert reading.row_errors(one.import_id, 0, 9) == [RowError(1, "REASON", "field", "got")]
    store.close()


def an_earlier_store(site: Site) -> SqlStore:
    """A store as it was before what `sql_schema` has added since everything in it was sealed."""
    since = len(sql_schema._SINCE_SEALED)
    keys = site.folder / "keys" / "watchlist" / "keys.sqlite"
    if site.database:
        server = PostgresDatabase(site.database, sql_schema.POSTGRES_MIGRATIONS[:-since], WHAT)
        return SqlStore(server, open_sqlite_keys(keys))
    files = Database(
        site.folder / "watchlist.sqlite", sql_schema.SQLITE_MIGRATIONS[:-since], sql_schema.PAGE_BYTES
    )
    for table in sql_schema.FORMER_TABLES:
        with files.transaction() as connection:
            connection.execute(f"DROP TABLE former_{table}")
    return SqlStore(files, open_sqlite_keys(keys))


def test_a_reader_keeps_its_state_while_changes_go_on(store: SqlStore) -> None:
    watchlist = new_list(store)
    content = an_entry(watchlist.list_id)
    add(store, content)

    def remove() -> None:
        with a_bumped_change(store, watchlist) as change:
            change.remove((content.entry_id,))

    with store.read() as reading:
        assert reading.version == 1
        thread = threading.Thread(target=remove)
        thread.start()
        thread.join(30)
        assert reading.version == 1
        assert reading.entry(content.entry_id) is None  # its key is gone, and so is what the state says of it
    assert version(store) == 2


def test_changes_of_many_threads_follow_one_another(store: SqlStore) -> None:
    watchlist = new_list(store)
    versions: list[int] = []

    def change_a_few_times() -> None:
        for _ in range(5):
            with a_bumped_change(store, watchlist) as change:
                change.add_entries([new_entry(an_entry(watchlist.list_id))])
                versions.append(change.version)

    threads = [threading.Thread(target=change_a_few_times) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert versions == list(range(1, 21))
    with store.read() as reading:
        assert len(reading.entries(watchlist.list_id, 0, 99)) == 20


def test_keys_of_another_database_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    first = open_store(tmp_path / "a", "", tmp_path / "keys", "")
    add(first, an_entry(new_list(first).list_id))
    keys = key_count(first)
    first.close()
    with pytest.raises(KeysDontFitError, match="another database"):
        open_store(tmp_path / "b", "", tmp_path / "keys", "")
    with pytest.raises(KeysDontFitError, match="restore them"):
        open_store(tmp_path / "a", "", tmp_path / "new keys", "")
    again = open_store(tmp_path / "a", "", tmp_path / "keys", "")
    assert key_count(again) == keys
    again.close()


def test_keys_beside_the_database_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysDontFitError, match="want another"):
        open_store(tmp_path, "", tmp_path, "")
    conninfo = shared_postgres().new_database()
    with pytest.raises(KeysDontFitError, match="want another"):
        open_store(tmp_path / "state", conninfo, None, conninfo)


def test_replicas_see_each_others_changes_and_are_woken(tmp_path: Path) -> None:
    server = shared_postgres()
    site = Site(tmp_path, server.new_database(), server.new_database())
    first, second = site.open(), site.open()
    watchlist = new_list(first)
    second.wait(0)  # begins to listen
    woken = threading.Event()

    def wait() -> None:
        second.wait(60)
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    content = an_entry(watchlist.list_id)
    add(first, content)
    assert woken.wait(30)
    thread.join(30)
    with second.read() as reading:
        changes = reading.changes_since(0)
    assert changes is not None
    assert [entry.content for entry in changes.entries] == [content]
    with a_bumped_change(second, watchlist) as change:
        change.remove((content.entry_id,))
    assert searched(first) == {}
    assert first.secret("pairs") == second.secret("pairs")
    first.close()
    second.close()


def test_a_database_that_is_away_is_unavailable_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    server = shared_postgres()
    conninfo = server.new_database()
    store = Site(tmp_path, conninfo).open()
    watchlist = new_list(store)
    store.wait(0)
    server.refuse(conninfo)
    with pytest.raises(UnavailableError, match="try again"):
        new_list(store)
    with pytest.raises(UnavailableError, match="try again"):
        version(store)
    with pytest.raises(UnavailableError, match="try again"):
        load(store)
    store.wait(0.01)
    server.refuse(conninfo, refused=False)
    content = an_entry(watchlist.list_id)
    add(store, content)
    assert set(searched(store)) == {content.entry_id}
    store.wait(0.01)
    store.close()


def test_a_full_disk_is_unavailable_and_nothing_is_changed(tmp_path: Path) -> None:
    store = Site(tmp_path).open()
    watchlist = new_list(store)
    with store.database.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(UnavailableError, match="nothing was changed"):
        add(store, *(an_entry(watchlist.list_id, pictures=(bytes(10_000),)) for _ in range(200)))
    with store.database.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert version(store) == 0
    add(store, an_entry(watchlist.list_id))
    store.scrub()
    assert key_count(store) == 2
    store.close()


# --- erasure

CANARIES = (
    "CANARYSURNAME",
    "CANARYGIVEN",
    "Канарейка",
    "CANARY4711",
    "CANARYCASE",
    "CANARYREASON",
    "CANARYRECORD",
)


def a_canary(list_id: str) -> EntryContent:
    return an_entry(
        list_id,
        templates=(a_template(LARGE), a_template(LARGE)),
        names=(PersonName("CANARYSURNAME", "CANARYGIVEN", "Канарейка"),),
        documents=(DocumentKey("P", "UTO", "CANARY4711"),),
        source_reference="CANARYCASE",
        pictures=(b"\xff\xd8CANARY PICTURE" * 20,),
    )


def secrets_of(*contents: EntryContent) -> list[bytes]:
    templates = [template.values for content in contents for template in content.templates]
    return [*(word.encode() for word in CANARIES), b"CANARY PICTURE", *templates]


def fill_with_canaries(store: SqlStore) -> tuple[Watchlist, list[EntryContent]]:
    """An entry with a suppression, and a staged one of a dropped import."""
    watchlist = new_list(store)
    content, staged = a_canary(watchlist.list_id), a_canary(watchlist.list_id)
    add(store, content)
    suppression = a_suppression(
        content,
        document=DocumentKey("P", "UTO", "CANARY4711"),
        reason="CANARYREASON",
        holder=staged.templates,
    )
    with a_bumped_change(store, watchlist) as change:
        change.put_suppression(suppression)
    one = an_import(watchlist.list_id)
    row = a_row(1, "CANARYRECORD", one)
    assert row.entry is not None
    with store.change() as change:
        change.put_import(one)
        error = RowError(2, "CANARYREASON", "CANARYCASE", "CANARYSURNAME is no name")
        change.stage(
            one, [replace(row, entry=replace(row.entry, content=staged)), StagedRow(2, "", error=error)]
        )
    with store.change() as change:
        change.forget_rows(one.import_id)
    return watchlist, [content, staged]


def test_nothing_that_is_said_of_people_lies_in_clear_in_any_file(site: Site) -> None:
    store = site.open()
    _, contents = fill_with_canaries(store)
    stored = site.stored()
    assert contents[0].entry_id.encode() in stored
    assert [secret for secret in secrets_of(*contents) if secret in stored] == []
    store.close()


def test_a_removed_entry_leaves_no_row_and_no_key_in_the_files(tmp_path: Path) -> None:
    site = Site(tmp_path)
    store = site.open()
    watchlist, contents = fill_with_canaries(store)
    with store._keys.all() as every:
        own, *keys = [key for _, key in every]
    with store.database.read() as connection:
        sealed = [
            bytes(row["sealed"])
            for table in ("bodies", "templates", "pictures")
            for row in connection.execute(f"SELECT sealed FROM {table}").fetchall()  # noqa: S608
        ]
        sealed += [
            bytes(row["found"]) for row in connection.execute("SELECT found FROM suppressions").fetchall()
        ]
    assert len(keys) == 1
    assert len(sealed) == 4
    assert all(one in site.stored() for one in (*keys, *sealed))
    with a_bumped_change(store, watchlist) as change:
        change.remove((contents[0].entry_id,))
    store.scrub()
    stored = site.stored()
    assert [one for one in (*keys, *sealed, *secrets_of(*contents)) if one in stored] == []
    assert own in stored
    store.close()


def test_a_removed_entrys_key_is_destroyed_where_its_ciphertext_can_stay(tmp_path: Path) -> None:
    site = SITES["postgres"](tmp_path)
    store = site.open()
    watchlist, contents = fill_with_canaries(store)
    with store._keys.all() as every:
        _, key = (key for _, key in every)
    assert key in site.stored()
    with a_bumped_change(store, watchlist) as change:
        change.remove((contents[0].entry_id,))
    store.scrub()
    assert key not in site.stored()
    assert key_count(store) == 1
    store.close()


@pytest.mark.parametrize("again", ["scrub", "destroy_keys"])
def test_keys_that_could_not_be_destroyed_go_with_the_next_attempt(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    watchlist = new_list(store)
    content = an_entry(watchlist.list_id)
    add(store, content)

    def refuse(key_ids: object) -> None:
        raise UnavailableError("key store: told to fail")

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(store._keys, "destroy_many", refuse)
        with a_bumped_change(store, watchlist) as change:
            change.remove((content.entry_id,))
        store.destroy_keys()
    assert [line["event"] for line in lines] == ["keys_of_removed_entries_still_there"] * 2
    assert key_count(store) == 2
    getattr(store, again)()
    assert key_count(store) == 1


def test_keys_that_a_killed_process_left_over_go_at_the_next_start(site: Site) -> None:
    store = site.open()
    add(store, an_entry(new_list(store).list_id))
    store._keys.put_many({f"{99:019d}": b"k" * 32})
    store.close()
    again = site.open()
    again.scrub()
    assert key_count(again) == 2
    assert len(searched(again)) == 1
    again.close()


def test_an_erased_entry_that_comes_back_with_a_backup_stays_erased_and_hinders_nothing(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    store = site.open()
    watchlist = new_list(store)
    erased, kept = a_full_entry(watchlist.list_id), an_entry(watchlist.list_id)
    add(store, erased, kept)
    store.scrub()
    backup = (tmp_path / "watchlist.sqlite").read_bytes()
    with a_bumped_change(store, watchlist) as change:
        change.remove((erased.entry_id,))
    store.scrub()
    store.close()
    (tmp_path / "watchlist.sqlite").write_bytes(backup)
    again = site.open()
    assert set(searched(again)) == {kept.entry_id}
    with again.read() as reading:
        assert reading.entry(erased.entry_id) is None
        assert len(reading.entries(watchlist.list_id, 0, 9)) == 1
        assert reading.summaries(NOW)[0].active_entries == 2  # its row is there
    again.scrub()
    with again.read() as reading:
        assert reading.summaries(NOW)[0].active_entries == 1
    late = an_entry(watchlist.list_id)
    add(again, late)
    assert set(searched(again)) == {kept.entry_id, late.entry_id}
    again.close()


# --- a process that is killed

WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.adapters.sql_store import open_store
from borderpost.watchlist.domain import Approval
from fakes.watchlist_rows import BEN, NOW, a_full_entry, new_entry
store = open_store(Path(sys.argv[3]), sys.argv[4], None, "")
list_id, before = sys.argv[5], []
while True:
    contents = [a_full_entry(list_id) for _ in range(3)]
    ids = [content.entry_id for content in contents]
    with store.change() as change:
        change.add_entries([new_entry(content) for content in contents])
        change.approve(ids, Approval(BEN, 1))
        change.remove(before)
        change.record(Event(event_id=ids[0]))
        change.bump(list_id, NOW)
    before = ids[:1]
    print(" ".join(ids), flush=True)
"""


@pytest.mark.parametrize("kills", [2, pytest.param(15, marks=pytest.mark.slow)])
def test_a_killed_process_leaves_whole_changes_and_loses_none_that_was_acknowledged(
    site: Site, kills: int
) -> None:
    store = site.open()
    watchlist = new_list(store)
    store.close()
    acknowledged: list[list[str]] = []
    moments = random.Random(5)  # noqa: S311
    script = [sys.executable, "-c", WRITER, str(SERVICES), str(SERVICES.parent / "tests")]
    for _ in range(kills):
        process = subprocess.Popen(
            [*script, str(site.folder), site.database, watchlist.list_id], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().split() for _ in range(moments.randrange(1, 12))]
        process.kill()
        acknowledged += [line.split() for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()
    store = site.open()
    store.scrub()
    there = searched(store)
    for ids in acknowledged:
        assert set(ids[1:]) <= set(there)
    with store.database.read() as connection:
        events = {
            Event.FromString(row["event"]).event_id
            for row in connection.execute("SELECT event FROM outbox").fetchall()
        }
        whole = len(events)
        removed = connection.execute("SELECT count(*) AS count FROM removed").fetchone()["count"]
    assert {ids[0] for ids in acknowledged} <= events
    assert whole <= len(acknowledged) + kills  # at most one of each process was not acknowledged
    assert len(there) == 3 * whole - removed
    assert version(store) == whole
    assert key_count(store) == len(there) + 1
    with store.read() as reading:
        assert len(reading.entries(watchlist.list_id, 0, 10_000)) == len(there)
    store.close()
