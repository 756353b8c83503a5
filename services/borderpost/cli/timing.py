"""How the bench measures and shows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.table import Table

from borderpost.cli import show
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.context import new_traceparent

KIOSK: Final = "kiosk/north/1"

Measured = Callable[[], object]


def gateway_call() -> Call:
    """A call as the gateway makes it for a kiosk."""
    actor = Actor("bench", KIOSK)
    return Call("", actor, Role.GATEWAY, actor, frozenset({Role.KIOSK}), "", "", new_traceparent())


def in_turn(times: int, first: Measured, second: Measured) -> tuple[list[float], list[float]]:
    """Run both in turn, so that whatever else the machine does meets both; return the seconds of each."""
    first(), second()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for kept, measured in zip(taken, (first, second), strict=True):
            kept.append(timed(measured)[1])
    return taken


def timed(measured: Callable[[], Any]) -> tuple[Any, float]:
    """A call's result, and how many seconds it took."""
    started = time.perf_counter()
    result = measured()
    return result, time.perf_counter() - started


def p95(taken: Sequence[float]) -> float:
    """What 95 % of them don't exceed."""
    return statistics.quantiles(taken, n=20)[-1]


def table(title: str, *columns: str) -> Table:
    """An empty table with a title, its figures to the right."""
    rows = show.table(*columns)
    rows.title, rows.title_justify = title, "left"
    for column in rows.columns[1:]:
        column.justify = "right"
    return rows
