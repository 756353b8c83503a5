"""`borderpost specimen`: a data page to try things with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.pictures import decode_picture
from borderpost.specimens import Sex
from borderpost.specimens.pages import CHECK_DIGITS, Specimen, render

DAYS = ["%Y-%m-%d"]


def make(
    portrait: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The holder: head and shoulders, about 4 wide and 5 high.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the page goes: a JPEG file.")],
    surname: Annotated[str, typer.Option(help="Primary identifier.")] = "Specimen",
    given: Annotated[str, typer.Option(help="Secondary identifier.")] = "Traveler",
    number: Annotated[str, typer.Option(help="Document number, at most 9 letters and digits.")] = "UT4K81P7C",
    born: Annotated[
        datetime, typer.Option(formats=DAYS, show_default="1981-08-04", help="Birth date.")
    ] = datetime(1981, 8, 4, tzinfo=UTC),
    expires: Annotated[datetime | None, typer.Option(formats=DAYS, help="Default: in five years.")] = None,
    sex: Annotated[str, typer.Option(help="F, M or X.")] = "X",
    wrong: Annotated[
        list[str] | None,
        typer.Option(help="Check digit to print wrongly, such as document_number; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a specimen passport page of Utopia, marked SPECIMEN.

    Example: `borderpost specimen --portrait me.jpg --out page.jpg`
    """
    decode_picture(portrait.read_bytes(), "--portrait")
    now = datetime.now(UTC)
    expiry = (expires or now.replace(year=now.year + 5, day=1)).date()
    specimen = Specimen(
        surname,
        given,
        number.upper(),
        born.date(),
        _sex(sex),
        expiry,
        portrait.read_bytes(),
        wrong_digits=_check_digits(wrong or ()),
    )
    for option, name in (("--surname", surname), ("--given", given)):
        if name and not to_mrz_letters(name):
            raise typer.BadParameter(
                "want Latin letters: write the name's transliteration", param_hint=option
            )
    try:
        page = render(specimen)
    except ValueError as error:
        raise InvalidRequestError(f"--number, --surname or --given doesn't fit the page: {error}") from None
    out.write_bytes(page)
    show.emit(as_json, {"page": str(out)}, lambda: f"Wrote {out}")


def _check_digits(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in CHECK_DIGITS:
            raise typer.BadParameter(
                f"got {name!r}, want one of: {', '.join(CHECK_DIGITS)}", param_hint="--wrong"
            )
    return tuple(names)


def _sex(text: str) -> Sex:
    try:
        return Sex("<" if text.upper() == "X" else text.upper())
    except ValueError:
        raise typer.BadParameter(f"got {text!r}, want F, M or X", param_hint="--sex") from None
