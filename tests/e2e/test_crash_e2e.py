"""Processes die by `kill -9` under a stream of screenings: nothing acknowledged is lost, nothing decided twice."""

from __future__ import annotations

import io
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from PIL import Image

from borderpost.cli.people import AUDITOR, Person
from borderpost.cli.stack import Stack
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.health import serves
from borderpost.runtime.settings import SERVICES, ServiceName
from borderpost.runtime.status import RemoteError
from borderpost.v1 import decisions_pb2, gateway_pb2, types_pb2
from fakes.requests import small_picture

Request = gateway_pb2.ScreenTravelerRequest
Answer = gateway_pb2.ScreenTravelerResponse

SEND_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""What a kiosk may get while a process is away, or many come back at once: it may send the same request again."""

DEADLINE = 8.0
GRACE = 1.0
"""By how much gRPC may be late with its own DEADLINE_EXCEEDED on a busy machine."""

DOWN_SECONDS = 0.3
SEND_AGAIN_SECONDS = 0.2
BETWEEN_SECONDS = 0.1


@dataclass
class Traffic:
    """Kiosks that screen travelers one after the other, and keep every request and what became of it."""

    stack: Stack
    pictures: list[tuple[bytes, bytes]]
    answers: dict[str, tuple[Request, Answer]] = field(default_factory=dict)
    unanswered: dict[str, Request] = field(default_factory=dict)
    errors: int = 0
    faults: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._screen, args=pair) for pair in self.pictures]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(3 * DEADLINE)
        assert not any(thread.is_alive() for thread in threads)

    def wait_for_answers(self, count: int) -> None:
        """Wait until `count` more requests were answered."""
        want, until = len(self.answers) + count, time.monotonic() + 3 * DEADLINE
        while len(self.answers) < want:
            assert time.monotonic() < until, f"no answers come any more: {self.faults}"
            time.sleep(0.02)

    def send(self, kiosk: Kiosk, request: Request) -> None:
        """Send a request and keep what comes: an outcome, or a typed error in time. All else is a fault."""
        started = time.monotonic()
        answer, error = None, None
        try:
            answer = kiosk.send(request, DEADLINE)
        except RemoteError as raised:
            error = raised
        seconds = time.monotonic() - started
        with self._lock:
            if seconds > DEADLINE + GRACE:
                self.faults.append(f"answered after {seconds:.1f} s")
            if answer is not None:
                self.answers[request.request_id] = (request, answer)
                self.unanswered.pop(request.request_id, None)
                return
            self.unanswered[request.request_id] = request
            self.errors += 1
            if error.code not in SEND_AGAIN or not error.reason:
                self.faults.append(f"{error.code} {error.reason} {error.message}")

    def send_unanswered_again(self) -> None:
        """Send every request that was not answered; now that all serve, each is."""
        with Kiosk(self.stack.settings, "kiosk/north/1") as kiosk:
            for request in list(self.unanswered.values()):
                self.send(kiosk, request)
        assert not self.unanswered, self.faults

    def _screen(self, page: bytes, live: bytes) -> None:
        with Kiosk(self.stack.settings, "kiosk/north/1") as kiosk:
            while not self._stop.is_set():
                request = kiosk.request(Visit(), page, [live])
                self.send(kiosk, request)
                self._stop.wait(BETWEEN_SECONDS)
                while request.request_id in self.unanswered and not self._stop.wait(SEND_AGAIN_SECONDS):
                    self.send(kiosk, request)


@pytest.fixture
def traffic(stack: Stack, travelers) -> Traffic:
    # A page of this size is read as well as a larger one, and sooner.
    page = smaller(travelers.page_a, 1200)
    # One kiosk keeps a core busy with reading; the other's pages are blank, so that it meets every moment.
    return Traffic(stack, [(page, travelers.samples.a_live), (small_picture(), travelers.samples.b_live)])


def smaller(picture: bytes, width: int) -> bytes:
    image = Image.open(io.BytesIO(picture))
    buffer = io.BytesIO()
    image.resize((width, image.height * width // image.width)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def crash(stack: Stack, name: ServiceName, seconds: float) -> None:
    stack.kill(name)
    time.sleep(seconds)
    stack.restart(name)


def crash_all(stack: Stack, seconds: float) -> None:
    """As if the machine lost power."""
    for name in SERVICES:
        stack.kill(name)
    time.sleep(seconds)
    for name in SERVICES:
        stack.launch(name)
    for name in SERVICES:
        stack.wait_ready(name)


def assert_nothing_is_lost(stack: Stack, traffic: Traffic) -> None:
    traffic.send_unanswered_again()
    assert traffic.faults == []
    screenings = logged_screenings(stack)
    assert {request_id: len(entries) for request_id, entries in screenings.items() if len(entries) > 1} == {}
    for request_id, (_, answer) in traffic.answers.items():
        entry = screenings[request_id][0]
        assert acknowledged(answer) == (
            entry.event.event_id,
            entry.index,
            entry.event.traveler_screened.outcome,
        )
    with Kiosk(stack.settings, "kiosk/north/1") as kiosk:
        for request, answer in traffic.answers.values():
            again = kiosk.send(request)
            assert again.already_answered
            assert acknowledged(again) == acknowledged(answer)
    for entries in screenings.values():
        assert_clear_means_passed(entries[0].event.traveler_screened)


def acknowledged(answer: Answer) -> tuple[str, int, int]:
    return answer.event_id, answer.log_index, answer.outcome


def assert_clear_means_passed(screening: decisions_pb2.TravelerScreened) -> None:
    if screening.outcome == types_pb2.OUTCOME_CLEAR:
        passed = {check.name for check in screening.checks if check.status == types_pb2.CHECK_STATUS_PASSED}
        required = {types_pb2.CheckKind.Name(kind).removeprefix("CHECK_KIND_") for kind in screening.required}
        assert required
        assert required <= passed


def logged_screenings(stack: Stack) -> dict[str, list[decisions_pb2.LogEntry]]:
    """All screenings of this kiosk in the log, as an auditor gets them, by their request id."""
    request = decisions_pb2.QueryEventsRequest(
        kinds=[decisions_pb2.EVENT_KIND_TRAVELER_SCREENED], kiosk_id="kiosk/north/1", page_size=500
    )
    found = defaultdict(list)
    with Person(stack.settings, AUDITOR, "crash test") as auditor:
        for page in auditor.pages(auditor.decisions.QueryEvents, request):
            for entry in page.entries:
                found[entry.event.traveler_screened.request_id].append(entry)
    return found


def assert_sound(stack: Stack) -> None:
    with Person(stack.settings, AUDITOR) as auditor:
        check = auditor.ask(auditor.decisions.VerifyLog, decisions_pb2.VerifyLogRequest())
    assert check.intact, check.faults
    for name in SERVICES:
        with open_sync_channel(stack.settings, name, "gateway") as channel:
            assert serves(channel), name


def not_checked(traffic: Traffic) -> int:
    """How many were referred because a step failed."""
    failed = types_pb2.STEP_STATUS_FAILED
    return sum(any(step.status == failed for step in answer.steps) for _, answer in traffic.answers.values())


def test_each_service_dies_in_turn_and_nothing_acknowledged_is_lost(stack, traffic):
    with traffic.flowing():
        traffic.wait_for_answers(3)
        for name in SERVICES:
            crash(stack, name, DOWN_SECONDS)
        traffic.wait_for_answers(3)
    # The crashes were felt: some requests had no answer at first, some were referred as not checked.
    assert traffic.errors
    assert not_checked(traffic)
    assert_nothing_is_lost(stack, traffic)
    assert types_pb2.OUTCOME_CLEAR in {answer.outcome for _, answer in traffic.answers.values()}
    assert_sound(stack)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_services_die_at_random_moments_alone_and_together(stack, traffic, seed):
    chance = random.Random(seed)  # noqa: S311 - the same moments each time
    ways: list[Callable[[float], None]] = [
        lambda seconds: crash_all(stack, seconds),
        *(lambda seconds, name=name: crash(stack, name, seconds) for name in SERVICES),
    ]
    with traffic.flowing():
        for _ in range(3):
            chance.shuffle(ways)
            for way in ways:
                time.sleep(chance.uniform(0, 2))
                way(chance.uniform(0, 2))
        traffic.wait_for_answers(3)
    assert_nothing_is_lost(stack, traffic)
    assert_sound(stack)
