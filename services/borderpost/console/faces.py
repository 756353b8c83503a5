"""Faces for people to compare: side by side at one scale, the eyes of all at the same place."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.pictures import decode_picture
from borderpost.v1.faces_pb2 import Eyes

WIDTH: Final = 720
HEIGHT: Final = 900
"""Pixels of a face as it is shown; more than a screen needs, for looking closer."""

EYE_DISTANCE: Final = WIDTH / 4
"""Between the eyes: as in a portrait of ISO/IEC 39794-5, a quarter of the picture's width."""

EYE_LINE: Final = 0.45
"""How far down the eyes are, as a share of the height."""

MOST_PAGE: Final = 1800
"""Pixels of the longer side of a document's page."""

GREY: Final = (128, 128, 128)
QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture ready for the page: a JPEG. `aligned`: whether a face was found in it."""

    jpeg: bytes
    aligned: bool


def face(picture: bytes, eyes: Eyes | None) -> Shown | None:
    """Return a face at the common scale; the whole picture where no eyes were found; None if it can't be decoded."""
    image = _decoded(picture)
    if image is None:
        return None
    if eyes is None or not eyes.found or eyes.right_x - eyes.left_x < 1:
        whole = ImageOps.contain(image, (WIDTH, HEIGHT))
        made = Image.new("RGB", (WIDTH, HEIGHT), GREY)
        made.paste(whole, ((WIDTH - whole.width) // 2, (HEIGHT - whole.height) // 2))
        return Shown(_jpeg(made), False)
    matrix = _onto_picture(eyes)
    made = image.transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=GREY
    )
    return Shown(_jpeg(made), True)


def page(picture: bytes) -> bytes | None:
    """Return a document's page as a JPEG of a size to read; None if it can't be decoded."""
    image = _decoded(picture)
    if image is None:
        return None
    image.thumbnail((MOST_PAGE, MOST_PAGE))
    return _jpeg(image)


def nearest(eyes: Sequence[Eyes]) -> int:
    """Return which of several pictures shows its face largest: the first if none shows any."""
    return max(range(len(eyes)), key=lambda at: (_distance(eyes[at]), -at))


def _distance(eyes: Eyes) -> float:
    return math.hypot(eyes.right_x - eyes.left_x, eyes.right_y - eyes.left_y) if eyes.found else 0.0


def _onto_picture(eyes: Eyes) -> tuple[float, float, float, float, float, float]:
    """The similarity from a place in what is shown to the place in the picture: turned upright, and scaled."""
    across, down = eyes.right_x - eyes.left_x, eyes.right_y - eyes.left_y
    a, b = across / EYE_DISTANCE, down / EYE_DISTANCE
    middle_x, middle_y = (eyes.left_x + eyes.right_x) / 2, (eyes.left_y + eyes.right_y) / 2
    at_x, at_y = WIDTH / 2, HEIGHT * EYE_LINE
    return (a, -b, middle_x - a * at_x + b * at_y, b, a, middle_y - b * at_x - a * at_y)


def _decoded(picture: bytes) -> Image.Image | None:
    try:
        return Image.fromarray(decode_picture(picture))
    except BorderpostError:
        return None


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
