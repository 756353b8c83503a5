"""SubjectsService on the wire, over real tables; and what the service erases by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from borderpost.decisions.subjects import background
from borderpost.decisions.subjects.app import SUBJECT_REQUEST, Subjects
from borderpost.decisions.subjects.background import Upkeep
from borderpost.decisions.subjects.rectifying import Rectifying
from borderpost.decisions.subjects.retention import Retention
from borderpost.decisions.subjects.rules import load_rules
from borderpost.decisions.subjects.servicer import SubjectsServicer
from borderpost.runtime.calls import enter
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import subjects_pb2 as pb
from borderpost.v1.types_pb2 import Outcome
from fakes.decisions import MemoryKeys
from fakes.subject_site import (
    DOCUMENT,
    ITSELF,
    LeafProver,
    SubjectSite,
    a_supervisor_call,
    signed,
    sqlite_database,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SubjectSite]:
    database = sqlite_database(tmp_path)
    yield SubjectSite(database, MemoryKeys())
    database.close()


@pytest.fixture
def subjects(site: SubjectSite) -> Subjects:
    origin = "borderpost.local/decisions"
    return Subjects(
        site.log, site.keys, site.store, site.lookups, LeafProver(site), signed, origin, site.clock, list
    )


@pytest.fixture
def retention(site: SubjectSite) -> Retention:
    return Retention(load_rules(None), site.log, site.keys, site.store, lambda *_: "note", site.clock)


@pytest.fixture
def servicer(site: SubjectSite, subjects: Subjects, retention: Retention) -> Iterator[SubjectsServicer]:
    pool = WorkPool(1, 4)
    enter(a_supervisor_call())
    rectifying = Rectifying(site.log, None, site.keys, site.store, site.clock)
    yield SubjectsServicer(subjects, rectifying, retention, pool)
    pool.close()


async def test_a_subject_is_found_and_erased_and_then_not_found_any_more(site, servicer):
    screened = site.screen()
    site.open_case(screened)
    site.close_case(screened)
    enter(a_supervisor_call())
    (held,) = (await servicer.FindSubject(pb.FindSubjectRequest(document=DOCUMENT), None)).screenings
    assert held.event_id == screened.event_id
    assert held.crossing == "north"
    assert held.outcome == Outcome.OUTCOME_REFER
    assert held.payload_held
    assert held.evidence_held
    request = pb.EraseSubjectRequest(document=DOCUMENT, basis=SUBJECT_REQUEST)
    answer = await servicer.EraseSubject(request, None)
    assert answer.screenings == 1
    assert screened.event_id in answer.receipt
    assert not (await servicer.FindSubject(pb.FindSubjectRequest(document=DOCUMENT), None)).screenings
    again = pb.EraseSubjectRequest(event_ids=[screened.event_id], basis=SUBJECT_REQUEST)
    assert (await servicer.EraseSubject(again, None)).screenings == 1


async def test_bad_requests_reach_no_use_case(site, servicer):
    enter(a_supervisor_call())
    with pytest.raises(InvalidRequestError):
        await servicer.FindSubject(pb.FindSubjectRequest(), None)
    with pytest.raises(InvalidRequestError):
        await servicer.EraseSubject(pb.EraseSubjectRequest(document=DOCUMENT), None)
    assert site.kinds() == []


async def test_retention_is_shown_and_applied_in_the_name_of_who_asked(site, servicer):
    site.screen(Outcome.OUTCOME_CLEAR)
    enter(a_supervisor_call("clean up"))
    before = await servicer.GetRetention(pb.GetRetentionRequest(), None)
    assert sum(each.overdue for each in before.classes) == 1
    applied = await servicer.ApplyRetention(pb.ApplyRetentionRequest(), None)
    assert (applied.evidence, applied.payloads, applied.events) == (1, 0, 0)
    after = await servicer.GetRetention(pb.GetRetentionRequest(), None)
    assert sum(each.overdue for each in after.classes) == 0
    assert after.HasField("last_applied")
    (event,) = site.events("retention_applied")
    assert event.actor.subject == "dev"
    assert event.purpose == "clean up"


async def test_the_service_finishes_erasures_and_applies_the_rules_by_itself_and_goes_on_after_an_outage(
    site, subjects, retention, monkeypatch
):
    monkeypatch.setattr(background, "APPLY_SECONDS", 0.01)
    screened = site.screen()
    site.screen(Outcome.OUTCOME_CLEAR, number="OTHER1234")
    event = subjects._erasure([screened.event_id], SUBJECT_REQUEST, "x", a_supervisor_call())
    site.log.append([event])  # and then it crashed
    site.keys.down = True
    task = asyncio.create_task(Upkeep(subjects, retention, ITSELF).run())
    await asyncio.sleep(0.1)
    assert not task.done()
    assert len(site.keys.keys) == 4
    site.keys.down = False
    async with asyncio.timeout(10):
        while len(site.keys.keys) > 1:  # noqa: ASYNC110  # keys tell nobody
            await asyncio.sleep(0.01)
    task.cancel()
    assert site.store.recorded_erasures() == []
