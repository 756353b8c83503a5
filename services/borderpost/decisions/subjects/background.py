"""What the service erases by itself, beside answering."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from borderpost.decisions.subjects.app import Subjects
from borderpost.decisions.subjects.retention import Retention
from borderpost.runtime.calls import Actor
from borderpost.runtime.errors import UnavailableError

APPLY_SECONDS: Final = 600.0
"""Pause between looking whether anything is overdue: what is, stays at most that much longer."""

_log = structlog.get_logger(__name__)


class Upkeep:
    """Finishes erasures and applies retention, at the start and then every ten minutes."""

    def __init__(self, subjects: Subjects, retention: Retention, itself: Actor) -> None:
        """`itself`: the service, in whose name retention is recorded."""
        self._subjects = subjects
        self._retention = retention
        self._itself = itself

    async def run(self) -> None:
        """Run for ever, off the event loop. What can't be done now is done the next time."""
        while True:
            try:
                await asyncio.to_thread(self.once)
            except UnavailableError as error:
                _log.warning("retention_waits", reason=error.reason)
            await asyncio.sleep(APPLY_SECONDS)

    def once(self) -> None:
        """Finish what was interrupted, then apply the rules."""
        resumed = self._subjects.resume()
        applied = self._retention.apply(self._itself)
        if resumed or applied.evidence or applied.payloads or applied.events:
            _log.info(
                "retention_applied",
                erasures=resumed,
                evidence=applied.evidence,
                payloads=applied.payloads,
                events=applied.events,
            )
