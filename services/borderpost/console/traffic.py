"""How many travelers pass a day: what the false alarms of a list are reckoned from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from borderpost.console.pages import Page
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.status import RemoteError
from borderpost.v1 import decisions_pb2 as pb

PURPOSE: Final = "Expected false alarms of watchlists"
DAYS: Final = 7
UNKNOWN: Final = 1000
"""Travelers a day, where nothing says how many they are."""

MOST: Final = 10_000_000


async def traffic(page: Page) -> Mapping[str, int]:
    """Return the visits a day at each crossing, on average of the last days that had any; empty if this person isn't
    told, or nothing was recorded."""
    if not page.session.may(Role.LIST_MANAGER, Role.APPROVER, Role.AUDITOR):
        return {}
    today = page.console.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    request = pb.GetFiguresRequest(until=to_timestamp(today))
    getattr(request, "from").CopyFrom(to_timestamp(today - timedelta(days=DAYS)))
    try:
        figures = await page.ask(page.gateway.decisions.GetFigures, request, PURPOSE)
    except RemoteError:
        return {}
    visits, days = Counter[str](), Counter[str]()
    for day in figures.days:
        if day.visits:
            visits[day.crossing] += day.visits
            days[day.crossing] += 1
    return {crossing: math.ceil(visits[crossing] / days[crossing]) for crossing in sorted(visits)}


def reckoned_with(page: Page, known: Mapping[str, int]) -> int:
    """Return how many travelers a day a page reckons with: as asked for, else those of the busiest crossing."""
    text = page.request.query_params.get("travelers", "")
    if text.isdecimal() and len(text) < len(str(MOST)) + 1:
        return min(int(text), MOST)
    return max(known.values(), default=UNKNOWN)
