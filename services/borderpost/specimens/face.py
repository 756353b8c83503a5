"""Data group 2, the portrait, in both of its encodings (ICAO Doc 9303-10, 4.7.2)."""

from __future__ import annotations

import io
import struct
from enum import Enum
from typing import Final

from PIL import Image, ImageOps

from borderpost.specimens.der import integer, sequence, tlv

PORTRAIT_SIZE: Final = (413, 531)
"""Width and height in pixels: 35 by 45 mm at 300 dpi."""

JPEG_QUALITY: Final = 85
JPEG2000_RATIO: Final = 20
"""How many times smaller than its pixels the picture becomes: about 30 KB."""

DG2: Final = 0x75
TEMPLATES: Final = 0x7F61
TEMPLATE: Final = 0x7F60
HEADER: Final = 0xA1
PLAIN_DATA: Final = 0x5F2E
CONSTRUCTED_DATA: Final = 0x7F2E

FACIAL_FEATURES: Final = b"\x02"
"""Biometric type (ISO/IEC 19785-3)."""

BIOMETRICS_COMMITTEE: Final = b"\x01\x01"
"""Format owner: ISO/IEC JTC 1/SC 37."""

CBEFF_VERSION: Final = b"\x01\x01"

FULL_FRONTAL: Final = 1
RGB_24: Final = 1
STATIC_CAMERA: Final = 2
"""Values of ISO/IEC 19794-5, 5.7."""

FACE_DATA_39794: Final = 0x65
GENERATION_39794: Final = 3
YEAR_39794: Final = 2019
"""Version of ISO/IEC 39794-5: third generation, 2019."""


class FaceFormat(Enum):
    """How data group 2 is written: ISO/IEC 19794-5:2005, or its successor in ASN.1 (ICAO Doc 9303-10, 4.5.6)."""

    ISO_19794_5 = "19794-5"
    ISO_39794_5 = "39794-5"


class PictureKind(Enum):
    """How the portrait is compressed; the value is Pillow's name for it."""

    JPEG = "JPEG"
    JPEG2000 = "JPEG2000"


FORMAT_TYPE: Final = {FaceFormat.ISO_19794_5: b"\x00\x08", FaceFormat.ISO_39794_5: b"\x00\x2a"}
"""Format types that the committee registered."""

IMAGE_TYPE_19794: Final = {PictureKind.JPEG: 0, PictureKind.JPEG2000: 1}
IMAGE_TYPE_39794: Final = {PictureKind.JPEG: 2, PictureKind.JPEG2000: 3}


def data_group_2(portrait: bytes, encoding: FaceFormat, kind: PictureKind) -> bytes:
    """Write data group 2 for a portrait: a picture in any format that Pillow reads, cut to 7 by 9.

    Raises OSError for what is no picture (as Pillow does).
    """
    picture = compressed(portrait, kind)
    if encoding is FaceFormat.ISO_19794_5:
        data = tlv(PLAIN_DATA, _record_19794(picture, kind))
    else:
        data = tlv(CONSTRUCTED_DATA, _record_39794(picture, kind))
    return tlv(DG2, tlv(TEMPLATES, integer(1), tlv(TEMPLATE, _header(encoding), data)))


def compressed(portrait: bytes, kind: PictureKind) -> bytes:
    """Cut the portrait to PORTRAIT_SIZE and compress it. Raises OSError."""
    with Image.open(io.BytesIO(portrait)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    sized = ImageOps.fit(upright, PORTRAIT_SIZE, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    if kind is PictureKind.JPEG:
        sized.save(out, kind.value, quality=JPEG_QUALITY)
    else:
        sized.save(out, kind.value, quality_mode="rates", quality_layers=[JPEG2000_RATIO], irreversible=True)
    return out.getvalue()


def _header(encoding: FaceFormat) -> bytes:
    """Biometric header template (ICAO Doc 9303-10, table 44)."""
    return tlv(
        HEADER,
        tlv(0x80, CBEFF_VERSION),
        tlv(0x81, FACIAL_FEATURES),
        tlv(0x87, BIOMETRICS_COMMITTEE),
        tlv(0x88, FORMAT_TYPE[encoding]),
    )


def _record_19794(picture: bytes, kind: PictureKind) -> bytes:
    """Facial record of one picture (ISO/IEC 19794-5:2005, 5.4 to 5.7): big-endian, without feature points."""
    width, height = PORTRAIT_SIZE
    image_information = struct.pack(
        ">BBHHBBHH", FULL_FRONTAL, IMAGE_TYPE_19794[kind], width, height, RGB_24, STATIC_CAMERA, 0, 0
    )
    # Number of points, gender, eyes, hair, properties (3 bytes), expression, pose and its uncertainty (3 each).
    facial_information = struct.pack(">HBBB3xH3x3x", 0, 0, 0, 0, 0)
    block = facial_information + image_information + picture
    block = struct.pack(">I", len(block) + 4) + block
    header = struct.Struct(">4s4sIH")
    return header.pack(b"FAC\x00", b"010\x00", header.size + len(block), 1) + block


def _record_39794(picture: bytes, kind: PictureKind) -> bytes:
    """FaceImageDataBlock of one picture with what is mandatory (ISO/IEC 39794-5:2019, annex A)."""
    version = tlv(0xA0, integer(GENERATION_39794, 0x80), integer(YEAR_39794, 0x81))
    information = tlv(0xA1, tlv(0xA0, integer(IMAGE_TYPE_39794[kind], 0x80)))
    picture_2d = tlv(0xA0, tlv(0x80, picture), information)
    representation = sequence(integer(0, 0x80), tlv(0xA1, tlv(0xA0, picture_2d)))
    return tlv(0xA1, tlv(FACE_DATA_39794, version, tlv(0xA1, representation)))
