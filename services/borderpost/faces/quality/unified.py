"""One number for a picture."""

from __future__ import annotations

from collections.abc import Sequence

from borderpost.faces.domain import Component, QualityMeasure
from borderpost.faces.quality.scale import not_performed


def unified_score(measures: Sequence[QualityMeasure]) -> QualityMeasure:
    """Not yet."""
    return not_performed(Component.UNIFIED_QUALITY_SCORE)
