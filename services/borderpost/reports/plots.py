"""Plots as SVG files that are the same for the same figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from borderpost.runtime.errors import BorderpostError

SIZE: Final = (6.4, 4.2)
"""Inches."""


class PlotsMissingError(BorderpostError):
    """matplotlib is not installed."""

    reason = "PLOTS_MISSING"


def check_plots() -> None:
    """Raise PlotsMissingError where no plot can be drawn: before hours of measuring, not after."""
    try:
        import matplotlib as mpl  # noqa: PLC0415, F401
    except ImportError:
        raise PlotsMissingError("plots need matplotlib: install the extra `evaluate`") from None


def plot(
    file: Path,
    title: str,
    draw: Callable[[Any], None],
    size: tuple[float, float] = SIZE,
    *,
    legend_beside: bool = False,
) -> Path:
    """Write one plot: `draw` gets the axes, `size` is in inches; `legend_beside` where there is no room inside.

    Raises PlotsMissingError without matplotlib.
    """
    check_plots()
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "borderpost", "svg.fonttype": "none", "font.size": 10}):
        canvas = Figure(figsize=size, layout="constrained")
        axes = canvas.add_subplot()
        draw(axes)
        axes.set_title(title, fontsize=8, loc="left")
        axes.grid(visible=True, which="both", alpha=0.3)
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if legend_beside else {}
        axes.legend(fontsize=8, **place)
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    _in_pixels(file)
    return file


def percent(axis: Any) -> None:
    """Ticks in percent: 1, 2 and 5 of each power of ten on a logarithmic axis."""
    from matplotlib import ticker  # noqa: PLC0415

    axis.set_major_formatter(ticker.FuncFormatter(lambda rate, _: f"{100 * rate:g} %"))
    if axis.get_scale() == "log":
        axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(ticker.NullFormatter())


def plain(axis: Any) -> None:
    """Ticks as numbers on a logarithmic axis: 1, 2 and 5 of each power of ten."""
    from matplotlib import ticker  # noqa: PLC0415

    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_formatter(ticker.NullFormatter())


def _in_pixels(file: Path) -> None:
    """The picture's own width and height as whole pixels: some programs take neither points nor fractions."""
    text = file.read_text(encoding="utf-8")
    unit = re.compile(r'\b(width|height)="([\d.]+)pt"')
    text = unit.sub(lambda found: f'{found[1]}="{round(float(found[2]) * 96 / 72)}"', text, count=2)
    file.write_text(text, encoding="utf-8")
