"""What was asked and answered in a drill, and whether it is all as it has to be."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import grpc

from borderpost.cli.people import AUDITOR, Person
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import RemoteError
from borderpost.v1 import decisions_pb2, gateway_pb2, types_pb2

GRACE_SECONDS: Final = 1.5
"""By how much gRPC may be late with its own DEADLINE_EXCEEDED on a machine that is killing and starting processes."""

BLANK_BYTES: Final = 10_000
"""No blank page is larger."""

OUTAGES: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
)
"""What a request may get in place of an outcome: come back, or go to an officer."""


@dataclass
class Books:
    """Kept by many threads."""

    deadline: float
    answers: dict[str, gateway_pb2.ScreenTravelerResponse] = field(default_factory=dict)
    whole: int = 0
    """Answers to travelers with a page to read and a face to match."""
    open: dict[str, gateway_pb2.ScreenTravelerRequest] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(
        self,
        request: gateway_pb2.ScreenTravelerRequest,
        answer: gateway_pb2.ScreenTravelerResponse,
        seconds: float,
    ) -> None:
        """Keep an answer. A request has one answer, however often it is sent."""
        with self._lock:
            self._in_time(request, seconds)
            if request.request_id not in self.answers and len(request.document_page) > BLANK_BYTES:
                self.whole += 1
            before = self.answers.setdefault(request.request_id, answer)
            if (before.outcome, before.event_id) != (answer.outcome, answer.event_id):
                self.faults.append(f"{request.request_id}: two answers")
            self.open.pop(request.request_id, None)

    def refused(self, request: gateway_pb2.ScreenTravelerRequest, error: RemoteError, seconds: float) -> None:
        """Keep an error."""
        with self._lock:
            self._in_time(request, seconds)
            self.errors[f"{error.code.name} {error.reason}"] += 1
            self.open[request.request_id] = request
            if error.code not in OUTAGES or not error.reason:
                self.faults.append(f"{request.request_id}: {error.code.name} {error.reason}")

    def _in_time(self, request: gateway_pb2.ScreenTravelerRequest, seconds: float) -> None:
        self.seconds.append(seconds)
        if seconds > self.deadline + GRACE_SECONDS:
            self.faults.append(f"{request.request_id}: after {seconds:.1f} s")

    def check(self, settings: Settings) -> list[str]:
        """Hold the books against the log; return everything that is wrong."""
        wrong = list(self.faults)
        wrong += [f"{request_id}: never answered" for request_id in self.open]
        with Person(settings, AUDITOR, "fault drill") as auditor:
            check = auditor.ask(auditor.decisions.VerifyLog, decisions_pb2.VerifyLogRequest(), 300)
            wrong += [f"log: {fault.code} at {fault.index}" for fault in check.faults]
            request = decisions_pb2.QueryEventsRequest(
                kinds=[decisions_pb2.EVENT_KIND_TRAVELER_SCREENED], page_size=500
            )
            logged = {
                entry.event.traveler_screened.request_id: entry.event.traveler_screened
                for page in auditor.pages(auditor.decisions.QueryEvents, request)
                for entry in page.entries
            }
        for request_id, answer in self.answers.items():
            wrong += _differs(request_id, answer, logged.get(request_id))
        return wrong


def _differs(
    request_id: str,
    answer: gateway_pb2.ScreenTravelerResponse,
    screening: decisions_pb2.TravelerScreened | None,
) -> list[str]:
    if screening is None:
        return [f"{request_id}: acknowledged, and not in the log"]
    if screening.outcome != answer.outcome:
        return [f"{request_id}: the log has another outcome"]
    if screening.outcome != types_pb2.OUTCOME_CLEAR:
        return []
    passed = {check.name for check in screening.checks if check.status == types_pb2.CHECK_STATUS_PASSED}
    required = {types_pb2.CheckKind.Name(kind).removeprefix("CHECK_KIND_") for kind in screening.required}
    if not required or required - passed or screening.tolerated:
        return [f"{request_id}: CLEAR without {', '.join(sorted(required - passed)) or 'any check'}"]
    return []
