"""Two people to make specimens of: the test pictures of face-recognition's source distribution.

They are official portraits of public figures (works of the US government); here they are holder A and
holder B of Utopian passports, and nothing is said about the persons. `make samples` fetches them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageEnhance, ImageOps

from borderpost.runtime.errors import BorderpostError

Box = tuple[int, int, int, int]

JPEG_QUALITY: Final = 92

# Left, top, right, bottom in pixels: head and shoulders, chosen by eye.
_A_PORTRAIT: Final = ("obama.jpg", (265, 0, 690, 546))
_A_LIVE: Final = ("obama3.jpg", (420, 140, 1120, 1040))
_B_PORTRAIT: Final = ("biden.jpg", (350, 60, 790, 626))


class SamplesError(BorderpostError):
    """The sample pictures are not there."""

    reason = "SAMPLES"


@dataclass(frozen=True, slots=True)
class Samples:
    """JPEG pictures of holders A and B.

    A's live picture is another photograph than A's portrait. Of B there is one photograph: the live picture
    is made of it, turned, darker, and compressed again, as a kiosk's camera might have taken it.
    """

    a_portrait: bytes
    a_live: bytes
    b_portrait: bytes
    b_live: bytes


def load_samples(folder: Path) -> Samples:
    """Cut the pictures from those in `folder`. Raises SamplesError."""
    try:
        a_portrait, a_live, b_portrait = (_cut(folder, *cut) for cut in (_A_PORTRAIT, _A_LIVE, _B_PORTRAIT))
    except OSError as error:
        raise SamplesError(f"{folder}: {error}: `make samples` fetches the sample pictures") from None
    return Samples(_jpeg(a_portrait), _jpeg(a_live), _jpeg(b_portrait), _jpeg(_retaken(b_portrait), 80))


def empty_scene() -> bytes:
    """Return a picture of an empty booth: nobody is in it."""
    wall = ImageOps.colorize(Image.linear_gradient("L"), "#5b6670", "#c9cdd0")
    return _jpeg(wall.resize((700, 900)))


def _cut(folder: Path, name: str, box: Box) -> Image.Image:
    return Image.open(folder / name).convert("RGB").crop(box)


def _retaken(picture: Image.Image) -> Image.Image:
    turned = picture.rotate(4, Image.Resampling.BICUBIC, fillcolor=picture.getpixel((0, 0)))
    return ImageEnhance.Brightness(turned).enhance(0.85)


def _jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
