"""What is noted of each call that a server handles: numbers and, if there is a collector, a span."""

from __future__ import annotations

import time

from opentelemetry.trace import Span

from borderpost.runtime import tracing
from borderpost.runtime.metric_table import CALL_SECONDS, CALLS, CALLS_IN_FLIGHT
from borderpost.runtime.metrics import Numbers


class Watched:
    """One call. It is `entered` once its traceparent was read, and `ended` once."""

    def __init__(self, method: str, numbers: Numbers) -> None:
        self.method = method
        self._numbers = numbers
        self._started = time.monotonic()
        self._span: Span | None = None
        numbers.count(CALLS_IN_FLIGHT)

    def entered(self, traceparent: str | None) -> str:
        """Note which trace it is of, None for none; return the traceparent for the calls that are made for it."""
        self._span, passed_on = tracing.enter(self.method, traceparent)
        return passed_on

    def ended(self, status: str, reason: str = "") -> float:
        """Note how it ended; return the milliseconds that it took."""
        seconds = time.monotonic() - self._started
        _, service, name = self.method.split("/")
        self._numbers.count(CALLS_IN_FLIGHT, by=-1)
        self._numbers.count(CALLS, service, name, status, reason)
        self._numbers.observe(CALL_SECONDS, seconds, service, name, "yes" if status == "OK" else "no")
        if self._span is not None:
            tracing.leave(self._span, status, reason)
        return seconds * 1000
