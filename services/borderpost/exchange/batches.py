"""Rows in the portions in which they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from borderpost.v1 import watchlist_pb2

MAX_ROWS: Final = 500
MAX_PICTURE_ROWS: Final = 50
"""Of a call without and with pictures, as in watchlist.proto and gateway.proto."""

MAX_BYTES: Final = 3 * 1024 * 1024
MAX_PICTURE_BYTES: Final = 12 * 1024 * 1024 - 64 * 1024
"""Of a call's rows; the gateway takes 12 MiB with everything. A row of four pictures has little more than 4 MiB."""

ROW_OVERHEAD: Final = 8
"""Bytes around a row in its message, at most."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows for one call. `with_pictures`: some have pictures, of which templates may have to be made."""

    rows: tuple[watchlist_pb2.ImportRow, ...]
    with_pictures: bool


def batches(rows: Iterable[watchlist_pb2.ImportRow]) -> Iterator[Batch]:
    """Part rows into batches, in their order; no more than one batch is held."""
    held: list[watchlist_pb2.ImportRow] = []
    size, pictures = 0, False
    for row in rows:
        more = row.ByteSize() + ROW_OVERHEAD
        either = pictures or bool(row.entry.pictures)
        most_rows, most_bytes = (MAX_PICTURE_ROWS, MAX_PICTURE_BYTES) if either else (MAX_ROWS, MAX_BYTES)
        if held and (len(held) >= most_rows or size + more > most_bytes):
            yield Batch(tuple(held), pictures)
            held, size, either = [], 0, bool(row.entry.pictures)
        held.append(row)
        size, pictures = size + more, either
    if held:
        yield Batch(tuple(held), pictures)
