"""Protobuf to domain and back."""

from __future__ import annotations

import base64
import binascii
import struct
from hashlib import sha256
from typing import Final

from borderpost.decisions.domain import EventFilter, Page, Record
from borderpost.decisions.figures import FEWEST, Counts, Day, percentile
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.verify import Verification
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.decisions_pb2 import (
    DayFigures,
    GetFiguresResponse,
    ListFigures,
    LogEntry,
    LogFault,
    QueryEventsRequest,
    QueryEventsResponse,
    VerifyLogResponse,
)
from borderpost.v1.types_pb2 import Outcome

_PAGING: Final = frozenset({"page_size", "page_token"})

_TOKEN: Final = struct.Struct(">Q8s")
"""A page token: the index that the page is before, and the head of a hash of the query it belongs to."""


def log_entry(record: Record) -> LogEntry:
    """Make the entry of a record."""
    return LogEntry(
        index=record.index,
        logged_at=to_timestamp(record.logged_at),
        event=record.event(),
        leaf_sha256=record.leaf_sha256,
    )


def event_filter(request: QueryEventsRequest, lookups: Lookups) -> EventFilter:
    """Read which events are wanted; what is personal becomes its keyed hash."""
    since = getattr(request, "from")
    return EventFilter(
        since=since.ToMicroseconds() if request.HasField("from") else None,
        until=request.until.ToMicroseconds() if request.HasField("until") else None,
        kinds=frozenset(request.kinds),
        outcomes=frozenset(request.outcomes),
        reason=request.reason or None,
        kiosk_id=request.kiosk_id or None,
        crossing=request.crossing or None,
        visit_id=request.visit_id or None,
        request_id=request.request_id or None,
        actor=request.actor or None,
        subject=request.subject or None,
        document=lookups.document(request.document) if request.HasField("document") else None,
        list_id=(request.list_id, lookups.list(request.list_id)) if request.list_id else None,
        entry_id=(request.entry_id, lookups.entry(request.entry_id)) if request.entry_id else None,
    )


def filter_names(request: QueryEventsRequest) -> list[str]:
    """The names of the filters that are set, for the record of who asked: never what they are set to."""
    return sorted(field.name for field, _ in request.ListFields() if field.name not in _PAGING)


def page_start(request: QueryEventsRequest) -> int | None:
    """Read the page token: the index that the page is before, None for the first page. InvalidRequestError."""
    if not request.page_token:
        return None
    try:
        before, query = _TOKEN.unpack(base64.urlsafe_b64decode(request.page_token))
    except (binascii.Error, struct.error, ValueError):
        raise _foreign_token() from None
    # Indexes are SQLite's and protobuf's common range; anything above was not made here.
    if query != _query_digest(request) or before >= 1 << 63:
        raise _foreign_token()
    return int(before)


def query_response(request: QueryEventsRequest, page: Page) -> QueryEventsResponse:
    """Make a page, with the token for the next one."""
    token = ""
    if page.next_before is not None:
        packed = _TOKEN.pack(page.next_before, _query_digest(request))
        token = base64.urlsafe_b64encode(packed).decode()
    return QueryEventsResponse(entries=[log_entry(record) for record in page.records], next_page_token=token)


def verify_response(found: Verification) -> VerifyLogResponse:
    """Make the answer to a check."""
    return VerifyLogResponse(
        size=found.size,
        root_sha256=found.root_sha256,
        intact=found.intact,
        faults=[LogFault(index=fault.index, code=fault.code) for fault in found.faults],
        trusted_until=found.trusted_until,
    )


def figures_response(counts: Counts) -> GetFiguresResponse:
    """Make the figures."""
    return GetFiguresResponse(
        days=[_day(day) for day in counts.days],
        lists=[
            ListFigures(
                list_id=found.list_id,
                confirmed=found.confirmed,
                refuted=found.refuted,
                undecided=found.undecided,
            )
            for found in counts.lists
        ],
    )


def _day(day: Day) -> DayFigures:
    figures = DayFigures(
        crossing=day.crossing,
        day=day.day,
        screenings=day.screenings,
        visits=day.visits,
        outcomes={_outcome(outcome): count for outcome, count in day.outcomes.items()},
        reasons=day.reasons,
        failures_to_acquire=day.failures_to_acquire,
        cases=day.cases,
        closed=len(day.seconds_to_close),
    )
    # A time to close that only a few cases have would single them out.
    if len(day.seconds_to_close) >= FEWEST:
        figures.seconds_to_close_median = percentile(day.seconds_to_close, 50) or 0.0
        figures.seconds_to_close_p95 = percentile(day.seconds_to_close, 95) or 0.0
    return figures


def _outcome(value: int) -> str:
    names: dict[int, str] = {number: name for name, number in Outcome.items()}
    return names.get(value, str(value)).removeprefix("OUTCOME_")


def _query_digest(request: QueryEventsRequest) -> bytes:
    query = QueryEventsRequest()
    query.CopyFrom(request)
    query.ClearField("page_size")
    query.ClearField("page_token")
    return sha256(query.SerializeToString(deterministic=True)).digest()[:8]


def _foreign_token() -> InvalidRequestError:
    return InvalidRequestError(
        "page_token: got one that this query did not give, want that of its last page, or none to start anew",
        field="page_token",
    )
