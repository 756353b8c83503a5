"""A decision log at the outbox's other end, that can be told to be down, or to fail after it took a batch."""

from __future__ import annotations

from collections.abc import Sequence

from borderpost.runtime.errors import UnavailableError
from borderpost.v1.decisions_pb2 import Event


class FakeLog:
    """Keeps what it is given, and drops an event id that it has, as the real one does."""

    def __init__(self) -> None:
        self.down = False
        self.answer_is_lost = False
        self.batches: list[list[str]] = []
        self.events: dict[str, Event] = {}

    async def deliver(self, events: Sequence[Event]) -> None:
        if self.down:
            raise UnavailableError("decision log: told to be down")
        self.batches.append([event.event_id for event in events])
        for event in events:
            self.events.setdefault(event.event_id, event)
        if self.answer_is_lost:
            raise UnavailableError("decision log: told to lose its answer")
