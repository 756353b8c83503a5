"""A decision log and key store in memory that can be told to fail, and samples to put in."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from borderpost.decisions.domain import Appended, EventFilter, NewEvent, Page, Record, index_row
from borderpost.decisions.errors import EventIdReusedError
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.decisions.ports import StoredRow
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import UnavailableError
from borderpost.v1.decisions_pb2 import (
    Event,
    ScreeningPayload,
    TravelerScreened,
    TrustStoreChanged,
    WatchlistChanged,
    WatchlistCreated,
    WatchlistEntryApproved,
    WatchlistEntryChanged,
    WatchlistEntryProposed,
    WatchlistEntryRemoved,
    WatchlistExported,
    WatchlistImported,
    WatchlistSearched,
    WatchlistSuppressionChanged,
)
from borderpost.v1.types_pb2 import Actor as ActorMessage
from borderpost.v1.types_pb2 import Direction, Outcome
from borderpost.v1.watchlist_pb2 import MatchKind

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = "ERIKSSON<<ANNA<MARIA"
"""The specimen's name of ICAO 9303: what no log may hold in clear."""


class TickingClock:
    """Starts at START and is a second later each time."""

    def __init__(self) -> None:
        self._time = START
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self._time += timedelta(seconds=1)
            return self._time


class MemoryLog:
    """An `EventLog`. While `down` is set, it refuses appends as a full disk would."""

    def __init__(self, clock: TickingClock) -> None:
        self.down = False
        self._clock = clock
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._roots: list[bytes] = []
        self._frontier = Frontier()
        self._ciphertexts: dict[str, bytes] = {}

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        with self._lock:
            if self.down:
                raise UnavailableError("decision log: told to fail")
            before = len(self._records), self._frontier
            try:
                return [self._append(event) for event in events]
            except EventIdReusedError:
                del self._records[before[0] :], self._roots[before[0] :]
                self._frontier = before[1]
                raise

    def screenings(self, request_id: str, kiosk_id: str | None = None) -> list[Record]:
        wanted = EventFilter(request_id=request_id, kiosk_id=kiosk_id)
        return [record for record in self._records if _matches(record, wanted)]

    def ciphertext(self, event_id: str) -> bytes | None:
        return self._ciphertexts.get(event_id)

    def query(self, wanted: EventFilter, before: int | None, limit: int) -> Page:
        found = [record for record in self._records[:before] if _matches(record, wanted)][::-1]
        return Page(tuple(found[:limit]), found[limit - 1].index if len(found) > limit else None)

    @contextmanager
    def snapshot(self) -> Iterator[MemorySnapshot]:
        yield MemorySnapshot(list(self._records), list(self._roots), self._ciphertexts)

    def close(self) -> None:
        pass

    def _append(self, event: NewEvent) -> Appended:
        for record in self._records:
            row = index_row(record.event())
            if row.event_id == event.index.event_id and record.stored != event.stored:
                raise EventIdReusedError("event_id: got one that is there")
            same_request = (row.request_id, row.kiosk_id) == (event.index.request_id, event.index.kiosk_id)
            if row.event_id == event.index.event_id or (row.request_id is not None and same_request):
                return Appended(record, duplicate=True)
        record = Record(len(self._records), self._clock.now(), event.stored, leaf_hash(event.stored))
        self._frontier = self._frontier.append(record.leaf_sha256)
        self._records.append(record)
        self._roots.append(self._frontier.root())
        if event.ciphertext is not None:
            self._ciphertexts[event.index.event_id] = event.ciphertext
        return Appended(record, duplicate=False)


class MemorySnapshot:
    """A `LogSnapshot`."""

    def __init__(self, records: list[Record], roots: list[bytes], ciphertexts: dict[str, bytes]) -> None:
        self._records = records
        self._roots = roots
        self._ciphertexts = ciphertexts

    def rows(self) -> Iterator[StoredRow]:
        for record, root in zip(self._records, self._roots, strict=True):
            yield StoredRow(record.index, record.stored, record.leaf_sha256, root, index_row(record.event()))

    def ciphertext(self, event_id: str) -> bytes | None:
        return self._ciphertexts.get(event_id)

    def stray_index_rows(self) -> Iterator[int]:
        return iter(())


class MemoryKeys:
    """A `KeyStore`. While `down` is set, it refuses keys."""

    def __init__(self) -> None:
        self.down = False
        self.keys: dict[str, bytes] = {}

    def put(self, event_id: str, key: bytes) -> None:
        if self.down:
            raise UnavailableError("key store: told to fail")
        self.keys[event_id] = key

    def get(self, event_id: str) -> bytes | None:
        return self.keys.get(event_id)

    def destroy(self, event_id: str) -> None:
        self.keys.pop(event_id, None)


def an_outbox_call(reporter: Role) -> Call:
    """Make a call of a service that reports its own events."""
    actor = Actor("borderpost.local", reporter)
    method = "/borderpost.v1.DecisionsService/RecordEvents"
    return Call(method, actor, reporter, actor, frozenset({reporter}), "", new_id(), "")


def a_call(
    purpose: str = "", role: Role = Role.KIOSK, method: str = "/borderpost.v1.DecisionsService/X"
) -> Call:
    """Make a call of the gateway for an actor with this role."""
    gateway = Actor("borderpost.local", "gateway")
    actor = Actor("borderpost.local", f"{role}/north/7")
    return Call(method, gateway, Role.GATEWAY, actor, frozenset({role}), purpose, new_id(), "")


def a_screening(
    outcome: int = Outcome.OUTCOME_REFER,
    reasons: Sequence[str] = ("FACE_NOT_MATCHED",),
    kiosk_id: str = "kiosk/north/7",
    content: bytes = b"c" * 32,
) -> TravelerScreened:
    """Make the public part of a screening with new ids."""
    screening = TravelerScreened(
        request_id=new_id(),
        visit_id=new_id(),
        attempt=1,
        kiosk_id=kiosk_id,
        crossing="north",
        direction=Direction.DIRECTION_ENTRY,
        kiosk_time=to_timestamp(START),
        received_at=to_timestamp(START),
        content_sha256=content,
        outcome=outcome,
        reasons=reasons,
    )
    screening.versions.software = "0.1.0"
    return screening


def a_payload(name: str = NAME) -> ScreeningPayload:
    """Make the personal part of a screening."""
    payload = ScreeningPayload(schema_version=1)
    payload.mrz.lines.append(f"P<UTO{name}<<<<<<<<<<<<<<<<<<<")
    return payload


def a_list_event(list_id: str = "list-1", time: datetime = START) -> Event:
    """Make an event as the watchlist service reports it."""
    return Event(
        schema_version=1,
        event_id=new_id(),
        time=to_timestamp(time),
        actor=ActorMessage(issuer="borderpost.local", subject="operator/list-manager/dev"),
        watchlist_created=WatchlistCreated(list_id=list_id, version=1),
    )


def watchlist_events() -> dict[str, Event]:
    """Make an event of every kind that the watchlist service reports, each as long as it may be; by its body's name."""
    list_id, entry_id = new_id(), new_id()
    entries = [new_id() for _ in range(1000)]
    bodies = [
        WatchlistCreated(list_id=list_id, version=1),
        WatchlistEntryProposed(list_id=list_id, entry_id=entry_id, version=2),
        WatchlistEntryApproved(list_id=list_id, entry_id=entry_id, version=3),
        WatchlistEntryRemoved(list_id=list_id, entry_id=entry_id, version=4, cause="RETENTION"),
        WatchlistChanged(list_id=list_id, version=5, what="THRESHOLDS", model_id="m" * 64, factor=1.5),
        WatchlistEntryChanged(list_id=list_id, entry_id=entry_id, version=6, what="WITHDRAWN"),
        WatchlistImported(
            list_id=list_id,
            import_id=new_id(),
            version=7,
            what="APPLIED",
            content_sha256=bytes(32),
            added_entry_ids=entries,
            removed_entry_ids=entries,
        ),
        WatchlistExported(list_id=list_id, version=8, what="PICTURES", entry_id=entry_id),
        WatchlistSearched(
            list_ids=entries,
            searched_by=[MatchKind.MATCH_KIND_FACE, MatchKind.MATCH_KIND_NAME],
            candidates=3,
            version=9,
        ),
        WatchlistSuppressionChanged(
            suppression_id=new_id(), list_id=list_id, entry_id=entry_id, version=10, what="PROPOSED"
        ),
    ]
    made = {}
    for body in bodies:
        name = re.sub("(?<!^)([A-Z])", r"_\1", type(body).__name__).lower()
        event = a_list_event()
        event.purpose = "p" * 500
        getattr(event, name).CopyFrom(body)
        made[name] = event
    return made


def a_trust_event(time: datetime = START) -> Event:
    """Make an event as the documents service reports it."""
    return Event(
        schema_version=1,
        event_id=new_id(),
        time=to_timestamp(time),
        actor=ActorMessage(issuer="borderpost.local", subject="operator/administrator/dev"),
        trust_store_changed=TrustStoreChanged(
            version=1, file_sha256=bytes(32), file_kind="MASTER_LIST", certificates_added=588
        ),
    )


def _matches(record: Record, wanted: EventFilter) -> bool:
    row = index_row(record.event())
    return (
        (wanted.since is None or row.time >= wanted.since)
        and (wanted.until is None or row.time < wanted.until)
        and (not wanted.kinds or row.kind in wanted.kinds)
        and (not wanted.outcomes or row.outcome in wanted.outcomes)
        and (wanted.reason is None or wanted.reason in row.reasons)
        and wanted.kiosk_id in (None, row.kiosk_id)
        and wanted.visit_id in (None, row.visit_id)
        and wanted.request_id in (None, row.request_id)
    )
