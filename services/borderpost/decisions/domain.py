"""Events and their place in the log.

The generated `Event` and its bodies are used as they are: the log's truth is their bytes as stored, and a second set of
types for the same would be one more place where the two could differ. An event is serialised once (`new_event`), and
what it is found by (`IndexRow`) can be made again from those bytes. Making events is in `events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from borderpost.runtime.calls import Role
from borderpost.v1.decisions_pb2 import Event, EventKind

EVENT_SCHEMA: Final = 1
"""`Event.schema_version` that this code writes and takes."""

PAYLOAD_SCHEMA: Final = 1
"""`schema_version` of payloads and evidence that this code takes."""

_SERVICE_KINDS: Final = frozenset(
    {EventKind.EVENT_KIND_SERVICE_STARTED, EventKind.EVENT_KIND_SERVICE_STOPPED}
)

KINDS_BY_OUTBOX: Final[Mapping[Role, frozenset[int]]] = {
    Role.WATCHLIST: _SERVICE_KINDS
    | {
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
    },
    Role.DOCUMENTS: _SERVICE_KINDS | {EventKind.EVENT_KIND_TRUST_STORE_CHANGED},
    Role.FACES: _SERVICE_KINDS,
    Role.AUTHORITY: _SERVICE_KINDS | {EventKind.EVENT_KIND_MACHINE_CHANGED},
    Role.GATEWAY: _SERVICE_KINDS
    | {EventKind.EVENT_KIND_POLICY_CHANGED, EventKind.EVENT_KIND_POLICY_PROPOSED},
}
"""What each of the other services may report: changes of its own. The rest is written by this service alone."""


class Part(IntEnum):
    """What is sealed apart from its event, under which key: see `key_id`."""

    PAYLOAD = 1
    EVIDENCE = 2


class LookupKind(IntEnum):
    """What a screening can be found by that is personal, and so is kept as a keyed hash, apart from the event."""

    DOCUMENT = 1
    LIST = 2
    ENTRY = 3
    PORTRAIT = 4
    VISIT = 5
    ADULT_OF_GROUP = 6


@dataclass(frozen=True, slots=True)
class Lookup:
    """A keyed hash (HMAC-SHA-256, 32 bytes) that a screening is found by; see `lookups`."""

    kind: LookupKind
    hash: bytes


@dataclass(frozen=True, slots=True)
class IndexRow:
    """What an event is found by. A view of its bytes: made again from them, never trusted over them.

    `time` is in microseconds since 1970, UTC. `actor` is the subject of the actor. `lists` and `entries` are those
    that the body names in clear: of a screening none.
    """

    event_id: str
    kind: int
    time: int
    actor: str
    subject: str | None = None
    outcome: int | None = None
    kiosk_id: str | None = None
    crossing: str | None = None
    visit_id: str | None = None
    request_id: str | None = None
    reasons: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event ready for the log: its id, its final bytes, and what is stored beside it.

    `once`: what may be in the log once, beside the event id: a kiosk's request (`screening_once`), a step of a case
    (`case_once`). `sealed`: ciphertexts by their part.
    """

    event_id: str
    stored: bytes
    once: str | None = None
    sealed: Mapping[Part, bytes] | None = None
    lookups: frozenset[Lookup] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """An event in the log: its place from 0, when the log took it, its bytes, and their leaf hash.

    `stored` is empty if the body was pruned. `logged_at` is the log's note, and not under the hash; the event's own
    time is.
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
    """Which events; all that is set must hold. Times in microseconds since 1970: `since` ≤ time < `until`.

    `lookups`: all of them; made of what a query names in clear. A list or an entry is found by its look-up or by its
    own name in the event (`list_id`, `entry_id`), whichever holds.
    """

    since: int | None = None
    until: int | None = None
    kinds: AbstractSet[int] = frozenset()
    outcomes: AbstractSet[int] = frozenset()
    reason: str | None = None
    kiosk_id: str | None = None
    crossing: str | None = None
    visit_id: str | None = None
    request_id: str | None = None
    actor: str | None = None
    subject: str | None = None
    document: Lookup | None = None
    list_id: tuple[str, Lookup] | None = None
    entry_id: tuple[str, Lookup] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first. `next_before` is the index that the next page is before; None at the end."""

    records: tuple[Record, ...]
    next_before: int | None


def key_id(event_id: str, part: Part = Part.PAYLOAD) -> str:
    """The id of the key of a screening's part, and what its ciphertext is bound to.

    What is said later about a screening (a finding's note) is sealed under its payload's key, and bound to its own
    event.
    """
    return event_id if part is Part.PAYLOAD else f"{event_id}/evidence"


def screening_once(kiosk_id: str, request_id: str) -> str:
    """What a kiosk's request is in the log once by."""
    return f"screening/{kiosk_id}/{request_id}"


def case_once(case_id: str, version: int) -> str:
    """What a step of a case is in the log once by: the case's `version`-th event. Two who act on the same state can't
    both."""
    return f"case/{case_id}/{version}"


def known_once(event: Event) -> str | None:
    """What an event must be in the log once by, as far as it says so: a screening, and its case's opening."""
    if event.HasField("traveler_screened"):
        return screening_once(event.traveler_screened.kiosk_id, event.traveler_screened.request_id)
    if event.HasField("referral_opened"):
        return case_once(event.referral_opened.case_id, 1)
    return None


def kind_of(event: Event) -> int:
    """Return the event's EventKind, by its body; EVENT_KIND_UNSPECIFIED if it has none that is known."""
    body = event.WhichOneof("body")
    return EventKind.Value(f"EVENT_KIND_{body.upper()}") if body else EventKind.EVENT_KIND_UNSPECIFIED


def index_row(event: Event) -> IndexRow:
    """Make what an event is found by."""
    kind, time = kind_of(event), event.time.ToMicroseconds()
    found = IndexRow(event.event_id, kind, time, event.actor.subject, event.subject or None)
    body = getattr(event, event.WhichOneof("body") or "", None)
    if body is None:
        return found
    return _with_body(found, body)


def _with_body(row: IndexRow, body: object) -> IndexRow:
    """Add what a body says, by the names of its fields: they mean the same in every body."""

    def one(name: str) -> str | None:
        value = getattr(body, name, "")
        return value if isinstance(value, str) and value else None

    def some(single: str, *several: str) -> frozenset[str]:
        names = [value for value in (one(single),) if value]
        for field in several:
            names += list(getattr(body, field, ()))
        return frozenset(names)

    return IndexRow(
        row.event_id,
        row.kind,
        row.time,
        row.actor,
        row.subject,
        getattr(body, "outcome", None) or None,
        one("kiosk_id"),
        one("crossing"),
        one("visit_id"),
        one("request_id"),
        frozenset(getattr(body, "reasons", ())),
        some("list_id", "list_ids"),
        some("entry_id", "added_entry_ids", "removed_entry_ids"),
    )


def new_event(
    event: Event,
    once: str | None = None,
    sealed: Mapping[Part, bytes] | None = None,
    lookups: frozenset[Lookup] = frozenset(),
) -> NewEvent:
    """Serialise an event: the one time that this is done to it."""
    return NewEvent(event.event_id, event.SerializeToString(deterministic=True), once, sealed, lookups)
