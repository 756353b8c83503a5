"""`borderpost watchlist …`: lists and entries, by the people who may."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show, watchlist_exchange
from borderpost.cli.lists import As, ListName, find_list
from borderpost.cli.options import Json, document_key, partial_date
from borderpost.cli.people import APPROVER, LIST_MANAGER, Person
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.settings import load_settings
from borderpost.v1 import gateway_pb2, watchlist_pb2

app = typer.Typer(
    help="Watchlists: make one, propose, approve, list and remove entries.", no_args_is_help=True
)

app.add_typer(watchlist_exchange.app)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Name for people.")],
    authority: Annotated[str, typer.Option(help="The authority that owns the list.")],
    legal_basis: Annotated[str, typer.Option(help="The law it rests on.")],
    handling: Annotated[str, typer.Option(help="What the officer is to do about a hit.")],
    category: Annotated[
        str, typer.Option(help="security, wanted, missing-or-vulnerable, immigration or document.")
    ],
    priority: Annotated[int, typer.Option(min=1, max=9, help="1 is the most urgent.")] = 5,
    target_fpir: Annotated[
        float, typer.Option(help="False alarms per traveler that the face threshold aims at.")
    ] = 0.01,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Make a list.

    Example: `borderpost watchlist create --name Wanted --authority "Ministry of Justice" --legal-basis
    "Police Act, section 12" --category wanted --handling "Compare by eye; call the shift leader"`
    """
    watchlist = watchlist_pb2.Watchlist(
        list_id=new_id(),
        name=name,
        authority=authority,
        legal_basis=legal_basis,
        category=_category(category),
        priority=priority,
        handling_instruction=handling,
        target_fpir=target_fpir,
    )
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist)
        answer = manager.ask(manager.watchlist.CreateWatchlist, request)
    show.emit(as_json, answer, lambda: f"Made list {answer.watchlist.list_id}, “{name}”.")


@app.command()
def lists(identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show all lists with their size and face threshold.

    Example: `borderpost watchlist lists`
    """
    with Person(load_settings(), identity) as someone:
        answer = someone.ask(someone.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
    show.emit(as_json, answer, lambda: show.lists_view(answer.watchlists))


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
    surname: Annotated[str, typer.Option(help="Primary identifier.")] = "",
    given: Annotated[str, typer.Option(help="Secondary identifier.")] = "",
    born: Annotated[str, typer.Option(help="Birth date: 1980-07-12, unknown parts as X.")] = "",
    document: Annotated[
        list[str] | None, typer.Option(help="Document as CODE:STATE:NUMBER; may be repeated.")
    ] = None,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Propose an entry. It is searched once a second person has approved it.

    Example: `borderpost watchlist add --list Wanted --picture face.jpg --reason A1 --source 4711/26
    --valid-until 2027-12-31`
    """
    with Person(load_settings(), identity) as manager:
        entry = watchlist_pb2.Entry(
            entry_id=new_id(),
            list_id=find_list(manager, list_name),
            documents=[document_key(text) for text in document or ()],
            reason_code=reason,
            source_reference=source,
            valid_until=to_timestamp(valid_until.replace(hour=23, minute=59, second=59, tzinfo=UTC)),
        )
        if surname:
            entry.names.append(
                watchlist_pb2.PersonName(primary_identifier=surname, secondary_identifier=given)
            )
        if born:
            entry.birth_date.CopyFrom(partial_date(born))
        pictures = [path.read_bytes() for path in picture or ()]
        answer = manager.ask(
            manager.gateway.EnrolEntry, gateway_pb2.EnrolEntryRequest(entry=entry, pictures=pictures)
        )
    show.emit(
        as_json,
        answer,
        lambda: (
            f"Proposed entry {answer.entry.entry_id}. A second person approves it with:\n"
            f"  borderpost watchlist approve {answer.entry.entry_id}"
        ),
    )


@app.command()
def approve(entry_id: str, identity: As = APPROVER, as_json: Json = False) -> None:
    """Approve a proposed entry, as another person than the one who proposed it.

    Example: `borderpost watchlist approve ENTRY_ID`
    """
    with Person(load_settings(), identity) as approver:
        request = watchlist_pb2.ApproveEntryRequest(entry_id=entry_id)
        answer = approver.ask(approver.watchlist.ApproveEntry, request)
    show.emit(
        as_json, answer, lambda: f"Entry {entry_id} is active from version {answer.version} of its list."
    )


@app.command("list")
def list_entries(
    list_name: Annotated[
        str, typer.Option("--list", help="The list: its name or id. Without it all lists are shown.")
    ] = "",
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Show the entries of a list, oldest first; without --list all lists, as `borderpost watchlist lists`.

    Example: `borderpost watchlist list --list Wanted`
    """
    if not list_name:
        lists(identity, as_json)
        return
    with Person(load_settings(), identity) as someone:
        request = watchlist_pb2.ListEntriesRequest(list_id=find_list(someone, list_name), page_size=500)
        pages = someone.pages(someone.watchlist.ListEntries, request)
        entries = [entry for page in pages for entry in page.entries]
    plain = {"entries": [show.to_plain(entry) for entry in entries]}
    show.emit(as_json, plain, lambda: show.entries_view(entries))


@app.command("show")
def show_entry(entry_id: str, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show one entry, without its templates.

    Example: `borderpost watchlist show ENTRY_ID --json`
    """
    with Person(load_settings(), identity) as someone:
        request = watchlist_pb2.GetEntryRequest(entry_id=entry_id)
        answer = someone.ask(someone.watchlist.GetEntry, request)
    show.emit(as_json, answer, lambda: show.entries_view([answer.entry]))


@app.command()
def remove(entry_id: str, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Remove an entry for good: from the database and the index.

    Example: `borderpost watchlist remove ENTRY_ID`
    """
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.RemoveEntryRequest(entry_id=entry_id)
        answer = manager.ask(manager.watchlist.RemoveEntry, request)
    show.emit(as_json, answer, lambda: f"Removed. The list is at version {answer.version}.")


def _category(text: str) -> watchlist_pb2.WatchlistCategory.ValueType:
    name = f"WATCHLIST_CATEGORY_{text.upper().replace('-', '_')}"
    if name not in watchlist_pb2.WatchlistCategory.keys()[1:]:
        raise typer.BadParameter(
            f"got {text!r}, want security, wanted, missing-or-vulnerable, immigration or document",
            param_hint="--category",
        )
    return watchlist_pb2.WatchlistCategory.Value(name)
