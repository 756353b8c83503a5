"""Events and their place in the log.

The generated `Event` and `TravelerScreened` are used as they are: the log's truth is their bytes as stored,
and a second set of types for the same would be one more place where the two could differ. An event is
serialised once (`NewEvent`), and what it is found by (`IndexRow`) can be made again from those bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.clock import to_timestamp
from borderpost.v1.decisions_pb2 import Event, EventKind, RecordConsulted, TravelerScreened
from borderpost.v1.types_pb2 import Actor as ActorMessage

EVENT_SCHEMA: Final = 1
"""`Event.schema_version` that this code writes and takes."""

PAYLOAD_SCHEMA: Final = 1
"""`ScreeningPayload.schema_version` that this code takes."""

KINDS_BY_OUTBOX: Final[Mapping[Role, frozenset[int]]] = {
    Role.WATCHLIST: frozenset(
        {
            EventKind.EVENT_KIND_WATCHLIST_CREATED,
            EventKind.EVENT_KIND_WATCHLIST_ENTRY_PROPOSED,
            EventKind.EVENT_KIND_WATCHLIST_ENTRY_APPROVED,
            EventKind.EVENT_KIND_WATCHLIST_ENTRY_REMOVED,
            EventKind.EVENT_KIND_WATCHLIST_CHANGED,
            EventKind.EVENT_KIND_WATCHLIST_ENTRY_CHANGED,
            EventKind.EVENT_KIND_WATCHLIST_IMPORTED,
            EventKind.EVENT_KIND_WATCHLIST_EXPORTED,
            EventKind.EVENT_KIND_WATCHLIST_SEARCHED,
            EventKind.EVENT_KIND_WATCHLIST_SUPPRESSION_CHANGED,
        }
    ),
    Role.DOCUMENTS: frozenset({EventKind.EVENT_KIND_TRUST_STORE_CHANGED}),
}
"""What each of the other services may report: changes of its own. The rest is written by this service alone."""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """What an event is found by. A view of its bytes: rebuilt from them, never trusted over them.

    `time` is in microseconds since 1970, UTC. The fields after it are of screenings only.
    """

    event_id: str
    kind: int
    time: int
    outcome: int | None = None
    kiosk_id: str | None = None
    visit_id: str | None = None
    request_id: str | None = None
    reasons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event ready for the log: its final bytes, what it is found by, and the payload's ciphertext if it has one."""

    stored: bytes
    index: IndexRow
    ciphertext: bytes | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An event in the log: its place from 0, when the log took it, its bytes, and their leaf hash.

    `logged_at` is the log's note, and not under the hash; the event's own time is.
    """

    index: int
    logged_at: datetime
    stored: bytes
    leaf_sha256: bytes

    def event(self) -> Event:
        """Read the event."""
        return Event.FromString(self.stored)


@dataclass(frozen=True, slots=True)
class Appended:
    """A record, and whether the log had it before."""

    record: Record
    duplicate: bool


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; all that is set must hold. Times in microseconds since 1970: `since` ≤ time < `until`."""

    since: int | None = None
    until: int | None = None
    kinds: AbstractSet[int] = frozenset()
    outcomes: AbstractSet[int] = frozenset()
    reason: str | None = None
    kiosk_id: str | None = None
    visit_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first. `next_before` is the index that the next page is before; None at the end."""

    records: tuple[Record, ...]
    next_before: int | None


def kind_of(event: Event) -> int:
    """Return the event's EventKind, by its body; EVENT_KIND_UNSPECIFIED if it has none that is known."""
    body = event.WhichOneof("body")
    return EventKind.Value(f"EVENT_KIND_{body.upper()}") if body else EventKind.EVENT_KIND_UNSPECIFIED


def index_row(event: Event) -> IndexRow:
    """Make what an event is found by."""
    kind, time = kind_of(event), event.time.ToMicroseconds()
    if kind != EventKind.EVENT_KIND_TRAVELER_SCREENED:
        return IndexRow(event.event_id, kind, time)
    screening = event.traveler_screened
    return IndexRow(
        event.event_id,
        kind,
        time,
        screening.outcome,
        screening.kiosk_id,
        screening.visit_id,
        screening.request_id,
        frozenset(screening.reasons),
    )


def new_event(event: Event, ciphertext: bytes | None = None) -> NewEvent:
    """Serialise an event: the one time that this is done to it."""
    return NewEvent(event.SerializeToString(deterministic=True), index_row(event), ciphertext)


def screened(
    event_id: str, time: datetime, actor: Actor, screening: TravelerScreened, ciphertext: bytes
) -> Event:
    """Make the event of a screening."""
    event = _event(event_id, time, actor)
    event.payload_sha256 = sha256(ciphertext).digest()
    event.traveler_screened.CopyFrom(screening)
    return event


def consulted(event_id: str, time: datetime, actor: Actor, purpose: str, what: RecordConsulted) -> Event:
    """Make the event of someone looking at the log (Directive (EU) 2016/680, art. 25)."""
    event = _event(event_id, time, actor)
    event.purpose = purpose
    event.record_consulted.CopyFrom(what)
    return event


def _event(event_id: str, time: datetime, actor: Actor) -> Event:
    return Event(
        schema_version=EVENT_SCHEMA,
        event_id=event_id,
        time=to_timestamp(time),
        actor=ActorMessage(issuer=actor.issuer, subject=actor.subject),
    )
