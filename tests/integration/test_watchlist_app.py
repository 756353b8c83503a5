"""The use cases of the watchlist service over a real database and a real index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from borderpost.runtime.calibration import CalibrationError
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.errors import InvalidRequestError, TemplateInvalidError
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.domain import (
    DocumentKey,
    EntryState,
    MatchKind,
    Model,
    PartialDate,
    PersonName,
    SearchAnswer,
    SearchQuery,
)
from borderpost.watchlist.errors import (
    EntryExistsError,
    EntryExpiredError,
    EntryNotFoundError,
    SecondPersonNeededError,
    VersionNotReachedError,
    WatchlistExistsError,
    WatchlistNotFoundError,
)
from fakes.watchlist import (
    ANNA,
    BEN,
    CALIBRATION,
    CALIBRATIONS,
    MODEL,
    NOW,
    OTHER_MODEL,
    FailingIndex,
    House,
    a_house,
    a_list,
    a_template,
    an_entry,
    near,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as house:
        yield house


def found(answer: SearchAnswer) -> list[tuple[str, MatchKind]]:
    return [(c.entry_id, c.kind) for result in answer.results for c in result.candidates]


def events(house: House) -> list[Event]:
    with house.database.read() as connection:
        rows = connection.execute("SELECT event FROM outbox ORDER BY sequence").fetchall()
    return [Event.FromString(row["event"]) for row in rows]


def test_a_proposed_entry_is_searched_only_after_another_actor_approved_it(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    query = SearchQuery(templates=(near(a_template(1), 0.95, seed=2),))
    proposed = house.app.propose_entry(content, ANNA, "")
    assert proposed.state(NOW) is EntryState.PROPOSED
    assert found(house.app.search(query)) == []
    with pytest.raises(SecondPersonNeededError):
        house.app.approve_entry(content.entry_id, ANNA, "")
    assert found(house.app.search(query)) == []
    approved = house.app.approve_entry(content.entry_id, BEN, "")
    assert approved.state(NOW) is EntryState.ACTIVE
    assert found(house.app.search(query)) == [(content.entry_id, MatchKind.FACE)]


@pytest.mark.parametrize("approver", [replace(ANNA, issuer="another"), replace(ANNA, subject="another")])
def test_an_actor_is_another_if_issuer_or_subject_differ(house: House, approver: Actor):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, ANNA, "")
    assert house.app.approve_entry(content.entry_id, approver, "").state(NOW) is EntryState.ACTIVE


def test_approving_again_changes_nothing(house: House):
    content = house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    before, version = events(house), house.app.search(SearchQuery(templates=(a_template(1),))).version
    again = house.app.approve_entry(content.entry_id, ANNA, "")
    assert again.approval is not None
    assert (again.approval.by, again.approval.version) == (BEN, 3)
    assert events(house) == before
    assert house.app.search(SearchQuery(templates=(a_template(1),))).version == version


def test_the_same_list_again_answers_as_before_and_other_content_is_refused(house: House):
    watchlist = a_list()
    first = house.app.create_watchlist(watchlist, ANNA, "")
    assert house.app.create_watchlist(watchlist, BEN, "") == first
    with pytest.raises(WatchlistExistsError):
        house.app.create_watchlist(replace(watchlist, priority=3), ANNA, "")
    assert len(events(house)) == 1


def test_the_same_entry_again_answers_as_before_and_other_content_is_refused(house: House):
    content = an_entry(
        house.new_list().list_id,
        templates=(a_template(1), a_template(2, OTHER_MODEL)),
        names=(PersonName("Müller", "Jörg"),),
        birth_date=PartialDate(1970, None, 3),
        documents=(DocumentKey("P", "UTO", "L898902C3"),),
        valid_from=NOW + timedelta(microseconds=1),
    )
    first = house.app.propose_entry(content, ANNA, "")
    assert house.app.propose_entry(content, BEN, "") == first
    for other in (
        replace(content, templates=(a_template(3), a_template(2, OTHER_MODEL))),
        replace(content, names=(PersonName("Müller", "Jorg"),)),
        replace(content, valid_from=None),
    ):
        with pytest.raises(EntryExistsError):
            house.app.propose_entry(other, ANNA, "")
    assert len(events(house)) == 2


def test_an_entry_proposed_again_after_its_end_answers_as_before(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, ANNA, "")
    house.clock.move(timedelta(days=366))
    assert house.app.propose_entry(content, ANNA, "").state(house.clock.time) is EntryState.EXPIRED


def test_an_entry_needs_a_list_a_validity_to_come_and_a_model_that_is_known(house: House):
    list_id = house.new_list().list_id
    with pytest.raises(WatchlistNotFoundError):
        house.app.propose_entry(an_entry(a_list().list_id), ANNA, "")
    with pytest.raises(InvalidRequestError, match="valid_until"):
        house.app.propose_entry(an_entry(list_id, valid_until=NOW), ANNA, "")
    with pytest.raises(TemplateInvalidError, match="without a calibration"):
        house.app.propose_entry(an_entry(list_id, templates=(a_template(1, Model("unknown", 4)),)), ANNA, "")
    house.add(an_entry(list_id, templates=(a_template(1),)))
    wrong_size = a_template(1, Model(MODEL.model_id, MODEL.dimension + 1))
    with pytest.raises(TemplateInvalidError, match="got 17, want 16"):
        house.app.propose_entry(an_entry(list_id, templates=(wrong_size,)), ANNA, "")
    assert len(events(house)) == 3


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
        answer = house.app.search(query)
        hits.append([kind for _, kind in found(answer)])
        (result,) = answer.results
        assert result.threshold is not None
        assert (result.entries_searched, result.threshold.templates) == ((1, 1) if hits[-1] else (0, 0))
        assert house.app.list_watchlists()[0].active_entries == result.entries_searched
        house.clock.move(timedelta(hours=1))
    assert hits == [[], [MatchKind.FACE, MatchKind.DOCUMENT, MatchKind.NAME], []]
    assert house.app.get_entry(content.entry_id).state(house.clock.time) is EntryState.EXPIRED


def test_an_entry_that_expired_before_approval_can_not_be_approved(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, ANNA, "")
    house.clock.move(timedelta(days=366))
    with pytest.raises(EntryExpiredError):
        house.app.approve_entry(content.entry_id, BEN, "")


def test_an_entry_is_scored_by_its_best_pair_and_named_once(house: House):
    watchlist = house.new_list()
    content = house.add(an_entry(watchlist.list_id, templates=(a_template(1), a_template(2))))
    answer = house.app.search(
        SearchQuery(templates=(near(a_template(1), 0.92, seed=5), near(a_template(2), 0.97, seed=6)))
    )
    (candidate,) = answer.results[0].candidates
    assert candidate.entry_id == content.entry_id
    assert candidate.score is not None
    assert candidate.score.value == pytest.approx(0.97, abs=1e-6)
    assert candidate.score.template_index == 1
    assert candidate.score.fmr == CALIBRATION.fmr_at(candidate.score.value)
    assert candidate.score.fmr.is_upper_bound
    assert candidate.score.calibration_id == CALIBRATION.id


def test_candidates_come_faces_by_score_then_documents_then_names_and_lists_by_priority(house: House):
    later, first = house.new_list(priority=5, name="A"), house.new_list(priority=1, name="B")
    probe, document, name = a_template(1), DocumentKey("P", "UTO", "X1"), PersonName("Eriksson", "Anna")
    weak = house.add(an_entry(later.list_id, templates=(near(probe, 0.90, seed=1),), documents=(document,)))
    strong = house.add(an_entry(later.list_id, templates=(near(probe, 0.99, seed=2),)))
    named = house.add(an_entry(first.list_id, names=(name,), birth_date=PartialDate(1970)))
    answer = house.app.search(SearchQuery((probe,), document, name, PartialDate(1970, 1, 1)))
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
    assert found(house.app.search(SearchQuery((probe,)))) == [(near_in_small.entry_id, MatchKind.FACE)]


def test_an_authority_has_each_name_once(house: House):
    first = house.new_list(name="Wanted")
    with pytest.raises(WatchlistExistsError, match="name"):
        house.new_list(name="Wanted", authority=first.authority)
    assert house.new_list(name="Wanted", authority="Another").name == "Wanted"


def test_nobody_is_an_answer_with_its_version(house: House):
    assert house.app.search(SearchQuery((a_template(1),))) == SearchAnswer((), 0, (MatchKind.FACE,))
    watchlist = house.new_list()
    (result,) = house.app.search(SearchQuery((a_template(1),))).results
    assert (result.state.watchlist, result.state.version, result.candidates) == (watchlist, 1, ())
    assert result.threshold is not None
    assert result.threshold.score is None


def test_face_is_not_searched_where_an_active_entry_has_a_face_of_another_model_only(house: House):
    watchlist = house.new_list()
    both = (a_template(1), a_template(1, OTHER_MODEL))
    house.add(an_entry(watchlist.list_id, templates=both))
    query = SearchQuery(templates=(a_template(1),))
    assert house.app.search(query).searched_by == (MatchKind.FACE,)
    other = house.add(an_entry(watchlist.list_id, templates=(a_template(2, OTHER_MODEL),)))
    answer = house.app.search(query)
    assert answer.searched_by == ()
    assert len(found(answer)) == 1
    house.app.remove_entry(other.entry_id, ANNA, "")
    assert house.app.search(query).searched_by == (MatchKind.FACE,)


def test_a_probe_of_a_model_without_calibration_does_not_count_as_searched(house: House):
    house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    answer = house.app.search(SearchQuery(templates=(a_template(1, Model("unknown", 16)),)))
    assert answer.searched_by == ()
    assert answer.results[0].threshold is None


def test_a_version_to_come_is_refused_and_the_present_one_is_not(house: House):
    house.new_list()
    query = SearchQuery(templates=(a_template(1),), min_version=1)
    assert house.app.search(query).version == 1
    with pytest.raises(VersionNotReachedError):
        house.app.search(replace(query, min_version=2))


def test_every_change_is_one_event_with_actor_purpose_and_version(house: House):
    watchlist = a_list()
    content = an_entry(watchlist.list_id, templates=(a_template(1),))
    house.app.create_watchlist(watchlist, ANNA, "new list")
    house.app.propose_entry(content, ANNA, "case 4711")
    house.app.approve_entry(content.entry_id, BEN, "checked")
    house.app.remove_entry(content.entry_id, ANNA, "withdrawn")
    made = events(house)
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


def test_a_removed_entry_is_gone_and_its_id_is_free(house: House):
    content = house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    assert house.app.remove_entry(content.entry_id, ANNA, "") == 4
    assert found(house.app.search(SearchQuery((a_template(1),)))) == []
    for act in (house.app.get_entry, lambda i: house.app.remove_entry(i, ANNA, "")):
        with pytest.raises(EntryNotFoundError):
            act(content.entry_id)
    with pytest.raises(EntryNotFoundError):
        house.app.approve_entry(content.entry_id, BEN, "")
    assert house.app.propose_entry(content, ANNA, "").template_count == 1


def test_nothing_of_a_removed_entry_is_left_in_the_files(house: House):
    watchlist = house.new_list()
    entries = [
        an_entry(
            watchlist.list_id,
            templates=tuple(a_template(8 * i + j) for j in range(4)),
            names=(PersonName(f"Eriksson{i:05}", f"Anna{i:05}"),),
            documents=(DocumentKey("P", "UTO", f"L{i:07}"),),
            source_reference=f"case/{i:05}/secret",
        )
        for i in range(60)
    ]
    for content in entries:
        house.app.propose_entry(content, ANNA, "")
    house.app.approve_entry(entries[7].entry_id, BEN, "")

    def in_files(content_index: int) -> list[bool]:
        data = b"".join(path.read_bytes() for path in house.folder.iterdir())
        traces = [f"{w}{content_index:05}".encode() for w in ("Eriksson", "Anna", "case/")]
        traces.append(f"L{content_index:07}".encode())
        traces += [template.values[:32] for template in entries[content_index].templates]
        return [trace in data for trace in traces]

    assert all(in_files(7))
    for i in (7, 8, 30, 59):
        house.app.remove_entry(entries[i].entry_id, ANNA, "")
        assert not any(in_files(i))
    assert all(in_files(9))


def test_a_removal_that_was_killed_before_its_end_is_finished_at_the_next_start(house: House):
    content = house.add(an_entry(house.new_list().list_id, templates=(a_template(1),)))
    with house.store.change() as change:
        change.bump(content.list_id, NOW)
        change.remove(content.entry_id)
    wal = house.folder / "watchlist.sqlite-wal"
    assert a_template(1).values in wal.read_bytes()
    Watchlists(house.store, FaissIndex, CALIBRATIONS, house.clock)
    assert not any(a_template(1).values in path.read_bytes() for path in house.folder.iterdir())


def test_after_a_restart_every_search_answers_as_before(house: House):
    watchlist = house.new_list()
    kept = [house.add(an_entry(watchlist.list_id, templates=(a_template(i),))) for i in range(20)]
    house.app.propose_entry(an_entry(watchlist.list_id, templates=(a_template(99),)), ANNA, "")
    for content in kept[::3]:
        house.app.remove_entry(content.entry_id, ANNA, "")
    house.add(an_entry(watchlist.list_id, names=(PersonName("Eriksson", "Anna"),)))
    with a_house(house.folder) as again:  # the first one is still open: nothing was closed in order
        for seed in (*range(20), 99):
            query = SearchQuery((a_template(seed),), name=PersonName("ERIKSSON", "ANNA"))
            assert again.app.search(query) == house.app.search(query)


def test_a_change_that_can_not_be_searched_is_not_made(tmp_path: Path):
    build = FailingIndex()
    with a_house(tmp_path, build) as house:
        content = an_entry(house.new_list().list_id, templates=(a_template(1),))
        house.app.propose_entry(content, ANNA, "")
        build.fail = True
        with pytest.raises(MemoryError):
            house.app.approve_entry(content.entry_id, BEN, "")
        assert house.app.get_entry(content.entry_id).approval is None
        assert len(events(house)) == 2
        build.fail = False
        house.app.approve_entry(content.entry_id, BEN, "")
        assert len(found(house.app.search(SearchQuery((a_template(1),))))) == 1


def test_a_view_that_fell_behind_the_database_is_made_anew_at_the_next_change(house: House):
    content = an_entry(house.new_list().list_id, templates=(a_template(1),))
    house.app.propose_entry(content, ANNA, "")
    with a_house(house.folder) as other:  # stands for a commit whose outcome was not known
        other.app.approve_entry(content.entry_id, BEN, "")
    house.new_list(name="another")
    assert len(found(house.app.search(SearchQuery((a_template(1),))))) == 1


def test_a_database_with_a_model_that_lost_its_calibration_is_not_served(house: House):
    house.add(an_entry(house.new_list().list_id, templates=(a_template(1, OTHER_MODEL),)))
    with pytest.raises(CalibrationError, match="other-model"):
        Watchlists(house.store, FaissIndex, {MODEL.model_id: CALIBRATION}, house.clock)


def test_entries_are_paged_oldest_first_without_templates(house: House):
    watchlist = house.new_list()
    ids = [
        house.app.propose_entry(
            an_entry(watchlist.list_id, templates=(a_template(i),)), ANNA, ""
        ).content.entry_id
        for i in range(5)
    ]
    seen, after, sizes = [], 0, []
    while after is not None:
        page = house.app.list_entries(watchlist.list_id, after, 2)
        assert all(entry.content.templates == () and entry.template_count == 1 for entry in page.entries)
        seen += [entry.content.entry_id for entry in page.entries]
        sizes.append(len(page.entries))
        after = page.next_after
    assert (seen, sizes) == (ids, [2, 2, 1])
    with pytest.raises(WatchlistNotFoundError):
        house.app.list_entries(a_list().list_id, 0, 2)


def test_lists_are_shown_by_name_with_what_is_on_them(house: House):
    b, a = house.new_list(name="B"), house.new_list(name="A")
    house.add(an_entry(b.list_id, templates=(a_template(1), a_template(2), a_template(3, OTHER_MODEL))))
    house.app.propose_entry(an_entry(b.list_id, templates=(a_template(4),)), ANNA, "")
    first, second = house.app.list_watchlists()
    assert (first.state.watchlist, first.active_entries, first.thresholds) == (a, 0, ())
    assert (second.active_entries, second.proposed_entries, second.state.version) == (1, 1, 4)
    assert [(t.model_id, t.templates) for t in second.thresholds] == [("other-model", 1), ("test-model", 2)]
    searched = house.app.search(SearchQuery((a_template(1),))).results[1].threshold
    assert second.thresholds[1] == searched
