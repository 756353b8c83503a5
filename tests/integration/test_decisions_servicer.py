"""The decision log on the wire, without the wire: requests in, answers out, over real files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from borderpost.decisions.servicer import DecisionsServicer, UseCases
from borderpost.proofs.checkpoints import open_checkpoint
from borderpost.proofs.notes import Verifier
from borderpost.proofs.tree import leaf_hash, verify_inclusion
from borderpost.runtime.calls import Role, enter
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import BorderpostError, PurposeMissingError
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1.types_pb2 import Outcome
from fakes.decisions import (
    START,
    a_call,
    a_list_event,
    a_payload,
    a_screening,
    an_outbox_call,
)
from fakes.decisions_house import open_house


@pytest.fixture
def servicer(tmp_path: Path) -> Iterator[DecisionsServicer]:
    with open_house(tmp_path) as house, closing(WorkPool(2, 8)) as pool, closing(WorkPool(8, 8)) as writers:
        use = UseCases(
            house.decisions, house.recording, house.verify, house.exporting, house.figures, house.look_back
        )
        yield DecisionsServicer(use, house.lookups, house.rectifying, pool, writers)


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
    assert verified.size == 4, "the screening, its case, and the two looks at it"


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


async def export(servicer: DecisionsServicer, **filters: object) -> list[pb.ExportEventsResponse]:
    request = pb.ExportEventsRequest(
        filter=pb.QueryEventsRequest(**filters), format=pb.ExportFormat.EXPORT_FORMAT_JSONL
    )
    return [chunk async for chunk in servicer.ExportEvents(request, None)]


async def test_an_export_is_the_log_up_to_a_checkpoint_made_for_it_and_is_recorded(
    servicer: DecisionsServicer,
) -> None:
    enter(an_outbox_call(Role.WATCHLIST))
    await servicer.RecordEvents(pb.RecordEventsRequest(events=[a_list_event() for _ in range(7)]), None)
    enter(a_call("yearly audit", Role.AUDITOR))
    first, *rest = await export(servicer)
    assert first.header.complete
    entries = [entry for chunk in rest for entry in chunk.entries.entries]
    assert [entry.index for entry in entries] == list(range(7))
    assert all(leaf_hash(entry.stored) == entry.leaf_sha256 for entry in entries)
    newest = await servicer.QueryEvents(pb.QueryEventsRequest(page_size=1), None)
    event = newest.entries[0].event
    assert (event.export_made.size, event.purpose) == (7, "yearly audit")


async def test_a_part_of_the_log_is_exported_with_a_proof_for_each_event(servicer: DecisionsServicer) -> None:
    enter(an_outbox_call(Role.WATCHLIST))
    events = [a_list_event(list_id=f"list-{number % 3}") for number in range(9)]
    await servicer.RecordEvents(pb.RecordEventsRequest(events=events), None)
    enter(a_call("case 4711", Role.AUDITOR))
    first, chunk = await export(servicer, list_id="list-1")
    keys = [Verifier.parse(key) for key in first.header.verifier_keys]
    signed = open_checkpoint(first.header.checkpoint, keys, keys[0].name)
    assert [entry.index for entry in chunk.entries.entries] == [1, 4, 7]
    for entry in chunk.entries.entries:
        assert verify_inclusion(entry.leaf_sha256, entry.index, signed.size, entry.inclusion, signed.root)


async def test_an_export_without_a_purpose_gives_nothing(servicer: DecisionsServicer) -> None:
    enter(a_call("", Role.AUDITOR))
    with pytest.raises(PurposeMissingError):
        await export(servicer)
