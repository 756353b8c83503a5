"""Measure whether the watchlist's thresholds keep their rate of false alarms, on Labeled Faces in the Wild.

    python -m borderpost.evaluation --data DIR --docs DIR [--cache DIR] [--engine NAME]...

Writes watchlist-accuracy.md and its plot into DIR of --docs. Embeddings are those that
`python -m borderpost.faces.evaluation lfw --cache DIR` keeps, or are made and kept there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from borderpost.evaluation.plots import draw_plots
from borderpost.evaluation.report import write_report
from borderpost.evaluation.study import DISTANCES, Fixed, Study, cosine_at, study
from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.evaluation.figures import Protocol, split
from borderpost.faces.evaluation.protocols import (
    KNOWN_ERRORS,
    Labelled,
    in_first_half,
    read_folder,
    read_lfw_sex,
)
from borderpost.faces.evaluation.templates import Acquired, acquire, templates
from borderpost.reports.command import exit_status
from borderpost.reports.plots import check_plots
from borderpost.runtime.calibration import load_calibration
from borderpost.runtime.settings import EngineName

ENGINES: Final[tuple[EngineName, ...]] = ("mobilefacenet", "dlib")

EUCLIDEAN: Final = frozenset({"dlib"})
"""Engines whose custom is a distance of embeddings as the network gives them."""

DATA: Final = "Labeled Faces in the Wild, deep-funneled"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m borderpost.evaluation",
        description="Measure whether the watchlist's thresholds keep their rate of false alarms.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="LFW with its lists of names")
    parser.add_argument(
        "--docs", type=Path, required=True, metavar="DIR", help="watchlist-accuracy.md is written here"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep embeddings here between runs")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        action="append",
        help=f"may be repeated (when left out: {', '.join(ENGINES)})",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    check_plots()
    labelled = read_folder(options.data / "lfw-deepfunneled")
    protocol = Protocol(DATA, labelled, read_lfw_sex(options.data))
    studies = [_studied(name, protocol, options.cache) for name in options.engine or ENGINES]
    plots = draw_plots(DATA, studies, options.docs / "watchlist-accuracy")
    page = write_report(DATA, studies, [f"watchlist-accuracy/{file.name}" for file in plots])
    (options.docs / "watchlist-accuracy.md").write_text(page, encoding="utf-8")


def _studied(name: EngineName, protocol: Protocol, cache: Path | None) -> Study:
    """One engine with the calibration that ships. Raises CalibrationError if that is of another engine."""
    engine = load_engine(name)
    card = engine.embedder.card
    calibration = load_calibration(card.id)
    calibration.check_engine(card.id, card.fingerprint, name)
    acquired = acquire(engine, protocol.labelled.pictures, cache)
    half = split(protocol, acquired, templates(acquired)).b
    known_errors = frozenset(person for pair in KNOWN_ERRORS for person in pair)
    fixed = fixed_thresholds(name, embedding_length(protocol.labelled, acquired))
    return study(half, calibration, fixed, protocol.groups, known_errors)


def fixed_thresholds(engine: str, length: float) -> list[Fixed]:
    """The cosines that DISTANCES are for an engine: of embeddings of this length, or 1 − cosine."""
    return [
        Fixed(str(distance), cosine_at(distance, length) if engine in EUCLIDEAN else 1.0 - distance)
        for distance in DISTANCES
    ]


def embedding_length(labelled: Labelled, acquired: Acquired) -> float:
    """The length of half A's embeddings as they come from the network (root mean square)."""
    first = np.asarray([in_first_half(name) for name in labelled.names], dtype=np.bool_)
    squares = (acquired.views[first & acquired.found].astype(np.float64) ** 2).sum(axis=2)
    return float(np.sqrt(squares.mean()))


if __name__ == "__main__":
    sys.exit(main())
