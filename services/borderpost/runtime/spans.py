"""Spans and their way to a collector, by OpenTelemetry's SDK. Loaded only where the settings name one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import grpc
import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from borderpost.runtime.metric_table import closed
from borderpost.runtime.settings import SettingsError, TracingSettings

QUEUE: Final = 2048
BATCH: Final = 256
"""Spans that wait for a collector, and that go to it at once. What finds the queue full is lost."""

DELAY_MS: Final = 1000
EXPORT_SECONDS: Final = 2.0
"""How long a span waits for company, and how long a collector may take."""

CLOSE_SECONDS: Final = 3.0
"""How long a service's end waits for the collector. OpenTelemetry's own end tries again for much longer."""

_log = structlog.get_logger(__name__)


class Spans:
    """Makes the spans of one process."""

    def __init__(self, service: str, exporter: SpanExporter, ratio: float) -> None:
        """`ratio`: the share of traces that is kept. The gateway draws; the others follow what it drew."""
        by_ratio = TraceIdRatioBased(ratio)
        self._provider = TracerProvider(
            # A kiosk must not be able to have everything kept.
            sampler=by_ratio if service == "gateway" else ParentBased(by_ratio),
            # Not Resource.create: that also takes what the environment says.
            resource=Resource(
                {
                    "service.namespace": "borderpost",
                    "service.name": service,
                    "service.version": version("borderpost"),
                }
            ),
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_events=0, max_links=0),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, QUEUE, DELAY_MS, BATCH, EXPORT_SECONDS * 1000)
        )
        self._tracer = self._provider.get_tracer("borderpost")

    def server(self, method: str, traceparent: str | None) -> trace.Span:
        """Begin the span of a call that came in, and make it the current one of this task."""
        parent = trace.set_span_in_context(_remote(traceparent), otel_context.Context())
        span = self._tracer.start_span(
            method.strip("/"), parent, trace.SpanKind.SERVER, _rpc(method), record_exception=False
        )
        otel_context.attach(trace.set_span_in_context(span))
        return span

    def client(self, method: str) -> trace.Span:
        """Begin the span of a call that goes out, below the current one."""
        return self._tracer.start_span(
            method.strip("/"), None, trace.SpanKind.CLIENT, _rpc(method), record_exception=False
        )

    @contextmanager
    def step(self, name: str) -> Iterator[trace.Span]:
        """The span of a step, below the current one."""
        with self._tracer.start_as_current_span(
            f"step {closed('step', name)}", record_exception=False, set_status_on_exception=False
        ) as span:
            span.set_attribute("borderpost.step", closed("step", name))
            yield span

    def close(self) -> None:
        """Send what is left, and end; a collector that doesn't answer is not waited for."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


def open_spans(service: str, settings: TracingSettings) -> Spans:
    """Make spans for the collector that the settings name. Raises SettingsError."""
    _quieten()
    endpoint = settings.endpoint or ""
    secure = endpoint.startswith("https://")
    exporter = OTLPSpanExporter(
        endpoint=endpoint,
        insecure=not secure,
        credentials=_credentials(settings.ca) if secure else None,
        timeout=EXPORT_SECONDS,
        channel_options=(("grpc.enable_http_proxy", 0),),  # type: ignore[arg-type]
    )
    return Spans(service, exporter, settings.ratio)


def _rpc(method: str) -> dict[str, str]:
    _, service, name = method.split("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


def _remote(traceparent: str | None) -> trace.Span:
    if traceparent is None:
        return trace.INVALID_SPAN
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16)))
    return trace.NonRecordingSpan(parent)


def _credentials(ca: Path | None) -> grpc.ChannelCredentials:
    try:
        return grpc.ssl_channel_credentials(ca.read_bytes() if ca else None)
    except OSError as error:
        raise SettingsError(f"tracing.ca: can't read {ca}: {error.strerror}") from None


class _Untold(logging.Handler):
    """OpenTelemetry's own log, which is no JSON and may hold anything: of it only that there was something."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell that spans may be lost."""
        _log.warning("tracing_troubled", at=f"{record.module}:{record.lineno}")


def _quieten() -> None:
    told = logging.getLogger("opentelemetry")
    told.handlers = [_Untold()]
    told.propagate = False
