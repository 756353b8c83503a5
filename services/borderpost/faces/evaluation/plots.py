"""The plots of an accuracy card, as SVG files that are the same for the same figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from borderpost.faces.evaluation.figures import Figures
from borderpost.reports.plots import check_plots, percent, plot

ENDS: Final = "lines end where fewer than 30 false matches, or people with a false alarm, stand behind"


def draw_plots(data: str, figures: Sequence[Figures], folder: Path) -> list[Path]:
    """Write det.svg, and where something was searched fnir.svg and cmc.svg, into `folder`.

    `data` is what the pictures are, in a few words. Raises PlotsMissingError without matplotlib.
    """
    check_plots()
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [_plot(folder / "det.svg", ("FMR", "FNMR"), f"{data}; half B\n{ENDS}", _det, figures)]
    searched = [each for each in figures if each.curves.size is not None]
    if searched:
        gallery = f"{data}; half B, N = {min(each.curves.size or 0 for each in searched):,}"
        drawn += [
            _plot(folder / "fnir.svg", ("FPIR", "FNIR"), f"{gallery}\n{ENDS}", _fnir, searched),
            _plot(folder / "cmc.svg", ("rank", "found at this rank or better"), gallery, _cmc, searched),
        ]
    return drawn


def _plot(
    file: Path,
    named: tuple[str, str],
    title: str,
    lines: Callable[[Any, Figures], None],
    figures: Sequence[Figures],
) -> Path:
    def draw(axes: Any) -> None:
        for each in figures:
            lines(axes, each)
        axes.set(xlabel=named[0], ylabel=named[1])

    return plot(file, title, draw)


def _det(axes: Any, figures: Figures) -> None:
    label = f"{figures.card.id} ({figures.impostors_b:,} impostor, {figures.genuine_b:,} genuine pairs)"
    axes.loglog(figures.curves.fmr, figures.curves.fnmr, label=label)
    percent(axes.yaxis)


def _fnir(axes: Any, figures: Figures) -> None:
    axes.loglog(figures.curves.fpir, figures.curves.fnir, label=figures.card.id)
    percent(axes.xaxis)
    percent(axes.yaxis)


def _cmc(axes: Any, figures: Figures) -> None:
    found = figures.curves.cmc
    axes.set_xticks(range(1, len(found) + 1))
    axes.plot(range(1, len(found) + 1), found, marker="o", markersize=3, label=figures.card.id)
    percent(axes.yaxis)
