"""What the use cases need from outside: a log, and a store of keys apart from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from borderpost.decisions.domain import Appended, EventFilter, IndexRow, NewEvent, Page, Record


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One event with everything stored about it; `index_row` is None if the side index lacks it."""

    index: int
    stored: bytes
    leaf_sha256: bytes
    root_sha256: bytes
    index_row: IndexRow | None


class LogSnapshot(Protocol):
    """The log as it was at one moment, to be read through once."""

    def rows(self) -> Iterator[StoredRow]:
        """Give every event in order of its index."""

    def ciphertext(self, event_id: str) -> bytes | None:
        """Return the payload stored for an event."""

    def stray_index_rows(self) -> Iterator[int]:
        """Give the indexes that the side index has and the log has not."""


class EventLog(Protocol):
    """An append-only log of events. Every method may be called from many threads."""

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        """Append all or none, in this order; durable when it returns. One result for each.

        An event that the log has (by event id; a screening by kiosk and request id) is not appended again:
        its result is the stored record. EventIdReusedError: the id is there with other bytes.
        LogDamagedError: the stored log is not what was written. UnavailableError: it can't be written now.
        Both are found out without any event, too.
        """

    def screenings(self, request_id: str, kiosk_id: str | None = None) -> list[Record]:
        """Return the screenings with this request id, of one kiosk or of all."""

    def ciphertext(self, event_id: str) -> bytes | None:
        """Return the payload stored for an event."""

    def query(self, wanted: EventFilter, before: int | None, limit: int) -> Page:
        """Return the newest `limit` events that are wanted and whose index is below `before`."""

    def snapshot(self) -> AbstractContextManager[LogSnapshot]:
        """Open the log as it is now; appends go on meanwhile and are not seen."""


class KeyStore(Protocol):
    """Keys of payloads by event id, kept apart from the log and from its backups."""

    def put(self, event_id: str, key: bytes) -> None:
        """Keep a key; durable when it returns."""

    def get(self, event_id: str) -> bytes | None:
        """Return a key, or None if there is none (any more)."""

    def destroy(self, event_id: str) -> None:
        """Destroy a key for good; nothing happens if there is none. UnavailableError: call again."""
