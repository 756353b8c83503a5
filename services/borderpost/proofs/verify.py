"""Checks an export with nothing but its files and, for more than the log's own word, keys and checkpoints kept
elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from borderpost.proofs.bundle import Proof, read_events, read_proof
from borderpost.proofs.checkpoints import Checkpoint, open_checkpoint
from borderpost.proofs.formats import ExportRow
from borderpost.proofs.notes import NoteError, Verifier
from borderpost.proofs.pruned import open_pruned
from borderpost.proofs.readable import columns_of
from borderpost.proofs.tree import Frontier, leaf_hash, verify_inclusion

MAX_FAULTS: Final = 100
"""Faults that are named; all are counted."""

EVENTS_AT_ONCE: Final = 1000
"""Events after which progress is told."""

Progress = Callable[[int], None]


class FaultCode(StrEnum):
    """What can be wrong with an export."""

    EVENT_ALTERED = "EVENT_ALTERED"
    COLUMN_ALTERED = "COLUMN_ALTERED"
    EVENT_MISSING = "EVENT_MISSING"
    EVENT_REORDERED = "EVENT_REORDERED"
    EVENT_ADDED = "EVENT_ADDED"
    TRUNCATED = "TRUNCATED"
    CHECKPOINT_WRONG = "CHECKPOINT_WRONG"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"
    FORKED = "FORKED"
    PRUNED_UNSIGNED = "PRUNED_UNSIGNED"
    PROOF_WRONG = "PROOF_WRONG"


WORDS: Final[Mapping[FaultCode, str]] = {
    FaultCode.EVENT_ALTERED: "its bytes are not those of its hash",
    FaultCode.COLUMN_ALTERED: "a readable column doesn't say what the event's bytes say",
    FaultCode.EVENT_MISSING: "missing",
    FaultCode.EVENT_REORDERED: "not in its place, or there twice",
    FaultCode.EVENT_ADDED: "behind the checkpoint: not proven by it",
    FaultCode.TRUNCATED: "the log had them: it was cut off, or this export is older than the witness's last look",
    FaultCode.CHECKPOINT_WRONG: "one or more of these were altered together with their hash",
    FaultCode.SIGNATURE_WRONG: "a checkpoint or pruned range that the log's keys haven't signed",
    FaultCode.FORKED: "two checkpoints of this size, both signed: the log showed two histories",
    FaultCode.PRUNED_UNSIGNED: "without a body, and no signed range says that it was pruned so",
    FaultCode.PROOF_WRONG: "its proof doesn't lead to the checkpoint",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: what, and of which events (`first` to `last`)."""

    code: FaultCode
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    `events` were read, of which the checkpoint of `size` events proves that they were in the log. `distrusted_from`:
    the size of the first checkpoint that doesn't fit; what is behind the one before it can't be trusted. `own_keys`:
    it was checked with the keys in the export itself, which proves nothing against whoever holds the log's key.
    `witnessed`: checkpoints of a witness that were held against it.
    """

    origin: str
    size: int
    events: int
    complete: bool
    own_keys: bool
    witnessed: int
    counts: Mapping[FaultCode, int]
    faults: tuple[Fault, ...]
    distrusted_from: int | None

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts


@dataclass(frozen=True, slots=True)
class Trust:
    """What is believed beside the export: keys of the log (none: those in the export), checkpoints kept by a
    witness."""

    verifiers: Sequence[Verifier] = ()
    witnessed: Sequence[str] = ()


def verify_export(path: Path, trust: Trust = Trust(), progress: Progress = lambda _: None) -> Verdict:
    """Check an export. BundleError or NoteError: its files can't be read at all."""
    proof = read_proof(path)
    verifiers = trust.verifiers or [Verifier.parse(key) for key in proof.header.verifier_keys]
    check = _Check(proof, _Signed(proof, verifiers, trust.witnessed))
    for number, row in enumerate(read_events(path), 1):
        check.take(row)
        if number % EVENTS_AT_ONCE == 0:
            progress(number)
    return check.end(own_keys=not trust.verifiers)


class _Signed:
    """What is signed: the roots by size, and the pruned ranges. What isn't signed as it should be is noted."""

    def __init__(self, proof: Proof, verifiers: Sequence[Verifier], witnessed: Sequence[str]) -> None:
        self.origin = proof.header.origin
        self.roots: dict[int, bytes] = {}
        self.unsigned = 0
        self.forked: list[int] = []
        self.witnessed = len(witnessed)
        newest = self._checkpoints((proof.header.checkpoint,), verifiers)
        self.size = newest[0].size if newest else 0
        self._checkpoints((*proof.header.earlier_checkpoints, *witnessed), verifiers)
        self.pruned: list[_Pruned] = []
        for note in proof.header.pruned_ranges:
            try:
                pruned = open_pruned(note, verifiers, self.origin)
            except NoteError:
                self.unsigned += 1
            else:
                self.pruned.append(_Pruned(pruned.start, pruned.stop, pruned.leaves_sha256))

    def _checkpoints(self, notes: Iterable[str], verifiers: Sequence[Verifier]) -> list[Checkpoint]:
        opened = []
        for note in notes:
            try:
                checkpoint = open_checkpoint(note, verifiers, self.origin)
            except NoteError:
                self.unsigned += 1
                continue
            if self.roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
                self.forked.append(checkpoint.size)
            opened.append(checkpoint)
        return opened


@dataclass(slots=True)
class _Pruned:
    """A signed range of pruned events, and the hash over the leaf hashes in it that were read so far."""

    start: int
    stop: int
    leaves_sha256: bytes
    read: Any = field(default_factory=sha256)


class _Check:
    """A check, event by event."""

    def __init__(self, proof: Proof, signed: _Signed) -> None:
        self._proof = proof
        self._signed = signed
        self._complete = proof.header.complete
        self._frontier: Frontier | None = Frontier()  # None: something is missing since the last checkpoint
        self._since = 0
        self._next = 0
        self._events = 0
        self._counts: Counter[FaultCode] = Counter()
        self._faults: list[Fault] = []
        self._distrusted_from: int | None = None

    def take(self, row: ExportRow) -> None:
        """Check one event, behind those before."""
        self._events += 1
        self._bytes(row)
        if row.index >= self._signed.size:
            self._report(FaultCode.EVENT_ADDED, row.index)
        elif self._complete:
            self._place(row)
        else:
            self._inclusion(row)

    def end(self, own_keys: bool) -> Verdict:
        """Check what can be said of the whole."""
        largest = max(self._signed.roots, default=0)
        if self._complete and self._next < self._signed.size:
            self._report(FaultCode.TRUNCATED, self._next, self._signed.size - 1)
            self._distrust(self._signed.size)
        if largest > self._signed.size:
            self._report(FaultCode.TRUNCATED, self._signed.size, largest - 1)
        for size in self._signed.forked:
            self._report(FaultCode.FORKED, size)
            self._distrust(size)
        for _ in range(self._signed.unsigned):
            self._report(FaultCode.SIGNATURE_WRONG, self._signed.size)
        for pruned in self._signed.pruned:
            if self._complete and pruned.read.digest() != pruned.leaves_sha256:
                self._report(FaultCode.PRUNED_UNSIGNED, pruned.start, pruned.stop - 1)
        return Verdict(
            self._signed.origin,
            self._signed.size,
            self._events,
            self._complete,
            own_keys,
            self._signed.witnessed,
            dict(self._counts),
            tuple(self._faults),
            self._distrusted_from,
        )

    def _bytes(self, row: ExportRow) -> None:
        """Want the bytes to be those of the leaf hash, and the columns to be those of the bytes."""
        if not row.event:
            self._pruned(row)
            return
        if leaf_hash(row.event) != row.leaf:
            self._report(FaultCode.EVENT_ALTERED, row.index)
            return
        columns = columns_of(row.event)
        if columns is None:
            self._report(FaultCode.EVENT_ALTERED, row.index)
        elif columns != row.columns:
            self._report(FaultCode.COLUMN_ALTERED, row.index)

    def _pruned(self, row: ExportRow) -> None:
        for pruned in self._signed.pruned:
            if pruned.start <= row.index < pruned.stop:
                pruned.read.update(row.leaf)
                return
        self._report(FaultCode.PRUNED_UNSIGNED, row.index)

    def _place(self, row: ExportRow) -> None:
        if row.index < self._next:
            self._report(FaultCode.EVENT_REORDERED, row.index)
            return
        if row.index > self._next:
            self._report(FaultCode.EVENT_MISSING, self._next, row.index - 1)
            # Checkpoints within the gap can't be checked; what is behind them is gone on with from their peaks.
            self._frontier = None
            for size in sorted(size for size in self._signed.roots if self._next < size <= row.index):
                self._at_checkpoint(size)
        self._next = row.index + 1
        if self._frontier is not None:
            self._frontier = self._frontier.append(row.leaf)
        if self._next in self._signed.roots:
            self._at_checkpoint(self._next)

    def _at_checkpoint(self, size: int) -> None:
        """Hold what was read against a checkpoint; then go on from it, whatever was before."""
        root = self._signed.roots[size]
        if self._frontier is None or self._frontier.size != size:
            self._distrust(size)  # what is missing was reported
        elif self._frontier.root() != root:
            self._report(FaultCode.CHECKPOINT_WRONG, self._since, size - 1)
            self._distrust(size)
        else:
            self._since = size
            return
        self._since = size
        peaks = self._proof.peaks.get(size)
        from_peaks = Frontier(size, peaks) if peaks is not None else None
        fits = (
            from_peaks is not None and len(from_peaks.peaks) == size.bit_count() and from_peaks.root() == root
        )
        self._frontier = from_peaks if fits else None

    def _inclusion(self, row: ExportRow) -> None:
        if row.index < self._next:
            self._report(FaultCode.EVENT_REORDERED, row.index)
        self._next = max(self._next, row.index + 1)
        path = self._proof.inclusion.get(row.index, ())
        size = self._signed.size
        if not verify_inclusion(row.leaf, row.index, size, path, self._signed.roots.get(size, b"")):
            self._report(FaultCode.PROOF_WRONG, row.index)

    def _distrust(self, size: int) -> None:
        if self._distrusted_from is None or size < self._distrusted_from:
            self._distrusted_from = size

    def _report(self, code: FaultCode, first: int, last: int | None = None) -> None:
        self._counts[code] += 1
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(code, first, first if last is None else last))
