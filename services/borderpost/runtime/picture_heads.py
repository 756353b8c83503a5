"""How much work a picture's head would make of its reader, told before the reader begins.

Pillow walks over heads in Python and holds the interpreter while it does: a few megabytes of fill bytes or of empty
chunks would stop a whole service for seconds. Only counts are checked here; whether it is a picture is for the decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

JPEG: Final = b"\xff\xd8"
PNG: Final = b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN: Final = b"\xff\xda"
JP2: Final = b"\x00\x00\x00\x0cjP  \r\n\x87\n"

MAX_SEGMENTS: Final = 1_000
"""Of a JPEG before its picture data. A camera's has about 20; a large colour profile adds 16 a megabyte."""

MAX_FILL: Final = 1_024
"""Bytes between a JPEG's segments that belong to none (ITU-T T.81, B.1.1.2 allows fill bytes)."""

MAX_HEAD_BYTES: Final = 4 * 1024 * 1024
"""Of a JPEG before its picture data: colour profiles have up to 3 MB, everything else is far smaller."""

MAX_CHUNKS: Final = 10_000
"""Of a PNG. Encoders write chunks of 8 KiB and more: 1,500 in the largest picture that is taken."""

MAX_BOXES: Final = 200
"""Of a JP2 file, and of the header box in it. There are about ten."""

MAX_TILES: Final = 4_096
"""Of a JPEG 2000 picture. Each costs the decoder 30 µs or more; tiles of 64 pixels make 977 of the largest picture
that is taken."""

MAX_SCANS: Final = 64
"""Of a JPEG. Each passes over the whole picture; encoders make about ten."""


def excess_of(data: bytes) -> str | None:
    """What this picture has too much of, or None: "more than 64 scans"."""
    for start, look in _LOOKS.items():
        if data.startswith(start):
            return look(data)
    return None


def scans_of(data: bytes) -> int:
    """How many scans a JPEG has, those of pictures inside it counted too."""
    return data.count(_START_OF_SCAN)


def _jpeg(data: bytes) -> str | None:
    if scans_of(data) > MAX_SCANS:
        return f"more than {MAX_SCANS} scans"
    segments = fill = 0
    at = len(JPEG)
    while at + 4 <= len(data) and data[at : at + 2] != _START_OF_SCAN:
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0x00, 0xFF):
            fill, at = fill + 1, at + 1
        else:
            segments += 1
            alone = 0xD0 <= marker <= 0xD9 or marker == 0x01
            at += 2 if alone else 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        if segments > MAX_SEGMENTS:
            return f"more than {MAX_SEGMENTS} segments"
        if at > MAX_HEAD_BYTES:
            return f"more than {MAX_HEAD_BYTES:,} bytes before its picture data"
        if fill > MAX_FILL:
            return f"more than {MAX_FILL} bytes of fill"
    return None


def _png(data: bytes) -> str | None:
    at = len(PNG)
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return None
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return f"more than {MAX_CHUNKS} chunks"


def _jp2(data: bytes) -> str | None:
    if _boxes_exceeded(data, 0, len(data)):
        return f"more than {MAX_BOXES} boxes"
    return _j2k(data)


def _boxes_exceeded(data: bytes, at: int, end: int) -> bool:
    """Whether there are too many boxes between `at` and `end`, or within the header box among them."""
    for count, (kind, start, stop) in enumerate(_boxes(data, at, end), 1):
        inside = sum(1 for _ in _boxes(data, start, stop)) if kind == b"jp2h" else 0
        if max(count, inside) > MAX_BOXES:
            return True
    return False


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each box (ISO/IEC 15444-1, I.4), one more than allowed at most."""
    for _ in range(MAX_BOXES + 1):
        if at + 8 > end:
            return
        length, head = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if length == 0 else min(end, at + max(length, head))
        yield data[at + 4 : at + 8], at + head, stop
        at = stop


_SIZE: Final = b"\xff\x4f\xff\x51"
"""Start of a codestream and of its size segment (ISO/IEC 15444-1, A.4.1 and A.5.1)."""


def _j2k(data: bytes) -> str | None:
    at = data.find(_SIZE)
    if at < 0 or at + 40 > len(data):
        return None
    width, height, _, _, across, down, tile_left, tile_top = struct.unpack_from(">8I", data, at + 8)
    if not across or not down:
        return None  # the decoder refuses it
    columns, rows = -(-(width - tile_left) // across), -(-(height - tile_top) // down)
    return f"more than {MAX_TILES} tiles" if columns * rows > MAX_TILES else None


_LOOKS: Final[dict[bytes, Callable[[bytes], str | None]]] = {JPEG: _jpeg, PNG: _png, JP2: _jp2, _SIZE: _j2k}
