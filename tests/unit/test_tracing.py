"""Traces: one id through all services, attributes of a closed list, and nothing at all without a collector."""

from __future__ import annotations

import socket
import threading

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from borderpost.runtime import tracing
from borderpost.runtime.metric_table import OTHER
from borderpost.runtime.metrics import Numbers
from borderpost.runtime.settings import Settings, SettingsError, TracingSettings
from borderpost.runtime.spans import Spans
from borderpost.runtime.tracing import ATTRIBUTES
from borderpost.runtime.watching import Watched

SCREEN = "/borderpost.v1.GatewayService/ScreenTraveler"
READ = "/borderpost.v1.DocumentsService/ReadDocument"
TRACE, PARENT = "5b8aa5a2d2c872e8321cf37308d69df2", "051581bf3cb55c13"


def traceparent(flags="01"):
    return f"00-{TRACE}-{PARENT}-{flags}"


class Traced:
    """A process that traces into memory."""

    def __init__(self, service="gateway", ratio=1.0):
        self._exporter = InMemorySpanExporter()
        self._end = tracing.trace_with(Spans(service, self._exporter, ratio))

    def spans(self):
        self._end()
        return {span.name: span for span in self._exporter.get_finished_spans()}


def handled(method=SCREEN, came=None, status="OK", reason=""):
    watched = Watched(method, Numbers())
    passed_on = watched.entered(came)
    watched.ended(status, reason)
    return passed_on


def test_without_a_collector_a_traceparent_is_passed_on_as_it_came():
    before = threading.active_count()
    tracing.configure_tracing("gateway", Settings().tracing)()
    assert handled(came=traceparent()) == traceparent()
    assert tracing.client_interceptors() == ()
    assert threading.active_count() == before


def test_a_call_without_a_traceparent_gets_one_with_a_collector_or_without():
    assert len(handled(came=None).split("-")[1]) == 32
    traced = Traced()
    passed_on = handled(came=None)
    span = traced.spans()[SCREEN.strip("/")]
    assert passed_on == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert span.parent is None


def test_a_call_goes_on_with_the_trace_it_came_with_under_a_span_of_its_own():
    traced = Traced("documents")
    passed_on = handled(READ, traceparent())
    span = traced.spans()[READ.strip("/")]
    assert passed_on.split("-")[1] == TRACE
    assert passed_on.split("-")[2] == f"{span.context.span_id:016x}" != PARENT
    assert f"{span.parent.span_id:016x}" == PARENT


@pytest.mark.parametrize(
    ("service", "ratio", "flags", "kept"),
    [
        ("gateway", 0.0, "01", False),  # a kiosk can't have itself traced
        ("gateway", 1.0, "00", True),
        ("documents", 0.0, "01", True),  # the gateway drew
        ("documents", 1.0, "00", False),
    ],
)
def test_the_gateway_draws_and_the_others_follow(service, ratio, flags, kept):
    traced = Traced(service, ratio)
    passed_on = handled(READ, traceparent(flags))
    assert passed_on.endswith("-01" if kept else "-00")
    assert bool(traced.spans()) == kept


def test_probes_are_not_traced():
    traced = Traced()
    handled("/grpc.health.v1.Health/Check", traceparent())
    assert traced.spans() == {}


def test_a_step_is_below_its_call_and_says_what_became_of_it():
    traced = Traced()
    watched = Watched(SCREEN, Numbers())
    watched.entered(traceparent())
    with tracing.step("read_document") as note:
        note("")
    with tracing.step("compare") as note:
        note("DEADLINE_EXCEEDED")
    watched.ended("OK")
    spans = traced.spans()
    call = spans[SCREEN.strip("/")]
    assert spans["step read_document"].parent.span_id == call.context.span_id
    assert spans["step read_document"].attributes["borderpost.status"] == "DONE"
    assert spans["step compare"].attributes["borderpost.reason"] == "DEADLINE_EXCEEDED"
    assert not spans["step compare"].status.is_ok
    assert call.attributes["rpc.grpc.status_code"] == grpc.StatusCode.OK.value[0]


def fail_in_a_step(text):
    with tracing.step(text) as note:
        note(text)
        raise RuntimeError(text)


@given(text=st.text(min_size=5).filter(lambda text: not text.isupper()))
def test_no_text_of_a_caller_or_of_an_error_gets_into_a_span(text):
    traced = Traced()
    watched = Watched(SCREEN, Numbers())
    watched.entered(None)
    with pytest.raises(RuntimeError):
        fail_in_a_step(text)
    watched.ended("INTERNAL", text)
    spans = traced.spans()
    assert set(spans) == {SCREEN.strip("/"), f"step {OTHER}"}
    for span in spans.values():
        assert set(span.attributes) <= ATTRIBUTES
        assert text not in [*span.attributes.values(), span.status.description]
        assert not span.events


def test_a_resource_names_the_service_and_nothing_of_the_machine_or_the_environment(monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "officer=anna")
    traced = Traced("faces")
    handled(READ, traceparent())
    (span,) = traced.spans().values()
    assert set(span.resource.attributes) == {"service.namespace", "service.name", "service.version"}
    assert span.resource.attributes["service.name"] == "faces"


def test_a_collector_with_https_is_known_by_certificates_that_must_be_there(tmp_path):
    settings = TracingSettings(endpoint="https://collector:4317", ca=tmp_path / "none.pem")
    with pytest.raises(SettingsError, match=r"tracing\.ca"):
        tracing.configure_tracing("gateway", settings)


def test_a_collector_that_is_away_costs_its_traces_alone_and_its_text_is_not_logged():
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    with capture_logs() as lines:
        end = tracing.configure_tracing("gateway", TracingSettings(endpoint=endpoint, ratio=1.0))
        passed_on = handled(came=traceparent())
        end()
    assert passed_on.split("-")[1] == TRACE
    assert {line["event"] for line in lines} == {"tracing", "tracing_troubled"}
    troubled = [line for line in lines if line["event"] == "tracing_troubled"]
    assert {key for line in troubled for key in line} == {"event", "log_level", "at"}


@pytest.mark.parametrize(
    "endpoint", ["collector:4317", "http://collector", "ftp://collector:1", "https://u:p@c:1"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint):
    with pytest.raises(ValueError, match="endpoint"):
        TracingSettings(endpoint=endpoint)
