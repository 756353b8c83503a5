"""Suppressions: which pair no longer refers by itself, for how long, and what they leave untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from borderpost.runtime.clock import new_id
from borderpost.watchlist import search as search_room
from borderpost.watchlist import suppressing
from borderpost.watchlist.domain import (
    Candidate,
    EntryContent,
    Import,
    MatchKind,
    SearchQuery,
    Suppression,
    SuppressionState,
)
from borderpost.watchlist.errors import (
    EntryChangedError,
    EntryNotFoundError,
    ListNotPermittedError,
    PairInvalidError,
    SecondPersonNeededError,
    SuppressionExistsError,
    SuppressionNotFoundError,
    TooManySuppressionsError,
)
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.suppressing import NONCE_BYTES, PairSeal
from fakes.watchlist import (
    ANNA,
    CARL,
    DORA,
    NOW,
    OTHER_MODEL,
    House,
    a_house,
    a_quick_house,
    a_template,
    an_entry,
    by,
    candidates,
    near,
)

DOCUMENT = DocumentKey("P", "UTO", "L898902C3")
OTHER_DOCUMENT = DocumentKey("P", "UTO", "M121212D4")
NAME = PersonName("Eriksson", "Anna")
BORN = PartialDate(1970, 3, 12)
HOLDER = near(a_template(1), 0.95, seed=1)
SAME_HOLDER = near(HOLDER, 0.95, seed=2)
OTHER_HOLDER = near(a_template(2), 0.95, seed=3)
"""Like the entry's other template, and so a candidate; not like the holder."""


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


def listed(house: House, list_id: str = "", **changes: object) -> EntryContent:
    """An entry that a traveler is found to be like, by face, document and name."""
    content = an_entry(
        list_id or house.new_list().list_id,
        templates=(a_template(1), a_template(2)),
        names=(NAME,),
        birth_date=BORN,
        documents=(DOCUMENT,),
    )
    return house.add(replace(content, **changes))


def search(house: House, holder=HOLDER, document: DocumentKey | None = DOCUMENT) -> list[Candidate]:
    templates = () if holder is None else (holder,)
    return candidates(house.search(SearchQuery(templates, document, NAME, BORN, crossing="north")))


def pair(house: House, kind: MatchKind = MatchKind.FACE, entry_id: str = "") -> bytes:
    return next(each.pair for each in search(house) if each.kind is kind and entry_id in ("", each.entry_id))


def propose(house: House, sealed: bytes, days: int = 30, caller=CARL) -> Suppression:
    until = house.clock.now() + timedelta(days=days)
    return house.suppressing.propose(new_id(), sealed, "not the person", until, by(caller))


def suppressed(house: House, entry_id: str = "") -> Suppression:
    """A pair suppressed by two people."""
    proposed = propose(house, pair(house, entry_id=entry_id))
    return house.suppressing.confirm(proposed.suppression_id, by(DORA))


def marks(found: list[Candidate]) -> dict[MatchKind, bool]:
    assert found
    return {each.kind: each.suppressed is not None for each in found}


MARKED = {MatchKind.FACE: True, MatchKind.DOCUMENT: False, MatchKind.NAME: True}
NOT_MARKED = dict.fromkeys(MARKED, False)


@pytest.mark.parametrize("kind", [MatchKind.FACE, MatchKind.NAME])
def test_a_pair_that_a_second_person_confirmed_is_marked_by_face_and_name_and_never_by_document(
    house: House, kind: MatchKind
):
    content = listed(house)
    assert marks(search(house)) == NOT_MARKED
    proposed = propose(house, pair(house, kind))
    assert house.suppressing.state(proposed) is SuppressionState.PROPOSED
    assert marks(search(house)) == NOT_MARKED
    with pytest.raises(SecondPersonNeededError):
        house.suppressing.confirm(proposed.suppression_id, by(CARL))
    assert marks(search(house)) == NOT_MARKED
    confirmed = house.suppressing.confirm(proposed.suppression_id, by(DORA))
    assert house.suppressing.state(confirmed) is SuppressionState.ACTIVE
    assert (confirmed.proposed_by, confirmed.confirmed_by) == (CARL, DORA)
    assert marks(search(house)) == MARKED
    (face,) = [each for each in search(house) if each.kind is MatchKind.FACE]
    assert face.suppressed == confirmed
    assert face.entry_id == content.entry_id
    assert house.app.statistics(content.list_id, by(ANNA)).suppressions == 1


def test_a_suppression_holds_for_other_pictures_of_the_same_holder(house: House):
    listed(house)
    suppressed(house)
    assert marks(search(house, SAME_HOLDER)) == MARKED


def test_a_document_candidate_has_no_pair_to_suppress(house: House):
    listed(house)
    assert pair(house, MatchKind.DOCUMENT) == b""
    with pytest.raises(PairInvalidError):
        propose(house, b"")


def test_without_document_or_face_there_is_no_pair(house: House):
    listed(house)
    assert {each.pair for each in search(house, document=None)} == {b""}
    assert {each.pair for each in search(house, holder=None)} == {b""}


def test_another_person_with_the_same_document_is_not_let_pass(house: House):
    listed(house)
    suppressed(house)
    assert marks(search(house, OTHER_HOLDER)) == NOT_MARKED


def test_the_portrait_of_the_document_does_not_let_another_bearer_pass(house: House):
    listed(house)
    suppressed(house)
    both = candidates(
        house.search(SearchQuery((HOLDER, OTHER_HOLDER), DOCUMENT, NAME, BORN, crossing="north"))
    )
    assert marks(both) == NOT_MARKED


def test_the_same_person_with_another_document_or_none_is_not_marked(house: House):
    listed(house)
    suppressed(house)
    for document in (OTHER_DOCUMENT, None):
        assert not any(marks(search(house, document=document)).values())


def test_a_traveler_without_a_face_is_not_marked(house: House):
    listed(house)
    suppressed(house)
    assert not any(marks(search(house, holder=None)).values())


def test_other_entries_that_the_same_holder_is_like_are_not_marked(house: House):
    watchlist = house.new_list()
    first, second = listed(house, watchlist.list_id), listed(house, watchlist.list_id)
    elsewhere = listed(house)
    suppressed(house, first.entry_id)
    marked = {each.entry_id for each in search(house) if each.suppressed is not None}
    assert marked == {first.entry_id}
    assert {each.entry_id for each in search(house)} == {
        first.entry_id,
        second.entry_id,
        elsewhere.entry_id,
    }


def test_a_suppression_ends_by_itself_at_its_time(house: House):
    listed(house)
    kept = suppressed(house)
    house.clock.move(timedelta(days=30) - timedelta(microseconds=1))
    assert marks(search(house)) == MARKED
    house.clock.move(timedelta(microseconds=1))
    assert marks(search(house)) == NOT_MARKED
    assert house.suppressing.state(kept) is SuppressionState.EXPIRED


def test_a_revoked_suppression_ends_at_once_and_revoking_again_changes_nothing(house: House):
    listed(house)
    kept = suppressed(house)
    revoked = house.suppressing.revoke(kept.suppression_id, by(ANNA))
    assert marks(search(house)) == NOT_MARKED
    assert house.suppressing.state(revoked) is SuppressionState.REVOKED
    before = house.events()
    assert house.suppressing.revoke(kept.suppression_id, by(DORA)) == revoked
    assert house.suppressing.confirm(kept.suppression_id, by(DORA)) == revoked
    assert house.events() == before


def test_a_proposed_suppression_that_was_revoked_can_not_be_confirmed(house: House):
    listed(house)
    proposed = propose(house, pair(house))
    house.suppressing.revoke(proposed.suppression_id, by(CARL))
    assert house.suppressing.confirm(proposed.suppression_id, by(DORA)).confirmed_by is None
    assert marks(search(house)) == NOT_MARKED


def test_new_templates_of_the_entry_end_a_suppression_and_an_older_pair(house: House):
    content = listed(house)
    sealed = pair(house)
    kept = suppressed(house)
    house.app.add_templates(content.entry_id, (a_template(1, OTHER_MODEL),), by(ANNA))
    assert marks(search(house)) == NOT_MARKED
    assert house.suppressing.state(kept) is SuppressionState.OUTDATED
    with pytest.raises(EntryChangedError):
        propose(house, sealed)
    suppressed(house)
    assert marks(search(house)) == MARKED


def test_removing_the_entry_removes_its_suppressions(house: House):
    content = listed(house)
    sealed = pair(house)
    kept = suppressed(house)
    house.app.remove_entry(content.entry_id, by(ANNA))
    assert house.suppressing.listed(content.list_id, None, None, 10, by(ANNA)) == ([], None)
    for act in (house.suppressing.confirm, house.suppressing.revoke):
        with pytest.raises(SuppressionNotFoundError):
            act(kept.suppression_id, by(DORA))
    with pytest.raises(EntryNotFoundError):
        propose(house, sealed)
    listed(house, content.list_id)
    assert marks(search(house)) == NOT_MARKED


def test_on_a_list_that_asks_for_one_person_one_is_enough(house: House):
    listed(house, house.new_list(suppression_people=1).list_id)
    kept = propose(house, pair(house))
    assert house.suppressing.state(kept) is SuppressionState.ACTIVE
    assert marks(search(house)) == MARKED


def test_a_pair_is_taken_only_as_a_search_here_made_it(house: House, tmp_path: Path):
    content = listed(house)
    sealed = pair(house)
    with a_house(tmp_path / "other") as other:
        listed(other)
        foreign = pair(other)
    forged = PairSeal(b"0" * 32).seal(
        house.pairs.open(sealed),  # type: ignore[arg-type]  # it has what is asked of it
        SearchQuery((HOLDER,), DOCUMENT, crossing="north"),
    )
    spoilt = [
        sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        for place in (0, 20, len(sealed) - 1)
    ]
    cut = [sealed[:size] for size in (0, 1, NONCE_BYTES, NONCE_BYTES + 16, len(sealed) - 1)]
    for bad in (foreign, forged, *spoilt, *cut, sealed + b"\0", b"x" * len(sealed)):
        with pytest.raises(PairInvalidError):
            propose(house, bad)
    assert house.suppressing.listed(content.list_id, None, None, 10, by(ANNA)) == ([], None)
    assert house.bodies("watchlist_suppression_changed") == []


def test_a_pair_says_nothing_in_clear(house: House):
    content = listed(house)
    sealed = pair(house)
    for trace in (DOCUMENT.number.encode(), content.entry_id.encode(), HOLDER.values[:16]):
        assert trace not in sealed


def test_the_same_suppression_again_answers_as_before_and_other_content_is_refused(house: House):
    listed(house)
    sealed, suppression_id, until = pair(house), new_id(), NOW + timedelta(days=30)

    def ask(reason: str = "not the person", until=until, caller=CARL) -> Suppression:
        return house.suppressing.propose(suppression_id, sealed, reason, until, by(caller))

    first = ask()
    before = house.events()
    assert ask() == first
    house.suppressing.confirm(suppression_id, by(DORA))
    assert ask().confirmed_by == DORA
    for other in ({"reason": "another"}, {"until": until + timedelta(days=1)}, {"caller": DORA}):
        with pytest.raises(SuppressionExistsError):
            ask(**other)
    assert len(house.events()) == len(before) + 1


def test_a_pair_has_one_suppression_at_a_time(house: House):
    listed(house)
    sealed = pair(house)
    proposed = propose(house, sealed)
    with pytest.raises(SuppressionExistsError, match=proposed.suppression_id):
        propose(house, pair(house))
    house.suppressing.confirm(proposed.suppression_id, by(DORA))
    with pytest.raises(SuppressionExistsError, match=proposed.suppression_id):
        propose(house, sealed)
    other = next(each.pair for each in search(house, document=OTHER_DOCUMENT) if each.pair)
    propose(house, other)
    house.suppressing.revoke(proposed.suppression_id, by(DORA))
    assert marks(search(house)) == NOT_MARKED
    suppressed(house)
    house.clock.move(timedelta(days=30))
    suppressed(house)
    assert marks(search(house)) == MARKED


def test_a_list_has_so_many_suppressions_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suppressing, "MOST_SUPPRESSIONS", 2)
    list_id = house.new_list().list_id
    entries = [listed(house, list_id) for _ in range(3)]
    sealed = [pair(house, entry_id=each.entry_id) for each in entries]
    first, _ = (propose(house, each) for each in sealed[:2])
    with pytest.raises(TooManySuppressionsError, match="the 2 that one may have"):
        propose(house, sealed[2])
    house.suppressing.revoke(first.suppression_id, by(CARL))
    propose(house, sealed[2])


def test_a_suppression_holds_through_changes_of_other_entries(house: House):
    content = listed(house)
    suppressed(house)
    house.add(an_entry(content.list_id, documents=(OTHER_DOCUMENT,)))
    other = house.add(an_entry(content.list_id, documents=(OTHER_DOCUMENT,)))
    house.app.remove_entry(other.entry_id, by(ANNA))
    assert marks(search(house)) == MARKED


def test_every_step_is_an_event_with_the_version_from_which_it_holds(house: House):
    content = listed(house)
    kept = suppressed(house)
    house.suppressing.revoke(kept.suppression_id, by(ANNA, "complaint 12"))
    made = house.bodies("watchlist_suppression_changed")
    assert [each.what for each in made] == ["PROPOSED", "CONFIRMED", "REVOKED"]
    assert {(each.list_id, each.entry_id, each.suppression_id) for each in made} == {
        (content.list_id, content.entry_id, kept.suppression_id)
    }
    assert [each.version for each in made] == [4, 5, 6]
    last = house.events()[-1]
    assert (last.purpose, last.actor.subject) == ("complaint 12", ANNA.subject)


def test_suppressions_are_listed_newest_first_in_pages_and_by_entry(house: House):
    watchlist = house.new_list()
    entries = [listed(house, watchlist.list_id) for _ in range(2)]
    made = []
    for i in range(5):
        made.append(propose(house, pair(house, entry_id=entries[i % 2].entry_id)).suppression_id)
        house.suppressing.revoke(made[-1], by(CARL))
    seen, before = [], None
    while True:
        page, before = house.suppressing.listed(watchlist.list_id, None, before, 2, by(ANNA))
        seen += [each.suppression_id for each in page]
        if before is None:
            break
    assert seen == made[::-1]
    own, _ = house.suppressing.listed(watchlist.list_id, entries[1].entry_id, None, 10, by(ANNA))
    assert [each.suppression_id for each in own] == [made[3], made[1]]


def test_suppressions_outlive_a_restart(house: House):
    listed(house)
    suppressed(house)
    with a_house(house.folder) as again:
        assert marks(search(again)) == MARKED
        assert search(again)[0].suppressed == search(house)[0].suppressed


def test_scopes_limit_suppressing_to_the_lists_that_they_name(house: House):
    content = listed(house)
    scopes = frozenset({f"list:{house.new_list().list_id}"})
    kept = propose(house, pair(house))
    for act in (
        lambda: house.suppressing.propose(
            new_id(), pair(house), "not the person", NOW + timedelta(days=1), by(CARL, scopes=scopes)
        ),
        lambda: house.suppressing.confirm(kept.suppression_id, by(DORA, scopes=scopes)),
        lambda: house.suppressing.revoke(kept.suppression_id, by(DORA, scopes=scopes)),
        lambda: house.suppressing.listed(content.list_id, None, None, 10, by(DORA, scopes=scopes)),
    ):
        with pytest.raises(ListNotPermittedError):
            act()
    assert len(house.bodies("watchlist_suppression_changed")) == 1


def imported(house: House, list_id: str, content: EntryContent) -> str:
    """The id of the entry that an import of one record made."""
    asked = Import(new_id(), list_id, "Interpol", b"s" * 32, False, 1, ANNA)
    begun = house.importing.begin(asked, by(ANNA))
    house.importing.stage(begun.import_id, [(1, "record 1", content)], by(ANNA))
    house.importing.finish(begun.import_id, by(ANNA), skip_errors=False, dry_run=False)
    house.importing.approve(begun.import_id, by(DORA))
    return house.app.list_entries(list_id, 0, 1, by(ANNA)).entries[0].content.entry_id


def test_an_import_that_changes_an_entry_but_not_its_face_leaves_its_suppression_in_force(house: House):
    list_id = house.new_list().list_id
    record = an_entry("", entry_id="", templates=(a_template(1),), names=(NAME,), birth_date=BORN)
    first = imported(house, list_id, record)
    kept = suppressed(house)
    second = imported(house, list_id, replace(record, source_reference="case 4712"))
    assert second != first
    assert marks(search(house)) == {MatchKind.FACE: True, MatchKind.NAME: True}
    ((listed_now,), _) = house.suppressing.listed(list_id, second, None, 10, by(CARL))
    assert listed_now == replace(kept, entry_id=second)
    assert house.bodies("watchlist_suppression_changed")[-1].what == "MOVED"
    imported(house, list_id, replace(record, templates=(near(a_template(1), 0.99, seed=9),)))
    assert marks(search(house)) == {MatchKind.FACE: False, MatchKind.NAME: False}


def test_the_holders_face_is_kept_no_longer_than_the_suppression_is_in_force(house: House):
    listed(house)
    revoked = suppressed(house)
    house.suppressing.revoke(revoked.suppression_id, by(CARL))
    expired = suppressed(house)
    assert house.suppressing.end_expired(by(ANNA)) == 0
    house.clock.move(timedelta(days=30))
    assert house.suppressing.end_expired(by(ANNA)) == 1
    assert house.suppressing.end_expired(by(ANNA)) == 0
    with house.store.read() as reading:
        for suppression_id in (revoked.suppression_id, expired.suppression_id):
            kept = reading.suppression(suppression_id)
            assert kept is not None
            assert kept.holder == ()
    assert [body.what for body in house.bodies("watchlist_suppression_changed")][-1] == "ENDED"


def test_only_a_search_with_a_traveler_before_it_gives_pairs_to_suppress(house: House):
    listed(house)
    query = SearchQuery((HOLDER,), DOCUMENT, NAME, BORN)
    assert all(not each.pair for each in candidates(house.search(query)))
    assert any(each.pair for each in candidates(house.search(replace(query, crossing="north"))))


def test_where_bearer_and_document_are_not_one_person_there_is_no_pair(house: House):
    listed(house)
    both = SearchQuery((HOLDER, OTHER_HOLDER), DOCUMENT, NAME, BORN, crossing="north")
    assert all(not each.pair for each in candidates(house.search(both)))
    same = SearchQuery((HOLDER, SAME_HOLDER), DOCUMENT, NAME, BORN, crossing="north")
    assert any(each.pair for each in candidates(house.search(same)))


def test_a_list_that_comes_to_ask_for_two_people_asks_it_of_what_one_did_before(house: House):
    watchlist = house.new_list(suppression_people=1)
    listed(house, watchlist.list_id)
    kept = propose(house, pair(house))
    assert marks(search(house)) == MARKED
    house.app.change_watchlist(replace(watchlist, suppression_people=2), by(ANNA))
    assert marks(search(house)) == NOT_MARKED
    assert house.suppressing.state(kept) is SuppressionState.PROPOSED
    house.suppressing.confirm(kept.suppression_id, by(DORA))
    assert marks(search(house)) == MARKED


def test_suppressed_candidates_do_not_take_the_place_of_others(house: House, monkeypatch: pytest.MonkeyPatch):
    content = listed(house)
    suppressed(house)
    other = house.add(an_entry(content.list_id, templates=(near(HOLDER, 0.94, seed=5),)))
    monkeypatch.setattr(search_room, "MOST_CANDIDATES", 1)
    faces = [each for each in search(house) if each.kind is MatchKind.FACE]
    assert [each.entry_id for each in faces] == [other.entry_id]
