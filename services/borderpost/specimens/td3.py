"""TD3 data pages of Utopia (passports), rendered after the layout of ICAO Doc 9303-4.

Each says SPECIMEN on its face and names the issuer UTO, which no country has.
"""

from __future__ import annotations

import datetime
import functools
import io
import math
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from borderpost.documents import mrz
from borderpost.documents.states import SPECIMEN_STATE
from borderpost.runtime.names import to_mrz_letters
from borderpost.specimens import ocrb

PAGE_MM: Final = (125.0, 88.0)
"""ICAO Doc 9303-4, 2.1."""

PAGE_PIXELS: Final = 2400
"""Width of the picture: 488 dpi, what page readers deliver."""

PIXELS_PER_MM: Final = PAGE_PIXELS / PAGE_MM[0]

PORTRAIT_MM: Final = (6.0, 17.0, 35.0, 45.0)
"""Left, top, width and height: 35 by 45 mm in zone V (ICAO Doc 9303-4, 4.1)."""

MRZ_LEFT_MM: Final = 6.0
MRZ_CENTRES_MM: Final = (15.75, 9.4)
"""Middle of each line above the page's lower edge, 6.35 mm apart (ICAO Doc 9303-4, appendix A)."""

MARGIN_IN_PITCH_MM: Final = (ocrb.PITCH - ocrb.WIDTH - ocrb.STROKE) / 2 / ocrb.UNITS_PER_MM
"""What the first character's pitch leaves free on its left."""

MRZ_ZONE_MM: Final = 23.2
"""Height of the zone at the foot of the page, which holds nothing else."""

CHECK_DIGITS: Final = tuple(rule.field for rule in mrz.TD3.checks)
"""The names that `Specimen.wrong_digits` takes."""

HEAD_IS_HIGH: Final = 0.1
"""Of what a tall picture has too much, this share is cut off above: heads are near the top."""

JPEG_QUALITY: Final = 92

PAPER: Final = (239, 243, 240)
INK: Final = (24, 28, 36)
LABEL: Final = (74, 104, 118)
STATE_COLOUR: Final = (30, 74, 96)
WAVES: Final = ((193, 214, 217), (224, 212, 190))
MARK: Final = (176, 42, 48)
MARK_OPACITY: Final = 0.16


@dataclass(frozen=True, slots=True)
class Specimen:
    """A traveler of Utopia, and what is wrong with the document.

    `portrait` is a picture in any format that Pillow reads; `portrait_box` cuts a part of it (left, top,
    right, bottom, in pixels), otherwise the largest part of 35 to 45, from near the top of a tall picture.
    `wrong_digits` names the check digits that are printed wrongly, as `mrz.CheckRule.field` does; the composite
    digit then fits the wrong ones, unless it is named too.
    """

    surname: str
    given_names: str
    document_number: str
    birth_date: datetime.date
    sex: mrz.Sex
    expiry_date: datetime.date
    portrait: bytes
    nationality: str = SPECIMEN_STATE
    optional_data: str = ""
    place_of_birth: str = "Zenith"
    portrait_box: tuple[int, int, int, int] | None = None
    wrong_digits: tuple[str, ...] = ()


def mrz_lines(specimen: Specimen) -> tuple[str, ...]:
    """Return the two lines of the specimen's MRZ, with the faults asked for.

    Raises MrzShapeError for values that fit no field, and ValueError for an unknown name in `wrong_digits`.
    """
    fields = mrz.MrzFields(
        document_code="P",
        issuing_state=SPECIMEN_STATE,
        surname=to_mrz_letters(specimen.surname),
        given_names=to_mrz_letters(specimen.given_names),
        document_number=specimen.document_number,
        nationality=specimen.nationality,
        birth_date=_parts(specimen.birth_date),
        sex=specimen.sex,
        expiry_date=_parts(specimen.expiry_date),
        optional_data=(specimen.optional_data,),
    )
    lines = mrz.emit(fields, mrz.TD3)
    unknown = set(specimen.wrong_digits) - set(CHECK_DIGITS)
    if unknown:
        raise ValueError(f"wrong_digits: got {', '.join(sorted(unknown))}, want of {', '.join(CHECK_DIGITS)}")
    for name in sorted(specimen.wrong_digits, key=CHECK_DIGITS.index):  # the composite digit comes last
        lines = _with_wrong_digit(lines, name)
    return lines


def _parts(date: datetime.date) -> mrz.PartialDate:
    return mrz.PartialDate(date.year, date.month, date.day)


def _with_wrong_digit(lines: tuple[str, ...], name: str) -> tuple[str, ...]:
    rule = next(rule for rule in mrz.TD3.checks if rule.field == name)
    composite = mrz.TD3.checks[-1]
    second = lines[1]
    right = second[rule.digit.start]
    wrong = str((int(right) + 1) % 10) if right.isdigit() else "1"
    second = second[: rule.digit.start] + wrong + second[rule.digit.end :]
    if rule is not composite:
        covered = "".join(second[span.start : span.end] for span in composite.covers)
        second = second[:-1] + str(mrz.check_digit(covered))
    return lines[0], second


def render(specimen: Specimen) -> bytes:
    """Render the data page as a JPEG of 2,400 by 1,690 pixels. Raises as `mrz_lines` does."""
    out = io.BytesIO()
    picture(specimen).save(out, "JPEG", quality=JPEG_QUALITY, dpi=(488, 488))
    return out.getvalue()


def picture(specimen: Specimen) -> Image.Image:
    """Render the data page as an RGB picture. Raises as `mrz_lines` does."""
    lines = mrz_lines(specimen)
    page = _paper().copy()
    draw = ImageDraw.Draw(page)
    _draw_fields(draw, specimen)
    _draw_portrait(page, specimen)
    _draw_mark(page)
    for line, centre in zip(lines, MRZ_CENTRES_MM, strict=True):
        mask = ocrb.line_mask(line, PIXELS_PER_MM)
        # Digits reach the mask's upper edge, so its middle is theirs.
        left, top = _px(MRZ_LEFT_MM), page.height - _px(centre) - mask.height // 2
        page.paste(INK, (left - _px(MARGIN_IN_PITCH_MM), top), mask)
    return page


def _px(millimetres: float) -> int:
    return round(millimetres * PIXELS_PER_MM)


@functools.lru_cache(maxsize=64)
def _font(millimetres: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=millimetres * PIXELS_PER_MM)


@functools.lru_cache(maxsize=1)
def _paper() -> Image.Image:
    """Draw the page without a traveler: tinted paper, fine waves, the state's name, a plain MRZ zone."""
    size = (_px(PAGE_MM[0]), _px(PAGE_MM[1]))
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    zone_top = size[1] - _px(MRZ_ZONE_MM)
    for family, colour in enumerate(WAVES):
        for row in range(-4, 44):
            phase, base = row * 0.42 + family * 2.1, row * _px(2.0)
            points = [
                (
                    x,
                    base
                    + _px(3.2) * math.sin(x / _px(17 + 6 * family) + phase)
                    + _px(1.2) * math.sin(x / _px(5.5)),
                )
                for x in range(0, size[0] + 16, 16)
            ]
            draw.line(points, fill=colour, width=2)
    draw.rectangle((0, zone_top, *size), fill=(248, 249, 247))
    draw.line((0, zone_top, size[0], zone_top), fill=WAVES[0], width=3)
    draw.rectangle((0, 0, size[0], _px(13.5)), fill=STATE_COLOUR)
    draw.text((_px(6), _px(6.8)), "UTOPIA", font=_font(6.2), fill=PAPER, anchor="lm")
    draw.text((_px(41.5), _px(6.9)), "PASSPORT   ·   PASSEPORT", font=_font(3.4), fill=PAPER, anchor="lm")
    draw.text((_px(119), _px(6.9)), "SPECIMEN", font=_font(4.6), fill=(255, 205, 190), anchor="rm")
    return page


def _draw_fields(draw: ImageDraw.ImageDraw, specimen: Specimen) -> None:
    left, middle, right = 46.0, 70.0, 94.0
    fields = (
        (left, 17.5, "Type", "P"),
        (middle - 8, 17.5, "Code of issuing state", SPECIMEN_STATE),
        (right, 17.5, "Passport No.", specimen.document_number),
        (left, 25.0, "Surname", specimen.surname.upper()),
        (left, 32.5, "Given names", specimen.given_names.upper()),
        (left, 40.0, "Nationality", specimen.nationality),
        (middle - 8, 40.0, "Sex", specimen.sex.value.replace(mrz.FILLER, "X")),
        (right, 40.0, "Place of birth", specimen.place_of_birth.upper()),
        (left, 47.5, "Date of birth", _printed(specimen.birth_date)),
        (right, 47.5, "Date of expiry", _printed(specimen.expiry_date)),
        (left, 55.0, "Authority", "DEPARTMENT OF SPECIMENS"),
    )
    for x, y, label, value in fields:
        draw.text((_px(x), _px(y)), label, font=_font(1.9), fill=LABEL, anchor="lt")
        draw.text((_px(x), _px(y + 2.7)), _printable(value), font=_font(3.0), fill=INK, anchor="lt")


def _printable(text: str) -> str:
    """Spell letters out that Pillow's own font lacks, as the MRZ does."""
    return "".join(char if char.isascii() else to_mrz_letters(char) for char in text)


def _printed(date: datetime.date) -> str:
    return f"{date:%d %b %Y}".upper()


def _draw_portrait(page: Image.Image, specimen: Specimen) -> None:
    left, top, width, height = (_px(value) for value in PORTRAIT_MM)
    with Image.open(io.BytesIO(specimen.portrait)) as source:
        portrait = ImageOps.exif_transpose(source).convert("RGB")
    if specimen.portrait_box is not None:
        portrait = portrait.crop(specimen.portrait_box)
    page.paste(
        ImageOps.fit(portrait, (width, height), Image.Resampling.LANCZOS, centering=(0.5, HEAD_IS_HIGH)),
        (left, top),
    )
    frame = (left - 3, top - 3, left + width + 2, top + height + 2)
    ImageDraw.Draw(page).rectangle(frame, outline=STATE_COLOUR, width=3)


def _draw_mark(page: Image.Image) -> None:
    """Write SPECIMEN across the printed fields: it leaves the portrait and the MRZ readable."""
    mask, top = _mark()
    page.paste(MARK, (_px(43), top), mask)


@functools.lru_cache(maxsize=1)
def _mark() -> tuple[Image.Image, int]:
    size = (_px(PAGE_MM[0] - 43), _px(PAGE_MM[1] - MRZ_ZONE_MM - 14))
    mask = Image.new("L", size)
    opacity = round(255 * MARK_OPACITY)
    ImageDraw.Draw(mask).text(
        (size[0] / 2, size[1] / 2), "SPECIMEN", font=_font(15), fill=opacity, anchor="mm", stroke_width=2
    )
    return mask.rotate(18, Image.Resampling.BICUBIC), _px(14)
