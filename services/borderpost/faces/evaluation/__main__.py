"""Evaluate and calibrate face engines on labelled pictures.

    python -m borderpost.faces.evaluation evaluate --folder DIR [--groups CSV] [--engine NAME]...
    python -m borderpost.faces.evaluation calibrate --folder DIR --out FILE [--groups CSV] [--engine NAME]
    python -m borderpost.faces.evaluation lfw --data DIR --docs DIR [--calibrations DIR]

A folder holds a folder of pictures for every person. A CSV of groups starts with the line person,ATTRIBUTE,…
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.evaluation.calibrating import POLICY_FMR, calibrate, people_needed
from borderpost.faces.evaluation.errors import EvaluationDataError
from borderpost.faces.evaluation.figures import Figures, Protocol, encoded, measure, split
from borderpost.faces.evaluation.plots import draw_plots
from borderpost.faces.evaluation.protocols import (
    KNOWN_ERRORS,
    NO_GROUPS,
    Groups,
    Labelled,
    Sample,
    read_folder,
    read_groups,
    read_lfw_pairs,
    read_lfw_sex,
)
from borderpost.faces.evaluation.report import needed, write_card
from borderpost.faces.evaluation.study import Way, study
from borderpost.faces.evaluation.templates import acquire, templates
from borderpost.faces.ports import Engine
from borderpost.reports.command import exit_status
from borderpost.reports.plots import check_plots
from borderpost.runtime.calibration import Calibration, parse_calibration
from borderpost.runtime.settings import EngineName

SHIPPED: Final[tuple[EngineName, ...]] = ("mobilefacenet", "dlib")

LFW: Final = (
    "Labeled Faces in the Wild, deep-funneled: press photographs of public figures, with some label errors, and not "
    "balanced by sex, age or origin"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    return exit_status(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="borderpost faces", description="Evaluate and calibrate face engines on labelled pictures."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluate = commands.add_parser(
        "evaluate", help="measure error rates on a folder, and print the accuracy card"
    )
    evaluate.add_argument("--out", type=Path, metavar="FILE", help="write the card here; its plots beside it")
    evaluate.set_defaults(run=_evaluate)
    making = commands.add_parser("calibrate", help="make a model's calibration from a folder")
    making.add_argument("--out", type=Path, required=True, metavar="FILE", help="the calibration to write")
    making.add_argument("--data", default="pictures of our own", help="what the pictures are, for the file")
    making.set_defaults(run=_calibrate)
    lfw = commands.add_parser("lfw", help="measure all shipped engines on Labeled Faces in the Wild")
    lfw.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="LFW with pairs and lists of names"
    )
    lfw.add_argument("--docs", type=Path, required=True, metavar="DIR", help="accuracy.md is written here")
    lfw.add_argument("--calibrations", type=Path, metavar="DIR", help="write the calibrations here, too")
    lfw.set_defaults(run=_lfw)
    for command in (evaluate, making):
        command.add_argument("--folder", type=Path, required=True, metavar="DIR", help="a folder per person")
        command.add_argument(
            "--groups", type=Path, metavar="CSV", help="person,ATTRIBUTE,…: groups of people"
        )
        command.add_argument("--card", type=Path, metavar="FILE", help="the model card, for the engine onnx")
    making.add_argument(
        "--engine", choices=get_args(EngineName), default=SHIPPED[0], help="whose (default: %(default)s)"
    )
    for command in (evaluate, lfw):
        command.add_argument(
            "--engine",
            choices=get_args(EngineName),
            action="append",
            help=f"may be repeated (when left out, all that ship: {', '.join(SHIPPED)})",
        )
    for command in (evaluate, making, lfw):
        command.add_argument("--cache", type=Path, metavar="DIR", help="keep embeddings here between runs")
    return parser


def _evaluate(options: argparse.Namespace) -> None:
    labelled = read_folder(options.folder)
    protocol = Protocol(f"the folder {options.folder.name}", labelled, _groups(options.groups, labelled))
    if options.out:
        check_plots()
        _check_place(options.out)
    figures = [
        _measured(protocol, load_engine(name, options.card), options.cache)
        for name in options.engine or SHIPPED
    ]
    plots: list[str] = []
    if options.out:
        folder = options.out.with_suffix("")
        plots = [f"{folder.name}/{file.name}" for file in draw_plots(protocol.data, figures, folder)]
    card = write_card("borderpost faces evaluate --folder …", protocol, figures, {}, plots)
    if options.out:
        options.out.write_text(card, encoding="utf-8")
        sys.stdout.write(f"wrote {options.out} and {len(plots)} plots in {options.out.with_suffix('')}\n")
    else:
        sys.stdout.write(card)
    for each in figures:
        if said := needed(each, each.points, 1.0):
            sys.stderr.write(f"{each.card.id}: {said}\n")
        _say_if_unsupported(parse_calibration(encoded(each.calibration)), each.half_a)


def _calibrate(options: argparse.Namespace) -> None:
    labelled = read_folder(options.folder)
    protocol = Protocol(options.data, labelled, _groups(options.groups, labelled))
    _check_place(options.out)
    engine = load_engine(options.engine, options.card)
    card = engine.embedder.card
    acquired = acquire(engine, protocol.labelled.pictures, options.cache)
    halves = split(protocol, acquired, templates(acquired))
    data = encoded(
        calibrate(card.id, card.fingerprint, protocol.data, halves.few_a, halves.few_b, protocol.groups)
    )
    calibration = parse_calibration(data)
    options.out.write_bytes(data)
    smallest = calibration.rows[-1]
    sys.stdout.write(
        f"wrote {options.out}: model {calibration.model_id}, calibration id {calibration.id}\n"
        f"smallest FMR with enough false matches behind it: {smallest.fmr:g} at the score {smallest.score:g}\n"
        f"safety factor {calibration.safety_factor:g}: {calibration.safety_reason}\n"
    )
    _say_if_unsupported(calibration, halves.few_a)
    if options.out.stem != calibration.model_id:
        sys.stderr.write(f"the services look for it as {calibration.model_id}.json: rename it\n")


def _say_if_unsupported(calibration: Calibration, half_a: Sample) -> None:
    """Say on stderr when the table is too short for what policies ask for."""
    if calibration.threshold_at(POLICY_FMR).supported:
        return
    factor = calibration.safety_factor
    pictures = len(half_a.vectors) / len(half_a.names)
    people = people_needed(POLICY_FMR, factor, pictures)
    sys.stderr.write(
        f"{calibration.model_id}: these pictures can't support FMR {POLICY_FMR:.0e} with the safety factor "
        f"{factor:g}: at that rate everybody is referred. About {people:,} people with {pictures:.1f} pictures of each "
        "are needed\n"
    )


def _check_place(out: Path) -> None:
    """Make the folder that a file goes into, before anything takes long. Raises EvaluationDataError."""
    if out.is_dir():
        raise EvaluationDataError(f"out: {out} is a folder, want the file to write")
    out.parent.mkdir(parents=True, exist_ok=True)


def _lfw(options: argparse.Namespace) -> None:
    protocol = Protocol(
        LFW,
        read_folder(options.data / "lfw-deepfunneled"),
        read_lfw_sex(options.data),
        read_lfw_pairs(options.data / "pairs.txt"),
        frozenset(name for pair in KNOWN_ERRORS for name in pair),
    )
    figures, ways = [], {}
    for name in options.engine or SHIPPED:
        engine = load_engine(name)
        figures.append(_measured(protocol, engine, options.cache))
        ways[engine.embedder.card.id] = _studied(protocol, engine, options.cache)
    if options.calibrations:
        for each in figures:
            (options.calibrations / f"{each.card.id}.json").write_bytes(encoded(each.calibration))
    plots = [
        f"accuracy/{file.name}"
        for file in draw_plots(LFW.partition(":")[0], figures, options.docs / "accuracy")
    ]
    card = write_card("make evaluate-faces", protocol, figures, ways, plots)
    (options.docs / "accuracy.md").write_text(card, encoding="utf-8")


def _measured(protocol: Protocol, engine: Engine, cache: Path | None) -> Figures:
    acquired = acquire(engine, protocol.labelled.pictures, cache)
    return measure(protocol, engine.embedder.card, acquired)


def _studied(protocol: Protocol, engine: Engine, cache: Path | None) -> list[Way]:
    return study(protocol, acquire(engine, protocol.labelled.pictures, cache))


def _groups(file: Path | None, labelled: Labelled) -> Groups:
    """The groups, and on stderr how many names of the file and of the folder don't meet."""
    if file is None:
        return NO_GROUPS
    groups = read_groups(file)
    named, there = frozenset().union(*groups.members.values()), set(labelled.names)
    if strangers := len(named - there):
        sys.stderr.write(f"groups: {strangers:,} of {len(named):,} people have no folder\n")
    if unlabelled := len(there - named):
        sys.stderr.write(f"groups: {unlabelled:,} of {len(there):,} people of the folder have no label\n")
    return groups


if __name__ == "__main__":
    sys.exit(main())
