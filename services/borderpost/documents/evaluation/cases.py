"""The pictures that are read: every page under every degradation, and pictures that show no whole zone."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2

from borderpost.documents.evaluation import degradations
from borderpost.documents.evaluation.answers import Lines
from borderpost.documents.evaluation.degradations import (
    KINDS,
    PARTIAL,
    SIZES,
    Kind,
    Page,
    Strength,
    degrade,
    two_pages,
)
from borderpost.documents.evaluation.pages import Original

CLEAN: Final = "clean"
TWO_PAGES: Final = "two documents"


@dataclass(frozen=True, slots=True)
class Case:
    """One picture to read: a page with `change` done to it, or as it is, or with `other` below it."""

    original: Original
    change: tuple[Kind, Strength] | None = None
    other: Original | None = None

    @property
    def column(self) -> str:
        """What was done to the page."""
        return column(*self.change) if self.change else TWO_PAGES if self.other else CLEAN

    @property
    def truths(self) -> tuple[Lines, ...]:
        """What the zones in the picture say."""
        return tuple(page.lines for page in (self.original, self.other) if page)

    def jpeg(self) -> bytes:
        """Make the picture."""
        if self.change is not None:
            return degrade(_page(self.original), *self.change)
        if self.other is not None:
            return two_pages(_page(self.original), _page(self.other))
        return self.original.file.read_bytes()

    @property
    def key(self) -> str:
        """A digest of all that makes the picture."""
        parts = (self.column, self.original.name, _digest(self.original.file), _making())
        second = (self.other.name, _digest(self.other.file)) if self.other else ()
        return hashlib.sha256(repr((parts, second)).encode()).hexdigest()


def column(kind: Kind, strength: Strength) -> str:
    """The name of a degradation at a strength."""
    return f"{kind.name}, {strength.value}" if len(kind.levels) > 1 else kind.name


def degraded(pages: Sequence[Original], strengths: Sequence[Strength]) -> Iterator[Case]:
    """Every page as it is and under every published degradation."""
    for page in pages:
        yield Case(page)
        yield from (Case(page, (kind, strength)) for kind in KINDS for strength in strengths)


def resized(pages: Sequence[Original]) -> Iterator[Case]:
    """Every page at further sizes."""
    for page in pages:
        yield from (Case(page, (kind, strength)) for kind in SIZES for strength in kind.levels)


def partial(pages: Sequence[Original]) -> Iterator[Case]:
    """Pictures that show no whole zone, and two documents in one."""
    for page in pages:
        yield from (Case(page, (kind, strength)) for kind in PARTIAL for strength in kind.levels)
    for page, other in zip(pages[::2], pages[1::2], strict=False):
        yield Case(page, other=other)


@functools.lru_cache(maxsize=2)
def _page(original: Original) -> Page:
    return original.page()


@functools.lru_cache(maxsize=1000)
def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@functools.lru_cache(maxsize=1)
def _making() -> str:
    code = hashlib.sha256(Path(degradations.__file__).read_bytes()).hexdigest()
    return f"{code} {cv2.__version__}"
