"""Pictures from outside, decoded with every limit checked before the work it limits."""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from borderpost.runtime.errors import (
    PictureDamagedError,
    PictureEmptyError,
    PictureFormatError,
    PictureTooLargeError,
)
from borderpost.runtime.picture_heads import JPEG, excess_of, scans_of

Rgb = npt.NDArray[np.uint8]
"""A picture: height × width × 3, red, green, blue, 0 to 255."""

MAX_PICTURE_BYTES: Final = 12 * 1024 * 1024
"""A 2,400 × 1,650 page at JPEG quality 95 has 1 to 2 MiB."""

MAX_PICTURE_PIXELS: Final = 40_000_000
"""A page at 1,200 dpi; decoded it takes 120 MB."""

MAX_JPEG2000_PIXELS: Final = 4_000_000
"""Pillow's JPEG 2000 decoder holds the interpreter while it works. A chip's portrait has less than a million."""

MAX_SCANNED_PIXELS: Final = 10 * MAX_PICTURE_PIXELS
"""Pixels by scans of a JPEG: encoders make about ten scans, and each passes over the whole picture."""

USUAL_PICTURE_PIXELS: Final = 4_000_000
"""Up to here a picture in RGB is copied whole, which is fastest; all others go strip by strip, to keep memory low."""

LARGE_PICTURE_PIXELS: Final = 12_000_000
"""Larger pictures are decoded one at a time: a progressive JPEG of 40 million pixels takes 560 MB meanwhile."""

STRIP_ROWS: Final = 256
"""Rows that are turned to RGB at a time, so that no second copy of a whole picture is made."""

MIN_PICTURE_SIDE: Final = 16
"""Below this no face and no character can be told."""

FORMATS: Final = ("JPEG", "PNG", "JPEG2000")
"""What cameras, readers and chips deliver (ICAO 9303-10 names JPEG and JPEG 2000 for DG2)."""

# Pillow's own bound would only warn, and raise at twice as much. Ours is checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


def decode_picture(data: bytes, field: str = "picture") -> Rgb:
    """Decode JPEG, PNG or JPEG 2000 bytes to RGB, upright by their EXIF orientation.

    The kind is told by the bytes alone. Grey, palette, CMYK, 16-bit and transparent pictures come out as
    RGB. `field` names the picture in the errors: PictureEmptyError, PictureTooLargeError,
    PictureFormatError, PictureDamagedError.
    """
    if not data:
        raise PictureEmptyError(f"{field}: got no bytes, want a JPEG, PNG or JPEG 2000 picture", field=field)
    if len(data) > MAX_PICTURE_BYTES:
        raise PictureTooLargeError(
            f"{field}: got {len(data):,} bytes, want at most {MAX_PICTURE_BYTES:,}: scale it down",
            field=field,
        )
    excess = excess_of(data)
    if excess is not None:
        raise PictureTooLargeError(
            f"{field}: got a picture of {excess}, want a usual one: save it again", field=field
        )
    image = _open(data, field)
    width, height = image.size
    most = MAX_JPEG2000_PIXELS if image.format == "JPEG2000" else MAX_PICTURE_PIXELS
    if width * height > most:
        raise PictureTooLargeError(
            f"{field}: got {width} × {height} pixels, want at most {most:,} in all: scale it down",
            field=field,
        )
    if data.startswith(JPEG) and scans_of(data) * width * height > MAX_SCANNED_PIXELS:
        raise PictureTooLargeError(
            f"{field}: got {scans_of(data)} scans of {width} × {height} pixels, want a usual JPEG: save it again",
            field=field,
        )
    if min(width, height) < MIN_PICTURE_SIDE:
        raise PictureFormatError(
            f"{field}: got {width} × {height} pixels, want at least {MIN_PICTURE_SIDE} on each side",
            field=field,
        )
    with _large if width * height > LARGE_PICTURE_PIXELS else nullcontext():
        return _to_rgb(image, field)


_large: Final = threading.Lock()


def _open(data: bytes, field: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureFormatError(
            f"{field}: got {len(data):,} bytes that are no JPEG, PNG or JPEG 2000 picture", field=field
        ) from None
    except Exception as error:  # a hostile header can raise nearly anything in a decoder
        raise _damaged(field, error) from None


def _to_rgb(image: Image.Image, field: str) -> Rgb:
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        width, height = image.size
        if image.mode == "RGB" and width * height <= USUAL_PICTURE_PIXELS:
            return np.asarray(image)
        rgb = np.empty((height, width, 3), dtype=np.uint8)
        for top in range(0, height, STRIP_ROWS):
            strip = image.crop((0, top, width, min(height, top + STRIP_ROWS)))
            rgb[top : top + STRIP_ROWS] = _strip_to_rgb(strip)
    except Exception as error:  # as above
        raise _damaged(field, error) from None
    return rgb


def _strip_to_rgb(strip: Image.Image) -> Rgb:
    if strip.mode.startswith("I;16") or strip.mode == "I":
        strip = Image.fromarray((np.asarray(strip).clip(0, 65535) >> 8).astype(np.uint8))
    return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _damaged(field: str, error: Exception) -> PictureDamagedError:
    return PictureDamagedError(
        f"{field}: the picture is truncated or damaged and can't be decoded: send it again",
        field=field,
        decoder=type(error).__name__,
    )
