"""Checkpoints of the log (C2SP tlog-checkpoint, https://c2sp.org/tlog-checkpoint): signed notes of three lines.

ORIGIN, the log's name
SIZE of the tree, decimal
ROOT of the tree, base64
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.proofs.notes import NoteError, Signer, Verifier, open_note, sign

HASH_BYTES: Final = 32
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: that it has so many events, and that this is the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> str:
    """Make the signed note."""
    return sign(checkpoint.text, signers)


def open_checkpoint(note: str, verifiers: Sequence[Verifier], origin: str) -> Checkpoint:
    """Read a checkpoint of the log with this name. NoteError: it isn't one, or none of these keys has signed it."""
    return parse_checkpoint(open_note(note, verifiers).text, origin)


def parse_checkpoint(text: str, origin: str | None = None) -> Checkpoint:
    """Read the text of a checkpoint, whose signatures were checked. Further lines are passed over, as the
    specification has it. NoteError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise NoteError("checkpoint: want three lines: name of the log, size and root")
    if origin is not None and lines[0] != origin:
        raise NoteError("checkpoint: it is of another log")
    if not _SIZE.fullmatch(lines[1]):
        raise NoteError("checkpoint: want a decimal number in its second line")
    return Checkpoint(lines[0], int(lines[1]), _root(lines[2]))


def _root(line: str) -> bytes:
    try:
        root = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        root = b""
    if len(root) != HASH_BYTES or base64.b64encode(root).decode() != line:
        raise NoteError("checkpoint: want the base64 of a SHA-256 in its third line")
    return root
