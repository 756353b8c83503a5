"""A traveler's way through the real system: real pictures, real processes, real sockets."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from borderpost.cli.demo import make_watchlist
from borderpost.cli.people import APPROVER, AUDITOR, LIST_MANAGER, OFFICER, Person
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.settings import SERVICES
from borderpost.runtime.status import RemoteError
from borderpost.specimens.samples import empty_scene
from borderpost.v1 import decisions_pb2, gateway_pb2, types_pb2, watchlist_pb2
from fakes.requests import small_picture

BLANK = small_picture()
"""A page for tests to which it doesn't matter what is on it: it is looked at in no time."""

CLEAR, REFER, RETAKE = types_pb2.OUTCOME_CLEAR, types_pb2.OUTCOME_REFER, types_pb2.OUTCOME_RETAKE


def screen(kiosk, page, live):
    return kiosk.send(kiosk.request(Visit(), page, [live]))


def record(stack, request_id):
    with Person(stack.settings, OFFICER, "test") as officer:
        request = decisions_pb2.GetScreeningRequest(request_id=request_id)
        return officer.ask(officer.decisions.GetScreening, request)


def reasons(stack, answer):
    return list(record(stack, answer.request_id).entry.event.traveler_screened.reasons)


def verify(stack):
    with Person(stack.settings, AUDITOR) as auditor:
        return auditor.ask(auditor.decisions.VerifyLog, decisions_pb2.VerifyLogRequest())


@pytest.fixture
def listed(stack, travelers):
    """Holder B on a watchlist, for one test."""
    list_id = make_watchlist(stack.settings, f"List {new_id()}")
    entry = watchlist_pb2.Entry(
        entry_id=new_id(),
        list_id=list_id,
        reason_code="T",
        source_reference="t/1",
        valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=1)),
    )
    with Person(stack.settings, LIST_MANAGER) as manager, Person(stack.settings, APPROVER) as approver:
        enrol = gateway_pb2.EnrolEntryRequest(entry=entry, pictures=[travelers.samples.b_portrait])
        manager.ask(manager.gateway.EnrolEntry, enrol)
        approver.ask(
            approver.watchlist.ApproveEntry, watchlist_pb2.ApproveEntryRequest(entry_id=entry.entry_id)
        )
        yield entry.entry_id
        manager.ask(manager.watchlist.RemoveEntry, watchlist_pb2.RemoveEntryRequest(entry_id=entry.entry_id))


def test_a_genuine_traveler_is_clear_and_the_record_says_why(stack, kiosk, travelers):
    answer = screen(kiosk, travelers.page_a, travelers.samples.a_live)
    found = record(stack, answer.request_id)
    assert answer.outcome == CLEAR, found.entry.event.traveler_screened.reasons
    assert found.payload.mrz.document.number == "U1CANARY1"
    assert found.payload.mrz.primary_identifier == "CANARYNAME"
    assert found.payload.comparison.score.fmr < 0.001
    assert {step.name for step in answer.steps if step.status == types_pb2.STEP_STATUS_DONE} == {
        "read_document",
        "live_template",
        "portrait_template",
        "compare",
        "search_watchlists",
        "look_back",
    }


def test_a_face_that_is_not_the_documents_refers(stack, kiosk, travelers):
    answer = screen(kiosk, travelers.page_a, travelers.samples.b_live)
    assert answer.outcome == REFER
    assert reasons(stack, answer) == ["FACE_NOT_THE_DOCUMENTS"]


def test_a_wrong_check_digit_refers(stack, kiosk, travelers):
    answer = screen(kiosk, travelers.page_wrong, travelers.samples.a_live)
    assert answer.outcome == REFER
    assert reasons(stack, answer) == ["CHECK_DIGIT_REFUTED"]


def test_a_listed_person_refers_with_candidate_and_list_until_removed(stack, kiosk, travelers, listed):
    answer = screen(kiosk, travelers.page_b, travelers.samples.b_live)
    assert answer.outcome == REFER
    found = record(stack, answer.request_id)
    assert found.entry.event.traveler_screened.reasons[0] == "WATCHLIST_CANDIDATE_BY_FACE"
    candidates = [
        candidate.entry_id for result in found.payload.watchlists for candidate in result.candidates
    ]
    assert candidates == [listed]
    with Person(stack.settings, LIST_MANAGER) as manager:
        entry = manager.ask(manager.watchlist.GetEntry, watchlist_pb2.GetEntryRequest(entry_id=listed)).entry
    assert entry.state == watchlist_pb2.ENTRY_STATE_ACTIVE
    assert not entry.templates


def test_the_kiosk_is_not_told_why_a_traveler_is_referred(kiosk, travelers, listed):
    answer = screen(kiosk, travelers.page_b, travelers.samples.b_live)
    assert not answer.advice
    assert b"WATCHLIST_CANDIDATE" not in answer.SerializeToString()
    assert listed.encode() not in answer.SerializeToString()


def test_nobody_in_the_picture_is_a_retake_with_advice(kiosk, travelers):
    answer = screen(kiosk, travelers.page_a, empty_scene())
    assert answer.outcome == RETAKE
    assert [problem.code for problem in answer.advice] == ["NO_FACE"]
    assert answer.advice[0].advice


def test_the_third_attempt_of_a_visit_ends_at_an_officer(kiosk):
    visit = Visit()
    outcomes = [kiosk.send(kiosk.request(visit, BLANK, [empty_scene()])).outcome for _ in range(3)]
    assert outcomes == [RETAKE, RETAKE, REFER]


def test_the_same_request_eight_times_at_once_is_one_decision(kiosk, travelers):
    request = kiosk.request(Visit(), BLANK, [travelers.samples.a_live])
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(kiosk.send, [request] * 8))
    assert len({(answer.event_id, answer.log_index, answer.outcome) for answer in answers}) == 1
    assert sum(not answer.already_answered for answer in answers) == 1
    assert kiosk.send(request).already_answered


def test_the_same_id_with_other_pictures_is_refused(kiosk, travelers):
    request = kiosk.request(Visit(), BLANK, [travelers.samples.a_live])
    kiosk.send(request)
    request.live_frames[0] = travelers.samples.b_live
    with pytest.raises(RemoteError) as caught:
        kiosk.send(request)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_two_kiosks_may_use_the_same_request_id(stack, kiosk, travelers):
    request = kiosk.request(Visit(), BLANK, [travelers.samples.a_live])
    with Kiosk(stack.settings, "kiosk/south/1") as other:
        first, second = kiosk.send(request), other.send(request)
    assert first.event_id != second.event_id


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("documents", "DOCUMENT_OPTICAL_NOT_CHECKED"),
        ("faces", "FACE_CAPTURE_NOT_CHECKED"),
        ("watchlist", "WATCHLIST_FACE_NOT_CHECKED"),
    ],
)
def test_a_service_that_is_down_refers_as_not_checked(stack, away, kiosk, travelers, service, reason):
    with away(service):
        answer = screen(kiosk, travelers.page_a, travelers.samples.a_live)
    assert answer.outcome == REFER
    assert reason in reasons(stack, answer)


def test_without_the_decision_log_there_is_no_outcome_and_afterwards_there_is(away, kiosk, travelers):
    request = kiosk.request(Visit(), travelers.page_a, [travelers.samples.a_live])
    with away("decisions"), pytest.raises(RemoteError) as caught:
        kiosk.send(request)
    assert (caught.value.code, caught.value.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "DECISION_LOG_UNAVAILABLE",
    )
    assert kiosk.send(request).outcome == CLEAR


def test_what_happened_to_the_lists_is_in_the_log(stack, listed):
    with Person(stack.settings, AUDITOR, "test") as auditor:
        request = decisions_pb2.QueryEventsRequest(
            kinds=[decisions_pb2.EVENT_KIND_WATCHLIST_ENTRY_APPROVED], page_size=500
        )
        for _ in range(50):  # the outbox delivers within a second, if nothing was just restarted
            entries = auditor.ask(auditor.decisions.QueryEvents, request).entries
            approved = {entry.event.watchlist_entry_approved.entry_id: entry for entry in entries}
            if listed in approved:
                break
            time.sleep(0.1)
    assert approved[listed].event.actor.subject == "dev-second"


def test_looking_is_itself_in_the_log_with_who_and_why(stack, kiosk):
    answer = screen(kiosk, BLANK, empty_scene())
    with Person(stack.settings, OFFICER, "complaint 4711") as officer:
        request = decisions_pb2.GetScreeningRequest(request_id=answer.request_id)
        officer.ask(officer.decisions.GetScreening, request)
    with Person(stack.settings, AUDITOR, "review") as auditor:
        query = decisions_pb2.QueryEventsRequest(kinds=[decisions_pb2.EVENT_KIND_RECORD_CONSULTED])
        entries = auditor.ask(auditor.decisions.QueryEvents, query).entries
    looked = [
        entry.event for entry in entries if entry.event.record_consulted.request_id == answer.request_id
    ]
    assert [(event.actor.subject, event.purpose) for event in looked] == [("dev", "complaint 4711")]


def test_the_log_is_intact(stack):
    check = verify(stack)
    assert check.intact, check.faults


def test_no_service_logs_personal_data(stack, kiosk, travelers):
    screen(kiosk, travelers.page_a, travelers.samples.a_live)
    logs = {name: stack.log_file(name).read_text("utf-8").upper() for name in SERVICES}
    assert all(logs.values())
    # Six digits also stand in hashes and in fractions of a second: a birth date stands alone.
    for canary in ("CANARYNAME", "U1CANARY1", "U2CANARY2", r"(?<![\w.-])810804(?![\w-])"):
        assert [name for name, text in logs.items() if re.search(canary, text)] == []


def test_no_personal_data_lies_in_clear_on_the_disk_of_the_log(stack, kiosk, travelers):
    screen(kiosk, travelers.page_a, travelers.samples.a_live)
    files = [path for path in stack.settings.state_dir.rglob("*") if path.is_file()]
    assert any("decisions" in path.name for path in files)
    for canary in (b"CANARYNAME", b"U1CANARY1"):
        assert [path.name for path in files if canary in path.read_bytes()] == []
