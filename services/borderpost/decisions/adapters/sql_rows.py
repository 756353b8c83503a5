"""Rows of table `log`, and times as they are kept in tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from borderpost.decisions.domain import Record

RECORD_COLUMNS: Final = "idx, logged_at, event, leaf_sha256"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(time: int) -> datetime:
    """The time, in UTC."""
    return _EPOCH + timedelta(microseconds=time)


def record_of(row: Any) -> Record:
    """Read a row of `RECORD_COLUMNS`."""
    return Record(
        row["idx"], from_microseconds(row["logged_at"]), blob(row["event"]), blob(row["leaf_sha256"])
    )


def blob(value: object) -> bytes:
    """Return what should be a blob. In a damaged file it can be anything, which then fails its hash."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
