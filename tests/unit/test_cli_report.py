"""The report of the log: tables, plots and a page on its own, of figures as the log gives them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from borderpost.reports.figures import draw_plots, outcomes_by_day, page_of, reasons_of
from borderpost.runtime.rates import wilson
from borderpost.v1.decisions_pb2 import DayFigures, GetFiguresResponse, ListFigures


def some_figures(days: int = 28) -> GetFiguresResponse:
    dice = random.Random(3)  # noqa: S311  # a test that can be repeated
    figures = GetFiguresResponse()
    for number in range(days):
        for crossing in ("north", "south"):
            clear, refer, retake = dice.randrange(700, 1200), dice.randrange(20, 60), dice.randrange(50, 120)
            day = DayFigures(
                crossing=crossing,
                day=f"2026-11-{number + 1:02d}",
                screenings=clear + refer + retake,
                visits=clear + refer,
                outcomes={"CLEAR": clear, "REFER": refer, "RETAKE": retake},
                reasons={"FACE_NOT_THE_DOCUMENTS": refer // 2, "CHECK_DIGIT_REFUTED": refer // 3, "OTHER": 4},
                failures_to_acquire=dice.randrange(5, 25),
                cases=refer,
                closed=refer - 1,
                seconds_to_close_median=dice.uniform(120, 400),
                seconds_to_close_p95=dice.uniform(800, 2000),
            )
            figures.days.append(day)
    figures.lists.append(ListFigures(list_id="wanted <b>", confirmed=3, refuted=41, undecided=2))
    figures.lists.append(ListFigures(list_id="missing", confirmed=0, refuted=0, undecided=1))
    return figures


def test_counts_of_all_crossings_are_added_up_by_day() -> None:
    figures = some_figures(2)
    days = outcomes_by_day(figures.days)
    assert list(days) == ["2026-11-01", "2026-11-02"]
    assert sum(days["2026-11-01"].values()) == sum(day.screenings for day in figures.days[:2])
    assert reasons_of(figures.days)["OTHER"] == 16


def test_an_interval_is_wilsons() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(3, 44)
    assert (round(low, 4), round(high, 4)) == (0.0235, 0.1823)
    assert wilson(10, 10)[0] == pytest.approx(0.7225, abs=1e-4)


def test_every_plot_is_drawn_even_of_nothing(tmp_path: Path) -> None:
    for name, figures in (("full", some_figures()), ("empty", GetFiguresResponse())):
        plots = draw_plots(figures, tmp_path / name)
        assert len(plots) == 5
        assert all(file.read_bytes().startswith(b"\x89PNG") for file in plots.values())


def test_the_page_stands_on_its_own_and_takes_no_text_for_markup() -> None:
    page = page_of(some_figures(3), "North <script>")
    assert "<script" not in page
    assert "http" not in page
    assert "wanted &lt;b&gt;" in page
    assert page.count("data:image/png;base64,") == 5
