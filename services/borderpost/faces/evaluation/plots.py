"""The plots of an accuracy card, as SVG files that are the same for the same figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from borderpost.faces.evaluation.figures import Figures
from borderpost.runtime.errors import BorderpostError

SIZE: Final = (6.4, 4.2)
"""Inches."""


class PlotsMissingError(BorderpostError):
    """matplotlib is not installed."""

    reason = "PLOTS_MISSING"


def draw_plots(figures: Sequence[Figures], folder: Path) -> list[Path]:
    """Write det.svg, fnir.svg and cmc.svg into `folder`. Raises PlotsMissingError without matplotlib."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _plot(folder / "det.svg", "FMR", "FNMR", _det, figures),
        _plot(folder / "fnir.svg", "FPIR", "FNIR", _fnir, figures),
        _plot(folder / "cmc.svg", "rank", "share found at this rank or better", _cmc, figures),
    ]


def _plot(
    file: Path, across: str, up: str, lines: Callable[[Any, Figures], None], figures: Sequence[Figures]
) -> Path:
    try:
        import matplotlib as mpl  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise PlotsMissingError("plots need matplotlib: install the extra `evaluate`") from None
    with mpl.rc_context({"svg.hashsalt": "borderpost", "svg.fonttype": "none", "font.size": 10}):
        canvas = Figure(figsize=SIZE, layout="constrained")
        axes = canvas.add_subplot()
        for each in figures:
            lines(axes, each)
        axes.set(xlabel=across, ylabel=up)
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file


def _det(axes: Any, figures: Figures) -> None:
    axes.loglog(figures.curves.fmr, figures.curves.fnmr, label=figures.card.id)


def _fnir(axes: Any, figures: Figures) -> None:
    axes.loglog(figures.curves.fpir, figures.curves.fnir, label=figures.card.id)


def _cmc(axes: Any, figures: Figures) -> None:
    found = figures.curves.cmc
    axes.set_xticks(range(1, len(found) + 1))
    axes.plot(range(1, len(found) + 1), found, marker="o", markersize=3, label=figures.card.id)
