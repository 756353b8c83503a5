"""What a store of what is held about people must do, whatever database it is in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from borderpost.decisions.domain import LookupKind, Part, new_event
from borderpost.decisions.events import event_of
from borderpost.decisions.subjects.ports import Group
from borderpost.decisions.subjects.rules import SAMPLED, load_rules
from borderpost.runtime.clock import new_id
from borderpost.v1.types_pb2 import Outcome
from fakes.decisions import MemoryKeys
from fakes.subject_site import DATABASES, DOCUMENT, OFFICER, SubjectSite

CLEAR, REFER, RETAKE = Outcome.OUTCOME_CLEAR, Outcome.OUTCOME_REFER, Outcome.OUTCOME_RETAKE
RULES = load_rules(None).rules
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path) -> Iterator[SubjectSite]:
    database = DATABASES[request.param](tmp_path)
    yield SubjectSite(database, MemoryKeys())
    database.close()


def found(site: SubjectSite, limit: int = 10) -> list[str]:
    return [each.event_id for each in site.store.find(site.lookups.document(DOCUMENT), limit)]


def overdue(site: SubjectSite) -> set[tuple[str, Part]]:
    pieces = site.store.overdue(RULES.limits(site.clock.now()), None, 100)
    return {(piece.event_id, piece.part) for piece in pieces}


def no_note(start: int, stop: int, leaves: list[bytes]) -> str:
    return f"{start} {stop} {len(leaves)}"


def erase_event(site: SubjectSite, *event_ids: str) -> int:
    event = event_of(new_id(), site.clock.now(), OFFICER)
    event.data_erased.screening_event_ids.extend(event_ids)
    return site.log.append([new_event(event)])[0].record.index


def test_screenings_are_found_by_their_document_newest_first_and_no_others(site):
    mine = [site.screen(CLEAR, evidence=False), site.screen(REFER)]
    site.screen(REFER, number="OTHER1234")
    held = site.store.find(site.lookups.document(DOCUMENT), 10)
    assert [each.event_id for each in held] == [mine[1].event_id, mine[0].event_id]
    assert [(each.payload_held, each.evidence_held) for each in held] == [(True, True), (True, False)]
    assert [each.outcome for each in held] == [REFER, CLEAR]
    assert held[0].time == site.clock.now()
    assert held[0].crossing == "north"
    assert found(site, limit=1) == [mine[1].event_id]


def test_a_screening_says_whether_its_case_is_open(site):
    screened = site.screen()
    site.open_case(screened)
    assert site.store.find(site.lookups.document(DOCUMENT), 1)[0].case_open
    site.close_case(screened)
    assert not site.store.find(site.lookups.document(DOCUMENT), 1)[0].case_open


def test_only_screenings_are_found_by_event_id(site):
    screened = site.screen()
    erase_event(site, screened.event_id)
    other = event_of(new_id(), site.clock.now(), OFFICER, subject=screened.event_id)
    other.record_consulted.method = "x"
    site.log.append([new_event(other)])
    ids = [screened.event_id, other.event_id, new_id()]
    assert [each.event_id for each in site.store.screenings(ids)] == [screened.event_id]
    assert site.store.screenings([]) == []


def test_a_deleted_screening_leaves_no_ciphertext_no_finding_and_no_look_up_and_others_stay(site):
    screened, other = site.screen(), site.screen(number="OTHER1234")
    site.find_in(screened)
    site.find_in(other)
    site.store.delete_screenings([screened.event_id])
    assert found(site) == []
    assert site.count("sealed") == 3  # the other one's payload, evidence and finding
    assert site.count("lookups") == 1
    (held,) = site.store.screenings([screened.event_id])
    assert not held.payload_held
    assert not held.evidence_held
    site.store.delete_screenings([screened.event_id])  # again does nothing
    assert site.count("sealed") == 3


def test_recorded_erasures_are_those_from_the_last_finished_on_which_never_goes_back(site):
    screened = site.screen()
    first, second = erase_event(site, screened.event_id), erase_event(site, "a", "b")
    assert [(each.index, each.event_ids) for each in site.store.recorded_erasures()] == [
        (first, (screened.event_id,)),
        (second, ("a", "b")),
    ]
    site.store.finish_erasures(second)
    assert [each.index for each in site.store.recorded_erasures()] == [second]
    site.store.finish_erasures(second + 1)
    site.store.finish_erasures(first)
    assert site.store.recorded_erasures() == []


@pytest.mark.parametrize("outcome", [CLEAR, RETAKE])
def test_evidence_of_these_outcomes_is_overdue_at_once_and_the_payload_after_exactly_30_days(site, outcome):
    event_id = site.screen(outcome).event_id
    assert overdue(site) == {(event_id, Part.EVIDENCE)}
    site.clock.advance(timedelta(days=30) - MICROSECOND)
    assert overdue(site) == {(event_id, Part.EVIDENCE)}
    site.clock.advance(MICROSECOND)
    assert overdue(site) == {(event_id, Part.EVIDENCE), (event_id, Part.PAYLOAD)}


def test_evidence_of_a_referral_is_kept_until_its_case_was_closed_24_hours_ago(site):
    screened = site.screen()
    site.open_case(screened)
    site.after(days=3)
    assert overdue(site) == set()
    site.close_case(screened)
    site.clock.advance(timedelta(hours=24) - MICROSECOND)
    assert overdue(site) == set()
    site.clock.advance(MICROSECOND)
    assert overdue(site) == {(screened.event_id, Part.EVIDENCE)}


def test_evidence_of_a_case_that_is_never_closed_is_kept_for_30_days_and_its_payload_for_two_years(site):
    screened = site.screen()
    site.open_case(screened)
    site.clock.advance(timedelta(days=30) - MICROSECOND)
    assert overdue(site) == set()
    site.clock.advance(MICROSECOND)
    assert overdue(site) == {(screened.event_id, Part.EVIDENCE)}
    site.clock.advance(timedelta(days=700) - MICROSECOND)
    assert overdue(site) == {(screened.event_id, Part.EVIDENCE)}
    site.clock.advance(MICROSECOND)
    assert overdue(site) == {(screened.event_id, Part.EVIDENCE), (screened.event_id, Part.PAYLOAD)}


def test_the_payload_of_a_referral_is_kept_for_a_year_after_its_case_was_closed(site):
    screened = site.screen(evidence=False)
    site.open_case(screened)
    site.after(days=100)
    site.close_case(screened)
    site.clock.advance(timedelta(days=365) - MICROSECOND)
    assert overdue(site) == set()
    site.clock.advance(MICROSECOND)
    assert overdue(site) == {(screened.event_id, Part.PAYLOAD)}


def test_a_random_sample_is_a_group_of_its_own_its_payload_is_kept_for_a_year_after_the_screening(site):
    screened = site.screen(evidence=False, sampled=True)
    site.open_case(screened)
    site.after(days=100)
    site.close_case(screened)
    site.clock.advance(timedelta(days=265) - MICROSECOND)
    assert overdue(site) == set()
    site.clock.advance(MICROSECOND)
    assert overdue(site) == {(screened.event_id, Part.PAYLOAD)}
    [piece] = site.store.overdue(RULES.limits(site.clock.now()), None, 10)
    assert piece.group == SAMPLED


def test_a_referral_without_a_case_counts_from_its_screening(site):
    screened = site.screen()
    site.after(hours=24)
    assert overdue(site) == {(screened.event_id, Part.EVIDENCE)}
    site.after(days=364)
    assert overdue(site) == {(screened.event_id, Part.EVIDENCE), (screened.event_id, Part.PAYLOAD)}


def test_overdue_pieces_are_given_in_parts_without_a_gap_or_a_repetition(site):
    for _ in range(5):
        site.screen(CLEAR)
    limits = RULES.limits(site.after(days=30))
    seen = []
    while pieces := site.store.overdue(limits, seen[-1] if seen else None, 3):
        seen += pieces
    assert len({(piece.event_id, piece.part) for piece in seen}) == len(seen) == 10


def test_deleting_evidence_leaves_the_payload_findable(site):
    screened = site.screen(CLEAR)
    site.store.delete_pieces(site.store.overdue(RULES.limits(site.clock.now()), None, 10))
    (held,) = site.store.screenings([screened.event_id])
    assert held.payload_held
    assert not held.evidence_held
    assert found(site) == [screened.event_id]


def test_deleting_a_payload_deletes_findings_and_look_ups_too(site):
    screened = site.screen()
    site.find_in(screened)
    site.store.delete_pieces(site.store.overdue(RULES.limits(site.after(days=365)), None, 10))
    assert site.count("sealed") == site.count("lookups") == 0
    assert found(site) == []


@pytest.mark.parametrize(
    "body",
    ["first_look_given", "finding_given", "second_finding_given", "finding_corrected", "data_rectified"],
)
def test_what_is_said_of_a_screening_while_it_is_erased_is_deleted_and_of_others_stays(site, body):
    screened, other = site.screen(), site.screen()
    site.find_in(other, body)
    site.store.delete_screenings([screened.event_id])
    site.find_in(screened, body)
    site.store.delete_strays()
    assert site.count("sealed") == 3


def test_bodies_are_prunable_up_to_the_first_that_is_too_young(site):
    for _ in range(3):
        erase_event(site)
    site.store.finish_erasures(3)
    site.clock.advance(MICROSECOND)
    erase_event(site)
    site.store.finish_erasures(4)
    before = site.clock.now() - MICROSECOND
    assert site.store.prunable(before - MICROSECOND, 10) == (0, 0)
    assert site.store.prunable(before, 10) == (0, 3)
    assert site.store.prunable(before, 2) == (0, 2)
    assert site.store.prunable(site.clock.now(), 10) == (0, 4)


@pytest.mark.parametrize("held_by", ["sealed", "open case", "unfinished erasure"])
def test_bodies_from_one_that_must_stay_are_not_prunable(site, held_by):
    gone = site.screen(CLEAR)
    site.store.delete_screenings([gone.event_id])
    second = site.screen()
    if held_by != "sealed":
        site.store.delete_screenings([second.event_id])
    if held_by == "open case":
        site.open_case(second)
    if held_by == "unfinished erasure":
        erase_event(site, second.event_id)
    assert site.store.prunable(site.clock.now(), 10) == (0, 2 if held_by == "unfinished erasure" else 1)


def test_pruned_bodies_are_gone_with_all_that_was_made_of_them_and_ids_and_leaves_stay(site):
    screened = [site.screen(CLEAR), site.screen(), site.screen()]
    site.open_case(screened[1])
    site.close_case(screened[1])
    site.open_case(screened[2])
    site.store.delete_screenings([each.event_id for each in screened])
    leaves = site.leaves()
    with site.database.transaction() as connection:  # what an older log may have left
        connection.executemany(
            "INSERT INTO lookups VALUES (?, ?, ?)", [(3, bytes(32), each.index) for each in screened]
        )
    assert site.store.prune(0, 2, no_note)
    assert site.leaves() == leaves
    assert site.count("lookups") == 1
    with site.database.read() as connection:
        rows = connection.execute("SELECT event_id, once, event FROM log ORDER BY idx").fetchall()
        pruned = connection.execute("SELECT start, stop, note FROM pruned").fetchall()
    assert [row["event_id"] for row in rows] == [each.event_id for each in screened]
    assert [(row["event"] is None, row["once"] is None) for row in rows] == [(True, True)] * 2 + [
        (False, False)
    ]
    assert [(row["start"], row["stop"], row["note"]) for row in pruned] == [(0, 2, "0 2 2")]
    assert site.count("event_index") == site.count("event_terms") == site.count("cases") == 1


def test_a_range_is_pruned_by_one_process_and_the_other_is_told(site):
    for _ in range(4):
        erase_event(site)
    assert site.store.prune(0, 2, no_note)
    assert not site.store.prune(0, 3, no_note)
    assert site.count("pruned") == 1


def test_of_many_that_prune_and_erase_at_once_one_prunes_and_none_fails(site):
    screened = [site.screen(CLEAR) for _ in range(20)]
    ids = [each.event_id for each in screened]
    with ThreadPoolExecutor(8) as threads:
        erased = [threads.submit(site.store.delete_screenings, ids) for _ in range(4)]
        pruned = [threads.submit(site.store.prune, 0, 20, no_note) for _ in range(4)]
        assert [future.result() for future in erased] == [None] * 4
        assert sorted(future.result() for future in pruned) == [False, False, False, True]
    assert site.count("pruned") == 1
    assert site.count("sealed") == site.count("lookups") == site.count("event_index") == 0


def test_the_note_of_ranges_that_follow_each_other_is_one_until_it_is_long_enough(site, monkeypatch):
    monkeypatch.setattr("borderpost.decisions.adapters.sql_subjects.RANGE_LENGTH", 3)
    for _ in range(5):
        erase_event(site)
    for stop in (2, 3, 5):
        assert site.store.prune({2: 0, 3: 2, 5: 3}[stop], stop, no_note)
    with site.database.read() as connection:
        notes = [row["note"] for row in connection.execute("SELECT note FROM pruned ORDER BY start")]
    assert notes == ["0 3 3", "3 5 2"]


def test_a_note_that_can_t_be_signed_prunes_nothing(site):
    erase_event(site)

    def fails(*_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        site.store.prune(0, 1, fails)
    assert site.count("pruned") == 0
    assert site.kinds() == ["data_erased"]


def test_counts_say_what_is_held_and_overdue_of_each_class_and_outcome(site):
    before = site.clock.now()
    site.screen(CLEAR)
    site.screen(REFER)
    site.screen(sampled=True)
    now = site.after(days=30)
    site.screen(CLEAR, evidence=False)
    counts = site.store.counts(RULES.limits(now), now - timedelta(days=1))
    seen = {(c.part, c.group): (c.held, c.oldest, c.overdue) for c in counts.counts}
    assert seen == {
        (Part.EVIDENCE, Group(CLEAR)): (1, before, 1),
        (Part.EVIDENCE, Group(REFER)): (1, before, 1),
        (Part.EVIDENCE, SAMPLED): (1, before, 1),
        (Part.PAYLOAD, Group(CLEAR)): (2, before, 1),
        (Part.PAYLOAD, Group(REFER)): (1, before, 0),
        (Part.PAYLOAD, SAMPLED): (1, before, 0),
        (None, Group(CLEAR)): (2, before, 1),
        (None, Group(REFER)): (2, before, 2),
    }
    assert counts.pruned_until == 0
    assert counts.last_applied is None


def test_look_ups_of_every_kind_are_deleted(site):
    screened = site.screen()
    with site.database.transaction() as connection:
        for kind in LookupKind:
            connection.execute("INSERT INTO lookups VALUES (?, ?, ?)", (int(kind), bytes(32), screened.index))
    site.store.delete_screenings([screened.event_id])
    assert site.count("lookups") == 0


def test_scrubbing_succeeds_while_nobody_reads(site):
    site.store.delete_screenings([site.screen().event_id])
    assert site.store.scrub()
