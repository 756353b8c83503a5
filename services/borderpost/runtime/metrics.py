"""Numbers of one process for Prometheus: counted while it works, shown on a port for operators.

One `Numbers` belongs to one process and has a registry of its own; the composition root hands it to what counts. The
port is no way in: it answers one kind of question with numbers, listens on this machine alone unless told otherwise,
and no kiosk reaches it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import prometheus_client
import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from borderpost.runtime.metric_table import MOST_CROSSINGS, OTHER, READINGS_FAILED, SECONDS, Metric, closed

READ_SECONDS: Final = 5.0
"""Pause between two looks at numbers in a database or a file. Prometheus asks every 15 s."""

_log = structlog.get_logger(__name__)

Labels = tuple[str, ...]
Sample = tuple[Metric, Labels, float]
Read = Callable[[], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Numbers that have to be looked up in a database or a file: beside everything else, not when Prometheus asks.

    What `read` gives stands until the next time. When it fails, nothing is shown: an old number looks like a good one.
    """

    metrics: Sequence[Metric]
    read: Read
    every: float = READ_SECONDS


class Numbers:
    """The numbers of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        # They would be a second gauge for every counter, which nobody asks for.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry: Final = prometheus_client.CollectorRegistry()
        self._made: dict[str, Any] = {}
        self._series: dict[tuple[str, Labels], Any] = {}
        self._crossings: set[str] = set()
        self._lock = threading.Lock()

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter, or to a gauge."""
        self._of(metric, labels).inc(by)

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Note a time."""
        self._of(metric, labels).observe(seconds)

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._of(metric, labels).set(value)

    def live(self, metric: Metric, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Show what `read` gives whenever Prometheus asks: only for what is in memory, and can't fail."""
        self.registry.register(_Live(metric, lambda: self._closed_all(metric, read())))

    async def follow(self, reading: Reading) -> None:
        """Look numbers up for ever, off the event loop."""
        held: dict[str, Mapping[Labels, float]] = {}
        for metric in reading.metrics:
            self.live(metric, lambda name=metric.name: held.get(name, {}))  # type: ignore[misc]
        self.count(READINGS_FAILED, by=0)
        failing = False
        while True:
            try:
                samples = await asyncio.to_thread(lambda: list(reading.read()))
                failing = False
            except Exception as error:  # whatever it is, it must not end what is looked up
                samples = []
                self.count(READINGS_FAILED)
                if not failing:
                    _log.warning(
                        "numbers_missing", metric=reading.metrics[0].name, error=type(error).__name__
                    )
                failing = True
            found = {metric.name: {} for metric in reading.metrics}  # type: dict[str, dict[Labels, float]]
            for metric, labels, value in samples:
                found[metric.name][labels] = value
            held.update(found)
            await asyncio.sleep(reading.every)

    def _of(self, metric: Metric, labels: Labels) -> Any:
        """The series of these labels. Closing them is done once for each combination that came in."""
        key = (metric.name, labels)
        series = self._series.get(key)
        if series is None:
            shown = self._closed(metric, labels)
            made = self._make(metric)
            series = made.labels(*shown) if shown else made
            if shown == labels:  # what was closed off may be anything: remembering it would have no end
                self._series[key] = series
        return series

    def _make(self, metric: Metric) -> Any:
        with self._lock:
            if metric.name not in self._made:
                kind: Any = getattr(prometheus_client, metric.kind.capitalize())
                more = {"buckets": SECONDS} if metric.kind == "histogram" else {}
                self._made[metric.name] = kind(
                    metric.name, metric.meaning, metric.labels, registry=self.registry, **more
                )
            return self._made[metric.name]

    def _closed(self, metric: Metric, labels: Labels) -> Labels:
        return tuple(
            self._capped(closed(name, value)) if name == "crossing" else closed(name, value)
            for name, value in zip(metric.labels, labels, strict=True)
        )

    def _closed_all(self, metric: Metric, found: Mapping[Labels, float]) -> Mapping[Labels, float]:
        return {self._closed(metric, labels): value for labels, value in found.items()}

    def _capped(self, crossing: str) -> str:
        with self._lock:
            if len(self._crossings) < MOST_CROSSINGS:
                self._crossings.add(crossing)
            return crossing if crossing in self._crossings else OTHER


class _Live(Collector):
    """A metric that is looked at when it is asked for."""

    def __init__(self, metric: Metric, read: Callable[[], Mapping[Labels, float]]) -> None:
        self._metric = metric
        self._read = read

    def collect(self) -> Iterator[Any]:
        """Give the metric with all that there is of it."""
        metric = self._metric
        family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        shown = family(metric.name, metric.meaning, labels=metric.labels)
        for labels, value in self._read().items():
            shown.add_metric(labels, value)
        yield shown


def show(numbers: Numbers, address: str) -> Callable[[], None]:
    """Answer Prometheus on an address; return what ends it.

    An address that can't be had is logged, and the service goes on without: travelers wait for it, not for numbers.
    """
    host, _, port = address.rpartition(":")
    prometheus_client.ProcessCollector(registry=numbers.registry)
    try:
        server, thread = prometheus_client.start_http_server(int(port), host, numbers.registry)
    except OSError as error:
        _log.warning("metrics_not_shown", address=address, error=type(error).__name__)
        return lambda: None
    # A connection that breaks off would be told on standard error, where the log is.
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    _log.info("metrics", address=address)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
