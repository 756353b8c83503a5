"""Face detection by a light ONNX model: fast, and the same answer from any number of threads.

Looks at the whole picture once (about 4 ms), and again only where it finds nothing: with the contrast stretched,
which finds faces in the dark; at half the size, which finds blurred and close ones; in four parts, which finds
small ones. Each costs as much per look.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from borderpost.faces.adapters.sessions import open_session
from borderpost.faces.adapters.weights import LIGHT_DETECTOR, read_verified
from borderpost.faces.domain import FaceBox
from borderpost.runtime.pictures import Rgb

WIDTH: Final = 320
HEIGHT: Final = 240
MEAN: Final = 127.0
SCALE: Final = 128.0
"""What the model takes: 320 × 240 pixels RGB, (x − 127) / 128."""

MIN_SCORE: Final = 0.65
"""The package's own. Flat on LFW, half A: 1 of 3,137 central faces is missed at any score from 0.5 to 0.8."""


MIN_SCORE_AGAIN: Final = 0.85
"""More looks give more chances to be wrong. On 210 pictures of half A cut into 100 pieces and shuffled, faces are
"found" in 14 where every look takes 0.65, in 9 with this; of faces at a sixth of their size none is lost by it."""

MAX_OVERLAP: Final = 0.4
"""Intersection over union from which two boxes are one face; the package's own."""

SIDE: Final = 0.956
RIGHTWARD: Final = 0.029
DOWNWARD: Final = 0.099
"""From the model's boxes to those of dlib's HOG detector, on which its 5-point model was trained: the side by the
root of the area, and the shift of the middle by the side. Medians over 600 pictures of LFW, half A."""

DARKEST: Final = 1.0
BRIGHTEST: Final = 99.0
"""Percentiles that are stretched to black and white. On half A with a sixth of the light the plain look misses 36 %
of the faces, the stretched one none."""

SAMPLED: Final = 4
"""Every fourth row and column tells the contrast: sorting all values takes as long as a look."""

MIN_RANGE: Final = 32.0
"""A narrower range of values is not stretched further: that would only make noise into faces."""

PROPORTION: Final = 0.694
"""Width by height of the model's boxes, the median of the same pictures."""

PARTS: Final = ((0.6, (0.0, 0.4)), (0.4, (0.0, 0.3, 0.6)))
"""For small faces: parts with this share of width and height, beginning at these shares. They overlap, so that no
face is cut by all."""

Rectangle: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in the picture's pixels."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Contrast:
    """Values from `low` to `high` become 0 to 255."""

    low: float
    high: float

    def apply(self, pixels: Rgb) -> Floats:
        stretched = (pixels.astype(np.float32) - self.low) * (255.0 / (self.high - self.low))
        clipped: Floats = np.clip(stretched, 0.0, 255.0)
        return clipped


AS_IT_IS: Final = _Contrast(0.0, 255.0)


@dataclass(frozen=True, slots=True)
class _Look:
    """A part of the picture, scaled for the model: where it begins, and the picture's pixels by its own."""

    pixels: Rgb
    contrast: _Contrast
    left: float
    top: float
    across: float
    down: float


class LightDetector:
    """Finds faces. Safe to call from several threads at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    def load(cls) -> LightDetector:
        """Verify the weights and start the model. Raises WeightsMissingError, WeightsAlteredError."""
        return cls(open_session(read_verified(LIGHT_DETECTOR)))

    def detect(self, picture: Rgb) -> tuple[FaceBox, ...]:
        """Every face found, best score first, in pixels of `picture` (height × width × 3 uint8 RGB).

        Boxes are as dlib's HOG detector would have put them: square, from the brows to the chin.
        """
        for attempt, looks in enumerate(_attempts(picture)):
            boxes, scores = (np.concatenate(each) for each in zip(*map(self._see, looks), strict=True))
            sure = scores >= (MIN_SCORE if attempt == 0 else MIN_SCORE_AGAIN)
            if sure.any():
                boxes, scores = boxes[sure], scores[sure]
                return tuple(_as_hog_would(*boxes[i].tolist()) for i in _one_a_face(boxes, scores))
        return ()

    def _see(self, look: _Look) -> tuple[Floats, Floats]:
        """The boxes (N × left, top, right, bottom, in the picture's pixels) and their scores, the likely ones."""
        height, width = look.pixels.shape[:2]
        canvas = np.zeros((1, 3, HEIGHT, WIDTH), dtype=np.float32)
        canvas[0, :, :height, :width] = (
            (look.contrast.apply(look.pixels) - MEAN) / np.float32(SCALE)
        ).transpose(2, 0, 1)
        scores, boxes = self._session.run(["scores", "boxes"], {"input": canvas})
        sure = scores[0, :, 1] >= MIN_SCORE
        unit = np.asarray([WIDTH * look.across, HEIGHT * look.down] * 2, dtype=np.float32)
        origin = np.asarray([look.left, look.top] * 2, dtype=np.float32)
        return boxes[0, sure] * unit + origin, scores[0, sure, 1]


def _attempts(picture: Rgb) -> Iterator[Sequence[_Look]]:
    """What is looked at, one after the other, until something is found."""
    whole = _look(picture)
    yield [whole]
    contrast = _contrast_of(whole.pixels)
    yield [_again(whole, contrast, 1.0)]
    yield [_again(whole, contrast, 0.5)]
    height, width = picture.shape[:2]
    for share, places in PARTS:
        if share * max(width / WIDTH, height / HEIGHT) > 1.0:
            yield [_part(picture, share, x, y) for y, x in itertools.product(places, repeat=2)]


def _look(picture: Rgb, left: int = 0, top: int = 0) -> _Look:
    height, width = picture.shape[:2]
    factor = min(WIDTH / width, HEIGHT / height)
    pixels = _resized(picture, max(1, round(width * factor)), max(1, round(height * factor)))
    return _Look(pixels, AS_IT_IS, left, top, width / pixels.shape[1], height / pixels.shape[0])


def _again(whole: _Look, contrast: _Contrast, factor: float) -> _Look:
    height, width = whole.pixels.shape[:2]
    pixels = _resized(whole.pixels, max(1, round(width * factor)), max(1, round(height * factor)))
    across, down = whole.across * width / pixels.shape[1], whole.down * height / pixels.shape[0]
    return _Look(pixels, contrast, 0, 0, across, down)


def _part(picture: Rgb, share: float, x: float, y: float) -> _Look:
    height, width = picture.shape[:2]
    left, top = int(width * x), int(height * y)
    right, bottom = math.ceil(left + width * share), math.ceil(top + height * share)
    part = _look(picture[top:bottom, left:right], left, top)
    return replace(part, contrast=_contrast_of(part.pixels))


def _contrast_of(pixels: Rgb) -> _Contrast:
    low, high = np.percentile(pixels[::SAMPLED, ::SAMPLED], (DARKEST, BRIGHTEST))
    return _Contrast(float(low), max(float(high), float(low) + MIN_RANGE))


def _resized(picture: Rgb, width: int, height: int) -> Rgb:
    """The picture in this size, averaged. Of a much larger one only every n-th row is looked at, two for each row."""
    if picture.shape[:2] == (height, width):
        return picture
    step = max(
        1, picture.shape[0] // height // 2
    )  # handing all rows over to Pillow takes longer than all else
    thinned = Image.fromarray(np.ascontiguousarray(picture[::step]))
    return np.asarray(thinned.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0))


def _one_a_face(boxes: Floats, scores: Floats) -> Iterator[int]:
    """The best box of each face: greedy non-maximum suppression."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    areas = sizes[:, 0] * sizes[:, 1]
    left = np.argsort(-scores, kind="stable")
    while len(left):
        best, others = left[0], left[1:]
        yield int(best)
        low = np.maximum(boxes[best, :2], boxes[others, :2])
        shared = np.clip(np.minimum(boxes[best, 2:], boxes[others, 2:]) - low, 0.0, None).prod(axis=1)
        left = others[shared / (areas[best] + areas[others] - shared) < MAX_OVERLAP]


def _as_hog_would(left: float, top: float, right: float, bottom: float) -> FaceBox:
    side = max(1.0, SIDE * math.sqrt((right - left) * (bottom - top)))
    x, y = (left + right) / 2 + RIGHTWARD * side, (top + bottom) / 2 + DOWNWARD * side
    return FaceBox(round(x - side / 2), round(y - side / 2), round(side), round(side))


def as_light_detector_would(box: FaceBox) -> Rectangle:
    """The rectangle in which the models beside this one look for the same face: the way back."""
    x, y = box.centre[0] - RIGHTWARD * box.width, box.centre[1] - DOWNWARD * box.height
    half_width = box.width / SIDE * math.sqrt(PROPORTION) / 2
    half_height = box.height / SIDE / math.sqrt(PROPORTION) / 2
    return x - half_width, y - half_height, x + half_width, y + half_height
