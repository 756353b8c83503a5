"""A record is decided again: the same outcome from the same findings, and what differs is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from borderpost.gateway.admission import Admission
from borderpost.gateway.app import Gateway
from borderpost.gateway.domain import ScreenRequest
from borderpost.gateway.looking import Services
from borderpost.gateway.replay import Replay
from borderpost.policy.model import BUILT_IN, load_policy
from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.status import RemoteError
from borderpost.v1 import types_pb2
from fakes.services import KIOSK_CALL, NOON, FakeDecisions, FakeDocuments, FakeFaces, FakeWatchlists

AUDITOR = replace(
    KIOSK_CALL,
    actor=Actor("borderpost.test", "dev"),
    roles=frozenset({Role.AUDITOR}),
    purpose="complaint 12/26",
)


class House:
    """A gateway over fakes, whose screenings are decided again."""

    def __init__(self):
        self.decisions = FakeDecisions()
        self.faces = FakeFaces()
        self.watchlists = FakeWatchlists()
        self.policy = load_policy(None)
        self.decisions.policies[self.policy.version] = self.policy.toml
        documents = FakeDocuments({b"DOC1": b"anna"})
        services = Services(documents, self.faces, self.watchlists, self.decisions)
        self.gateway = Gateway(services, lambda: self.policy, Admission(16, 16), commit_seconds=0.4)
        self.replaying = Replay(self.decisions, self.faces)

    async def screen(self, frame):
        request = ScreenRequest(
            request_id=new_id(),
            visit_id=new_id(),
            attempt=1,
            kiosk_id="kiosk/north/1",
            crossing="north",
            direction=types_pb2.DIRECTION_ENTRY,
            kiosk_time=NOON,
            received_at=NOON,
            page=b"DOC1",
            frames=(frame,),
        )
        await self.gateway.screen(request, KIOSK_CALL, 1.0)
        return request.request_id

    async def replay(self, request_id):
        return await self.replaying.replay("", request_id, AUDITOR, 1.0)


@pytest.fixture
def house():
    return House()


async def test_a_referred_traveler_is_decided_again_with_the_scores_of_the_templates_that_are_held(house):
    answer = await house.replay(await house.screen(b"bert"))
    assert answer.same
    assert answer.computed_from == "FINDINGS"
    assert answer.replayed_outcome == types_pb2.OUTCOME_REFER
    assert list(answer.replayed_reasons) == ["FACE_NOT_THE_DOCUMENTS"]
    assert [(score.step, score.same) for score in answer.scores] == [("compare", True)]
    assert answer.scores_not_computed == ""


async def test_the_log_is_asked_in_the_auditors_name_and_purpose(house):
    await house.replay(await house.screen(b"bert"))
    assert [call.purpose for call in house.decisions.consulted] == ["complaint 12/26"]


async def test_of_a_cleared_traveler_no_score_is_computed_for_nothing_is_held(house):
    answer = await house.replay(await house.screen(b"anna"))
    assert answer.same
    assert (answer.replayed_outcome, answer.scores_not_computed) == (types_pb2.OUTCOME_CLEAR, "NO_EVIDENCE")


async def test_findings_that_were_changed_in_the_record_come_to_something_else(house):
    request_id = await house.screen(b"bert")
    house.decisions.records[-1].payload.comparison.status = types_pb2.CHECK_STATUS_PASSED
    answer = await house.replay(request_id)
    assert not answer.same
    assert list(answer.differing_checks) == ["FACE_MATCH"]
    assert answer.recorded_outcome == types_pb2.OUTCOME_REFER
    assert answer.replayed_outcome == types_pb2.OUTCOME_CLEAR


async def test_an_outcome_that_was_changed_in_the_record_is_not_what_its_findings_come_to(house):
    request_id = await house.screen(b"anna")
    house.decisions.records[-1].screening.outcome = types_pb2.OUTCOME_REFER
    assert not (await house.replay(request_id)).same


async def test_a_score_that_was_changed_in_the_record_is_found(house):
    request_id = await house.screen(b"bert")
    house.decisions.records[-1].payload.comparison.score.value += 0.25
    answer = await house.replay(request_id)
    assert not answer.same
    assert [score.same for score in answer.scores] == [False]


async def test_what_was_erased_is_decided_again_from_the_recorded_checks(house):
    request_id = await house.screen(b"bert")
    house.decisions.erased = True
    answer = await house.replay(request_id)
    assert answer.same
    assert (answer.computed_from, answer.scores_not_computed) == ("CHECKS", "NO_EVIDENCE")


async def test_the_policy_of_the_record_decides_and_not_todays(house):
    stricter = BUILT_IN.read_text(encoding="utf-8").replace('"FACE_MATCH",', '"FACE_MATCH", "LIVENESS",')
    request_id = await house.screen(b"anna")
    house.decisions.policies[house.policy.version] = stricter.encode()
    answer = await house.replay(request_id)
    assert not answer.same
    assert answer.replayed_outcome == types_pb2.OUTCOME_REFER


async def test_a_policy_that_the_log_does_not_have_is_said(house):
    request_id = await house.screen(b"anna")
    house.decisions.policies.clear()
    with pytest.raises(RemoteError, match="policy") as raised:
        await house.replay(request_id)
    assert raised.value.reason == "POLICY_NOT_FOUND"


async def test_faces_that_are_away_leave_the_outcome_to_be_told(house):
    request_id = await house.screen(b"bert")
    house.faces.compare_mood.error = UnavailableError("away")
    answer = await house.replay(request_id)
    assert answer.same
    assert answer.scores_not_computed == "FACES_UNAVAILABLE"
