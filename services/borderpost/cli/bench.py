"""`borderpost bench`: speed, as ratios within one run."""

from __future__ import annotations


def run() -> None:
    """Measure."""
