"""A passive liveness model in ONNX, as its card describes it."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import TypeAdapter

from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.capture.passive import square_around
from borderpost.faces.domain import Face
from borderpost.faces.errors import LivenessCardError
from borderpost.faces.ports import LivenessCard
from borderpost.runtime.pictures import Rgb

_CARD: Final = TypeAdapter(LivenessCard)


class OnnxLiveness:
    """A `PassiveLiveness`."""

    def __init__(self, card: LivenessCard, session: Any) -> None:
        self._card = card
        self._session = session

    @classmethod
    def load(cls, path: Path) -> OnnxLiveness:
        """Read the card, verify the model beside it, start it. Raises LivenessCardError."""
        try:
            card = _parsed(path.read_text(encoding="utf-8"))
            model = (path.parent / card.file).read_bytes()
        except OSError as error:
            raise LivenessCardError(f"{error.filename}: {error.strerror}") from None
        except ValueError as error:  # of TOML, of UTF-8, or pydantic's with a line for each field
            raise LivenessCardError(f"{path}: no card of a liveness model: {error}") from None
        if hashlib.sha256(model).hexdigest() != card.sha256:
            raise LivenessCardError(f"{path}: {card.file} has another SHA-256 than the card says")
        try:
            return cls(card, open_session(model))
        except Exception as error:  # ONNX Runtime has its own ones for each way to be no model
            raise LivenessCardError(
                f"{path}: {card.file} can't be loaded as an ONNX model ({type(error).__name__})"
            ) from None

    @property
    def card(self) -> LivenessCard:
        """What this model is, and whose."""
        return self._card

    def live_share(self, picture: Rgb, face: Face) -> float:
        """How surely the face is alive, 0 to 1."""
        (outputs,) = self._session.run(
            None, {self._session.get_inputs()[0].name: self._input(picture, face)}
        )[:1]
        shares = np.asarray(outputs, np.float64).ravel()
        if self._card.softmax:
            shares = np.exp(shares - shares.max())
            shares /= shares.sum()
        return float(shares[self._card.live])

    def _input(self, picture: Rgb, face: Face) -> npt.NDArray[np.float32]:
        """1 × 3 × side × side; what lies beyond the picture's edges is black."""
        card, square = self._card, square_around(face.box, self._card.crop)
        cut = Image.fromarray(picture).crop(
            (square.left, square.top, square.left + square.width, square.top + square.height)
        )
        pixels = np.asarray(cut.resize((card.side, card.side), Image.Resampling.BILINEAR), np.float32)
        ordered = pixels[..., ::-1] if card.colour == "BGR" else pixels
        scaled = (ordered - np.asarray(card.mean, np.float32)) / np.asarray(card.scale, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def _parsed(text: str) -> LivenessCard:
    content = tomllib.loads(text)
    unknown = content.keys() - {field.name for field in fields(LivenessCard)}
    if unknown:
        raise ValueError(f"got {', '.join(sorted(unknown))}, want the fields of a card")
    return _CARD.validate_python(content)
