"""Exports written by hand, and everything that can be done to one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.proofs.bundle import BundleWriter, Header, proof_of, read_events
from borderpost.proofs.checkpoints import Checkpoint, sign_checkpoint
from borderpost.proofs.formats import ExportRow, writer_of
from borderpost.proofs.notes import Signer
from borderpost.proofs.tree import Frontier, leaf_hash
from borderpost.v1.decisions_pb2 import Event
from fakes.decisions import a_list_event

ORIGIN = "log.example/decisions"
LOGGED_AT = "2026-11-26T12:00:00Z"


class SignedLog:
    """A log of small events with a checkpoint each `every` events, and its key."""

    def __init__(self, size: int, every: int, key: Ed25519PrivateKey | None = None) -> None:
        self.signer = Signer(ORIGIN, key or Ed25519PrivateKey.generate())
        self.size = size
        self.notes: list[str] = []
        template = a_list_event()
        self.events: list[bytes] = []
        frontier = Frontier()
        for number in range(size):
            template.event_id = f"event-{number}"
            self.events.append(template.SerializeToString(deterministic=True))
            frontier = frontier.append(leaf_hash(self.events[-1]))
            if frontier.size % every == 0 or frontier.size == size:
                self.notes.append(self.signed(frontier.size, frontier.root()))

    def signed(self, size: int, root: bytes) -> str:
        return sign_checkpoint(Checkpoint(ORIGIN, size, root), [self.signer])

    def header(self, **changes: object) -> Header:
        header = Header(self.notes[-1], tuple(self.notes[:-1]), (self.signer.verifier_key,))
        return replace(header, **changes)

    def export(self, path: Path, header: Header | None = None) -> Path:
        with BundleWriter(path, header or self.header()) as writer:
            for index, stored in enumerate(self.events):
                writer.add(index, stored, leaf_hash(stored), LOGGED_AT)
        return path


def rewritten(path: Path, rows: Iterable[ExportRow]) -> None:
    """Put other rows in the place of an export's."""
    part = path.with_name("part")
    writer = writer_of(path, part)
    for row in rows:
        writer.write(row)
    writer.close()
    part.replace(path)


def with_lines(path: Path, change: Callable[[list[dict]], None]) -> None:
    """Change what is in an export's proof."""
    file = proof_of(path)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    change(lines)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def other_event(row: ExportRow) -> bytes:
    """The event with another purpose: a good one, that was never there."""
    event = Event.FromString(row.event)
    event.purpose = "another"
    return event.SerializeToString(deterministic=True)


CHANGES = ("bytes", "leaf", "both", "delete", "double", "swap", "column")
"""What can be done to an event of an export: its bytes, its leaf hash, both so that they fit, and so on."""


def changed(rows: Sequence[ExportRow] | Iterator[ExportRow], todo: dict[int, str]) -> Iterator[ExportRow]:
    """Give the rows with these changes, by their index. What was swapped changes place with its neighbour."""
    held: ExportRow | None = None
    for row in rows:
        yield from _one(row, todo.get(row.index, "")) if held is None else (row, held)
        held = None
        if todo.get(row.index) == "swap":
            held = row
    if held is not None:
        yield held


def _one(row: ExportRow, change: str) -> Iterator[ExportRow]:
    if change == "bytes":
        yield replace(row, event=other_event(row))
    elif change == "leaf":
        yield replace(row, leaf=bytes(32))
    elif change == "both":
        stored = other_event(row)
        columns = {**row.columns, "purpose": "another"}
        yield replace(row, event=stored, leaf=leaf_hash(stored), columns=columns)
    elif change == "column":
        yield replace(row, columns={**row.columns, "actor": "somebody else"})
    elif change == "double":
        yield row
        yield row
    elif change not in ("delete", "swap"):
        yield row


def random_changes(size: int, count: int, seed: int) -> dict[int, str]:
    """Changes at places that are apart, so that none hides another."""
    dice = random.Random(seed)  # noqa: S311  # a test that can be repeated
    places = dice.sample(range(1, size // 3 - 1), count)
    return {3 * place: dice.choice(CHANGES) for place in places}


def rows_of(path: Path) -> list[ExportRow]:
    return list(read_events(path))
