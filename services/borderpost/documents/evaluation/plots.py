"""The plots of the page about accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from borderpost.documents.evaluation.answers import Outcome
from borderpost.documents.evaluation.figures import tally
from borderpost.documents.evaluation.measuring import Result
from borderpost.documents.evaluation.readers import OURS
from borderpost.documents.evaluation.report import (
    Measured,
    by_reader,
    chosen,
    columns,
    in_columns,
    readers_of,
)
from borderpost.reports.plots import percent, plain, plot

WIDE: Final = (8.2, 6.4)
NARROW: Final = (6.4, 4.2)

MARKS: Final = ("o", "s", "^", "D")
SPREAD: Final = 0.18
"""Between the readers' marks in a row; rows are 1 apart."""


def draw_plots(measured: Measured, folder: Path) -> list[Path]:
    """Write exact.svg, and cpu.svg, into `folder`. Raises PlotsMissingError without matplotlib."""
    compared = measured.compared or measured.pages or measured.specimens
    if not compared:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    number = len(chosen(compared, by_reader(OURS), in_columns(columns()[0])))
    title = f"Exact readings of {number} pages under each degradation, and 95 % intervals"
    return [
        plot(folder / "exact.svg", title, lambda axes: _exact(axes, compared), WIDE, legend_beside=True),
        plot(
            folder / "cpu.svg",
            "CPU time of a picture, one thread: all columns of the draw",
            lambda axes: _times(axes, compared),
            NARROW,
        ),
    ]


def _exact(axes: Any, results: Sequence[Result]) -> None:
    names = [name for name in columns() if chosen(results, in_columns(name))]
    readers = readers_of(results)
    for index, reader in enumerate(readers):
        shift = (index - (len(readers) - 1) / 2) * SPREAD
        points = [
            (row + shift, tally(found).rate(Outcome.EXACT))
            for row, name in enumerate(names)
            if (found := chosen(results, in_columns(name), by_reader(reader)))
        ]
        rates = [rate for _, rate in points]
        axes.errorbar(
            [rate.share for rate in rates],
            [row for row, _ in points],
            xerr=[[rate.share - rate.low for rate in rates], [rate.high - rate.share for rate in rates]],
            fmt=MARKS[index % len(MARKS)],
            markersize=4,
            elinewidth=0.8,
            label=reader,
        )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="exact", xlim=(-0.02, 1.02))
    percent(axes.xaxis)


def _times(axes: Any, results: Sequence[Result]) -> None:
    for reader in readers_of(results):
        seconds = tally(chosen(results, by_reader(reader))).seconds
        shares = [(place + 1) / len(seconds) for place in range(len(seconds))]
        axes.step(seconds, shares, where="post", label=reader)
    axes.set(xlabel="CPU seconds", ylabel="share of pictures done by then", xscale="log", ylim=(0, 1))
    percent(axes.yaxis)
    plain(axes.xaxis)
