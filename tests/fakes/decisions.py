"""A decision log, its index and tree, and a key store in memory that can be told to fail; samples to put in."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from borderpost.decisions.domain import (
    Appended,
    EventFilter,
    IndexRow,
    Lookup,
    NewEvent,
    Page,
    Part,
    Record,
    index_row,
    new_event,
)
from borderpost.decisions.errors import EventIdReusedError, OnceTakenError
from borderpost.decisions.ports import StoredRow
from borderpost.proofs.tree import leaf_hash, reference_root
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.clock import Clock, new_id, to_timestamp
from borderpost.runtime.errors import UnavailableError
from borderpost.v1.decisions_pb2 import (
    Event,
    EventKind,
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
from borderpost.v1.types_pb2 import Direction, DocumentKey, Outcome
from borderpost.v1.watchlist_pb2 import MatchKind

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = "ERIKSSON<<ANNA<MARIA"
"""The specimen's name of ICAO 9303: what no log may hold in clear."""


class SettableClock:
    """Stands still at `time` until it is set."""

    def __init__(self, time: datetime = START) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


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
    """An `EventLog`, its `EventIndex` and its tree's `Hashes`.

    While `down` is set, it refuses everything, as a database that is away.
    """

    def __init__(self, clock: Clock) -> None:
        self.down = False
        self.notes: list[tuple[int, str]] = []
        """Checkpoints, as a snapshot gives them."""
        self._clock = clock
        self._lock = threading.RLock()
        self._records: list[Record] = []
        self._rows: list[IndexRow] = []
        self._lookups: list[frozenset[Lookup]] = []
        self._sealed: dict[tuple[str, Part], bytes] = {}
        self._by_id: dict[str, int] = {}
        self._by_once: dict[str, int] = {}
        self._pruned: list[tuple[int, int, str]] = []

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        with self._lock:
            self._check_up()
            first, logged_at = len(self._records), self._clock.now()
            results: list[Appended] = []
            fresh: dict[str, NewEvent] = {}
            for event in events:
                known = self._known(event, fresh)
                if known is None:
                    index = first + len(fresh)
                    fresh[event.event_id] = event
                    known = Appended(
                        Record(index, logged_at, event.stored, leaf_hash(event.stored)), duplicate=False
                    )
                elif known.record.index < 0:  # twice in this batch
                    known = replace(
                        next(r for r in results if r.record.stored == event.stored), duplicate=True
                    )
                results.append(known)
            for result in results:
                if not result.duplicate:
                    self._keep(result.record, fresh[result.record.event().event_id])
            return results

    def size(self) -> int:
        with self._lock:
            self._check_up()
            return len(self._records)

    def find(self, event_id: str) -> Record | None:
        return self._at(self._by_id.get(event_id))

    def find_once(self, once: str) -> Record | None:
        return self._at(self._by_once.get(once))

    def records(self, start: int, stop: int) -> Iterator[Record]:
        with self._lock:
            self._check_up()
            return iter(self._records[start:stop])

    def ciphertext(self, event_id: str, part: Part) -> bytes | None:
        with self._lock:
            self._check_up()
            return self._sealed.get((event_id, part))

    @contextmanager
    def snapshot(self) -> Iterator[MemorySnapshot]:
        with self._lock:
            self._check_up()
            records, rows, sealed = list(self._records), list(self._rows), dict(self._sealed)
            once = {index: once for once, index in self._by_once.items()}
            snapshot = MemorySnapshot(records, rows, sealed, list(self.notes), list(self._pruned), once)
        yield snapshot

    def leaves(self, start: int, stop: int) -> list[bytes]:
        with self._lock:
            self._check_up()
            return [record.leaf_sha256 for record in self._records[start:stop]]

    def subtrees(self, level: int, start: int, stop: int) -> list[bytes]:
        width = 256**level
        with self._lock:
            self._check_up()
            leaves = [record.leaf_sha256 for record in self._records[start * width : stop * width]]
        return [
            reference_root(leaves[at : at + width])
            for at in range(0, len(leaves), width)
            if len(leaves) - at >= width
        ]

    def query(self, wanted: EventFilter, before: int | None, limit: int) -> Page:
        with self._lock:
            self._check_up()
            found = [
                record
                for record in self._records[:before]
                if record.stored and matches(self._rows[record.index], self._lookups[record.index], wanted)
            ][::-1]
        return Page(tuple(found[:limit]), found[limit - 1].index if len(found) > limit else None)

    def screenings(self, request_id: str) -> list[Record]:
        with self._lock:
            self._check_up()
            return [
                record
                for record in self._records
                if record.stored
                and self._rows[record.index].request_id == request_id
                and self._rows[record.index].kind == EventKind.EVENT_KIND_TRAVELER_SCREENED
            ]

    def prune(self, start: int, stop: int, note: str) -> None:
        """Drop the bodies from `start` up to `stop`, as retention does."""
        with self._lock:
            self._records[start:stop] = [replace(record, stored=b"") for record in self._records[start:stop]]
            self._pruned.append((start, stop, note))

    def drop_sealed(self, event_id: str, part: Part) -> None:
        """Drop a ciphertext, as erasure does."""
        with self._lock:
            self._sealed.pop((event_id, part), None)

    def drop_lookups(self, event_id: str) -> None:
        """Drop what a screening is found by, as erasure does."""
        with self._lock:
            self._lookups[self._by_id[event_id]] = frozenset()

    def close(self) -> None:
        pass

    def _check_up(self) -> None:
        if self.down:
            raise UnavailableError("decision log: told to fail")

    def _at(self, index: int | None) -> Record | None:
        with self._lock:
            self._check_up()
            return None if index is None else self._records[index]

    def _known(self, event: NewEvent, fresh: Mapping[str, NewEvent]) -> Appended | None:
        """What the log has of an event; a record with index -1 if this batch has it."""
        leaf = leaf_hash(event.stored)
        same = fresh.get(event.event_id)
        if same is not None and same.stored == event.stored:
            return Appended(Record(-1, START, b"", leaf), duplicate=True)
        index = self._by_id.get(event.event_id)
        if same is not None or (index is not None and self._records[index].leaf_sha256 != leaf):
            raise EventIdReusedError("event_id: got one that is there")
        if index is not None:
            return Appended(self._records[index], duplicate=True)
        if event.once is not None and event.once in self._by_once:
            raise OnceTakenError(self._records[self._by_once[event.once]])
        if event.once is not None and any(event.once == other.once for other in fresh.values()):
            raise ValueError("once: got the same for two events of one batch")
        return None

    def _keep(self, record: Record, event: NewEvent) -> None:
        self._records.append(record)
        self._rows.append(index_row(record.event()))
        self._lookups.append(event.lookups)
        self._by_id[event.event_id] = record.index
        if event.once is not None:
            self._by_once[event.once] = record.index
        for part, ciphertext in (event.sealed or {}).items():
            self._sealed[event.event_id, part] = ciphertext


class MemorySnapshot:
    """A `LogSnapshot`."""

    def __init__(
        self,
        records: list[Record],
        rows: list[IndexRow],
        sealed: dict[tuple[str, Part], bytes],
        checkpoints: list[tuple[int, str]],
        pruned: list[tuple[int, int, str]],
        once: dict[int, str],
    ) -> None:
        self._records = records
        self._rows = rows
        self._sealed = sealed
        self._checkpoints = checkpoints
        self._pruned = pruned
        self._once = once

    @property
    def size(self) -> int:
        return len(self._records)

    @property
    def indexed(self) -> int:
        return len(self._records)

    def rows(self) -> Iterator[StoredRow]:
        for record, row in zip(self._records, self._rows, strict=True):
            found = row if record.stored else None
            yield StoredRow(
                record.index,
                row.event_id,
                self._once.get(record.index),
                record.stored,
                record.leaf_sha256,
                found,
            )

    def ciphertext(self, event_id: str, part: Part) -> bytes | None:
        return self._sealed.get((event_id, part))

    def stray_index_rows(self) -> Iterator[int]:
        return iter(())

    def subtrees(self) -> Iterator[tuple[int, int, bytes]]:
        leaves = [record.leaf_sha256 for record in self._records]
        level, width = 1, 256
        while width <= len(leaves):
            for position in range(len(leaves) // width):
                yield level, position, reference_root(leaves[position * width : (position + 1) * width])
            level, width = level + 1, width * 256

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        return iter(sorted(self._checkpoints))

    def pruned(self) -> Iterator[tuple[int, int, str]]:
        return iter(sorted(self._pruned))


class MemoryKeys:
    """A `KeyStore`. While `down` is set, it refuses everything, as a database that is away."""

    def __init__(self) -> None:
        self.down = False
        self.keys: dict[str, bytes] = {}
        self._destroyed: set[str] = set()

    def put_many(self, keys: Mapping[str, bytes]) -> None:
        self._check_up()
        self.keys.update(keys)

    def get(self, key_id: str) -> bytes | None:
        self._check_up()
        return self.keys.get(key_id)

    def get_many(self, key_ids: Sequence[str]) -> dict[str, bytes]:
        self._check_up()
        return {key_id: self.keys[key_id] for key_id in key_ids if key_id in self.keys}

    def destroy_many(self, key_ids: Sequence[str]) -> None:
        self._check_up()
        for key_id in key_ids:
            if self.keys.pop(key_id, None) is not None:
                self._destroyed.add(key_id)

    def destroyed(self, key_ids: Sequence[str]) -> set[str]:
        self._check_up()
        return self._destroyed & set(key_ids)

    def _check_up(self) -> None:
        if self.down:
            raise UnavailableError("key store: told to fail")


def an_outbox_call(reporter: Role) -> Call:
    """Make a call of a service that reports its own events."""
    actor = Actor("borderpost.local", reporter)
    method = "/borderpost.v1.DecisionsService/RecordEvents"
    return Call(method, actor, reporter, actor, frozenset({reporter}), "", new_id(), "")


def a_call(
    purpose: str = "",
    role: Role = Role.KIOSK,
    method: str = "/borderpost.v1.DecisionsService/X",
    name: str = "north/7",
) -> Call:
    """Make a call of the gateway for an actor with this role and name."""
    gateway = Actor("borderpost.local", "gateway")
    actor = Actor("borderpost.local", f"{role}/{name}")
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


def a_payload(
    name: str = NAME, number: str = "", candidates: Sequence[tuple[str, str]] = ()
) -> ScreeningPayload:
    """Make the personal part of a screening: with a document if there is a number, and the candidates of which list and
    entry are given."""
    payload = ScreeningPayload(schema_version=1)
    payload.mrz.lines.append(f"P<UTO{name}<<<<<<<<<<<<<<<<<<<")
    if number:
        payload.mrz.document.CopyFrom(a_document(number))
    for list_id, entry_id in candidates:
        result = payload.watchlists.add()
        result.watchlist.list_id, result.watchlist.name, result.watchlist.priority = list_id, list_id, 5
        result.candidates.add(entry_id=entry_id, kind=MatchKind.MATCH_KIND_DOCUMENT)
    return payload


def a_document(number: str = "L898902C3") -> DocumentKey:
    """Make what identifies a passport."""
    return DocumentKey(document_code="P", issuing_state="UTO", number=number)


def some_events(count: int, time: datetime = START) -> list[NewEvent]:
    """Make short events, ready for the log, a second after another."""
    return [new_event(a_list_event(time=time + timedelta(seconds=n))) for n in range(count)]


def a_list_event(list_id: str = "list-1", time: datetime = START) -> Event:
    """Make an event as the watchlist service reports it."""
    return Event(
        schema_version=1,
        event_id=new_id(),
        time=to_timestamp(time),
        actor=ActorMessage(issuer="borderpost.local", subject="dev"),
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
        actor=ActorMessage(issuer="borderpost.local", subject="dev"),
        trust_store_changed=TrustStoreChanged(
            version=1, file_sha256=bytes(32), file_kind="MASTER_LIST", certificates_added=588
        ),
    )


def matches(row: IndexRow, lookups: frozenset[Lookup], wanted: EventFilter) -> bool:
    """Tell whether an event is wanted: what an `EventIndex` must find, in plain Python."""
    document, listed, entry = wanted.document, wanted.list_id, wanted.entry_id
    return (
        (wanted.since is None or row.time >= wanted.since)
        and (wanted.until is None or row.time < wanted.until)
        and (not wanted.kinds or row.kind in wanted.kinds)
        and (not wanted.outcomes or row.outcome in wanted.outcomes)
        and (wanted.reason is None or wanted.reason in row.reasons)
        and wanted.kiosk_id in (None, row.kiosk_id)
        and wanted.crossing in (None, row.crossing)
        and wanted.visit_id in (None, row.visit_id)
        and wanted.request_id in (None, row.request_id)
        and wanted.actor in (None, row.actor)
        and wanted.subject in (None, row.subject)
        and (document is None or document in lookups)
        and (listed is None or listed[0] in row.lists or listed[1] in lookups)
        and (entry is None or entry[0] in row.entries or entry[1] in lookups)
    )
