"""Write many random specimen pages with what their zone says, to measure a reader with.

    python -m borderpost.specimens.batch OUT --count 24 --seed 1

makes OUT/clean, OUT/half-size and OUT/blur-3px, each with NN.jpg and NN.txt: the same pages, the picture as it
is (2,400 px), at half its size, and blurred by a Gaussian of 3 px.
"""

from __future__ import annotations

import argparse
import datetime
import random
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from PIL import Image, ImageFilter

from borderpost.specimens import Sex
from borderpost.specimens.samples import empty_scene
from borderpost.specimens.td3 import Specimen, mrz_lines, picture

JPEG_QUALITY: Final = 90
LETTERS_AND_DIGITS: Final = string.ascii_uppercase + string.digits

CONDITIONS: Final[Mapping[str, Callable[[Image.Image], Image.Image]]] = {
    "clean": lambda page: page,
    "half-size": lambda page: page.resize((page.width // 2, page.height // 2), Image.Resampling.BOX),
    "blur-3px": lambda page: page.filter(ImageFilter.GaussianBlur(3)),
}


def random_specimen(source: random.Random) -> Specimen:
    """Make a specimen of random names, number, dates and optional data. Nobody is in its portrait."""
    return Specimen(
        surname=_word(source, 2, 14),
        given_names=_word(source, 2, 9),
        document_number="".join(source.choices(LETTERS_AND_DIGITS, k=9)),
        birth_date=datetime.date(source.randint(1930, 2020), source.randint(1, 12), source.randint(1, 28)),
        sex=source.choice(list(Sex)),
        expiry_date=datetime.date(source.randint(2027, 2036), source.randint(1, 12), source.randint(1, 28)),
        portrait=empty_scene(),
        optional_data="".join(source.choices(LETTERS_AND_DIGITS, k=source.choice((0, 0, 9, 14)))),
    )


def write(folder: Path, count: int, seed: int) -> None:
    """Write `count` pages under every condition."""
    source = random.Random(seed)  # noqa: S311  repeatable pages, nothing secret
    for number in range(count):
        specimen = random_specimen(source)
        page = picture(specimen)
        for name, change in CONDITIONS.items():
            path = folder / name / f"{number:02d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            change(page).save(path, quality=JPEG_QUALITY)
            path.with_suffix(".txt").write_text("\n".join(mrz_lines(specimen)), encoding="ascii")


def _word(source: random.Random, shortest: int, longest: int) -> str:
    return "".join(source.choices(string.ascii_uppercase, k=source.randint(shortest, longest)))


def main() -> None:
    """Write the pages that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write(asked.folder, asked.count, asked.seed)


if __name__ == "__main__":
    main()
