"""`borderpost kiosk`: a simulated kiosk, and what waits in a kiosk's spool."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from borderpost.cli import kiosk_enrol, kiosk_serve, show
from borderpost.cli.options import Json
from borderpost.cli.specimen_chip import SpecimenReader
from borderpost.kiosk import Captured, Kiosk, Next, Spool, Told, Visit, texts
from borderpost.kiosk.folder import Posed, travelers
from borderpost.runtime.settings import Settings, load_settings
from borderpost.runtime.status import RemoteError
from borderpost.specimens.folder import load_chip
from borderpost.v1 import types_pb2

KIOSK: Final = "kiosk/north/1"
COLORS: Final = {Next.GO: "green", Next.OFFICER: "yellow", Next.AGAIN: "cyan"}

app = typer.Typer(
    help="Kiosks: invite, enrol, revoke; simulate one, look at its spool.", no_args_is_help=True
)

for name, command in (
    ("invite", kiosk_enrol.invite),
    ("enrol", kiosk_enrol.enrol),
    ("renew", kiosk_enrol.renew),
    ("list", kiosk_enrol.list_machines),
    ("revoke", kiosk_enrol.revoke),
    ("serve", kiosk_serve.serve),
):
    app.command(name)(command)

Identity = Annotated[str, typer.Option("--as", help="The kiosk's identity.")]
SpoolFolder = Annotated[
    Path | None,
    typer.Option("--spool", file_okay=False, help="The spool's folder. Default: spool/KIOSK in state_dir."),
]


@app.command()
def simulate(
    camera: Annotated[
        Path,
        typer.Option(
            exists=True, file_okay=False, help="Folder with the travelers' pictures (docs/kiosk.md)."
        ),
    ],
    identity: Identity = KIOSK,
    spool: SpoolFolder = None,
    language: Annotated[str, typer.Option(help="Language of what travelers are told (BCP 47).")] = "en",
    leaving: Annotated[bool, typer.Option("--exit", help="The travelers leave the country.")] = False,
    repeat: Annotated[int, typer.Option(min=1, max=10_000, help="How often the folder is gone through.")] = 1,
    pause: Annotated[float, typer.Option(min=0, max=3600, help="Seconds between two travelers.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Screen the travelers of a folder one after another, as a kiosk would; without a connection keep them.

    Example: `borderpost kiosk simulate --camera travelers`
    """
    settings = load_settings()
    kept = _spool(settings, identity, spool)
    direction = types_pb2.DIRECTION_EXIT if leaving else types_pb2.DIRECTION_ENTRY
    with Kiosk(settings, identity, spool=kept) as kiosk:
        _submit_quietly(kiosk)
        for posed in _again(list(travelers(camera)), repeat):
            told = _screen(kiosk, posed, Visit(direction), language)
            show.emit(as_json, _plain(posed, told), partial(_line, posed, told, language))
            time.sleep(pause)
        _submit_quietly(kiosk)


@app.command("spool")
def look_at_spool(
    identity: Identity = KIOSK,
    spool: SpoolFolder = None,
    submit: Annotated[bool, typer.Option("--submit", help="Submit what waits.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Let what was set aside wait again, first.")] = False,
    as_json: Json = False,
) -> None:
    """Tell how many captures wait for a connection; with --submit submit them, oldest first.

    Example: `borderpost kiosk spool --submit`
    """
    settings = load_settings()
    kept, taken = _spool(settings, identity, spool), 0
    if again:
        kept.put_back()
    if submit:
        with Kiosk(settings, identity, spool=kept) as kiosk:
            taken = kiosk.submit_kept()
    waiting, refused = len(kept.waiting()), [path.name for path in kept.refused()]
    dropped = kept.dropped()
    plain = {"waiting": waiting, "submitted": taken, "refused": refused, "dropped": dropped}
    show.emit(
        as_json,
        plain,
        lambda: "\n".join(
            [
                f"{waiting} wait" + (f", {taken} were submitted" if submit else ""),
                *(f"set aside: {name}" for name in refused),
                *([f"{dropped} were let go: too old"] if dropped else []),
            ]
        ),
    )


def _spool(settings: Settings, identity: str, folder: Path | None) -> Spool:
    return Spool(folder or settings.state_dir / "spool" / identity.replace("/", "-"), settings, identity)


def _again(found: list[Posed], repeat: int) -> Iterator[Posed]:
    for _ in range(repeat):
        yield from found


def _screen(kiosk: Kiosk, posed: Posed, visit: Visit, language: str) -> Told:
    chip = None
    if posed.chip is not None:
        try:
            chip = kiosk.read_chip(visit, SpecimenReader(load_chip(posed.chip)))
        except RemoteError:  # no connection: the page alone is captured
            chip = None
    captured = Captured(
        page=posed.page.read_bytes() if posed.page else b"",
        frames=() if posed.declined else tuple(path.read_bytes() for path in posed.live),
        portrait_page=posed.other_side.read_bytes() if posed.other_side else b"",
        chip=chip,
        declined=posed.declined,
    )
    return kiosk.screen(visit, captured, language)


def _submit_quietly(kiosk: Kiosk) -> None:
    """Submit what waits, if there is a connection; if there is none, the next time is soon enough."""
    try:
        kiosk.submit_kept()
    except RemoteError:
        return


def _plain(posed: Posed, told: Told) -> dict[str, object]:
    return {
        "traveler": posed.name,
        "next": str(told.next),
        "advice": [problem.code for problem in told.advice],
        "reason": told.reason,
        "kept": told.kept,
        "request_id": told.answer.request_id if told.answer else "",
    }


def _line(posed: Posed, told: Told, language: str) -> Text:
    words = [texts(language)[told.next], *(problem.advice for problem in told.advice)]
    line = Text.assemble((f"{posed.name:<24} ", ""), (" ".join(words), COLORS[told.next]))
    if told.reason:
        line.append(f"  ({told.reason}{', kept' if told.kept else ''})", "dim")
    return line
