"""DG2: the portrait, in CBEFF with ISO/IEC 19794-5 or ISO/IEC 39794-5 (ICAO 9303-10, 4.7.2)."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

from borderpost.documents.chip import tlv
from borderpost.documents.chip.common import GROUP_TAGS
from borderpost.documents.chip.domain import ChipPortrait
from borderpost.documents.chip.errors import ChipFileError
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.picture_heads import JP2, JPEG, excess_of
from borderpost.runtime.pictures import decode_picture

MAX_GROUP_BYTES: Final = 1024 * 1024
"""Portraits on chips have 15 to 20 KB, rarely 100."""

MAX_PORTRAIT_PIXELS: Final = 4_000_000
"""A portrait on a chip has 0.1 to 0.5 million."""

_GROUP_TEMPLATE, _TEMPLATE = 0x7F61, 0x7F60
_PLAIN_BLOCK, _CONSTRUCTED_BLOCK = 0x5F2E, 0x7F2E

_FACE_RECORD: Final = b"FAC\x00"
_RECORD_VERSION: Final = b"010\x00"
_RECORD_HEADER: Final = 14
"""FAC, version, length (4), number of pictures (2): ISO/IEC 19794-5:2005, 5.4."""

_FACE_HEADER: Final = 20
"""Length (4), number of feature points (2), and what the person looks like: 5.5."""

_FEATURE_POINT: Final = 8
_PICTURE_HEADER: Final = 12
"""Kind, coding, width, height and whatever: 5.7. All of that is told by the picture itself."""

_CODESTREAM: Final = b"\xff\x4f\xff\x51"

_WAY_TO_PICTURE: Final = (0xA1, 0x65, 0xA1, 0x30, 0xA1, 0xA0, 0xA0, 0x80)
"""ISO/IEC 39794-5, annex A: what 7F2E holds, FaceImageDataBlock, representationBlocks, RepresentationBlock,
imageRepresentation, base, imageRepresentation2DBlock, representationData2D."""


def read_portrait(data: bytes) -> ChipPortrait:
    """Return the first portrait of DG2 as it is stored, once it has been decoded whole. Raises ChipFileError."""
    if len(data) > MAX_GROUP_BYTES:
        raise ChipFileError(f"DG2: got {len(data):,} bytes, want at most {MAX_GROUP_BYTES:,}")
    group = tlv.want(tlv.elementary_file(data, GROUP_TAGS[2]), _GROUP_TEMPLATE)
    block = tlv.first(tlv.want(group, _TEMPLATE), _PLAIN_BLOCK, _CONSTRUCTED_BLOCK)
    if block is None:
        raise ChipFileError("DG2: got no biometric data block")
    picture = _picture_of(block)
    if not picture.startswith((JPEG, JP2, _CODESTREAM)):
        raise ChipFileError("DG2: got a picture that is neither JPEG nor JPEG 2000 by its content")
    try:
        _check_size(picture)
        rgb = decode_picture(picture, "DG2")
    except BorderpostError as error:
        raise ChipFileError(error.message) from None
    height, width = rgb.shape[:2]
    return ChipPortrait(picture, width, height)


def _check_size(picture: bytes) -> None:
    """Read the size from the picture's head. What else is wrong with it is told when it is decoded."""
    if excess_of(picture) is not None:
        raise ChipFileError("DG2: got a picture whose head is too long")
    try:
        width, height = Image.open(io.BytesIO(picture), formats=("JPEG", "JPEG2000")).size
    except Exception:  # a hostile header can raise nearly anything in a decoder
        raise ChipFileError("DG2: got a picture that can't be opened") from None
    if width * height > MAX_PORTRAIT_PIXELS:
        raise ChipFileError(
            f"DG2: got {width} × {height} pixels, want at most {MAX_PORTRAIT_PIXELS:,} in all"
        )


def _picture_of(block: tlv.Tlv) -> bytes:
    """Told by the block's content; the format type beside it is wrong on some chips."""
    if block.value.startswith(_FACE_RECORD):
        return _of_face_record(block.value)
    value = block.value
    for tag in _WAY_TO_PICTURE:
        value = tlv.want(value, tag)
    return value


def _of_face_record(record: bytes) -> bytes:
    if len(record) < _RECORD_HEADER + _FACE_HEADER or record[4:8] != _RECORD_VERSION:
        raise ChipFileError("DG2: got a face record that is too short, or of another version than 010")
    faces = int.from_bytes(record[12:14], "big")
    face_length = int.from_bytes(record[14:18], "big")
    end = _RECORD_HEADER + face_length
    points = int.from_bytes(record[18:20], "big")
    start = _RECORD_HEADER + _FACE_HEADER + points * _FEATURE_POINT + _PICTURE_HEADER
    if faces < 1 or not start < end <= len(record):
        raise ChipFileError("DG2: got a face record without a face, or whose lengths don't fit")
    return record[start:end]
