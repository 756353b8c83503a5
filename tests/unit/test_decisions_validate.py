"""Requests to the decision log: each wrong field is named, and what it holds is not repeated."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.decisions import validate
from borderpost.decisions.domain import KINDS_BY_OUTBOX, Page, Record, kind_of
from borderpost.decisions.messages import page_start, query_response
from borderpost.decisions.verify import Fault, FaultCode, Verification
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import new_id
from borderpost.runtime.context import MAX_PURPOSE
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.decisions_pb2 import (
    AppendScreeningRequest,
    Event,
    EventKind,
    FindScreeningRequest,
    GetScreeningRequest,
    QueryEventsRequest,
    RecordEventsRequest,
)
from borderpost.v1.types_pb2 import Outcome
from borderpost.watchlist import events
from borderpost.watchlist.app import MOST_LISTS
from borderpost.watchlist.domain import ListResult, ListState, MatchKind, SearchAnswer
from fakes.decisions import NAME, a_list_event, a_payload, a_screening, a_trust_event, watchlist_events
from fakes.watchlist import CARL, NOW, a_list, by

Spoil = Callable[[Any], object]


def append_request() -> AppendScreeningRequest:
    return AppendScreeningRequest(screening=a_screening(), payload=a_payload())


def events_request() -> RecordEventsRequest:
    return RecordEventsRequest(events=[a_list_event()])


def set_field(path: str, value: object) -> Spoil:
    """Make what sets a field by its dotted path."""

    def spoil(request: Any) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            request = request[int(parent)] if parent.isdigit() else getattr(request, parent)
        setattr(request, name, value)

    return spoil


def test_good_requests_pass() -> None:
    validate.append_screening(append_request())
    validate.record_events(events_request(), Role.WATCHLIST)
    validate.record_events(RecordEventsRequest(events=[a_trust_event()]), Role.DOCUMENTS)
    validate.record_events(RecordEventsRequest(), Role.WATCHLIST)
    validate.find_screening(FindScreeningRequest(kiosk_id="kiosk/north/7", request_id=new_id()))
    validate.get_screening(GetScreeningRequest(request_id=new_id()))
    validate.query_events(QueryEventsRequest())
    validate.query_events(QueryEventsRequest(reason="FACE_NOT_MATCHED", visit_id=new_id(), page_size=500))


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("screening", lambda request: request.ClearField("screening")),
        ("payload", lambda request: request.ClearField("payload")),
        ("payload.schema_version", set_field("payload.schema_version", 2)),
        ("payload", lambda request: request.payload.mrz.lines.append("<" * validate.MAX_PAYLOAD_BYTES)),
        ("screening", lambda request: request.screening.steps.add(name="s" * validate.MAX_EVENT_BYTES)),
        ("screening.request_id", set_field("screening.request_id", NAME)),
        ("screening.visit_id", set_field("screening.visit_id", "")),
        ("screening.attempt", set_field("screening.attempt", 0)),
        ("screening.kiosk_id", set_field("screening.kiosk_id", "")),
        ("screening.kiosk_id", set_field("screening.kiosk_id", "k" * 201)),
        ("screening.crossing", set_field("screening.crossing", f"{NAME}\n")),
        ("screening.direction", set_field("screening.direction", 0)),
        ("screening.direction", set_field("screening.direction", 9)),
        ("screening.kiosk_time", lambda request: request.screening.ClearField("kiosk_time")),
        ("screening.kiosk_time", set_field("screening.kiosk_time.nanos", -1)),
        ("screening.received_at", lambda request: request.screening.ClearField("received_at")),
        ("screening.received_at", set_field("screening.received_at.seconds", 1 << 60)),
        ("screening.content_sha256", set_field("screening.content_sha256", b"short")),
        ("screening.outcome", set_field("screening.outcome", 0)),
        ("screening.outcome", set_field("screening.outcome", 77)),
        ("screening.reasons", lambda request: request.screening.reasons.append(NAME)),
        ("screening.versions.policy", set_field("screening.versions.policy", "default\n5")),
        ("screening.reasons", lambda request: request.screening.reasons.extend(["REASON"] * 101)),
        ("screening.versions", lambda request: request.screening.ClearField("versions")),
    ],
)
def test_a_wrong_screening_is_refused_by_the_name_of_its_field(field: str, spoil: Spoil) -> None:
    request = append_request()
    spoil(request)
    with pytest.raises(InvalidRequestError, match=f"^{re.escape(field)}: got .*, want ") as refused:
        validate.append_screening(request)
    assert NAME not in refused.value.message


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("events", lambda request: request.events.extend([a_list_event()] * 500)),
        ("events[0].schema_version", set_field("events.0.schema_version", 0)),
        ("events[0].event_id", set_field("events.0.event_id", "1")),
        ("events[0].time", lambda request: request.events[0].ClearField("time")),
        ("events[0].actor.issuer", lambda request: request.events[0].ClearField("actor")),
        ("events[0].actor.subject", set_field("events.0.actor.subject", "")),
        ("events[0].payload_sha256", set_field("events.0.payload_sha256", b"h" * 32)),
        ("events[0].body", lambda request: request.events[0].ClearField("body")),
        ("events[0].body", lambda request: request.events[0].traveler_screened.CopyFrom(a_screening())),
        ("events[0].body", lambda request: request.events[0].record_consulted.SetInParent()),
        ("events[0].watchlist_created.list_id", set_field("events.0.watchlist_created.list_id", "")),
        (
            "events[0].watchlist_entry_removed.entry_id",
            set_field("events.0.watchlist_entry_removed.list_id", "list-1"),
        ),
        ("events[0]", set_field("events.0.purpose", "p" * validate.MAX_EVENT_BYTES)),
        ("events[1].event_id", lambda request: request.events.append(Event(schema_version=1))),
    ],
)
def test_a_wrong_event_is_refused_by_the_name_of_its_field(field: str, spoil: Spoil) -> None:
    request = events_request()
    spoil(request)
    with pytest.raises(InvalidRequestError, match=f"^{re.escape(field)}: got .*, want "):
        validate.record_events(request, Role.WATCHLIST)


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("version", set_field("events.0.trust_store_changed.version", 0)),
        ("file_sha256", set_field("events.0.trust_store_changed.file_sha256", b"h" * 31)),
        ("file_kind", set_field("events.0.trust_store_changed.file_kind", "")),
    ],
)
def test_a_wrong_change_of_the_trust_store_is_refused_by_the_name_of_its_field(
    field: str, spoil: Spoil
) -> None:
    request = RecordEventsRequest(events=[a_trust_event()])
    spoil(request)
    with pytest.raises(InvalidRequestError, match=rf"^events\[0\].trust_store_changed.{field}: got "):
        validate.record_events(request, Role.DOCUMENTS)


@pytest.mark.parametrize("event", watchlist_events().values(), ids=watchlist_events())
def test_every_event_of_the_watchlist_passes_even_the_longest(event: Event) -> None:
    validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)


def test_an_officers_search_of_as_many_lists_as_there_may_be_makes_an_event_that_the_log_takes() -> None:
    results = [ListResult(ListState(a_list(), 1, NOW), None, None, 0, ()) for _ in range(MOST_LISTS)]
    answer = SearchAnswer(tuple(results), 1, tuple(MatchKind), NOW)
    event = events.searched(by(CARL, purpose="\U00010400" * MAX_PURPOSE), NOW, answer)
    assert len(event.watchlist_searched.list_ids) == MOST_LISTS
    validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)


def test_there_is_a_check_of_every_body_that_another_service_may_report() -> None:
    allowed = {kind for kinds in KINDS_BY_OUTBOX.values() for kind in kinds}
    assert {EventKind.Value(f"EVENT_KIND_{name.upper()}") for name in validate._BODIES} == allowed
    service = {EventKind.EVENT_KIND_SERVICE_STARTED, EventKind.EVENT_KIND_SERVICE_STOPPED}
    own = KINDS_BY_OUTBOX[Role.WATCHLIST] - service
    assert {kind_of(event) for event in watchlist_events().values()} == own


def test_what_the_watchlist_may_leave_out_passes() -> None:
    for name, field, value in [
        ("watchlist_entry_removed", "cause", ""),  # of records from before there was more than one
        ("watchlist_changed", "model_id", ""),
        ("watchlist_changed", "factor", 0.0),
        ("watchlist_imported", "version", 0),
        ("watchlist_searched", "candidates", 0),
    ]:
        event = watchlist_events()[name]
        setattr(getattr(event, name), field, value)
        validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)
    for name, repeated in [
        ("watchlist_imported", "added_entry_ids"),
        ("watchlist_imported", "removed_entry_ids"),
        ("watchlist_searched", "list_ids"),
        ("watchlist_searched", "searched_by"),
    ]:
        event = watchlist_events()[name]
        getattr(event, name).ClearField(repeated)
        validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("watchlist_entry_proposed", "entry_id", ""),
        ("watchlist_entry_removed", "cause", "because"),
        ("watchlist_changed", "what", ""),
        ("watchlist_changed", "model_id", "m" * 201),
        ("watchlist_changed", "factor", float("nan")),
        ("watchlist_changed", "factor", -1.0),
        ("watchlist_entry_changed", "what", NAME),
        ("watchlist_imported", "import_id", ""),
        ("watchlist_imported", "content_sha256", b"short"),
        ("watchlist_exported", "entry_id", ""),
        ("watchlist_exported", "partner", "\n"),
        ("watchlist_suppression_changed", "suppression_id", ""),
        ("watchlist_suppression_changed", "entry_id", ""),
    ],
)
def test_a_wrong_event_of_the_watchlist_is_refused_by_the_name_of_its_field(
    name: str, field: str, value: object
) -> None:
    event = watchlist_events()[name]
    setattr(getattr(event, name), field, value)
    with pytest.raises(InvalidRequestError, match=rf"^events\[0\].{name}.{field}: got ") as refused:
        validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)
    assert NAME not in refused.value.message


def test_an_event_that_names_more_than_it_may_is_refused() -> None:
    event = watchlist_events()["watchlist_imported"]
    event.watchlist_imported.removed_entry_ids.append(new_id())
    with pytest.raises(InvalidRequestError, match=r"removed_entry_ids: got 1001, want at most 1,000"):
        validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)


def test_a_bundle_that_nobody_got_is_refused() -> None:
    event = watchlist_events()["watchlist_exported"]
    event.watchlist_exported.what = "BUNDLE"
    with pytest.raises(InvalidRequestError, match=r"watchlist_exported.partner: got "):
        validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)


def test_a_search_by_no_known_kind_is_refused() -> None:
    event = watchlist_events()["watchlist_searched"]
    event.watchlist_searched.searched_by.append(9)
    with pytest.raises(InvalidRequestError, match=r"watchlist_searched.searched_by: got 9"):
        validate.record_events(RecordEventsRequest(events=[event]), Role.WATCHLIST)


@pytest.mark.parametrize(
    ("event", "reporter"),
    [(a_list_event(), Role.DOCUMENTS), (a_trust_event(), Role.WATCHLIST), (a_list_event(), Role.FACES)],
)
def test_a_service_can_report_changes_of_its_own_alone(event: Event, reporter: Role) -> None:
    with pytest.raises(InvalidRequestError, match=rf"events\[0\].body: got .* from {reporter}, want "):
        validate.record_events(RecordEventsRequest(events=[event]), reporter)


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        (
            "from",
            lambda request: (
                getattr(request, "from").FromJsonString("0001-01-01T00:00:00Z") or set_nanos(request)
            ),
        ),
        ("until", set_field("until.seconds", 1 << 60)),
        ("kinds", lambda request: request.kinds.append(0)),
        ("outcomes", lambda request: request.outcomes.append(9)),
        ("reason", set_field("reason", NAME)),
        ("kiosk_id", set_field("kiosk_id", "\0")),
        ("visit_id", set_field("visit_id", "x")),
        ("request_id", set_field("request_id", "x")),
        ("page_size", set_field("page_size", 501)),
    ],
)
def test_a_wrong_query_is_refused_by_the_name_of_its_field(field: str, spoil: Spoil) -> None:
    request = QueryEventsRequest()
    spoil(request)
    with pytest.raises(InvalidRequestError, match=f"^{re.escape(field)}: got .*, want "):
        validate.query_events(request)


def set_nanos(request: QueryEventsRequest) -> None:
    getattr(request, "from").nanos = -5


def test_a_look_up_wants_its_ids() -> None:
    with pytest.raises(InvalidRequestError, match=r"^kiosk_id: "):
        validate.find_screening(FindScreeningRequest(request_id=new_id()))
    with pytest.raises(InvalidRequestError, match=r"^request_id: "):
        validate.get_screening(GetScreeningRequest(kiosk_id="kiosk/north/7"))


def a_token(request: QueryEventsRequest) -> str:
    event = a_list_event()
    record = Record(7, event.time.ToDatetime(), event.SerializeToString(), b"l" * 32)
    return query_response(request, Page((record,), 7)).next_page_token


def test_a_page_token_goes_on_with_its_query_even_at_another_page_size() -> None:
    query = QueryEventsRequest(outcomes=[Outcome.OUTCOME_REFER], page_size=10)
    again = QueryEventsRequest(outcomes=[Outcome.OUTCOME_REFER], page_size=20, page_token=a_token(query))
    assert page_start(again) == 7
    assert page_start(query) is None


def test_a_page_token_of_another_query_is_refused() -> None:
    token = a_token(QueryEventsRequest(outcomes=[Outcome.OUTCOME_REFER]))
    with pytest.raises(InvalidRequestError, match=r"^page_token: "):
        page_start(QueryEventsRequest(outcomes=[Outcome.OUTCOME_CLEAR], page_token=token))


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=50)
def test_a_made_up_page_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^page_token: "):
        page_start(QueryEventsRequest(page_token=token))


def test_a_verification_without_faults_is_intact() -> None:
    assert Verification(0, b"", (), 0).intact
    assert not Verification(1, b"", (Fault(0, FaultCode.CHECKPOINT_WRONG),), 0).intact
