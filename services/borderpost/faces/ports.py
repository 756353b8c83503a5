"""What the use cases need from outside; `adapters/` has what fills it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, Protocol

from borderpost.faces.domain import Chips, Embeddings, EyesOpen, Face, FaceBox, HeadPose, Landmarks
from borderpost.runtime.pictures import Rgb


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file that a model is read from, pinned by its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is and whose: shown at start and in the documentation.

    `id` names everything that makes a template what it is: weights, alignment, views. `training_data` says
    "not stated" where nobody has said it. A template is the mean of the embeddings of all `views` of a face.
    """

    id: str
    engine: str
    files: tuple[ModelFile, ...]
    licence: str
    holder: str
    provenance: str
    training_data: str
    input: str
    alignment: str
    views: tuple[str, ...]
    dimension: int
    metric: str

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of what makes a template's numbers; a calibration holds for this engine and for no other.

        Names of files, licence and training data are not in it.
        """
        made_of = {
            "id": self.id,
            "files": [file.sha256 for file in self.files],
            "input": self.input,
            "alignment": self.alignment,
            "views": self.views,
            "dimension": self.dimension,
            "metric": self.metric,
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


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

    def align(self, picture: Rgb, face: Face) -> Chips:
        """The views of one face of this picture, as the model card lists them: views × side × side × 3 uint8 RGB."""
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


class HeadPoseEstimator(Protocol):
    """Tells which way a head is turned. Safe to call from several threads at a time."""

    def pose(self, picture: Rgb, face: Face) -> HeadPose:
        """The pose of one face of this picture."""
        ...


class EyeStateEstimator(Protocol):
    """Tells whether eyes are open. Safe to call from several threads at a time."""

    def eyes(self, picture: Rgb, face: Face) -> EyesOpen:
        """Both eyes of one face of this picture."""
        ...


@dataclass(frozen=True, slots=True)
class LivenessCard:
    """What a passive liveness model is, and how it wants its input; `passive` explains the fields."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str
    holder: str
    provenance: str
    measured: bool
    side: int
    crop: float
    colour: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    softmax: bool
    live: int
    threshold: float


class PassiveLiveness(Protocol):
    """Tells from one picture whether a face is a living person's. Safe to call from several threads at a time."""

    @property
    def card(self) -> LivenessCard:
        """What this model is, and whose."""
        ...

    def live_share(self, picture: Rgb, face: Face) -> float:
        """How surely the face is alive, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """What a service stands on, chosen by its composition root. `pose` and `eyes` are None where no model is there."""

    detector: FaceDetector
    aligner: FaceAligner
    embedder: FaceEmbedder
    pose: HeadPoseEstimator | None = None
    eyes: EyeStateEstimator | None = None
