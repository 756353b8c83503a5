"""Measure how long the watchlist's store takes to load, beside a FAISS file of the same vectors.

    python -m borderpost.watchlist.bench_start [--entries N] [--dimension D] [--named] [--runs R] [--json]
        [--folder DIR] [--database CONNINFO]

Fills a new store with N approved entries of one template each, spread as real ones are (`bench_index`; with --named
also of a name, a birth date and a document), then starts on it R times. "Loading" is decryption, names and all, to the
blocks that an index is made of; "ready" is from nothing until a search can be answered, loading and indexes. Files are
read as they come, from the system's cache where they are in it. Without --folder a temporary one is used, and removed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import faiss
import numpy as np

from borderpost.reports.markdown import table
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import SystemClock, new_id
from borderpost.watchlist.adapters.faiss_index import faiss_builder
from borderpost.watchlist.adapters.sql_store import SqlStore, open_store
from borderpost.watchlist.bench_index import SPREADS, spread_vectors
from borderpost.watchlist.domain import Approval, Category, EntryContent, Watchlist
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.persons import UNKNOWN_DATE, DocumentKey, PartialDate, PersonName
from borderpost.watchlist.ports import NewEntry
from borderpost.watchlist.templates import Model, Template, Vectors

AT_ONCE: Final = 5_000
"""Entries of one change while the store is filled."""

SEED: Final = 5
"""Of the vectors, so that every run has the same."""

_LIST: Final = "bench"
_ACTOR: Final = Actor("borderpost.bench", "bench")
_LETTERS: Final = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_NAME_LETTERS: Final = 8


@dataclass(frozen=True, slots=True)
class Started:
    """What was measured. Times are seconds, medians where there are several runs."""

    entries: int
    dimension: int
    named: bool
    database: str
    filling: float
    loading: float
    ready: float
    faiss_reading: float

    @property
    def ratio(self) -> float:
        """Until it is ready, over reading a FAISS file of the same vectors."""
        return self.ready / self.faiss_reading


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        started = measure(
            folder, options.entries, options.dimension, options.runs, options.named, options.database
        )
    result = {**asdict(started), "ratio": started.ratio}
    sys.stdout.write(json.dumps(result) + "\n" if options.json else as_markdown(started) + "\n")
    return 0


def measure(
    folder: Path, entries: int, dimension: int, runs: int, named: bool, database: str = ""
) -> Started:
    """Fill a store and load it; the folder is to be empty."""
    store = open_store(folder, database, None, "")
    try:
        filling = _timed(lambda: _fill(store, entries, dimension, named))
        loading = median(_timed(lambda: _load(store, entries)) for _ in range(runs))
        ready = median(_timed(lambda: _start(store, entries)) for _ in range(runs))
    finally:
        store.close()
    path = str(folder / "vectors.faiss")
    index = faiss.IndexFlatIP(dimension)
    for vectors in _vectors(entries, dimension):
        index.add(vectors)
    faiss.write_index(index, path)
    del index
    reading = median(_timed(lambda: faiss.read_index(path)) for _ in range(runs))
    return Started(
        entries, dimension, named, "PostgreSQL" if database else "SQLite", filling, loading, ready, reading
    )


def as_markdown(started: Started) -> str:
    """A table of one row."""
    times = ("Filling, s", "Loading, s", "Ready, s", "FAISS file, s", "Ratio")
    head = ("Entries", "Dimension", "Names", "Database", *times)
    row = (
        f"{started.entries:,}",
        str(started.dimension),
        "yes" if started.named else "no",
        started.database,
        f"{started.filling:.1f}",
        f"{started.loading:.2f}",
        f"{started.ready:.2f}",
        f"{started.faiss_reading:.2f}",
        f"{started.ratio:.1f}",
    )
    return table(head, [row])


def _fill(store: SqlStore, entries: int, dimension: int, named: bool) -> None:
    now = datetime.now(UTC)
    with store.change() as change:
        watchlist = Watchlist(_LIST, _LIST, _LIST, _LIST, Category.WANTED, 1, _LIST, 0.01, 0.01)
        change.put_list(watchlist, now)
    made = _contents(entries, dimension, named, now + timedelta(days=1))
    for vectors in _vectors(entries, dimension):
        contents = [next(made)(vector.tobytes()) for vector in vectors]
        with store.change() as change:
            change.add_entries([NewEntry(content, _ACTOR) for content in contents])
            change.approve([content.entry_id for content in contents], Approval(_ACTOR, change.version + 1))
            change.bump(_LIST, now)


def _contents(
    entries: int, dimension: int, named: bool, until: datetime
) -> Iterator[Callable[[bytes], EntryContent]]:
    """What makes each entry of its template's bytes."""
    random = np.random.default_rng(SEED)
    model = Model("bench", dimension)
    for number in range(entries):
        first, last = (
            ("".join(random.choice(_LETTERS, _NAME_LETTERS)) for _ in range(2)) if named else ("", "")
        )

        def make(values: bytes, number: int = number, first: str = first, last: str = last) -> EntryContent:
            return EntryContent(
                entry_id=new_id(),
                list_id=_LIST,
                templates=(Template(model, values),),
                names=(PersonName(last, first),) if named else (),
                birth_date=PartialDate(1950 + number % 50, 1 + number % 12, None) if named else UNKNOWN_DATE,
                documents=(DocumentKey("P", "UTO", f"X{number:08}"),) if named else (),
                reason_code="R1",
                source_reference=f"case {number}",
                valid_from=None,
                valid_until=until,
            )

        yield make


def _vectors(entries: int, dimension: int) -> Iterator[Vectors]:
    """Vectors of length 1, `AT_ONCE` at a time, the same at every call."""
    if dimension in SPREADS:
        yield from spread_vectors(SPREADS[dimension], entries, AT_ONCE)
        return
    random = np.random.default_rng(SEED)
    for start in range(0, entries, AT_ONCE):
        vectors = random.standard_normal((min(AT_ONCE, entries - start), dimension), dtype=np.float32)
        yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _load(store: SqlStore, entries: int) -> None:
    blocks = list(store.load(lambda done, total: None).blocks)
    loaded = sum(len(block.entry_ids) for block in blocks)
    if loaded != entries:
        raise RuntimeError(f"loaded: got {loaded} entries, want {entries}")


def _start(store: SqlStore, entries: int) -> None:
    keeper = Keeper(store, faiss_builder(), {}, SystemClock())
    with redirect_stdout(sys.stderr):  # it logs how far it is
        keeper.load()
    ready = sum(block.block.size for each in keeper.view.lists.values() for block in each.blocks)
    if ready != entries:
        raise RuntimeError(f"ready: got {ready} entries, want {entries}")


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--named", action="store_true", help="with a name, a birth date and a document each")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="an empty folder")
    parser.add_argument("--database", default="", help="a PostgreSQL conninfo; keys stay in the folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
