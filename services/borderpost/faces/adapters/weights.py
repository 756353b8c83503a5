"""Finds and verifies files of model weights, without importing the package that carries them.

`face_recognition_models` is only a carrier: importing it needs `pkg_resources`, and importing
`face_recognition` would load the 68-point landmark model, whose training data is not for commercial use.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.faces.errors import WeightsAlteredError, WeightsMissingError


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file inside an installed package, pinned by its content."""

    package: str
    path: str
    sha256: str


RESNET: Final = WeightsFile(
    package="face_recognition_models",
    path="models/dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
"""dlib's face recognition network (public domain, Davis E. King), from face-recognition-models 0.3.0."""

FIVE_POINTS: Final = WeightsFile(
    package="face_recognition_models",
    path="models/shape_predictor_5_face_landmarks.dat",
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)
"""dlib's 5-point landmark model (public domain, Davis E. King), from face-recognition-models 0.3.0."""


def locate(weights: WeightsFile) -> Path:
    """Where the file is on this machine. Raises WeightsMissingError."""
    spec = importlib.util.find_spec(weights.package)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / weights.path
        if path.is_file():
            return path
    raise WeightsMissingError(
        f"{weights.path} of the package {weights.package} is not installed: run the set-up again",
        package=weights.package,
    )


def read_verified(weights: WeightsFile) -> bytes:
    """The file's bytes, if they are the pinned ones. Raises WeightsMissingError, WeightsAlteredError."""
    data = locate(weights).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != weights.sha256:
        raise WeightsAlteredError(
            f"{weights.path}: got SHA-256 {found}, want {weights.sha256}: "
            f"install the package {weights.package} again from the lock",
            package=weights.package,
        )
    return data
