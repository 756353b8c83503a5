"""Exports as files: `NAME.jsonl`, `NAME.csv` or `NAME.parquet` with the events, and the same name with `.proof`
behind it for what proves them.

An event has its place in the log (`index`), when the log took it (`logged_at`), the columns of `readable`, its bytes as
stored (`event`) and their leaf hash (`leaf_sha256`, hexadecimal). The proof is JSON Lines: a header; then, of a
complete export, the roots of the complete subtrees at each checkpoint (`peaks`), by which each part between two
checkpoints can be checked by itself; of another, each event's inclusion proof.

Both are written as they come, into files beside, and get their names when they are whole.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from borderpost.proofs.checkpoints import parse_checkpoint
from borderpost.proofs.formats import BundleError, ExportRow, Reader, Writer, format_of, reader_of, writer_of
from borderpost.proofs.notes import NoteError, split_note
from borderpost.proofs.readable import NOTHING, columns_of
from borderpost.proofs.tree import Frontier

VERSION: Final = 1
MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
MAX_PROOF_LINE: Final = 64 * 1024
OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Header:
    """What an export is of, and what it is proven by; see ExportHeader in decisions.proto."""

    checkpoint: str
    earlier_checkpoints: tuple[str, ...] = ()
    verifier_keys: tuple[str, ...] = ()
    pruned_ranges: tuple[str, ...] = ()
    complete: bool = True
    filters: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def origin(self) -> str:
        """The log's name, as the checkpoint has it. Not checked."""
        return split_note(self.checkpoint)[0].partition("\n")[0]


class BundleWriter:
    """Writes an export. Within `with`: whole at its end, nothing if it is left by an exception."""

    def __init__(self, path: Path, header: Header, force: bool = False) -> None:
        """BundleError: the ending isn't one of a format, or a file is there and `force` isn't set."""
        self._path, self._proof = path, proof_of(path)
        format_of(path)
        for file in (self._path, self._proof):
            if file.exists() and not force:
                raise BundleError(f"{file}: is there already: name another file, or use --force")
        self._header = header
        self._frontier = Frontier()
        # Of a partial export nothing can be said at checkpoints: it lacks what is between.
        self._sizes = _sizes(header) if header.complete else frozenset()

    def __enter__(self) -> BundleWriter:
        for file in (self._path, self._proof):
            _part(file).unlink(missing_ok=True)
            os.close(os.open(_part(file), os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        self._writer: Writer = writer_of(self._path, _part(self._path))
        self._lines = _part(self._proof).open("w", encoding="utf-8")
        self._line(asdict(self._header))
        return self

    def add(
        self, index: int, stored: bytes, leaf: bytes, logged_at: str, inclusion: Sequence[bytes] = ()
    ) -> None:
        """Write one event."""
        columns = columns_of(stored)
        self._writer.write(ExportRow(index, logged_at, columns or dict(NOTHING), stored, leaf))
        if not self._header.complete:
            self._line({"index": index, "inclusion": [node.hex() for node in inclusion]})
            return
        self._frontier = self._frontier.append(leaf)
        if self._frontier.size in self._sizes:
            peaks = [peak.hex() for peak in self._frontier.peaks]
            self._line({"size": self._frontier.size, "peaks": peaks})

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._writer.close()
        finally:
            self._lines.close()
            if kind is None:
                _part(self._path).replace(self._path)
                _part(self._proof).replace(self._proof)
            else:
                for file in (self._path, self._proof):
                    with suppress(OSError):
                        _part(file).unlink()

    def _line(self, value: Mapping[str, Any]) -> None:
        self._lines.write(json.dumps(value) + "\n")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a `.proof` file holds. `peaks` by size; `inclusion` by index."""

    header: Header
    peaks: Mapping[int, tuple[bytes, ...]]
    inclusion: Mapping[int, tuple[bytes, ...]]


def read_events(path: Path) -> Reader:
    """Read the events of an export, one after the other. BundleError, also while it is read."""
    return reader_of(path)


def read_proof(path: Path) -> Proof:
    """Read what goes with the events of an export. BundleError."""
    file = proof_of(path)
    peaks: dict[int, tuple[bytes, ...]] = {}
    inclusion: dict[int, tuple[bytes, ...]] = {}
    try:
        with file.open("rb") as lines:
            header = _header(_json(lines.readline(MAX_HEADER_BYTES), file, 1), file)
            for number, line in enumerate(iter(lambda: lines.readline(MAX_PROOF_LINE), b""), 2):
                value = _json(line, file, number)
                if "peaks" in value:
                    peaks[_number(value.get("size"), file, number)] = _hashes(value["peaks"], file, number)
                else:
                    index = _number(value.get("index"), file, number)
                    inclusion[index] = _hashes(value.get("inclusion"), file, number)
    except OSError as error:
        raise BundleError(f"{file}: can't be read: {error.strerror}: an export has two files") from None
    return Proof(header, peaks, inclusion)


def proof_of(path: Path) -> Path:
    """The file with the proofs of an export's events."""
    return path.with_name(f"{path.name}.proof")


def event_text(stored: bytes) -> str:
    """An event's bytes as text."""
    return base64.b64encode(stored).decode()


def _part(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _sizes(header: Header) -> frozenset[int]:
    sizes = set()
    for note in (*header.earlier_checkpoints, header.checkpoint):
        with suppress(NoteError):
            sizes.add(parse_checkpoint(split_note(note)[0]).size)
    return frozenset(sizes)


def _header(value: Mapping[str, Any], file: Path) -> Header:
    if value.get("version") != VERSION:
        raise BundleError(f"{file}: line 1: want the header of an export of version {VERSION}")
    lists = ("earlier_checkpoints", "verifier_keys", "pruned_ranges", "filters")
    texts = [value.get("checkpoint"), *(text for name in lists for text in _list(value.get(name), file))]
    if not all(isinstance(text, str) for text in texts) or not isinstance(value.get("complete"), bool):
        raise BundleError(f"{file}: line 1: want texts, and whether the export is complete")
    return Header(
        value["checkpoint"],
        tuple(value["earlier_checkpoints"]),
        tuple(value["verifier_keys"]),
        tuple(value["pruned_ranges"]),
        value["complete"],
        tuple(value["filters"]),
    )


def _list(value: object, file: Path) -> list[object]:
    if not isinstance(value, list):
        raise BundleError(f"{file}: line 1: want lists of texts")
    return value


def _json(line: bytes, file: Path, number: int) -> Mapping[str, Any]:
    try:
        value = json.loads(line.decode("utf-8")) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BundleError(
            f"{file}: line {number}: want a JSON object on a line of its own: it may be cut off"
        )
    return value


def _number(value: object, file: Path, line: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BundleError(f"{file}: line {line}: want a number")
    return value


def _hashes(value: object, file: Path, line: int) -> tuple[bytes, ...]:
    def hashes() -> Iterator[bytes]:
        for text in value if isinstance(value, list) else [None]:
            node = bytes.fromhex(text) if isinstance(text, str) else b""
            if len(node) != 32:
                raise ValueError
            yield node

    try:
        return tuple(hashes())
    except ValueError:
        raise BundleError(f"{file}: line {line}: want hashes of 32 bytes in hexadecimal") from None
