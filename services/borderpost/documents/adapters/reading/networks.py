"""The two PP-OCRv6 networks that the rapidocr wheel carries: one finds text, one reads a line.

Only the weight files are taken from the wheel, and run by ONNX Runtime here. rapidocr's own pipeline is left
alone: it fetches missing files, logs to the terminal, turns some MRZ lines upside down with its angle
classifier, and its instances can't be shared by threads. An `InferenceSession` can.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from borderpost.documents import mrz
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]

DETECTOR: Final = "PP-OCRv6_det_small.onnx"
RECOGNISER: Final = "PP-OCRv6_rec_small.onnx"

DETECTOR_STRIDE: Final = 32
"""The detector's sides must be multiples of it."""

TEXT_THRESHOLD: Final = 0.3
"""A pixel is text above it, and a region is text if its mean is above BOX_THRESHOLD (PP-OCR's values)."""

BOX_THRESHOLD: Final = 0.5

UNCLIP_RATIO: Final = 1.6
"""The detector marks shrunken text: grow a region by its area × this ÷ its perimeter (PP-OCR's value)."""

LINE_HEIGHT: Final = 48
"""Height of the recogniser's input, in pixels."""

STEP: Final = 8
"""Columns of the recogniser's input for one of its outputs."""

LOOKALIKES: Final = {
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict.fromkeys("〈《«‹≤", mrz.FILLER),
    **dict.fromkeys("∪υ", "U"),
    **dict.fromkeys("∨ν", "V"),
    **dict.fromkeys("×χ", "X"),
    **dict.fromkeys("〇○", "O"),
    "⊂": "C",
}
"""Characters of other scripts and of mathematics that the recogniser may answer for one of the MRZ's."""


class Networks:
    """Both networks, loaded once. One instance serves all threads."""

    def __init__(self, threads: int = 1) -> None:
        folder = _weights_folder()
        self._detector = _session(folder / DETECTOR, threads)
        self._recogniser = _session(folder / RECOGNISER, threads)
        self._members, self._targets = _classes(self._recogniser)
        self.name = f"rapidocr-{importlib.metadata.version('rapidocr')}/PP-OCRv6-small"

    def detect(self, page: Rgb, side: int) -> list[Floats]:
        """Return the corners (4 × 2, in pixels of the page) of every region of text.

        The page is scaled so that its longer side has `side` pixels, and never enlarged.
        """
        height, width = page.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = tuple(
            max(1, round(length * scale / DETECTOR_STRIDE)) * DETECTOR_STRIDE for length in (width, height)
        )
        small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        text = _run(self._detector, np.asarray(small, dtype=np.uint8))[0, 0]
        zoom = np.array([width / size[0], height / size[1]], dtype=np.float32)
        return [corners * zoom for corners in _regions(text)]

    def recognise(self, strip: Rgb) -> Floats:
        """Read a strip LINE_HEIGHT high: for every STEP columns the probabilities of blank and of ALPHABET."""
        probabilities = _run(self._recogniser, strip)[0]
        # The network knows 18,710 characters; the MRZ has 37, and every other answer counts for none of them.
        out = np.zeros((probabilities.shape[0], len(mrz.ALPHABET) + 1), dtype=np.float32)
        np.add.at(out.T, self._targets, probabilities[:, self._members].T)
        return out


def _weights_folder() -> Path:
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("rapidocr: not installed, and its wheel holds the weights: run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "models"


def _session(model: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Pages come in many shapes, and the arena would keep room for each: memory that never comes back.
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _classes(recogniser: ort.InferenceSession) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Which of the recogniser's classes stand for blank (0) or a character (1 + its place in ALPHABET)."""
    answers = recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
    pairs = [(0, 0), (len(answers) + 1, 0)]  # CTC's blank, and the space that comes after the last one
    pairs += [
        (index, 1 + mrz.ALPHABET.index(character))
        for index, answer in enumerate(answers, start=1)
        if (character := _mrz_character(answer)) is not None
    ]
    members, targets = zip(*pairs, strict=True)
    return np.array(members), np.array(targets)


def _mrz_character(answer: str) -> str | None:
    """The MRZ's character that an answer stands for: full-width, small and accented letters do too."""
    base = LOOKALIKES.get(answer) or "".join(
        part for part in unicodedata.normalize("NFKD", answer).upper() if not unicodedata.combining(part)
    )
    return base if len(base) == 1 and base in mrz.ALPHABET else None


def _run(session: ort.InferenceSession, picture: Rgb) -> Floats:
    """Run a network on one RGB picture; both want BGR from -1 to 1, channels first."""
    planes = (picture[..., ::-1].astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[np.newaxis]
    output: Floats = session.run(None, {session.get_inputs()[0].name: planes})[0]
    return output


def _regions(text: Floats) -> Iterator[Floats]:
    """Corners of each region of text in the detector's picture, grown to the full height of the letters."""
    mask = (text > TEXT_THRESHOLD).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < 2:
            continue
        x, y, w, h = cv2.boundingRect(contour)
        inside = mask[y : y + h, x : x + w] > 0
        if text[y : y + h, x : x + w][inside].mean() < BOX_THRESHOLD:
            continue
        growth = width * height * UNCLIP_RATIO / (width + height)
        yield long_side_first(cv2.boxPoints((centre, (width + growth, height + growth), angle)))


def long_side_first(box: npt.NDArray[Any]) -> Floats:
    """Order corners clockwise so that the first edge is a long one and points right (or down, if it is steep)."""
    corners = box.astype(np.float32)
    if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
        corners = np.roll(corners, -1, axis=0)
    along = corners[1] - corners[0]
    if along[0] < -abs(along[1]) * 0.5 or (abs(along[0]) <= abs(along[1]) * 0.5 and along[1] < 0):
        corners = np.roll(corners, -2, axis=0)
    return np.asarray(corners, dtype=np.float32)
