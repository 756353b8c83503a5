"""The use cases of the watchlist service over a real database and a real index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from borderpost.runtime.calibration import CalibrationError
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.errors import InvalidRequestError, TemplateInvalidError
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.adapters.sql_keys import key_id
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.domain import (
    Approval,
    EntryContent,
    EntryState,
    MatchKind,
    SearchAnswer,
    SearchQuery,
)
from borderpost.watchlist.errors import (
    EntryExistsError,
    EntryExpiredError,
    EntryNotFoundError,
    EntryWithdrawnError,
    SecondPersonNeededError,
    TooManyListsError,
    VersionNotReachedError,
    WatchlistExistsError,
    WatchlistNotFoundError,
)
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.ports import NewEntry
from borderpost.watchlist.search import MOST_CANDIDATES
from borderpost.watchlist.templates import Model
from fakes.watchlist import (
    ANNA,
    BEN,
    CALIBRATION,
    MODEL,
    NOW,
    OTHER_MODEL,
    FailingIndex,
    House,
    a_house,
    a_list,
    a_quick_house,
    a_template,
    an_entry,
    by,
    found,
    near,
)


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house() as house:
        yield house


def test_a_proposed_entry_is_searched_only_after_another_actor_approved_it(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    query = SearchQuery(templates=(near(a_template(1), 0.95, seed=2),))
    proposed = house.app.propose_entry(content, by(ANNA))
    assert proposed.state(NOW) is EntryState.PROPOSED
    assert found(house.search(query)) == []
    with pytest.raises(SecondPersonNeededError):
        house.app.approve_entry(content.entry_id, by(ANNA))
    assert found(house.search(query)) == []
    approved = house.app.approve_entry(content.entry_id, by(BEN))
    assert approved.state(NOW) is EntryState.ACTIVE
    assert found(house.search(query)) == [(content.entry_id, MatchKind.FACE)]


@pytest.mark.parametrize("approver", [replace(ANNA, issuer="another"), replace(ANNA, subject="another")])
def test_an_actor_is_another_if_issuer_or_subject_differ(house: House, approver: Actor):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, by(ANNA))
    assert house.app.approve_entry(content.entry_id, by(approver)).state(NOW) is EntryState.ACTIVE


def test_approving_again_changes_nothing(house: House):
    content = house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    before, version = house.events(), house.search(SearchQuery(templates=(a_template(1),))).version
    again = house.app.approve_entry(content.entry_id, by(ANNA))
    assert again.approval is not None
    assert (again.approval.by, again.approval.version) == (BEN, 3)
    assert house.events() == before
    assert house.search(SearchQuery(templates=(a_template(1),))).version == version


def test_the_same_list_again_answers_as_before_and_other_content_is_refused(house: House):
    watchlist = a_list()
    first = house.app.create_watchlist(watchlist, by(ANNA))
    assert house.app.create_watchlist(watchlist, by(BEN)) == first
    with pytest.raises(WatchlistExistsError):
        house.app.create_watchlist(replace(watchlist, priority=3), by(ANNA))
    assert len(house.events()) == 1


def test_the_same_entry_again_answers_as_before_and_other_content_is_refused(house: House):
    content = an_entry(
        house.new_list().list_id,
        templates=(a_template(1), a_template(2, OTHER_MODEL)),
        names=(PersonName("Müller", "Jörg"),),
        birth_date=PartialDate(1970, None, 3),
        documents=(DocumentKey("P", "UTO", "L898902C3"),),
        valid_from=NOW + timedelta(microseconds=1),
    )
    first = house.app.propose_entry(content, by(ANNA))
    assert house.app.propose_entry(content, by(BEN)) == first
    for other in (
        replace(content, templates=(a_template(3), a_template(2, OTHER_MODEL))),
        replace(content, names=(PersonName("Müller", "Jorg"),)),
        replace(content, valid_from=None),
    ):
        with pytest.raises(EntryExistsError):
            house.app.propose_entry(other, by(ANNA))
    assert len(house.events()) == 2


def test_an_entry_proposed_again_after_its_end_answers_as_before(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, by(ANNA))
    house.clock.move(timedelta(days=366))
    assert house.app.propose_entry(content, by(ANNA)).state(house.clock.time) is EntryState.EXPIRED


def test_an_entry_needs_a_list_a_validity_to_come_and_a_model_that_is_known(house: House):
    list_id = house.new_list().list_id
    with pytest.raises(WatchlistNotFoundError):
        house.app.propose_entry(an_entry(a_list().list_id), by(ANNA))
    with pytest.raises(InvalidRequestError, match="valid_until"):
        house.app.propose_entry(an_entry(list_id, valid_until=NOW), by(ANNA))
    with pytest.raises(TemplateInvalidError, match="without a calibration"):
        house.app.propose_entry(an_entry(list_id, templates=(a_template(1, Model("unknown", 4)),)), by(ANNA))
    house.add(an_entry(list_id, templates=(a_template(1),)))
    wrong_size = a_template(1, Model(MODEL.model_id, MODEL.dimension + 1))
    with pytest.raises(TemplateInvalidError, match="got 17, want 16"):
        house.app.propose_entry(an_entry(list_id, templates=(wrong_size,)), by(ANNA))
    assert len(house.events()) == 3


def test_an_entry_is_searched_within_its_validity_only(house: House):
    watchlist = house.new_list()
    content = an_entry(
        watchlist.list_id,
        templates=(a_template(1),),
        names=(PersonName("Eriksson", "Anna"),),
        documents=(DocumentKey("P", "UTO", "L898902C3"),),
        valid_from=NOW + timedelta(hours=1),
        valid_until=NOW + timedelta(hours=2),
    )
    house.add(content)
    query = SearchQuery(
        templates=(a_template(1),),
        document=DocumentKey("P", "UTO", "L898902C3"),
        name=PersonName("ERIKSSON", "ANNA"),
    )
    hits = []
    for _ in range(3):
        answer = house.search(query)
        hits.append([kind for _, kind in found(answer)])
        (result,) = answer.results
        assert result.threshold is not None
        assert (result.entries_searched, result.threshold.templates) == ((1, 1) if hits[-1] else (0, 0))
        assert house.app.list_watchlists(by(ANNA))[0].active_entries == result.entries_searched
        house.clock.move(timedelta(hours=1))
    assert hits == [[], [MatchKind.FACE, MatchKind.DOCUMENT, MatchKind.NAME], []]
    assert house.app.get_entry(content.entry_id, by(ANNA)).state(house.clock.time) is EntryState.EXPIRED


def test_an_entry_that_expired_before_approval_can_not_be_approved(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, by(ANNA))
    house.clock.move(timedelta(days=366))
    with pytest.raises(EntryExpiredError):
        house.app.approve_entry(content.entry_id, by(BEN))


def test_an_entry_is_scored_by_its_best_pair_and_named_once(house: House):
    watchlist = house.new_list()
    content = house.add(an_entry(watchlist.list_id, templates=(a_template(1), a_template(2))))
    answer = house.search(
        SearchQuery(templates=(near(a_template(1), 0.92, seed=5), near(a_template(2), 0.97, seed=6)))
    )
    (candidate,) = answer.results[0].candidates
    assert candidate.entry_id == content.entry_id
    assert candidate.face is not None
    assert candidate.face.value == pytest.approx(0.97, abs=1e-6)
    assert candidate.face.template_index == 1
    assert candidate.face.fmr == CALIBRATION.fmr_at(candidate.face.value)
    assert candidate.face.fmr.is_upper_bound
    assert candidate.face.calibration_id == CALIBRATION.id


def test_candidates_come_faces_by_score_then_documents_then_names_and_lists_by_priority(house: House):
    later, first = house.new_list(priority=5, name="A"), house.new_list(priority=1, name="B")
    probe, document, name = a_template(1), DocumentKey("P", "UTO", "X1"), PersonName("Eriksson", "Anna")
    weak = house.add(an_entry(later.list_id, templates=(near(probe, 0.90, seed=1),), documents=(document,)))
    strong = house.add(an_entry(later.list_id, templates=(near(probe, 0.99, seed=2),)))
    named = house.add(an_entry(first.list_id, names=(name,), birth_date=PartialDate(1970)))
    answer = house.search(SearchQuery((probe,), document, name, PartialDate(1970, 1, 1)))
    assert [result.state.watchlist for result in answer.results] == [first, later]
    assert found(answer) == [
        (named.entry_id, MatchKind.NAME),
        (strong.entry_id, MatchKind.FACE),
        (weak.entry_id, MatchKind.FACE),
        (weak.entry_id, MatchKind.DOCUMENT),
    ]
    assert answer.searched_by == (MatchKind.FACE, MatchKind.DOCUMENT, MatchKind.NAME)


def test_a_larger_list_needs_a_higher_score(house: House):
    small, large = house.new_list(priority=1), house.new_list(priority=2)
    probe = a_template(1)
    near_in_small = house.add(an_entry(small.list_id, templates=(near(probe, 0.6, seed=1),)))
    house.add(an_entry(large.list_id, templates=(near(probe, 0.6, seed=2),)))
    # Opposite to the probe, so that they enlarge the list and are no candidates themselves.
    for seed in range(4):
        templates = tuple(near(probe, -0.9, seed=100 + 16 * seed + i) for i in range(16))
        house.add(an_entry(large.list_id, templates=templates))
    assert found(house.search(SearchQuery((probe,)))) == [(near_in_small.entry_id, MatchKind.FACE)]


def test_of_more_candidates_than_an_answer_holds_the_best_are_shown_and_the_others_counted(house: House):
    watchlist = house.new_list()
    # All at once: one by one would take a while.
    contents = [an_entry(watchlist.list_id, templates=(a_template(1),)) for _ in range(MOST_CANDIDATES + 5)]
    with house.keeper.change() as change:
        change.add_entries([NewEntry(content, ANNA) for content in contents])
        state = change.bump(watchlist.list_id, NOW)
        change.approve([content.entry_id for content in contents], Approval(BEN, state.version))
    (result,) = house.search(SearchQuery((a_template(1),))).results
    assert (len(result.candidates), result.left_out) == (MOST_CANDIDATES, 5)
    assert [each.entry_id for each in result.candidates] == sorted(each.entry_id for each in contents)[:-5]


def test_an_authority_has_each_name_once(house: House):
    first = house.new_list(name="Wanted")
    with pytest.raises(WatchlistExistsError, match="name"):
        house.new_list(name="Wanted", authority=first.authority)
    assert house.new_list(name="Wanted", authority="Another").name == "Wanted"


def test_nobody_is_an_answer_with_its_version(house: House):
    assert house.search(SearchQuery((a_template(1),))) == SearchAnswer((), 0, (MatchKind.FACE,), NOW)
    watchlist = house.new_list()
    (result,) = house.search(SearchQuery((a_template(1),))).results
    assert (result.state.watchlist, result.state.version, result.candidates) == (watchlist, 1, ())
    assert result.threshold is not None
    assert result.threshold.score is None


def test_face_is_not_searched_where_an_active_entry_has_a_face_of_another_model_only(house: House):
    watchlist = house.new_list()
    both = (a_template(1), a_template(1, OTHER_MODEL))
    house.add(an_entry(watchlist.list_id, templates=both))
    query = SearchQuery(templates=(a_template(1),))
    assert house.search(query).searched_by == (MatchKind.FACE,)
    other = house.add(an_entry(watchlist.list_id, templates=(a_template(2, OTHER_MODEL),)))
    answer = house.search(query)
    assert answer.searched_by == ()
    assert len(found(answer)) == 1
    house.app.remove_entry(other.entry_id, by(ANNA))
    assert house.search(query).searched_by == (MatchKind.FACE,)


def test_a_probe_of_a_model_without_calibration_does_not_count_as_searched(house: House):
    house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    answer = house.search(SearchQuery(templates=(a_template(1, Model("unknown", 16)),)))
    assert answer.searched_by == ()
    assert answer.results[0].threshold is None


def test_a_version_to_come_is_refused_and_the_present_one_is_not(house: House):
    house.new_list()
    house.keeper.check_reached(1)
    with pytest.raises(VersionNotReachedError, match="got 2, want at most 1"):
        house.keeper.check_reached(2)


def test_every_change_is_one_event_with_actor_purpose_and_version(house: House):
    watchlist = a_list()
    content = an_entry(watchlist.list_id, templates=(a_template(1),))
    house.app.create_watchlist(watchlist, by(ANNA, "new list"))
    house.app.propose_entry(content, by(ANNA, "case 4711"))
    house.app.approve_entry(content.entry_id, by(BEN, "checked"))
    house.app.remove_entry(content.entry_id, by(ANNA, "withdrawn"))
    made = house.events()
    assert [event.WhichOneof("body") for event in made] == [
        "watchlist_created",
        "watchlist_entry_proposed",
        "watchlist_entry_approved",
        "watchlist_entry_removed",
    ]
    assert [event.purpose for event in made] == ["new list", "case 4711", "checked", "withdrawn"]
    assert [event.actor.subject for event in made] == [ANNA.subject, ANNA.subject, BEN.subject, ANNA.subject]
    assert len({event.event_id for event in made}) == 4
    assert all(event.schema_version == 1 and from_timestamp(event.time) == NOW for event in made)
    bodies = [getattr(event, str(event.WhichOneof("body"))) for event in made]
    assert [body.version for body in bodies] == [1, 2, 3, 4]
    assert all(body.list_id == watchlist.list_id for body in bodies)
    assert [body.entry_id for body in bodies[1:]] == [content.entry_id] * 3


def test_a_removed_entry_is_gone_and_its_id_is_never_taken_again(house: House):
    content = house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    assert house.app.remove_entry(content.entry_id, by(ANNA)) == 4
    assert found(house.search(SearchQuery((a_template(1),)))) == []
    for act in (house.app.get_entry, house.app.remove_entry, house.app.approve_entry):
        with pytest.raises(EntryNotFoundError):
            act(content.entry_id, by(BEN))
    with pytest.raises(EntryExistsError, match="want a new id"):
        house.app.propose_entry(content, by(ANNA))


def test_nobody_can_swap_what_an_approver_has_seen_under_an_id(house: House):
    seen = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(seen, by(ANNA))
    assert house.app.get_entry(seen.entry_id, by(BEN)).template_count == 1
    house.app.remove_entry(seen.entry_id, by(ANNA))
    with pytest.raises(EntryExistsError):
        house.app.propose_entry(replace(seen, templates=(a_template(2),)), by(ANNA))
    with pytest.raises(EntryNotFoundError):
        house.app.approve_entry(seen.entry_id, by(BEN))


def test_nothing_that_is_said_of_a_person_is_ever_in_clear_and_a_removed_entry_leaves_nothing(house: House):
    watchlist = house.new_list()
    entries = [a_whole_entry(watchlist.list_id, i) for i in range(40)]
    for content in entries:
        house.app.propose_entry(content, by(ANNA))
    house.app.approve_entry(entries[7].entry_id, by(BEN))
    assert not in_clear(house, entries)
    gone = [entries[i] for i in (7, 8, 30, 39)]
    assert all(is_kept(house, each) for each in gone)
    with house.database.read() as connection:
        sealed = {
            row["entry_id"]: (row["place"], bytes(row["sealed"]))
            for row in connection.execute(
                "SELECT e.entry_id, e.place, b.sealed FROM entries e NATURAL JOIN bodies b"
            )
        }
    for content in gone:
        place, body = sealed[content.entry_id]
        assert body[:64] in files(house)
        key = key_of(house, place)
        assert key is not None
        assert key in files(house)
        house.app.remove_entry(content.entry_id, by(ANNA))
        assert key not in files(house)
        assert not is_kept(house, content)
        assert body[:64] not in files(house)
        assert body[-64:] not in files(house)
        assert key_of(house, place) is None
    assert is_kept(house, entries[9])
    assert not in_clear(house, entries)


def test_a_removal_that_was_killed_before_its_end_is_finished_at_the_next_start(house: House):
    content = house.add(a_whole_entry(house.new_list().list_id, 1))
    with house.database.read() as connection:
        row = connection.execute("SELECT place, sealed FROM templates NATURAL JOIN entries").fetchone()
    place, sealed = row["place"], bytes(row["sealed"])
    key = key_of(house, place)
    assert key is not None
    kill_between_commit_and_end(house, content.entry_id)
    assert key_of(house, place) == key
    assert key in files(house)
    assert sealed in files(house)
    with a_house(house.folder) as again:
        assert key_of(again, place) is None
        assert key not in files(again)
        assert sealed not in files(again)
        assert not is_kept(again, content)


def a_whole_entry(list_id: str, i: int) -> EntryContent:
    """Everything that can be said of a person, told apart by a number."""
    return an_entry(
        list_id,
        templates=tuple(a_template(8 * i + j) for j in range(4)),
        names=(PersonName(f"Eriksson{i:05}", f"Anna{i:05}", f"Эрикссон{i:05}"),),
        documents=(DocumentKey("P", "UTO", f"XK{i:06}Q"),),
        source_reference=f"case/{i:05}/secret",
        pictures=(f"picture {i:05} ".encode() * 20,),
    )


def files(house: House) -> bytes:
    """All bytes of the service's files: database, write-ahead logs, keys."""
    return b"".join(path.read_bytes() for path in sorted(house.folder.rglob("*")) if path.is_file())


def in_clear(house: House, entries: list[EntryContent]) -> list[bytes]:
    """What of all that is said of people can be read in the files."""
    traces: list[bytes] = []
    for content in entries:
        (name,) = content.names
        texts = [name.primary_identifier, name.secondary_identifier, name.native]
        texts += [content.source_reference, content.documents[0].number]
        traces += [text.encode() for text in texts] + [picture[:32] for picture in content.pictures]
        traces += [template.values[:32] for template in content.templates]
    data = files(house)
    return [trace for trace in traces if trace in data]


def is_kept(house: House, content: EntryContent) -> bool:
    """Tell whether the entry's id is still in a table of entries, and not only in events."""
    with house.database.read() as connection:
        query = "SELECT count(*) AS count FROM entries WHERE entry_id = ?"
        return bool(connection.execute(query, (content.entry_id,)).fetchone()["count"])


def key_of(house: House, place: int) -> bytes | None:
    """The key of the entry at a place, as the file of keys has it; of a destroyed one only its id is kept."""
    with sqlite3.connect(house.folder / "keys/watchlist/keys.sqlite") as keys:
        row = keys.execute("SELECT key FROM keys WHERE id = ?", (key_id(place),)).fetchone()
    keys.close()
    return None if row is None or not row[0] else bytes(row[0])


def kill_between_commit_and_end(house: House, entry_id: str) -> None:
    """Remove an entry as by a process that is killed right after its commit: no key is destroyed, no log emptied."""
    with house.database.transaction() as connection:
        connection.execute(
            "INSERT INTO doomed (place) SELECT place FROM entries WHERE entry_id = ?", (entry_id,)
        )
        connection.execute("DELETE FROM entries WHERE entry_id = ?", (entry_id,))


def test_after_a_restart_every_search_answers_as_before(house: House):
    watchlist = house.new_list()
    kept = [house.add(an_entry(watchlist.list_id, templates=(a_template(i),))) for i in range(20)]
    house.app.propose_entry(an_entry(watchlist.list_id, templates=(a_template(99),)), by(ANNA))
    for content in kept[::3]:
        house.app.remove_entry(content.entry_id, by(ANNA))
    house.add(an_entry(watchlist.list_id, names=(PersonName("Eriksson", "Anna"),)))
    with a_house(house.folder) as again:  # the first one is still open: nothing was closed in order
        for seed in (*range(20), 99):
            query = SearchQuery((a_template(seed),), name=PersonName("ERIKSSON", "ANNA"))
            assert again.search(query) == house.search(query)


def test_a_change_that_can_not_be_searched_is_not_made(tmp_path: Path):
    build = FailingIndex()
    with a_house(tmp_path, build) as house:
        content = an_entry(house.new_list().list_id, templates=(a_template(1),))
        house.app.propose_entry(content, by(ANNA))
        build.fail = True
        with pytest.raises(MemoryError):
            house.app.approve_entry(content.entry_id, by(BEN))
        assert house.app.get_entry(content.entry_id, by(ANNA)).approval is None
        assert len(house.events()) == 2
        build.fail = False
        house.app.approve_entry(content.entry_id, by(BEN))
        assert len(found(house.search(SearchQuery((a_template(1),))))) == 1


def test_a_view_that_fell_behind_the_database_is_made_anew_at_the_next_change(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, by(ANNA))
    with a_house(house.folder) as other:  # stands for a commit whose outcome was not known
        other.app.approve_entry(content.entry_id, by(BEN))
    house.new_list(name="another")
    assert len(found(house.search(SearchQuery((a_template(1),))))) == 1


def test_a_list_that_another_process_made_is_shown_before_it_is_searched_here(house: House):
    with a_house(house.folder) as other:  # stands for another process on the same database
        watchlist = other.new_list()
        other.add(an_entry(watchlist.list_id, templates=(a_template(1),)))
    (shown,) = house.app.list_watchlists(by(ANNA))
    assert (shown.state.watchlist, shown.active_entries, shown.thresholds) == (watchlist, 1, ())
    assert house.app.statistics(watchlist.list_id, by(ANNA)).blocks == 0
    assert house.measuring.measure(watchlist.list_id, by(ANNA)) == ((), 3)
    house.keeper.catch_up()
    assert len(found(house.search(SearchQuery((a_template(1),))))) == 1
    assert house.app.statistics(watchlist.list_id, by(ANNA)).blocks == 1


def test_a_database_with_a_model_that_lost_its_calibration_is_not_served(house: House):
    house.add(an_entry(house.new_list().list_id, templates=(a_template(1, OTHER_MODEL),)))
    with pytest.raises(CalibrationError, match="other-model"):
        Keeper(house.store, FaissIndex, {MODEL.model_id: CALIBRATION}, house.clock).check_models()


def test_entries_are_paged_oldest_first_without_templates(house: House):
    watchlist = house.new_list()
    ids = [
        house.app.propose_entry(
            an_entry(watchlist.list_id, templates=(a_template(i),)), by(ANNA)
        ).content.entry_id
        for i in range(5)
    ]
    seen, after, sizes = [], 0, []
    while after is not None:
        page = house.app.list_entries(watchlist.list_id, after, 2, by(ANNA))
        assert all(entry.content.templates == () and entry.template_count == 1 for entry in page.entries)
        seen += [entry.content.entry_id for entry in page.entries]
        sizes.append(len(page.entries))
        after = page.next_after
    assert (seen, sizes) == (ids, [2, 2, 1])
    with pytest.raises(WatchlistNotFoundError):
        house.app.list_entries(a_list().list_id, 0, 2, by(ANNA))


def test_lists_are_shown_by_name_with_what_is_on_them(house: House):
    b, a = house.new_list(name="B"), house.new_list(name="A")
    house.add(an_entry(b.list_id, templates=(a_template(1), a_template(2), a_template(3, OTHER_MODEL))))
    house.app.propose_entry(an_entry(b.list_id, templates=(a_template(4),)), by(ANNA))
    first, second = house.app.list_watchlists(by(ANNA))
    assert (first.state.watchlist, first.active_entries, first.thresholds) == (a, 0, ())
    assert (second.active_entries, second.proposed_entries, second.state.version) == (1, 1, 4)
    assert [(t.model_id, t.templates) for t in second.thresholds] == [("other-model", 1), ("test-model", 2)]
    searched = house.search(SearchQuery((a_template(1),))).results[1].threshold
    assert second.thresholds[1] == searched


def test_a_change_of_a_list_is_an_event_that_says_what_was_changed(house: House):
    watchlist = house.new_list(crossings=("north",), handling_instruction="x" * 1000)
    house.app.change_watchlist(
        replace(watchlist, crossings=(), suppression_people=1, valid_until=NOW), by(ANNA, "new law")
    )
    (event,) = house.bodies("watchlist_changed")
    assert {change.field: (change.before, change.after) for change in event.changes} == {
        "crossings": ("north", ""),
        "suppression_people": ("2", "1"),
        "valid_until": ("", NOW.isoformat()),
    }


def test_there_are_no_more_lists_than_a_record_can_name(house: House):
    few = Watchlists(house.keeper, house.meaning, house.pairs.seal, most_lists=2)
    kept = [house.new_list(), house.new_list()]
    with pytest.raises(TooManyListsError, match="2"):
        few.create_watchlist(a_list(), by(ANNA))
    assert few.create_watchlist(kept[0], by(ANNA)).watchlist == kept[0]


def test_a_withdrawn_entry_can_not_be_approved_whether_it_was_before_or_not(house: House):
    list_id = house.new_list().list_id
    active = house.add(an_entry(list_id, templates=(a_template(1),)))
    proposed = an_entry(list_id, templates=(a_template(2),))
    house.app.propose_entry(proposed, by(ANNA))
    for content in (active, proposed):
        house.app.withdraw_entry(content.entry_id, by(ANNA))
        with pytest.raises(EntryWithdrawnError):
            house.app.approve_entry(content.entry_id, by(BEN))
