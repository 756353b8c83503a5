"""The five formats of specimen pages as a table: sizes and zones of ICAO Doc 9303, parts 4 to 7.

A new format is a row here. All lengths are millimetres from the left and upper edge of the page, unless said
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from borderpost.documents import mrz

Box = tuple[float, float, float, float]
"""Left, top, width and height."""

LINE_SPACING: Final = 6.35
"""Between the middles of two lines of the zone: a quarter of an inch (ICAO Doc 9303-4, appendix A)."""

LOWEST_OF_TWO: Final = 9.4
"""Middle of the lower of two lines above the page's lower edge (ICAO Doc 9303-4, appendix A)."""

LOWEST_OF_THREE: Final = 5.25
"""The same of three lines: chosen so that the lines are in the middle of their zone."""

ZONE_HEIGHT: Final = 23.2
"""Height of the zone at the foot of the page, which holds nothing else (ICAO Doc 9303-4 to -7, MRZ dimensions)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a printed field begins, its label, and which of `pages.printed_values` it shows."""

    x: float
    y: float
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How pages of one format look.

    `mrz_left` is the left edge of the first character, `lowest_line` the middle of the last line above the
    lower edge. `ghost` is a second, small and faint portrait, as many documents have; None for none.
    `code` is the usual document code. With `two_sides` the portrait is on a side of its own, whose fields are
    `fields`, and `back_fields` are on the side with the MRZ.
    """

    format: mrz.Format
    size: tuple[float, float]
    code: str
    title: str
    header: float
    portrait: Box
    ghost: Box | None
    mrz_left: float
    lowest_line: float
    fields: tuple[Place, ...]
    two_sides: bool = False
    back_fields: tuple[Place, ...] = ()
    corner_radius: float = 0.0

    @property
    def line_centres(self) -> tuple[float, ...]:
        """Middle of each line of the zone from the page's upper edge, first line first."""
        lowest = self.size[1] - self.lowest_line
        return tuple(lowest - LINE_SPACING * (self.format.rows - 1 - row) for row in range(self.format.rows))


_TD3: Final = Layout(
    format=mrz.TD3,
    size=(125.0, 88.0),
    code="P",
    title="PASSPORT   ·   PASSEPORT",
    header=13.5,
    portrait=(6.0, 17.0, 35.0, 45.0),
    ghost=(101.0, 49.0, 10.0, 12.9),
    mrz_left=6.0,
    lowest_line=LOWEST_OF_TWO,
    fields=(
        Place(46.0, 17.0, "Type", "code"),
        Place(62.0, 17.0, "Code of issuing state", "state"),
        Place(94.0, 17.0, "Passport No.", "number"),
        Place(46.0, 24.5, "Surname", "surname"),
        Place(46.0, 32.0, "Given names", "given_names"),
        Place(46.0, 39.5, "Nationality", "nationality"),
        Place(66.0, 39.5, "Date of birth", "birth_date"),
        Place(46.0, 47.0, "Sex", "sex"),
        Place(66.0, 47.0, "Place of birth", "place_of_birth"),
        Place(46.0, 54.5, "Date of issue", "issue_date"),
        Place(73.0, 54.5, "Date of expiry", "expiry_date"),
    ),
)

_TD2: Final = Layout(
    format=mrz.TD2,
    size=(105.0, 74.0),
    code="I",
    title="IDENTITY CARD",
    header=10.0,
    portrait=(5.0, 12.5, 28.0, 36.0),
    ghost=(90.0, 36.0, 9.0, 11.6),
    mrz_left=6.0,
    lowest_line=LOWEST_OF_TWO,
    fields=(
        Place(37.0, 12.5, "Code", "code"),
        Place(48.0, 12.5, "State", "state"),
        Place(62.0, 12.5, "Document No.", "number"),
        Place(37.0, 19.0, "Surname", "surname"),
        Place(37.0, 25.5, "Given names", "given_names"),
        Place(37.0, 32.0, "Nationality", "nationality"),
        Place(53.0, 32.0, "Date of birth", "birth_date"),
        Place(78.0, 32.0, "Sex", "sex"),
        Place(37.0, 38.5, "Date of issue", "issue_date"),
        Place(62.0, 38.5, "Date of expiry", "expiry_date"),
        Place(37.0, 45.0, "Place of birth", "place_of_birth"),
    ),
)

_TD1: Final = Layout(
    format=mrz.TD1,
    size=(85.6, 54.0),
    code="I",
    title="IDENTITY CARD",
    header=9.0,
    portrait=(4.5, 12.5, 28.0, 36.0),
    ghost=(70.5, 37.0, 9.0, 11.6),
    mrz_left=4.0,
    lowest_line=LOWEST_OF_THREE,
    fields=(
        Place(36.0, 11.5, "Document No.", "number"),
        Place(36.0, 18.0, "Surname", "surname"),
        Place(36.0, 24.5, "Given names", "given_names"),
        Place(36.0, 31.0, "Nationality", "nationality"),
        Place(52.0, 31.0, "Date of birth", "birth_date"),
        Place(75.0, 31.0, "Sex", "sex"),
        Place(36.0, 37.5, "Date of expiry", "expiry_date"),
        Place(36.0, 44.0, "Place of birth", "place_of_birth"),
    ),
    two_sides=True,
    back_fields=(
        Place(5.0, 6.0, "Authority", "authority"),
        Place(5.0, 13.0, "Date of issue", "issue_date"),
        Place(32.0, 13.0, "Code of issuing state", "state"),
        Place(60.0, 13.0, "Type", "code"),
        Place(5.0, 20.0, "Residence", "residence"),
    ),
    corner_radius=3.18,
)

_MRV_A: Final = Layout(
    format=mrz.MRV_A,
    size=(120.0, 80.0),
    code="V",
    title="VISA",
    header=11.5,
    portrait=(6.0, 14.5, 30.0, 38.6),
    ghost=None,
    mrz_left=6.0,
    lowest_line=LOWEST_OF_TWO,
    fields=(
        Place(41.0, 14.5, "Type", "code"),
        Place(56.0, 14.5, "Valid for", "state"),
        Place(84.0, 14.5, "Visa No.", "number"),
        Place(41.0, 21.5, "Surname", "surname"),
        Place(41.0, 28.5, "Given names", "given_names"),
        Place(41.0, 35.5, "From", "issue_date"),
        Place(68.0, 35.5, "Until", "expiry_date"),
        Place(95.0, 35.5, "Entries", "entries"),
        Place(41.0, 42.5, "Date of birth", "birth_date"),
        Place(68.0, 42.5, "Sex", "sex"),
        Place(84.0, 42.5, "Nationality", "nationality"),
        Place(41.0, 49.5, "Place of issue", "place_of_issue"),
        Place(84.0, 49.5, "Duration of stay", "stay"),
    ),
)

_MRV_B: Final = Layout(
    format=mrz.MRV_B,
    size=(105.0, 74.0),
    code="V",
    title="VISA",
    header=10.0,
    portrait=(5.0, 12.5, 28.0, 36.0),
    ghost=None,
    mrz_left=6.0,
    lowest_line=LOWEST_OF_TWO,
    fields=(
        Place(37.0, 12.5, "Type", "code"),
        Place(48.0, 12.5, "Valid for", "state"),
        Place(72.0, 12.5, "Visa No.", "number"),
        Place(37.0, 19.0, "Surname", "surname"),
        Place(37.0, 25.5, "Given names", "given_names"),
        Place(37.0, 32.0, "From", "issue_date"),
        Place(60.0, 32.0, "Until", "expiry_date"),
        Place(86.0, 32.0, "Entries", "entries"),
        Place(37.0, 38.5, "Date of birth", "birth_date"),
        Place(60.0, 38.5, "Sex", "sex"),
        Place(72.0, 38.5, "Nationality", "nationality"),
        Place(37.0, 45.0, "Place of issue", "place_of_issue"),
        Place(72.0, 45.0, "Duration of stay", "stay"),
    ),
)

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {layout.format.name: layout for layout in (_TD1, _TD2, _TD3, _MRV_A, _MRV_B)}
)
"""By the name of the format."""


def layout_of(layout: mrz.Format) -> Layout:
    """Look the layout of a format up."""
    return LAYOUTS[layout.name]
