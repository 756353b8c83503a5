"""What the clock and the caller's rights decide: what is searched, where, by whom, and what goes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError
from borderpost.watchlist.app import SWEEP
from borderpost.watchlist.domain import EntryContent, EntryState, Import, MatchKind, SearchQuery
from borderpost.watchlist.errors import (
    EntryNotFoundError,
    EntryWithdrawnError,
    ListNotPermittedError,
    WatchlistExistsError,
    WatchlistNotFoundError,
)
from borderpost.watchlist.persons import DocumentKey
from fakes.watchlist import (
    ANNA,
    BEN,
    MODEL,
    NOW,
    OTHER_MODEL,
    House,
    a_list,
    a_quick_house,
    a_template,
    an_entry,
    by,
    found,
)

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
ASK = SearchQuery((a_template(1),))


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


def listed(house: House, list_id: str, **changes: object) -> EntryContent:
    return house.add(an_entry(list_id, templates=(a_template(1),), **changes))


def is_there(house: House, content: EntryContent) -> bool:
    try:
        house.app.get_entry(content.entry_id, by(ANNA))
    except EntryNotFoundError:
        return False
    return True


def sweep(house: House) -> int:
    return house.app.remove_ended(by(ANNA))


# Retention


def test_an_entry_goes_by_itself_once_its_lists_retention_has_passed_since_its_end(house: House):
    list_id = house.new_list(retention_days=3).list_id
    content = listed(house, list_id, valid_until=NOW + DAY)
    house.clock.move(DAY)
    assert found(house.search(ASK)) == []
    house.clock.move(3 * DAY - MOMENT)
    assert sweep(house) == 0
    assert is_there(house, content)
    house.clock.move(MOMENT)
    assert sweep(house) == 1
    assert not is_there(house, content)
    assert sweep(house) == 0


def test_a_withdrawn_entry_is_searched_no_longer_and_goes_after_the_retention(house: House):
    list_id = house.new_list(retention_days=3).list_id
    content = listed(house, list_id)
    entry, version = house.app.withdraw_entry(content.entry_id, by(BEN, "mistaken"))
    assert entry.state(NOW) is EntryState.WITHDRAWN
    assert (found(house.search(ASK)), house.version_of(list_id)) == ([], version)
    event = house.bodies("watchlist_entry_changed")[-1]
    assert (event.what, event.entry_id, event.version) == ("WITHDRAWN", content.entry_id, version)
    events = house.events()
    assert house.app.withdraw_entry(content.entry_id, by(ANNA)) == (entry, version)
    assert house.events() == events
    house.clock.move(3 * DAY - MOMENT)
    assert sweep(house) == 0
    house.clock.move(MOMENT)
    assert sweep(house) == 1
    assert not is_there(house, content)


def test_an_entry_that_was_withdrawn_can_not_be_approved(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, by(ANNA))
    house.app.withdraw_entry(content.entry_id, by(ANNA))
    with pytest.raises(EntryWithdrawnError):
        house.app.approve_entry(content.entry_id, by(BEN))


def test_a_withdrawal_after_the_end_does_not_keep_an_entry_longer(house: House):
    list_id = house.new_list(retention_days=3).list_id
    content = listed(house, list_id, valid_until=NOW + DAY)
    house.clock.move(2 * DAY)
    house.app.withdraw_entry(content.entry_id, by(ANNA))
    house.clock.move(2 * DAY)
    assert sweep(house) == 1


def test_what_nobody_approved_goes_too(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),), valid_until=NOW + DAY)
    house.app.propose_entry(content, by(ANNA))
    house.clock.move(DAY)
    assert sweep(house) == 1
    assert not is_there(house, content)


def test_a_longer_retention_keeps_what_has_not_gone_yet_and_a_shorter_lets_it_go(house: House):
    watchlist = house.new_list(retention_days=3)
    content = listed(house, watchlist.list_id, valid_until=NOW + DAY)
    house.app.change_watchlist(replace(watchlist, retention_days=10), by(ANNA))
    house.clock.move(4 * DAY)
    assert sweep(house) == 0
    house.app.change_watchlist(replace(watchlist, retention_days=0), by(ANNA))
    assert sweep(house) == 1
    assert not is_there(house, content)


def test_each_removal_is_an_event_that_says_why_and_the_lists_get_one_version_each(house: House):
    lists = [house.new_list().list_id for _ in range(2)]
    contents = [listed(house, lists[i % 2], valid_until=NOW + DAY) for i in range(4)]
    versions = [house.version_of(list_id) for list_id in lists]
    house.clock.move(DAY)
    assert sweep(house) == 4
    assert [house.version_of(list_id) for list_id in lists] == [version + 1 for version in versions]
    made = house.bodies("watchlist_entry_removed")
    assert {each.cause for each in made} == {"RETENTION"}
    assert {(each.list_id, each.entry_id, each.version) for each in made} == {
        (content.list_id, content.entry_id, house.version_of(content.list_id)) for content in contents
    }


def test_a_sweep_of_very_many_takes_some_hundreds_at_a_time(house: House):
    list_id = house.new_list().list_id
    count = SWEEP + 1
    asked = Import(new_id(), list_id, "x", b"x" * 32, False, count, ANNA)
    begun = house.importing.begin(asked, by(ANNA))
    documents = [(DocumentKey("P", "UTO", f"D{number:06}"),) for number in range(count)]
    contents = [an_entry("", entry_id="", documents=each, valid_until=NOW + DAY) for each in documents]
    rows = [(row, f"record {row}", content) for row, content in enumerate(contents, 1)]
    house.importing.stage(begun.import_id, rows, by(ANNA))
    house.importing.finish(begun.import_id, by(ANNA), skip_errors=False, dry_run=False)
    house.importing.approve(begun.import_id, by(BEN))
    house.clock.move(DAY)
    assert [sweep(house), sweep(house), sweep(house)] == [SWEEP, 1, 0]
    assert house.keeper.view.lists[list_id].entries_searched(0) == 0


# What is searched when and where


def test_a_list_is_searched_within_its_own_validity_only(house: House):
    watchlist = house.new_list(valid_from=NOW + DAY, valid_until=NOW + 2 * DAY)
    content = listed(house, watchlist.list_id)
    seen = []
    for _ in range(3):
        answer = house.search(ASK)
        seen.append((len(answer.results), found(answer)))
        house.clock.move(DAY)
    assert seen == [(0, []), (1, [(content.entry_id, MatchKind.FACE)]), (0, [])]


def test_a_kiosk_searches_the_lists_of_its_crossing_and_a_person_all(house: House):
    north, everywhere, south = (
        house.new_list(crossings=crossings, priority=place).list_id
        for place, crossings in enumerate((("north", "harbour"), (), ("south",)), 1)
    )
    for crossing, lists in (
        ("north", [north, everywhere]),
        ("harbour", [north, everywhere]),
        ("south", [everywhere, south]),
        ("west", [everywhere]),
        ("nor", [everywhere]),
        (None, [north, everywhere, south]),
    ):
        answer = house.search(replace(ASK, crossing=crossing))
        assert [result.state.watchlist.list_id for result in answer.results] == lists


def test_a_search_of_named_lists_searches_no_others_and_none_that_is_closed_to_it(house: House):
    north, south = (house.new_list(crossings=(crossing,)).list_id for crossing in ("north", "south"))
    query = replace(ASK, list_ids=frozenset({north, south, new_id()}), crossing="north")
    assert [each.state.watchlist.list_id for each in house.search(query).results] == [north]
    assert house.search(replace(query, list_ids=frozenset({new_id()}))).results == ()


def test_scopes_that_name_lists_open_those_and_other_scopes_limit_nothing(house: House):
    mine, theirs = house.new_list(priority=1).list_id, house.new_list(priority=2).list_id
    for scopes, lists in (
        ((), [mine, theirs]),
        ((f"list:{mine}",), [mine]),
        ((f"list:{mine}", f"list:{theirs}"), [mine, theirs]),
        ((f"list:{new_id()}",), []),
        (("list:",), []),
        (("crossing:north",), [mine, theirs]),
    ):
        answer = house.search(replace(ASK, scopes=frozenset(scopes)))
        assert [result.state.watchlist.list_id for result in answer.results] == lists


def test_scopes_limit_every_use_case_of_lists_and_entries(house: House):
    watchlist = house.new_list()
    content = listed(house, watchlist.list_id)
    proposed = an_entry(watchlist.list_id, templates=(a_template(2),))
    house.app.propose_entry(proposed, by(ANNA))
    other = by(BEN, "why", frozenset({f"list:{house.new_list().list_id}"}))
    before = house.events()
    for act in (
        lambda: house.app.create_watchlist(a_list(), other),
        lambda: house.app.change_watchlist(replace(watchlist, priority=1), other),
        lambda: house.app.statistics(watchlist.list_id, other),
        lambda: house.app.propose_entry(an_entry(watchlist.list_id, templates=(a_template(3),)), other),
        lambda: house.app.propose_entry(content, other),
        lambda: house.app.approve_entry(proposed.entry_id, other),
        lambda: house.app.withdraw_entry(content.entry_id, other),
        lambda: house.app.remove_entry(content.entry_id, other),
        lambda: house.app.add_templates(content.entry_id, (a_template(1, OTHER_MODEL),), other),
        lambda: house.app.get_entry(content.entry_id, other),
        lambda: house.app.pictures(content.entry_id, other),
        lambda: house.app.list_entries(watchlist.list_id, 0, 10, other),
        lambda: house.app.without_model(watchlist.list_id, MODEL.model_id, 0, 10, other),
    ):
        with pytest.raises(ListNotPermittedError):
            act()
    assert house.events() == before
    assert [each.state.watchlist.list_id for each in house.app.list_watchlists(other)] != [watchlist.list_id]
    assert len(house.app.list_watchlists(other)) == 1


def test_a_search_by_a_person_needs_a_purpose_and_is_an_event(house: House):
    content = listed(house, house.new_list().list_id)
    answer = house.search(ASK)
    with pytest.raises(PurposeMissingError):
        house.app.note_search(answer, by(ANNA, "  "))
    house.app.note_search(answer, by(ANNA, "case 4711"))
    (event,) = house.bodies("watchlist_searched")
    assert (list(event.list_ids), event.candidates, event.version) == ([content.list_id], 1, answer.version)
    assert house.events()[-1].purpose == "case 4711"


# Changes of lists and of templates


def test_a_changed_target_is_the_threshold_of_the_next_search_and_an_event(house: House):
    watchlist = house.new_list(target_fpir=0.1)
    listed(house, watchlist.list_id)
    before = house.search(ASK).results[0].threshold
    state = house.app.change_watchlist(replace(watchlist, target_fpir=0.001), by(ANNA, "order 3"))
    answer = house.search(ASK)
    assert answer.results[0].threshold.score > before.score
    assert answer.results[0].state == state
    event = house.bodies("watchlist_changed")[-1]
    assert (event.what, event.version, house.events()[-1].purpose) == (
        "DESCRIPTION",
        state.version,
        "order 3",
    )
    events = house.events()
    assert house.app.change_watchlist(replace(watchlist, target_fpir=0.001), by(ANNA)) == state
    assert house.events() == events


def test_a_list_stays_its_authoritys_and_keeps_a_name_of_its_own(house: House):
    watchlist, other = house.new_list(name="A"), house.new_list(name="B")
    with pytest.raises(InvalidRequestError, match="authority"):
        house.app.change_watchlist(replace(watchlist, authority="Another"), by(ANNA))
    with pytest.raises(WatchlistExistsError, match="name"):
        house.app.change_watchlist(replace(watchlist, name=other.name), by(ANNA))
    with pytest.raises(WatchlistNotFoundError):
        house.app.change_watchlist(a_list(), by(ANNA))


def test_templates_of_another_model_are_added_once_and_searched_at_once(house: House):
    content = listed(house, house.new_list().list_id)
    query = SearchQuery((a_template(1, OTHER_MODEL),))
    assert found(house.search(query)) == []
    waiting = house.app.without_model(content.list_id, OTHER_MODEL.model_id, 0, 10, by(ANNA))
    assert [each.content for each in waiting.entries] == [content]
    entry, version = house.app.add_templates(content.entry_id, (a_template(1, OTHER_MODEL),), by(ANNA))
    assert entry.template_count == 2
    answer = house.search(query)
    assert found(answer) == [(content.entry_id, MatchKind.FACE)]
    assert answer.results[0].state.version == version
    assert found(house.search(ASK)) == [(content.entry_id, MatchKind.FACE)]
    events = house.events()
    again = house.app.add_templates(content.entry_id, (a_template(9, OTHER_MODEL),), by(ANNA))
    assert (again[0].template_count, again[1], house.events()) == (2, version, events)
    assert house.app.without_model(content.list_id, OTHER_MODEL.model_id, 0, 10, by(ANNA)).entries == ()
