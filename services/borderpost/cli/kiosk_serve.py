"""`borderpost kiosk serve`: the agent on a kiosk, and the page that travelers see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show
from borderpost.kiosk import Kiosk, Spool
from borderpost.runtime.settings import load_settings
from borderpost.v1 import types_pb2


def serve(
    identity: Annotated[str, typer.Option("--as", help="The kiosk's identity.")] = "kiosk/north/1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")] = 7480,
    spool: Annotated[
        Path | None,
        typer.Option(
            "--spool", file_okay=False, help="The spool's folder. Default: spool/KIOSK in state_dir."
        ),
    ] = None,
    leaving: Annotated[bool, typer.Option("--exit", help="The travelers leave the country.")] = False,
    files: Annotated[
        bool,
        typer.Option("--files", help="Pictures may be chosen from files. Never before travelers left alone."),
    ] = False,
    challenge: Annotated[
        bool, typer.Option("--challenge", help="Guided captures ask travelers to turn their head.")
    ] = False,
) -> None:
    """Serve the kiosk's page to the browser on this machine, until Ctrl+C.

    Example: `borderpost kiosk serve --as kiosk/north/1`
    """
    # The web server is an extra, which machines without a page don't have.
    from borderpost.kiosk.web.desk import Habits  # noqa: PLC0415
    from borderpost.kiosk.web.server import listen, make_server  # noqa: PLC0415

    settings = load_settings()
    folder = spool or settings.state_dir / "spool" / identity.replace("/", "-")
    with Kiosk(settings, identity, spool=Spool(folder, settings, identity)) as kiosk:
        direction = types_pb2.DIRECTION_EXIT if leaving else types_pb2.DIRECTION_ENTRY
        server = make_server(kiosk, port, Habits(direction, files, challenge))
        with listen(port) as listening:
            show.emit(False, {}, lambda: f"The page of {identity}: http://127.0.0.1:{port}/")
            server.run([listening])
