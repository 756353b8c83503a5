"""Measure how well documents are read, beside peers on the same pictures, and check real chips' signed objects.

    python -m borderpost.documents.evaluation [--data DIR] [--docs DIR] [--cache DIR] [--peers DIR] [--quick]

DIR of --data has `documents` (development pages) and `chips` (lists and signed objects); what isn't there is left
out, and specimens are measured in any case. Without --docs the page goes to stdout. Answers are kept in the cache:
a run that was stopped goes on, and only what has changed is read anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.documents.evaluation import cases
from borderpost.documents.evaluation.chips import ChipCheck, check_real, check_specimens
from borderpost.documents.evaluation.degradations import Strength, chance
from borderpost.documents.evaluation.measuring import Result, Work, measure
from borderpost.documents.evaluation.pages import Original, development_pages, specimen_pages
from borderpost.documents.evaluation.plots import draw_plots
from borderpost.documents.evaluation.readers import OURS, PEERS, make_reader
from borderpost.documents.evaluation.report import Measured, write_report
from borderpost.reports.command import exit_status
from borderpost.reports.plots import check_plots

SPECIMENS: Final = 4
"""Of each format."""

COMPARED: Final = 2
"""Pages of each state that the peers read too: 24 in every column."""

COMPARED_SPECIMENS: Final = 6
"""Specimens of each format that the peers read too, as they are: 30."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pages are read: development pages of each state (None: all), specimens of each format."""

    pages: int | None
    specimens: int
    strengths: tuple[Strength, ...]
    others: bool


FULL: Final = Plan(None, SPECIMENS, tuple(Strength), others=True)
QUICK: Final = Plan(1, 1, (Strength.MILD,), others=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m borderpost.documents.evaluation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="development pages and chips")
    parser.add_argument(
        "--docs", type=Path, metavar="DIR", help="write documents-accuracy.md and its plots here"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", default=Path(".cache/documents"), help="default: %(default)s"
    )
    parser.add_argument(
        "--peers", type=Path, metavar="DIR", help="the peers' environment; without it: ours alone"
    )
    parser.add_argument("--peer", action="append", choices=PEERS, help="may be repeated (default: all)")
    parser.add_argument("--processes", type=int, default=2, help="readers at a time (default: %(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="a page of each state and format, clean and mild"
    )
    parser.add_argument("--no-chips", action="store_true", help="leave out passive authentication")
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.docs:
        check_plots()
    measured, versions = _measured(options)
    chips = [] if options.no_chips else _chips(options.data)
    plots: list[str] = []
    if options.docs:
        folder = options.docs / "documents"
        plots = [f"documents/{file.name}" for file in draw_plots(measured, folder)]
    command = "make evaluate" if options.quick else "make evaluate-documents"
    page = write_report(command, _described(measured), measured, versions, chips, plots)
    if options.docs:
        (options.docs / "documents-accuracy.md").write_text(page, encoding="utf-8")
        sys.stderr.write(f"wrote {options.docs / 'documents-accuracy.md'} and {len(plots)} plots\n")
    else:
        sys.stdout.write(page)


def _measured(options: argparse.Namespace) -> tuple[Measured, dict[str, str]]:
    plan = QUICK if options.quick else FULL
    found = options.data / "documents" if options.data else None
    pages = development_pages(found, plan.pages) if found is not None and found.is_dir() else []
    if not pages:
        sys.stderr.write("development pages: not there, so specimens alone are read\n")
    specimens = specimen_pages(options.cache / "specimens", plan.specimens)
    peers = list(options.peer or PEERS) if options.peers and not options.quick else []
    readers = [OURS, *peers]
    versions = {name: make_reader(name, options.peers).version() for name in readers}
    work = [
        Work(list(cases.degraded(pages, plan.strengths)), [OURS]),
        Work(list(cases.degraded(specimens, plan.strengths)), [OURS]),
        Work(list(cases.resized(pages)) if plan.others else [], [OURS]),
        Work(list(cases.partial(pages or specimens)) if plan.others else [], [OURS]),
        Work(list(cases.degraded(drawn(pages, COMPARED), plan.strengths)) if peers else [], readers),
        Work([cases.Case(page) for page in drawn(specimens, COMPARED_SPECIMENS)] if peers else [], readers),
    ]
    results = measure(work, versions, options.cache, options.peers, options.processes)
    parts: list[list[Result]] = []
    start = 0
    for each in work:
        end = start + len(each.cases) * len(each.readers)
        parts.append(results[start:end])
        start = end
    return Measured(*parts), versions


def drawn(pages: Sequence[Original], each: int) -> list[Original]:
    """`each` pages of every group, drawn by a fixed seed, in their order."""
    groups: dict[str, list[Original]] = {}
    for page in pages:
        groups.setdefault(page.group, []).append(page)
    chosen: list[Original] = []
    for name, members in groups.items():
        places = chance("peers", name).permutation(len(members))[:each]
        chosen += [members[place] for place in sorted(places)]
    return chosen


def _chips(data: Path | None) -> list[ChipCheck]:
    real = data / "chips" if data else None
    if real is not None and real.is_dir():
        return [*check_real(real), *check_specimens()]
    sys.stderr.write("chips: not there, so specimens alone are checked\n")
    return check_specimens()


def _described(measured: Measured) -> str:
    """What was read, in sentences."""
    pages = {each.case.original.name for each in measured.pages}
    states = {each.case.original.group for each in measured.pages}
    specimens = {each.case.original.name for each in measured.specimens}
    compared = {each.case.original.name for each in measured.compared}
    text = ""
    if pages:
        text += (
            f"Development pages: {len(pages)} TD3 pages of {len(states)} states from tony-xlh/MRZ-dataset "
            "(Apache-2.0), 2,400 px wide, made from templates with known zones. "
        )
    text += f"Specimens: {len(specimens)} pages of Utopia in all five formats, made for this and for nothing else. "
    text += f"{len(measured.whole):,} pictures were read."
    if compared:
        text += (
            f" Peers read {len(compared)} of the development pages, drawn by a fixed seed, in every column."
        )
    return text


if __name__ == "__main__":
    sys.exit(main())
