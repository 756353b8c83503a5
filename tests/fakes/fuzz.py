"""Requests made at random from the protos: by their grammar, by spoiling good ones, and by spoiling bytes on the wire.

Seeded: the same seed and number make the same request, so that a failure can be run again by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

DEEPEST: Final = 4
"""Messages within messages."""

TEXTS: Final = (
    "",
    " ",
    "x",
    "P",
    "UTO",
    "north",
    "kiosk/nowhere/1",
    "é",
    "\u202e\u0000\n",
    "𝔘" * 40,
    "a" * 5_000,
    "'; DROP TABLE log; --",
    "../../etc/passwd",
    "%s%n{0}",
    "9999-99-99",
    "00000000-0000-7000-8000-000000000000",
    "NaN",
)
NUMBERS: Final = (
    0,
    1,
    -1,
    2,
    9,
    10,
    127,
    255,
    500,
    501,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**53,
    2**63 - 1,
    -(2**63),
)
FLOATS: Final = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e308, float("inf"), float("-inf"), float("nan"))
BLOBS: Final = (
    b"",
    b"\x00",
    b"\xff\xd8\xff\xe0" + bytes(60),
    b"\x89PNG\r\n\x1a\n" + bytes(60),
    b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(60),
    b"\x30\x80" * 50,
    bytes(32),
    bytes(64),
    b"\xff" * 3_000,
)

_INTEGERS: Final = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}


class Fuzz:
    """Makes requests with one random generator."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  reproducible

    def request(self, kind: type[Message], good: Callable[[], Message]) -> bytes:
        """Make a request of a kind: `good` makes one that its method answers."""
        way = self._random.random()
        if way < 0.35:
            return self.grammatical(kind)
        made = good()
        for _ in range(self._random.randint(1, 3)):
            self.spoil(made)
        content = made.SerializeToString()
        return self.spoiled_bytes(content) if way > 0.75 else content

    def grammatical(self, kind: type[Message]) -> bytes:
        """A message whose fields are set at random, each within its type."""
        message = kind()
        self._fill(message, 0)
        return message.SerializeToString()

    def spoil(self, message: Message) -> None:
        """Set, clear or repeat one field, somewhere in a message."""
        fields = list(message.DESCRIPTOR.fields)
        if not fields:
            return
        field = self._random.choice(fields)
        within = _is_message(field) and not field.is_repeated and message.HasField(field.name)
        if within and self._random.random() < 0.7:
            self.spoil(getattr(message, field.name))
        elif self._random.random() < 0.25:
            message.ClearField(field.name)
        else:
            message.ClearField(field.name)
            self._set(message, field, 1)

    def spoiled_bytes(self, content: bytes) -> bytes:
        """Cut, flip, double, mix or lengthen bytes on the wire."""
        if not content:
            return bytes(self._random.randrange(256) for _ in range(self._random.randint(1, 40)))
        place = self._random.randrange(len(content))
        kind = self._random.randrange(5)
        if kind == 0:
            return content[:place]
        if kind == 1:
            flipped = bytearray(content)
            for _ in range(self._random.randint(1, 8)):
                flipped[self._random.randrange(len(flipped))] ^= 1 << self._random.randrange(8)
            return bytes(flipped)
        if kind == 2:
            return content + content[place:]
        if kind == 3:
            return content[place:] + content[:place]
        return content + self._random.choice(
            (b"\x0b" * 90, b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", bytes(9))
        )

    def _fill(self, message: Message, depth: int) -> None:
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < 0.6:
                self._set(message, field, depth)

    def _set(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if _is_map(field):
            return
        if field.is_repeated:
            many = getattr(message, field.name)
            for _ in range(self._random.choice((0, 1, 1, 2, 3, 40))):
                self._add(many, field, depth)
        elif _is_message(field):
            if depth < DEEPEST:
                inner = getattr(message, field.name)
                inner.SetInParent()
                self._fill(inner, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _add(self, many: Any, field: FieldDescriptor, depth: int) -> None:
        if not _is_message(field):
            many.append(self._value(field))
        elif depth < DEEPEST:
            self._fill(many.add(), depth + 2)

    def _value(self, field: FieldDescriptor) -> Any:
        kind = field.type
        if kind in _INTEGERS:
            low, high = _INTEGERS[kind]
            return min(high, max(low, self._random.choice(NUMBERS)))
        if kind == FieldDescriptor.TYPE_BOOL:
            return self._random.random() < 0.5
        if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
            return self._random.choice(FLOATS)
        if kind == FieldDescriptor.TYPE_ENUM:
            return self._random.choice((0, 1, 2, 3, 99, -1, 2**31 - 1))
        if kind == FieldDescriptor.TYPE_BYTES:
            return self._random.choice(BLOBS)
        return self._id() if self._random.random() < 0.3 else self._random.choice(TEXTS)

    def _id(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _is_message(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE


def _is_map(field: FieldDescriptor) -> bool:
    of: Descriptor | None = field.message_type
    return of is not None and of.GetOptions().map_entry
