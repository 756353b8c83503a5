"""Speed of the watchlist service's own work: many callers at once, an import, and a start, as ratios within one run.

    python -m borderpost.watchlist.bench_serving [--size 1e6] [--rows 1e5] [--json]

Callers: a list of `size` made-up templates (`bench_index`, which says how), searched by one caller after another, and
by 32 callers of whom each asks again as soon as it is answered; both through what the service answers searches with,
without the wire. Import: `rows` made-up entries with a name, a birth date, a document and a template each
(`exchange.samples`), as the service takes them from the wire: checked, staged by 500, finished, approved, searched. The
same number of rows put into a bare SQLite table, by 500 a transaction and with the same durability, is what it is
compared with. Start: the same entries, loaded until the first search can be answered, beside reading a FAISS file of
their templates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import faiss
import numpy as np

from borderpost.exchange.samples import sample_entries
from borderpost.reports.markdown import table
from borderpost.runtime.calibration import load_calibrations
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import SystemClock, new_id
from borderpost.runtime.sqlite import Database
from borderpost.v1 import watchlist_pb2
from borderpost.watchlist.adapters.faiss_index import faiss_builder
from borderpost.watchlist.adapters.sql_store import open_store
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.bench_index import SPREADS, Block, make_block
from borderpost.watchlist.coalescing import Coalescer
from borderpost.watchlist.domain import (
    ALWAYS,
    Caller,
    Category,
    EntryBlock,
    FaceRows,
    Import,
    ListState,
    SearchAnswer,
    SearchQuery,
    Watchlist,
)
from borderpost.watchlist.importing import Importing
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.names import load_name_calibration
from borderpost.watchlist.search import Found, Meaning, search
from borderpost.watchlist.servicer import row_of
from borderpost.watchlist.templates import Model, Template
from borderpost.watchlist.view import FOREVER, ListView, View, whole
from borderpost.watchlist.view import make_block as view_block

CALLERS: Final = 32
SEARCHES: Final = 8
"""Of each caller, where all ask at once; one alone asks as often as all together, up to a limit."""

ALONE: Final = 40
RUNS: Final = 3
STAGED_AT_ONCE: Final = 500
MODEL_512: Final = "mobilefacenet-v1"
MODELS: Final = {128: "dlib-resnet-v2", 512: MODEL_512}

_CLERK: Final = Caller(Actor("borderpost.bench", "one"), "bench")
_SECOND: Final = Caller(Actor("borderpost.bench", "two"), "bench")

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print tables or JSON."""
    options = _parser().parse_args(arguments)
    tables: dict[str, list[Row]] = {}
    tables["Many callers"] = [_callers(dimension, int(options.size)) for dimension in options.dimensions]
    with tempfile.TemporaryDirectory() as folder:
        tables["Import and start"] = [_import_and_start(Path(folder), int(options.rows))]
    if options.json:
        json.dump(tables, sys.stdout, indent=2)
    else:
        print("\n\n".join(_markdown(title, rows) for title, rows in tables.items()))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=float, default=1e6, help="templates of the list that is searched")
    parser.add_argument("--rows", type=float, default=1e5, help="entries that are imported")
    parser.add_argument("--dimensions", type=int, nargs="*", default=[128, 512])
    parser.add_argument("--json", action="store_true")
    return parser


def _callers(dimension: int, size: int) -> Row:
    block = make_block(SPREADS[dimension], size)
    model = Model(MODELS[dimension], dimension)
    meaning = Meaning(load_calibrations(), load_name_calibration())
    view = _view(block, model)
    now = datetime.now(UTC)

    def answer(queries: Sequence[SearchQuery]) -> list[SearchAnswer]:
        return search(view, queries, now, now, meaning, _no_seal)

    queries = [SearchQuery((Template(model, probe.astype("<f4").tobytes()),)) for probe in block.probes]
    alone, together = [], []
    for _ in range(RUNS):
        alone.append(asyncio.run(_rate(answer, queries, callers=1, each=ALONE)))
        together.append(asyncio.run(_rate(answer, queries, callers=CALLERS, each=SEARCHES)))
    return {
        "templates": size,
        "dimension": dimension,
        "one caller, searches a second": round(median(alone), 1),
        f"{CALLERS} callers, searches a second": round(median(together), 1),
        "ratio": round(median(together) / median(alone), 2),
    }


async def _rate(answer: Any, queries: Sequence[SearchQuery], callers: int, each: int) -> float:
    searches: Coalescer[SearchQuery, SearchAnswer] = Coalescer(answer)

    async def ask(first: int) -> None:
        for place in range(each):
            await searches.ask(queries[(first + place) % len(queries)])

    await ask(0)
    started = time.perf_counter()
    await asyncio.gather(*(ask(caller * each) for caller in range(callers)))
    seconds = time.perf_counter() - started
    return callers * each / seconds


def _view(block: Block, model: Model) -> View:
    count = len(block.vectors)
    entries = EntryBlock(
        "list",
        [f"entry-{place}" for place in range(count)],
        np.full(count, ALWAYS),
        np.full(count, FOREVER),
        {model: FaceRows(block.vectors, np.arange(count))},
        (),
        (),
    )
    made = whole(view_block(entries, faiss_builder()))
    state = ListState(_list("list"), 1, datetime.now(UTC))
    return View(1, {"list": ListView(state, (made,))})


def _import_and_start(folder: Path, rows: int) -> Row:
    messages = [
        watchlist_pb2.ImportRow(row=row, record_id=f"record {row}", entry=entry)
        for row, entry in enumerate(sample_entries(rows, 1, 512, MODEL_512), 1)
    ]
    bare = _bare_rows(folder / "bare.sqlite", messages)
    store = open_store(folder, "", None, "")
    importing, approving = _import(store, messages)
    loading = median(_load(store) for _ in range(RUNS))
    reading = median(_read_faiss(folder / "templates.faiss", messages) for _ in range(RUNS))
    store.close()
    return {
        "entries": rows,
        "import, s": round(importing, 1),
        "of it to approve, s": round(approving, 1),
        "entries a second": round(rows / importing),
        "times a bare table": round(importing / bare, 1),
        "start, s": round(loading, 2),
        "times reading a FAISS file": round(loading / reading, 1),
    }


def _import(store: Any, messages: Sequence[watchlist_pb2.ImportRow]) -> tuple[float, float]:
    keeper = _keeper(store)
    meaning = Meaning(keeper.calibrations, load_name_calibration())
    watchlists = Watchlists(keeper, meaning, _no_seal)
    importing = Importing(keeper, watchlists, store.secret("bench"))
    watchlist = _list(new_id())
    watchlists.create_watchlist(watchlist, _CLERK)
    asked = Import(new_id(), watchlist.list_id, "bench", bytes(32), False, len(messages), _CLERK.actor)
    started = time.perf_counter()
    importing.begin(asked, _CLERK)
    for some in _chunks(messages):
        importing.stage(asked.import_id, [row_of(message) for message in some], _CLERK)
    importing.finish(asked.import_id, _CLERK, skip_errors=False, dry_run=False)
    approving = time.perf_counter()
    applied = importing.approve(asked.import_id, _SECOND)
    ended = time.perf_counter()
    if applied.added != len(messages) or keeper.view.lists[watchlist.list_id].blocks[0].tombstones:
        raise RuntimeError("the import lost rows")
    return ended - started, ended - approving


def _bare_rows(path: Path, messages: Sequence[watchlist_pb2.ImportRow]) -> float:
    database = Database(path, ("CREATE TABLE rows (row INTEGER PRIMARY KEY, content BLOB NOT NULL)",))
    contents = [(message.row, message.SerializeToString()) for message in messages]
    started = time.perf_counter()
    for some in _chunks(contents):
        with database.transaction() as connection:
            connection.executemany("INSERT INTO rows VALUES (?, ?)", some)
    seconds = time.perf_counter() - started
    database.close()
    return seconds


def _load(store: Any) -> float:
    keeper = _keeper(store, load=False)
    started = time.perf_counter()
    with redirect_stdout(sys.stderr):  # it logs how far it is
        keeper.load()
    return time.perf_counter() - started


def _keeper(store: Any, *, load: bool = True) -> Keeper:
    keeper = Keeper(store, faiss_builder(), load_calibrations(), SystemClock())
    if load:
        with redirect_stdout(sys.stderr):
            keeper.load()
    return keeper


def _read_faiss(path: Path, messages: Sequence[watchlist_pb2.ImportRow]) -> float:
    if not path.exists():
        index = faiss.IndexFlatIP(512)
        for some in _chunks(messages):
            index.add(
                np.array([np.frombuffer(row.entry.templates[0].values, "<f4") for row in some], np.float32)
            )
        faiss.write_index(index, str(path))
    started = time.perf_counter()
    faiss.read_index(str(path))
    return time.perf_counter() - started


def _list(list_id: str) -> Watchlist:
    return Watchlist(
        list_id, "Bench", "Bench", "none", Category.WANTED, 5, "none", target_fpir=0.01, name_target_fpir=0.01
    )


def _no_seal(found: Found, query: SearchQuery) -> bytes:
    return b""


def _chunks(items: Sequence[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while some := list(islice(remaining, STAGED_AT_ONCE)):
        yield some


def _markdown(title: str, rows: Sequence[Row]) -> str:
    return f"### {title}\n\n" + table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])


if __name__ == "__main__":
    sys.exit(main())
