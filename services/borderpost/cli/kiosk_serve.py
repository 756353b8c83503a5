"""`borderpost kiosk serve`: the agent on a kiosk, and the page that travelers see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show
from borderpost.kiosk import Kiosk, Spool
from borderpost.runtime.settings import load_settings


def serve(
    identity: Annotated[str, typer.Option("--as", help="The kiosk's identity.")] = "kiosk/north/1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")] = 7480,
    spool: Annotated[
        Path | None,
        typer.Option(
            "--spool", file_okay=False, help="The spool's folder. Default: spool/KIOSK in state_dir."
        ),
    ] = None,
) -> None:
    """Serve the kiosk's page to the browser on this machine, until Ctrl+C.

    Example: `borderpost kiosk serve --as kiosk/north/1`
    """
    # The web server is an extra, which machines without a page don't have.
    from borderpost.kiosk.web.server import make_server  # noqa: PLC0415

    settings = load_settings()
    folder = spool or settings.state_dir / "spool" / identity.replace("/", "-")
    with Kiosk(settings, identity, spool=Spool(folder, settings, identity)) as kiosk:
        show.emit(False, {}, lambda: f"The page of {identity}: http://127.0.0.1:{port}/")
        make_server(kiosk, port).run()
