"""Templates on the wire: what one must be like for every service that compares them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.runtime.errors import TemplateInvalidError
from borderpost.v1.types_pb2 import ELEMENT_TYPE_FLOAT32, NORMALISATION_L2, Template

MAX_DIMENSION: Final = 4096
MAX_MODEL_ID: Final = 100
FLOAT32_BYTES: Final = 4
NORM_TOLERANCE: Final = 1e-3


def check_template(field: str, template: Template) -> None:
    """Raise TemplateInvalidError unless it is `dimension` finite little-endian float32 numbers of length 1."""
    if not 1 <= len(template.model_id) <= MAX_MODEL_ID:
        raise bad_template(
            f"{field}.model_id", f"{len(template.model_id)} characters", f"1 to {MAX_MODEL_ID}"
        )
    if not 1 <= template.dimension <= MAX_DIMENSION:
        raise bad_template(f"{field}.dimension", str(template.dimension), f"1 to {MAX_DIMENSION}")
    if template.element_type != ELEMENT_TYPE_FLOAT32:
        raise bad_template(f"{field}.element_type", str(template.element_type), "ELEMENT_TYPE_FLOAT32")
    if template.normalisation != NORMALISATION_L2:
        raise bad_template(f"{field}.normalisation", str(template.normalisation), "NORMALISATION_L2")
    size = template.dimension * FLOAT32_BYTES
    if len(template.values) != size:
        raise bad_template(
            f"{field}.values", f"{len(template.values)} bytes", f"{size}, 4 for each dimension"
        )
    values = vector_of(template).astype(np.float64)
    if not np.isfinite(values).all():
        raise bad_template(f"{field}.values", "a value that is no finite number", "finite numbers")
    length = math.sqrt(float(values @ values))
    if abs(length - 1.0) > NORM_TOLERANCE:
        raise bad_template(f"{field}.values", f"the length {length:.4g}", f"1 within {NORM_TOLERANCE:g}")


def vector_of(template: Template) -> npt.NDArray[np.float32]:
    """Return the numbers of a template that was checked."""
    return np.frombuffer(template.values, dtype="<f4").astype(np.float32)


def bad_template(field: str, got: str, want: str) -> TemplateInvalidError:
    """Make the error that says what is wrong with a template."""
    return TemplateInvalidError(f"{field}: got {got}, want {want}", field=field)
