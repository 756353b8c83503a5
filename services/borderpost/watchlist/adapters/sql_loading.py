"""Loading everything that can be searched from the watchlist's database, in blocks.

Entries, templates and keys come in order of place, so that they are joined in step: nothing is looked up, and nothing
but the block that is being filled is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from borderpost.runtime.sealing import NONCE_BYTES, SealedDamagedError
from borderpost.runtime.sql import Snapshot
from borderpost.watchlist.adapters.sql_keys import CheckGone
from borderpost.watchlist.adapters.sql_reading import SEARCHED
from borderpost.watchlist.adapters.sql_rows import (
    FLOAT_BYTES,
    date_of,
    documents_of,
    names_of,
    open_body,
    templates_name,
)
from borderpost.watchlist.domain import ALWAYS, EntryBlock, FaceRows
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.ports import Progress
from borderpost.watchlist.templates import Model

BLOCK_ENTRIES: Final = 65_536
"""Entries of one block: 128 MiB of templates, if each has one of 512 dimensions."""

PROGRESS_ENTRIES: Final = 10_000
"""Progress is told each time that this many more were loaded."""

_COUNT: Final = f"SELECT count(*) AS count FROM entries e WHERE {SEARCHED}"  # noqa: S608  # constants only
_ROWS: Final = f"""
    SELECT e.place, e.list, e.entry_id, coalesce(e.valid_from, ?), e.valid_until, t.model, t.sealed, b.sealed
    FROM entries e LEFT JOIN templates t ON t.place = e.place
    LEFT JOIN bodies b ON b.place = e.place AND e.named > 0
    WHERE {SEARCHED} ORDER BY e.place, t.run"""  # noqa: S608  # constants only


_NO_MORE: Final = (str(np.iinfo(np.int64).max), b"")
"""Behind the last key."""


class _Faces:
    """Templates of one model that are being collected, in one array from the start."""

    def __init__(self, model: Model) -> None:
        self._row_bytes = model.dimension * FLOAT_BYTES
        self._values = np.empty(BLOCK_ENTRIES * self._row_bytes, dtype=np.uint8)
        self._view = self._values.data
        self._end = 0
        self._entry_of: list[int] = []
        self._counts: list[int] = []

    def add(self, entry: int, values: bytes) -> None:
        """Add a run of templates of the entry at that place of the block."""
        end = self._end + len(values)
        if end > len(self._view):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
            self._view = self._values.data
        self._view[self._end : end] = values
        self._end = end
        self._entry_of.append(entry)
        self._counts.append(len(values))

    def made(self) -> FaceRows:
        """The rows, in an array that takes no more room than they do."""
        values = self._values[: self._end]
        if len(values) < len(self._values) / 2:
            values = values.copy()
        vectors = (
            values.view("<f4").astype(np.float32, copy=False).reshape(-1, self._row_bytes // FLOAT_BYTES)
        )
        counts = np.array(self._counts, dtype=np.int64) // self._row_bytes
        return FaceRows(vectors, np.repeat(np.array(self._entry_of, dtype=np.int64), counts))


class _Block:
    """A block that is being filled: columns that grow by an entry at a time."""

    def __init__(self, list_id: str) -> None:
        self.list_id = list_id
        self.entry_ids: list[str] = []
        self.valid_from: list[int] = []
        self.valid_until: list[int] = []
        self.faces: dict[int, _Faces] = {}
        self.names: list[tuple[int, PersonName, PartialDate]] = []
        self.documents: list[tuple[int, DocumentKey]] = []

    def add(self, entry_id: str, valid_from: int, valid_until: int) -> None:
        """Add an entry."""
        self.entry_ids.append(entry_id)
        self.valid_from.append(valid_from)
        self.valid_until.append(valid_until)

    def add_body(self, key: bytes, entry_id: str, sealed: bytes) -> None:
        """Add the names and documents of the entry that was added last."""
        place = len(self.entry_ids) - 1
        body = open_body(key, entry_id, sealed)
        birth_date = date_of(body)
        self.names += [(place, name, birth_date) for name in names_of(body)]
        self.documents += [(place, document) for document in documents_of(body)]

    def made(self, models: dict[int, Model]) -> EntryBlock:
        """The block, in columns."""
        return EntryBlock(
            list_id=self.list_id,
            entry_ids=self.entry_ids,
            valid_from=np.array(self.valid_from, dtype=np.int64),
            valid_until=np.array(self.valid_until, dtype=np.int64),
            faces={models[number]: faces.made() for number, faces in self.faces.items()},
            names=self.names,
            documents=self.documents,
        )


class _KeysInStep:
    """Keys in order of place, to be asked for in that order."""

    def __init__(self, keys: Iterator[tuple[str, bytes]], check_gone: CheckGone) -> None:
        self._keys = keys
        self._check_gone = check_gone
        self._place = -1
        self._key = b""
        self._missing: list[int] = []

    def key(self, place: int) -> bytes | None:
        """The key of the entry at a place; None if there is none."""
        while self._place < place:
            key_id, self._key = next(self._keys, _NO_MORE)
            self._place = int(key_id)
        if self._place == place:
            return self._key
        self._missing.append(place)
        return None

    def check(self) -> None:
        """Raise EntryKeyMissingError, unless the entries whose keys were missed are removed meanwhile."""
        if self._missing:
            self._check_gone(self._missing)
            self._missing.clear()


class Loading:
    """One pass over everything that is searched."""

    def __init__(self, snapshot: Snapshot, check_gone: CheckGone, progress: Progress) -> None:
        self._snapshot = snapshot
        self._check_gone = check_gone
        self._progress = progress
        lists = snapshot.execute("SELECT list, list_id FROM lists").fetchall()
        models = snapshot.execute("SELECT model, model_id, dimension FROM models").fetchall()
        self._list_ids: dict[int, str] = {row["list"]: row["list_id"] for row in lists}
        self._models = {row["model"]: Model(row["model_id"], row["dimension"]) for row in models}
        self._total: int = snapshot.execute(_COUNT).fetchone()["count"]

    def blocks(self, keys: Iterator[tuple[str, bytes]]) -> Iterator[EntryBlock]:
        """Every block; `keys` in order of place. EntryKeyMissingError, SealedDamagedError."""
        in_step = _KeysInStep(keys, self._check_gone)
        filling: dict[int, _Block] = {}
        try:
            for block in self._filled(filling, in_step):
                in_step.check()
                yield block.made(self._models)
        except InvalidTag:
            raise SealedDamagedError("templates of an entry: they are not what was encrypted") from None
        in_step.check()
        self._progress(self._total, self._total)
        while filling:
            yield filling.popitem()[1].made(self._models)

    def _filled(self, filling: dict[int, _Block], keys: _KeysInStep) -> Iterator[_Block]:
        """Add entry by entry to the block of its list, and give each block that is full."""
        names = {number: templates_name(model) for number, model in self._models.items()}
        last, done, key, block = 0, 0, None, _Block("")
        for place, number, entry_id, valid_from, valid_until, model, sealed, body in self._rows():
            if place != last:  # the first row of this entry
                last, key = place, keys.key(place)
                if key is None:
                    continue
                block = filling.get(number) or _Block(self._list_ids[number])
                if len(block.entry_ids) == BLOCK_ENTRIES:
                    yield block
                    block = _Block(self._list_ids[number])
                filling[number] = block
                block.add(entry_id, valid_from, valid_until)
                if body is not None:
                    block.add_body(key, entry_id, body)
                done += 1
                if done % PROGRESS_ENTRIES == 0:
                    self._progress(done, self._total)
            if key is not None and sealed is not None:
                faces = block.faces.get(model) or block.faces.setdefault(model, _Faces(self._models[model]))
                # As `unseal`, without its calls: this is done a million times.
                opened = AESGCM(key).decrypt(
                    sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], names[model] + entry_id.encode()
                )
                faces.add(len(block.entry_ids) - 1, opened)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        return self._snapshot.stream(_ROWS, (ALWAYS,))
