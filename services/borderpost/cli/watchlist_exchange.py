"""`borderpost watchlist import …`, `export`, `bundle-…`: files of entries in and out, and bundles between agencies."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TextIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.lists import As, ListName, find_list
from borderpost.cli.options import Json
from borderpost.cli.people import APPROVER, LIST_MANAGER, LONG_SECONDS, Person
from borderpost.cli.show_imports import (
    Ending,
    diff_words,
    entry_words,
    errors_view,
    import_view,
    list_words,
    next_words,
    removal_words,
    standing_words,
)
from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import Defaults
from borderpost.exchange.files import FORMATS, SUFFIXES, WRITERS, Source
from borderpost.exchange.resuming import Notes
from borderpost.exchange.sending import Importer, Order, import_of, report_line, with_record_ids
from borderpost.exchange.transfer import fetch_bundle, write_bundle
from borderpost.runtime.errors import BorderpostError, InvalidRequestError
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
    kind = _format(format_name, file)
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
        ending = Ending(list_name, skip_errors, dry_run, report, as_json)
        _conclude(importer, taken, ending, lambda: opened.rows(facts))


@app.command("import-show")
def import_show(import_id: ImportId, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show where an import stands, what it changes, and its rows in error.

    Example: `borderpost watchlist import-show IMPORT_ID`
    """
    with Person(load_settings(), identity) as someone:
        request = watchlist_pb2.GetImportRequest(import_id=import_id)
        pages = list(someone.pages(someone.watchlist.GetImport, request))
        name = "" if as_json else _list_name(someone, import_of(pages[0]).list_id)
    errors = [error for page in pages for error in page.errors]
    kept = import_of(pages[0])
    plain = {"import": show.to_plain(kept), "errors": [report_line(error) for error in errors]}

    def render() -> None:
        show.console.print(import_view(kept, name))
        if errors:
            show.console.print("", errors_view(errors))
        if next_step := standing_words(kept, name):
            show.console.print()
            _print_with_commands(next_step)

    show.emit(as_json, plain, render)


@app.command("import-approve")
def import_approve(import_id: ImportId, identity: As = APPROVER, as_json: Json = False) -> None:
    """Apply an import, all of it, as another person than the one who began it.

    Example: `borderpost watchlist import-approve IMPORT_ID`
    """
    with Person(load_settings(), identity) as approver:
        request = watchlist_pb2.ApproveImportRequest(import_id=import_id)
        try:
            applied = import_of(approver.ask(approver.watchlist.ApproveImport, request, LONG_SECONDS))
        except BorderpostError as error:
            if error.reason == "IMPORT_STALE":
                error.message = (
                    "the list's entries of this source have changed since this import was begun, so it was dropped: "
                    "who began it imports the file again (`borderpost watchlist import`, for a bundle `bundle-import`)"
                )
            raise
    removed = f" {entry_words(applied.removed)} removed." if applied.removed else ""
    show.emit(
        as_json,
        {"import": show.to_plain(applied)},
        lambda: f"{diff_words(applied)}{removed} Applied: the list is at version {applied.version}.",
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
    write = WRITERS[_format(format_name, out, WRITERS)]
    versions: list[int] = []
    with Person(load_settings(), identity, purpose) as manager, _new_file(out) as file:
        request = watchlist_pb2.ExportEntriesRequest(list_id=find_list(manager, list_name))
        pages = manager.pages(manager.watchlist.ExportEntries, request)
        count = write(file, _entries(pages, versions))

    def render() -> str:
        changed = f", changed meanwhile from version {versions[0]}" if versions[0] != versions[-1] else ""
        return f"Wrote {entry_words(count)} of version {versions[-1]}{changed} to {out}."

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
            f"Wrote {entry_words(made.entries)} of version {made.version} to {out}.\n"
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
        asked = ("bundle", identity)  # another person's can't be gone on with
        order = Order(
            find_list(manager, list_name), "", complete, asked, "borderpost watchlist bundle-import"
        )
        importer = Importer(manager, notes, order)
        taken = importer.noted()
        if taken is None or taken.next_row <= taken.rows:
            upload = _Upload(manager, importer, notes, identity, as_json)
            taken = upload.take_up(bundle, size)
        if not as_json:
            show.console.print(Text(f"Signed by {taken.source}: {show.count(taken.rows, 'row')}."))
        _conclude(importer, taken, Ending(list_name, skip_errors, dry_run, report, as_json))


Rows = Callable[[], Iterable[watchlist_pb2.ImportRow]]
"""Reads the rows of the file once more."""


def _no_rows() -> Iterable[watchlist_pb2.ImportRow]:
    return ()


def _conclude(importer: Importer, taken: watchlist_pb2.Import, ending: Ending, rows: Rows = _no_rows) -> None:
    """Finish an import whose rows are all taken, and tell what it changes and what is to be done next.

    One that changes nothing is dropped, so that nobody has to approve it.
    """
    if taken.errors:
        _tell_errors(importer, taken, ending, rows)
    if taken.state == watchlist_pb2.IMPORT_STATE_STAGING:
        taken = _finish(importer, taken, ending)
    if not taken.added + taken.changed + taken.removed and not (ending.dry_run and _is_needed(taken)):
        taken = importer.drop(taken.import_id)
    plain = {"import": show.to_plain(taken)}

    def render() -> None:
        show.console.print(diff_words(taken))
        show.console.print(f"List {list_words(taken.list_id, ending.list_name)}")
        if removals := removal_words(taken):
            show.console.print(removals)
        _print_with_commands(next_words(taken, ending))

    show.emit(ending.as_json, plain, render)


def _is_needed(tried: watchlist_pb2.Import) -> bool:
    """Tell whether an import that was only tried has still something to show, or isn't the try's to drop."""
    return tried.errors > 0 or tried.state == watchlist_pb2.IMPORT_STATE_PROPOSED


def _finish(importer: Importer, taken: watchlist_pb2.Import, ending: Ending) -> watchlist_pb2.Import:
    """Finish an import, or try to. Raises BorderpostError: for rows in error it says which options there are."""
    skip = ending.skip_errors or ending.dry_run  # to tell what would change, no row must stop it
    try:
        return importer.finish(taken.import_id, skip_errors=skip, dry_run=ending.dry_run)
    except BorderpostError as error:
        if error.reason == "IMPORT_HAS_ERRORS" and skip:
            error.message += (
                ". --report FILE writes those rows; without --complete nothing is removed, and --skip-errors leaves "
                "them out"
            )
        raise


def _tell_errors(importer: Importer, taken: watchlist_pb2.Import, ending: Ending, rows: Rows) -> None:
    """Show the first rows in error, and write all of them, with record ids, into the report, if there is to be one."""
    shown: list[watchlist_pb2.RowError] = []
    with _own_file(ending.report) if ending.report else nullcontext() as report:
        known = rows() if report is not None else ()
        for error, record_id in with_record_ids(importer.errors(taken.import_id), known):
            if len(shown) < SHOWN_ERRORS:
                shown.append(error)
            if report is not None:
                report.write(json.dumps(report_line(error, record_id), ensure_ascii=False) + "\n")
            elif len(shown) == SHOWN_ERRORS:
                break
    if ending.as_json:
        return
    show.console.print(errors_view(shown))
    more = taken.errors - len(shown)
    if more > 0:
        where = f"{ending.report} has all" if ending.report else "--report FILE writes all"
        show.console.print(Text(f"and {more:,} more; {where}"))


@dataclass(frozen=True, slots=True)
class _Upload:
    """Takes a bundle to the service, and from there into its import."""

    manager: Person
    importer: Importer
    notes: Notes
    identity: str
    as_json: bool

    def take_up(self, bundle: BinaryIO, size: int) -> watchlist_pb2.Import:
        """Write a bundle and have its rows taken; one that the service has no longer is written anew."""
        try:
            taken = self._write_and_take(bundle, size)
        except BorderpostError as error:
            if error.reason != "BUNDLE_NOT_FOUND":
                raise
            self._forget()
            taken = self._write_and_take(bundle, size)
        self._forget()  # once its rows are taken, the service has it no longer
        return taken

    def _write_and_take(self, bundle: BinaryIO, size: int) -> watchlist_pb2.Import:
        bundle_id = self.notes.id_for("bundle", self.identity)
        with _bar("bytes", size, hide=self.as_json) as progress:
            written = write_bundle(self.manager, bundle_id, bundle, size, progress)
        with _bar("rows", written.rows, hide=self.as_json) as progress:
            return self.importer.take_bundle(bundle_id, progress)

    def _forget(self) -> None:
        self.notes.forget("bundle", self.identity)


def _list_name(someone: Person, list_id: str) -> str:
    """Return the name of a list; empty if it isn't among those that the person may use."""
    answer = someone.ask(someone.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
    lists = (status.watchlist for status in answer.watchlists)
    return next((each.name for each in lists if each.list_id == list_id), "")


def _print_with_commands(words: str) -> None:
    """Print words in which commands stand, each on a line of its own that isn't broken: it is to be copied."""
    show.console.print(words, soft_wrap=True)


def _entries(pages: Iterable[Any], versions: list[int]) -> Iterator[watchlist_pb2.Entry]:
    for page in pages:
        versions.append(page.version)
        yield from page.entries


def _format(name: str, file: Path, formats: Collection[str] = FORMATS) -> str:
    """Tell the format by its name, else by the file's."""
    kind = name or SUFFIXES.get(file.suffix.lower(), "")
    if kind in formats:
        return kind
    known = ", ".join(f"{suffix} ({format_name})" for suffix, format_name in SUFFIXES.items())
    got = f"got {name!r}" if name else f"the file's name ends in none of {known}"
    raise typer.BadParameter(f"{got}, want one of: {', '.join(formats)}", param_hint="--format")


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
    # Where nobody sees it move it would leave a blank line.
    hidden = hide or not show.errors.is_terminal
    with Progress(*columns, console=show.errors, transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _own_file(path: Path) -> TextIO:
    """Open a file for writing that, if it is new, only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")


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
