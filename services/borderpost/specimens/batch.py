"""Write many random specimen pages with what their zone says, to measure a reader with.

    python -m borderpost.specimens.batch OUT --count 24 --seed 1 --format TD3 --format TD1

makes OUT/FORMAT-clean, OUT/FORMAT-half-size and OUT/FORMAT-blur-3px for each format (all five where none is
named), each with NN.jpg and NN.txt: the same pages, the picture as it is (488 dpi), at half its size, and blurred
by a Gaussian of 3 px.
"""

from __future__ import annotations

import argparse
import datetime
import random
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageFilter

from borderpost.documents import mrz
from borderpost.runtime.states import SPECIMEN_STATE, STATE_CODES
from borderpost.specimens import Sex, ocrb
from borderpost.specimens.pages import FORMATS, Specimen, mrz_lines, picture
from borderpost.specimens.samples import empty_scene

LineMask = Callable[[str, float], Image.Image]

JPEG_QUALITY: Final = 90
LETTERS_AND_DIGITS: Final = string.ascii_uppercase + string.digits

CODES: Final[Mapping[str, Sequence[str]]] = {
    "TD1": ("I", "ID", "AC", "C", "IR"),
    "TD2": ("I", "ID", "AC", "C", "IR"),
    "TD3": ("P", "P", "PD", "PS"),
    "MRV-A": ("V", "VB", "VC"),
    "MRV-B": ("V", "VB", "VC"),
}
"""Document codes to choose from (ICAO Doc 9303-4 to -7)."""

NATIONALITIES: Final = (SPECIMEN_STATE, *sorted(STATE_CODES))

LONG_NUMBER: Final = 12
"""Characters of a long document number: three of them, and their check digit, run on into the optional data."""

RARE: Final = 0.15
"""Share of pages with a long number, where there can be one, and of those with unknown parts of a birth date."""

CONDITIONS: Final[Mapping[str, Callable[[Image.Image], Image.Image]]] = {
    "clean": lambda page: page,
    "half-size": lambda page: page.resize((page.width // 2, page.height // 2), Image.Resampling.BOX),
    "blur-3px": lambda page: page.filter(ImageFilter.GaussianBlur(3)),
}


def random_specimen(
    source: random.Random, layout: mrz.Format = mrz.TD3, portrait: bytes | None = None
) -> Specimen:
    """Make a specimen of random names, number, dates, nationality and optional data, with every digit right.

    Without a portrait nobody is in it. The same source gives the same specimen.
    """
    long_number = layout.name in mrz.LONG_NUMBER_FORMATS and source.random() < RARE
    number = _characters(source, LONG_NUMBER if long_number else source.choice((8, 9, 9, 9)))
    return Specimen(
        surname=_words(source, 2, 14),
        given_names=_words(source, 2, 9),
        document_number=number,
        birth_date=_birth_date(source),
        sex=source.choice(list(Sex)),
        expiry_date=datetime.date(source.randint(2027, 2036), source.randint(1, 12), source.randint(1, 28)),
        portrait=empty_scene() if portrait is None else portrait,
        nationality=source.choice(NATIONALITIES),
        optional_data="" if long_number else _optional(source, layout, "optional_data"),
        format=layout,
        document_code=source.choice(CODES[layout.name]),
        optional_data_2=_optional(source, layout, "optional_data_2"),
    )


def write(
    folder: Path, count: int, seed: int, formats: Sequence[mrz.Format], line_mask: LineMask = ocrb.line_mask
) -> None:
    """Write `count` pages of each format under every condition."""
    for layout in formats:
        source = random.Random(f"{seed} {layout.name}")  # noqa: S311  repeatable pages, nothing secret
        for number in range(count):
            specimen = random_specimen(source, layout)
            page = picture(specimen, line_mask)
            for name, change in CONDITIONS.items():
                path = folder / f"{layout.name}-{name}" / f"{number:02d}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                change(page).save(path, quality=JPEG_QUALITY)
                path.with_suffix(".txt").write_text("\n".join(mrz_lines(specimen)), encoding="ascii")


def _birth_date(source: random.Random) -> mrz.PartialDate:
    year, month, day = source.randint(1930, 2020), source.randint(1, 12), source.randint(1, 28)
    if source.random() >= RARE:
        return mrz.PartialDate(year, month, day)
    return source.choice((mrz.PartialDate(year, month, None), mrz.PartialDate(year, None, None)))


def _optional(source: random.Random, layout: mrz.Format, name: str) -> str:
    """Leave an optional field empty half the time; otherwise fill some of it, or all."""
    spans = [field.span for field in layout.fields if field.name == name]
    if not spans:
        return ""
    room = spans[0].end - spans[0].start
    return _characters(source, source.choice((0, 0, min(9, room), room)))


def _characters(source: random.Random, count: int) -> str:
    return "".join(source.choices(LETTERS_AND_DIGITS, k=count))


def _words(source: random.Random, shortest: int, longest: int) -> str:
    """Make one word, or now and then two."""
    words = source.choice((1, 1, 1, 2))
    return " ".join(
        "".join(source.choices(string.ascii_uppercase, k=source.randint(shortest, longest)))
        for _ in range(words)
    )


def main() -> None:
    """Write the pages that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", action="append", choices=sorted(FORMATS))
    parser.add_argument("--font", type=Path, help="draw the zone with this font of OCR-B, to compare")
    asked = parser.parse_args()
    line_mask = ocrb.line_mask if asked.font is None else ocrb.font_mask(asked.font)
    formats = [FORMATS[name] for name in asked.format or FORMATS]
    write(asked.folder, asked.count, asked.seed, formats, line_mask)


if __name__ == "__main__":
    main()
