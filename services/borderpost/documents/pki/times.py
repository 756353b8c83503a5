"""Times in certificates, lists and signatures: UTCTime or GeneralizedTime (RFC 5280, 4.1.2.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def utc_of(time: Any) -> datetime:
    """Return the time of asn1crypto's Time in UTC; one that names no zone is UTC. Raises ValueError."""
    native = time.chosen.native
    if not isinstance(native, datetime):  # asn1crypto's own kind, for the year 0
        raise ValueError("time: got one that no calendar has")
    return native.replace(tzinfo=UTC) if native.tzinfo is None else native.astimezone(UTC)
