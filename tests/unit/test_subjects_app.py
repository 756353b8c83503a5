"""What is held of a document, and its erasure: order, records, refusals, receipts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from borderpost.decisions.domain import Part, key_id
from borderpost.decisions.errors import ScreeningNotFoundError
from borderpost.decisions.subjects import app as app_module
from borderpost.decisions.subjects import validate
from borderpost.decisions.subjects.app import COURT_ORDER, SUBJECT_REQUEST, UNLAWFUL, Subjects
from borderpost.decisions.subjects.errors import CaseOpenError, ErasureUnfinishedError
from borderpost.proofs.receipts import check_receipt, parse_receipt
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError, UnavailableError
from borderpost.runtime.scopes import OutOfScopeError
from borderpost.v1.subjects_pb2 import EraseSubjectRequest, FindSubjectRequest
from borderpost.v1.types_pb2 import DocumentKey, Outcome
from fakes.decisions import MemoryKeys
from fakes.subject_site import (
    CANARIES,
    DOCUMENT,
    Interrupted,
    LeafProver,
    Steps,
    SubjectSite,
    a_supervisor_call,
    signed,
    sqlite_database,
    stepped,
)

ORIGIN = "borderpost.local/decisions"
CLEAR = Outcome.OUTCOME_CLEAR


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SubjectSite]:
    database = sqlite_database(tmp_path)
    yield SubjectSite(database, MemoryKeys())
    database.close()


def subjects_of(site: SubjectSite, steps: Steps | None = None, prover: LeafProver | None = None) -> Subjects:
    log, keys, store = stepped(steps or Steps(), site)
    prover = prover or LeafProver(site)
    return Subjects(log, keys, store, site.lookups, prover, signed, ORIGIN, site.clock, list)


def receipt_of(text: str):
    return parse_receipt(text.removesuffix("\n— signed\n"))


def erase(site: SubjectSite, *, basis: str = SUBJECT_REQUEST, ids: list[str] | None = None, **others):
    document = None if ids else DOCUMENT
    return subjects_of(site, **others).erase(document, ids or [], basis, a_supervisor_call())


def is_erased(site: SubjectSite, *event_ids: str) -> bool:
    keys = [key_id(event_id, part) for event_id in event_ids for part in Part]
    return not site.keys.get_many(keys) and site.count("sealed") == site.count("lookups") == 0


def test_who_looks_is_recorded_before_the_answer_and_without_the_document(site):
    screened = site.screen()
    found, more = subjects_of(site).find(DOCUMENT, a_supervisor_call("request 12/26", "FindSubject"))
    assert [each.event_id for each in found] == [screened.event_id]
    assert not more
    (event,) = site.events("record_consulted")
    assert event.purpose == "request 12/26"
    assert event.actor.subject == "dev"
    assert event.record_consulted.method.endswith("SubjectsService/FindSubject")
    assert event.record_consulted.events_shown == 1
    assert list(event.record_consulted.filters) == ["document"]
    assert DOCUMENT.number.encode() not in event.SerializeToString()


def test_a_log_that_takes_no_event_gives_no_answer(site):
    site.screen()
    steps = Steps()
    steps.left = 0
    with pytest.raises(Interrupted):
        subjects_of(site, steps).find(DOCUMENT, a_supervisor_call())


def test_only_so_many_are_shown_and_it_is_said_that_there_are_more(site, monkeypatch):
    monkeypatch.setattr(app_module, "MAX_SHOWN", 2)
    for _ in range(3):
        site.screen(CLEAR)
    found, more = subjects_of(site).find(DOCUMENT, a_supervisor_call())
    assert len(found) == 2
    assert more


def test_a_supervisor_of_another_crossing_finds_nothing_and_erases_nothing_and_it_is_recorded(site):
    screened = site.screen(CLEAR)
    elsewhere = replace(a_supervisor_call(), scopes=frozenset({"crossing:elsewhere"}))
    here = replace(a_supervisor_call(), scopes=frozenset({"crossing:north"}))
    subjects = subjects_of(site)
    assert subjects.find(DOCUMENT, elsewhere) == ([], False)
    with pytest.raises(OutOfScopeError):
        subjects.erase(DOCUMENT, [], SUBJECT_REQUEST, elsewhere)
    assert site.kinds() == ["traveler_screened", "record_consulted", "record_consulted"]
    assert [each.event_id for each in subjects.find(DOCUMENT, here)[0]] == [screened.event_id]
    assert subjects.erase(DOCUMENT, [], SUBJECT_REQUEST, here).screenings == 1


def test_what_is_held_of_the_erased_in_memory_is_forgotten_too(site):
    screened, forgotten = site.screen(CLEAR), []
    subjects = Subjects(
        site.log,
        site.keys,
        site.store,
        site.lookups,
        LeafProver(site),
        signed,
        ORIGIN,
        site.clock,
        forgotten.extend,
    )
    subjects.erase(DOCUMENT, [], SUBJECT_REQUEST, a_supervisor_call())
    assert forgotten == [screened.event_id]


@pytest.mark.parametrize("purpose", ["", "  "])
def test_without_a_purpose_nothing_is_found_and_nothing_erased(site, purpose):
    site.screen()
    with pytest.raises(PurposeMissingError):
        subjects_of(site).find(DOCUMENT, a_supervisor_call(purpose))
    with pytest.raises(PurposeMissingError):
        subjects_of(site).erase(DOCUMENT, [], SUBJECT_REQUEST, a_supervisor_call(purpose))
    assert site.kinds() == ["traveler_screened"]


def test_erasing_a_document_erases_all_its_screenings_with_their_findings_and_no_others(site):
    mine, other = [site.screen(), site.screen(CLEAR)], site.screen(number="OTHER1234")
    site.find_in(mine[0])
    erased = erase(site)
    assert erased.screenings == 2
    assert set(site.keys.keys) == {key_id(other.event_id, part) for part in Part}
    assert site.count("sealed") == 2
    assert site.count("lookups") == 1
    assert subjects_of(site).find(DOCUMENT, a_supervisor_call()) == ([], False)


def test_the_event_says_who_why_on_which_basis_and_which_screenings(site):
    screened = site.screen()
    erase(site, basis=UNLAWFUL)
    (event,) = site.events("data_erased")
    assert event.actor.subject == "dev"
    assert event.purpose == "request 12/26"
    assert event.subject == screened.event_id
    assert event.data_erased.basis == UNLAWFUL
    assert list(event.data_erased.screening_event_ids) == [screened.event_id]


def test_the_order_is_event_keys_ciphertexts_scrub(site):
    site.screen()
    steps, prover = Steps(), LeafProver(site)
    erase(site, steps=steps, prover=prover)
    assert steps.taken == ["append", "destroy_many", "delete_screenings", "scrub", "finish_erasures"]
    assert prover.covered == [(1,)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(5))
def test_interrupted_at_any_step_a_recorded_erasure_is_finished_at_the_next_start(site, step, after):
    screened = site.screen()
    site.find_in(screened)
    steps = Steps()
    steps.left, steps.after = step, after
    with pytest.raises(Interrupted):
        erase(site, steps=steps)
    recorded = bool(site.events("data_erased"))
    assert recorded == (step > 0 or after)
    again = Steps()
    assert subjects_of(site, again).resume() == (recorded and (step, after) != (4, True))
    assert is_erased(site, screened.event_id) == recorded
    assert subjects_of(site).resume() == 0  # once is enough


def test_an_erasure_finishes_those_that_were_interrupted_before_it(site):
    first, second = site.screen(number="OTHER1234"), site.screen()
    steps = Steps()
    steps.left = 1
    with pytest.raises(Interrupted):
        erase(site, ids=[first.event_id], steps=steps)
    erase(site, ids=[second.event_id])
    assert is_erased(site, first.event_id, second.event_id)
    assert subjects_of(site).resume() == 0


def test_a_finished_erasure_is_not_done_again(site):
    site.screen()
    erase(site)
    steps = Steps()
    assert subjects_of(site, steps).resume() == 0
    assert steps.taken == []


def test_an_erasure_that_could_not_be_finished_says_so_and_goes_on_later(site):
    screened = site.screen()
    site.keys.down = True
    with pytest.raises(ErasureUnfinishedError) as failure:
        erase(site)
    assert failure.value.details == {"index": "1", "cause": "UNAVAILABLE"}
    site.keys.down = False
    assert subjects_of(site).resume() == 1
    assert is_erased(site, screened.event_id)
    assert erase(site, ids=[screened.event_id]).screenings == 1  # and this is the receipt


def test_readers_that_keep_files_from_being_scrubbed_leave_it_unfinished(site):
    screened = site.screen()
    subjects = subjects_of(site)
    with site.database.snapshot() as reader:
        reader.execute("SELECT count(*) FROM sealed").fetchone()
        with pytest.raises(ErasureUnfinishedError):
            subjects.erase(DOCUMENT, [], SUBJECT_REQUEST, a_supervisor_call())
    assert is_erased(site, screened.event_id)
    assert subjects.resume() == 1


def test_a_checkpoint_that_can_t_be_made_leaves_everything_erased_and_the_receipt_for_later(site):
    screened = site.screen()
    prover = LeafProver(site)
    prover.down = True
    with pytest.raises(ErasureUnfinishedError):
        erase(site, prover=prover)
    assert is_erased(site, screened.event_id)
    assert erase(site, ids=[screened.event_id]).screenings == 1


def test_a_second_erasure_of_the_same_screenings_gives_a_receipt_again(site):
    screened = site.screen()
    first, second = erase(site), erase(site, ids=[screened.event_id])
    assert receipt_of(second.receipt).screenings == receipt_of(first.receipt).screenings
    assert receipt_of(second.receipt).events[0].index > receipt_of(first.receipt).events[0].index


def test_the_receipt_names_screenings_event_and_checkpoint_and_nothing_of_the_person(site):
    screened = site.screen()
    site.find_in(screened)
    receipt = receipt_of(text := erase(site, basis=COURT_ORDER).receipt)
    assert receipt.origin == ORIGIN
    assert receipt.erased_at == site.clock.now()
    assert receipt.basis == COURT_ORDER
    assert receipt.screenings == (screened.event_id,)
    assert receipt.size == 3
    check_receipt(receipt)
    (event,) = receipt.events
    assert event.index == 2
    assert event.leaf == site.leaves()[2]
    assert not any(canary in text.encode() for canary in CANARIES)
    assert "operator/supervisor" not in text
    assert "request 12/26" not in text


def test_more_screenings_than_an_event_can_name_take_several_events_and_one_receipt(site, monkeypatch):
    monkeypatch.setattr(app_module, "MAX_ERASED", 2)
    for _ in range(5):
        site.screen(CLEAR)
    erased = erase(site)
    assert erased.screenings == 5
    receipt = receipt_of(erased.receipt)
    check_receipt(receipt)
    assert [event.index for event in receipt.events] == [5, 6, 7]
    assert [len(e.data_erased.screening_event_ids) for e in site.events("data_erased")] == [2, 2, 1]


def test_an_open_case_is_not_ended_by_a_request_and_the_refusal_is_recorded(site):
    screened = site.screen()
    site.open_case(screened)
    with pytest.raises(CaseOpenError) as refused:
        erase(site)
    assert refused.value.details == {"open_cases": "1"}
    assert site.kinds() == ["traveler_screened", "record_consulted"]
    assert screened.event_id in site.keys.keys
    site.close_case(screened)
    assert erase(site).screenings == 1


@pytest.mark.parametrize("basis", [COURT_ORDER, UNLAWFUL])
def test_what_a_court_orders_or_what_is_unlawful_goes_while_the_case_is_open(site, basis):
    screened = site.screen()
    site.open_case(screened)
    assert erase(site, basis=basis).screenings == 1
    assert is_erased(site, screened.event_id)


def test_a_document_of_which_nothing_is_held_is_not_found_and_who_asked_is_recorded(site):
    with pytest.raises(ScreeningNotFoundError):
        erase(site)
    (event,) = site.events("record_consulted")
    assert event.record_consulted.events_shown == 0


def test_with_an_id_that_is_no_screening_s_nothing_is_erased(site):
    screened = site.screen()
    with pytest.raises(ScreeningNotFoundError):
        erase(site, ids=[screened.event_id, new_id()])
    assert screened.event_id in site.keys.keys
    assert not site.events("data_erased")


def test_the_same_id_twice_is_one_screening(site):
    screened = site.screen()
    assert erase(site, ids=[screened.event_id] * 2).screenings == 1


def test_resuming_with_a_database_that_is_away_can_be_tried_again(site):
    steps = Steps()
    steps.left = 1
    screened = site.screen()
    with pytest.raises(Interrupted):
        erase(site, steps=steps)
    site.keys.down = True
    with pytest.raises(UnavailableError):
        subjects_of(site).resume()
    site.keys.down = False
    assert subjects_of(site).resume() == 1
    assert is_erased(site, screened.event_id)


GOOD = {"document": DOCUMENT, "basis": SUBJECT_REQUEST}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"basis": SUBJECT_REQUEST}, "one of the two"),
        ({**GOOD, "event_ids": ["x"]}, "one of the two"),
        ({"event_ids": ["CNRY12345"], "basis": SUBJECT_REQUEST}, "UUIDv7"),
        ({"event_ids": [new_id()] * 1001, "basis": SUBJECT_REQUEST}, "at most 1,000"),
        ({"document": DOCUMENT, "basis": ""}, "SUBJECT_REQUEST"),
        ({"document": DOCUMENT, "basis": "WHIM"}, "COURT_ORDER"),
        ({"document": DocumentKey(document_code="P", issuing_state="UTO"), "basis": UNLAWFUL}, "number"),
        (
            {
                "document": DocumentKey(document_code="P", issuing_state="UTO", number="<<<"),
                "basis": UNLAWFUL,
            },
            "number",
        ),
        (
            {
                "document": DocumentKey(document_code="PAS", issuing_state="UTO", number="1"),
                "basis": UNLAWFUL,
            },
            "code",
        ),
        (
            {"document": DocumentKey(document_code="P", issuing_state="UTOP", number="1"), "basis": UNLAWFUL},
            "state",
        ),
        (
            {"document": DocumentKey(document_code="P", issuing_state="UTO", number="é"), "basis": UNLAWFUL},
            "number",
        ),
    ],
)
def test_a_bad_request_is_refused_and_never_repeated(fields, said):
    with pytest.raises(InvalidRequestError, match=said) as refused:
        validate.erase_subject(EraseSubjectRequest(**fields))
    assert "CNRY" not in refused.value.message


def test_good_requests_pass():
    validate.erase_subject(EraseSubjectRequest(**GOOD))
    validate.erase_subject(EraseSubjectRequest(event_ids=[new_id()], basis=COURT_ORDER))
    validate.find_subject(FindSubjectRequest(document=DOCUMENT))
    with pytest.raises(InvalidRequestError):
        validate.find_subject(FindSubjectRequest())
