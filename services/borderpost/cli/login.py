"""`borderpost login`: a token of the development login, for programs that people use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show
from borderpost.cli.options import Json, write_private
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.dev_login import LIFE, development_token
from borderpost.runtime.settings import load_settings


def login(
    role: Annotated[list[str], typer.Option(help="Role, such as officer; may be repeated.")],
    name: Annotated[str, typer.Option("--as", help="Name of the person.")] = "dev",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What the roles are limited to: crossing:NAME or list:ID; may be repeated."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the token into this file, for its owner alone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token of the development login. In production people log in at the identity provider.

    Example: `borderpost login --as dev --role officer --scope crossing:north`
    """
    token = development_token(load_settings(), name, role, SystemClock().now(), scope or ())
    if to is not None:
        write_private(to, token.encode())
    hours = LIFE.total_seconds() / 3600
    plain: dict[str, object] = {"file": str(to)} if to else {"token": token}
    show.emit(as_json, plain, lambda: f"{to}: a token for {hours:.0f} hours" if to else token)
