"""`borderpost watchlist import …`, `export`, `bundle-…`: files of entries in and out, and bundles between agencies."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.lists import As, ListName, find_list
from borderpost.cli.options import Json
from borderpost.cli.people import APPROVER, LIST_MANAGER, LONG_SECONDS, Person
from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import Defaults
from borderpost.exchange.files import FORMATS, SUFFIXES, WRITERS, Source
from borderpost.exchange.problems import ROW_REASONS
from borderpost.exchange.resuming import Notes
from borderpost.exchange.sending import Importer, Order, import_of, report_line
from borderpost.exchange.transfer import fetch_bundle, write_bundle
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.settings import load_settings
from borderpost.v1 import watchlist_pb2

app = typer.Typer()

SHOWN_ERRORS: Final = 20
"""Rows for people; the report has them all."""

HASHED_BYTES: Final = 1024 * 1024
"""Of a file that is read at a time."""

IMPORTS_FOLDER: Final = "imports"
"""In the state folder: which import was begun with which file."""

_END_OF_DAY: Final = time(23, 59, 59, tzinfo=UTC)

Purpose = Annotated[
    str, typer.Option("--purpose", help="Why personal data leaves. It is recorded with your name.")
]
Complete = Annotated[
    bool,
    typer.Option(
        "--complete",
        help="It is the source's whole list: entries of the same source that it hasn't are removed.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would change.")]
SkipErrors = Annotated[
    bool, typer.Option("--skip-errors", help="Leave out the rows that can't be used, instead of stopping.")
]
Report = Annotated[
    Path | None,
    typer.Option("--report", dir_okay=False, help="Where to write the rows in error, as JSON Lines."),
]
Out = Annotated[Path, typer.Option("--out", dir_okay=False, help="The file to write. It must not be there.")]
ImportId = Annotated[str, typer.Argument(help="The id that `borderpost watchlist import` named.")]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file with the entries.")],
    list_name: ListName,
    source: Annotated[
        str, typer.Option(help="Who the entries are from: always the same name for the same source.")
    ],
    format_name: Annotated[
        str, typer.Option("--format", help="jsonl, csv or ftm. Default: by the file's name.")
    ] = "",
    complete: Complete = False,
    dry_run: DryRun = False,
    skip_errors: SkipErrors = False,
    report: Report = None,
    valid_until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day of entries that say none. Required for ftm."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Reason code of entries that say none.")] = "",
    delimiter: Annotated[str, typer.Option(help="Of CSV. Default: told by its header.")] = "",
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Of ftm: only people with this topic, such as wanted; may be repeated."),
    ] = None,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Import a file of entries into a list. What it changes takes effect when a second person has approved it.

    The same command goes on with an import that was broken off. See docs/exchange.md for the formats.

    Example: `borderpost watchlist import wanted.jsonl --list Wanted --source "Ministry of Justice" --complete`
    """
    kind = _format(format_name or SUFFIXES.get(file.suffix.lower(), ""))
    _check_options(kind, valid_until, delimiter, topic)
    end = datetime.combine(valid_until, _END_OF_DAY) if valid_until else None
    topics = frozenset(topic or ())
    choices = Choices(file.absolute().parent, Defaults(end, reason), delimiter, topics)
    settings = load_settings()
    with Source(file.open("rb"), kind, choices) as opened, Person(settings, identity) as manager:
        facts = opened.facts()
        asked = (kind, str(end), reason, delimiter, *sorted(topics))
        order = Order(find_list(manager, list_name), source, complete, asked)
        notes = Notes(settings.state_dir / IMPORTS_FOLDER, facts.sha256)
        importer = Importer(manager, notes, order)
        with _bar("rows", facts.rows, hide=as_json) as progress:
            taken = importer.send(opened, facts, progress)
        _conclude(importer, taken, Ending(skip_errors, dry_run, report, as_json))


@app.command("import-show")
def import_show(import_id: ImportId, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show where an import stands, what it changes, and its rows in error.

    Example: `borderpost watchlist import-show IMPORT_ID`
    """
    with Person(load_settings(), identity) as someone:
        request = watchlist_pb2.GetImportRequest(import_id=import_id)
        pages = list(someone.pages(someone.watchlist.GetImport, request))
    errors = [error for page in pages for error in page.errors]
    kept = import_of(pages[0])
    plain = {"import": show.to_plain(kept), "errors": [report_line(error) for error in errors]}

    def render() -> None:
        show.console.print(import_view(kept))
        if errors:
            show.console.print("", errors_view(errors))

    show.emit(as_json, plain, render)


@app.command("import-approve")
def import_approve(import_id: ImportId, identity: As = APPROVER, as_json: Json = False) -> None:
    """Apply an import, all of it, as another person than the one who began it.

    Example: `borderpost watchlist import-approve IMPORT_ID`
    """
    with Person(load_settings(), identity) as approver:
        request = watchlist_pb2.ApproveImportRequest(import_id=import_id)
        applied = import_of(approver.ask(approver.watchlist.ApproveImport, request, LONG_SECONDS))
    show.emit(
        as_json,
        {"import": show.to_plain(applied)},
        lambda: f"{diff_words(applied)} Applied: the list is at version {applied.version}.",
    )


@app.command("import-cancel")
def import_cancel(import_id: ImportId, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Drop an import that was not applied, with all its rows.

    Example: `borderpost watchlist import-cancel IMPORT_ID`
    """
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.CancelImportRequest(import_id=import_id)
        answer = manager.ask(manager.watchlist.CancelImport, request, LONG_SECONDS)
    show.emit(as_json, {"import": show.to_plain(import_of(answer))}, lambda: "Dropped, with all its rows.")


@app.command("export")
def export_file(
    list_name: ListName,
    out: Out,
    purpose: Purpose,
    format_name: Annotated[
        str, typer.Option("--format", help="jsonl or csv. Default: by the file's name.")
    ] = "",
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Write the active entries of a list into a file, without templates and pictures.

    Example: `borderpost watchlist export --list Wanted --out wanted.csv --purpose "Yearly review"`
    """
    write = WRITERS.get(format_name or SUFFIXES.get(out.suffix.lower(), ""))
    if write is None:
        raise typer.BadParameter(f"want one of: {', '.join(WRITERS)}", param_hint="--format")
    versions: list[int] = []
    with Person(load_settings(), identity, purpose) as manager, _new_file(out) as file:
        request = watchlist_pb2.ExportEntriesRequest(list_id=find_list(manager, list_name))
        pages = manager.pages(manager.watchlist.ExportEntries, request)
        count = write(file, _entries(pages, versions))

    def render() -> str:
        changed = f", changed meanwhile from version {versions[0]}" if versions[0] != versions[-1] else ""
        return f"Wrote {_entry_words(count)} of version {versions[-1]}{changed} to {out}."

    show.emit(as_json, {"entries": count, "version": versions[-1], "file": str(out)}, render)


@app.command("bundle-make")
def bundle_make(
    list_name: ListName,
    partner: Annotated[str, typer.Option(help="The partner it is for, by its name in the settings.")],
    out: Out,
    purpose: Purpose,
    with_pictures: Annotated[bool, typer.Option("--with-pictures", help="Pictures go with it.")] = False,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Make a bundle of a list for a partner: encrypted to it, signed by this installation, templates included.

    Example: `borderpost watchlist bundle-make --list Wanted --partner border-guard.example --out wanted.age
    --purpose "Agreement of 2026, article 4"`
    """
    with Person(load_settings(), identity, purpose) as manager, _new_file(out) as file:
        request = watchlist_pb2.MakeBundleRequest(
            list_id=find_list(manager, list_name), partner=partner, with_pictures=with_pictures
        )
        made = manager.ask(manager.watchlist.MakeBundle, request, LONG_SECONDS)
        with _bar("bytes", made.size, hide=as_json) as progress:
            fetch_bundle(manager, made, file, progress)
    plain = show.to_plain(made) | {"sha256": made.sha256.hex(), "file": str(out)}
    show.emit(
        as_json,
        plain,
        lambda: (
            f"Wrote {_entry_words(made.entries)} of version {made.version} to {out}.\n"
            f"SHA-256 {made.sha256.hex()}"
        ),
    )


@app.command("bundle-import")
def bundle_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The bundle.")],
    list_name: ListName,
    complete: Complete = False,
    dry_run: DryRun = False,
    skip_errors: SkipErrors = False,
    report: Report = None,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Import a bundle of a partner into a list. Its signature says who it is from.

    The same command goes on with an upload that was broken off.

    Example: `borderpost watchlist bundle-import wanted.age --list "Wanted elsewhere" --complete`
    """
    settings = load_settings()
    with file.open("rb") as bundle, Person(settings, identity) as manager:
        size, sha256 = _measure(bundle)
        notes = Notes(settings.state_dir / IMPORTS_FOLDER, sha256)
        bundle_id = notes.id_for("bundle", identity)  # another person's can't be gone on with
        order = Order(find_list(manager, list_name), "", complete, ("bundle",))
        importer = Importer(manager, notes, order)
        with _bar("bytes", size, hide=as_json) as progress:
            written = write_bundle(manager, bundle_id, bundle, size, progress)
        if not as_json:
            show.console.print(f"Signed by {written.partner}: {show.count(written.rows, 'row')}.")
        with _bar("rows", written.rows, hide=as_json) as progress:
            taken = importer.take_bundle(bundle_id, progress)
        _conclude(importer, taken, Ending(skip_errors, dry_run, report, as_json))


def diff_words(kept: watchlist_pb2.Import) -> str:
    """Say what an import changes."""
    parts = [f"{kept.added:,} new", f"{kept.changed:,} changed", f"{kept.unchanged:,} as they were"]
    parts += [f"{kept.removed:,} to be removed"] if kept.complete else []
    parts += [f"{kept.errors:,} in error"] if kept.errors else []
    return f"{show.count(kept.rows, 'row')}: {', '.join(parts)}."


def next_words(kept: watchlist_pb2.Import) -> str:
    """Say what is to be done with an import whose rows are taken."""
    if kept.state == watchlist_pb2.IMPORT_STATE_STAGING:
        return "Nothing was done; the rows wait for the same command without --dry-run."
    if not kept.added + kept.changed + kept.removed:
        return f"It changes nothing. Drop it with:\n  borderpost watchlist import-cancel {kept.import_id}"
    return f"A second person approves it with:\n  borderpost watchlist import-approve {kept.import_id}"


def import_view(kept: watchlist_pb2.Import) -> Table:
    """Show an import."""
    rows = show.pairs()
    rows.add_row("import", kept.import_id)
    rows.add_row("state", show.name_of(watchlist_pb2.ImportState, kept.state, "IMPORT_STATE_").lower())
    rows.add_row("list", kept.list_id)
    rows.add_row("from", Text(kept.source) + Text(", its whole list" if kept.complete else ""))
    rows.add_row("SHA-256", kept.content_sha256.hex())
    rows.add_row("rows", diff_words(kept))
    rows.add_row("begun by", kept.proposed_by.subject)
    if kept.HasField("approved_by"):
        rows.add_row("approved by", kept.approved_by.subject)
    if kept.version:
        rows.add_row("applied in", f"version {kept.version} of the list")
    return rows


def errors_view(errors: Iterable[watchlist_pb2.RowError]) -> Table:
    """Show rows in error: which, why, and in which field."""
    rows = show.table("row", "reason", "what")
    rows.columns[0].justify = "right"
    for error in errors:
        rows.add_row(
            str(error.row), error.reason, Text(error.message or ROW_REASONS.get(error.reason, error.field))
        )
    return rows


@dataclass(frozen=True, slots=True)
class Ending:
    """How an import is to end, and how that is told."""

    skip_errors: bool
    dry_run: bool
    report: Path | None
    as_json: bool


def _conclude(importer: Importer, taken: watchlist_pb2.Import, ending: Ending) -> None:
    """Finish an import whose rows are all taken, and tell what it changes and what is to be done next."""
    if taken.errors:
        _tell_errors(importer, taken, ending)
    if taken.state == watchlist_pb2.IMPORT_STATE_STAGING:
        skip = ending.skip_errors or ending.dry_run  # to tell what would change, no row must stop it
        taken = importer.finish(taken.import_id, skip_errors=skip, dry_run=ending.dry_run)
    plain = {"import": show.to_plain(taken)}
    show.emit(ending.as_json, plain, lambda: Text(f"{diff_words(taken)} {next_words(taken)}"))


def _tell_errors(importer: Importer, taken: watchlist_pb2.Import, ending: Ending) -> None:
    """Show the first rows in error, and write all of them into the report, if there is to be one."""
    shown: list[watchlist_pb2.RowError] = []
    with ending.report.open("w", encoding="utf-8") if ending.report else nullcontext() as report:
        for error in importer.errors(taken.import_id):
            if len(shown) < SHOWN_ERRORS:
                shown.append(error)
            if report is not None:
                report.write(json.dumps(report_line(error), ensure_ascii=False) + "\n")
            elif len(shown) == SHOWN_ERRORS:
                break
    if ending.as_json:
        return
    show.console.print(errors_view(shown))
    more = taken.errors - len(shown)
    if more > 0:
        where = f"{ending.report} has all" if ending.report else "--report FILE writes all"
        show.console.print(Text(f"and {more:,} more; {where}"))


def _entry_words(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


def _entries(pages: Iterable[Any], versions: list[int]) -> Iterator[watchlist_pb2.Entry]:
    for page in pages:
        versions.append(page.version)
        yield from page.entries


def _format(name: str) -> str:
    if name not in FORMATS:
        raise typer.BadParameter(f"got {name!r}, want one of: {', '.join(FORMATS)}", param_hint="--format")
    return name


def _check_options(kind: str, valid_until: datetime | None, delimiter: str, topics: list[str] | None) -> None:
    """Refuse what would be passed over without a word, or makes every row an error."""
    if kind == "ftm" and valid_until is None:
        raise typer.BadParameter(
            "want a day: FollowTheMoney says none, and nobody is on a list for ever",
            param_hint="--valid-until",
        )
    if topics and kind != "ftm":
        raise typer.BadParameter(f"{kind} has no topics", param_hint="--topic")
    if delimiter and kind != "csv":
        raise typer.BadParameter(f"{kind} has no delimiter", param_hint="--delimiter")


def _measure(file: BinaryIO) -> tuple[int, bytes]:
    """Length and SHA-256 of a file."""
    digest = hashlib.sha256()
    size = 0
    while piece := file.read(HASHED_BYTES):
        digest.update(piece)
        size += len(piece)
    return size, digest.digest()


@contextmanager
def _bar(what: str, total: int, *, hide: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, where people are looking."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=show.errors, transient=True, disable=hide) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that only its owner can read, and that is there when all of it is written, or not at all."""
    if path.exists():
        raise InvalidRequestError(f"{path}: is there already: want a new file")
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        path.hardlink_to(part)  # never over a file that came meanwhile
    finally:
        part.unlink(missing_ok=True)
