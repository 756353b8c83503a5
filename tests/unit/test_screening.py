"""ScreenTraveler's use case, over fakes that fail, hang and lie."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from structlog.testing import capture_logs

from borderpost.decisions import validate as log_limits
from borderpost.gateway.admission import Admission
from borderpost.gateway.app import Gateway, draw
from borderpost.gateway.domain import CHIP_FILES, Findings, ScreenRequest
from borderpost.gateway.errors import DecisionLogUnavailableError, RequestIdReusedError
from borderpost.gateway.looking import Services, holder_sha256
from borderpost.gateway.record import MAX_CANDIDATE_BYTES, MAX_PAIR_BYTES
from borderpost.gateway.replay import decided_again
from borderpost.gateway.servicer import GatewayServicer
from borderpost.policy.model import Gallery, Patterns, Sample, load_policy
from borderpost.runtime import calls
from borderpost.runtime.clock import SystemClock, new_id, to_timestamp
from borderpost.runtime.errors import OverloadedError, PictureDamagedError
from borderpost.runtime.templates import MAX_MODEL_ID
from borderpost.v1 import documents_pb2, gateway_pb2, types_pb2, watchlist_pb2
from borderpost.watchlist import validate as limits
from borderpost.watchlist.app import MOST_LISTS
from fakes.services import (
    DAMAGED,
    DOWN,
    KIOSK_CALL,
    NOBODY,
    NOON,
    UNREADABLE,
    FakeDecisions,
    FakeDocuments,
    FakeFaces,
    FakeWatchlists,
    Mood,
)

SECONDS = 1.0


class Border:
    """A gateway over fakes, in a world of two people with a document each."""

    def __init__(self, policy=None, draw=draw):
        self.documents = FakeDocuments({b"DOC1": b"anna", b"DOC2": b"bert"})
        self.faces = FakeFaces()
        self.watchlists = FakeWatchlists()
        self.decisions = FakeDecisions()
        services = Services(self.documents, self.faces, self.watchlists, self.decisions)
        self.policy = policy or load_policy(None)
        self.gateway = Gateway(services, lambda: self.policy, Admission(16, 16), 0.4, draw)

    async def screen(self, page=b"DOC1", frame=b"anna", **changes):
        screened = await self.gateway.screen(request(page, frame, **changes), KIOSK_CALL, SECONDS)
        self.want_the_same_from_the_record(self.decisions.records[-1])
        return screened

    def want_the_same_from_the_record(self, record):
        """Whatever a test here screens is decided again from its record, and has to come to the same."""
        screening = record.screening
        again = decided_again(self.policy.policy, screening, record.payload)
        assert types_pb2.Outcome.Value(f"OUTCOME_{again.decision.outcome}") == screening.outcome
        assert again.decision.reasons == tuple(screening.reasons)
        assert [(check.kind, check.reasons) for check in again.checks] == [
            (check.name, tuple(check.reasons)) for check in screening.checks
        ]
        assert again.computed_from == "FINDINGS"

    async def outcome(self, *args, **changes):
        screening = (await self.screen(*args, **changes)).entry.event.traveler_screened
        return types_pb2.Outcome.Name(screening.outcome).removeprefix("OUTCOME_"), tuple(screening.reasons)


def request(page=b"DOC1", frame=b"anna", **changes):
    made = ScreenRequest(
        request_id=new_id(),
        visit_id=new_id(),
        attempt=1,
        kiosk_id="kiosk/north/1",
        crossing="north",
        direction=types_pb2.DIRECTION_ENTRY,
        kiosk_time=NOON,
        received_at=NOON,
        page=page,
        frames=(frame,),
    )
    return replace(made, **changes)


@pytest.fixture
def border():
    return Border()


async def test_a_genuine_traveler_is_clear(border):
    assert await border.outcome() == ("CLEAR", ())


async def test_a_face_that_is_not_the_documents_refers(border):
    assert await border.outcome(b"DOC1", b"bert") == ("REFER", ("FACE_NOT_THE_DOCUMENTS",))


async def test_a_wrong_check_digit_refers(border):
    border.documents.refuted.add(b"DOC1")
    assert await border.outcome() == ("REFER", ("CHECK_DIGIT_REFUTED",))


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (b"anna", "WATCHLIST_CANDIDATE_BY_FACE"),
        (b"DOC1", "WATCHLIST_CANDIDATE_BY_DOCUMENT"),
        (b"SPECIMEN", "WATCHLIST_CANDIDATE_BY_NAME"),
    ],
)
async def test_a_candidate_refers(border, wanted, reason):
    border.watchlists.wanted.add(wanted)
    assert await border.outcome() == ("REFER", (reason,))


def referring_suppressed():
    standard = load_policy(None)
    return replace(standard, policy=standard.policy.model_copy(update={"refer_suppressed": True}))


SUPPRESSIBLE = pytest.mark.parametrize(
    ("whom", "check"), [(b"anna", "WATCHLIST_FACE"), (b"SPECIMEN", "WATCHLIST_NAME")]
)


@SUPPRESSIBLE
async def test_a_suppressed_candidate_does_not_refer_by_itself_and_the_record_says_so(border, whom, check):
    border.watchlists.suppressed.add(whom)
    assert await border.outcome() == ("CLEAR", ())
    [record] = border.decisions.records
    noted = {made.name: (made.status, list(made.reasons)) for made in record.screening.checks if made.reasons}
    assert noted[check] == (types_pb2.CHECK_STATUS_PASSED, ["WATCHLIST_CANDIDATE_SUPPRESSED"])
    [candidate] = record.payload.watchlists[0].candidates
    assert candidate.suppressed.suppression_id == "suppression"


@SUPPRESSIBLE
async def test_a_policy_can_have_suppressed_candidates_referred_all_the_same(whom, check):
    border = Border(referring_suppressed())
    border.watchlists.suppressed.add(whom)
    assert await border.outcome() == ("REFER", ("WATCHLIST_CANDIDATE_SUPPRESSED",))
    assert await Border(referring_suppressed()).outcome() == ("CLEAR", ())


@SUPPRESSIBLE
async def test_another_candidate_beside_a_suppressed_one_refers(border, whom, check):
    border.watchlists.suppressed.add(whom)
    border.watchlists.wanted.add(whom)
    assert await border.outcome() == ("REFER", (check.replace("WATCHLIST_", "WATCHLIST_CANDIDATE_BY_"),))


async def test_a_suppressed_candidate_does_not_pass_what_was_not_searched(border):
    border.watchlists.suppressed.add(b"anna")
    search = border.watchlists.search

    async def of_another_model(*arguments):
        answer = await search(*arguments)
        answer.searched_by.remove(watchlist_pb2.MATCH_KIND_FACE)
        return answer

    border.watchlists.search = of_another_model
    assert await border.outcome() == ("REFER", ("WATCHLISTS_HOLD_ANOTHER_MODEL",))


async def test_a_listed_document_refers_even_if_something_marks_it_as_suppressed(border):
    border.watchlists.suppressed.add(b"DOC1")
    assert await border.outcome() == ("REFER", ("WATCHLIST_CANDIDATE_BY_DOCUMENT",))


async def test_a_number_that_could_be_a_misread_listed_one_refers_and_says_so(border):
    border.watchlists.wanted.add(b"DOC1")
    border.watchlists.similar = True
    assert await border.outcome() == ("REFER", ("WATCHLIST_DOCUMENT_SIMILAR",))
    border.watchlists.suppressed.add(b"DOC1")  # a second candidate, whose number is the same
    assert await border.outcome() == (
        "REFER",
        ("WATCHLIST_CANDIDATE_BY_DOCUMENT", "WATCHLIST_DOCUMENT_SIMILAR"),
    )


async def test_the_pair_of_a_candidate_is_kept_for_officers_and_never_told_to_the_kiosk(border):
    border.watchlists.wanted.add(b"anna")
    border.watchlists.pair = b"sealed templates"
    calls.enter(KIOSK_CALL)
    servicer = GatewayServicer(border.gateway, None, None, None, None, None, SystemClock(), SECONDS)
    asked = gateway_pb2.ScreenTravelerRequest(
        request_id=new_id(),
        visit_id=new_id(),
        attempt=1,
        direction=types_pb2.DIRECTION_ENTRY,
        kiosk_time=to_timestamp(NOON),
        document_page=b"DOC1",
        live_frames=[b"anna"],
    )
    with capture_logs() as logs:
        answer = await servicer.ScreenTraveler(asked, NoDeadline())
    [record] = border.decisions.records
    assert record.payload.watchlists[0].candidates[0].pair == border.watchlists.pair
    assert border.watchlists.pair not in record.screening.SerializeToString()
    assert border.watchlists.pair not in answer.SerializeToString()
    assert "sealed" not in str(logs)
    assert answer.outcome == types_pb2.OUTCOME_REFER


async def test_a_record_keeps_every_candidate_and_the_pairs_that_the_log_has_room_for(border):
    search, pair = border.watchlists.search, b"p" * 6000

    async def many(*arguments):
        answer = await search(*arguments)
        for _ in range(500):
            answer.results[0].candidates.add(entry_id="e", kind=watchlist_pb2.MATCH_KIND_FACE, pair=pair)
        return answer

    border.watchlists.search = many
    assert (await border.outcome())[0] == "REFER"
    kept = border.decisions.records[0].payload.watchlists[0].candidates
    with_pair = [candidate for candidate in kept if candidate.pair]
    assert len(kept) == 500
    assert list(kept[: len(with_pair)]) == with_pair
    assert len(with_pair) == MAX_PAIR_BYTES // len(pair)


LONGEST = "\U00010400"
"""A letter that takes four bytes."""


def a_long_list(number, candidates):
    """A list whose every text is as long as it may be, with so many candidates of each kind."""
    watchlist = watchlist_pb2.Watchlist(
        list_id=new_id(),
        name=f"{number:03}" + LONGEST * (limits.MAX_NAME - 3),
        authority=LONGEST * limits.MAX_AUTHORITY,
        legal_basis=LONGEST * limits.MAX_LEGAL_BASIS,
        handling_instruction=LONGEST * limits.MAX_HANDLING_INSTRUCTION,
        category=watchlist_pb2.WATCHLIST_CATEGORY_WANTED,
        priority=1,
        target_fpir=0.01,
    )
    limits.check_create_watchlist(watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist))
    result = watchlist_pb2.ListResult(watchlist=watchlist, version=number, entries_searched=7)
    result.threshold.model_id = LONGEST * MAX_MODEL_ID
    result.threshold.calibration_id = result.name_threshold.calibration_id = "c" * 64
    for kind in (
        watchlist_pb2.MATCH_KIND_FACE,
        watchlist_pb2.MATCH_KIND_DOCUMENT,
        watchlist_pb2.MATCH_KIND_NAME,
    ):
        for _ in range(candidates):
            found = result.candidates.add(entry_id=new_id(), kind=kind)
            if kind == watchlist_pb2.MATCH_KIND_FACE:
                found.score.calibration_id, found.pair = "c" * 64, b"p" * 6000
            elif kind == watchlist_pb2.MATCH_KIND_NAME:
                found.name.parts.add(given="A" * 39, listed="B" * limits.MAX_IDENTIFIER)
                found.name.parts.add(given="A" * 39, listed="B" * limits.MAX_NATIVE)
    return result


def have_found(border, *results):
    """Have the lists answer this."""

    async def all_of_them(request, *_):
        kinds = watchlist_pb2.MatchKind.values()[1:]
        return watchlist_pb2.SearchResponse(
            results=results, version=7, searched_by=kinds, as_of=to_timestamp(NOON)
        )

    border.watchlists.search = all_of_them


@pytest.mark.parametrize("candidates", [0, 1, 20], ids=["nobody", "a candidate each", "more than has room"])
async def test_a_record_of_as_many_lists_as_there_may_be_is_one_that_the_log_takes(border, candidates):
    results = [a_long_list(number, candidates) for number in range(MOST_LISTS)]
    have_found(border, *results)
    assert (await border.outcome())[0] == ("REFER" if candidates else "CLEAR")
    [record] = border.decisions.records
    log_limits.append_screening(record)
    for result, kept in zip(results, record.payload.watchlists, strict=True):
        assert kept.watchlist.list_id == result.watchlist.list_id
        assert kept.watchlist.name == result.watchlist.name
        assert (kept.version, kept.entries_searched) == (result.version, result.entries_searched)
        assert (kept.threshold, kept.name_threshold) == (result.threshold, result.name_threshold)
        assert len(kept.candidates) + kept.candidates_left_out == len(result.candidates)
        assert {found.kind for found in kept.candidates} == {found.kind for found in result.candidates}
    assert (record.payload.ByteSize() < MAX_CANDIDATE_BYTES) == (candidates == 0)


async def test_a_record_keeps_what_is_said_of_a_list_only_if_it_has_a_candidate(border):
    have_found(border, a_long_list(1, candidates=0), a_long_list(2, candidates=1))
    await border.screen()
    nobody, somebody = border.decisions.records[0].payload.watchlists
    assert not nobody.watchlist.handling_instruction
    assert somebody.watchlist.handling_instruction
    assert somebody.watchlist.legal_basis
    assert (nobody.candidates_left_out, somebody.candidates_left_out) == (0, 0)


async def test_many_candidates_do_not_take_the_place_of_those_of_another_list_or_kind_in_a_record(border):
    many = a_long_list(1, candidates=0)
    for _ in range(MAX_CANDIDATE_BYTES // 40):
        many.candidates.add(entry_id=new_id(), kind=watchlist_pb2.MATCH_KIND_FACE)
    many.candidates.add(entry_id="the number", kind=watchlist_pb2.MATCH_KIND_DOCUMENT)
    have_found(border, many, a_long_list(2, candidates=1))
    await border.screen()
    first, second = border.decisions.records[0].payload.watchlists
    assert first.candidates[-1].entry_id == "the number"
    assert first.candidates_left_out == len(many.candidates) - len(first.candidates) > 0
    assert (len(second.candidates), second.candidates_left_out) == (3, 0)


async def test_candidates_that_an_answer_left_out_are_counted_in_the_record(border):
    leave_out(border)
    await border.screen()
    [result] = border.decisions.records[0].payload.watchlists
    assert result.candidates_left_out == 5


class NoDeadline:
    """A call whose caller set no deadline."""

    def time_remaining(self):
        return None


async def test_a_portrait_on_a_list_refers_even_when_the_live_face_is_another(border):
    border.watchlists.wanted.add(b"anna")
    outcome, reasons = await border.outcome(b"DOC1", b"bert")
    assert (outcome, reasons[0]) == ("REFER", "WATCHLIST_CANDIDATE_BY_FACE")


async def test_no_face_is_a_retake_with_advice_and_at_the_last_attempt_a_referral(border):
    screened = await border.screen(frame=NOBODY)
    screening = screened.entry.event.traveler_screened
    assert screening.outcome == types_pb2.OUTCOME_RETAKE
    assert [problem.advice for problem in screening.advice] == ["Look into the camera."]
    outcome, reasons = await border.outcome(frame=NOBODY, attempt=3)
    assert (outcome, reasons[0]) == ("REFER", "ATTEMPTS_EXHAUSTED")


async def test_advice_comes_in_the_kiosks_language(border):
    screened = await border.screen(frame=NOBODY, language="de")
    advice = screened.entry.event.traveler_screened.advice
    assert [problem.advice for problem in advice] == ["Schauen Sie in die Kamera."]


async def test_an_unreadable_page_is_a_retake(border):
    assert (await border.outcome(page=UNREADABLE))[0] == "RETAKE"


async def test_a_candidate_outweighs_a_retake(border):
    border.watchlists.wanted.add(b"DOC1")
    outcome, reasons = await border.outcome(frame=NOBODY)
    assert (outcome, reasons[0]) == ("REFER", "WATCHLIST_CANDIDATE_BY_DOCUMENT")


@pytest.mark.parametrize("mood", [Mood(error=DOWN), Mood(hang=True)], ids=["down", "hanging"])
@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("documents.mood", "DOCUMENT_OPTICAL_NOT_CHECKED"),
        ("faces.mood", "FACE_CAPTURE_NOT_CHECKED"),
        ("faces.compare_mood", "FACE_MATCH_NOT_CHECKED"),
        ("watchlists.mood", "WATCHLIST_FACE_NOT_CHECKED"),
    ],
)
async def test_a_service_that_is_down_or_hangs_refers_as_not_checked_in_time(border, part, reason, mood):
    service, _, attribute = part.partition(".")
    setattr(getattr(border, service), attribute, mood)
    started = time.monotonic()
    outcome, reasons = await border.outcome()
    assert outcome == "REFER"
    assert reason in reasons
    assert time.monotonic() - started < SECONDS


async def test_every_service_but_the_log_down_still_gets_an_outcome(border):
    for service in (border.documents, border.faces, border.watchlists):
        service.mood = Mood(error=DOWN)
    outcome, reasons = await border.outcome()
    assert outcome == "REFER"
    assert len(reasons) == 6
    assert all(reason.endswith("_NOT_CHECKED") for reason in reasons)


async def test_a_service_that_lies_with_an_empty_answer_never_clears(border):
    async def nothing(*_):
        return watchlist_pb2.SearchResponse()

    border.watchlists.search = nothing
    outcome, _ = await border.outcome()
    assert outcome == "REFER"


async def test_without_any_watchlist_nobody_is_clear(border):
    search = border.watchlists.search

    async def no_lists(*arguments):
        answer = await search(*arguments)
        del answer.results[:]
        return answer

    border.watchlists.search = no_lists
    assert await border.outcome() == ("REFER", ("NO_WATCHLISTS",))


AGES = pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        (0, "CLEAR"),
        (299.9, "CLEAR"),
        (300.1, "REFER"),
        (7 * 86_400, "REFER"),
        (-80, "CLEAR"),  # made while the traveler was screened, by a clock that is a little ahead
        (-3600, "REFER"),  # of an hour ahead: how old it is can't be told
    ],
)


@AGES
async def test_nobody_on_old_lists_is_no_pass(border, seconds, outcome):
    border.watchlists.as_of = NOON - timedelta(seconds=seconds)
    assert await border.outcome() == (outcome, ("WATCHLISTS_STALE",) if outcome == "REFER" else ())


@pytest.mark.parametrize("as_of", [None, Timestamp(seconds=10**15), Timestamp(nanos=-1)])
async def test_nobody_on_lists_of_an_unknown_age_is_no_pass(border, as_of):
    search = border.watchlists.search
    border.watchlists.as_of = None

    async def of_some_time(*arguments):
        answer = await search(*arguments)
        if as_of is not None:
            answer.as_of.CopyFrom(as_of)
        return answer

    border.watchlists.search = of_some_time
    assert await border.outcome() == ("REFER", ("WATCHLISTS_STALE",))
    statuses = {check.name: check.status for check in border.decisions.records[0].screening.checks}
    for name in ("WATCHLIST_FACE", "WATCHLIST_DOCUMENT", "WATCHLIST_NAME"):
        assert statuses[name] == types_pb2.CHECK_STATUS_NOT_PERFORMED


async def test_how_old_the_lists_were_is_in_the_record(border):
    border.watchlists.as_of = NOON - timedelta(days=7)
    await border.screen()
    border.watchlists.as_of = None
    await border.screen()
    old, unknown = (record.screening.versions for record in border.decisions.records)
    assert old.watchlists_as_of == to_timestamp(NOON - timedelta(days=7))
    assert not unknown.HasField("watchlists_as_of")


async def test_a_candidate_on_old_lists_is_one_all_the_same(border):
    border.watchlists.as_of = None
    border.watchlists.wanted.add(b"SPECIMEN")
    assert await border.outcome() == ("REFER", ("WATCHLIST_CANDIDATE_BY_NAME", "WATCHLISTS_STALE"))
    [record] = border.decisions.records
    statuses = {check.name: check.status for check in record.screening.checks}
    assert statuses["WATCHLIST_NAME"] == types_pb2.CHECK_STATUS_FAILED
    assert statuses["WATCHLIST_FACE"] == types_pb2.CHECK_STATUS_NOT_PERFORMED


async def test_a_suppression_on_old_lists_is_no_pass(border):
    border.watchlists.as_of = None
    border.watchlists.suppressed.update((b"anna", b"SPECIMEN"))
    assert await border.outcome() == ("REFER", ("WATCHLISTS_STALE",))


async def test_a_policy_says_how_old_lists_may_be():
    standard = load_policy(None)
    border = Border(
        replace(standard, policy=standard.policy.model_copy(update={"max_watchlist_age_seconds": 2.0}))
    )
    border.watchlists.as_of = NOON - timedelta(seconds=1)
    assert (await border.outcome())[0] == "CLEAR"
    border.watchlists.as_of = NOON - timedelta(seconds=3)
    assert (await border.outcome())[0] == "REFER"


def leave_out(border, **changes):
    """Have the lists' answers say that they had no room for some candidates."""
    search = border.watchlists.search

    async def without_all(*arguments):
        answer = await search(*arguments)
        answer.results[0].candidates_left_out = 5
        for kind in changes.get("not_searched_by", ()):
            answer.searched_by.remove(kind)
        return answer

    border.watchlists.search = without_all


@pytest.mark.parametrize("suppressed", [(), (b"anna", b"SPECIMEN")], ids=["none shown", "all suppressed"])
async def test_candidates_that_an_answer_had_no_room_for_refer(border, suppressed):
    border.watchlists.suppressed.update(suppressed)
    leave_out(border)
    assert await border.outcome() == ("REFER", ("WATCHLIST_CANDIDATES_LEFT_OUT",))
    statuses = {check.name: check.status for check in border.decisions.records[0].screening.checks}
    for name in ("WATCHLIST_FACE", "WATCHLIST_DOCUMENT", "WATCHLIST_NAME"):
        assert statuses[name] == types_pb2.CHECK_STATUS_FAILED


async def test_candidates_that_were_left_out_are_none_by_what_was_not_searched(border):
    leave_out(border, not_searched_by=[watchlist_pb2.MATCH_KIND_FACE])
    reasons = ("WATCHLISTS_HOLD_ANOTHER_MODEL", "WATCHLIST_CANDIDATES_LEFT_OUT")
    assert sorted((await border.outcome())[1]) == sorted(reasons)


async def test_candidates_that_were_left_out_are_named_after_those_that_were_not(border):
    border.watchlists.wanted.add(b"anna")
    leave_out(border)
    reasons = ("WATCHLIST_CANDIDATE_BY_FACE", "WATCHLIST_CANDIDATES_LEFT_OUT")
    assert await border.outcome() == ("REFER", reasons)


@pytest.mark.parametrize("kind", [watchlist_pb2.MATCH_KIND_UNSPECIFIED, 9])
async def test_a_candidate_by_an_unknown_kind_never_clears(border, kind):
    search = border.watchlists.search

    async def odd(*arguments):
        answer = await search(*arguments)
        answer.results[0].candidates.add(entry_id="entry", kind=kind)
        return answer

    border.watchlists.search = odd
    assert (await border.outcome())[0] == "REFER"


async def test_a_verdict_that_its_own_checks_dont_bear_out_never_clears(border):
    read = border.documents.read

    async def odd(*arguments):
        answer = await read(*arguments)
        answer.optical.checks.add(name="NOT_EXPIRED", status=types_pb2.CHECK_STATUS_FAILED)
        return answer

    border.documents.read = odd
    assert (await border.outcome())[0] == "REFER"


async def test_a_search_by_a_name_that_was_not_read_never_clears(border):
    read = border.documents.read

    async def odd(*arguments):
        answer = await read(*arguments)
        answer.mrz.primary_identifier = ""
        return answer

    async def boast(*_):
        kinds = [
            watchlist_pb2.MATCH_KIND_FACE,
            watchlist_pb2.MATCH_KIND_DOCUMENT,
            watchlist_pb2.MATCH_KIND_NAME,
        ]
        results = [watchlist_pb2.ListResult()]
        return watchlist_pb2.SearchResponse(searched_by=kinds, results=results, as_of=to_timestamp(NOON))

    border.documents.read, border.watchlists.search = odd, boast
    assert await border.outcome() == ("REFER", ("NO_NAME",))


@pytest.mark.parametrize("mood", [Mood(error=DOWN), Mood(hang=True)], ids=["down", "hanging"])
@pytest.mark.parametrize("when", ["mood", "append_mood"], ids=["before", "at the commit"])
async def test_without_the_log_there_is_no_outcome(border, when, mood):
    setattr(border.decisions, when, mood)
    with pytest.raises(DecisionLogUnavailableError):
        await border.screen()
    assert not border.decisions.records


async def test_the_same_request_gets_the_same_answer_whatever_has_changed(border):
    asked = request()
    first = await border.gateway.screen(asked, KIOSK_CALL, SECONDS)
    border.watchlists.wanted.add(b"anna")
    border.faces.mood = Mood(error=DOWN)
    second = await border.gateway.screen(asked, KIOSK_CALL, SECONDS)
    assert second.entry == first.entry
    assert (first.already_answered, second.already_answered) == (False, True)


async def test_the_same_request_at_the_same_moment_gets_one_answer(border):
    asked = request()
    border.decisions.finds_nothing = True  # as for two that ask before either has committed
    answers = await asyncio.gather(*(border.gateway.screen(asked, KIOSK_CALL, SECONDS) for _ in range(8)))
    assert len(border.decisions.records) == 1
    assert len({answer.entry.event.event_id for answer in answers}) == 1
    assert sorted(answer.already_answered for answer in answers) == [False] + [True] * 7


@pytest.mark.parametrize("finds_nothing", [False, True], ids=["found before", "found at the commit"])
async def test_the_same_id_with_other_content_is_refused(border, finds_nothing):
    asked = request()
    await border.gateway.screen(asked, KIOSK_CALL, SECONDS)
    border.decisions.finds_nothing = finds_nothing
    with pytest.raises(RequestIdReusedError):
        await border.gateway.screen(replace(asked, frames=(b"bert",)), KIOSK_CALL, SECONDS)


async def test_a_retry_with_a_later_clock_is_the_same_request(border):
    asked = request()
    later = replace(asked, kiosk_time=asked.kiosk_time.replace(minute=1))
    assert asked.content_sha256() == later.content_sha256()


@pytest.mark.parametrize(
    ("change", "field"),
    [({"page": DAMAGED}, "document_page: "), ({"frame": DAMAGED}, "live_frames[0]: ")],
    ids=["page", "frame"],
)
async def test_a_picture_that_is_none_is_an_error_in_the_gateways_words_and_decides_nothing(
    border, change, field
):
    with pytest.raises(PictureDamagedError) as caught:
        await border.screen(**change)
    assert caught.value.message.startswith(field)
    assert not border.decisions.records


async def test_the_public_part_of_the_record_has_no_personal_data(border):
    await border.screen(b"DOC1", b"anna")
    (record,) = border.decisions.records
    public = record.screening.SerializeToString()
    for personal in (b"DOC1", b"anna", b"SPECIMEN", b"entry"):
        assert personal not in public
    assert record.payload.mrz.document.number == "DOC1"


async def test_the_record_names_what_was_in_force(border):
    await border.screen()
    versions = border.decisions.records[0].screening.versions
    assert versions.policy == load_policy(None).version
    assert (versions.model_id, versions.watchlists) == ("fake", 7)
    assert versions.software.startswith("borderpost ")


async def test_every_step_is_in_the_record_with_what_became_of_it(border):
    border.faces.compare_mood = Mood(error=DOWN)
    await border.screen()
    steps = {step.name: step for step in border.decisions.records[0].screening.steps}
    assert set(steps) == {
        "look_back",
        "read_document",
        "live_template",
        "portrait_template",
        "compare",
        "search_watchlists",
    }
    assert steps["compare"].status == types_pb2.STEP_STATUS_FAILED
    assert steps["compare"].reason == "UNAVAILABLE"


PASSED, FAILED = types_pb2.CHECK_STATUS_PASSED, types_pb2.CHECK_STATUS_FAILED
UNDETERMINED = types_pb2.CHECK_STATUS_UNDETERMINED


@pytest.mark.parametrize(
    ("liveness", "outcome", "reasons"),
    [
        ((PASSED,), ("CLEAR", ()), []),
        (
            (FAILED, "CHALLENGE_OTHER_MOVEMENTS"),
            ("REFER", ("LIVENESS_FAILED", "CHALLENGE_OTHER_MOVEMENTS")),
            ["LIVENESS_FAILED", "CHALLENGE_OTHER_MOVEMENTS"],
        ),
        (
            (UNDETERMINED, "CAPTURE_TOKEN_EXPIRED"),
            ("CLEAR", ()),
            ["LIVENESS_UNDETERMINED", "CAPTURE_TOKEN_EXPIRED"],
        ),
    ],
    ids=["passed", "failed", "undetermined"],
)
async def test_what_the_capture_token_says_of_liveness_is_a_check_in_the_record(
    border, liveness, outcome, reasons
):
    visit_id = new_id()
    border.faces.tokens[b"token", visit_id] = liveness
    assert await border.outcome(visit_id=visit_id, capture_token=b"token") == outcome
    (record,) = border.decisions.records
    (check,) = [check for check in record.screening.checks if check.name == "LIVENESS"]
    assert (check.status, list(check.reasons)) == (liveness[0], reasons)
    assert (record.payload.liveness.method, record.payload.liveness.measured) == ("challenge 1", False)


async def test_without_a_capture_token_liveness_is_not_performed_and_the_record_says_so(border):
    await border.screen()
    (record,) = border.decisions.records
    assert record.payload.liveness.status == types_pb2.CHECK_STATUS_NOT_PERFORMED


async def test_another_capture_token_is_other_content():
    asked = request()
    digests = {
        replace(asked, capture_token=token).content_sha256() for token in (b"", b"one token", b"another")
    }
    assert len(digests) == 3


async def test_a_capture_token_can_not_pass_for_a_frame_in_the_digest():
    with_token = request(frame=b"anna", capture_token=b"bert")
    assert (
        with_token.content_sha256()
        != replace(with_token, frames=(b"anna", b"bert"), capture_token=b"").content_sha256()
    )


def chip(sod=b"genuine", number=b"DOC1", holder=b"anna", **more):
    return documents_pb2.ChipFiles(sod=sod, dg1=number, dg2=holder, **more)


@pytest.mark.parametrize(
    ("asked", "outcome", "reasons"),
    [
        ({"chip": chip()}, "CLEAR", ()),
        ({"chip": chip(b"broken")}, "REFER", ("SIGNATURE_WRONG",)),
        ({"chip": chip(b"unknown")}, "REFER", ("TRUST_ANCHOR_UNKNOWN", "COULD_BE_A_CLONE")),
        ({"chip": chip(b"clone")}, "REFER", ("COULD_BE_A_CLONE",)),
        ({"chip": chip(number=b"DOC2")}, "REFER", ("MRZ_DIFFERS",)),
        # The portrait on the page was swapped: the chip's is still the traveler's.
        ({"page": b"DOC2", "chip": chip(number=b"DOC2")}, "REFER", ("PORTRAITS_DIFFER",)),
        # The chip is somebody else's.
        ({"chip": chip(holder=b"bert")}, "REFER", ("FACE_NOT_THE_DOCUMENTS", "FACE_NOT_THE_CHIPS")),
        # A portrait that no face is found in can't be compared.
        ({"chip": chip(holder=NOBODY)}, "REFER", ("PAGE_PORTRAIT_IS_THE_CHIPS_NOT_CHECKED",)),
    ],
    ids=["genuine", "broken", "unknown", "clone", "other MRZ", "page swapped", "other holder", "no face"],
)
async def test_page_chip_and_live_face_must_tell_of_one_genuine_document_and_one_person(
    border, asked, outcome, reasons
):
    got = await border.outcome(**asked)
    assert got[0] == outcome
    assert set(reasons) <= set(got[1])
    assert bool(reasons) == bool(got[1])


async def test_without_a_chip_the_page_alone_decides(border):
    assert await border.outcome() == ("CLEAR", ())
    (record,) = border.decisions.records
    statuses = {check.name: check.status for check in record.screening.checks}
    for name in ("CHIP_DATA", "DOCUMENT_ELECTRONIC", "DOCUMENT_CONSISTENT", "DOCUMENT_COMBINED"):
        assert statuses[name] == types_pb2.CHECK_STATUS_UNDETERMINED


async def test_a_page_that_cant_be_read_beside_a_chip_is_a_retake_not_a_referral(border):
    assert (await border.outcome(page=UNREADABLE))[0] == "RETAKE"
    # ... but the chip must be good by itself.
    border.documents.holders[UNREADABLE] = b"anna"
    assert (await border.outcome(page=UNREADABLE, chip=chip(number=UNREADABLE)))[0] != "CLEAR"


async def test_what_the_chip_says_and_every_comparison_is_in_the_record(border):
    await border.screen(chip=chip())
    (record,) = border.decisions.records
    payload = record.payload
    assert list(payload.chip.files) == ["SOD", "DG1", "DG2"]
    assert [check.name for check in payload.combined.checks] == ["OPTICAL", "ELECTRONIC", "CONSISTENT"]
    assert {check.name for check in payload.consistency.checks} == {
        "MRZ_IS_THE_CHIPS",
        "PAGE_PORTRAIT_IS_THE_CHIPS",
        "LIVE_FACE_IS_THE_CHIPS",
    }
    for comparison in (payload.comparison, payload.chip_comparison, payload.portraits_comparison):
        assert comparison.status == types_pb2.CHECK_STATUS_PASSED
    assert record.screening.versions.trust_store == 5
    assert "compare_portraits" in {step.name for step in record.screening.steps}


async def test_the_chips_portrait_is_searched_on_the_watchlists_too(border):
    border.watchlists.wanted.add(b"carl")
    outcome, reasons = await border.outcome(chip=chip(holder=b"carl"))
    assert (outcome, reasons[0]) == ("REFER", "WATCHLIST_CANDIDATE_BY_FACE")


async def test_the_live_face_is_held_against_the_chips_portrait_where_the_state_signed_it(border):
    border.documents.holders[b"DOC1"] = NOBODY  # the page's portrait can't be used
    await border.screen(chip=chip())
    await border.screen(chip=chip(b"unknown"))
    matches = [
        next(check.status for check in record.screening.checks if check.name == "FACE_MATCH")
        for record in border.decisions.records
    ]
    assert matches == [types_pb2.CHECK_STATUS_PASSED, types_pb2.CHECK_STATUS_NOT_PERFORMED]


def test_every_file_of_a_chip_and_the_other_side_of_a_card_are_content():
    asked = [
        request(),
        request(portrait_page=b"x"),
        *(request(chip=documents_pb2.ChipFiles(**{name: b"x"})) for name in CHIP_FILES),
        request(chip=documents_pb2.ChipFiles(sod=b"x", chip_authentication_claimed=True)),
        request(
            chip=documents_pb2.ChipFiles(
                sod=b"x", active_authentication=documents_pb2.ActiveAuthentication(signature=b"x")
            )
        ),
    ]
    same_ids = [replace(each, visit_id=asked[0].visit_id) for each in asked]
    assert len({each.content_sha256() for each in same_ids}) == len(asked)


def with_policy(**changes):
    standard = load_policy(None)
    return replace(standard, policy=standard.policy.model_copy(update=changes))


async def test_who_declines_face_matching_goes_to_an_officer_and_no_face_is_looked_at(border):
    border.faces.mood = Mood(error=AssertionError("a face was looked at"))
    assert await border.outcome(declined=True, frames=()) == ("REFER", ("FACE_MATCHING_DECLINED",))
    [record] = border.decisions.records
    assert record.screening.inputs.face_matching_declined
    assert {step.name for step in record.screening.steps} == {
        "read_document",
        "search_watchlists",
        "look_back",
    }
    # What is printed was checked as ever.
    passed = {c.name for c in record.screening.checks if c.status == types_pb2.CHECK_STATUS_PASSED}
    assert {"DOCUMENT_OPTICAL", "WATCHLIST_DOCUMENT", "WATCHLIST_NAME"} <= passed


async def test_a_listed_document_is_found_even_if_face_matching_is_declined(border):
    border.watchlists.wanted.add(b"DOC1")
    outcome, reasons = await border.outcome(declined=True, frames=())
    assert outcome == "REFER"
    assert set(reasons) == {"FACE_MATCHING_DECLINED", "WATCHLIST_CANDIDATE_BY_DOCUMENT"}


async def test_a_late_capture_is_judged_by_its_own_time_and_never_asks_for_another_picture(border):
    asked = []
    read = border.documents.read

    async def noting(request, call, seconds):
        asked.append(request.at.ToDatetime())
        return await read(request, call, seconds)

    border.documents.read = noting
    captured = NOON - timedelta(hours=5)
    assert await border.outcome(late=True, kiosk_time=captured) == ("CLEAR", ())
    assert asked == [captured.replace(tzinfo=None)]
    assert border.decisions.records[0].screening.inputs.late
    assert await border.outcome(UNREADABLE, late=True, kiosk_time=captured) == (
        "REFER",
        ("CAPTURE_CANNOT_BE_REPEATED", "MRZ_NOT_FOUND", "CAPTURED_LATE"),
    )


async def test_a_late_hit_opens_a_case_that_says_it_came_late(border):
    border.watchlists.wanted.add(b"anna")
    outcome, reasons = await border.outcome(late=True, kiosk_time=NOON - timedelta(hours=5))
    assert (outcome, reasons) == ("REFER", ("WATCHLIST_CANDIDATE_BY_FACE", "CAPTURED_LATE"))
    assert border.decisions.records[0].referral.priority == 2


@pytest.mark.parametrize(
    ("drawn", "outcome", "reasons"), [(9_999, "REFER", ("RANDOM_SAMPLE",)), (10_000, "CLEAR", ())]
)
async def test_the_draw_chooses_from_those_who_would_be_clear_and_is_in_the_record(drawn, outcome, reasons):
    border = Border(with_policy(sample=Sample(share=0.01)), draw=lambda: drawn)
    assert await border.outcome() == (outcome, reasons)
    [record] = border.decisions.records
    assert (record.screening.inputs.draw, record.screening.sampled) == (drawn, outcome == "REFER")
    assert record.HasField("evidence") == (outcome == "REFER")


async def test_who_is_referred_anyway_is_never_one_of_the_sample():
    border = Border(with_policy(sample=Sample(share=0.1)), draw=lambda: 0)
    assert await border.outcome(b"DOC1", b"bert") == ("REFER", ("FACE_NOT_THE_DOCUMENTS",))
    assert not border.decisions.records[0].screening.sampled


async def test_draws_come_from_the_whole_range_and_differ():
    draws = {draw() for _ in range(2_000)}
    assert len(draws) > 1_990
    assert 0 <= min(draws) < 50_000
    assert 950_000 < max(draws) < 1_000_000


async def test_the_log_counts_attempts_where_the_kiosk_has_lost_count(border):
    border.decisions.looked_back.attempts = 2
    outcome, reasons = await border.outcome(UNREADABLE)
    assert (outcome, reasons) == ("REFER", ("ATTEMPTS_EXHAUSTED", "MRZ_NOT_FOUND"))
    assert border.decisions.records[0].screening.attempt == 3


async def test_patterns_are_told_to_the_officer_and_make_a_referral_urgent_but_none_by_themselves(border):
    found = border.decisions.looked_back.patterns.add(code="DOCUMENT_IN_TWO_PLACES", crossing="south")
    assert await border.outcome() == ("CLEAR", ())
    assert await border.outcome(b"DOC1", NOBODY, attempt=3) == ("REFER", ("ATTEMPTS_EXHAUSTED", "NO_FACE"))
    clear, referred = border.decisions.records
    assert list(clear.payload.patterns) == list(referred.payload.patterns) == [found]
    assert list(clear.screening.inputs.patterns) == ["DOCUMENT_IN_TWO_PLACES"]
    assert referred.referral.priority == 3


async def test_looking_back_that_fails_changes_no_outcome_and_the_record_says_so(border):
    border.decisions.look_back_mood = Mood(error=DOWN)
    assert await border.outcome() == ("CLEAR", ())
    [failed] = [step for step in border.decisions.records[0].screening.steps if step.name == "look_back"]
    assert (failed.status, failed.reason) == (types_pb2.STEP_STATUS_FAILED, "UNAVAILABLE")


async def test_looking_back_asks_for_the_document_and_what_the_policy_wants(border):
    group = new_id()
    await border.screen(group_id=group)
    [asked] = border.decisions.asked
    assert (asked.document.number, asked.group_id, asked.crossing) == ("DOC1", group, "north")
    assert asked.terms.two_places_seconds == 1800
    assert not asked.HasField("live_template")  # there is no gallery


async def test_a_face_is_kept_for_a_gallery_only_where_the_policy_has_one(border):
    await border.screen()
    assert not border.decisions.records[0].recent.HasField("live_template")
    gallery = Gallery(seconds=3600, fmr=1e-6, legal_basis="Act 1")
    with_gallery = Border(with_policy(patterns=Patterns(gallery=gallery)))
    await with_gallery.screen()
    [record] = with_gallery.decisions.records
    assert record.recent.live_template.values
    assert record.recent.gallery_until.ToDatetime() == NOON.replace(tzinfo=None) + timedelta(hours=1)
    [asked] = with_gallery.decisions.asked
    assert asked.HasField("live_template")
    assert asked.holder_sha256 == record.recent.holder_sha256 != b""


def holder(name="ERIKSSON", born=(1974, 8, 12)):
    year, month, day = born
    mrz = documents_pb2.Mrz(primary_identifier=name)
    mrz.birth_date.CopyFrom(types_pb2.PartialDate(year=year, month=month, day=day))
    return holder_sha256(Findings(document=documents_pb2.ReadDocumentResponse(mrz=mrz)))


def test_a_holder_is_whom_all_their_documents_name():
    assert holder("WOLFESCHLEGELSTEIN") == holder("WOLFESCHLEGELSTEINHAUSEN")
    assert len({holder(), holder("ERIKSEN"), holder(born=(1974, 8, 13)), holder(born=(1975, 8, 12))}) == 4
    assert holder(name="") == holder_sha256(Findings()) == b""


def born(border, year):
    read = border.documents.read

    async def reading(request, call, seconds):
        answer = await read(request, call, seconds)
        answer.mrz.birth_date.CopyFrom(types_pb2.PartialDate(year=year, month=1, day=1))
        return answer

    border.documents.read = reading


async def test_a_minor_alone_goes_to_an_officer_and_one_of_a_screened_group_does_not(border):
    born(border, NOON.year - 10)
    assert await border.outcome() == ("REFER", ("MINOR_ALONE",))
    assert await border.outcome(group_id=new_id()) == ("REFER", ("MINOR_ALONE",))
    border.decisions.looked_back.adult_in_group = True
    assert await border.outcome(group_id=new_id()) == ("CLEAR", ())
    inputs = border.decisions.records[-1].screening.inputs
    assert (inputs.age_below, inputs.HasField("age_from"), inputs.accompanied) == (18, False, True)


async def test_an_adult_of_a_group_is_kept_as_one_and_no_age_stands_in_the_record(border):
    await border.screen(group_id=new_id())
    [record] = border.decisions.records
    assert record.recent.adult
    assert (record.screening.inputs.age_from, record.screening.inputs.HasField("age_below")) == (18, False)


async def test_a_chip_alone_is_searched_for_by_what_it_says_and_its_page_is_not_checked(border):
    read = border.documents.read

    async def of_a_chip_alone(request, call, seconds):
        answer = await read(request, call, seconds)
        answer.chip.mrz.CopyFrom(answer.mrz)
        answer.ClearField("mrz")
        answer.optical.CopyFrom(types_pb2.Verdict(status=types_pb2.CHECK_STATUS_UNDETERMINED))
        answer.optical.checks.add(
            name="MRZ_FOUND", status=types_pb2.CHECK_STATUS_NOT_PERFORMED, reasons=["PAGE_NOT_SENT"]
        )
        return answer

    border.documents.read = of_a_chip_alone
    border.watchlists.wanted.add(b"DOC1")
    outcome, reasons = await border.outcome()
    assert outcome == "REFER"
    assert {"WATCHLIST_CANDIDATE_BY_DOCUMENT", "PAGE_NOT_SENT"} <= set(reasons)


async def test_a_service_that_hangs_leaves_the_others_time_for_what_they_found(border):
    border.documents.mood = Mood(hang=True)
    border.watchlists.wanted.add(b"anna")
    outcome, reasons = await border.outcome()
    assert outcome == "REFER"
    assert "WATCHLIST_CANDIDATE_BY_FACE" in reasons  # the live face was still searched for


async def test_more_than_can_be_screened_in_good_time_is_asked_to_come_back_and_nothing_is_decided(border):
    border.faces.mood = Mood(hang=True)
    answers = await asyncio.gather(
        *(border.gateway.screen(request(), KIOSK_CALL, SECONDS) for _ in range(30)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, OverloadedError)]
    assert len(refused) >= 20
    assert all(int(error.details["retry_after_ms"]) >= 100 for error in refused)
    assert len(border.decisions.records) == len(answers) - len(refused)


async def test_what_was_answered_is_answered_again_however_many_are_being_screened(border):
    first = request()
    await border.gateway.screen(first, KIOSK_CALL, SECONDS)
    border.faces.mood = Mood(hang=True)
    others = [asyncio.create_task(border.gateway.screen(request(), KIOSK_CALL, SECONDS)) for _ in range(20)]
    await asyncio.sleep(0.05)
    again = await border.gateway.screen(first, KIOSK_CALL, SECONDS)
    assert again.already_answered
    await asyncio.gather(*others, return_exceptions=True)
