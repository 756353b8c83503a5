"""Imports: taken row by row, compared, approved by a second person, and applied all at once or not at all."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError, NotPermittedError
from borderpost.watchlist.domain import (
    EntryContent,
    Import,
    ImportState,
    MatchKind,
    RowError,
    SearchQuery,
)
from borderpost.watchlist.errors import (
    EntryNotFoundError,
    ImportClosedError,
    ImportExistsError,
    ImportHasErrorsError,
    ImportIncompleteError,
    ImportNotFinishedError,
    ImportNotFoundError,
    ImportStaleError,
    ListNotPermittedError,
    SecondPersonNeededError,
    WatchlistNotFoundError,
)
from borderpost.watchlist.events import MOST_IDS
from borderpost.watchlist.importing import ABANDONED, DUPLICATE_RECORD
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.templates import Model, Template
from fakes.watchlist import (
    ANNA,
    BEN,
    CARL,
    MODEL,
    NOW,
    OTHER_MODEL,
    House,
    a_house,
    a_list,
    a_name,
    a_quick_house,
    a_template,
    an_entry,
    by,
    found,
    near,
)

SOURCE = "Interpol"
FAR_AWAY = NOW + timedelta(days=365_000)
BORN = PartialDate(1970, 1, 1)
Row = tuple[int, str, EntryContent | RowError]


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


def face(number: int) -> Template:
    """A face that is like no other number's, up to 15."""
    return Template(MODEL, np.eye(MODEL.dimension, dtype=np.float32)[number % MODEL.dimension].tobytes())


def a_record(number: int, **changes: object) -> EntryContent:
    """What a source says of its record of this number: an id of neither entry nor list."""
    content = an_entry(
        "",
        entry_id="",
        templates=(face(number),),
        names=(a_name(number),),
        birth_date=BORN,
        documents=(DocumentKey("P", "UTO", f"D{number:06}"),),
    )
    return replace(content, **changes)


def rows_of(records: Sequence[EntryContent], first: int = 1) -> list[Row]:
    return [(row, f"record {row}", content) for row, content in enumerate(records, first)]


def rows(count: int) -> list[Row]:
    return rows_of([a_record(number) for number in range(1, count + 1)])


def begin(house: House, list_id: str, count: int, **changes: object) -> Import:
    asked = Import(new_id(), list_id, SOURCE, b"s" * 32, False, count, ANNA)
    return house.importing.begin(replace(asked, **changes), by(ANNA))


def staged(house: House, list_id: str, given: Sequence[Row], **changes: object) -> Import:
    begun = begin(house, list_id, len(given), **changes)
    house.importing.stage(begun.import_id, given, by(ANNA))
    return house.importing.get(begun.import_id, 0, 1, by(ANNA))[0]


def finish(house: House, import_id: str, *, skip_errors: bool = False, dry_run: bool = False) -> Import:
    return house.importing.finish(import_id, by(ANNA), skip_errors=skip_errors, dry_run=dry_run)


def imported(house: House, list_id: str, given: Sequence[Row], **changes: object) -> Import:
    """A whole import, approved."""
    begun = staged(house, list_id, given, **changes)
    finish(house, begun.import_id)
    return house.importing.approve(begun.import_id, by(BEN))


def diff(an_import: Import) -> tuple[int, int, int, int, int]:
    """Added, changed, unchanged, removed, in error."""
    return (
        an_import.added,
        an_import.changed,
        an_import.unchanged,
        an_import.removed,
        an_import.errors,
    )


def hits(house: House, number: int) -> list[MatchKind]:
    """How the person of a record is found."""
    query = SearchQuery(
        (near(face(number), 0.95, seed=1),),
        DocumentKey("P", "UTO", f"D{number:06}"),
        a_name(number),
        BORN,
    )
    return [kind for _, kind in found(house.search(query))]


def listed(house: House, list_id: str) -> list[str]:
    page = house.app.list_entries(list_id, 0, 500, by(ANNA))
    assert page.next_after is None
    return [entry.content.entry_id for entry in page.entries]


EVERY = [MatchKind.FACE, MatchKind.DOCUMENT, MatchKind.NAME]


def test_nothing_is_seen_before_the_end_nor_searched_before_another_person_approved_it(house: House):
    list_id = house.new_list().list_id
    begun = begin(house, list_id, 3)
    before = house.version_of(list_id)
    house.importing.stage(begun.import_id, rows(3), by(ANNA))
    assert listed(house, list_id) == []
    assert house.app.list_watchlists(by(ANNA))[0].proposed_entries == 0
    finished = finish(house, begun.import_id)
    assert (finished.state, diff(finished)) == (ImportState.PROPOSED, (3, 0, 0, 0, 0))
    assert house.app.list_watchlists(by(ANNA))[0].proposed_entries == 3
    (first, *_) = listed(house, list_id)
    with pytest.raises(ImportNotFinishedError, match="import-approve"):
        house.app.approve_entry(first, by(BEN))
    with pytest.raises(SecondPersonNeededError):
        house.importing.approve(begun.import_id, by(ANNA))
    assert hits(house, 1) == []
    assert house.version_of(list_id) == before
    applied = house.importing.approve(begun.import_id, by(BEN))
    assert [hits(house, number) for number in (1, 2, 3)] == [EVERY] * 3
    assert (applied.state, applied.approved_by) == (ImportState.APPLIED, BEN)
    assert applied.version == house.version_of(list_id) == before + 1
    assert house.app.list_watchlists(by(ANNA))[0].active_entries == 3


def test_an_entry_that_was_imported_says_where_it_is_from(house: House):
    list_id = house.new_list().list_id
    applied = imported(house, list_id, rows(1))
    (entry_id,) = listed(house, list_id)
    entry = house.app.get_entry(entry_id, by(ANNA))
    assert entry.provenance is not None
    assert (entry.provenance.import_id, entry.provenance.source, entry.provenance.record_id) == (
        applied.import_id,
        SOURCE,
        "record 1",
    )
    assert entry.provenance.content_sha256 == b"s" * 32
    assert (entry.proposed_by, entry.approval and entry.approval.by) == (ANNA, BEN)
    assert entry.pending_import is None


def test_calls_may_be_repeated_and_come_in_any_order(house: House):
    list_id = house.new_list().list_id
    begun = begin(house, list_id, 6)
    given = rows(6)
    for part, taken_up_to in (
        (given[3:5], 0),
        (given[0:1], 1),
        (given[0:1], 1),
        (given[1:4], 5),
        (given[3:6], 6),
        (given[0:6], 6),
    ):
        kept, errors = house.importing.stage(begun.import_id, part, by(ANNA))
        assert (kept.next_row, errors) == (taken_up_to + 1, [])
    assert diff(finish(house, begun.import_id)) == (6, 0, 0, 0, 0)
    assert len(listed(house, list_id)) == 6


@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 9), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_in_any_pieces_and_order_are_taken_once(house: House, picks: random.Random, sizes: list[int]):
    given = [(row, record, replace(content, templates=())) for row, record, content in rows(12)]
    begun = begin(house, house.new_list().list_id, 12)
    taken: set[int] = set()
    for size in sizes:
        part = picks.sample(given, size)
        kept, errors = house.importing.stage(begun.import_id, part, by(ANNA))
        taken |= {row for row, _, _ in part}
        assert kept.next_row == min(set(range(1, 14)) - taken)
        assert (kept.added, errors) == (len(taken), [])


def test_a_row_that_the_import_has_not_is_refused_with_its_call(house: House):
    begun = begin(house, house.new_list().list_id, 2)
    with pytest.raises(InvalidRequestError, match="got one of number 3, want at most 2"):
        house.importing.stage(begun.import_id, rows(3), by(ANNA))
    assert house.importing.stage(begun.import_id, rows(2), by(ANNA))[0].added == 2


def test_an_import_that_was_broken_off_goes_on_after_a_restart(house: House):
    list_id = house.new_list().list_id
    begun = begin(house, list_id, 4)
    house.importing.stage(begun.import_id, rows(4)[:2], by(ANNA))
    with a_house(house.folder) as again:
        same = replace(begun, base="", next_row=1)
        going_on = again.importing.begin(same, by(ANNA))
        assert (going_on.next_row, going_on.state) == (3, ImportState.STAGING)
        with pytest.raises(ImportIncompleteError, match="up to 2, want all 4"):
            finish(again, begun.import_id)
        again.importing.stage(begun.import_id, rows(4)[2:], by(ANNA))
        finish(again, begun.import_id)
        again.importing.approve(begun.import_id, by(BEN))
        assert [hits(again, number) for number in range(1, 5)] == [EVERY] * 4


@pytest.mark.parametrize(
    "changes",
    [{"source": "another"}, {"content_sha256": b"t" * 32}, {"rows": 2}, {"complete": True}, {"list_id": ""}],
)
def test_an_id_stays_the_import_that_it_was_begun_as(house: House, changes: dict[str, object]):
    begun = begin(house, house.new_list().list_id, 1)
    other_list = house.new_list().list_id
    asked = replace(begun, **({"list_id": other_list} if "list_id" in changes else changes))
    with pytest.raises(ImportExistsError):
        house.importing.begin(asked, by(ANNA))


def test_a_record_that_an_earlier_row_has_is_an_error_of_its_row(house: House):
    begun = begin(house, house.new_list().list_id, 4)
    one, _, three = rows(3)
    again, once_more = (2, "record 1", a_record(9)), (4, "record 3", a_record(8))
    kept, errors = house.importing.stage(begun.import_id, [one, again], by(ANNA))
    assert [(each.row, each.reason, each.field) for each in errors] == [(2, DUPLICATE_RECORD, "record_id")]
    kept, errors = house.importing.stage(begun.import_id, [three, once_more], by(ANNA))
    assert [(each.row, each.reason) for each in errors] == [(4, DUPLICATE_RECORD)]
    assert (kept.added, kept.errors, kept.next_row) == (2, 2, 5)


def a_list_with_errors(house: House) -> tuple[str, Import]:
    list_id = house.new_list().list_id
    begun = begin(house, list_id, 5)
    given: list[Row] = [
        (1, "record 1", a_record(1)),
        (2, "record 2", a_record(2, valid_until=NOW)),
        (3, "record 3", replace(a_record(3), templates=(replace_model(a_record(3)),))),
        (4, "record 4", RowError(4, "NO_FACE", "pictures[0]", "pictures[0]: got no face, want one")),
        (5, "record 5", a_record(5)),
    ]
    kept, errors = house.importing.stage(begun.import_id, given, by(ANNA))
    assert [(each.row, each.reason) for each in errors] == [
        (2, "INVALID_REQUEST"),
        (3, "TEMPLATE_INVALID"),
        (4, "NO_FACE"),
    ]
    return list_id, kept


def replace_model(content: EntryContent):
    (template,) = content.templates
    return replace(template, model=replace(template.model, model_id="unknown"))


def test_rows_in_error_are_told_and_stop_nothing_but_the_whole(house: House):
    list_id, begun = a_list_with_errors(house)
    assert (begun.added, begun.errors, begun.next_row) == (2, 3, 6)
    with pytest.raises(ImportHasErrorsError, match="3 rows"):
        finish(house, begun.import_id)
    with pytest.raises(ImportNotFinishedError):
        house.importing.approve(begun.import_id, by(BEN))
    assert listed(house, list_id) == []
    seen, after = [], 0
    while after is not None:
        _, errors, after = house.importing.get(begun.import_id, after, 2, by(ANNA))
        seen += [(each.row, each.reason, each.field) for each in errors]
    assert seen == [
        (2, "INVALID_REQUEST", "entry.valid_until"),
        (3, "TEMPLATE_INVALID", "entry.templates[0]"),
        (4, "NO_FACE", "pictures[0]"),
    ]
    finished = finish(house, begun.import_id, skip_errors=True)
    assert diff(finished) == (2, 0, 0, 0, 3)
    house.importing.approve(begun.import_id, by(BEN))
    assert [bool(hits(house, number)) for number in range(1, 6)] == [True, False, False, False, True]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_model_has_one_dimension_also_among_rows_that_come_together(house: House, at_once: bool):
    begun = begin(house, house.new_list().list_id, 3)
    short = a_template(1, Model(OTHER_MODEL.model_id, 4))
    given = rows_of([a_record(1, templates=(each,)) for each in (a_template(1, OTHER_MODEL), short, face(3))])
    calls = [given] if at_once else [[row] for row in given]
    errors = [each for call in calls for each in house.importing.stage(begun.import_id, call, by(ANNA))[1]]
    assert [(each.row, each.reason, each.field) for each in errors] == [
        (2, "TEMPLATE_INVALID", "entry.templates[0]")
    ]
    assert "got 4, want 8" in errors[0].message


def test_an_error_never_repeats_what_is_said_of_a_person(house: House):
    _, begun = a_list_with_errors(house)
    _, errors, _ = house.importing.get(begun.import_id, 0, 10, by(ANNA))
    for each in errors:
        assert not any(
            trace in each.message for trace in (a_name(2).primary_identifier, "D0000", "1970", "record 2")
        )


def test_a_dry_run_tells_the_diff_and_changes_nothing(house: House):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(3))
    before, events, entries = house.version_of(list_id), house.events(), listed(house, list_id)
    changed = rows_of([a_record(1), a_record(2, reason_code="R2"), a_record(4)])
    changed[2] = (3, "record 4", a_record(4))
    begun = staged(house, list_id, changed, complete=True)
    dry = finish(house, begun.import_id, dry_run=True)
    assert (diff(dry), dry.state) == ((1, 1, 1, 1, 0), ImportState.STAGING)
    assert (house.version_of(list_id), house.events(), listed(house, list_id)) == (before, events, entries)
    with pytest.raises(ImportNotFinishedError):
        house.importing.approve(begun.import_id, by(BEN))
    assert diff(finish(house, begun.import_id)) == diff(dry)


def test_a_dry_run_tells_errors_too(house: House):
    _, begun = a_list_with_errors(house)
    assert diff(finish(house, begun.import_id, dry_run=True)) == (2, 0, 0, 0, 3)


def test_the_same_file_again_changes_no_entry(house: House):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(5), complete=True)
    before = listed(house, list_id)
    again = imported(house, list_id, rows(5), complete=True)
    assert diff(again) == (0, 0, 5, 0, 0)
    assert listed(house, list_id) == before
    body = house.bodies("watchlist_imported")[-1]
    assert (list(body.added_entry_ids), list(body.removed_entry_ids)) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"reason_code": "R2"},
        {"names": (PersonName("Eriksson", "Anne"),)},
        {"templates": (near(face(1), 0.999, seed=1),)},
        {"pictures": (b"picture",)},
        {"sex": "F"},
        {"nationalities": ("UTO",)},
        {"valid_until": NOW + timedelta(days=366)},
        {"valid_from": NOW},
        {"birth_date": PartialDate(1970, 1, None)},
        {"documents": ()},
        {"source_reference": "case 4712"},
    ],
)
def test_any_change_of_a_record_makes_a_new_entry_in_the_place_of_the_old_one(
    house: House, changes: dict[str, object]
):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(2))
    old, kept = listed(house, list_id)
    again = imported(house, list_id, rows_of([a_record(1, **changes), a_record(2)]))
    assert diff(again) == (0, 1, 1, 0, 0)
    first, new = listed(house, list_id)
    assert first == kept
    assert new not in (old, kept)
    with pytest.raises(EntryNotFoundError):
        house.app.get_entry(old, by(ANNA))
    assert len(hits(house, 1)) <= 3
    body = house.bodies("watchlist_imported")[-1]
    assert (list(body.added_entry_ids), list(body.removed_entry_ids)) == ([new], [old])


def test_a_complete_import_removes_what_its_source_no_longer_has_and_nothing_else(house: House):
    watchlist = house.new_list()
    by_hand = house.add(an_entry(watchlist.list_id, templates=(face(15),)))
    imported(house, watchlist.list_id, rows_of([a_record(14)]), source="Europol")
    imported(house, watchlist.list_id, rows(4))
    elsewhere = house.new_list().list_id
    imported(house, elsewhere, rows(4))
    partly = imported(house, watchlist.list_id, rows(2))
    assert diff(partly) == (0, 0, 2, 0, 0)
    assert len(listed(house, watchlist.list_id)) == 6
    whole = imported(house, watchlist.list_id, rows(2), complete=True)
    assert diff(whole) == (0, 0, 2, 2, 0)
    left = listed(house, watchlist.list_id)
    assert len(left) == 4
    assert by_hand.entry_id in left
    assert hits(house, 14) == EVERY
    assert hits(house, 3) == EVERY  # of the other list
    assert len(listed(house, elsewhere)) == 4
    body = house.bodies("watchlist_imported")[-1]
    assert (len(body.added_entry_ids), len(body.removed_entry_ids)) == (0, 2)


def test_a_complete_import_with_a_row_that_could_be_about_any_record_is_refused(house: House):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(2))
    unread = RowError(2, "ROW_UNREADABLE", "", "a line that can't be read")
    no_id = RowError(2, "INVALID_REQUEST", "record_id", "record_id: got 201 characters, want 1 to 200")
    for record_id, error in (("", unread), ("x" * 201, no_id)):
        begun = staged(house, list_id, [*rows(1), (2, record_id, error)], complete=True)
        with pytest.raises(ImportHasErrorsError, match="which records"):
            finish(house, begun.import_id, skip_errors=True)
    again = staged(house, list_id, [*rows(1), (2, "record 2", unread)], complete=True)
    assert finish(house, again.import_id, skip_errors=True).removed == 0


def test_a_row_in_error_does_not_make_a_complete_import_remove_its_record(house: House):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(2))
    given: list[Row] = [*rows(1), (2, "record 2", RowError(2, "NO_FACE", "pictures[0]", "got no face"))]
    begun = staged(house, list_id, given, complete=True)
    assert diff(finish(house, begun.import_id, skip_errors=True)) == (0, 0, 1, 0, 1)
    house.importing.approve(begun.import_id, by(BEN))
    assert hits(house, 2) == EVERY


@pytest.mark.parametrize("when", ["begun", "staged", "finished"])
def test_an_import_whose_diff_no_longer_holds_is_refused(house: House, when: str):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(3))
    (first, *_) = listed(house, list_id)
    begun = begin(house, list_id, 2)
    if when != "begun":
        house.importing.stage(begun.import_id, rows(2), by(ANNA))
    if when == "finished":
        finish(house, begun.import_id)
    house.app.remove_entry(first, by(ANNA))
    acts = {
        "begun": lambda: house.importing.stage(begun.import_id, rows(2), by(ANNA)),
        "staged": lambda: finish(house, begun.import_id),
        "finished": lambda: house.importing.approve(begun.import_id, by(BEN)),
    }
    with pytest.raises(ImportStaleError):
        acts[when]()
    assert hits(house, 1) == []
    house.importing.cancel(begun.import_id, by(ANNA))
    assert diff(imported(house, list_id, rows(2))) == (1, 0, 1, 0, 0)


def test_a_record_that_was_withdrawn_comes_anew_if_its_source_still_names_it(house: House):
    list_id = house.new_list(retention_days=3650).list_id
    imported(house, list_id, rows(2))
    (first, second) = listed(house, list_id)
    waiting = staged(house, list_id, rows(2))
    house.app.withdraw_entry(first, by(ANNA))
    with pytest.raises(ImportStaleError):
        finish(house, waiting.import_id)
    house.importing.cancel(waiting.import_id, by(ANNA))
    again = staged(house, list_id, rows(2), complete=True)
    assert diff(finish(house, again.import_id)) == (1, 0, 1, 0, 0)
    assert hits(house, 1) == []
    house.importing.approve(again.import_id, by(BEN))
    assert (hits(house, 1), hits(house, 2)) == (EVERY, EVERY)
    assert {first, second} < set(listed(house, list_id))
    assert diff(imported(house, list_id, rows(2))) == (0, 0, 2, 0, 0)


def test_of_two_imports_of_one_source_the_second_is_stale(house: House):
    list_id = house.new_list().list_id
    one, two = staged(house, list_id, rows(2)), staged(house, list_id, rows(2))
    finish(house, one.import_id)
    finish(house, two.import_id)
    house.importing.approve(one.import_id, by(BEN))
    with pytest.raises(ImportStaleError):
        house.importing.approve(two.import_id, by(BEN))
    assert len(listed(house, list_id)) == 2  # the second was dropped, so that nobody takes it for waiting
    kept, _, _ = house.importing.get(two.import_id, 0, 1, by(ANNA))
    assert kept.state is ImportState.CANCELLED
    assert house.bodies("watchlist_imported")[-1].what == "CANCELLED"
    with pytest.raises(ImportNotFinishedError):
        house.importing.approve(two.import_id, by(BEN))


def test_changes_of_other_entries_do_not_make_an_import_stale(house: House):
    list_id = house.new_list().list_id
    begun = staged(house, list_id, rows(2))
    finish(house, begun.import_id)
    mine = house.add(an_entry(list_id, templates=(face(15),)))
    imported(house, list_id, rows_of([a_record(14)]), source="Europol")
    house.app.remove_entry(mine.entry_id, by(ANNA))
    assert house.importing.approve(begun.import_id, by(BEN)).state is ImportState.APPLIED


@pytest.mark.parametrize("is_finished", [False, True])
def test_an_import_that_nobody_goes_on_with_is_dropped_in_the_end(house: House, is_finished: bool):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(1))
    forgotten = staged(house, list_id, rows_of([a_record(n, valid_until=FAR_AWAY) for n in (2, 3)]))
    if is_finished:
        finish(house, forgotten.import_id)
    house.clock.move(ABANDONED)
    fresh = staged(house, list_id, rows(2))
    assert house.importing.drop_abandoned(by(CARL)) == 0
    house.clock.move(timedelta(seconds=1))
    assert house.importing.drop_abandoned(by(CARL)) == 1
    kept = [house.importing.get(each.import_id, 0, 1, by(ANNA))[0] for each in (forgotten, fresh)]
    assert [each.state for each in kept] == [ImportState.CANCELLED, ImportState.STAGING]
    with house.database.read() as connection:
        kept_entries = connection.execute("SELECT count(*) AS count FROM entries").fetchone()["count"]
    assert kept_entries == 2  # what is listed, and the other import's
    told = house.events()[-1]
    assert (told.actor.subject, told.watchlist_imported.what) == (CARL.subject, "CANCELLED")
    assert house.importing.drop_abandoned(by(CARL)) == 0


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_dropped_import_leaves_nothing(house: House, is_finished: bool):
    list_id = house.new_list().list_id
    begun = staged(house, list_id, rows(3))
    if is_finished:
        finish(house, begun.import_id)
    with house.database.read() as connection:
        sealed = [bytes(row["sealed"]) for row in connection.execute("SELECT sealed FROM bodies")]
    assert len(sealed) == 3
    dropped = house.importing.cancel(begun.import_id, by(ANNA))
    assert dropped.state is ImportState.CANCELLED
    with house.database.read() as connection:
        for table in ("entries", "bodies", "templates", "staged_rows", "doomed"):
            row = connection.execute(f"SELECT count(*) AS count FROM {table}").fetchone()  # noqa: S608
            assert (table, row["count"]) == (table, 0)
    data = b"".join(path.read_bytes() for path in house.folder.rglob("*") if path.is_file())
    assert not any(each in data for each in sealed)
    events = house.events()
    assert house.importing.cancel(begun.import_id, by(ANNA)) == dropped
    assert house.events() == events
    assert [each.what for each in house.bodies("watchlist_imported")][-1] == "CANCELLED"
    for act in (
        lambda: house.importing.stage(begun.import_id, rows(1), by(ANNA)),
        lambda: finish(house, begun.import_id),
    ):
        with pytest.raises(ImportClosedError):
            act()
    with pytest.raises(ImportNotFinishedError):
        house.importing.approve(begun.import_id, by(BEN))


def test_an_applied_import_is_closed_and_approving_again_changes_nothing(house: House):
    list_id = house.new_list().list_id
    applied = imported(house, list_id, rows(2))
    events, version = house.events(), house.version_of(list_id)
    assert house.importing.approve(applied.import_id, by(BEN)) == applied
    assert house.importing.approve(applied.import_id, by(ANNA)) == applied
    for act in (
        lambda: house.importing.stage(applied.import_id, rows(1), by(ANNA)),
        lambda: finish(house, applied.import_id),
        lambda: house.importing.cancel(applied.import_id, by(ANNA)),
    ):
        with pytest.raises(ImportClosedError):
            act()
    assert (house.events(), house.version_of(list_id)) == (events, version)


def test_finishing_again_answers_as_before_and_is_no_second_event(house: House):
    begun = staged(house, house.new_list().list_id, rows(2))
    first = finish(house, begun.import_id)
    events = house.events()
    assert finish(house, begun.import_id) == first
    assert house.events() == events


def test_a_finished_import_takes_no_rows(house: House):
    begun = staged(house, house.new_list().list_id, rows(2))
    finish(house, begun.import_id)
    with pytest.raises(ImportClosedError):
        house.importing.stage(begun.import_id, rows(3), by(ANNA))


def test_events_name_every_entry_in_pieces_of_a_thousand_all_of_one_version(house: House):
    list_id = house.new_list().list_id
    count = 2 * MOST_IDS + 1
    small = [a_record(number, templates=()) for number in range(1, count + 1)]
    imported(house, list_id, rows_of(small))
    proposed, *applied = house.bodies("watchlist_imported")
    assert (proposed.what, proposed.version) == ("PROPOSED", 0)
    assert [len(each.added_entry_ids) for each in applied] == [MOST_IDS, MOST_IDS, 1]
    assert {(each.what, each.version) for each in applied} == {("APPLIED", house.version_of(list_id))}
    added = [entry_id for each in applied for entry_id in each.added_entry_ids]
    assert set(added) == set(house.keeper.view.lists[list_id].blocks[0].block.entries.entry_ids)
    assert len(set(added)) == count
    begun = staged(house, list_id, rows_of([a_record(1, templates=())]), complete=True)
    finish(house, begun.import_id)
    house.importing.approve(begun.import_id, by(BEN))
    applied = house.bodies("watchlist_imported")[-2:]
    assert [len(each.removed_entry_ids) for each in applied] == [MOST_IDS, MOST_IDS]
    assert {entry_id for each in applied for entry_id in each.removed_entry_ids} == set(added) - {
        listed(house, list_id)[0]
    }


def test_an_import_of_which_an_entry_was_removed_while_it_waited_is_not_applied_in_part(house: House):
    list_id = house.new_list().list_id
    imported(house, list_id, rows(1))
    before = listed(house, list_id)
    changed = rows_of([a_record(1, reason_code="another"), a_record(2)])
    for which in (0, 1):
        begun = staged(house, list_id, changed)
        finish(house, begun.import_id)
        pending = sorted(set(listed(house, list_id)) - set(before))
        house.app.remove_entry(pending[which], by(ANNA))
        with pytest.raises(ImportStaleError, match="removed while it waited"):
            house.importing.approve(begun.import_id, by(BEN))
        assert listed(house, list_id) == before
    assert hits(house, 1) == EVERY
    assert diff(imported(house, list_id, changed)) == (1, 1, 0, 0, 0)


def test_who_approves_an_import_has_brought_none_of_its_rows(house: House):
    list_id = house.new_list().list_id
    begun = begin(house, list_id, 2)
    house.importing.stage(begun.import_id, rows(1), by(ANNA))
    with pytest.raises(ImportExistsError):
        house.importing.begin(replace(begun, proposed_by=BEN), by(BEN))
    with pytest.raises(NotPermittedError):
        house.importing.stage(begun.import_id, rows(2), by(BEN))
    house.importing.stage(begun.import_id, rows(2), by(ANNA))
    finish(house, begun.import_id)
    with pytest.raises(SecondPersonNeededError):
        house.importing.approve(begun.import_id, by(ANNA))
    house.importing.approve(begun.import_id, by(BEN))


def test_an_entry_that_was_withdrawn_or_has_ended_while_it_waited_is_not_searched(house: House):
    list_id = house.new_list().list_id
    given = rows_of([a_record(1), a_record(2, valid_until=NOW + timedelta(hours=1)), a_record(3)])
    begun = staged(house, list_id, given)
    finish(house, begun.import_id)
    (first, *_) = listed(house, list_id)
    house.app.withdraw_entry(first, by(ANNA))
    house.clock.move(timedelta(hours=1))
    house.importing.approve(begun.import_id, by(BEN))
    assert [bool(hits(house, number)) for number in (1, 2, 3)] == [False, False, True]
    with a_house(house.folder) as again:
        again.clock.move(timedelta(hours=1))
        assert [bool(hits(again, number)) for number in (1, 2, 3)] == [False, False, True]


def test_what_is_not_there_is_not_found(house: House):
    with pytest.raises(WatchlistNotFoundError):
        begin(house, a_list().list_id, 1)
    for act in (
        lambda: house.importing.stage(new_id(), rows(1), by(ANNA)),
        lambda: finish(house, new_id()),
        lambda: house.importing.approve(new_id(), by(BEN)),
        lambda: house.importing.cancel(new_id(), by(BEN)),
        lambda: house.importing.get(new_id(), 0, 1, by(BEN)),
    ):
        with pytest.raises(ImportNotFoundError):
            act()


def test_scopes_limit_imports_to_the_lists_that_they_name(house: House):
    begun = staged(house, house.new_list().list_id, rows(1))
    other = by(BEN, scopes=frozenset({f"list:{house.new_list().list_id}"}))
    for act in (
        lambda: house.importing.begin(replace(begun, import_id=new_id()), other),
        lambda: house.importing.stage(begun.import_id, rows(1), other),
        lambda: house.importing.finish(begun.import_id, other, skip_errors=False, dry_run=False),
        lambda: house.importing.approve(begun.import_id, other),
        lambda: house.importing.cancel(begun.import_id, other),
        lambda: house.importing.get(begun.import_id, 0, 1, other),
    ):
        with pytest.raises(ListNotPermittedError):
            act()
    assert house.bodies("watchlist_imported") == []
