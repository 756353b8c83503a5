"""What checkpoints and proofs need from outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class CheckpointStore(Protocol):
    """The checkpoints that were made. Every method may be called from many threads. UnavailableError."""

    def add(self, size: int, note: str, made_at: datetime) -> str:
        """Keep a checkpoint; return the one that is kept of this size, which another service may have made first."""
        ...

    def newest(self) -> tuple[int, str] | None:
        """The largest: its size and its note."""
        ...

    def of(self, size: int) -> str | None:
        """The note of this size."""
        ...

    def change(self, size: int, changed: Callable[[str], str]) -> str:
        """Put what `changed` makes of a note in its place, while nobody else does; return it. KeyError: there is
        none."""
        ...
