"""Figures of the log, as plots and tables that bring themselves up to date. No personal data is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from borderpost.console.charts import Bars, Dots, Stacks, bars, dots, stacks
from borderpost.console.pages import Page, Route
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.status import RemoteError
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1 import watchlist_pb2

PURPOSE: Final = "Figures on the reports page"
POLL_SECONDS: Final = 60
DAYS: Final = 14
"""Shown without a choice."""

MOST_DAYS: Final = 366
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 9998
MOST_REASONS: Final = 12
OUTCOMES: Final = ("CLEAR", "REFER", "RETAKE")


async def _show(page: Page) -> Response:
    return page.show("reports.html", poll_seconds=POLL_SECONDS, **await _values(page))


async def _part(page: Page) -> Response:
    """The plots alone, for a page that is open."""
    return page.part("reports_plots.html", **await _values(page))


async def _values(page: Page) -> dict[str, Any]:
    query = page.request.query_params
    since, until = _day(query.get("from", "")), _day(query.get("until", ""))
    until = until or page.console.clock.now().date()
    if until.year <= FIRST_YEAR:
        raise HTTPException(400)
    since = since or until - timedelta(days=DAYS - 1)
    if not timedelta(0) <= until - since < timedelta(days=MOST_DAYS) or until.year > LAST_YEAR:
        raise HTTPException(400)
    request = pb.GetFiguresRequest(crossing=query.get("crossing", "").strip())
    getattr(request, "from").CopyFrom(to_timestamp(_midnight(since)))
    request.until.CopyFrom(to_timestamp(_midnight(until + timedelta(days=1))))
    figures = await page.ask(page.gateway.decisions.GetFigures, request, PURPOSE)
    names = await _list_names(page)
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "crossing": request.crossing,
        "query": str(query),
        "totals": totals(figures.days),
        "outcomes": outcomes(figures.days, since, until),
        "reasons": reasons(figures.days, page),
        "failures": failures(figures.days, since, until),
        "times": times(figures.days, since, until),
        "precision": precision(figures.lists, names),
        "days": figures.days,
    }


def _day(text: str) -> Any:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date() if text else None  # noqa: DTZ007  a day, no time
    except ValueError:
        raise HTTPException(400) from None


def _midnight(day: Any) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(since: Any, until: Any) -> list[str]:
    return [(since + timedelta(days=at)).isoformat() for at in range((until - since).days + 1)]


async def _list_names(page: Page) -> Mapping[str, str]:
    """The lists' names. Without the watchlist service their ids have to do."""
    try:
        answer = await page.ask(page.gateway.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
    except RemoteError:
        return {}
    return {each.watchlist.list_id: each.watchlist.name for each in answer.watchlists}


def totals(days: Sequence[pb.DayFigures]) -> dict[str, int]:
    """Return the sums of all days and crossings."""
    names = ("screenings", "visits", "failures_to_acquire", "cases", "closed")
    return {name: sum(getattr(day, name) for day in days) for name in names}


def outcomes(days: Sequence[pb.DayFigures], since: Any, until: Any) -> Stacks:
    """Screenings by outcome and day."""
    counts: dict[str, dict[str, float]] = {}
    for day in days:
        of = counts.setdefault(day.day, {})
        for name in OUTCOMES:
            of[name] = of.get(name, 0) + day.outcomes.get(name, 0)
    return stacks(_days(since, until), counts, OUTCOMES)


def reasons(days: Sequence[pb.DayFigures], page: Page) -> Bars:
    """The most frequent reasons."""
    counts: dict[str, int] = {}
    for day in days:
        for code, count in day.reasons.items():
            counts[code] = counts.get(code, 0) + count
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_REASONS]
    return bars([(code, page.words.reason(code), count) for code, count in most])


def failures(days: Sequence[pb.DayFigures], since: Any, until: Any) -> Stacks:
    """Visits without a usable capture, in per cent of the day's visits (FTA, ISO/IEC 19795-1)."""
    failed: dict[str, int] = {}
    visits: dict[str, int] = {}
    for day in days:
        failed[day.day] = failed.get(day.day, 0) + day.failures_to_acquire
        visits[day.day] = visits.get(day.day, 0) + day.visits
    shares = {day: {"plain": round(100 * failed[day] / visits[day], 2)} for day in failed if visits[day]}
    return stacks(_days(since, until), shares, ("plain",))


def times(days: Sequence[pb.DayFigures], since: Any, until: Any) -> Stacks:
    """Minutes from a case's opening to its closing: of the crossings' medians the longest, by day."""
    longest: dict[str, dict[str, float]] = {}
    for day in days:
        if day.HasField("seconds_to_close_median"):
            minutes = round(day.seconds_to_close_median / 60, 1)
            longest[day.day] = {"plain": max(minutes, longest.get(day.day, {}).get("plain", 0))}
    return stacks(_days(since, until), longest, ("plain",))


def precision(lists: Sequence[pb.ListFigures], names: Mapping[str, str]) -> Dots:
    """Which share of a list's alerts was right, by the findings."""
    return dots(
        [
            (names.get(each.list_id, each.list_id), each.confirmed, each.confirmed + each.refuted)
            for each in lists
            if each.confirmed + each.refuted
        ]
    )


ROUTES: Final = (Route("/reports", _show), Route("/reports/plots", _part, quiet=True))
