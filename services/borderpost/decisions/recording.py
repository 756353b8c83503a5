"""Events of other services, as their outboxes hand them over; and what this service concludes from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from borderpost.decisions.domain import EventFilter, NewEvent, Record, kind_of, new_event
from borderpost.decisions.errors import OnceTakenError, PolicyNotFoundError
from borderpost.decisions.events import event_of
from borderpost.decisions.ports import EventIndex, EventLog
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp, new_id
from borderpost.v1.decisions_pb2 import Event, EventKind, Versions

AT_ONCE: Final = 50
"""Events that are looked through at a time for the last of its kind."""


class Recording:
    """Takes events of other services."""

    def __init__(self, log: EventLog, index: EventIndex) -> None:
        self._log = log
        self._index = index

    def record_events(self, events: Sequence[Event]) -> int:
        """Append other services' events, all or none; return how many were new.

        A policy that is already the one in force is no news, and not appended: every gateway tells it at every start.
        """
        news = [new_event(event) for event in events if not self._is_in_force(event)]
        results = self._log.append(news)
        for event in events:
            self._note_model(event)
        return sum(not appended.duplicate for appended in results)

    def policy(self, version: str) -> bytes:
        """Return the file of a policy that was in force. PolicyNotFoundError."""
        for record in self._newest(EventKind.EVENT_KIND_POLICY_CHANGED):
            change = record.event().policy_changed
            if change.policy == version:
                return change.toml
        raise PolicyNotFoundError("policy: the log has no policy of this version, or no longer")

    def policies(self) -> list[Record]:
        """What became of policies, newest first: of changes and of proposals at most AT_ONCE each, so that no number of
        proposals hides a change."""
        found = [
            record
            for kind in (EventKind.EVENT_KIND_POLICY_CHANGED, EventKind.EVENT_KIND_POLICY_PROPOSED)
            for record in self._index.query(EventFilter(kinds=frozenset({kind})), None, AT_ONCE).records
        ]
        return sorted(found, key=lambda record: record.index, reverse=True)

    def _is_in_force(self, event: Event) -> bool:
        if kind_of(event) != EventKind.EVENT_KIND_POLICY_CHANGED:
            return False
        newest = next(self._newest(EventKind.EVENT_KIND_POLICY_CHANGED), None)
        return newest is not None and newest.event().policy_changed == event.policy_changed

    def _note_model(self, event: Event) -> None:
        """Append MODEL_CHANGED if a service was started with another model or calibration than the last time.

        It is found out after the start was recorded, and once for each start: a delivery that is repeated finds it
        there.
        """
        if kind_of(event) != EventKind.EVENT_KIND_SERVICE_STARTED or not event.versions.model_id:
            return
        former = self._started_before(event)
        if former is not None and _models(former) == _models(event.versions):
            return
        former = former or Versions()
        change = event_of(
            new_id(), from_timestamp(event.time), Actor(event.actor.issuer, event.actor.subject)
        )
        change.model_changed.service = event.service_started.service
        change.model_changed.model_id = event.versions.model_id
        change.model_changed.calibration_id = event.versions.calibration_id
        change.model_changed.former_model_id = former.model_id
        change.model_changed.former_calibration_id = former.calibration_id
        noted: NewEvent = new_event(change, once=f"model/{event.event_id}")
        with suppress(OnceTakenError):  # noted when it was delivered before
            self._log.append([noted])

    def _started_before(self, event: Event) -> Versions | None:
        """What was in force when the service was started the time before."""
        for record in self._newest(EventKind.EVENT_KIND_SERVICE_STARTED):
            other = record.event()
            same = other.service_started.service == event.service_started.service
            # Ids are in order of time: a start that is delivered again is not held against a later one.
            if same and other.event_id < event.event_id and other.versions.model_id:
                return other.versions
        return None

    def _newest(self, kind: EventKind.ValueType) -> Iterator[Record]:
        before: int | None = None
        while True:
            page = self._index.query(EventFilter(kinds=frozenset({kind})), before, AT_ONCE)
            yield from page.records
            if page.next_before is None:
                return
            before = page.next_before


def _models(versions: Versions) -> tuple[str, str]:
    return versions.model_id, versions.calibration_id
