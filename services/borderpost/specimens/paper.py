"""What specimen pages are printed on: tinted paper with fine lines, as security printers have it."""

from __future__ import annotations

import functools
import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from borderpost.specimens.layouts import ZONE_HEIGHT, Layout

PIXELS_PER_MM: Final = 19.2
"""488 dpi, what page readers deliver: a passport's page is 2,400 pixels wide."""

STATE_COLOUR: Final = (30, 74, 96)
PAPER: Final = (239, 243, 240)
ZONE_PAPER: Final = (248, 249, 247)
WAVES: Final = ((193, 214, 217), (224, 212, 190))
ROSETTE: Final = ((203, 216, 206), (226, 208, 204))
MARK: Final = (176, 42, 48)
MARK_OPACITY: Final = 0.16
MARK_DEGREES: Final = 18
HEADER_MARK: Final = (255, 205, 190)

_STEP: Final = 16  # pixels between the points of a wave
_ROSETTE_POINTS: Final = 2600


def px(millimetres: float) -> int:
    """Millimetres in pixels of a page."""
    return round(millimetres * PIXELS_PER_MM)


@functools.lru_cache(maxsize=64)
def font(millimetres: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font in the size asked for."""
    return ImageFont.load_default(size=millimetres * PIXELS_PER_MM)


@functools.lru_cache(maxsize=8)
def paper(layout: Layout, *, with_mrz: bool) -> Image.Image:
    """Draw one side without a traveler: the state, the document's name, SPECIMEN, a plain zone if it has one.

    The picture is shared: copy it before drawing on it.
    """
    page = Image.new("RGB", (px(layout.size[0]), px(layout.size[1])), PAPER)
    draw = ImageDraw.Draw(page)
    _waves(draw, page.size)
    _rosettes(draw, page.size)
    if with_mrz:
        top = page.height - px(ZONE_HEIGHT)
        draw.rectangle((0, top, *page.size), fill=ZONE_PAPER)
        draw.line((0, top, page.width, top), fill=WAVES[0], width=3)
    if not (with_mrz and layout.two_sides):
        _header(draw, layout)
    _mark(page, layout, with_mrz=with_mrz)
    return page


def _waves(draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    for family, colour in enumerate(WAVES):
        for row in range(-4, math.ceil(size[1] / px(2.0))):
            phase, base = row * 0.42 + family * 2.1, row * px(2.0)
            points = [
                (
                    x,
                    base
                    + px(3.2) * math.sin(x / px(17 + 6 * family) + phase)
                    + px(1.2) * math.sin(x / px(5.5)),
                )
                for x in range(0, size[0] + _STEP, _STEP)
            ]
            draw.line(points, fill=colour, width=2)


def _rosettes(draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    """Draw two guilloche roses, one over the other, in the right half of the page."""
    for turn, (colour, radius) in enumerate(zip(ROSETTE, (0.40, 0.28), strict=True)):
        points = []
        for step in range(_ROSETTE_POINTS + 1):
            angle = 2 * math.pi * step / _ROSETTE_POINTS
            reach = size[1] * radius * (0.62 + 0.38 * math.cos((17 + 6 * turn) * 5 * angle / 5))
            points.append(
                (
                    size[0] * 0.68 + reach * math.cos(7 * angle + turn),
                    size[1] * 0.42 + reach * math.sin(7 * angle + turn),
                )
            )
        draw.line(points, fill=colour, width=2)


def _header(draw: ImageDraw.ImageDraw, layout: Layout) -> None:
    width, middle = layout.size[0], layout.header / 2
    draw.rectangle((0, 0, px(width), px(layout.header)), fill=STATE_COLOUR)
    left, size = layout.portrait[0], layout.header * 0.46
    draw.text((px(left), px(middle)), "UTOPIA", font=font(size), fill=PAPER, anchor="lm")
    begin = left + layout.portrait[2] * (1.0 if layout.two_sides else 1.02)
    draw.text((px(begin), px(middle)), layout.title, font=font(size * 0.55), fill=PAPER, anchor="lm")
    end = (px(width - 5.0), px(middle))
    draw.text(end, "SPECIMEN", font=font(size * 0.74), fill=HEADER_MARK, anchor="rm")


def _mark(page: Image.Image, layout: Layout, *, with_mrz: bool) -> None:
    """Write SPECIMEN across the printed fields: it leaves the portrait and the MRZ readable."""
    back = with_mrz and layout.two_sides
    left = 0.0 if back else layout.portrait[0] + layout.portrait[2] + 2.0
    top = 0.0 if back else layout.header
    bottom = layout.size[1] - (ZONE_HEIGHT if with_mrz else 0.0)
    size = (page.width - px(left), px(bottom - top))
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).text(
        (size[0] / 2, size[1] / 2),
        "SPECIMEN",
        font=font((layout.size[0] - left) * 0.17),
        fill=round(255 * MARK_OPACITY),
        anchor="mm",
        stroke_width=2,
    )
    page.paste(MARK, (px(left), px(top)), mask.rotate(MARK_DEGREES, Image.Resampling.BICUBIC))
