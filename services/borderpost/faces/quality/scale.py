"""What all components share: how a measured value becomes a measure."""

from __future__ import annotations

import math

from borderpost.faces.domain import Component, QualityMeasure, Status


def judged(
    component: Component, native: float, unit: str, value: float | None, *, passed: bool
) -> QualityMeasure:
    """A measured component; `value` is rounded and kept within 0 to 100."""
    return QualityMeasure(component, native, unit, _score(value), Status.PASSED if passed else Status.FAILED)


def unsure(component: Component, native: float | None, unit: str, value: float | None) -> QualityMeasure:
    """A component that was looked at, and can't be told."""
    return QualityMeasure(component, native, unit, _score(value), Status.UNDETERMINED)


def not_performed(component: Component) -> QualityMeasure:
    """A component that nothing measured."""
    return QualityMeasure(component, None, "", None, Status.NOT_PERFORMED)


def sigmoid(x: float, turning_point: float, width: float) -> float:
    """The standard's mapping function; the exponent is bounded, because far out the answer is 0 anyway."""
    return 1 / (1 + math.exp(min(700.0, (turning_point - x) / width)))


def _score(value: float | None) -> int | None:
    return None if value is None else round(min(100.0, max(0.0, value)))
