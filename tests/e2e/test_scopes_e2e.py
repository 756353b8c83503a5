"""People who are limited to a crossing see and do nothing at another: over the real services."""

from __future__ import annotations

from datetime import timedelta

import pytest

from borderpost.cli.people import AUDITOR, OFFICER, SUPERVISOR, Person
from borderpost.kiosk import Captured, Kiosk, Next, Visit
from borderpost.runtime.clock import SystemClock, to_timestamp
from borderpost.runtime.status import RemoteError
from borderpost.v1 import cases_pb2, decisions_pb2
from fakes.requests import small_picture

NORTH, SOUTH = ["crossing:north"], ["crossing:south"]


@pytest.fixture(scope="module")
def referred(stack):
    """The event and request id of somebody who was referred in the south."""
    with Kiosk(stack.settings, "kiosk/south/1") as kiosk:
        told = kiosk.screen(Visit(), Captured(small_picture(), declined=True))
    assert told.next is Next.OFFICER
    return told.answer.event_id, told.answer.request_id


def refused(person, method, request):
    with pytest.raises(RemoteError) as caught:
        person.ask(method, request)
    assert caught.value.reason == "OUT_OF_SCOPE", caught.value
    return True


def test_an_officer_of_another_crossing_can_neither_see_nor_touch_a_case(stack, referred):
    case_id, request_id = referred
    with Person(stack.settings, OFFICER, "a test", NORTH) as officer:
        assert refused(officer, officer.cases.GetCase, cases_pb2.GetCaseRequest(case_id=case_id))
        assert refused(officer, officer.cases.ClaimCase, cases_pb2.ClaimCaseRequest(case_id=case_id))
        assert refused(officer, officer.cases.ListCases, cases_pb2.ListCasesRequest(crossing="south"))
        wanted = decisions_pb2.GetScreeningRequest(request_id=request_id)
        assert refused(officer, officer.decisions.GetScreening, wanted)
        listed = officer.ask(officer.cases.ListCases, cases_pb2.ListCasesRequest(page_size=500))
    assert {case.crossing for case in listed.cases} <= {"north"}


def test_an_officer_of_the_crossing_works_on_it_as_ever(stack, referred):
    case_id, _ = referred
    with Person(stack.settings, OFFICER, "a test", SOUTH) as officer:
        listed = officer.ask(officer.cases.ListCases, cases_pb2.ListCasesRequest(page_size=500))
        assert case_id in {case.case_id for case in listed.cases}
        officer.ask(officer.cases.ClaimCase, cases_pb2.ClaimCaseRequest(case_id=case_id))
        officer.ask(officer.cases.ReleaseCase, cases_pb2.ReleaseCaseRequest(case_id=case_id))


def test_an_auditor_or_supervisor_of_a_crossing_counts_and_queries_that_one_alone(stack, referred):
    with Person(stack.settings, AUDITOR, "a test", NORTH) as auditor:
        request = decisions_pb2.QueryEventsRequest(page_size=500)
        entries = auditor.ask(auditor.decisions.QueryEvents, request).entries
        assert referred[0] not in {entry.event.event_id for entry in entries}
        wanted = decisions_pb2.QueryEventsRequest(crossing="south")
        assert refused(auditor, auditor.decisions.QueryEvents, wanted)
    today = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
    figures = decisions_pb2.GetFiguresRequest(until=to_timestamp(today + timedelta(days=1)))
    getattr(figures, "from").CopyFrom(to_timestamp(today))
    with Person(stack.settings, SUPERVISOR, "a test", SOUTH) as supervisor:
        days = supervisor.ask(supervisor.decisions.GetFigures, figures).days
        assert {day.crossing for day in days} <= {"south"}
        figures.crossing = "north"
        assert refused(supervisor, supervisor.decisions.GetFigures, figures)
