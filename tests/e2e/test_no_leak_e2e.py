"""No personal data in logs, numbers, traces or errors: what is sent in is looked for in everything that comes out.

Five services of their own, traced into a collector. A traveler is screened who is on a list; officers look, search and
write; requests of every method are sent spoiled; services are killed meanwhile. Then all outputs are read to their end.
"""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from borderpost.cli.demo import make_watchlist
from borderpost.cli.people import APPROVER, LIST_MANAGER, OFFICER, SUPERVISOR, Person, token_of
from borderpost.cli.stack import Stack, private_settings
from borderpost.kiosk.client import Kiosk, Visit
from borderpost.runtime.channels import RECONNECT_MS, open_sync_channel
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.context import TRACE_KEY
from borderpost.runtime.metric_table import METRICS
from borderpost.runtime.settings import SERVICES, ServiceName, Settings, TracingSettings
from borderpost.runtime.status import RemoteError
from borderpost.runtime.tracing import ATTRIBUTES
from borderpost.specimens.pages import mrz_lines, render
from borderpost.v1 import cases_pb2, decisions_pb2, gateway_pb2, subjects_pb2, types_pb2, watchlist_pb2
from fakes.collector import Collector
from fakes.requests import METHODS, Ask, Way, good_request, small_picture, ways
from fakes.spoil import CANARY, bad_pictures, spoiled

TRAVELER = "Leakworth"
NUMBER = "L9EAK7712"
LISTED, LISTED_NUMBER = "Hushford", "H4USH0913"
PURPOSE = "Whisperpurpose 4711/26"
NOTE = "Murmurnote: looked twice"
METADATA = "Slipthrough"
TRACE_ID = "77a0c64dd1264f2cbb0e21d04aa1c7f3"

ONE_SPOILED = 4_000
"""Spoiled requests longer than this are left to other tests: what they hold is the same, more often."""


@dataclass
class Sent:
    """What must come out nowhere. `texts` are looked for in any case of letters, `pieces` as they are."""

    texts: set[str] = field(default_factory=set)
    pieces: set[bytes] = field(default_factory=set)

    def add_bytes(self, data: bytes) -> None:
        """Look for parts of a picture or template: raw, in hexadecimal, and in base64 at each of its three places."""
        for start in range(0, max(1, len(data) - 24), max(1, len(data) // 7)):
            part = data[start : start + 24]
            if len(set(part)) > 8:  # what many files have in common is no sign of this one
                self.pieces |= {part, part.hex().encode(), part.hex().upper().encode()}
                self.pieces |= {base64.b64encode(part[skip : skip + 18]) for skip in range(3)}
                self.pieces |= {base64.urlsafe_b64encode(part[skip : skip + 18]) for skip in range(3)}

    def found_in(self, output: bytes) -> list[str]:
        """Return what of it an output has."""
        text = output.decode("utf-8", "replace").upper()
        found = [each for each in self.texts if re.search(_alone(each), text)]
        found += [f"bytes {piece[:12].hex()}…" for piece in self.pieces if piece in output]
        for each in self.texts:
            if not each.isdecimal() and base64.b64encode(each.encode())[:-4] in output:
                found.append(f"{each} in base64")
        return found


def _alone(text: str) -> str:
    # Six or eight digits also stand in hashes and in fractions of a second: a date stands alone.
    pattern = re.escape(text.upper())
    return rf"(?<![\w.-]){pattern}(?![\w-])" if text.isdecimal() else pattern


@dataclass
class World:
    """The services, what was sent to them, and what came out of them so far."""

    stack: Stack
    collector: Collector
    sent: Sent
    screening: gateway_pb2.ScreenTravelerResponse
    errors: list[bytes] = field(default_factory=list)
    pages: dict[ServiceName, list[bytes]] = field(default_factory=dict)

    def scrape(self, *services: ServiceName) -> None:
        """Keep what the metrics ports show now."""
        for name in services or SERVICES:
            address = self.stack.settings.service(name).metrics
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                self.pages.setdefault(name, []).append(answer.read())

    def without(self, name: ServiceName) -> Iterator[None]:
        """Be without a service for a while; what it showed before is kept."""
        self.scrape(name)
        self.stack.kill(name)
        yield
        self.stack.restart(name)
        time.sleep(2 * RECONNECT_MS / 1000)


@pytest.fixture(scope="module")
def world(travelers, partnered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    base = partnered(private_settings(tmp_path_factory.mktemp("leak"), Settings()))
    with Collector() as collector:
        tracing = TracingSettings(endpoint=f"http://127.0.0.1:{collector.port}", ratio=1.0)
        with Stack(base.model_copy(update={"tracing": tracing})) as stack:
            made = World(stack, collector, Sent(), gateway_pb2.ScreenTravelerResponse())
            _live_a_little(made, travelers)
            yield made


def _live_a_little(world: World, travelers: Any) -> None:
    settings, sent = world.stack.settings, world.sent
    specimen = replace(
        travelers.specimen,
        surname=TRAVELER,
        given_names="Bertina",
        document_number=NUMBER,
        portrait=travelers.samples.b_portrait,
    )
    page, live = render(specimen), travelers.samples.b_live
    sent.texts |= {TRAVELER, "Bertina", NUMBER, *mrz_lines(specimen), f"{TRAVELER}<<Bertina"}
    sent.texts |= {"810804", "19810804", "1981-08-04", "04.08.1981", "4.8.1981", "08/04/1981", "04 AUG 1981"}
    sent.texts |= {LISTED, "Odaline", LISTED_NUMBER, "1957-11-23", "19571123", "571123", "23.11.1957"}
    sent.texts |= {PURPOSE, "Whisperpurpose", NOTE, "Murmurnote", METADATA, CANARY}
    # Tokens of people begin alike, and each has its own end.
    sent.pieces |= {token_of(settings, OFFICER)[:24].encode(), b"Bearer ", METADATA.encode().hex().encode()}
    for picture in (page, live, travelers.samples.b_portrait, small_picture()):
        sent.add_bytes(picture)

    list_id = make_watchlist(settings, "Any list")
    entry_id = _put_on_list(settings, list_id, travelers.samples.b_portrait)
    with Kiosk(settings, "kiosk/north/1") as kiosk:
        world.screening = kiosk.send(kiosk.request(Visit(), page, [live]), seconds=30)
        _look(world, list_id, entry_id)
        _send_bad_pictures(world, kiosk, page)
        for name in ("faces", "decisions"):
            for _ in world.without(name):
                _try(world, lambda: kiosk.send(kiosk.request(Visit(), page, [live]), seconds=30))
                _ask_without(world, name)
    _send_spoiled(world)
    _send_strange_metadata(world)


def _put_on_list(settings: Settings, list_id: str, portrait: bytes) -> str:
    entry = watchlist_pb2.Entry(
        entry_id=new_id(),
        list_id=list_id,
        names=[watchlist_pb2.PersonName(primary_identifier=LISTED, secondary_identifier="Odaline")],
        birth_date=types_pb2.PartialDate(year=1957, month=11, day=23),
        documents=[types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number=LISTED_NUMBER)],
        reason_code="T",
        source_reference="t/1",
        valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=1)),
    )
    with Person(settings, LIST_MANAGER) as manager, Person(settings, APPROVER) as approver:
        enrol = gateway_pb2.EnrolEntryRequest(entry=entry, pictures=[portrait], keep_pictures=True)
        manager.ask(manager.gateway.EnrolEntry, enrol)
        approve = watchlist_pb2.ApproveEntryRequest(entry_id=entry.entry_id)
        approver.ask(approver.watchlist.ApproveEntry, approve)
    return entry.entry_id


def _look(world: World, list_id: str, entry_id: str) -> None:
    """An officer opens the case, searches, and writes a finding; a supervisor looks for the person."""
    case_id, document = (
        world.screening.event_id,
        types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number=NUMBER),
    )
    verdict = decisions_pb2.CandidateFinding(
        list_id=list_id, entry_id=entry_id, verdict=decisions_pb2.FINDING_VERDICT_NOT_SAME_PERSON
    )
    with Person(world.stack.settings, OFFICER, PURPOSE) as officer:
        looked = officer.ask(
            officer.cases.GetCase, cases_pb2.GetCaseRequest(case_id=case_id, with_evidence=True)
        )
        assert looked.screening.payload.mrz.document.number == NUMBER
        for template in (
            looked.screening.evidence.live_template,
            looked.screening.evidence.portrait_template,
        ):
            world.sent.add_bytes(template.values)
            numbers = np.frombuffer(template.values, "<f4")
            world.sent.texts |= {repr(float(number)) for number in numbers[::64] if number}
        search = watchlist_pb2.SearchRequest(
            document=document, name=watchlist_pb2.PersonName(primary_identifier=TRAVELER)
        )
        officer.ask(officer.watchlist.Search, search)
        officer.ask(officer.cases.ClaimCase, cases_pb2.ClaimCaseRequest(case_id=case_id))
        finding = cases_pb2.GiveFindingRequest(
            case_id=case_id,
            document=decisions_pb2.FINDING_VERDICT_SAME_PERSON,
            candidates=[verdict],
            disposition=decisions_pb2.DISPOSITION_PROCEED,
            note=NOTE,
        )
        officer.ask(officer.cases.GiveFinding, finding)
        _try(world, lambda: officer.ask(officer.cases.GiveFinding, finding))
    with Person(world.stack.settings, SUPERVISOR, PURPOSE) as supervisor:
        find = subjects_pb2.FindSubjectRequest(document=document)
        assert supervisor.ask(supervisor.subjects.FindSubject, find).screenings


def _send_bad_pictures(world: World, kiosk: Kiosk, page: bytes) -> None:
    """Pictures that are none, also one that is a name, and a good one cut off."""
    for picture in (
        *(each for each, _ in bad_pictures().values()),
        TRAVELER.encode() * 9,
        page[: len(page) // 2],
    ):
        _try(world, lambda bad=picture: kiosk.send(kiosk.request(Visit(), bad, [bad])))
    mixed = kiosk.request(Visit(), small_picture(), [small_picture()])
    mixed.visit_id = f"{TRAVELER} {NUMBER}"
    _try(world, lambda: kiosk.send(mixed))


def _send_spoiled(world: World) -> None:
    """Every text of every method's request with a canary in it, and bytes of no message with one."""
    client = _Client(world)
    for path in METHODS:
        good = good_request(path, Ask(world.stack.settings, client.ask))
        bad = [message.SerializeToString() for _, message in spoiled(good)]
        canaried = [request for request in bad if CANARY.encode() in request and len(request) < ONE_SPOILED]
        for request in (*canaried, b"\xff" + CANARY.encode()):
            client.send(ways(path)[-1], path, request)
    client.close()


def _send_strange_metadata(world: World) -> None:
    """What gRPC and OpenTelemetry would take from a caller by themselves, and methods that there are not."""
    strange = (
        (TRACE_KEY, f"00-{TRACE_ID}-b7ad6b7169203331-01"),
        ("tracestate", f"vendor={METADATA}"),
        ("baggage", f"name={METADATA}"),
        ("user-agent", METADATA),
        ("x-request-id", METADATA),
    )
    client = _Client(world)
    path = "/borderpost.v1.GatewayService/ScreenTraveler"
    good = good_request(path, Ask(world.stack.settings, client.ask))
    client.send(Way("gateway", "kiosk/north/1", strange), path, good.SerializeToString())
    for traceparent in (METADATA, f"00-{METADATA}-b7ad6b7169203331-01"):
        client.send(Way("gateway", "kiosk/north/1", ((TRACE_KEY, traceparent),)), path, b"")
    for name in SERVICES:
        client.send(Way(name, "gateway"), f"/borderpost.v1.{METADATA}/{METADATA}", b"")
    whole = token_of(world.stack.settings, OFFICER)
    for token in (whole[:-9], whole.replace(".", ".."), METADATA, whole[:40] + METADATA):
        bad = (("authorization", f"Bearer {token}"),)
        client.send(Way("gateway", "console", bad), "/borderpost.v1.CasesService/ListCases", b"")
        client.send(Way("gateway", "kiosk/north/1", bad), path, b"")
    client.close()


def _ask_without(world: World, name: ServiceName) -> None:
    """Methods of a service that is away, through the gateway."""
    client = _Client(world)
    forwarded = [
        path for path, (owner, _) in METHODS.items() if owner == name and ways(path)[-1].service == "gateway"
    ]
    for path in forwarded[:3]:
        client.send(ways(path)[-1], path, b"\x0a" + bytes([len(CANARY)]) + CANARY.encode())
    client.close()


def _try(world: World, call: Any) -> None:
    """Call, and keep what an error says."""
    try:
        call()
    except RemoteError as error:
        world.errors.append(f"{error.reason} {error.message} {error.details}".encode())


class _Client:
    """Sends bytes to any method, and keeps what errors say: text, trailing metadata and details."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._channels: dict[tuple[ServiceName, str], grpc.Channel] = {}

    def send(self, way: Way, path: str, request: bytes) -> bytes | None:
        key = (way.service, way.identity)
        if key not in self._channels:
            self._channels[key] = open_sync_channel(self._world.stack.settings, way.service, way.identity)
        channel, more = (
            self._channels[key],
            {"timeout": 20.0, "metadata": way.sent(self._world.stack.settings)},
        )
        method = METHODS[path][1] if path in METHODS else None
        try:
            if method is not None and method.client_streaming:
                return list(channel.stream_stream(path)(iter([request]), **more))[-1]
            if method is not None and method.server_streaming:
                return list(channel.unary_stream(path)(request, **more))[-1]
            answer: bytes = channel.unary_unary(path)(request, **more)
            return answer
        except grpc.RpcError as error:
            told = [error.details() or ""]
            told += [f"{key}: {value!r}" for key, value in error.trailing_metadata() or ()]
            self._world.errors.append("\n".join(told).encode())
            return None

    def ask(self, path: str, request: Message) -> Message:
        answer = self.send(ways(path)[0], path, request.SerializeToString())
        assert answer is not None, (path, self._world.errors[-1])
        return METHODS[path][1].output_type._concrete_class.FromString(answer)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


@pytest.mark.parametrize(
    "output",
    [
        '{"event": "call", "who": "leakworth"}',
        f"error: {LISTED_NUMBER.lower()}",
        "born 810804.",
        base64.b64encode(b"xx" + LISTED.encode() + b"xxxx").decode(),
        f"span {base64.b64encode(bytes(range(60, 80))).decode()}",
        bytes(range(60, 84)).hex(),
    ],
)
def test_what_is_looked_for_would_be_found(output):
    sent = Sent({TRAVELER, LISTED_NUMBER, "810804", f"xx{LISTED}xxxx"})
    sent.add_bytes(bytes(range(60, 84)))
    assert sent.found_in(output.encode())


def test_digits_within_a_hash_or_a_time_are_no_birth_date():
    assert not Sent({"810804"}).found_in(b"a1810804f 0.810804 2026-11-26T15:30:56.810804Z 810804ab")


def test_the_traveler_was_referred_and_everything_was_tried(world):
    assert world.screening.outcome == types_pb2.OUTCOME_REFER
    assert len(world.errors) > len(METHODS)
    told = b"\n".join(world.errors)
    for reason in (b"DECISION_LOG_UNAVAILABLE", b"PICTURE_DAMAGED", b"INVALID_REQUEST", b"CASE_NOT_YOURS"):
        assert reason in told


def test_no_error_holds_personal_data(world):
    assert world.sent.found_in(b"\n".join(world.errors)) == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_log_holds_personal_data(world, service):
    text = world.stack.log_file(service).read_bytes()
    assert text.count(b'"event": "call"') > 5
    assert world.sent.found_in(text) == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_metrics_port_shows_personal_data(world, service):
    world.scrape(service)
    shown = b"\n".join(world.pages[service])
    assert b"borderpost_calls_total{" in shown
    assert world.sent.found_in(shown) == []
    if service == "gateway":
        assert (
            b'borderpost_screenings_total{crossing="north",direction="ENTRY",late="no",outcome="REFER"}'
            in shown
        )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_shows_what_the_table_promises_of_it_and_nothing_else(world, service):
    world.scrape(service)
    named = set(
        re.findall(
            rb"^# TYPE (borderpost_\w+) ", world.pages[service][0] + world.pages[service][-1], re.MULTILINE
        )
    )
    assert {name.decode() for name in named} == {metric.name for metric in METRICS if service in metric.of}


def test_no_span_holds_personal_data_and_each_has_attributes_of_the_list_alone(world):
    spans = world.collector.wait_for(lambda spans: {each.service for each in spans} == set(SERVICES))
    assert len(spans) > 300
    for each in spans:
        assert {attribute.key for attribute in each.span.attributes} <= ATTRIBUTES
        assert not each.span.events
        assert not each.span.links
        assert not each.span.trace_state
    assert world.sent.found_in(world.collector.raw) == []
    assert world.sent.found_in("\n".join(str(each.span) for each in spans).encode()) == []


def test_one_screening_is_one_trace_through_all_services(world):
    """The one whose traceparent a kiosk had made: each service's span is below the gateway's call of it."""
    trace_id = bytes.fromhex(TRACE_ID)

    def whole(spans):
        of_it = [each for each in spans if each.span.trace_id == trace_id]
        return any(each.span.name.endswith("GatewayService/ScreenTraveler") for each in of_it) and {
            each.service for each in of_it
        } >= {"gateway", "documents", "faces", "decisions"}

    spans = [each for each in world.collector.wait_for(whole) if each.span.trace_id == trace_id]
    by_id = {each.span.span_id: each for each in spans}
    assert len(by_id) == len(spans)
    for each in spans:
        if each.service != "gateway":
            caller = by_id[each.span.parent_span_id]
            assert (caller.service, caller.span.name) == ("gateway", each.span.name)
            assert caller.span.kind == Span.SPAN_KIND_CLIENT
    steps = {
        each.span.name: by_id[each.span.parent_span_id].span.name
        for each in spans
        if "step " in each.span.name
    }
    assert (
        steps["step read_document"]
        == steps["step live_template"]
        == "borderpost.v1.GatewayService/ScreenTraveler"
    )
    root = next(each for each in spans if each.span.name.endswith("/ScreenTraveler"))
    assert root.span.parent_span_id.hex() == "b7ad6b7169203331"


@pytest.mark.parametrize("service", ["gateway", "documents", "watchlist"])
def test_every_line_of_a_log_is_json(world, service):
    """No library writes there by itself; of services that were killed a line may be cut off."""
    whole, _, _ = world.stack.log_file(service).read_text("utf-8").rpartition("\n")
    assert all(json.loads(line)["event"] for line in whole.splitlines())
