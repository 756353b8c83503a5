"""What looking back needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from borderpost.decisions.domain import Lookup
from borderpost.v1.decisions_pb2 import Event


@dataclass(frozen=True, slots=True)
class Earlier:
    """A screening in the log: its place, and its event."""

    index: int
    event: Event


class RecentStore(Protocol):
    """Screenings by what they are found by. Sees every screening that was acknowledged before it was asked: what they
    are found by is written together with them. Raises UnavailableError.
    """

    def screenings(
        self, lookup: Lookup, since: datetime, limit: int, without: Lookup | None = None
    ) -> list[Earlier]:
        """Return the newest `limit` screenings that are found by this, not by `without`, and that the log took since
        then, newest first."""
        ...

    def portraits(self, indexes: Sequence[int]) -> Mapping[int, bytes]:
        """Return the keyed hashes of the chips' portraits of those of these screenings that had one."""
        ...
