"""Plots as plain data for a template to draw as SVG: where every bar and dot is, in the plot's own units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.runtime.rates import wilson

WIDTH: Final = 640.0
HEIGHT: Final = 200.0
LEFT: Final = 44.0
"""Room for the numbers of the scale."""

BOTTOM: Final = 22.0
BAR_ROW: Final = 26.0
LABEL: Final = 300.0
MOST_LABELS: Final = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle, with what it stands for and how it is told from its neighbours."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Stacks:
    """Columns of stacked pieces, or of lines of dots, over days."""

    width: float
    height: float
    pieces: tuple[Piece, ...]
    labels: tuple[Label, ...]
    scale: tuple[Label, ...]
    kinds: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not self.pieces


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from the left, each with its name."""

    width: float
    height: float
    rows: tuple[tuple[Label, Piece, Label], ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its 95 % interval."""

    y: float
    x: float
    low: float
    high: float
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Dots:
    """Shares from 0 to 1 with their intervals."""

    width: float
    height: float
    rows: tuple[Interval, ...]
    ticks: tuple[Label, ...]


def stacks(days: Sequence[str], counts: Mapping[str, Mapping[str, float]], kinds: Sequence[str]) -> Stacks:
    """Return a column for each day, of one piece a kind. `counts`: by day, then kind."""
    most = max((sum(counts.get(day, {}).values()) for day in days), default=0)
    top = nice(most)
    step = (WIDTH - LEFT) / max(1, len(days))
    pieces = []
    for at, day in enumerate(days):
        foot = HEIGHT - BOTTOM
        for kind in kinds:
            value = counts.get(day, {}).get(kind, 0)
            if value:
                tall = (HEIGHT - BOTTOM - 8) * value / top
                foot -= tall
                left, wide = round(LEFT + (at + 0.12) * step, 1), round(step * 0.76, 1)
                pieces.append(Piece(left, round(foot, 1), wide, round(tall, 1), kind, f"{day}: {value:g}"))
    every = max(1, math.ceil(len(days) / MOST_LABELS))
    labels = [
        Label(round(LEFT + (at + 0.5) * step, 1), HEIGHT - 6, day[5:])
        for at, day in enumerate(days)
        if at % every == 0
    ]
    scale = [
        Label(LEFT - 6, round((HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - 8) * share, 1), f"{top * share:g}")
        for share in (0.0, 0.5, 1.0)
    ]
    return Stacks(WIDTH, HEIGHT, tuple(pieces), tuple(labels), tuple(scale), tuple(kinds))


def bars(counts: Sequence[tuple[str, str, int]]) -> Bars:
    """Return a bar for each (name, title, count), in their order."""
    most = max((count for _, _, count in counts), default=0) or 1
    rows = []
    for at, (name, title, count) in enumerate(counts):
        y = at * BAR_ROW
        long = max(2.0, (WIDTH - LABEL - 60) * count / most)
        rows.append(
            (
                Label(LABEL - 8, y + 17, name),
                Piece(LABEL, y + 5, round(long, 1), BAR_ROW - 10, "plain", title),
                Label(round(LABEL + long + 6, 1), y + 17, f"{count:,}"),
            )
        )
    return Bars(WIDTH, max(BAR_ROW, len(rows) * BAR_ROW), tuple(rows))


def dots(shares: Sequence[tuple[str, int, int]]) -> Dots:
    """Return for each (name, hits, of how many) the share with its interval."""
    across = WIDTH - LABEL - 20
    rows = []
    for at, (name, hits, total) in enumerate(shares):
        low, high = wilson(hits, total)
        share = hits / total if total else 0.0
        rows.append(
            Interval(
                at * BAR_ROW + 14,
                round(LABEL + across * share, 1),
                round(LABEL + across * low, 1),
                round(LABEL + across * high, 1),
                name,
                f"{hits}/{total} ({100 * low:.0f}–{100 * high:.0f} %)",
            )
        )
    ticks = [Label(LABEL + across * share, len(rows) * BAR_ROW + 18, f"{share:.0%}") for share in (0, 0.5, 1)]
    return Dots(WIDTH, len(rows) * BAR_ROW + 26, tuple(rows), tuple(ticks))


def nice(most: float) -> float:
    """Return the end of a scale: 1, 2 or 5 times a power of ten, not below `most`."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= most)
