"""A service tells the decision log that it was started and stopped, and what is in force there.

The start is told until the log has taken it, beside everything else: a log that is down holds no service up. The stop
is told once; a crash tells nothing, and the next start shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import structlog

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock, new_id, to_timestamp
from borderpost.runtime.errors import BorderpostError
from borderpost.v1.decisions_pb2 import Event, Versions
from borderpost.v1.types_pb2 import Actor as ActorMessage

EVENT_SCHEMA: Final = 1
"""`Event.schema_version` of what is reported."""

STOP_SECONDS: Final = 1.0
"""Longest that a service's end waits for the log."""

_log = structlog.get_logger(__name__)

Deliver = Callable[[Sequence[Event]], Awaitable[None]]
"""Hands events to the log; returns when they are durable there, raises BorderpostError if they may not be."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a service reports, and what is in force there at the time."""

    deliver: Deliver
    versions: Callable[[], Versions] = Versions
    software: str = f"borderpost {version('borderpost')}"


class Reporter:
    """Reports of one run of a service."""

    def __init__(
        self, service: str, trust_domain: str, report: Report, clock: Clock, pause: float = 0.5
    ) -> None:
        self._service = service
        self._actor = Actor(trust_domain, service)
        self._report = report
        self._clock = clock
        self._pause = pause

    async def started(self) -> None:
        """Tell of the start; return when the log has taken it."""
        event = self._event()
        event.service_started.service = self._service
        await deliver_until_taken(self._report.deliver, event, self._pause)

    async def stopped(self) -> None:
        """Tell of the end, if the log takes it at once."""
        event = self._event()
        event.service_stopped.service = self._service
        with suppress(BorderpostError, TimeoutError):
            await asyncio.wait_for(self._report.deliver([event]), STOP_SECONDS)

    def _event(self) -> Event:
        event = new_report(self._actor, self._clock)
        event.versions.CopyFrom(self._report.versions())
        event.versions.software = self._report.software
        return event


def new_report(actor: Actor, clock: Clock) -> Event:
    """Make an event of a service about itself, without its body."""
    return Event(
        schema_version=EVENT_SCHEMA,
        event_id=new_id(),
        time=to_timestamp(clock.now()),
        actor=ActorMessage(issuer=actor.issuer, subject=actor.subject),
    )


async def deliver_until_taken(deliver: Deliver, event: Event, pause: float = 0.5) -> None:
    """Hand an event to the log until it has taken it; the log drops one that it has."""
    failing = False
    while True:
        try:
            await deliver([event])
        except BorderpostError as error:
            if not failing:
                _log.warning("report_waits", reason=error.reason)
            failing = True
            await asyncio.sleep(pause)
        else:
            return
