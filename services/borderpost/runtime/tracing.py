"""Traces: one span for each call and each step, under one trace id through all services (OpenTelemetry).

Spans leave the process only if the settings name a collector; without one there are none, and a call's traceparent is
passed on as it came (W3C Trace Context allows it). Spans are made here alone, with attributes from a closed list: no
name, number, id, purpose or text of an error is ever in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from opentelemetry import trace

from borderpost.runtime.context import TRACE_KEY, new_traceparent
from borderpost.runtime.metric_table import closed
from borderpost.runtime.settings import TracingSettings

if TYPE_CHECKING:
    from borderpost.runtime.spans import Spans

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

_QUIET: Final = ("/grpc.health.v1.Health/", "/grpc.reflection.")

_log = structlog.get_logger(__name__)


_spans: Spans | None = None
"""Of this process; None where nothing is traced. Set once at the start, as the log's is."""


def configure_tracing(service: str, settings: TracingSettings) -> Callable[[], None]:
    """Trace this process, if the settings name a collector. Return what ends it. Raises SettingsError."""
    if settings.endpoint is None:
        return lambda: None
    # Only here: without a collector neither services nor the command load what they don't need.
    from borderpost.runtime.spans import open_spans  # noqa: PLC0415

    _log.info("tracing", endpoint=settings.endpoint, ratio=settings.ratio)
    return trace_with(open_spans(service, settings))


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


def _traceparent(span: trace.Span) -> str:
    told = span.get_span_context()
    return f"00-{told.trace_id:032x}-{told.span_id:016x}-{int(told.trace_flags) & 1:02x}"


def _nothing(_reason: str) -> None:
    """Where nothing is traced."""
