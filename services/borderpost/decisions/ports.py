"""What the use cases need from outside. What cases, subjects and transparency alone need is in their own rooms.

Every method may be called from many threads, and raises UnavailableError while its database can't be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from borderpost.decisions.domain import Appended, EventFilter, IndexRow, NewEvent, Page, Part, Record


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One event with everything stored about it.

    `stored` is empty if the body was pruned. `index_row` is None if the index lacks it, or hasn't come so far.
    """

    index: int
    event_id: str
    once: str | None
    stored: bytes
    leaf_sha256: bytes
    index_row: IndexRow | None


class LogSnapshot(Protocol):
    """The log as it was at one moment, to be read through once."""

    @property
    def size(self) -> int:
        """How many events it has."""
        ...

    @property
    def indexed(self) -> int:
        """How many of them the index has."""
        ...

    def rows(self) -> Iterator[StoredRow]:
        """Give every event in order of its index."""
        ...

    def ciphertext(self, event_id: str, part: Part) -> bytes | None:
        """Return what is sealed beside an event."""
        ...

    def stray_index_rows(self) -> Iterator[int]:
        """Give the indexes that the index has and the log has not."""
        ...

    def subtrees(self) -> Iterator[tuple[int, int, bytes]]:
        """Give the stored roots of complete subtrees: level (1 and above), position, hash."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Give all kept checkpoints, the smallest first: the size they are kept under, and their note."""
        ...

    def pruned(self) -> Iterator[tuple[int, int, str]]:
        """Give the ranges whose bodies were pruned: first index, index behind the last, signed note."""
        ...


class EventLog(Protocol):
    """An append-only log of events: the truth."""

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        """Append all or none, in this order; durable when it returns. One result for each.

        Callers at the same time share a commit. An event that the log has, by its event id, is not appended again: its
        result is the stored record; what is sealed with it is dropped. EventIdReusedError: the id is there with other
        bytes. OnceTakenError: the `once` of one of them is taken by another event; nothing of this batch is appended,
        and the error has that event's record. LogDamagedError: the stored log is not what was written; found out
        without any event, too.
        """
        ...

    def size(self) -> int:
        """How many events are stored."""
        ...

    def find(self, event_id: str) -> Record | None:
        """Return the event with this id."""
        ...

    def find_once(self, once: str) -> Record | None:
        """Return the event that was appended with this `once`."""
        ...

    def records(self, start: int, stop: int) -> Iterator[Record]:
        """Give the events from `start` up to `stop`, in order, of one consistent state."""
        ...

    def ciphertext(self, event_id: str, part: Part) -> bytes | None:
        """Return what is sealed beside an event."""
        ...

    def snapshot(self) -> AbstractContextManager[LogSnapshot]:
        """Open the log as it is now; appends go on meanwhile and are not seen."""
        ...


class EventIndex(Protocol):
    """What events are found by: a view of the log, which catches up before it answers."""

    def query(self, wanted: EventFilter, before: int | None, limit: int) -> Page:
        """Return the newest `limit` events that are wanted and whose index is below `before`."""
        ...

    def screenings(self, request_id: str) -> list[Record]:
        """Return the screenings with this request id, of all kiosks."""
        ...


class KeyStore(Protocol):
    """Keys by an id, kept apart from the log and from its backups."""

    def put_many(self, keys: Mapping[str, bytes]) -> None:
        """Keep keys; durable when it returns. Callers at the same time share a commit."""
        ...

    def get(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none (any more)."""
        ...

    def get_many(self, key_ids: Sequence[str]) -> dict[str, bytes]:
        """Return those of these keys that there are."""
        ...

    def destroy_many(self, key_ids: Sequence[str]) -> None:
        """Destroy keys for good; nothing happens for those that there are not. UnavailableError: call again."""
        ...

    def destroyed(self, key_ids: Sequence[str]) -> set[str]:
        """Which of these keys were destroyed, and not lost."""
        ...
