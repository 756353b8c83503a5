"""Checks a whole log against itself, row by row; needs nothing but a snapshot, so it works offline too."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from borderpost.decisions.domain import index_row
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.decisions.ports import LogSnapshot, StoredRow
from borderpost.v1.decisions_pb2 import Event

MAX_FAULTS: Final = 100
"""Faults that are named (VerifyLogResponse.faults); the check goes on to the end all the same."""


class FaultCode(StrEnum):
    """What can be wrong; the words of `LogFault.code`."""

    EVENT_ALTERED = "EVENT_ALTERED"
    EVENT_MISSING = "EVENT_MISSING"
    ROOT_WRONG = "ROOT_WRONG"
    PAYLOAD_ALTERED = "PAYLOAD_ALTERED"
    PAYLOAD_MISSING = "PAYLOAD_MISSING"
    INDEX_WRONG = "INDEX_WRONG"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and the index where."""

    index: int
    code: FaultCode


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found. `size` events were read; `root_sha256` is over their leaf hashes as stored."""

    size: int
    root_sha256: bytes
    faults: tuple[Fault, ...]

    @property
    def intact(self) -> bool:
        """Whether all is as it was written, as far as the log alone can tell; see `verify`."""
        return not self.faults


def verify(snapshot: LogSnapshot) -> Verification:
    """Check every event's bytes, place, root, payload and index row.

    An altered event is named by EVENT_ALTERED where its stored leaf hash is untouched. Where that was
    recomputed to fit, it is the first ROOT_WRONG; the roots after it can't be right either, so only the
    first of a run is named. After a missing event no root can be recomputed, and none is checked.

    What a log can't tell of itself: that its newest events were cut off together with all that belongs to
    them, or that it was written anew from some event on, roots and all. For that it must be compared with
    a root that someone else has kept.
    """
    check = _Check()
    for row in snapshot.rows():
        check.place(row)
        check.root(row)
        event = check.event(row)
        if event is not None:
            check.payload(row, event, snapshot.ciphertext(event.event_id))
            check.index(row, event)
    for index in snapshot.stray_index_rows():
        check.report(index, FaultCode.INDEX_WRONG)
    return Verification(check.frontier.size, check.frontier.root(), tuple(check.faults))


@dataclass(slots=True)
class _Check:
    """The state of a check between two rows."""

    frontier: Frontier = field(default_factory=Frontier)
    next_index: int = 0
    gap: bool = False
    root_was_wrong: bool = False
    faults: list[Fault] = field(default_factory=list)

    def report(self, index: int, code: FaultCode) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(index, code))

    def place(self, row: StoredRow) -> None:
        for index in range(self.next_index, min(row.index, self.next_index + MAX_FAULTS)):
            self.report(index, FaultCode.EVENT_MISSING)
        self.gap = self.gap or row.index != self.next_index
        self.next_index = row.index + 1

    def root(self, row: StoredRow) -> None:
        self.frontier = self.frontier.append(row.leaf_sha256)
        wrong = not self.gap and self.frontier.root() != row.root_sha256
        if wrong and not self.root_was_wrong:
            self.report(row.index, FaultCode.ROOT_WRONG)
        self.root_was_wrong = wrong

    def event(self, row: StoredRow) -> Event | None:
        """Return the event if its bytes are those of its leaf."""
        if leaf_hash(row.stored) == row.leaf_sha256:
            try:
                return Event.FromString(row.stored)
            except DecodeError:
                pass  # bytes that were never an event, with a leaf made to fit
        self.report(row.index, FaultCode.EVENT_ALTERED)
        return None

    def payload(self, row: StoredRow, event: Event, ciphertext: bytes | None) -> None:
        if ciphertext is None:
            if event.payload_sha256:
                self.report(row.index, FaultCode.PAYLOAD_MISSING)
        elif sha256(ciphertext).digest() != event.payload_sha256:
            self.report(row.index, FaultCode.PAYLOAD_ALTERED)

    def index(self, row: StoredRow, event: Event) -> None:
        if row.index_row != index_row(event):
            self.report(row.index, FaultCode.INDEX_WRONG)
