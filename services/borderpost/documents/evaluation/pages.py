"""The pages that are measured: development pictures with known zones, and specimens made for the purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.documents.evaluation.degradations import Page
from borderpost.documents.evaluation.errors import EvaluationDataError
from borderpost.runtime.pictures import decode_picture

SEEN: Final = ("BEL", "BGR", "BLR", "CAN", "CHL", "CHN")
"""States whose pages were looked at while the reader was made."""

HELD_OUT: Final = ("D", "DOM", "ESP", "EST", "GBR", "IDN")
"""States whose pages were not."""

ZONES: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "BEL": (321, 1274, 1976, 1406),
    "BGR": (306, 1247, 1989, 1384),
    "BLR": (242, 1264, 2016, 1426),
    "CAN": (326, 1262, 1948, 1401),
    "CHL": (311, 1220, 1961, 1367),
    "CHN": (339, 1277, 2023, 1428),
    "D": (332, 1201, 2051, 1356),
    "DOM": (344, 1242, 2024, 1367),
    "ESP": (271, 1297, 2023, 1438),
    "EST": (331, 1308, 1954, 1453),
    "GBR": (294, 1288, 2003, 1418),
    "IDN": (296, 1235, 1914, 1384),
}
"""Left, top, right, bottom of the zone in every page of a state, in pixels: pages of a state are of one template."""


@dataclass(frozen=True, slots=True)
class Original:
    """A page as it was before anything was done to it. `group` is its state or its format.

    `picture` is a file's bytes, and `lines` are what its zone says.
    """

    name: str
    group: str
    picture: bytes
    lines: tuple[str, ...]
    zone: tuple[float, float, float, float]

    def page(self) -> Page:
        """The decoded page, to degrade."""
        rgb = decode_picture(self.picture, self.name)
        return Page(self.name, rgb, self.zone, len(self.lines), len(self.lines[0]))


def development_pages(folder: Path) -> list[Original]:
    """Every page of the development pictures, by state and number. Raises EvaluationDataError."""
    pages = [
        Original(
            f"{state}/{file.stem}",
            state,
            file.read_bytes(),
            tuple(file.with_suffix(".txt").read_text(encoding="ascii").split()),
            ZONES[state],
        )
        for state in (*SEEN, *HELD_OUT)
        for file in sorted((folder / state).glob("*.jpg"))
    ]
    if not pages:
        raise EvaluationDataError(f"{folder}: got no page, want STATE/NN.jpg with NN.txt beside it")
    return pages
