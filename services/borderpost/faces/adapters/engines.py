"""The engines by name: what the composition root, the evaluation and the bench make one from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.faces.adapters.dlib_onnx import DlibOnnxEmbedder
from borderpost.faces.adapters.eye_state import EyeStateNetwork
from borderpost.faces.adapters.head_pose import HeadPoseNetwork
from borderpost.faces.adapters.landmark_net import LandmarkNetwork
from borderpost.faces.adapters.light_detector import LightDetector
from borderpost.faces.adapters.mobilefacenet import FivePointAligner, MobileFaceNetEmbedder
from borderpost.faces.adapters.own_model import OwnEmbedder, read_card
from borderpost.faces.errors import ModelCardError
from borderpost.faces.ports import Engine
from borderpost.runtime.settings import EngineName


def load_engine(name: EngineName, card: Path | None = None) -> Engine:
    """An engine, its weights verified and loaded, its first face looked for.

    `card` is the card file of an agency's own model, for the engine `onnx` alone. Raises WeightsMissingError,
    WeightsAlteredError, ModelCardError.
    """
    return _MAKERS[name](card)


def _dlib(_: Path | None) -> Engine:
    finder = DlibFaceFinder()
    finder.warm_up()
    return Engine(finder, finder, DlibOnnxEmbedder.load())


def _mobilefacenet(_: Path | None) -> Engine:
    return Engine(
        LightDetector.load(),
        FivePointAligner(LandmarkNetwork.load()),
        MobileFaceNetEmbedder.load(),
        HeadPoseNetwork.load(),
        EyeStateNetwork.load(),
    )


def _onnx(card_path: Path | None) -> Engine:
    if card_path is None:
        raise ModelCardError(
            "faces.card: got none, want the card file of the model that the engine onnx runs: set "
            "BORDERPOST_FACES__CARD, or give --card to `borderpost faces`"
        )
    card = read_card(card_path)
    return Engine(
        LightDetector.load(),
        FivePointAligner(
            LandmarkNetwork.load(), card.alignment.points, card.input.side, mirrored=card.mirrored
        ),
        OwnEmbedder.load(card, card_path.parent),
        HeadPoseNetwork.load(),
        EyeStateNetwork.load(),
    )


_MAKERS: Final[Mapping[EngineName, Callable[[Path | None], Engine]]] = {
    "mobilefacenet": _mobilefacenet,
    "dlib": _dlib,
    "onnx": _onnx,
}
