"""A collector of traces: what services send by OTLP arrives over a real socket, and is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Received:
    """A span, and the service that sent it."""

    service: str
    span: Span


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps everything that it is sent, as it came and span by span."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[trace_service_pb2.ExportTraceServiceRequest] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the proto's name
        """Take spans."""
        with self._lock:
            self._requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def raw(self) -> bytes:
        """All bytes that came."""
        with self._lock:
            return b"\n".join(request.SerializeToString() for request in self._requests)

    @property
    def spans(self) -> list[Received]:
        """All spans that came."""
        with self._lock:
            requests = list(self._requests)
        return [
            Received(_service(each), span)
            for request in requests
            for each in request.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, there: Callable[[list[Received]], bool]) -> list[Received]:
        """Wait until what came is enough."""
        for _ in range(300):
            spans = self.spans
            if there(spans):
                return spans
            time.sleep(0.05)
        raise AssertionError(
            f"the spans never came; there are {sorted(each.span.name for each in self.spans)}"
        )

    def __enter__(self) -> Collector:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()


def _service(spans: Any) -> str:
    return next(each.value.string_value for each in spans.resource.attributes if each.key == "service.name")
