"""Templates as the watchlist keeps and searches them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""Templates of one model: one row each, of length 1."""


@dataclass(frozen=True, slots=True)
class Model:
    """What templates must have in common to be compared."""

    model_id: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Template:
    """A face: `dimension` little-endian float32 numbers of Euclidean length 1, as bytes."""

    model: Model
    values: bytes


def to_vectors(templates: Sequence[Template], dimension: int) -> Vectors:
    """Templates of one model as rows: N × dimension float32."""
    joined = b"".join(template.values for template in templates)
    return np.frombuffer(joined, dtype="<f4").astype(np.float32).reshape(len(templates), dimension)


def digest(templates: Sequence[Template]) -> bytes:
    """SHA-256 of an entry's templates, whatever their order: another one means that they changed."""
    parts = sorted(template.model.model_id.encode() + b"\0" + template.values for template in templates)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
