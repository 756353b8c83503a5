"""The kiosk's two clients, for threads and for an event loop, over a real connection: the same in every respect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import grpc
import pytest

from borderpost.kiosk import AsyncKiosk, Captured, Kiosk, Next, Spool, Visit
from borderpost.kiosk.answers import OWN_FAULTS
from borderpost.kiosk.spool import SpoolError
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import (
    BorderpostError,
    InternalError,
    NotPermittedError,
    OverloadedError,
    PictureDamagedError,
    UnavailableError,
)
from borderpost.runtime.status import RemoteError
from borderpost.v1 import types_pb2
from fakes.gateway import KIOSK, FakeGateway, serving

CAPTURED = Captured(page=b"page", frames=(b"face",))
DOWN = UnavailableError("down")


class Site:
    """A kiosk with a spool at a gateway; `screen` and `submit_kept` by the client that is tested."""

    def __init__(self, gateway: FakeGateway, settings, spool: Spool, kind: str) -> None:
        self.gateway = gateway
        self.settings = settings
        self.spool = spool
        self.kind = kind

    def screen(self, captured=CAPTURED, visit=None, seconds=8.0, spool=True):
        return self._do("screen", visit or Visit(), captured, "de", seconds, spool=spool)

    def submit_kept(self):
        return self._do("submit_kept")

    def in_background(self, then, until) -> None:
        """Submit in the background every 50 ms; then do something, and wait for something."""

        async def do():
            async with AsyncKiosk(self.settings, KIOSK, spool=self.spool) as kiosk:
                kiosk.submit_in_background(0.05)
                await asyncio.sleep(0.3)
                then()
                while not until():  # noqa: ASYNC110  what it waits for happens elsewhere
                    await asyncio.sleep(0.05)

        if self.kind == "event loop":
            asyncio.run(asyncio.wait_for(do(), 10))
            return
        with Kiosk(self.settings, KIOSK, spool=self.spool) as kiosk:
            kiosk.submit_in_background(0.05)
            time.sleep(0.3)
            then()
            ends = time.monotonic() + 10
            while not until() and time.monotonic() < ends:
                time.sleep(0.05)

    def _do(self, method, *arguments, spool=True):
        kept = self.spool if spool else None
        if self.kind == "threads":
            with Kiosk(self.settings, KIOSK, spool=kept) as kiosk:
                return getattr(kiosk, method)(*arguments)

        async def do():
            async with AsyncKiosk(self.settings, KIOSK, spool=kept) as kiosk:
                return await getattr(kiosk, method)(*arguments)

        return asyncio.run(do())


@pytest.fixture(params=["threads", "event loop"])
def site(request, tmp_path) -> Iterator[Site]:
    with serving(tmp_path / "state") as (gateway, settings):
        yield Site(gateway, settings, Spool(tmp_path / "spool", settings, KIOSK), request.param)


@pytest.mark.parametrize(
    ("outcome", "where"),
    [
        (types_pb2.OUTCOME_CLEAR, Next.GO),
        (types_pb2.OUTCOME_REFER, Next.OFFICER),
        (types_pb2.OUTCOME_RETAKE, Next.AGAIN),
        (99, Next.OFFICER),
    ],
)
def test_an_outcome_says_where_the_traveler_goes_and_an_unknown_one_is_an_officers(site, outcome, where):
    site.gateway.script.append(outcome)
    told = site.screen()
    assert (told.next, told.reason, told.kept) == (where, "", False)
    assert [problem.code for problem in told.advice] == (["NO_FACE"] if where is Next.AGAIN else [])


def test_what_was_captured_is_what_is_sent(site):
    visit = Visit(types_pb2.DIRECTION_EXIT, group_id=new_id())
    site.screen(Captured(page=b"page", declined=True, portrait_page=b"back"), visit)
    [asked] = site.gateway.asked
    assert (asked.document_page, asked.portrait_page, list(asked.live_frames)) == (b"page", b"back", [])
    assert (asked.face_matching_declined, asked.group_id) == (True, visit.group_id)
    assert (asked.visit_id, asked.attempt, asked.language) == (visit.visit_id, 1, "de")
    assert asked.direction == types_pb2.DIRECTION_EXIT


def test_a_busy_gateway_is_asked_again_when_it_said_and_with_the_same_request(site):
    site.gateway.script.extend([OverloadedError("busy", retry_after_ms="100")] * 2)
    assert site.screen().next is Next.GO
    assert len({asked.request_id for asked in site.gateway.asked}) == 1
    assert len(site.gateway.asked) == 3


def test_a_gateway_that_stays_busy_for_longer_than_there_is_time_makes_an_officer(site):
    site.gateway.script.append(OverloadedError("busy", retry_after_ms="20000"))
    told = site.screen(spool=False)
    assert (told.next, told.reason, told.kept) == (Next.OFFICER, "OVERLOADED", False)


def test_an_outage_makes_an_officer_and_without_a_spool_nothing_is_kept(site):
    site.gateway.away = True
    told = site.screen(spool=False)
    assert (told.next, told.reason, told.kept, told.answer) == (Next.OFFICER, "UNAVAILABLE", False, None)


def test_an_outage_keeps_what_was_captured_and_it_is_submitted_when_the_gateway_is_back(site):
    site.submit_kept()  # fetches the key
    site.gateway.away = True
    told = site.screen()
    assert (told.next, told.kept) == (Next.OFFICER, True)
    with pytest.raises(RemoteError):
        site.submit_kept()
    assert len(site.spool.waiting()) == 1
    site.gateway.away = False
    assert site.submit_kept() == 1
    [submitted] = site.gateway.submitted
    assert submitted.document_page == b"page"
    assert (site.spool.waiting(), site.submit_kept()) == ([], 0)


def test_without_a_key_of_the_gateway_nothing_can_be_kept_and_the_traveler_is_told_all_the_same(site):
    site.gateway.away = True
    told = site.screen()
    assert (told.next, told.kept) == (Next.OFFICER, False)


def test_what_the_gateway_refuses_for_good_is_set_aside_and_does_not_hold_up_the_rest(site):
    site.submit_kept()
    site.gateway.away = True
    site.screen()
    site.gateway.away = False
    site.gateway.refuses_kept = PictureDamagedError("no picture")
    assert site.submit_kept() == 0
    assert site.spool.waiting() == []
    [refused] = site.spool.refused()
    assert ".PICTURE_DAMAGED." in refused.name


class RefusalError(BorderpostError):
    """What a gateway may answer; the code is the test's."""

    reason = "OF_THE_TEST"

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__("of the test")
        self.code = code


ALL_CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


@pytest.mark.parametrize("code", ALL_CODES, ids=str)
def test_whatever_the_gateway_answers_the_traveler_is_told_something_but_for_the_callers_own_faults(
    site, code
):
    site.gateway.script.extend([RefusalError(code)] * 20)
    if code in OWN_FAULTS:
        with pytest.raises(RemoteError):
            site.screen(seconds=1.0, spool=False)
    else:
        assert site.screen(seconds=1.0, spool=False).next is Next.OFFICER


def keeps(site, count: int) -> None:
    site.submit_kept()
    site.gateway.away = True
    for _ in range(count):
        assert site.screen(seconds=1.0).kept
    site.gateway.away = False


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS], ids=str)
def test_a_capture_that_the_gateway_fails_over_does_not_hold_up_those_behind_it(site, code):
    keeps(site, 1)
    for _ in range(3):
        site.gateway.away = True
        assert site.screen(seconds=1.0).kept
        site.gateway.away = False
        site.gateway.refusals.append(RefusalError(code))
        assert site.submit_kept() == 1
    assert (len(site.gateway.submitted), site.spool.waiting()) == (3, [])
    [aside] = site.spool.refused()
    assert ".OF_THE_TEST." in aside.name


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN], ids=str)
def test_a_gateway_that_fails_over_everything_loses_nothing_however_often_it_is_tried(site, code):
    keeps(site, 3)
    site.gateway.refuses_kept = RefusalError(code)
    for _ in range(5):
        with pytest.raises(RemoteError):
            site.submit_kept()
    assert [kept.tries for kept in site.spool.waiting()] == [0, 0, 0]
    site.gateway.refuses_kept = None
    assert site.submit_kept() == 3


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.UNIMPLEMENTED], ids=str)
def test_a_call_that_was_given_up_or_is_not_known_is_no_failure_of_the_capture(site, code):
    keeps(site, 2)
    site.gateway.refusals.append(RefusalError(code))
    with pytest.raises(RemoteError):
        site.submit_kept()
    assert [kept.tries for kept in site.spool.waiting()] == [0, 0]


def test_while_one_submits_another_does_not_and_a_file_that_is_moved_away_is_no_fault(site):
    keeps(site, 2)
    with site.spool.submitting() as run:
        requests = run.requests()
        next(requests)
        with pytest.raises(SpoolError, match="another program"):
            site.submit_kept()
        for kept in site.spool.waiting():
            kept.path.unlink()
        assert list(requests) == []


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED], ids=str
)
def test_a_kiosk_that_is_shut_out_meanwhile_keeps_all_that_waits(site, code):
    keeps(site, 2)
    site.gateway.refuses_kept = RefusalError(code)
    with pytest.raises(RemoteError):
        site.submit_kept()
    assert (len(site.spool.waiting()), site.spool.refused()) == (2, [])


def test_a_capture_that_the_gateway_has_no_key_for_waits_and_others_are_taken(site):
    keeps(site, 2)
    for _ in range(5):
        site.gateway.refusals.append(RefusalError(grpc.StatusCode.FAILED_PRECONDITION))
        site.submit_kept()
    assert (len(site.spool.waiting()), len(site.gateway.submitted)) == (1, 1)
    assert site.submit_kept() == 1


def test_what_waits_is_submitted_in_the_background_when_the_gateway_is_back(site):
    keeps(site, 2)
    site.gateway.away = True
    site.in_background(lambda: setattr(site.gateway, "away", False), lambda: len(site.gateway.submitted) == 2)
    assert site.spool.waiting() == []


def test_a_fault_of_the_gateway_is_an_officers_and_of_the_capture_an_error(site):
    site.gateway.script.extend([InternalError("fault"), PictureDamagedError("document_page: truncated")])
    assert site.screen(spool=False).next is Next.OFFICER
    with pytest.raises(RemoteError, match="document_page: truncated"):
        site.screen()
    assert site.spool.waiting() == []


def test_a_kiosk_that_is_shut_out_sends_travelers_to_an_officer_and_keeps_nothing(site):
    site.submit_kept()
    site.gateway.script.append(NotPermittedError("not you"))
    told = site.screen()
    assert (told.next, told.reason, told.kept) == (Next.OFFICER, "NOT_PERMITTED", False)
