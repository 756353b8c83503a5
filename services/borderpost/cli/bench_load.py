"""`borderpost bench`, end to end: how many travelers a machine screens, how quickly, where the time goes, and what
happens when far more come than it can take."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Group
from rich.table import Table

from borderpost.cli import show
from borderpost.cli.demo import make_watchlist, specimen_a
from borderpost.cli.load import Job
from borderpost.cli.options import Json
from borderpost.cli.stack import Stack, environment, private_settings
from borderpost.runtime.issuing import Authority, issue
from borderpost.runtime.settings import SERVICES, Settings, load_settings
from borderpost.runtime.tls import write_identity
from borderpost.specimens.pages import render
from borderpost.specimens.samples import load_samples

CALLERS: Final = (1, 4, 16, 64)
CLOSED_SECONDS: Final = 15.0
OPEN_SECONDS: Final = 20.0

SHARES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Offered rates that are tried, as shares of what the kiosks get who come one after another."""

MOST_P95: Final = 2.0
"""Capacity is the highest offered rate at which the 95th percentile is at most so many seconds …"""

MOST_SHED: Final = 0.01
"""… and at most this share is asked to come back."""

OVERLOAD: Final = 4.0
UNSETTLED_SECONDS: Final = 5.0
"""What is sent in the first seconds at a rate isn't counted: the gateway still goes by the load before."""

TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: how many kiosks, or which offered rate; answers a second; seconds to the answer; the share that was
    asked to come back; CPU seconds of each service's process and of the load generator."""

    kiosks: int
    rate: float
    answered: int
    per_second: float
    p50: float
    p95: float
    p99: float
    shed: float
    errors: int
    cpu: Mapping[str, float]
    own_cpu: float
    steps: Mapping[str, float]

    @property
    def services_cpu(self) -> float:
        """CPU seconds of all services."""
        return sum(self.cpu.values())


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured. `capacity`: the highest offered rate that was good, of those tried; 0: none was."""

    cores: int
    closed: Sequence[Run]
    offered: Sequence[Run]
    capacity: float
    overload: Run

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self) | {"overload_p95_ratio": self.overload.p95 / self.closed[0].p95}


def run(
    samples: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="The sample pictures; `make samples` fetches them."),
    ] = Path(".cache/samples"),
    as_json: Json = False,
) -> None:
    """Measure whole screenings under load: how many a second, how quickly, where time goes, and overload.

    Takes about four minutes on an otherwise quiet machine.

    Example: `borderpost bench-load --json`
    """
    pictures = load_samples(samples)
    with tempfile.TemporaryDirectory() as folder:
        settings = private_settings(Path(folder), load_settings())
        with Stack(settings) as stack:
            make_watchlist(settings, "Bench")
            load = measure_load(stack, render(specimen_a(pictures)), pictures.a_live)
    show.emit(as_json, load.plain(), lambda: Group(*load_tables(load)))


def measure_load(stack: Stack, page: bytes, live: bytes) -> Load:
    """Measure a running stack. Takes some minutes."""
    folder = stack.settings.state_dir / "load"
    folder.mkdir(exist_ok=True)
    (folder / "page.jpg").write_bytes(page)
    (folder / "live.jpg").write_bytes(live)
    kiosks = _kiosks(stack.settings, max(CALLERS))
    _run(stack, Job(kiosks[:2], *_pictures(folder), seconds=5.0))  # warm
    closed = [
        _run(stack, Job(kiosks[:count], *_pictures(folder), seconds=CLOSED_SECONDS)) for count in CALLERS
    ]
    best = max(run.per_second for run in closed)
    offered = [_run(stack, _offer(kiosks, folder, share * best)) for share in SHARES]
    good = [run.rate for run in offered if run.p95 <= MOST_P95 and run.shed <= MOST_SHED]
    capacity = max(good, default=0.0)
    too_many = OVERLOAD * (capacity or offered[0].rate)
    overload = _run(stack, _offer(kiosks, folder, too_many))
    return Load(os.cpu_count() or 1, closed, offered, capacity, overload)


def _offer(kiosks: list[str], folder: Path, rate: float) -> Job:
    seconds = UNSETTLED_SECONDS + OPEN_SECONDS
    return Job(kiosks, *_pictures(folder), seconds=seconds, rate=rate, unsettled=UNSETTLED_SECONDS)


def _pictures(folder: Path) -> tuple[str, str]:
    return str(folder / "page.jpg"), str(folder / "live.jpg")


def _run(stack: Stack, job: Job) -> Run:
    before = {name: _cpu_of(stack.process(name)) for name in SERVICES}
    ran = subprocess.run(
        [sys.executable, "-m", "borderpost.cli.load"],
        input=json.dumps(asdict(job)),
        env=environment(stack.settings),
        capture_output=True,
        text=True,
        check=True,
    )
    cpu: dict[str, float] = {name: _cpu_of(stack.process(name)) - before[name] for name in SERVICES}
    done = json.loads(ran.stdout)
    seconds = sorted(done["seconds"])
    came = len(seconds) + done["shed"]
    return Run(
        len(job.kiosks),
        job.rate,
        len(seconds),
        len(seconds) / done["wall"],
        p50=_percentile(seconds, 0.5),
        p95=_percentile(seconds, 0.95),
        p99=_percentile(seconds, 0.99),
        shed=done["shed"] / came if came else 0.0,
        errors=sum(done["errors"].values()),
        cpu=cpu,
        own_cpu=done["own_cpu"],
        steps={name: statistics.median(took) for name, took in done["steps"].items()},
    )


def _percentile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def _cpu_of(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _kiosks(settings: Settings, count: int) -> list[str]:
    """Make certificates of kiosks of their own, so that each has its turn."""
    folder = settings.certificates
    ca = (folder / "ca.pem").read_bytes()
    key: Any = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    authority = Authority(x509.load_pem_x509_certificate(ca), key)
    names = [f"kiosk/bench/{number}" for number in range(1, count + 1)]
    for name in names:
        own = ec.generate_private_key(ec.SECP256R1())
        uri = f"spiffe://{settings.trust_domain}/{name}"
        certificate = issue(authority, uri, own.public_key(), timedelta(days=1), datetime.now(UTC))
        write_identity(folder, name, own, certificate.public_bytes(serialization.Encoding.PEM), ca)
    return names


def load_tables(load: Load) -> list[Table]:
    """Show it."""
    return [_closed_table(load), _steps_table(load), _cpu_table(load), _offered_table(load)]


def _closed_table(load: Load) -> Table:
    rows = show.table("kiosks", "screenings/s", "per core", "p50", "p95", "p99", "asked to come back")
    rows.title = "Kiosks that come again when they have their answer"
    for run in load.closed:
        rows.add_row(
            str(run.kiosks), f"{run.per_second:.2f}", f"{run.per_second / load.cores:.2f}", *_times(run)
        )
    return rows


def _steps_table(load: Load) -> Table:
    alone = load.closed[0]
    rows = show.table("step", "median", "share of the answer's time")
    rows.title = "Where an answer's time goes, one kiosk (steps that don't wait for each other overlap)"
    for name, seconds in sorted(alone.steps.items(), key=lambda step: -step[1]):
        rows.add_row(name, f"{1000 * seconds:.0f} ms", f"{seconds / alone.p50:.0%}")
    return rows


def _cpu_table(load: Load) -> Table:
    run = next(run for run in load.closed if run.kiosks == 4)
    rows = show.table("part", "CPU s a screening", "share of the services'")
    rows.title = "Where CPU time goes, four kiosks (the load generator's own is left out of the shares)"
    for name in SERVICES:
        share = run.cpu[name] / run.services_cpu
        rows.add_row(name, f"{run.cpu[name] / run.answered:.3f}", f"{share:.1%}")
    rows.add_row("load generator", f"{run.own_cpu / run.answered:.3f}", "—")
    return rows


def _offered_table(load: Load) -> Table:
    rows = show.table("offered/s", "answered/s", "", "p50", "p95", "p99", "asked to come back")
    per_core = load.capacity / load.cores
    rows.title = (
        f"Travelers who come at random moments: capacity {load.capacity:.2f}/s, {per_core:.2f}/s a core"
    )
    for run in load.offered:
        rows.add_row(f"{run.rate:.2f}", f"{run.per_second:.2f}", "", *_times(run))
    run, alone = load.overload, load.closed[0]
    rows.add_row(f"{run.rate:.2f}", f"{run.per_second:.2f}", f"{OVERLOAD:.0f} ×", *_times(run))
    ratio = run.p95 / alone.p95
    rows.caption = (
        f"p95 of whom was let in at {OVERLOAD:.0f} × capacity: {ratio:.2f} × that of one kiosk alone. "
        f"Counted from {UNSETTLED_SECONDS:.0f} s after the beginning of each rate on"
    )
    return rows


def _times(run: Run) -> tuple[str, ...]:
    return (*(f"{1000 * value:.0f} ms" for value in (run.p50, run.p95, run.p99)), f"{run.shed:.0%}")
