"""Requests and pictures made bad in every way that we could think of."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from PIL import Image

CANARY = "QZCANARYQZ"
"""In every text that is put in: what comes back, and what is logged, must not hold it."""

HUGE_TEXT = CANARY * 30_000
MANY = 1000

_TEXTS = {
    "empty": "",
    "huge": HUGE_TEXT,
    "control characters": f"{CANARY}\x00\x1b[31m\n",
    "right to left and beyond the plane": f"{CANARY}\u202e\U0001f6c2",
    "a path": f"../../{CANARY}",
    "a statement": f"'; DROP TABLE events; --{CANARY}",
    "a number": "-1",
    "an id in capitals": "01937B2C-8D4E-7F60-9A1B-2C3D4E5F6071",
    "an id of version 4": "3b241101-e2bb-4255-8caf-4136c566a962",
    "an id that nothing has": "01937b2c-8d4e-7f60-9a1b-2c3d4e5f6071",
}
_BYTES = {
    "empty": b"",
    "huge": CANARY.encode() * 100_000,
    "one byte": b"\x00",
    "not a number": struct.pack("<f", float("nan")) * 128,
    "infinite": struct.pack("<f", float("inf")) * 128,
    "zero": struct.pack("<f", 0.0) * 128,
    "large": struct.pack("<f", 3e38) * 128,
    "tiny": struct.pack("<f", 1e-45) * 128,
}
_REALS = {
    "not a number": float("nan"),
    "infinite": float("inf"),
    "minus infinite": float("-inf"),
    "zero": 0.0,
    "minus one": -1.0,
    "large": 1e308,
    "tiny": 5e-324,
}
_ENUMS = {"unset": 0, "unknown": 9999, "negative": -1}
_BOUNDS = {
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**63, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: (-(2**31), -1, 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), -1, 253_402_300_800, 2**63 - 1),
    FieldDescriptor.TYPE_BOOL: (False, True),
}


def spoiled(message: Message) -> Iterator[tuple[str, Message]]:
    """Yield copies of a message with one field changed, with what was changed; at every depth."""
    for field in message.DESCRIPTOR.fields:
        yield from _cleared(message, field)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _spoiled_within(message, field)
        else:
            yield from _replaced(message, field)


def spoiled_bytes(message: Message, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield bytes that are no such message, or one with fields of the wrong type."""
    whole = message.SerializeToString()
    chance = random.Random(seed)  # noqa: S311 - the same bytes each time
    for count in range(5):
        yield f"random bytes {count}", chance.randbytes(chance.randrange(1, 500))
    if whole:
        yield "truncated", whole[:-1]
        yield "with bits changed", bytes(byte ^ (chance.random() < 0.05) for byte in whole)
    yield "a group that never ends", b"\x0b" * 200
    yield "a length beyond the end", b"\x0a\xff\xff\xff\xff\x07"
    for field in message.DESCRIPTOR.fields:
        for wire, value in ((0, b"\x2a"), (1, bytes(8)), (2, b"\x04\xff\xfe\xfd\xfc"), (5, bytes(4))):
            yield f"{field.name} as wire type {wire}", _varint(field.number << 3 | wire) + value


def bad_pictures() -> dict[str, tuple[bytes, set[str]]]:
    """Pictures that are none, with the reasons that fit."""
    damaged, wrong, large = "PICTURE_DAMAGED", "PICTURE_FORMAT", "PICTURE_TOO_LARGE"
    jpeg, gif = (
        _encoded(Image.effect_noise((400, 300), 60), "JPEG"),
        _encoded(Image.new("L", (64, 64)), "GIF"),
    )
    bomb = _encoded(Image.new("1", (10_000, 5_000)), "PNG")
    assert len(bomb) < 20_000
    return {
        "empty": (b"", {"PICTURE_EMPTY"}),
        "truncated": (jpeg[: len(jpeg) // 2], {damaged}),
        "only a header": (jpeg[:20], {damaged, wrong}),
        "50 megapixels in a few kilobytes": (bomb, {large}),
        "many megapixels that aren't there": (_png_header(2**31 - 1, 2**31 - 1), {large, damaged, wrong}),
        "text": (f"This is {CANARY}, face.jpg\n".encode() * 20, {wrong}),
        "GIF": (gif, {wrong}),
        "of zero size": (_png_header(0, 0), {damaged, wrong}),
        "of one pixel": (_encoded(Image.new("RGB", (1, 1)), "PNG"), {wrong}),
        "too many bytes": (jpeg + bytes(12 * 1024 * 1024), {large}),
    }


def _cleared(message: Message, field: FieldDescriptor) -> Iterator[tuple[str, Message]]:
    copy = _copy(message)
    copy.ClearField(field.name)
    yield f"{field.name} not set", copy


def _spoiled_within(message: Message, field: FieldDescriptor) -> Iterator[tuple[str, Message]]:
    if not field.is_repeated:
        inner = getattr(message, field.name)
        for label, changed in spoiled(inner) if message.HasField(field.name) else ():
            copy = _copy(message)
            getattr(copy, field.name).CopyFrom(changed)
            yield f"{field.name}.{label}", copy
        return
    many = _copy(message)
    for _ in range(MANY):
        getattr(many, field.name).add()
    yield f"{field.name} with {MANY} empty ones", many
    for label, changed in spoiled(getattr(message, field.name)[0]) if getattr(message, field.name) else ():
        copy = _copy(message)
        getattr(copy, field.name)[0].CopyFrom(changed)
        yield f"{field.name}[0].{label}", copy


def _replaced(message: Message, field: FieldDescriptor) -> Iterator[tuple[str, Message]]:
    for label, value in _values(field).items():
        copy = _copy(message)
        if field.is_repeated:
            getattr(copy, field.name)[:] = [value]
        else:
            setattr(copy, field.name, value)
        yield f"{field.name} {label}", copy
    if field.is_repeated:
        copy = _copy(message)
        value = next(iter(_values(field).values()))
        getattr(copy, field.name)[:] = [value] * MANY
        yield f"{field.name} with {MANY} of them", copy


def _values(field: FieldDescriptor) -> dict[str, Any]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _TEXTS
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _BYTES
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _REALS
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _ENUMS
    return {str(value): value for value in _BOUNDS[field.type]}


def _copy(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _varint(number: int) -> bytes:
    digits = []
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
