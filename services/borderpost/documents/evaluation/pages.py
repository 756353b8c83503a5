"""The pages that are measured: development pictures with known zones, and specimens made for the purpose."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.documents import mrz
from borderpost.documents.evaluation.degradations import PITCH_MM, Page
from borderpost.documents.evaluation.errors import EvaluationDataError
from borderpost.runtime.pictures import decode_picture
from borderpost.specimens.batch import random_specimen
from borderpost.specimens.layouts import LINE_SPACING, layout_of
from borderpost.specimens.pages import mrz_lines, picture
from borderpost.specimens.paper import PIXELS_PER_MM

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


SPECIMEN_SEED: Final = "pages for the evaluation"
"""No page of another purpose is drawn from this seed."""

SPECIMEN_QUALITY: Final = 92


@dataclass(frozen=True, slots=True)
class Original:
    """A page as it was before anything was done to it: a picture file, and what its zone says.

    `group` is its state or its format; `name` begins with it. `zone` is left, top, right, bottom in pixels.
    """

    name: str
    group: str
    file: Path
    lines: tuple[str, ...]
    zone: tuple[float, float, float, float]

    def page(self) -> Page:
        """The decoded page, to degrade."""
        rgb = decode_picture(self.file.read_bytes(), self.name)
        return Page(self.name, rgb, self.zone, len(self.lines), len(self.lines[0]))


def development_pages(folder: Path, each: int | None = None) -> list[Original]:
    """The first `each` pages of every state of the development pictures (all where None).

    Raises EvaluationDataError.
    """
    pages = [
        Original(f"{state}/{file.stem}", state, file, _lines(file.with_suffix(".txt")), ZONES[state])
        for state in (*SEEN, *HELD_OUT)
        for file in sorted((folder / state).glob("*.jpg"))[:each]
    ]
    if not pages:
        raise EvaluationDataError(f"{folder}: got no page, want STATE/NN.jpg with NN.txt beside it")
    return pages


def specimen_pages(folder: Path, each: int) -> list[Original]:
    """Draw `each` random specimens of every format, always the same, and write their pages into `folder`."""
    return [page for layout in mrz.FORMATS for page in _specimens(folder, layout, each)]


def _specimens(folder: Path, layout: mrz.Format, each: int) -> Iterator[Original]:
    source = random.Random(f"{SPECIMEN_SEED} {layout.name}")  # noqa: S311  repeatable pages, nothing secret
    (folder / layout.name).mkdir(parents=True, exist_ok=True)
    for number in range(each):
        specimen = random_specimen(source, layout)
        lines = mrz_lines(specimen)
        file = folder / layout.name / f"{number:02d}.jpg"
        truth = file.with_suffix(".txt")
        if not (truth.exists() and _lines(truth) == lines):
            picture(specimen).save(file, "JPEG", quality=SPECIMEN_QUALITY)
            truth.write_text("\n".join(lines), encoding="ascii")
        yield Original(f"{layout.name}/{number:02d}", layout.name, file, lines, _specimen_zone(layout))


def _specimen_zone(layout: mrz.Format) -> tuple[float, float, float, float]:
    place = layout_of(layout)
    half = LINE_SPACING / 4
    corners = (
        place.mrz_left,
        place.line_centres[0] - half,
        place.mrz_left + layout.width * PITCH_MM,
        place.line_centres[-1] + half,
    )
    left, top, right, bottom = (millimetres * PIXELS_PER_MM for millimetres in corners)
    return left, top, right, bottom


def _lines(file: Path) -> tuple[str, ...]:
    return tuple(file.read_text(encoding="ascii").split())
