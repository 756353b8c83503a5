"""`borderpost specimen-chip`: the files of a chip to try things with, genuine or forged."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from rich.table import Table

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.pictures import decode_picture
from borderpost.specimens import Sex
from borderpost.specimens.active import ACTIVE_ALGORITHMS, DEFAULT_ACTIVE
from borderpost.specimens.chip import ChipOrder, Holder, Issuance, Protection, SpecimenChip, make_chip
from borderpost.specimens.face import FaceFormat, PictureKind
from borderpost.specimens.folder import TRUST, save_chip
from borderpost.specimens.forgeries import FINDINGS, NEED_ACTIVE, Forgery, forge
from borderpost.specimens.pages import Specimen, mrz_lines
from borderpost.specimens.signing import ALGORITHMS, DEFAULT_ALGORITHM

DAYS: Final = ["%Y-%m-%d"]

SIGNED_AGO: Final = timedelta(days=30)
"""Later than this, the expired signers are expired and those not yet valid have become valid."""

GENUINE: Final = "genuine"
AUTHORITY: Final = "Department of Specimens"

Choice = TypeVar("Choice", bound=Enum)


class SpecimenReader:
    """A kiosk's reader with a specimen chip on it (`kiosk.chip.Chip`)."""

    def __init__(self, chip: SpecimenChip) -> None:
        self._chip = chip

    @property
    def files(self) -> Mapping[str, bytes]:
        """The chip's files by name."""
        return self._chip.files

    def answer(self, nonce: bytes) -> bytes | None:
        """Return the chip's answer to a challenge; None if it has no key to make one."""
        return None if self._chip.key is None else self._chip.answer(nonce)


def make_chip_folder(
    portrait: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="The holder: head and shoulders, about 4 wide and 5 high."
        ),
    ],
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Where the files go: a folder, made if need be.")
    ],
    surname: Annotated[str, typer.Option(help="Primary identifier.")] = "Specimen",
    given: Annotated[str, typer.Option(help="Secondary identifier.")] = "Traveler",
    number: Annotated[str, typer.Option(help="Document number, at most 9 letters and digits.")] = "UT4K81P7C",
    born: Annotated[
        datetime, typer.Option(formats=DAYS, show_default="1981-08-04", help="Birth date.")
    ] = datetime(1981, 8, 4, tzinfo=UTC),
    expires: Annotated[datetime | None, typer.Option(formats=DAYS, help="Default: in five years.")] = None,
    sex: Annotated[str, typer.Option(help="F, M or X.")] = "X",
    mrz: Annotated[
        list[str] | None,
        typer.Option(help="A line of the MRZ, instead of the six options above; once for each line."),
    ] = None,
    algorithm: Annotated[
        str, typer.Option(help="How the state signs; an unknown name lists all.")
    ] = DEFAULT_ALGORITHM,
    protection: Annotated[
        str, typer.Option(help="Against copies: active or chip authentication, or none.")
    ] = Protection.ACTIVE.value,
    active: Annotated[
        str, typer.Option(help="How the chip answers; an unknown name lists all.")
    ] = DEFAULT_ACTIVE,
    face: Annotated[
        str, typer.Option(help="Data group 2 as 19794-5 or 39794-5.")
    ] = FaceFormat.ISO_19794_5.value,
    picture: Annotated[str, typer.Option(help="JPEG or JPEG2000.")] = PictureKind.JPEG.value,
    lds: Annotated[int, typer.Option(min=0, max=1, help="Version of the security object.")] = 1,
    details: Annotated[bool, typer.Option(help="With data groups 11 and 12.")] = True,
    signed: Annotated[datetime | None, typer.Option(formats=DAYS, help="Default: 30 days ago.")] = None,
    forgery: Annotated[
        str | None, typer.Option(help="What is wrong with the chip; an unknown name lists all.")
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="Make the genuine chip and every forged one, each in a folder of its own."
        ),
    ] = False,
    other_portrait: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Whom the forgery swapped-portrait shows."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the files of a specimen chip of Utopia, genuine or forged, and what its state publishes.

    Each run founds the state anew: chips of one run share their trust.

    With `borderpost trust import` take DIR/trust/csca.cer, then masterlist.ml and crl.crl.

    The key in DIR/chip.key answers challenges, for trials alone.

    Example: `borderpost specimen-chip --portrait me.jpg --out chip --forgery changed-mrz`
    """
    wrong = None if forgery is None else _choice(Forgery, forgery, "--forgery")
    other = None if other_portrait is None else _picture(other_portrait, "--other-portrait")
    lines = tuple(line.upper() for line in mrz) if mrz else _lines(surname, given, number, born, expires, sex)
    signed_at = signed.replace(tzinfo=UTC) if signed else _midnight(datetime.now(UTC) - SIGNED_AGO)
    order = ChipOrder(
        lines,
        _picture(portrait, "--portrait"),
        signed_at,
        algorithm=_known(ALGORITHMS, algorithm, "--algorithm"),
        lds_version=lds,
        face_format=_choice(FaceFormat, face, "--face"),
        picture=_choice(PictureKind, picture.upper(), "--picture"),
        protection=_choice(Protection, protection, "--protection"),
        active=_known(ACTIVE_ALGORITHMS, active, "--active"),
        holder=_holder(surname, given, born.date()) if details and not mrz else None,
        issuance=Issuance(AUTHORITY, signed_at.date(), "SPECIMEN") if details else None,
    )
    if every:
        made = _make_every(order, out, other)
        show.emit(as_json, {"chips": [_plain(*each) for each in made]}, lambda: _overview(made, out))
        return
    chip = make_chip(order) if wrong is None else forge(wrong, order, other_portrait=other)
    save_chip(chip, out)
    show.emit(as_json, _plain(chip, out, wrong), lambda: _table(chip, out, wrong))


Made = tuple[SpecimenChip, Path, Forgery | None]
"""A chip, its folder, and what is wrong with it."""


def _make_every(order: ChipOrder, out: Path, other: bytes | None) -> list[Made]:
    """Make the genuine chip and every forgery of it that its protection allows, each in a folder below `out`."""
    genuine = make_chip(order)
    made: list[Made] = [(genuine, out / GENUINE, None)]
    for forgery in Forgery:
        if order.protection is Protection.ACTIVE or forgery not in NEED_ACTIVE:
            chip = forge(forgery, order, genuine=genuine, other_portrait=other)
            made.append((chip, out / forgery.value, forgery))
    for chip, folder, _ in made:
        save_chip(chip, folder)
    return made


def _picture(path: Path, option: str) -> bytes:
    content = path.read_bytes()
    decode_picture(content, option)
    return content


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _lines(
    surname: str, given: str, number: str, born: datetime, expires: datetime | None, sex: str
) -> tuple[str, ...]:
    now = datetime.now(UTC)
    expiry = (expires or now.replace(year=now.year + 5, day=1)).date()
    for option, name in (("--surname", surname), ("--given", given)):
        if name and not to_mrz_letters(name):
            raise typer.BadParameter(
                "want Latin, Cyrillic or Arabic letters: write the name's transliteration", param_hint=option
            )
    sex_letter = _choice(Sex, "<" if sex.upper() == "X" else sex.upper(), "--sex")
    specimen = Specimen(surname, given, number.upper(), born.date(), sex_letter, expiry, b"")
    try:
        return mrz_lines(specimen)
    except ValueError as error:
        raise InvalidRequestError(f"--number, --surname or --given doesn't fit the zone: {error}") from None


def _holder(surname: str, given: str, born: date) -> Holder:
    return Holder(full_name=f"{surname}<<{given}", birth_date=born, place_of_birth=("Zenith", "Utopia"))


def _choice(kind: type[Choice], text: str, option: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        raise _unknown(text, (str(member.value) for member in kind), option) from None


def _known(table: Mapping[str, object], name: str, option: str) -> str:
    if name not in table:
        raise _unknown(name, table, option)
    return name


def _unknown(text: str, wanted: Iterable[str], option: str) -> typer.BadParameter:
    return typer.BadParameter(f"got {text!r}, want one of: {', '.join(wanted)}", param_hint=option)


def _plain(chip: SpecimenChip, out: Path, forgery: Forgery | None) -> dict[str, object]:
    made: dict[str, object] = {
        "folder": str(out),
        "files": {name: len(content) for name, content in chip.files.items()},
        "trust": [str(out / TRUST / name) for name in chip.trust],
        "printed": list(chip.printed),
        "answers": chip.key is not None,
    }
    if forgery is not None:
        finding = FINDINGS[forgery]
        made["forgery"] = forgery.value
        made["want"] = {"verdict": finding.verdict, "checks": sorted(finding.checks)}
    return made


def _table(chip: SpecimenChip, out: Path, forgery: Forgery | None) -> Table:
    table = show.table("File", "Bytes")
    sizes = chip.files.items(), ((f"{TRUST}/{name}", content) for name, content in chip.trust.items())
    for name, content in itertools.chain(*sizes):
        table.add_row(name, f"{len(content):,}")
    table.title_justify = table.caption_justify = "left"
    table.title = f"{out}: a genuine chip" if forgery is None else f"{out}: a forged chip, {forgery.value}"
    if forgery is not None:
        finding = FINDINGS[forgery]
        table.caption = f"A verifier must say {finding.verdict}, by {' or '.join(sorted(finding.checks))}."
    return table


def _overview(made: Iterable[Made], out: Path) -> Table:
    table = show.table("Folder", "A verifier must say", "by")
    for _, folder, forgery in made:
        finding = None if forgery is None else FINDINGS[forgery]
        says = ("PASS", "") if finding is None else (finding.verdict, " or ".join(sorted(finding.checks)))
        table.add_row(folder.name, *says)
    table.title_justify = "left"
    table.title = str(out)
    return table
