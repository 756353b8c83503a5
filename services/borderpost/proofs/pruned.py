"""Signed notes that say which events were pruned: their bodies are gone, their leaf hashes are kept
(docs/retention.md).

The text of the note (C2SP signed-note):

    borderpost pruned 1
    ORIGIN of the log
    START, the first event's index, decimal
    STOP, the index behind the last one's, decimal
    BASE64 of SHA-256 over the leaf hashes of the range, one behind the other

so that an event without a body is taken only where the log itself signed that it was pruned.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from borderpost.proofs.notes import NoteError, Verifier, open_note

HEADING: Final = "borderpost pruned 1"
"""The first line: what the note is, so that it can't be taken for a checkpoint."""

DIGEST_BYTES: Final = 32

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
"""Without leading zeros, so that a range is written in one way; at most the indexes that the log can have."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """A range of pruned events: `start` ≤ index < `stop`, and the hash over their leaf hashes."""

    start: int
    stop: int
    leaves_sha256: bytes


def leaves_digest(leaves: Iterable[bytes]) -> bytes:
    """Return SHA-256 over leaf hashes, in order."""
    digest = sha256()
    for leaf in leaves:
        digest.update(leaf)
    return digest.digest()


def pruned_text(origin: str, pruned: Pruned) -> str:
    """Make the text to be signed."""
    digest = base64.b64encode(pruned.leaves_sha256).decode()
    return f"{HEADING}\n{origin}\n{pruned.start}\n{pruned.stop}\n{digest}\n"


def parse_pruned(text: str, origin: str) -> Pruned:
    """Read the text of a note. NoteError: it is not one about pruned events of this log."""
    lines = text.split("\n")
    if len(lines) != 6 or lines[0] != HEADING or lines[5]:
        raise NoteError(f"pruned range: want five lines, the first of them {HEADING!r}")
    if lines[1] != origin:
        raise NoteError("pruned range: it is of another log")
    if not _NUMBER.fullmatch(lines[2]) or not _NUMBER.fullmatch(lines[3]):
        raise NoteError("pruned range: want decimal numbers in its third and fourth line")
    start, stop = int(lines[2]), int(lines[3])
    if start >= stop:
        raise NoteError("pruned range: want its start before its stop")
    return Pruned(start, stop, _digest(lines[4]))


def open_pruned(note: str, verifiers: Sequence[Verifier], origin: str) -> Pruned:
    """Read a signed note. NoteError: it isn't signed by one of these keys, or isn't about pruned events of this log."""
    return parse_pruned(open_note(note, verifiers).text, origin)


def _digest(line: str) -> bytes:
    try:
        digest = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("pruned range: want base64 in its fifth line") from None
    if len(digest) != DIGEST_BYTES or base64.b64encode(digest).decode() != line:
        raise NoteError("pruned range: want the base64 of a SHA-256 in its fifth line")
    return digest
