"""The `borderpost` command."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final

import grpc
import typer
from rich.table import Table
from rich.text import Text

from borderpost.cli import (
    audit,
    bench,
    bench_load,
    demo,
    exporting,
    faces,
    keys,
    kiosk,
    login,
    policy,
    replay,
    report,
    retention,
    review,
    show,
    show_record,
    specimen,
    specimen_chip,
    subject,
    transparency,
    trust,
    watchlist,
)
from borderpost.cli.options import Json
from borderpost.cli.people import CONSOLE, OFFICER, Person
from borderpost.cli.specimen_chip import SpecimenReader
from borderpost.cli.stack import ENDS, PROBE, ProcessName, Stack, StackError
from borderpost.kiosk.camera import StillCamera
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Guided, Visit
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.health import serves
from borderpost.runtime.settings import SERVICES, ServiceName, describe_settings, load_settings
from borderpost.runtime.status import RemoteError
from borderpost.specimens.folder import load_chip
from borderpost.v1 import decisions_pb2, faces_pb2, types_pb2

EXIT_ERROR: Final = 1
DEV_KIOSK: Final = "kiosk/north/1"

app = typer.Typer(
    help="Borderpost: biometric traveler screening for border crossings.\n\n"
    "Start everything with `borderpost up`, then screen a traveler from another terminal.\n\n"
    "Exit status: 0 done; 1 not done, with the reason on standard error; 2 wrong command line.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        show.console.print(f"borderpost {metadata.version('borderpost')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end."),
    ] = False,
) -> None:
    pass


app.add_typer(watchlist.app, name="watchlist")
app.add_typer(trust.app, name="trust")
for command in (
    exporting.export,
    exporting.verify,
    transparency.checkpoint,
    transparency.prove,
    transparency.witness,
    replay.replay,
    report.report,
):
    audit.app.command()(command)
app.add_typer(audit.app, name="audit")
app.add_typer(review.app, name="review")
app.add_typer(subject.app, name="subject")
app.add_typer(keys.app, name="keys")
app.add_typer(kiosk.app, name="kiosk")
app.add_typer(policy.app, name="policy")
app.add_typer(retention.app, name="retention")
app.add_typer(faces.app, name="faces")
app.command("demo")(demo.run)
app.command("login")(login.login)
app.command("bench")(bench.run)
app.command("bench-load")(bench_load.run)
app.command("specimen")(specimen.make)
app.command("specimen-chip")(specimen_chip.make_chip_folder)


@app.command()
def up(as_json: Json = False) -> None:
    """Start all services and the console on this machine, and stop them with Ctrl-C.

    Certificates and databases are made on first use, below the state folder (`borderpost settings`).

    Example: `BORDERPOST_STATE_DIR=/tmp/trial borderpost up`
    """
    # Ended by its supervisor or with its terminal, it stops the services too, as with Ctrl-C.
    for sign in ENDS:
        signal.signal(sign, signal.default_int_handler)
    stack = Stack(load_settings(), with_console=True)
    try:
        _start(stack, as_json)
        _watch(stack)
    except KeyboardInterrupt:
        show.errors.print("Stopping.")
    finally:
        for sign in ENDS:  # an impatient second Ctrl-C would leave services behind
            signal.signal(sign, signal.SIG_IGN)
        stack.stop()


def _start(stack: Stack, as_json: bool) -> None:
    addresses: dict[ProcessName, str] = {name: stack.settings.service(name).address for name in SERVICES}
    addresses["console"] = stack.settings.console.url
    if not as_json:
        show.console.print("Starting the services; loading the models takes a few seconds.")
    stack.start(lambda name: None if as_json else show.console.print(f"  {name:<10} {addresses[name]}"))
    state = str(stack.settings.state_dir)
    show.emit(
        as_json,
        {"state_dir": state, "addresses": {**addresses}},
        lambda: (
            f"All serve. State and logs: {state}\n"
            "Screen a traveler:  borderpost screen --document page.jpg --live face.jpg\n"
            f"See the referrals:  {stack.settings.console.url}\n"
            "Stop with Ctrl-C."
        ),
    )


def _watch(stack: Stack) -> None:
    """Start again what ends, until Ctrl-C."""
    while True:
        time.sleep(1)
        for name in stack.ended():
            show.errors.print(f"{name} ended; starting it again. Its log: {stack.log_file(name)}")
            try:
                stack.restart(name)
            except StackError as error:  # the others go on, and it is tried again
                show.errors.print(error.message)


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}, console.")],
) -> None:
    """Run one service, or the console, in this process.

    Example: `BORDERPOST_FACES__THREADS=4 borderpost serve faces`
    """
    room = CONSOLE if service == CONSOLE else _service(service)
    os.execv(sys.executable, [sys.executable, "-m", f"borderpost.{room}"])  # noqa: S606


@app.command()
def screen(
    document: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Picture of the document's data page.")
    ],
    live: Annotated[
        list[Path],
        typer.Option(exists=True, dir_okay=False, help="Live picture of the face; may be repeated."),
    ],
    portrait_page: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The card's other side, where the portrait is not beside the MRZ.",
        ),
    ] = None,
    chip: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder with the chip's files, as `specimen-chip` makes it."
        ),
    ] = None,
    chip_authenticated: Annotated[
        bool,
        typer.Option(
            "--chip-authenticated", help="The reader claims chip authentication; a claim proves nothing."
        ),
    ] = False,
    guide: Annotated[
        bool,
        typer.Option(
            "--guide", help="Play the first live picture to a guided capture, as a simulated camera would."
        ),
    ] = False,
    challenge: Annotated[
        bool,
        typer.Option(
            "--challenge",
            help="Guide, and ask for movements too: a still picture can come closer, not turn or blink.",
        ),
    ] = False,
    language: Annotated[
        str, typer.Option(help="Language of what the traveler is told (BCP 47), such as de.")
    ] = "en",
    leaving: Annotated[bool, typer.Option("--exit", help="The traveler leaves the country.")] = False,
    kiosk: Annotated[str, typer.Option(help="The kiosk's identity.")] = DEV_KIOSK,
    kiosk_only: Annotated[
        bool, typer.Option("--kiosk-only", help="Show only what the kiosk is told.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Screen a traveler: what the kiosk is told, and what an officer sees.

    Example: `borderpost screen --document page.jpg --live face.jpg`
    """
    settings = load_settings()
    visit = Visit(types_pb2.DIRECTION_EXIT if leaving else types_pb2.DIRECTION_ENTRY)
    frames, token = [path.read_bytes() for path in live], b""
    with Kiosk(settings, kiosk) as client:
        if guide or challenge:
            guided = _guide(client, visit, frames[0], challenge, language, as_json)
            frames, token = list(guided.frames) or frames, guided.token
        files = client.read_chip(visit, SpecimenReader(load_chip(chip)), chip_authenticated) if chip else None
        other_side = portrait_page.read_bytes() if portrait_page else b""
        page = document.read_bytes()
        answer = client.send(client.request(visit, page, frames, token, language, other_side, files))
    if kiosk_only:
        show.emit(as_json, answer, lambda: show.answer_view(answer))
        return
    with Person(settings, OFFICER, "borderpost screen") as officer:
        request = decisions_pb2.GetScreeningRequest(kiosk_id=kiosk, request_id=answer.request_id)
        record = officer.ask(officer.decisions.GetScreening, request)

    def render() -> None:
        show.console.print(show.answer_view(answer), "")
        show.console.print("For the officer:", style="dim")
        show.console.print(show_record.record_view(record), "", show.steps_view(answer.steps), sep="\n")

    show.emit(as_json, {"answer": show.to_plain(answer), "record": show.to_plain(record)}, render)


def _guide(
    client: Kiosk, visit: Visit, picture: bytes, challenge: bool, language: str, as_json: bool
) -> Guided:
    """Guide a picture through a capture, and show what a traveler would be told."""
    camera = StillCamera(picture)
    told = ""

    def tell(guidance: faces_pb2.CaptureGuidance) -> None:
        nonlocal told
        camera.obey(guidance)
        words = " ".join([guidance.prompt, *(problem.advice for problem in guidance.problems)])
        if words != told and not as_json:
            show.console.print(f"{guidance.progress:3} %  {words}")
        told = words

    if not as_json:
        show.console.print("A guided capture; it may take up to a minute.")
    guided = client.guide(visit, camera, tell, challenge, language)
    if not as_json:
        show.console.print(show.capture_view(guided.result, challenge), "")
    return guided


@app.command()
def health(
    service: Annotated[str | None, typer.Argument(help="One service; all if left out.")] = None,
    identity: Annotated[str, typer.Option("--as", help="The identity that asks.")] = PROBE,
    as_json: Json = False,
) -> None:
    """Tell which services serve. Exit status 1 if one doesn't.

    Example: `borderpost health faces --as faces`
    """
    names = [_service(service)] if service else list(SERVICES)
    serving = {name: _serves(name, identity) for name in names}
    table = Table(box=None, show_header=False)
    for name in names:
        table.add_row(name, Text("serving", "green") if serving[name] else Text("not serving", "red"))
    show.emit(as_json, {name: serving[name] for name in names}, lambda: table)
    if not all(serving.values()):
        raise typer.Exit(EXIT_ERROR)


@app.command()
def settings(as_json: Json = False) -> None:
    """List every setting: its name, its default, what it means.

    Example: `borderpost settings --json`
    """
    rows = list(describe_settings())
    table = show.table("setting", "default", "meaning")
    for row in rows:
        table.add_row(*row)
    show.emit(
        as_json,
        {name: {"default": default, "meaning": meaning} for name, default, meaning in rows},
        lambda: table,
    )


def main() -> None:
    """Run the command; an error is one plain sentence on standard error, and exit status 1.

    With --json the error is a JSON document there, and standard output stays empty.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    as_json = "--json" in sys.argv[1:]
    try:
        app(standalone_mode=True)
    except BorderpostError as error:
        show.error(as_json, error.reason, _sentence(error), error.details)
        sys.exit(EXIT_ERROR)
    except OSError as error:
        show.error(as_json, "FILE", f"{error.filename or 'a file'}: {error.strerror or error}", {})
        sys.exit(EXIT_ERROR)


def _sentence(error: BorderpostError) -> str:
    # Of a gateway that isn't there gRPC itself speaks, in words for its own developers.
    if not (isinstance(error, RemoteError) and error.by_grpc and error.code is grpc.StatusCode.UNAVAILABLE):
        return error.message
    here = load_settings()
    if "handshake" in error.message.lower() or "certificate" in error.message.lower():
        return (
            f"the gateway at {here.gateway.address} and the certificates in {here.certificates} are not of one "
            "authority: use the state folder that the services were started with"
        )
    return f"the gateway can't be reached at {here.gateway.address}: start the services with `borderpost up`"


def _service(text: str) -> ServiceName:
    for name in SERVICES:
        if name == text:
            return name
    raise typer.BadParameter(f"got {text!r}, want one of: {', '.join(SERVICES)}")


def _serves(name: ServiceName, identity: str) -> bool:
    with open_sync_channel(load_settings(), name, identity) as channel:
        return serves(channel)
