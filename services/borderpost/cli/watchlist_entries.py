"""`borderpost watchlist add`, `approve`, `list`, `show`, `withdraw`, `remove`, `pictures`, `migrate`: entries."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn

from borderpost.cli import show, show_entries
from borderpost.cli.lists import As, ListName, find_list, the_list
from borderpost.cli.options import Json, Purpose, document_key, end_of, partial_date, write_private
from borderpost.cli.people import APPROVER, LIST_MANAGER, OFFICER, Person
from borderpost.cli.watchlist_lists import lists
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import load_settings
from borderpost.v1 import gateway_pb2, watchlist_pb2

app = typer.Typer()

_SUFFIXES: Final = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"))
"""How pictures begin; what begins otherwise is JPEG 2000."""


class Standing(StrEnum):
    """Where an entry stands, as `--state` takes it."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@app.command()
def add(
    list_name: ListName,
    reason: Annotated[str, typer.Option(help="Why, as a code of the authority's own.")],
    source: Annotated[str, typer.Option(help="The authority's own file or case.")],
    valid_until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day on the list.")],
    picture: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Picture of the face; may be repeated."),
    ] = None,
    keep_pictures: Annotated[
        bool,
        typer.Option(
            "--keep-pictures",
            help="Keep the first four pictures, encrypted, to compare by eye and for later face models.",
        ),
    ] = False,
    surname: Annotated[str, typer.Option(help="Primary identifier.")] = "",
    given: Annotated[str, typer.Option(help="Secondary identifier.")] = "",
    native: Annotated[str, typer.Option(help="The name in its own script, if that isn't Latin.")] = "",
    born: Annotated[str, typer.Option(help="Birth date: 1980-07-12, unknown parts as X.")] = "",
    sex: Annotated[str, typer.Option(help="F, M or X.")] = "",
    nationality: Annotated[
        list[str] | None, typer.Option(help="Nationality, a code of ICAO 9303-3; may be repeated.")
    ] = None,
    document: Annotated[
        list[str] | None, typer.Option(help="Document as CODE:STATE:NUMBER; may be repeated.")
    ] = None,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Propose an entry. It is searched once a second person has approved it.

    Example: `borderpost watchlist add --list Wanted --picture face.jpg --keep-pictures --reason A1 --source 4711/26
    --valid-until 2027-12-31`
    """
    entry = watchlist_pb2.Entry(
        entry_id=new_id(),
        documents=[document_key(text) for text in document or ()],
        reason_code=reason,
        source_reference=source,
        valid_until=end_of(valid_until),
        sex=sex.upper(),
        nationalities=[code.upper() for code in nationality or ()],
    )
    if surname or native:
        entry.names.add(primary_identifier=surname, secondary_identifier=given, native=native)
    if born:
        entry.birth_date.CopyFrom(partial_date(born))
    pictures = [path.read_bytes() for path in picture or ()]
    with Person(load_settings(), identity) as manager:
        entry.list_id = find_list(manager, list_name)
        request = gateway_pb2.EnrolEntryRequest(entry=entry, pictures=pictures, keep_pictures=keep_pictures)
        answer = manager.ask(manager.gateway.EnrolEntry, request)
    show.emit(
        as_json,
        answer,
        lambda: (
            f"Proposed entry {answer.entry.entry_id}. A second person looks at it, and approves it, with:\n"
            f"  borderpost watchlist show {answer.entry.entry_id} --as {APPROVER}\n"
            f"  borderpost watchlist approve {answer.entry.entry_id}"
        ),
    )


@app.command()
def approve(entry_id: str, identity: As = APPROVER, as_json: Json = False) -> None:
    """Approve a proposed entry, as another person than the one who proposed it, and show what was approved.

    Exit status 1 if the entry has ended. Look at it before: `borderpost watchlist show ENTRY_ID`.

    Example: `borderpost watchlist approve ENTRY_ID`
    """
    with Person(load_settings(), identity) as approver:
        request = watchlist_pb2.ApproveEntryRequest(entry_id=entry_id)
        answer = approver.ask(approver.watchlist.ApproveEntry, request)
        entry = answer.entry
        show.emit(
            as_json,
            answer,
            lambda: show_entries.approval_view(answer, the_list(approver, entry.list_id)),
        )
    if entry.state not in show_entries.IN_FORCE:
        raise typer.Exit(1)


@app.command("list")
def list_entries(
    list_name: Annotated[
        str, typer.Option("--list", help="The list: its name or id. Without it all lists are shown.")
    ] = "",
    state: Annotated[Standing | None, typer.Option(help="Only entries that stand so; with --list.")] = None,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Show the entries of a list, oldest first; without --list all lists, as `borderpost watchlist lists`.

    Example: `borderpost watchlist list --list Wanted --state proposed`
    """
    if not list_name:
        if state is not None:
            raise typer.BadParameter("got --state without --list, want both", param_hint="--state")
        lists(identity, as_json)
        return
    wanted = None if state is None else watchlist_pb2.EntryState.Value(f"ENTRY_STATE_{state.name}")
    with Person(load_settings(), identity) as someone:
        watchlist = the_list(someone, list_name)
        request = watchlist_pb2.ListEntriesRequest(list_id=watchlist.list_id, page_size=500)
        pages = someone.pages(someone.watchlist.ListEntries, request)
        entries = [entry for page in pages for entry in page.entries if wanted in (None, entry.state)]
    plain = {"entries": [show.to_plain(entry) for entry in entries]}
    none = "There is no entry." if state is None else f"There is no entry that is {state.value}."
    show.emit(as_json, plain, lambda: show_entries.entries_view(entries, watchlist) if entries else none)


@app.command("show")
def show_entry(entry_id: str, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show all that is said of one entry; its pictures: `borderpost watchlist pictures`.

    Example: `borderpost watchlist show ENTRY_ID --json`
    """
    with Person(load_settings(), identity) as someone:
        request = watchlist_pb2.GetEntryRequest(entry_id=entry_id)
        entry = someone.ask(someone.watchlist.GetEntry, request).entry
        plain = {"entry": show.to_plain(entry)}
        show.emit(as_json, plain, lambda: show_entries.entry_view(entry, the_list(someone, entry.list_id)))


@app.command()
def withdraw(entry_id: str, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Withdraw an entry: it is no longer searched, and kept for the list's retention.

    Example: `borderpost watchlist withdraw ENTRY_ID`
    """
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.WithdrawEntryRequest(entry_id=entry_id)
        answer = manager.ask(manager.watchlist.WithdrawEntry, request)
        list_id = answer.entry.list_id
        show.emit(as_json, answer, lambda: show_entries.withdrawal_words(answer, the_list(manager, list_id)))


@app.command()
def remove(entry_id: str, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Remove an entry for good: from the database and the index, and destroy its key.

    Example: `borderpost watchlist remove ENTRY_ID`
    """
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.RemoveEntryRequest(entry_id=entry_id)
        answer = manager.ask(manager.watchlist.RemoveEntry, request)
    said = f"Removed: it is erased, and its key destroyed. The list is at version {answer.version}."
    show.emit(as_json, answer, lambda: said)


@app.command()
def pictures(
    entry_id: str,
    purpose: Purpose,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the pictures; made if missing.")],
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Write the pictures that are kept with an entry into files, for their owner alone to read.

    Example: `borderpost watchlist pictures ENTRY_ID --out hit --purpose "hit at north, 14:05"`
    """
    with Person(load_settings(), identity, purpose) as someone:
        request = watchlist_pb2.GetPicturesRequest(entry_id=entry_id)
        answer = someone.ask(someone.watchlist.GetPictures, request)
    paths = write_pictures(out, entry_id, list(answer.pictures))
    names = "\n".join(map(str, paths)) or "No picture is kept with this entry."
    show.emit(as_json, {"pictures": [str(path) for path in paths]}, lambda: names)


def write_pictures(folder: Path, entry_id: str, made: list[bytes]) -> list[Path]:
    """Write pictures of an entry into a folder, named by the entry and numbered from 1. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, picture in enumerate(made, start=1):
        suffix = next((suffix for head, suffix in _SUFFIXES if picture.startswith(head)), "jp2")
        path = folder / f"{entry_id}-{number}.{suffix}"
        write_private(path, picture)
        paths.append(path)
    return paths


@app.command()
def migrate(list_name: ListName, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Make templates of the face engine's present model, from kept pictures, for entries that have none of it.

    Entries of which no picture is kept, or none that shows the engine a face, are named: they need a new one.

    Example: `borderpost watchlist migrate --list Wanted`
    """
    with Person(load_settings(), identity) as manager:
        request = gateway_pb2.MigrateEntriesRequest(list_id=find_list(manager, list_name))
        total = gateway_pb2.MigrateEntriesResponse()
        with nullcontext() if as_json else _progress() as bar:
            task = None if bar is None else bar.add_task("", total=None, done=0)
            for page in manager.pages(manager.gateway.MigrateEntries, request):
                total.MergeFrom(page)
                if bar is not None and task is not None:
                    bar.update(task, done=len(total.migrated))
    total.ClearField("next_page_token")
    show.emit(as_json, total, lambda: migration_words(total))


def _progress() -> Progress:
    # How many entries lack the model isn't known before all were looked at: the bar tells that it goes on.
    columns = (BarColumn(), TextColumn("{task.fields[done]:,} entries migrated"))
    return Progress(*columns, console=show.errors, transient=True)


def migration_words(total: gateway_pb2.MigrateEntriesResponse) -> str:
    """Say what became of a list's entries."""
    model = total.model_id or "the engine's model, which no kept picture could tell"
    lines = [f"{_entries(total.migrated)} migrated to {model}."]
    for named, why in (
        (total.without_picture, "without a picture that is kept"),
        (total.unusable, "without a picture that shows the engine a face"),
    ):
        if named:
            lines += [f"{_entries(named)} {why}:", *(f"  {entry_id}" for entry_id in named)]
    return "\n".join(lines)


def _entries(named: Sequence[str]) -> str:
    return show.count(len(named), "entry", "entries")
