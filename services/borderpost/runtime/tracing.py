"""Traces: one span for each call and each step, under one trace id through all services (OpenTelemetry).

Spans leave the process only if the settings name a collector; without one there are none, and a call's traceparent is
passed on as it came (W3C Trace Context allows it). Spans are made here alone, with attributes from a closed list: no
name, number, id, purpose or text of an error is ever in one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import grpc
import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from borderpost.runtime.context import TRACE_KEY, new_traceparent
from borderpost.runtime.metric_table import closed
from borderpost.runtime.settings import SettingsError, TracingSettings

ATTRIBUTES: Final = frozenset(
    {
        "rpc.system",
        "rpc.service",
        "rpc.method",
        "rpc.grpc.status_code",
        "borderpost.step",
        "borderpost.status",
        "borderpost.reason",
    }
)
"""All that a span may say, beside its name, its times and its ids."""

QUEUE: Final = 2048
BATCH: Final = 256
"""Spans that wait for a collector, and that go to it at once. What finds the queue full is lost."""

DELAY_MS: Final = 1000
EXPORT_SECONDS: Final = 2.0
"""How long a span waits for company, and how long a collector may take: a service's end waits for it once."""

_QUIET: Final = ("/grpc.health.v1.Health/", "/grpc.reflection.")

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
        """Send what is left, and end."""
        self._provider.shutdown()


_spans: Spans | None = None
"""Of this process; None where nothing is traced. Set once at the start, as the log's is."""


def configure_tracing(service: str, settings: TracingSettings) -> Callable[[], None]:
    """Trace this process, if the settings name a collector. Return what ends it. Raises SettingsError."""
    if settings.endpoint is None:
        return lambda: None
    _quieten()
    secure = settings.endpoint.startswith("https://")
    exporter = OTLPSpanExporter(
        endpoint=settings.endpoint,
        insecure=not secure,
        credentials=_credentials(settings.ca) if secure else None,
        timeout=EXPORT_SECONDS,
        channel_options=(("grpc.enable_http_proxy", 0),),  # type: ignore[arg-type]
    )
    _log.info("tracing", endpoint=settings.endpoint, ratio=settings.ratio)
    return trace_with(Spans(service, exporter, settings.ratio))


def trace_with(spans: Spans) -> Callable[[], None]:
    """Trace this process with these; return what ends it."""
    global _spans  # noqa: PLW0603 - one for the process, as OpenTelemetry's own would be
    _spans = spans

    def end() -> None:
        global _spans  # noqa: PLW0603
        _spans = None
        spans.close()

    return end


def enter(method: str, traceparent: str | None) -> tuple[trace.Span | None, str]:
    """Begin the span of a call that came in; return it, if there is one, and the traceparent for whom it calls."""
    if _spans is None or method.startswith(_QUIET):
        return None, traceparent or new_traceparent()
    span = _spans.server(method, traceparent)
    return span, _traceparent(span)


def leave(span: trace.Span, status: str, reason: str) -> None:
    """End the span of a call, with how it ended."""
    _note(span, status, reason)
    span.end()


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """Trace a step of a screening. What is yielded takes the reason why it failed; an empty one where it didn't."""
    if _spans is None:
        yield _nothing
        return
    with _spans.step(name) as span:

        def note(reason: str) -> None:
            span.set_attribute("borderpost.status", "FAILED" if reason else "DONE")
            if reason:
                span.set_attribute("borderpost.reason", closed("reason", reason))
                span.set_status(trace.StatusCode.ERROR)

        yield note


def client_interceptors() -> Sequence[grpc.aio.ClientInterceptor]:
    """What a channel needs so that calls on it are traced: nothing, where nothing is traced."""
    return () if _spans is None else (_ClientSpans(_spans),)


class _ClientSpans(grpc.aio.UnaryUnaryClientInterceptor):
    """A span for each call that goes out while a call is handled. Of a stream the spans of its two ends tell enough."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Make the call with the span's own traceparent."""
        method = client_call_details.method
        name = method.decode() if isinstance(method, bytes) else method
        if name.startswith(_QUIET) or not trace.get_current_span().get_span_context().is_valid:
            return await continuation(client_call_details, request)
        span = self._spans.client(name)
        told = [(key, value) for key, value in client_call_details.metadata or () if key != TRACE_KEY]
        metadata = grpc.aio.Metadata(*told, (TRACE_KEY, _traceparent(span)))
        status = "CANCELLED"
        try:
            call = await continuation(client_call_details._replace(metadata=metadata), request)
            try:
                status = (await call.code()).name
            except asyncio.CancelledError:
                call.cancel()
                raise
        finally:
            leave(span, status, "")
        return call


def _note(span: trace.Span, status: str, reason: str) -> None:
    code = getattr(grpc.StatusCode, status, grpc.StatusCode.UNKNOWN)
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if reason:
        span.set_attribute("borderpost.reason", closed("reason", reason))
    if status not in {"OK", "CANCELLED"}:
        span.set_status(trace.StatusCode.ERROR)


def _rpc(method: str) -> dict[str, str]:
    _, service, name = method.split("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


def _remote(traceparent: str | None) -> trace.Span:
    if traceparent is None:
        return trace.INVALID_SPAN
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16)))
    return trace.NonRecordingSpan(parent)


def _traceparent(span: trace.Span) -> str:
    told = span.get_span_context()
    return f"00-{told.trace_id:032x}-{told.span_id:016x}-{int(told.trace_flags) & 1:02x}"


def _nothing(_reason: str) -> None:
    """Where nothing is traced."""


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
