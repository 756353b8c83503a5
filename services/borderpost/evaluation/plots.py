"""The plot of the watchlist's accuracy, as an SVG file that is the same for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from borderpost.evaluation.study import DISTANCES, TARGETS, Kept, Result, Study
from borderpost.reports.plots import check_plots, percent, plain, plot


def draw_plots(data: str, studies: Sequence[Study], folder: Path) -> list[Path]:
    """Write fpir.svg into `folder`; `data` is what the pictures are. Raises PlotsMissingError without matplotlib."""
    check_plots()
    folder.mkdir(parents=True, exist_ok=True)

    def draw(axes: Any) -> None:
        axes.set(xscale="log", yscale="log", xlabel="entries of the list", ylabel="FPIR per traveler")
        for study in studies:
            simple = [each for each in study.results if not each.setting.several and each.setting.probes == 1]
            for target in TARGETS:
                kept = [each.own[target] for each in simple]
                _line(axes, simple, kept, f"{study.calibration.model_id}, target {target:.0%}", "-")
            name = str(DISTANCES[0])
            fixed = [each.fixed[name] for each in simple]
            _line(axes, simple, fixed, f"{study.calibration.model_id}, fixed distance {name}", "--")
        for target in TARGETS:
            axes.axhline(target, color="grey", linestyle=":", linewidth=1)
        percent(axes.yaxis)
        plain(axes.xaxis)

    title = f"{data}; half B, one template an entry, one picture of a traveler; bars: 95 %"
    return [plot(folder / "fpir.svg", title, draw, (9.6, 4.2), legend_beside=True)]


def _line(axes: Any, results: Sequence[Result], kept: Sequence[Kept], label: str, style: str) -> None:
    rates = [each.fpir.rate for each in kept]
    ends = [
        [each.fpir.rate - each.fpir.low for each in kept],
        [each.fpir.high - each.fpir.rate for each in kept],
    ]
    sizes = [each.setting.entries for each in results]
    axes.errorbar(sizes, rates, yerr=ends, label=label, linestyle=style, marker="o", markersize=3, capsize=2)
