"""An agency's own embedder: an ONNX model of ArcFace's kind, as its card file (TOML) describes it.

The file own_model.toml beside this module is an example, shown in docs/engines.md.

Left and right are the picture's. Its calibration is ID.json in the folder that the setting `calibrations` names,
made by `borderpost faces calibrate`. Faces are found and aligned by the default engine's detector and landmarks.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import onnx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from borderpost.faces.adapters.mobilefacenet import TARGET, views_of
from borderpost.faces.adapters.prelu import without_prelu
from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import LANDMARKS, LIGHT_DETECTOR, check_hash
from borderpost.faces.domain import Chips, Embeddings, Point
from borderpost.faces.errors import ModelCardError, WeightsMissingError
from borderpost.faces.ports import ModelCard, ModelFile

OWN_IDS: Final = ("dlib-resnet", "mobilefacenet")
"""What the ids of the engines that ship begin with: no other model may call itself so."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
Coordinates = tuple[float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputCard(_Strict):
    """What the model takes."""

    side: int = Field(ge=32, le=512)
    colour: Literal["RGB", "BGR"]
    layout: Literal["NCHW", "NHWC"]
    mean: float = Field(ge=0, le=255)
    scale: float = Field(gt=0, le=512)


class AlignmentCard(_Strict):
    """Where the five points lie on the chip."""

    left_eye: Coordinates = TARGET[0]
    right_eye: Coordinates = TARGET[1]
    nose_tip: Coordinates = TARGET[2]
    mouth_left: Coordinates = TARGET[3]
    mouth_right: Coordinates = TARGET[4]

    @property
    def points(self) -> tuple[Point, ...]:
        """All five, in the order of `Landmarks.five`."""
        return (self.left_eye, self.right_eye, self.nose_tip, self.mouth_left, self.mouth_right)


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise PydanticCustomError("sha256", "want the file's SHA-256, 64 hex digits in lower case")
    return text


class CardFile(_Strict):
    """The card file's content."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]
    sha256: Annotated[str, AfterValidator(_sha256)]
    licence: Text
    holder: Text
    provenance: Text
    training_data: Text
    dimension: int = Field(ge=16, le=4096)
    mirrored: bool
    input: InputCard
    alignment: AlignmentCard = AlignmentCard()


class OwnEmbedder:
    """Embeds aligned chips by a model that a card describes. Safe to call from several threads at a time."""

    def __init__(self, card: CardFile, session: Any) -> None:
        self._card = card
        self._session = session
        self._input = session.get_inputs()[0]
        self._one_by_one = self._input.shape[0] == 1

    @classmethod
    def load(cls, card: CardFile, folder: Path) -> OwnEmbedder:
        """Verify the model beside its card, start it, try it. Raises ModelCardError, WeightsAlteredError and others.

        The others: WeightsMissingError where the file isn't there.
        """
        path = folder / card.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsMissingError(f"{path}: {error.strerror}: put the model beside its card") from None
        check_hash(data, card.sha256, card.file)
        try:
            embedder = cls(card, open_session(_quick(data)))
            embeddings = embedder.embed(np.zeros((2, card.input.side, card.input.side, 3), dtype=np.uint8))
        except (
            Exception
        ) as error:  # ONNX and its runtime have their own ones for each way to be no such model
            raise ModelCardError(
                f"{path}: can't be run on {card.input.side} × {card.input.side} pixels as {card.input.layout} "
                f"({type(error).__name__}): correct the card's [input], or the model"
            ) from None
        if embeddings.shape != (2, card.dimension):
            raise ModelCardError(
                f"{path}: gives {embeddings.shape[-1]} numbers, and its card says dimension = {card.dimension}"
            )
        return embedder

    @property
    def card(self) -> ModelCard:
        """What this model is, and whose."""
        own, kind = self._card, self._card.input
        return ModelCard(
            id=own.id,
            engine="onnx",
            files=(
                ModelFile(own.file, own.sha256),
                LANDMARKS.as_model_file,
                LIGHT_DETECTOR.as_model_file,
            ),
            licence=own.licence,
            holder=own.holder,
            provenance=own.provenance,
            training_data=own.training_data,
            input=f"{kind.side} × {kind.side} {kind.colour}, {kind.layout}, (x − {kind.mean:g}) / {kind.scale:g}",
            alignment=f"least-squares similarity of five of 68 points onto {_onto(own.alignment.points)}",
            views=views_of(mirrored=own.mirrored),
            dimension=own.dimension,
            metric="cosine",
        )

    def embed(self, chips: Chips) -> Embeddings:
        """N × side × side × 3 uint8 RGB chips to N × dimension float32, not normalised."""
        kind = self._card.input
        ordered = chips[..., ::-1] if kind.colour == "BGR" else chips
        pixels = (ordered.astype(np.float32) - np.float32(kind.mean)) / np.float32(kind.scale)
        if kind.layout == "NCHW":
            pixels = pixels.transpose(0, 3, 1, 2)
        pixels = np.ascontiguousarray(pixels)
        batches = np.split(pixels, len(pixels)) if self._one_by_one else [pixels]
        found = [self._session.run(None, {self._input.name: batch})[0] for batch in batches]
        embeddings: Embeddings = np.concatenate(found).reshape(len(chips), -1).astype(np.float32, copy=False)
        return embeddings


def read_card(path: Path) -> CardFile:
    """The card file's content, checked. Raises ModelCardError, with a line for each thing that is wrong."""
    try:
        card = CardFile(**tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelCardError(
            f"{path}: {error.strerror}: faces.card has to name a model's card file"
        ) from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise ModelCardError("\n".join(lines)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelCardError(f"{path}: not TOML: {error}") from None
    if card.id.startswith(OWN_IDS):
        raise ModelCardError(f"{path}: id: {card.id} is an engine's that ships: name yours otherwise")
    return card


def _onto(points: tuple[Point, ...]) -> str:
    return "ArcFace's template" if points == TARGET else ", ".join(f"({x:g}, {y:g})" for x, y in points)


def _quick(data: bytes) -> bytes:
    return bytes(without_prelu(onnx.load_model_from_string(data)).SerializeToString())
