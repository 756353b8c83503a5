"""The use case of the gateway: screen a traveler. Those around watchlist entries are in `enrolment`."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, NoReturn

import grpc
import structlog

from borderpost.gateway.admission import Admission
from borderpost.gateway.assess import ListTerms, assess, is_stale
from borderpost.gateway.deadline import left
from borderpost.gateway.domain import Findings, ScreenRequest
from borderpost.gateway.errors import (
    DecisionLogUnavailableError,
    RequestIdReusedError,
)
from borderpost.gateway.looking import Services, Wanted, look
from borderpost.gateway.record import record_of
from borderpost.gateway.traveler import traveler_of
from borderpost.policy.deciding import decide
from borderpost.policy.domain import CheckResult, Decision, Traveler
from borderpost.policy.inputs import pattern_terms
from borderpost.policy.model import DRAWS, Policy, PolicyVersion
from borderpost.runtime.calls import Call
from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import decisions_pb2, types_pb2

SOFTWARE: Final = f"borderpost {version('borderpost')}"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Screened:
    """A screening as it stands in the log, and whether it stood there before this request."""

    entry: decisions_pb2.LogEntry
    already_answered: bool


def draw() -> int:
    """Draw for the random sample: by the operating system's generator, so that nobody can tell whom it will meet."""
    return secrets.randbelow(DRAWS)


class Gateway:
    """Coordinates the services. Holds no state of its own but who is being screened right now."""

    def __init__(
        self,
        services: Services,
        policy: Callable[[], PolicyVersion],
        admission: Admission,
        commit_seconds: float,
        draw: Callable[[], int] = draw,
        counted: Callable[[decisions_pb2.TravelerScreened], None] = lambda _: None,
    ) -> None:
        """`policy` tells the one in force; a screening goes by one from its begin to its record. `counted` is told of
        each screening once its record is durable."""
        self._services = services
        self._policy = policy
        self._admission = admission
        self._commit_seconds = commit_seconds
        self._draw = draw
        self._counted = counted
        self._in_flight: dict[tuple[str, str], asyncio.Event] = {}

    async def screen(self, request: ScreenRequest, call: Call, seconds: float) -> Screened:
        """Screen a traveler within `seconds`; returns only after the decision is durable.

        Raises OverloadedError (come back), DecisionLogUnavailableError (nothing was decided), RequestIdReusedError, and
        what the services say about a picture that isn't one.
        """
        until = time.monotonic() + seconds
        async with self._one_at_a_time(request, until):
            return await self._screen(request, call, until)

    async def _screen(self, request: ScreenRequest, call: Call, until: float) -> Screened:
        # 1. Answered before? Asked first, so that a log that is down costs the kiosk no waiting.
        earlier = await self._find(request, call)
        if earlier is not None:
            return Screened(earlier, already_answered=True)
        # 2. Is there room to screen one more, so that everybody's answer stays quick?
        patient = request.late
        async with self._admission.admitted(request.kiosk_id, left(until), patient) as admitted:
            # 3. Look, keeping the time that the commit needs.
            policy = self._policy()
            wanted = Wanted(policy.policy.face_match_fmr, pattern_terms(policy.policy))
            findings = await look(self._services, request, wanted, call, until - self._commit_seconds)
            # 4. Decide: pure, from the findings, the draw, the time of the request and the policy alone.
            traveler = traveler_of(request, findings, policy.policy, self._draw())
            checks, decision = _decide(policy.policy, request, findings, traveler)
            # 5. Commit. No reply before it.
            record = record_of(request, findings, traveler, checks, decision, policy, SOFTWARE)
            screened = await self._commit(record, call)
            admitted.whole = all(step.status == types_pb2.STEP_STATUS_DONE for step in findings.steps)
            return screened

    @asynccontextmanager
    async def _one_at_a_time(self, request: ScreenRequest, until: float) -> AsyncIterator[None]:
        """Let a request that is sent again while it is being screened wait for that, and not be screened twice."""
        key = (request.kiosk_id, request.request_id)
        with suppress(TimeoutError):  # then it finds out by itself what there is to say
            async with asyncio.timeout(left(until - self._commit_seconds)):
                while key in self._in_flight:
                    await self._in_flight[key].wait()
        done = self._in_flight.setdefault(key, asyncio.Event())
        try:
            yield
        finally:
            if self._in_flight.get(key) is done:
                del self._in_flight[key]
            done.set()

    async def _find(self, request: ScreenRequest, call: Call) -> decisions_pb2.LogEntry | None:
        try:
            entry = await self._services.decisions.find(
                request.kiosk_id, request.request_id, call, self._commit_seconds
            )
        except BorderpostError as error:
            _no_log(error)
        if entry and entry.event.traveler_screened.content_sha256 != request.content_sha256():
            raise RequestIdReusedError(
                "request_id: was used before for other content: make a new id for each attempt"
            )
        return entry

    async def _commit(self, record: decisions_pb2.AppendScreeningRequest, call: Call) -> Screened:
        try:
            answer = await self._services.decisions.append(record, call, self._commit_seconds)
        except BorderpostError as error:
            if error.reason == RequestIdReusedError.reason:
                raise
            _no_log(error)
        if not answer.duplicate:
            self._counted(answer.entry.event.traveler_screened)
        return Screened(answer.entry, already_answered=answer.duplicate)


def _decide(
    policy: Policy, request: ScreenRequest, findings: Findings, traveler: Traveler
) -> tuple[Sequence[CheckResult], Decision]:
    stale = is_stale(findings.watchlists_as_of, request.received_at, policy.max_watchlist_age_seconds)
    checks = assess(findings, ListTerms(stale, policy.refer_suppressed))
    return checks, decide(policy, traveler, checks)


def _no_log(error: BorderpostError) -> NoReturn:
    _log.error("decision_log_unavailable", reason=error.reason)
    if error.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED):
        raise error  # the gateway and the log disagree: a fault of ours, not an outage
    raise DecisionLogUnavailableError(
        "the decision log can't be reached: nothing was decided. "
        "Send the traveler to an officer, or the same request again"
    ) from None
