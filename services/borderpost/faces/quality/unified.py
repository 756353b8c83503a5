"""One number for a picture: how much of a face the embedder made out of it.

ISO/IEC 29794-5's UnifiedQualityScore is a network's, trained so that the length of its embeddings tells how well a
face is recognised (MagFace). The embedders here were not trained so, and still the length tells: it tells
bad pictures better than all components together (docs/faces.md has the error-versus-discard figures).
So this score is ours: the length is its native value, and its 0..100 value is where that length lies in LFW.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from borderpost.faces.domain import Component, QualityMeasure, QualityReport
from borderpost.faces.quality.scale import judged, not_performed, sigmoid


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a model's embeddings are: the median, and the width of the logistic curve about it."""

    median: float
    width: float


LENGTHS: Final[Mapping[str, Lengths]] = {"mobilefacenet-v1": Lengths(median=3.55, width=0.23)}
"""By model id, of 2,783 pictures of LFW (half A): the curve gives 50 at their median, 5 where a twentieth of them is
shorter. Models that are not here have no unified score: dlib's length was tried, and tells nothing."""


def with_unified_score(report: QualityReport, model_id: str, length: float) -> QualityReport:
    """The report with the unified score of a face whose embedding, as the model gave it, has this length."""
    score = _unified(model_id, length)
    return replace(
        report,
        measures=tuple(
            score if m.component is Component.UNIFIED_QUALITY_SCORE else m for m in report.measures
        ),
    )


def _unified(model_id: str, length: float) -> QualityMeasure:
    lengths = LENGTHS.get(model_id)
    if lengths is None:
        return not_performed(Component.UNIFIED_QUALITY_SCORE)
    value = 100 * sigmoid(length, lengths.median, lengths.width)
    # It has no limit: what a traveler could do about it, the other components say.
    return judged(Component.UNIFIED_QUALITY_SCORE, length, "length", value, passed=True)
