"""Receipts of erasures: signed notes for the people whose data it was.

The text of the note (C2SP signed-note), without names, numbers or pictures:

    borderpost erasure receipt 1
    log: ORIGIN of the log
    erased: TIME of the event (RFC 3339, UTC)
    basis: WHY, as the event says it
    checkpoint: SIZE of the tree, and its root in base64
    event: INDEX of the event in the log, and its leaf hash in base64    (one for each event that tells of it)
    proof: HASH in base64                                                (from the leaf up; of the event before it)
    screening: ID of a screening whose data was erased                   (one for each)
    # …                                                                  (words for people)

so that with the log's key alone anyone can check that the event is in the log that its checkpoints are of.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from borderpost.proofs.tree import node_hash
from borderpost.runtime.errors import InvalidRequestError

HEADING: Final = "borderpost erasure receipt 1"
"""The first line: what the note is, so that it can't be taken for a checkpoint."""

WORDS: Final = (
    "Erased for good: what was read from the document, scores, findings, pictures and templates of these",
    "screenings, and what they could be found by. Their keys are destroyed: no copy can be read any more.",
    "Kept, without name, number or picture: that there was a screening, its id, time, place, result and",
    "reasons. They go when their time is over; their hashes stay, by which the log is proven.",
    "Check this receipt: borderpost subject check-receipt FILE --log-key KEY (the authority publishes KEY).",
)
"""What a person should know, said in the receipt itself."""

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LINE: Final = re.compile(r"([a-z]+): (\S.*)")
_HASH_BYTES: Final = 32
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class ReceiptError(InvalidRequestError):
    """A receipt is none, isn't signed by the log's key, or doesn't hold together."""

    reason = "RECEIPT_WRONG"


@dataclass(frozen=True, slots=True)
class ProvenEvent:
    """An event in the tree of a checkpoint: its index, its leaf hash, and the proof (RFC 9162, 2.1.3)."""

    index: int
    leaf: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says."""

    origin: str
    erased_at: datetime
    basis: str
    screenings: tuple[str, ...]
    size: int
    root: bytes
    events: tuple[ProvenEvent, ...]


def receipt_text(receipt: Receipt) -> str:
    """Make the text to be signed."""
    lines = [
        HEADING,
        f"log: {receipt.origin}",
        f"erased: {receipt.erased_at.astimezone(UTC).strftime(_TIME)}",
        f"basis: {receipt.basis}",
        f"checkpoint: {receipt.size} {_base64(receipt.root)}",
    ]
    for event in receipt.events:
        lines.append(f"event: {event.index} {_base64(event.leaf)}")
        lines += [f"proof: {_base64(each)}" for each in event.hashes]
    lines += [f"screening: {event_id}" for event_id in receipt.screenings]
    lines += [f"# {words}" for words in WORDS]
    return "\n".join(lines) + "\n"


def parse_receipt(text: str) -> Receipt:
    """Read the text of a receipt. ReceiptError: it is none."""
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    if not lines or lines[0] != HEADING or lines[-1]:
        raise ReceiptError(f"receipt: want {HEADING!r} as its first line, and whole lines")
    fields = [_field(line) for line in lines[1:-1]]
    if [name for name, _ in fields[:4]] != ["log", "erased", "basis", "checkpoint"]:
        raise ReceiptError(
            "receipt: want log, erased, basis and checkpoint in its first lines, in this order"
        )
    (_, origin), (_, erased), (_, basis), (_, checkpoint) = fields[:4]
    size, root = _numbered(checkpoint)
    events, screenings = _rest(fields[4:])
    return Receipt(origin, _time(erased), basis, screenings, size, root, events)


def check_receipt(receipt: Receipt) -> None:
    """Check that the events are in the checkpoint's tree. ReceiptError: one is not, or there is none."""
    if not receipt.events:
        raise ReceiptError("receipt: got no event, want at least one")
    for event in receipt.events:
        if _root_of(event, receipt.size) != receipt.root:
            raise ReceiptError(
                f"receipt: event {event.index} is not in the tree of its checkpoint", index=str(event.index)
            )


def _root_of(event: ProvenEvent, size: int) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); None if it is no proof for this place."""
    if event.index >= size:
        return None
    place, last, node = event.index, size - 1, event.leaf
    for sibling in event.hashes:
        if last == 0:
            return None  # longer than the tree is high
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    return node if last == 0 else None


def _field(line: str) -> tuple[str, str]:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise ReceiptError("receipt: got a line that is none of its, want 'name: value'")
    return parts[1], parts[2]


def _rest(fields: Sequence[tuple[str, str]]) -> tuple[tuple[ProvenEvent, ...], tuple[str, ...]]:
    events: list[ProvenEvent] = []
    screenings: list[str] = []
    for name, value in fields:
        if name == "event":
            index, leaf = _numbered(value)
            events.append(ProvenEvent(index, leaf, ()))
        elif name == "proof" and events and not screenings:
            last = events[-1]
            events[-1] = ProvenEvent(last.index, last.leaf, (*last.hashes, _hash(value)))
        elif name == "screening":
            screenings.append(value)
        else:
            raise ReceiptError(
                "receipt: got a line that doesn't belong there, want events, proofs, screenings"
            )
    return tuple(events), tuple(screenings)


def _numbered(text: str) -> tuple[int, bytes]:
    number, _, digest = text.partition(" ")
    if not _NUMBER.fullmatch(number):
        raise ReceiptError("receipt: want a decimal number and a hash")
    return int(number), _hash(digest)


def _hash(text: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _HASH_BYTES or _base64(digest) != text:
        raise ReceiptError("receipt: want the base64 of a SHA-256")
    return digest


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise ReceiptError("receipt: want a time as 2026-11-26T08:30:00.000000Z") from None


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
