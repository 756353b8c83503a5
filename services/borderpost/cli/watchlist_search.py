"""`borderpost watchlist search`, `suppressions`, `suppress…`: what officers do about those who are on lists."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from borderpost.cli import show
from borderpost.cli.lists import As, ListName, find_list
from borderpost.cli.options import Json, Purpose, document_key, end_of, partial_date
from borderpost.cli.people import OFFICER, SECOND_OFFICER, Person
from borderpost.cli.show_matches import search_view, suppressions_view
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.settings import Settings, load_settings
from borderpost.v1 import decisions_pb2, watchlist_pb2

app = typer.Typer()


@app.command()
def search(
    purpose: Purpose,
    surname: Annotated[
        str, typer.Option(help="Primary identifier, in Latin, Cyrillic or Arabic letters.")
    ] = "",
    given: Annotated[str, typer.Option(help="Secondary identifier.")] = "",
    born: Annotated[str, typer.Option(help="Birth date: 1980-07-12, unknown parts as X.")] = "",
    document: Annotated[str, typer.Option(help="Document as CODE:STATE:NUMBER.")] = "",
    list_name: Annotated[
        list[str] | None, typer.Option("--list", help="Only this list, by name or id; may be repeated.")
    ] = None,
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Search the watchlists by name, birth date and document. Who searches, and why, is recorded.

    Example: `borderpost watchlist search --surname Eriksson --given "Anna Maria" --born 1974-08-12
    --purpose "second line check"`
    """
    request = watchlist_pb2.SearchRequest()
    asked = []
    if surname:
        request.name.primary_identifier, request.name.secondary_identifier = surname, given
        asked.append("NAME")
    if born:
        request.birth_date.CopyFrom(partial_date(born))
    if document:
        request.document.CopyFrom(document_key(document))
        asked.append("DOCUMENT")
    if not asked:
        raise typer.BadParameter("got nothing to search by, want --surname or --document")
    with Person(load_settings(), identity, purpose) as officer:
        request.list_ids.extend(find_list(officer, name) for name in list_name or ())
        answer = officer.ask(officer.watchlist.Search, request)
    missing = missing_words(given, born) if surname else []
    show.emit(as_json, answer, lambda: search_view(answer, asked, missing))


def missing_words(given: str, born: str) -> list[str]:
    """Say what a name is searched without that would tell people of it apart."""
    words = [] if given else ["given names"]
    return words if born and "X" not in born.upper() else [*words, "a full birth date"]


@app.command()
def suppressions(
    list_name: ListName,
    entry: Annotated[str, typer.Option(help="Only those of this entry, by its id.")] = "",
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Show the suppressions of a list, newest first: who found what, why, and until when.

    Example: `borderpost watchlist suppressions --list Wanted`
    """
    with Person(load_settings(), identity) as officer:
        request = watchlist_pb2.ListSuppressionsRequest(
            list_id=find_list(officer, list_name), entry_id=entry, page_size=500
        )
        pages = officer.pages(officer.watchlist.ListSuppressions, request)
        found = [each for page in pages for each in page.suppressions]
    plain = {"suppressions": [show.to_plain(each) for each in found]}
    show.emit(as_json, plain, lambda: suppressions_view(found) if found else "There is none.")


@app.command()
def suppress(
    reason: Annotated[str, typer.Option(help="Why the document's holder is not the person of the entry.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day, at most two years ahead.")],
    pair: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The pair: a file with what a search by face and document gave of its candidate.",
        ),
    ] = None,
    screening: Annotated[
        str, typer.Option(help="Or the screening that found it, by its request id, with --entry.")
    ] = "",
    entry: Annotated[str, typer.Option(help="The entry that the screening found, by its id.")] = "",
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Say that the holder of a document is not the person of an entry: the pair then refers no more by itself.

    Where the list asks for two officers, it holds once another one has confirmed it.

    Example: `borderpost watchlist suppress --screening REQUEST_ID --entry ENTRY_ID
    --reason "Namesake, fingerprints differ" --until 2027-06-30`
    """
    if (pair is None) == (not screening) or bool(screening) != bool(entry):
        raise typer.BadParameter("want --pair FILE, or --screening REQUEST_ID with --entry ENTRY_ID")
    settings = load_settings()
    sealed = pair.read_bytes() if pair else pair_of(settings, identity, screening, entry)
    request = watchlist_pb2.ProposeSuppressionRequest(
        suppression_id=new_id(), pair=sealed, reason=reason, expires_at=end_of(until)
    )
    with Person(settings, identity) as officer:
        answer = officer.ask(officer.watchlist.ProposeSuppression, request)
    show.emit(as_json, answer, lambda: suppressed_words(answer.suppression))


def pair_of(settings: Settings, identity: str, request_id: str, entry_id: str) -> bytes:
    """Get the pair of an entry from the record of a screening, as officers see it. Raises InvalidRequestError."""
    with Person(settings, identity, f"to suppress the pair with entry {entry_id}") as officer:
        request = decisions_pb2.GetScreeningRequest(request_id=request_id)
        record = officer.ask(officer.decisions.GetScreening, request)
    candidates = [
        candidate
        for result in record.payload.watchlists
        for candidate in result.candidates
        if candidate.entry_id == entry_id
    ]
    if not candidates:
        raise InvalidRequestError("--entry: the screening has no such candidate, want one that it shows")
    for candidate in candidates:
        if candidate.pair:
            return candidate.pair
    raise InvalidRequestError(
        "--entry: this candidate can't be suppressed: only a face or a name can, if document and face were read"
    )


def suppressed_words(suppression: watchlist_pb2.Suppression) -> str:
    """Say where a suppression stands, and what is to be done next."""
    if suppression.state == watchlist_pb2.SUPPRESSION_STATE_PROPOSED:
        return (
            f"Proposed suppression {suppression.suppression_id}. Another officer confirms it with:\n"
            f"  borderpost watchlist suppress-confirm {suppression.suppression_id}"
        )
    if suppression.state == watchlist_pb2.SUPPRESSION_STATE_ACTIVE:
        end = show.when(suppression.expires_at)[:10]
        return f"Suppression {suppression.suppression_id} is active, until {end}."
    if suppression.state == watchlist_pb2.SUPPRESSION_STATE_OUTDATED:
        why = "is outdated, as the entry's templates changed"
    else:
        why = f"is {show.name_of(watchlist_pb2.SuppressionState, suppression.state, 'SUPPRESSION_STATE_').lower()}"
    return f"Suppression {suppression.suppression_id} {why}: the pair refers."


@app.command("suppress-confirm")
def suppress_confirm(suppression_id: str, identity: As = SECOND_OFFICER, as_json: Json = False) -> None:
    """Confirm a proposed suppression, as another officer than the one who proposed it.

    Exit status 1 if it has ended: then confirming does nothing.

    Example: `borderpost watchlist suppress-confirm SUPPRESSION_ID`
    """
    with Person(load_settings(), identity) as officer:
        request = watchlist_pb2.ConfirmSuppressionRequest(suppression_id=suppression_id)
        answer = officer.ask(officer.watchlist.ConfirmSuppression, request)
    is_active = answer.suppression.state == watchlist_pb2.SUPPRESSION_STATE_ACTIVE
    nothing = "" if is_active else "This did nothing. "
    show.emit(as_json, answer, lambda: f"{nothing}{suppressed_words(answer.suppression)}")
    if not is_active:
        raise typer.Exit(1)


@app.command("suppress-revoke")
def suppress_revoke(suppression_id: str, identity: As = OFFICER, as_json: Json = False) -> None:
    """Revoke a suppression at once: the pair refers again.

    Example: `borderpost watchlist suppress-revoke SUPPRESSION_ID`
    """
    with Person(load_settings(), identity) as officer:
        request = watchlist_pb2.RevokeSuppressionRequest(suppression_id=suppression_id)
        answer = officer.ask(officer.watchlist.RevokeSuppression, request)
    show.emit(as_json, answer, lambda: suppressed_words(answer.suppression))
