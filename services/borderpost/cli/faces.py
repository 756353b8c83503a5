"""`borderpost faces …`: measuring face engines, by a program of the faces service in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure face engines on labelled pictures, and calibrate them.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option(help="The pictures: a folder for every person.")]
Groups = Annotated[
    Path | None, typer.Option(help="Groups of people: a CSV that starts with person,ATTRIBUTE,…")
]
Card = Annotated[Path | None, typer.Option(help="The model card, for the engine onnx.")]
Cache = Annotated[Path | None, typer.Option(help="A folder that keeps embeddings between runs.")]


@app.command()
def evaluate(
    folder: Folder,
    groups: Groups = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="mobilefacenet, dlib, onnx; may be repeated. When left out, all that ship: mobilefacenet and dlib."
        ),
    ] = None,
    card: Card = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the accuracy card here, its plots beside it.")
    ] = None,
    cache: Cache = None,
) -> None:
    """Measure error rates on a folder of labelled pictures, and print the accuracy card.

    Example: `borderpost faces evaluate --folder pictures --groups groups.csv --engine dlib`
    """
    _run("evaluate", folder=folder, groups=groups, engine=engine, card=card, out=out, cache=cache)


@app.command()
def calibrate(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The calibration to write: MODEL_ID.json.")],
    groups: Groups = None,
    engine: Annotated[str | None, typer.Option(help="mobilefacenet (when left out), dlib or onnx.")] = None,
    card: Card = None,
    data: Annotated[
        str | None, typer.Option(help="What the pictures are, for the calibration's file.")
    ] = None,
    cache: Cache = None,
) -> None:
    """Make a model's calibration from a folder of labelled pictures.

    Example: `borderpost faces calibrate --folder pictures --groups groups.csv --out mobilefacenet-v1.json`
    """
    _run("calibrate", folder=folder, groups=groups, engine=engine, card=card, data=data, out=out, cache=cache)


def _run(command: str, **options: Path | str | Sequence[str] | None) -> None:
    """The command may not import a service, so it starts the service's own program, and ends as that ends."""
    words = [sys.executable, "-m", "borderpost.faces.evaluation", command]
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                words += [f"--{name}", str(each)]
    raise typer.Exit(subprocess.run(words, check=False).returncode)  # noqa: S603 - our own program
