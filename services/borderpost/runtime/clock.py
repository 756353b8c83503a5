"""Time and ids, both passed in where they are used, so that tests and replays can say what they are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Protocol

import uuid_utils
from google.protobuf.timestamp_pb2 import Timestamp

_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time now, in UTC, with its time zone."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


def new_id() -> str:
    """Make a UUIDv7 (RFC 9562, 5.7) in canonical text form; later ones sort after earlier ones."""
    return str(uuid_utils.uuid7())


def is_id(text: str) -> bool:
    """Tell whether `text` is a UUIDv7 in canonical text form."""
    return _UUID7.fullmatch(text) is not None


def to_timestamp(time: datetime) -> Timestamp:
    """Turn a time with a time zone into protobuf's."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime:
    """Turn protobuf's time into one in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)
