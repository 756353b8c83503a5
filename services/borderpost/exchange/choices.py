"""What a reader is told beside the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from borderpost.exchange.fields import Defaults


@dataclass(frozen=True, slots=True)
class Choices:
    """How a file is to be read.

    `folder`: where paths of pictures begin. `delimiter`: of CSV; empty: told by the header. `topics`: of
    FollowTheMoney, only people with one of these; empty: all.
    """

    folder: Path
    defaults: Defaults = field(default_factory=Defaults)
    delimiter: str = ""
    topics: frozenset[str] = frozenset()
