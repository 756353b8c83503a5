"""`borderpost audit report`: what the log counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from borderpost.cli import show
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import AUDITOR, Person
from borderpost.reports.figures import COLOURS, draw_plots, page_of, reasons_of
from borderpost.reports.plots import check_plots
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.rates import wilson
from borderpost.runtime.settings import load_settings
from borderpost.v1 import decisions_pb2

DAYS: Final = ["%Y-%m-%d"]
MOST_REASONS: Final = 15


def report(
    purpose: Purpose,
    since: Annotated[datetime, typer.Option(formats=DAYS, help="The first day (UTC).")],
    until: Annotated[datetime, typer.Option(formats=DAYS, help="The last day (UTC); at most 400 days.")],
    crossing: Annotated[str, typer.Option(help="Of this crossing alone.")] = "",
    page: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Write a page with plots.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the plots into this folder.")
    ] = None,
    identity: Annotated[str, typer.Option("--as", help="Your identity.")] = AUDITOR,
    as_json: Json = False,
) -> None:
    """Count screenings, outcomes, reasons, referrals and how right each list was. No personal data; docs/reports.md.

    Example: `borderpost audit report --since 2026-11-01 --until 2026-11-30 --purpose "monthly" --html report.html`
    """
    request = decisions_pb2.GetFiguresRequest(
        until=to_timestamp(until.replace(tzinfo=UTC) + timedelta(days=1)), crossing=crossing
    )
    getattr(request, "from").CopyFrom(to_timestamp(since.replace(tzinfo=UTC)))
    if page is not None or png is not None:
        check_plots()  # before anything is asked and recorded
    with Person(load_settings(), identity, purpose) as auditor:
        figures = auditor.ask(auditor.decisions.GetFigures, request)
    if page is not None:
        where = f", {crossing}" if crossing else ""
        page.write_text(
            page_of(figures, f"Screenings {since:%Y-%m-%d} to {until:%Y-%m-%d}{where}"), encoding="utf-8"
        )
    if png is not None:
        draw_plots(figures, png)
    show.emit(as_json, figures, lambda: _view(figures))


def _view(figures: decisions_pb2.GetFiguresResponse) -> None:
    days = show.table(
        "day", "crossing", "screenings", *COLOURS, "visits", "not captured", "cases", "closed", "median"
    )
    for column in days.columns[2:]:
        column.justify = "right"
    for day in figures.days:
        median = (
            f"{day.seconds_to_close_median / 60:.0f} min" if day.HasField("seconds_to_close_median") else ""
        )
        days.add_row(
            *(day.day, day.crossing, f"{day.screenings:,}"),
            *(f"{day.outcomes.get(outcome, 0):,}" for outcome in COLOURS),
            *(f"{day.visits:,}", f"{day.failures_to_acquire:,}", f"{day.cases:,}", f"{day.closed:,}", median),
        )
    show.console.print(days if figures.days else "Nothing was screened in that time.")
    if any(day.reasons for day in figures.days):
        reasons = show.table("reason", "screenings")
        reasons.columns[1].justify = "right"
        for reason, count in reasons_of(figures.days).most_common(MOST_REASONS):
            reasons.add_row(reason, f"{count:,}")
        show.console.print(reasons)
    if figures.lists:
        lists = show.table(
            "list", "confirmed", "refuted", "can't tell", "right, with 95 % interval", id_column=0
        )
        for found in figures.lists:
            lists.add_row(
                found.list_id, str(found.confirmed), str(found.refuted), str(found.undecided), _right(found)
            )
        show.console.print(lists)


def _right(found: decisions_pb2.ListFigures) -> str:
    told = found.confirmed + found.refuted
    if not told:
        return "nothing to tell by"
    low, high = wilson(found.confirmed, told)
    return f"{show.percent(found.confirmed / told)} ({show.percent(low)} to {show.percent(high)})"
