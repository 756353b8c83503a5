"""What the use cases need from outside; `adapters/` has what fills it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from borderpost.faces.domain import Chip, Chips, Embeddings, Face, FaceBox, Landmarks
from borderpost.runtime.pictures import Rgb


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is and whose: shown at start and in the documentation."""

    id: str
    file: str
    sha256: str
    licence: str
    holder: str
    provenance: str
    dimension: int
    metric: str
    alignment: str


class FaceDetector(Protocol):
    """Finds faces. Safe to call from several threads at a time."""

    def detect(self, picture: Rgb) -> tuple[FaceBox, ...]:
        """Every face found, in the picture's own pixels; none is a result, not an error."""
        ...


class FaceAligner(Protocol):
    """Turns a face upright and to the embedder's size. Safe to call from several threads at a time."""

    def landmarks(self, picture: Rgb, box: FaceBox) -> Landmarks:
        """The five points of one face of this picture."""
        ...

    def align(self, picture: Rgb, face: Face) -> Chip:
        """The chip of one face of this picture, side × side × 3 uint8 RGB."""
        ...


class FaceEmbedder(Protocol):
    """Embeds aligned chips. Safe to call from several threads at a time."""

    @property
    def card(self) -> ModelCard:
        """What this model is, and whose."""
        ...

    def embed(self, chips: Chips) -> Embeddings:
        """N × side × side × 3 uint8 RGB chips to N × dimension float32, as the model gives them."""
        ...
