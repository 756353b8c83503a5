"""Checks a whole log where it lies, row by row. An export is checked by `borderpost.proofs`, without any service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from google.protobuf.message import DecodeError

from borderpost.decisions.domain import Part, index_row, key_id, known_once
from borderpost.decisions.ports import LogSnapshot, StoredRow
from borderpost.proofs.checkpoints import open_checkpoint
from borderpost.proofs.notes import NoteError, Verifier
from borderpost.proofs.pruned import open_pruned
from borderpost.proofs.tree import SUBTREE, Blocks, Frontier, leaf_hash
from borderpost.v1.decisions_pb2 import Event

MAX_FAULTS: Final = 100
"""Faults that are named (VerifyLogResponse.faults); the check goes on to the end all the same."""

MISSING_AT_ONCE: Final = 1000
"""Missing ciphertexts whose keys are asked for at a time."""

Destroyed = Callable[[Sequence[str]], set[str]]
"""Which of these keys were destroyed, so that what they opened may be gone."""


class FaultCode(StrEnum):
    """What can be wrong; the words of `LogFault.code`."""

    EVENT_ALTERED = "EVENT_ALTERED"
    EVENT_MISSING = "EVENT_MISSING"
    PRUNED_UNSIGNED = "PRUNED_UNSIGNED"
    CHECKPOINT_WRONG = "CHECKPOINT_WRONG"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"
    TRUNCATED = "TRUNCATED"
    SUBTREE_WRONG = "SUBTREE_WRONG"
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
    """What a check found. `size` events were read; `root_sha256` is over their leaf hashes as stored.

    `trusted_until` is the size of the largest checkpoint that fits, as all before it do.
    """

    size: int
    root_sha256: bytes
    faults: tuple[Fault, ...]
    trusted_until: int

    @property
    def intact(self) -> bool:
        """Whether all is as it was written, as far as the log alone can tell; see `verify`."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Trust:
    """What a log's own check believes: its name, the keys it signs with, and which payload keys were destroyed."""

    origin: str
    verifiers: Sequence[Verifier]
    destroyed: Destroyed


def verify(snapshot: LogSnapshot, trust: Trust) -> Verification:
    """Check every event's bytes and place, every checkpoint, stored subtree and ciphertext, and the index.

    An altered event is named by EVENT_ALTERED where its stored leaf hash is untouched. Where that was recomputed to
    fit, the first checkpoint behind it doesn't: CHECKPOINT_WRONG; those after it can't fit either and are not named.
    After a missing event no root can be computed, and none is checked.

    What a log can't tell of itself: that its newest events were cut off together with their checkpoints, or that it was
    written anew by whoever holds the key. For that it must be compared with what a witness has kept.
    """
    check = _Check(trust, _Notes(snapshot, trust))
    for row in snapshot.rows():
        check.place(row)
        check.leaf(row)
        event = check.event(row)
        if event is not None:
            check.sealed(row, event, snapshot)
            check.index(row, event, snapshot.indexed)
    check.missing_parts()
    check.end()
    for level, position, stored in snapshot.subtrees():
        check.subtree(level, position, stored)
    for index in snapshot.stray_index_rows():
        check.report(index, FaultCode.INDEX_WRONG)
    return Verification(check.frontier.size, check.frontier.root(), tuple(check.faults), check.trusted_until)


@dataclass(slots=True)
class _Pruned:
    """A signed range of pruned events, and the hash over the leaf hashes in it that were read so far."""

    start: int
    stop: int
    leaves_sha256: bytes
    read: Any = field(default_factory=sha256)


class _Notes:
    """The signed notes of a snapshot: checkpoints by size, and pruned ranges. What isn't signed by the log is a
    fault."""

    def __init__(self, snapshot: LogSnapshot, trust: Trust) -> None:
        self.unsigned: list[int] = []
        self.roots: dict[int, bytes] = {}
        self.pruned: list[_Pruned] = []
        for size, note in snapshot.checkpoints():
            try:
                checkpoint = open_checkpoint(note, trust.verifiers, trust.origin)
            except NoteError:
                self.unsigned.append(size)
            else:
                self.roots[checkpoint.size] = checkpoint.root
        for start, _, note in snapshot.pruned():
            try:
                pruned = open_pruned(note, trust.verifiers, trust.origin)
            except NoteError:
                self.unsigned.append(start)
            else:
                self.pruned.append(_Pruned(pruned.start, pruned.stop, pruned.leaves_sha256))

    def pruned_at(self, index: int) -> _Pruned | None:
        """The range that an event was pruned with."""
        return next((pruned for pruned in self.pruned if pruned.start <= index < pruned.stop), None)


@dataclass(slots=True)
class _Check:
    """The state of a check between two rows."""

    trust: Trust
    notes: _Notes
    frontier: Frontier = field(default_factory=Frontier)
    blocks: Blocks = field(default_factory=Blocks)
    subtrees: dict[tuple[int, int], bytes] = field(default_factory=dict)
    next_index: int = 0
    gap: bool = False
    distrusted: bool = False
    trusted_until: int = 0
    missing: list[tuple[int, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def report(self, index: int, code: FaultCode) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(index, code))

    def place(self, row: StoredRow) -> None:
        for index in range(self.next_index, min(row.index, self.next_index + MAX_FAULTS)):
            self.report(index, FaultCode.EVENT_MISSING)
        self.gap = self.gap or row.index != self.next_index
        self.next_index = row.index + 1

    def leaf(self, row: StoredRow) -> None:
        self.frontier = self.frontier.append(row.leaf_sha256)
        for level, position, root in self.blocks.append(row.leaf_sha256):
            self.subtrees[level, position] = root
        size = self.frontier.size
        wanted = self.notes.roots.get(size)
        if wanted is None or self.gap or self.distrusted:
            return
        if wanted == self.frontier.root():
            self.trusted_until = size
        else:
            self.distrusted = True
            self.report(size, FaultCode.CHECKPOINT_WRONG)

    def event(self, row: StoredRow) -> Event | None:
        """Return the event if its bytes are those of its leaf."""
        if not row.stored:
            pruned = self.notes.pruned_at(row.index)
            if pruned is None:
                self.report(row.index, FaultCode.PRUNED_UNSIGNED)
            else:
                pruned.read.update(row.leaf_sha256)
            return None
        if leaf_hash(row.stored) == row.leaf_sha256:
            try:
                event = Event.FromString(row.stored)
            except DecodeError:
                pass  # bytes that were never an event, with a leaf made to fit
            else:
                if event.event_id == row.event_id:
                    return event
        self.report(row.index, FaultCode.EVENT_ALTERED)
        return None

    def sealed(self, row: StoredRow, event: Event, snapshot: LogSnapshot) -> None:
        for part, wanted in ((Part.PAYLOAD, event.payload_sha256), (Part.EVIDENCE, event.evidence_sha256)):
            if not wanted:
                continue
            ciphertext = snapshot.ciphertext(event.event_id, part)
            if ciphertext is None:
                # What is said about a screening later lies under the screening's key.
                self.missing.append((row.index, key_id(event.subject or event.event_id, part)))
                if len(self.missing) == MISSING_AT_ONCE:
                    self.missing_parts()
            elif sha256(ciphertext).digest() != wanted:
                self.report(row.index, FaultCode.PAYLOAD_ALTERED)

    def missing_parts(self) -> None:
        """Tell those that were erased from those that are lost."""
        destroyed = self.trust.destroyed([key for _, key in self.missing])
        for index, key in self.missing:
            if key not in destroyed:
                self.report(index, FaultCode.PAYLOAD_MISSING)
        self.missing.clear()

    def index(self, row: StoredRow, event: Event, indexed: int) -> None:
        once = known_once(event)
        if (once is not None and row.once != once) or (
            row.index < indexed and row.index_row != index_row(event)
        ):
            self.report(row.index, FaultCode.INDEX_WRONG)

    def end(self) -> None:
        if any(size > self.next_index for size in self.notes.roots):
            self.report(self.next_index, FaultCode.TRUNCATED)
        for index in self.notes.unsigned:
            self.report(index, FaultCode.SIGNATURE_WRONG)
        for pruned in self.notes.pruned:
            if pruned.read.digest() != pruned.leaves_sha256:
                self.report(pruned.start, FaultCode.PRUNED_UNSIGNED)

    def subtree(self, level: int, position: int, stored: bytes) -> None:
        if not self.gap and self.subtrees.get((level, position)) != stored:
            self.report((position + 1) * SUBTREE**level, FaultCode.SUBTREE_WRONG)
