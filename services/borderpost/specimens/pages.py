"""Specimen travel documents of Utopia in all five formats of ICAO Doc 9303, rendered.

Each says SPECIMEN on its face and names the issuer UTO, which no country has.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageOps

from borderpost.documents import mrz
from borderpost.documents.mrz import PartialDate
from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.states import SPECIMEN_STATE, STATE_CODES
from borderpost.specimens import ocrb
from borderpost.specimens.layouts import Box, Layout, Place, layout_of
from borderpost.specimens.paper import PAPER, PIXELS_PER_MM, STATE_COLOUR, font, paper, px

__all__ = [
    "FORMATS",
    "NATIONALITIES",
    "PartialDate",
    "Specimen",
    "mrz_lines",
    "picture",
    "portrait_side",
    "render",
    "to_jpeg",
    "wrong_digits_of",
]

MARGIN_IN_PITCH_MM: Final = (ocrb.PITCH - ocrb.WIDTH - ocrb.STROKE) / 2 / ocrb.UNITS_PER_MM
"""What the first character's pitch leaves free on its left."""

FORMATS: Final[Mapping[str, mrz.Format]] = {layout.name: layout for layout in mrz.FORMATS}
"""By their names: TD1, TD2, TD3, MRV-A, MRV-B."""

NATIONALITIES: Final = STATE_CODES
"""What `Specimen.nationality` may be in a document that passes."""

VALID_YEARS: Final = 5
"""The printed date of issue is so long before the expiry."""

HEAD_IS_HIGH: Final = 0.1
"""Of what a tall picture has too much, this share is cut off above: heads are near the top."""

GHOST_OPACITY: Final = 0.45

JPEG_QUALITY: Final = 92
DOTS_PER_INCH: Final = (488, 488)

INK: Final = (24, 28, 36)
LABEL: Final = (74, 104, 118)
LABEL_MM: Final = 1.8
VALUE_MM: Final = 2.8
LABEL_BASE_MM: Final = 1.5
VALUE_BASE_MM: Final = 4.6
"""Base lines below the place of a field."""

RIGHT_MARGIN_MM: Final = 3.0


@dataclass(frozen=True, slots=True)
class Specimen:
    """A traveler of Utopia, and what is wrong with the document.

    `portrait` is a picture in any format that Pillow reads; `portrait_box` cuts a part of it (left, top,
    right, bottom, in pixels), otherwise the largest part of the layout's proportions, from near the top of a
    tall picture. `document_code` is the format's usual one where None. `birth_date` may have unknown parts.
    A document number of more than nine characters needs TD1 or TD2. `optional_data_2` is for TD1's second
    line. `wrong_digits` names the check digits that are printed wrongly, as `mrz.CheckRule.field` does; the
    composite digit then fits the wrong ones, unless it is named too.
    """

    surname: str
    given_names: str
    document_number: str
    birth_date: datetime.date | PartialDate
    sex: mrz.Sex
    expiry_date: datetime.date
    portrait: bytes
    nationality: str = SPECIMEN_STATE
    optional_data: str = ""
    place_of_birth: str = "Zenith"
    portrait_box: tuple[int, int, int, int] | None = None
    wrong_digits: tuple[str, ...] = ()
    format: mrz.Format = mrz.TD3
    document_code: str | None = None
    optional_data_2: str = ""


def mrz_lines(specimen: Specimen) -> tuple[str, ...]:
    """Return the lines of the specimen's MRZ, with the faults asked for.

    Raises MrzShapeError for values that fit no field, and ValueError for a name in `wrong_digits` that the
    format has no digit for.
    """
    fields = mrz.MrzFields(
        document_code=_code(specimen),
        issuing_state=SPECIMEN_STATE,
        surname=to_mrz_letters(specimen.surname),
        given_names=to_mrz_letters(specimen.given_names),
        document_number=specimen.document_number,
        nationality=specimen.nationality,
        birth_date=_parts(specimen.birth_date),
        sex=specimen.sex,
        expiry_date=_parts(specimen.expiry_date),
        optional_data=(specimen.optional_data, specimen.optional_data_2),
    )
    lines = mrz.emit(fields, specimen.format)
    known = wrong_digits_of(specimen.format)
    unknown = set(specimen.wrong_digits) - set(known)
    if unknown:
        raise ValueError(f"wrong_digits: got {', '.join(sorted(unknown))}, want of {', '.join(known)}")
    for name in sorted(specimen.wrong_digits, key=known.index):  # the composite digit comes last
        lines = _with_wrong_digit(lines, specimen, name)
    return lines


def wrong_digits_of(layout: mrz.Format) -> tuple[str, ...]:
    """Return what `Specimen.wrong_digits` may name in a format."""
    return tuple(rule.field for rule in layout.checks)


def picture(
    specimen: Specimen, line_mask: Callable[[str, float], Image.Image] = ocrb.line_mask
) -> Image.Image:
    """Render the page that has the MRZ, in RGB. Raises as `mrz_lines` does.

    `line_mask` draws a line of the zone from its text and the pixels of a millimetre.
    """
    layout = layout_of(specimen.format)
    page = paper(layout, with_mrz=True).copy()
    if layout.two_sides:
        _draw_fields(page, specimen, layout.back_fields)
    else:
        _draw_face(page, specimen, layout)
    for line, centre in zip(mrz_lines(specimen), layout.line_centres, strict=True):
        mask = line_mask(line, PIXELS_PER_MM)
        # Digits reach the mask's upper edge, so its middle is theirs.
        place = (px(layout.mrz_left) - px(MARGIN_IN_PITCH_MM), px(centre) - mask.height // 2)
        page.paste(INK, place, mask)
    return page


def portrait_side(specimen: Specimen) -> Image.Image:
    """Render the page that has the portrait: TD1's other side, and the same page for all others."""
    layout = layout_of(specimen.format)
    if not layout.two_sides:
        return picture(specimen)
    page = paper(layout, with_mrz=False).copy()
    _draw_face(page, specimen, layout)
    return page


def render(specimen: Specimen) -> bytes:
    """Render the page with the MRZ as a JPEG of 488 dpi. Raises as `mrz_lines` does."""
    return to_jpeg(picture(specimen))


def to_jpeg(page: Image.Image) -> bytes:
    """Encode a page."""
    out = io.BytesIO()
    page.save(out, "JPEG", quality=JPEG_QUALITY, dpi=DOTS_PER_INCH)
    return out.getvalue()


def printed_values(specimen: Specimen) -> Mapping[str, str]:
    """Return what the printed fields say, by the names that `Place.value` uses."""
    expiry = specimen.expiry_date
    issued = expiry.replace(year=expiry.year - VALID_YEARS, day=min(expiry.day, 28))
    return {
        "code": _code(specimen),
        "state": SPECIMEN_STATE,
        "number": specimen.document_number,
        "surname": specimen.surname.upper(),
        "given_names": specimen.given_names.upper(),
        "nationality": specimen.nationality,
        "birth_date": _printed(_parts(specimen.birth_date)),
        "sex": specimen.sex.value.replace(mrz.FILLER, "X"),
        "place_of_birth": specimen.place_of_birth.upper(),
        "issue_date": _printed(_parts(issued)),
        "expiry_date": _printed(_parts(expiry)),
        "authority": "DEPARTMENT OF SPECIMENS",
        "residence": "1 NOWHERE LANE, ZENITH",
        "place_of_issue": "ZENITH",
        "entries": "MULT",
        "stay": "90 DAYS",
    }


def _code(specimen: Specimen) -> str:
    if specimen.document_code is None:
        return layout_of(specimen.format).code
    return specimen.document_code


def _parts(date: datetime.date | PartialDate) -> PartialDate:
    return date if isinstance(date, PartialDate) else PartialDate(date.year, date.month, date.day)


def _with_wrong_digit(lines: tuple[str, ...], specimen: Specimen, name: str) -> tuple[str, ...]:
    layout = specimen.format
    rule = next(rule for rule in layout.checks if rule.field == name)
    row, position = rule.digit.line, rule.digit.start
    number = layout.field("document_number").span
    excess = len(specimen.document_number) - (number.end - number.start)
    if name == "document_number" and excess > 0:  # the digit follows the number into the optional data
        optional = layout.field("optional_data").span
        row, position = optional.line, optional.start + excess
    right = lines[row][position]
    wrong = str((int(right) + 1) % 10) if right.isdigit() else "1"
    lines = _replaced(lines, row, position, wrong)
    composite = layout.checks[-1]
    if composite.field == "composite" and name != "composite":
        covered = "".join(lines[span.line][span.start : span.end] for span in composite.covers)
        digit = str(mrz.check_digit(covered))
        lines = _replaced(lines, composite.digit.line, composite.digit.start, digit)
    return lines


def _replaced(lines: tuple[str, ...], row: int, position: int, char: str) -> tuple[str, ...]:
    changed = lines[row][:position] + char + lines[row][position + 1 :]
    return (*lines[:row], changed, *lines[row + 1 :])


def _draw_face(page: Image.Image, specimen: Specimen, layout: Layout) -> None:
    _draw_portrait(page, specimen, layout)
    _draw_fields(page, specimen, layout.fields)


def _draw_fields(page: Image.Image, specimen: Specimen, places: tuple[Place, ...]) -> None:
    draw = ImageDraw.Draw(page)
    values = printed_values(specimen)
    for place in places:
        left = px(place.x)
        text = _printable(values[place.value])
        size = _fitting(draw, text, page.width - left - px(RIGHT_MARGIN_MM))
        label, value = (left, px(place.y + LABEL_BASE_MM)), (left, px(place.y + VALUE_BASE_MM))
        draw.text(label, place.label, font=font(LABEL_MM), fill=LABEL, anchor="ls")
        draw.text(value, text, font=font(size), fill=INK, anchor="ls")


def _fitting(draw: ImageDraw.ImageDraw, text: str, room: int) -> float:
    """Return the height of letters, in mm, at which the text is no wider than `room` pixels."""
    wide = draw.textlength(text, font=font(VALUE_MM))
    return VALUE_MM if wide <= room else round(VALUE_MM * room / wide, 2)


def _printable(text: str) -> str:
    """Spell letters out that Pillow's own font lacks, as the MRZ does."""
    return "".join(char if char.isascii() else to_mrz_letters(char) for char in text)


def _printed(date: PartialDate) -> str:
    """Write day, month and year, unknown parts as XX (ICAO Doc 9303-3, 3.8)."""
    month = "XXX" if date.month is None else f"{datetime.date(2000, date.month, 1):%b}".upper()
    day = "XX" if date.day is None else f"{date.day:02d}"
    year = "XXXX" if date.year is None else str(date.year)
    return f"{day} {month} {year}"


def _draw_portrait(page: Image.Image, specimen: Specimen, layout: Layout) -> None:
    with Image.open(io.BytesIO(specimen.portrait)) as source:
        portrait = ImageOps.exif_transpose(source).convert("RGB")
    if specimen.portrait_box is not None:
        portrait = portrait.crop(specimen.portrait_box)
    left, top = _paste(page, portrait, layout.portrait, opacity=1.0)
    frame = (left - 3, top - 3, left + px(layout.portrait[2]) + 2, top + px(layout.portrait[3]) + 2)
    ImageDraw.Draw(page).rectangle(frame, outline=STATE_COLOUR, width=3)
    if layout.ghost is not None:
        faint = ImageOps.colorize(ImageOps.grayscale(portrait), STATE_COLOUR, PAPER)
        _paste(page, faint, layout.ghost, opacity=GHOST_OPACITY)


def _paste(page: Image.Image, portrait: Image.Image, box: Box, opacity: float) -> tuple[int, int]:
    left, top, width, height = (px(value) for value in box)
    fitted = ImageOps.fit(portrait, (width, height), Image.Resampling.LANCZOS, centering=(0.5, HEAD_IS_HIGH))
    page.paste(fitted, (left, top), Image.new("L", fitted.size, round(255 * opacity)))
    return left, top
