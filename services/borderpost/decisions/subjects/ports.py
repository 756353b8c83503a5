"""What erasure and retention need from outside, beside the log and the key store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from borderpost.decisions.domain import Lookup, Part
from borderpost.proofs.receipts import ProvenEvent


@dataclass(frozen=True, slots=True)
class HeldScreening:
    """A screening that the log has, and what is held of it."""

    index: int
    event_id: str
    request_id: str
    time: datetime
    crossing: str
    outcome: int
    payload_held: bool
    evidence_held: bool
    case_open: bool


@dataclass(frozen=True, slots=True)
class RecordedErasure:
    """A DATA_ERASED event: its place in the log, and the screenings that it names."""

    index: int
    event_ids: tuple[str, ...]


class Group(NamedTuple):
    """Screenings of which everything is kept equally long: by outcome; random samples are a group of their own."""

    outcome: int
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """Until when a part of a group's screenings is kept: what is at or before these times is overdue.

    `since`: the time of the screening or, with `from_case`, of the closing of its case; of a screening that has no case
    it is the screening's all the same. `at_latest`: the time of the screening, whatever became of its case.
    """

    part: Part
    group: Group
    since: datetime
    from_case: bool
    at_latest: datetime


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a screening."""

    event_id: str
    part: Part
    group: Group


@dataclass(frozen=True, slots=True)
class HeldCount:
    """How much is held of a class (None: of events) and group (outcome 0: other events; of events samples are no group
    of their own), and how much of it is overdue."""

    part: Part | None
    group: Group
    held: int
    oldest: datetime
    overdue: int


@dataclass(frozen=True, slots=True)
class HeldCounts:
    """What is held; when retention last did something; the index before which bodies are pruned."""

    counts: tuple[HeldCount, ...]
    last_applied: datetime | None
    pruned_until: int


SignRange = Callable[[int, int, Sequence[bytes]], str]
"""Signs that bodies from the first index up to the second were pruned, whose leaf hashes these are."""


class SubjectStore(Protocol):
    """What is held beside the events. Every method may be called from many threads, and sees every acknowledged event.

    Deleting what is gone already does nothing. Raises UnavailableError.
    """

    def find(self, lookup: Lookup, limit: int) -> list[HeldScreening]:
        """Return the newest `limit` screenings that are found by this, newest first."""
        ...

    def screenings(self, event_ids: Sequence[str]) -> list[HeldScreening]:
        """Return those of these that are screenings in the log whose bodies weren't pruned."""
        ...

    def recorded_erasures(self) -> list[RecordedErasure]:
        """Return the DATA_ERASED events that may not be finished, oldest first."""
        ...

    def finish_erasures(self, upto: int) -> None:
        """Remember that all DATA_ERASED events before this index are finished."""
        ...

    def delete_screenings(self, event_ids: Sequence[str]) -> None:
        """Delete what is sealed beside screenings and beside events about them, and what they are found by."""
        ...

    def overdue(self, limits: Sequence[Limit], after: Piece | None, count: int) -> list[Piece]:
        """Return at most `count` pieces that are overdue by one of these, in a fixed order, behind `after`."""
        ...

    def delete_pieces(self, pieces: Sequence[Piece]) -> None:
        """Delete these ciphertexts; with a payload what is sealed beside events about it, and what it is found by."""
        ...

    def delete_strays(self) -> None:
        """Delete what is sealed beside findings about screenings whose payload is gone: it came during the erasure."""
        ...

    def prunable(self, before: datetime, count: int) -> tuple[int, int]:
        """Return the next range of at most `count` events whose bodies may go: first, behind the last.

        Those that follow what is pruned and that the log took at or before this time; up to the first that has
        something sealed beside it, or whose case is open, or that tells of an erasure that isn't finished.
        """
        ...

    def prune(self, start: int, stop: int, sign: SignRange) -> bool:
        """Prune the bodies of a range, and keep the signed note that says so. False if another process was first.

        Event ids and leaf hashes stay. The note may be for a longer range that ends here, in the place of others.
        """
        ...

    def counts(self, limits: Sequence[Limit], events_before: datetime) -> HeldCounts:
        """Count what is held and what is overdue by these; events by when the log took them."""
        ...

    def scrub(self) -> bool:
        """Leave nothing of what was deleted in the database's files. False: readers are in the way, try again."""
        ...


@dataclass(frozen=True, slots=True)
class Covered:
    """A checkpoint of a size, with its root, and events that it covers."""

    size: int
    root: bytes
    events: tuple[ProvenEvent, ...]


class Prover(Protocol):
    """Makes checkpoints and proofs."""

    def cover(self, indexes: Sequence[int]) -> Covered:
        """Make a checkpoint that covers these events, if there is none yet, and prove that they are in it."""
        ...
