"""`borderpost specimen`: pages of travel documents to try things with."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from PIL import Image

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.pictures import decode_picture
from borderpost.specimens import Sex
from borderpost.specimens.layouts import layout_of
from borderpost.specimens.pages import (
    FORMATS,
    NATIONALITIES,
    PartialDate,
    Specimen,
    picture,
    portrait_side,
    to_jpeg,
    wrong_digits_of,
)
from borderpost.specimens.paper import px
from borderpost.specimens.scenes import MAX_TILT_ALLOWED, Ground, Scene, photograph, random_scene

DAYS: Final = ["%Y-%m-%d"]

BIRTH_DATE: Final = re.compile(r"(\d{4}|XXXX)-(\d{2}|XX)-(\d{2}|XX)")

FRONT: Final = "-front"
"""What the name of a TD1's other side ends in, before its suffix."""


class PageFormat(StrEnum):
    """Formats of ICAO Doc 9303, as the command names them."""

    TD1 = "td1"
    TD2 = "td2"
    TD3 = "td3"
    MRV_A = "mrv-a"
    MRV_B = "mrv-b"


class OnWhat(StrEnum):
    """What a photographed page lies on."""

    TABLE = "table"
    DARK = "dark"
    CLOTH = "cloth"


def make(
    portrait: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The holder: head and shoulders, about 4 wide and 5 high.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Where the page goes: a JPEG file. A td1's other side goes beside it, as NAME-front."
        ),
    ],
    page_format: Annotated[
        PageFormat,
        typer.Option("--format", help="Identity card (td1, td2), passport (td3) or visa (mrv-a, mrv-b)."),
    ] = PageFormat.TD3,
    surname: Annotated[str, typer.Option(help="Primary identifier.")] = "Specimen",
    given: Annotated[str, typer.Option(help="Secondary identifier.")] = "Traveler",
    number: Annotated[
        str, typer.Option(help="Document number: letters and digits, at most 9, on td1 and td2 more.")
    ] = "UT4K81P7C",
    born: Annotated[
        str, typer.Option(help="Birth date; unknown parts as XX, such as 1981-XX-XX.")
    ] = "1981-08-04",
    expires: Annotated[datetime | None, typer.Option(formats=DAYS, help="Default: in five years.")] = None,
    sex: Annotated[str, typer.Option(help="F, M or X.")] = "X",
    nationality: Annotated[str, typer.Option(help="A code of ICAO Doc 9303-3, section 5.")] = "UTO",
    code: Annotated[
        str | None, typer.Option(help="Document code, such as PD. Default: the format's usual one.")
    ] = None,
    optional: Annotated[str, typer.Option(help="Optional data of the MRZ.")] = "",
    wrong: Annotated[
        list[str] | None,
        typer.Option(help="Check digit to print wrongly, such as document_number; may be repeated."),
    ] = None,
    photo: Annotated[
        bool, typer.Option("--photo", help="Make a phone picture: the page on a table, at an angle.")
    ] = False,
    turn: Annotated[
        float | None, typer.Option(min=-360, max=360, help="With --photo: degrees clockwise.")
    ] = None,
    tilt: Annotated[
        float | None,
        typer.Option(min=0, max=MAX_TILT_ALLOWED, help="With --photo: degrees away from straight above."),
    ] = None,
    ground: Annotated[OnWhat | None, typer.Option(help="With --photo: what the page lies on.")] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="With --photo: what isn't said is chosen by it; the same seed, the same picture."
        ),
    ] = 1,
    as_json: Json = False,
) -> None:
    """Make a specimen page of Utopia, marked SPECIMEN.

    Example: `borderpost specimen --portrait me.jpg --out page.jpg`
    """
    decode_picture(portrait.read_bytes(), "--portrait")
    now = datetime.now(UTC)
    layout = FORMATS[page_format.value.upper()]
    specimen = Specimen(
        surname,
        given,
        number.upper(),
        _birth_date(born),
        _sex(sex),
        (expires or now.replace(year=now.year + 5, day=1)).date(),
        portrait.read_bytes(),
        nationality=_nationality(nationality),
        optional_data=optional.upper(),
        wrong_digits=_check_digits(wrong or (), wrong_digits_of(layout)),
        format=layout,
        document_code=None if code is None else code.upper(),
    )
    for option, name in (("--surname", surname), ("--given", given)):
        if name and not to_mrz_letters(name):
            raise typer.BadParameter(
                "want Latin, Cyrillic or Arabic letters: write the name's transliteration", param_hint=option
            )
    scene = _scene(seed, turn, tilt, ground) if photo else None
    written = _write(specimen, out, scene)
    show.emit(as_json, written, lambda: "\n".join(f"Wrote {path}" for path in written.values()))


def _write(specimen: Specimen, out: Path, scene: Scene | None) -> dict[str, str]:
    """Write the page, and a card's other side; return what was written by its name in `borderpost screen`."""
    try:
        pages = {"page": (out, picture(specimen))}
    except ValueError as error:
        raise InvalidRequestError(
            f"--number, --surname, --given, --code or --optional doesn't fit the page: {error}"
        ) from None
    if layout_of(specimen.format).two_sides:
        pages["portrait_page"] = out.with_stem(out.stem + FRONT), portrait_side(specimen)
    for path, page in pages.values():
        path.write_bytes(to_jpeg(page if scene is None else _seen(page, specimen, scene)))
    return {name: str(path) for name, (path, _) in pages.items()}


def _seen(page: Image.Image, specimen: Specimen, scene: Scene) -> Image.Image:
    return photograph(page, scene, px(layout_of(specimen.format).corner_radius)).picture


def _scene(seed: int, turn: float | None, tilt: float | None, ground: OnWhat | None) -> Scene:
    """Choose a scene by the seed, then set what was asked for."""
    scene = random_scene(random.Random(seed))  # noqa: S311  repeatable pictures, nothing secret
    return replace(
        scene,
        turn=scene.turn if turn is None else turn,
        tilt=scene.tilt if tilt is None else tilt,
        ground=scene.ground if ground is None else Ground(ground.value),
    )


def _check_digits(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"got {name!r}, want one of: {', '.join(known)}", param_hint="--wrong")
    return tuple(names)


def _birth_date(text: str) -> PartialDate:
    found = BIRTH_DATE.fullmatch(text.upper())
    try:
        if found is None:
            raise ValueError
        year, month, day = (int(part) if part.isdigit() else None for part in found.groups())
        date(year or 2000, month or 1, day or 1)  # 2000 has a 29 February
    except ValueError:
        raise typer.BadParameter(
            f"got {text!r}, want a date such as 1981-08-04, or 1981-XX-XX", param_hint="--born"
        ) from None
    return PartialDate(year, month, day)


def _nationality(text: str) -> str:
    if text.upper() not in NATIONALITIES:
        raise typer.BadParameter(
            f"got {text!r}, want a code of ICAO Doc 9303-3, such as UTO", param_hint="--nationality"
        )
    return text.upper()


def _sex(text: str) -> Sex:
    try:
        return Sex("<" if text.upper() == "X" else text.upper())
    except ValueError:
        raise typer.BadParameter(f"got {text!r}, want F, M or X", param_hint="--sex") from None
