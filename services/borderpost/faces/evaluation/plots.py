"""The plots of an accuracy card, as SVG files that are the same for the same figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from borderpost.faces.evaluation.figures import Figures
from borderpost.runtime.errors import BorderpostError

SIZE: Final = (6.4, 4.2)
"""Inches."""

ENDS: Final = "lines end where fewer than 30 false matches, or people with a false alarm, stand behind"


class PlotsMissingError(BorderpostError):
    """matplotlib is not installed."""

    reason = "PLOTS_MISSING"


def check_plots() -> None:
    """Raise PlotsMissingError where no plot can be drawn: before hours of measuring, not after."""
    try:
        import matplotlib as mpl  # noqa: PLC0415, F401
    except ImportError:
        raise PlotsMissingError("plots need matplotlib: install the extra `evaluate`") from None


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
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "borderpost", "svg.fonttype": "none", "font.size": 10}):
        canvas = Figure(figsize=SIZE, layout="constrained")
        axes = canvas.add_subplot()
        for each in figures:
            lines(axes, each)
        axes.set(xlabel=named[0], ylabel=named[1])
        axes.set_title(title, fontsize=8, loc="left")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(fontsize=8)
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    _in_pixels(file)
    return file


def _in_pixels(file: Path) -> None:
    """The picture's own width and height as whole pixels: some programs take neither points nor fractions."""
    text = file.read_text(encoding="utf-8")
    unit = re.compile(r'\b(width|height)="([\d.]+)pt"')
    text = unit.sub(lambda found: f'{found[1]}="{round(float(found[2]) * 96 / 72)}"', text, count=2)
    file.write_text(text, encoding="utf-8")


def _percent(axis: Any) -> None:
    """Ticks in percent: 1, 2 and 5 of each power of ten on a logarithmic axis."""
    from matplotlib import ticker  # noqa: PLC0415

    axis.set_major_formatter(ticker.FuncFormatter(lambda rate, _: f"{100 * rate:g} %"))
    if axis.get_scale() == "log":
        axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(ticker.NullFormatter())


def _det(axes: Any, figures: Figures) -> None:
    label = f"{figures.card.id} ({figures.impostors_b:,} impostor, {figures.genuine_b:,} genuine pairs)"
    axes.loglog(figures.curves.fmr, figures.curves.fnmr, label=label)
    _percent(axes.yaxis)


def _fnir(axes: Any, figures: Figures) -> None:
    axes.loglog(figures.curves.fpir, figures.curves.fnir, label=figures.card.id)
    _percent(axes.xaxis)
    _percent(axes.yaxis)


def _cmc(axes: Any, figures: Figures) -> None:
    found = figures.curves.cmc
    axes.set_xticks(range(1, len(found) + 1))
    axes.plot(range(1, len(found) + 1), found, marker="o", markersize=3, label=figures.card.id)
    _percent(axes.yaxis)
