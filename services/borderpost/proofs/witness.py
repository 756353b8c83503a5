"""A witness: keeps the checkpoints of a log that it saw, and cosigns only those of a log that has grown.

Its folder holds `log.keys` (the log's keys that it believes, one vkey a line), `checkpoints/SIZE.note`, and
`evidence/` with the notes of a log that it caught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from borderpost.proofs.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint
from borderpost.proofs.cosignatures import cosign
from borderpost.proofs.notes import NoteError, Signer, Verifier, open_note, split_note
from borderpost.proofs.tree import verify_consistency
from borderpost.runtime.errors import BorderpostError

KEYS: Final = "log.keys"
CHECKPOINTS: Final = "checkpoints"
EVIDENCE: Final = "evidence"

Consistency = Callable[[int, int], Sequence[bytes]]
"""Asks the log for the proof that the tree of one size is the beginning of that of another (RFC 9162, 2.1.4)."""


class LogCaughtError(BorderpostError):
    """The log isn't the one that the witness saw before: it was rewritten, cut, or shows others something else."""

    reason = "LOG_CAUGHT"


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that was accepted: its note, what it says, and the size of the one before (0: there was none)."""

    note: str
    checkpoint: Checkpoint
    former: int


class Witness:
    """What one witness knows of one log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def verifiers(self) -> list[Verifier]:
        """The log's keys that it believes. Empty before it has seen any."""
        path = self._folder / KEYS
        if not path.exists():
            return []
        return [Verifier.parse(line) for line in path.read_text(encoding="utf-8").splitlines() if line]

    def believe(self, verifiers: Sequence[Verifier]) -> None:
        """Believe these keys of the log."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{verifier.verifier_key}\n" for verifier in verifiers)
        (self._folder / KEYS).write_text(text, encoding="utf-8")

    def see(self, note: str, said: Sequence[Verifier], consistency: Consistency) -> Seen:
        """Check a checkpoint against all that was seen before, and keep it.

        `said`: the keys that the log says it signs with. One that isn't believed yet is, if this checkpoint bears its
        signature beside one of a key that is: so keys are changed, with both in use for a while.
        LogCaughtError: the log isn't what it was; both notes are kept as evidence. NoteError: none of the keys that are
        believed has signed it.
        """
        believed = self.verifiers
        opened = open_note(note, believed)
        checkpoint = parse_checkpoint(opened.text)
        former = self._newest()
        if former is not None:
            self._want_grown(former, note, checkpoint, believed, consistency)
        fresh = [key for key in open_note(note, [*believed, *said]).verifiers if key not in believed]
        if fresh:
            self.believe([*believed, *fresh])
        path = self._folder / CHECKPOINTS / f"{checkpoint.size}.note"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(note, encoding="utf-8")
        return Seen(note, checkpoint, former[0] if former else 0)

    def _newest(self) -> tuple[int, str] | None:
        folder = self._folder / CHECKPOINTS
        sizes = [int(path.stem) for path in folder.glob("*.note") if path.stem.isdecimal()]
        if not sizes:
            return None
        size = max(sizes)
        return size, (folder / f"{size}.note").read_text(encoding="utf-8")

    def _want_grown(
        self,
        former: tuple[int, str],
        note: str,
        checkpoint: Checkpoint,
        believed: Sequence[Verifier],
        consistency: Consistency,
    ) -> None:
        kept = open_checkpoint(former[1], believed, checkpoint.origin)
        if checkpoint.size < kept.size:
            self._caught(
                former,
                note,
                f"it had {kept.size:,} events when it was seen last, and has {checkpoint.size:,} now",
            )
        same = checkpoint.size == kept.size
        proof = () if same or not kept.size else consistency(kept.size, checkpoint.size)
        if kept.size and not verify_consistency(
            kept.size, kept.root, checkpoint.size, checkpoint.root, proof
        ):
            self._caught(former, note, f"its first {kept.size:,} events aren't those that were there before")

    def _caught(self, former: tuple[int, str], note: str, why: str) -> None:
        folder = self._folder / EVIDENCE
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{former[0]}-kept.note").write_text(former[1], encoding="utf-8")
        (folder / f"{former[0]}-shown.note").write_text(note, encoding="utf-8")
        raise LogCaughtError(
            f"the log was rewritten: {why}. Both checkpoints, signed by it, are in {folder}: keep "
            "them, and tell those who oversee it"
        )


def cosigned(seen: Seen, witness: Signer, time: datetime) -> str:
    """The checkpoint with the witness's cosignature."""
    return seen.note + cosign(seen.checkpoint.text, witness, time).line


def kept_checkpoints(folder: Path) -> list[str]:
    """The notes that a witness has kept in its folder. NoteError: there are none."""
    notes = [path.read_text(encoding="utf-8") for path in sorted((folder / CHECKPOINTS).glob("*.note"))]
    if not notes:
        raise NoteError(
            f"{folder}: it has no checkpoints, want the state folder of `borderpost audit witness`"
        )
    for note in notes:
        split_note(note)
    return notes
