"""The decision log on the wire, without the wire: requests in, answers out, over real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from borderpost.decisions.adapters.sqlite_log import SqliteLog
from borderpost.decisions.app import Decisions
from borderpost.proofs.tree import leaf_hash
from borderpost.decisions.servicer import DecisionsServicer
from borderpost.runtime.calls import Role, enter
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.keys import open_sqlite_keys
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1.types_pb2 import Outcome
from fakes.decisions import (
    START,
    TickingClock,
    a_call,
    a_list_event,
    a_payload,
    a_screening,
    an_outbox_call,
)


@pytest.fixture
def servicer(tmp_path: Path) -> Iterator[DecisionsServicer]:
    clock = TickingClock()
    log, keys = SqliteLog(tmp_path / "log.sqlite", clock), open_sqlite_keys(tmp_path / "keys" / "keys.sqlite")
    pool = WorkPool(2, 8)
    yield DecisionsServicer(Decisions(log, keys, clock), pool)
    pool.close()


async def test_a_screening_goes_in_is_found_got_listed_and_verified(servicer: DecisionsServicer) -> None:
    enter(a_call())
    request = pb.AppendScreeningRequest(screening=a_screening(), payload=a_payload())
    first = await servicer.AppendScreening(request, None)
    again = await servicer.AppendScreening(request, None)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert first.entry == again.entry
    assert first.entry.event.traveler_screened == request.screening
    assert first.entry.leaf_sha256 == leaf_hash(first.entry.event.SerializeToString(deterministic=True))

    find = pb.FindScreeningRequest(
        kiosk_id=request.screening.kiosk_id, request_id=request.screening.request_id
    )
    assert (await servicer.FindScreening(find, None)).entry == first.entry

    enter(a_call("case 4711", Role.AUDITOR))
    got = await servicer.GetScreening(pb.GetScreeningRequest(request_id=request.screening.request_id), None)
    assert (got.entry, got.payload) == (first.entry, a_payload())

    listed = await servicer.QueryEvents(pb.QueryEventsRequest(outcomes=[Outcome.OUTCOME_REFER]), None)
    assert list(listed.entries) == [first.entry]

    verified = await servicer.VerifyLog(pb.VerifyLogRequest(), None)
    assert verified.intact
    assert verified.size == 3, "the screening and the two looks at it"


async def test_pages_of_a_query_join_while_every_page_is_itself_logged(servicer: DecisionsServicer) -> None:
    enter(an_outbox_call(Role.WATCHLIST))
    await servicer.RecordEvents(pb.RecordEventsRequest(events=[a_list_event() for _ in range(7)]), None)
    enter(a_call("yearly review", Role.AUDITOR))
    request, seen = pb.QueryEventsRequest(page_size=3), []
    while True:
        page = await servicer.QueryEvents(request, None)
        seen += [entry.index for entry in page.entries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [6, 5, 4, 3, 2, 1, 0]


async def test_time_bounds_come_through(servicer: DecisionsServicer) -> None:
    enter(an_outbox_call(Role.WATCHLIST))
    await servicer.RecordEvents(pb.RecordEventsRequest(events=[a_list_event()]), None)
    enter(a_call("yearly review", Role.AUDITOR))
    start = to_timestamp(START)
    outside = await servicer.QueryEvents(pb.QueryEventsRequest(until=start), None)
    assert list(outside.entries) == []
    inside = await servicer.QueryEvents(pb.QueryEventsRequest(**{"from": start}, page_size=500), None)
    assert 0 in [entry.index for entry in inside.entries]


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("AppendScreening", pb.AppendScreeningRequest(), "INVALID_REQUEST"),
        ("FindScreening", pb.FindScreeningRequest(), "INVALID_REQUEST"),
        ("FindScreening", pb.FindScreeningRequest(kiosk_id="k", request_id=new_id()), "SCREENING_NOT_FOUND"),
        ("RecordEvents", pb.RecordEventsRequest(events=[pb.Event()]), "INVALID_REQUEST"),
        ("GetScreening", pb.GetScreeningRequest(), "INVALID_REQUEST"),
        ("GetScreening", pb.GetScreeningRequest(request_id=new_id()), "PURPOSE_MISSING"),
        ("QueryEvents", pb.QueryEventsRequest(), "PURPOSE_MISSING"),
        ("QueryEvents", pb.QueryEventsRequest(page_size=9999), "INVALID_REQUEST"),
        ("QueryEvents", pb.QueryEventsRequest(page_token="AAAA"), "INVALID_REQUEST"),  # noqa: S106
    ],
)
async def test_a_bad_request_is_a_typed_error_and_the_next_call_is_answered(
    servicer: DecisionsServicer, method: str, request_: object, reason: str
) -> None:
    enter(a_call())
    with pytest.raises(BorderpostError) as refused:
        await getattr(servicer, method)(request_, None)
    assert refused.value.reason == reason
    good = pb.AppendScreeningRequest(screening=a_screening(), payload=a_payload())
    assert (await servicer.AppendScreening(good, None)).entry.index == 0
