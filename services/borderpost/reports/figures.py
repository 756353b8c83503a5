"""The log's figures as plots and as a page on its own, which loads nothing and runs nothing."""

from __future__ import annotations

import base64
import html
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from borderpost.reports.plots import check_plots
from borderpost.runtime.rates import wilson
from borderpost.v1.decisions_pb2 import DayFigures, GetFiguresResponse, ListFigures

COLOURS: Final = {"CLEAR": "#0072B2", "REFER": "#D55E00", "RETAKE": "#CC79A7"}
"""Told apart by the colour-blind (Okabe and Ito)."""

PLAIN: Final = "#0072B2"
MOST_BARS: Final = 12
"""Reasons of one plot; the rest are in the table."""

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .8rem; border-bottom: 1px solid #8888; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 2rem 0; break-inside: avoid; } img { width: 100%; background: white; border-radius: 4px; }
"""

Plots = Mapping[str, Path]


def outcomes_by_day(days: Sequence[DayFigures]) -> dict[str, Counter[str]]:
    """Screenings by outcome, of all crossings together, by day."""
    counts: dict[str, Counter[str]] = {}
    for day in days:
        counts.setdefault(day.day, Counter()).update(dict(day.outcomes))
    return dict(sorted(counts.items()))


def reasons_of(days: Sequence[DayFigures]) -> Counter[str]:
    """Screenings by reason, of all days and crossings together."""
    reasons: Counter[str] = Counter()
    for day in days:
        reasons.update(dict(day.reasons))
    return reasons


def draw_plots(figures: GetFiguresResponse, folder: Path, names: Mapping[str, str] | None = None) -> Plots:
    """Write the plots as PNG; return the files by their titles. `names`: lists by id. PlotsMissingError, OSError."""
    check_plots()
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Path] = {}
    for title, file, draw in (
        ("Screenings by outcome", "outcomes", lambda axes: _outcomes(axes, figures)),
        ("Reasons, all days", "reasons", lambda axes: _reasons(axes, figures)),
        (
            "Failures to acquire: visits without a usable capture",
            "fta",
            lambda axes: _failures(axes, figures),
        ),
        (
            "Time from referral to closing, median and 95th percentile",
            "time",
            lambda axes: _times(axes, figures),
        ),
        (
            "Referral precision: alerts that were right, with 95 % intervals",
            "lists",
            lambda axes: _lists(axes, figures, names or {}),
        ),
    ):
        drawn[title] = _plot(folder / f"{file}.png", title, draw)
    return drawn


def page_of(figures: GetFiguresResponse, title: str) -> str:
    """Make the page: plots inside it, and the tables. PlotsMissingError."""
    with tempfile.TemporaryDirectory() as folder:
        plots = draw_plots(figures, Path(folder))
        pictures = "".join(
            f"<figure><img alt='{html.escape(name)}' src='data:image/png;base64,"
            f"{base64.b64encode(file.read_bytes()).decode()}'></figure>"
            for name, file in plots.items()
        )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        "<p>Counts of the decision log, without personal data. A reason that fewer than five screenings of a crossing "
        "and day have is counted as OTHER; times to close are given from five cases on.</p>"
        f"{pictures}{_days_table(figures.days)}{_reasons_table(figures.days)}{_lists_table(figures.lists)}</html>\n"
    )


def _plot(file: Path, title: str, draw: Callable[[Any], None]) -> Path:
    from matplotlib.figure import Figure  # noqa: PLC0415

    canvas = Figure(figsize=(8, 3.8), layout="constrained")
    axes = canvas.add_subplot()
    draw(axes)
    axes.set_title(title, fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(file, dpi=130)
    return file


def _outcomes(axes: Any, figures: GetFiguresResponse) -> None:
    days = outcomes_by_day(figures.days)
    below = [0] * len(days)
    for outcome, colour in COLOURS.items():
        heights = [counts[outcome] for counts in days.values()]
        axes.bar(range(len(days)), heights, bottom=below, color=colour, label=outcome, width=0.8)
        below = [one + other for one, other in zip(below, heights, strict=True)]
    _dates(axes, list(days))
    _thousands(axes.yaxis)
    axes.set_ylabel("screenings")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _reasons(axes: Any, figures: GetFiguresResponse) -> None:
    most = reasons_of(figures.days).most_common(MOST_BARS)[::-1]
    axes.barh([name for name, _ in most], [count for _, count in most], color=PLAIN)
    axes.tick_params(axis="y", labelsize=7)
    _thousands(axes.xaxis)
    axes.set_xlabel("screenings")


def _failures(axes: Any, figures: GetFiguresResponse) -> None:
    visits: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for day in figures.days:
        visits[day.day] += day.visits
        failed[day.day] += day.failures_to_acquire
    days = sorted(visits)
    shares = [100 * failed[day] / visits[day] if visits[day] else 0.0 for day in days]
    axes.plot(range(len(days)), shares, color=PLAIN, marker="o", markersize=3)
    axes.set_ylim(bottom=0)
    _dates(axes, days)
    axes.set_ylabel("% of visits")


def _times(axes: Any, figures: GetFiguresResponse) -> None:
    found = [day for day in figures.days if day.HasField("seconds_to_close_median")]
    days = sorted({day.day for day in found})
    axes.set_prop_cycle(
        color=[*list(COLOURS.values()), "#009E73", "#E69F00", "#56B4E9", "#F0E442", "#000000"]
    )
    for crossing in sorted({day.crossing for day in found}):
        own = {day.day: day for day in found if day.crossing == crossing}
        places = [place for place, day in enumerate(days) if day in own]
        medians = [own[days[place]].seconds_to_close_median / 60 for place in places]
        tops = [own[days[place]].seconds_to_close_p95 / 60 for place in places]
        (line,) = axes.plot(places, medians, marker="o", markersize=3, label=crossing)
        axes.plot(places, tops, linestyle=":", color=line.get_color())
    _dates(axes, days)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("minutes (dotted: p95)")
    if found:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _lists(axes: Any, figures: GetFiguresResponse, names: Mapping[str, str]) -> None:
    for place, found in enumerate(figures.lists):
        told = found.confirmed + found.refuted
        if told:
            low, high = wilson(found.confirmed, told)
            share = found.confirmed / told
            error = [[100 * max(0.0, share - low)], [100 * max(0.0, high - share)]]
            axes.errorbar([100 * share], [place], xerr=error, fmt="o", color=PLAIN, capsize=4)
        words = f"{found.confirmed} of {told}" if told else "nothing to tell by"
        axes.annotate(words, (101, place), fontsize=7, va="center", annotation_clip=False)
    axes.set_yticks(
        range(len(figures.lists)), [names.get(each.list_id, each.list_id) for each in figures.lists]
    )
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.6, len(figures.lists) - 0.4)
    axes.set_xlabel("% confirmed of those confirmed or refuted")


def _dates(axes: Any, days: Sequence[str]) -> None:
    step = -(-len(days) // 7) or 1
    axes.set_xticks(range(0, len(days), step), days[::step], fontsize=8)


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _days_table(days: Sequence[DayFigures]) -> str:
    head = ("day", "crossing", "screenings", "visits", *COLOURS, "failures to acquire", "cases", "closed")
    rows = [
        (
            *(day.day, day.crossing, day.screenings, day.visits),
            *(day.outcomes.get(outcome, 0) for outcome in COLOURS),
            *(day.failures_to_acquire, day.cases, day.closed),
        )
        for day in days
    ]
    return _table(head, rows)


def _reasons_table(days: Sequence[DayFigures]) -> str:
    rows = reasons_of(days).most_common()
    return _table(("reason", "screenings"), rows) if rows else ""


def _lists_table(lists: Sequence[ListFigures]) -> str:
    rows = [(found.list_id, found.confirmed, found.refuted, found.undecided) for found in lists]
    return _table(("list", "confirmed", "refuted", "can't tell"), rows) if rows else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td class='n'>{cell:,}</td>" if isinstance(cell, int) else f"<td>{html.escape(str(cell))}</td>"
            for cell in row
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{cells}</tr>{lines}</table>"
