"""Cases: whatever officers do and when, nobody else acts on a case that is held, and no finding counts twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from borderpost.decisions.adapters.sql_cases import CasesView, SqlCases
from borderpost.decisions.adapters.sql_views import ViewRow
from borderpost.decisions.cases.app import Cases, Shown
from borderpost.decisions.cases.domain import CASE_BODIES, CLAIMED, CLOSED, ESCALATED, FOUND, OPEN, apply
from borderpost.decisions.cases.errors import (
    CaseHeldError,
    CaseNotYoursError,
    CaseStateError,
    FindingAlreadyYoursError,
    SupervisorNeededError,
)
from borderpost.decisions.cases.opening import opening
from borderpost.decisions.cases.ports import CaseFilter
from borderpost.decisions.domain import case_once, new_event
from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.clock import from_timestamp, new_id
from borderpost.runtime.errors import BorderpostError, InvalidRequestError
from borderpost.v1.cases_pb2 import GiveFindingRequest, RecordFirstLookRequest
from borderpost.v1.decisions_pb2 import CandidateFinding, FindingVerdict, ReferralTerms
from borderpost.v1.watchlist_pb2 import MatchKind
from fakes.decisions import MemoryKeys, MemoryLog, SettableClock, a_call, a_payload, a_screening
from fakes.subject_site import DATABASES

CANNOT_TELL = FindingVerdict.FINDING_VERDICT_CANNOT_TELL


class Desk:
    """Cases over a log in memory and a view in a real database."""

    def __init__(self, database: Any) -> None:
        self.clock, self.keys, self.view = SettableClock(), MemoryKeys(), CasesView()
        self.log, self.database, self.upto = MemoryLog(self.clock), database, 0
        self.lock = threading.Lock()
        self.index = SqlCases(database, self.catch_up)
        self.payload = a_payload()
        opens = lambda case_id, evidence: (self.log.find(case_id), self.payload, None)  # noqa: E731
        self.cases = Cases(self.log, self.index, opens, self.keys, self.clock, timedelta(minutes=10))

    def open(self, second: bool = False, priority: int = 5, own_look_first: bool = False) -> str:
        case_id = new_id()
        self.keys.put_many({case_id: bytes(32)})
        terms = ReferralTerms(priority=priority, second_finding=second, own_look_first=own_look_first)
        event = opening(a_screening(), case_id, [], terms, self.clock.now(), Actor("x", "kiosk/north/7"))
        self.log.append([new_event(event, case_once(case_id, 1))])
        return case_id

    def catch_up(self, at_once: int = 500) -> None:
        with self.lock, self.database.transaction() as connection:
            while records := list(self.log.records(self.upto, self.upto + at_once)):
                self.view.apply(connection, [ViewRow(r.index, r.stored, r.logged_at) for r in records])
                self.upto += len(records)

    def rows(self) -> list[tuple[Any, ...]]:
        with self.database.read() as connection:
            return [tuple(row[k] for k in ("case_id", "version", "state", "holder", "lease_until", "body"))
                    for row in connection.execute("SELECT * FROM cases ORDER BY case_id")]  # fmt: skip


@pytest.fixture(params=DATABASES)
def desk(request: pytest.FixtureRequest, tmp_path) -> Iterator[Desk]:
    database = DATABASES[request.param](tmp_path)
    yield Desk(database)
    database.close()


def who(name: str, role: Role = Role.OFFICER) -> Any:
    call = a_call("check", role)
    object.__setattr__(call, "actor", Actor("borderpost.local", name))
    return call


def finding(case_id: str, document: int = 1) -> GiveFindingRequest:
    return GiveFindingRequest(case_id=case_id, document=document, disposition=1, note="n")


def by_face(desk: Desk) -> list[CandidateFinding]:
    """Have everybody be like somebody on a list; return what a look at it says."""
    result = desk.payload.watchlists.add()
    result.watchlist.list_id = "wanted"
    candidate = result.candidates.add(entry_id="one", kind=MatchKind.MATCH_KIND_FACE)
    candidate.score.value, candidate.odds.probability = 0.9, 0.5
    desk.payload.comparison.score.value = 0.8
    result.candidates.add(entry_id="two", kind=MatchKind.MATCH_KIND_NAME).name.score = 0.7
    return [CandidateFinding(list_id="wanted", entry_id="one", verdict=CANNOT_TELL)]


def opinions(shown: Shown) -> tuple[bool, bool, bool, bool]:
    """Whether it is said to be withheld, and what of score, odds and comparison is there all the same."""
    assert shown.payload is not None
    face, name = shown.payload.watchlists[0].candidates
    assert name.name.score  # no face: nothing to be led by
    return shown.withheld, face.HasField("score"), face.HasField("odds"), shown.payload.HasField("comparison")


def test_what_the_system_makes_of_faces_comes_after_the_officers_own_look(desk):
    said = by_face(desk)
    case_id = desk.open(second=True, own_look_first=True)
    with pytest.raises(CaseNotYoursError):
        desk.cases.record_first_look(RecordFirstLookRequest(case_id=case_id, candidates=said), who("a"))
    desk.cases.claim(case_id, who("a"))
    assert opinions(desk.cases.get_case(case_id, False, who("a"))) == (True, False, False, False)
    assert opinions(desk.cases.get_case(case_id, False, who("an auditor", Role.AUDITOR)))[0] is False
    desk.cases.record_first_look(RecordFirstLookRequest(case_id=case_id, candidates=said), who("a"))
    shown = desk.cases.get_case(case_id, False, who("a"))
    assert opinions(shown) == (False, True, True, True)
    assert shown.look is not None
    assert list(shown.look.candidates) == said
    with pytest.raises(CaseStateError):
        desk.cases.record_first_look(RecordFirstLookRequest(case_id=case_id, candidates=said), who("a"))

    given = finding(case_id)
    given.candidates.add(list_id="wanted", entry_id="one", verdict=1)
    given.candidates.add(list_id="wanted", entry_id="two", verdict=2)
    desk.cases.give_finding(given, who("a"))
    (found,) = desk.cases.get_case(case_id, False, who("a")).findings
    assert found[1] is not None
    assert [each.first_look for each in found[1].candidates] == [CANNOT_TELL, 0]

    desk.cases.claim(case_id, who("b"))
    shown = desk.cases.get_case(case_id, False, who("b"))
    assert opinions(shown) == (True, False, False, False)
    assert shown.look is None  # another's is not theirs
    desk.cases.give_finding(given, who("b"))
    assert (
        opinions(desk.cases.get_case(case_id, False, who("c")))[0] is False
    )  # closed: nobody finds any more


@pytest.mark.parametrize("wrong", ["none", "another", "twice", "one without a face"])
def test_a_first_look_is_of_each_candidate_by_face_and_of_no_other(desk, wrong):
    (said,) = by_face(desk)
    case_id = desk.open(own_look_first=True)
    desk.cases.claim(case_id, who("a"))
    looks = {
        "none": [],
        "another": [CandidateFinding(list_id="wanted", entry_id="three", verdict=CANNOT_TELL)],
        "twice": [said, said],
        "one without a face": [said, CandidateFinding(list_id="wanted", entry_id="two", verdict=CANNOT_TELL)],
    }[wrong]
    with pytest.raises(InvalidRequestError):
        desk.cases.record_first_look(RecordFirstLookRequest(case_id=case_id, candidates=looks), who("a"))


@pytest.mark.parametrize("second", [False, True])
def test_who_escalated_a_case_does_not_settle_it_alone(desk, second):
    case_id = desk.open(second=True)
    if second:
        desk.cases.claim(case_id, who("first"))
        desk.cases.give_finding(finding(case_id), who("first"))
    desk.cases.claim(case_id, who("ann", Role.SUPERVISOR))
    desk.cases.escalate(case_id, "SECOND_OPINION", who("ann", Role.SUPERVISOR))
    with pytest.raises(SupervisorNeededError):
        desk.cases.claim(case_id, who("ann", Role.SUPERVISOR))
    desk.cases.claim(case_id, who("ben", Role.SUPERVISOR))
    assert desk.cases.give_finding(finding(case_id), who("ben", Role.SUPERVISOR)).state == CLOSED


def test_of_two_who_claim_at_once_one_gets_it_and_the_other_is_told(desk):
    with ThreadPoolExecutor(2) as pool:
        for _ in range(100):
            case_id, start = desk.open(), threading.Barrier(2)

            def claim(name: str, case_id: str = case_id, start: threading.Barrier = start) -> str:
                start.wait()
                try:
                    desk.cases.claim(case_id, who(name))
                except CaseHeldError:
                    return "held"
                return "got"

            assert sorted(pool.map(claim, "ab")) == ["got", "held"]


def test_a_second_officer_is_another_person_blind_and_a_supervisor_settles(desk):
    case_id = desk.open(second=True)
    desk.cases.claim(case_id, who("a"))
    assert desk.cases.give_finding(finding(case_id), who("a")).state == FOUND
    with pytest.raises(FindingAlreadyYoursError):
        desk.cases.claim(case_id, who("a", Role.SUPERVISOR))
    desk.cases.claim(case_id, who("b"))
    assert desk.cases.get_case(case_id, False, who("b")).findings == ()
    assert desk.cases.get_case(case_id, False, who("a")).findings[0][1].note == "n"
    assert desk.cases.give_finding(finding(case_id, 2), who("b")).state == ESCALATED
    with pytest.raises(SupervisorNeededError):
        desk.cases.claim(case_id, who("c"))
    desk.cases.claim(case_id, who("d", Role.SUPERVISOR))
    assert desk.cases.give_finding(finding(case_id), who("d", Role.SUPERVISOR)).state == CLOSED
    with pytest.raises(CaseStateError):
        desk.cases.claim(case_id, who("c"))


def test_the_queue_says_how_many_wait_however_few_are_on_a_page(desk):
    for _ in range(3):
        desk.open()
    first = desk.cases.list_cases(CaseFilter(), None, 2)
    assert (len(first.cases), first.total) == (2, 3)
    assert desk.cases.list_cases(CaseFilter(), first.behind, 2).total == 3
    assert desk.cases.list_cases(CaseFilter(crossing="nowhere"), None, 2).total == 0
    assert desk.cases.list_cases(CaseFilter(reasons=frozenset({"X"})), None, 2).total is None


def test_a_closed_case_is_corrected_by_a_supervisor_who_found_nothing_in_it(desk):
    case_id = desk.open()
    boss, other = who("boss", Role.SUPERVISOR), who("other", Role.SUPERVISOR)
    with pytest.raises(CaseStateError):
        desk.cases.correct_finding(finding(case_id, 2), boss)
    desk.cases.claim(case_id, who("a"))
    desk.cases.give_finding(finding(case_id), who("a"))
    with pytest.raises(FindingAlreadyYoursError):
        desk.cases.correct_finding(finding(case_id, 2), who("a", Role.SUPERVISOR))
    corrected = desk.cases.correct_finding(finding(case_id, 2), boss)
    assert (corrected.state, corrected.finding.document) == (CLOSED, 2)
    with pytest.raises(FindingAlreadyYoursError):
        desk.cases.correct_finding(finding(case_id, 3), boss)
    again = desk.cases.correct_finding(finding(case_id, 3), other)
    assert [each.body.document for each in again.findings] == [1, 2, 3]
    shown = desk.cases.get_case(case_id, False, who("auditor", Role.AUDITOR))
    assert [payload.note for _, payload in shown.findings] == ["n", "n", "n"]
    assert desk.cases.list_cases(CaseFilter(frozenset({CLOSED})), None, 5).cases[0].finding.document == 3


def test_a_claim_ends_by_itself(desk):
    case_id = desk.open()
    desk.cases.claim(case_id, who("a"))
    assert desk.cases.list_cases(CaseFilter(frozenset({CLAIMED})), None, 5).cases[0].case_id == case_id
    desk.clock.time += timedelta(minutes=10)
    assert desk.cases.list_cases(CaseFilter(frozenset({OPEN})), None, 5).cases[0].case_id == case_id
    with pytest.raises(CaseNotYoursError):
        desk.cases.give_finding(finding(case_id), who("a"))


def test_after_any_history_the_view_made_anew_is_the_same_and_no_person_found_twice(desk):
    dice = random.Random(7)  # noqa: S311
    ids = [desk.open(bool(n % 2), 1 + n % 3) for n in range(8)]
    for _ in range(300):
        case_id, role = dice.choice(ids), dice.choice([Role.OFFICER, Role.SUPERVISOR])
        call, desk.clock.time = who(dice.choice("abcd"), role), desk.clock.time + timedelta(minutes=1)
        steps = [
            lambda c=case_id, w=call: desk.cases.claim(c, w),
            lambda c=case_id, w=call: desk.cases.claim(c, w),
            lambda c=case_id, w=call: desk.cases.release(c, w),
            lambda c=case_id, w=call: desk.cases.escalate(c, "X", w),
            lambda c=case_id, w=call: desk.cases.give_finding(finding(c, dice.choice([1, 2])), w),
        ]
        try:
            dice.choice(steps)()
        except BorderpostError:
            continue
    desk.catch_up()
    before, desk.upto = desk.rows(), 0
    with desk.database.transaction() as connection:
        desk.view.clear(connection)
    desk.catch_up(at_once=3)
    assert desk.rows() == before
    replayed: dict[str, Any] = {}
    for record in desk.log.records(0, desk.log.size()):
        event = record.event()
        if event.WhichOneof("body") in CASE_BODIES:
            old = replayed.get(event.subject)
            assert old is None or old.state != CLOSED
            replayed[event.subject] = apply(old, event, from_timestamp(event.time))
    for case_id in ids:
        people = [f.officer.subject.rpartition("/")[2] for f in replayed[case_id].findings]
        assert len(people) == len(set(people))
        assert desk.index.get(case_id) == replayed[case_id]
    assert any(case.state == CLOSED for case in replayed.values())


def test_pages_follow_on_each_other(desk):
    ids = {desk.open(priority=1 + n % 3) for n in range(7)}
    first = desk.cases.list_cases(CaseFilter(reasons={"FACE_NOT_MATCHED"}), None, 4)
    second = desk.cases.list_cases(CaseFilter(), first.behind, 4)
    found = [*first.cases, *second.cases]
    assert {case.case_id for case in found} == ids
    assert len(found) == 7
    assert second.behind is None
    assert [c.opened.priority for c in found] == sorted(c.opened.priority for c in found)
