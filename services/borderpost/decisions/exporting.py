"""Exports of the log: events as they are stored, with what it takes to prove them elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Final

from borderpost.decisions.domain import EventFilter, Record, new_event
from borderpost.decisions.events import event_of
from borderpost.decisions.ports import EventIndex, EventLog
from borderpost.proofs.checkpoints import Checkpoint
from borderpost.proofs.tree import Hashes, inclusion_proof
from borderpost.runtime.calls import Call, stated_purpose
from borderpost.runtime.clock import Clock, new_id, to_timestamp
from borderpost.v1.decisions_pb2 import (
    ExportEntries,
    ExportEntry,
    ExportEventsResponse,
    ExportFormat,
    ExportHeader,
)

CHUNK_EVENTS: Final = 500
CHUNK_BYTES: Final = 1024 * 1024
"""Of one message: what a caller holds at a time."""

MAX_CHECKPOINTS: Final = 10_000
"""Of one header (decisions.proto): a checkpoint has 200 to 300 bytes, and messages an end."""

PAGE: Final = 500

Made = tuple[str, Checkpoint]
"""A checkpoint as its signed note, and read."""


class Exporting:
    """Gives out events."""

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        hashes: Hashes,
        make_checkpoint: Callable[[], Made],
        verifier_keys: Sequence[str],
        clock: Clock,
    ) -> None:
        """`make_checkpoint` makes one of all that was acknowledged before it is called."""
        self._log = log
        self._index = index
        self._hashes = hashes
        self._make_checkpoint = make_checkpoint
        self._verifier_keys = verifier_keys
        self._clock = clock

    def export(
        self, wanted: EventFilter, filters: Sequence[str], form: ExportFormat.ValueType, call: Call
    ) -> Generator[ExportEventsResponse, None, None]:
        """Give a header, then the wanted events up to a checkpoint made for it, oldest first; first record who
        exports, and why. PurposeMissingError.

        `filters`: the names of those that are set; without any it is the whole log.
        """
        purpose = stated_purpose(call)
        note, checkpoint = self._make_checkpoint()
        event = event_of(new_id(), self._clock.now(), call.actor, purpose)
        event.export_made.format = form
        event.export_made.size = checkpoint.size
        event.export_made.filters.extend(filters)
        self._log.append([new_event(event)])
        yield ExportEventsResponse(header=self._header(note, complete=not filters))
        entries = self._some(wanted, checkpoint.size) if filters else self._all(checkpoint.size)
        yield from _chunks(entries)

    def _header(self, note: str, complete: bool) -> ExportHeader:
        with self._log.snapshot() as snapshot:
            earlier = [kept for _, kept in snapshot.checkpoints() if kept != note]
            pruned = [kept for _, _, kept in snapshot.pruned()]
        step = -(-len(earlier) // MAX_CHECKPOINTS) or 1
        return ExportHeader(
            checkpoint=note,
            # Thinned from the newest backwards: the last ones are those that a change is found between.
            earlier_checkpoints=earlier[::-1][::step][::-1],
            verifier_keys=self._verifier_keys,
            pruned_ranges=pruned,
            complete=complete,
        )

    def _all(self, size: int) -> Iterator[ExportEntry]:
        for record in self._log.records(0, size):
            yield _entry(record)

    def _some(self, wanted: EventFilter, size: int) -> Iterator[ExportEntry]:
        """Give the events that fit, each with its proof.

        The index gives the newest first: where its pages begin is found first, then they are read from the last one on.
        """
        begins: list[int] = []
        before: int | None = size
        while before is not None:
            begins.append(before)
            before = self._index.query(wanted, before, PAGE).next_before
        for begin in reversed(begins):
            for record in reversed(self._index.query(wanted, begin, PAGE).records):
                entry = _entry(record)
                entry.inclusion.extend(inclusion_proof(self._hashes, record.index, size))
                yield entry


def _entry(record: Record) -> ExportEntry:
    return ExportEntry(
        index=record.index,
        stored=record.stored,
        leaf_sha256=record.leaf_sha256,
        logged_at=to_timestamp(record.logged_at),
    )


def _chunks(entries: Iterable[ExportEntry]) -> Iterator[ExportEventsResponse]:
    chunk, size = ExportEntries(), 0
    for entry in entries:
        length = entry.ByteSize()
        if chunk.entries and (size + length > CHUNK_BYTES or len(chunk.entries) == CHUNK_EVENTS):
            yield ExportEventsResponse(entries=chunk)
            chunk, size = ExportEntries(), 0
        chunk.entries.append(entry)
        size += length
    if chunk.entries:
        yield ExportEventsResponse(entries=chunk)
