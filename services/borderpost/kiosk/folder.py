"""A camera that is a folder: travelers as pictures in files, for a simulated kiosk.

A traveler is a sub-folder, or a beginning that files share: `page*.jpg` (the data page; also page*.png), `other*.jpg`
(the other side of a card), `live*.jpg` (the face, one to eight), and a folder `chip` as `borderpost specimen-chip`
makes it. A file `declined` says that the traveler declines face matching.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.runtime.errors import BorderpostError

MOST_FRAMES: Final = 8
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".jp2"})


class NoTravelersError(BorderpostError):
    """A folder holds no traveler."""

    reason = "NO_TRAVELERS"


@dataclass(frozen=True, slots=True)
class Posed:
    """A traveler in a folder: files to read when they stand before the kiosk."""

    name: str
    page: Path | None
    other_side: Path | None
    live: tuple[Path, ...]
    chip: Path | None
    declined: bool


def travelers(folder: Path) -> Iterator[Posed]:
    """Give the travelers of a folder by their names: the folder itself, if it is one, or its sub-folders. Raises
    NoTravelersError."""
    folders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "chip")]
    found = [posed for posed in map(_posed, folders) if posed is not None]
    if not found:
        raise NoTravelersError(
            f"{folder}: got no traveler, want sub-folders with page.jpg and live.jpg (docs/kiosk.md)"
        )
    yield from found


def _posed(folder: Path) -> Posed | None:
    pages, others = _pictures(folder, "page"), _pictures(folder, "other")
    chip = folder / "chip"
    if not pages and not chip.is_dir():
        return None
    return Posed(
        folder.name,
        pages[0] if pages else None,
        others[0] if others else None,
        tuple(_pictures(folder, "live")[:MOST_FRAMES]),
        chip if chip.is_dir() else None,
        (folder / "declined").exists(),
    )


def _pictures(folder: Path, beginning: str) -> list[Path]:
    return sorted(
        path for path in folder.glob(f"{beginning}*") if path.is_file() and path.suffix.lower() in SUFFIXES
    )
