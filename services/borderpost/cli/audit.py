"""`borderpost audit …`: query the decision log, look at a screening, verify the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from borderpost.cli import event_filter as by
from borderpost.cli import show, show_case, show_record
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import AUDITOR, Person
from borderpost.runtime.settings import load_settings
from borderpost.v1 import decisions_pb2

app = typer.Typer(help="The decision log: query, look, verify. Who looks is recorded.", no_args_is_help=True)

As = Annotated[str, typer.Option("--as", help="Your identity.")]
PAGE: Final = 500


@app.command()
def query(
    purpose: Purpose,
    since: by.Since = None,
    until: by.Until = None,
    outcome: by.Outcomes = None,
    kind: by.Kinds = None,
    reason: by.Reason = "",
    kiosk: by.Kiosk = "",
    crossing: by.Crossing = "",
    visit: by.Visit = "",
    request_id: by.RequestId = "",
    officer: by.Officer = "",
    list_id: by.ListId = "",
    candidate: by.Candidate = "",
    document: by.Document = "",
    screening: by.Screening = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = 50,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """List events, newest first; no personal data is in them.

    Example: `borderpost audit query --outcome refer --since 2026-11-24 --purpose "weekly review"`
    """
    request = by.event_filter(
        since,
        until,
        outcome,
        kind,
        document,
        reason=reason,
        kiosk_id=kiosk,
        crossing=crossing,
        visit_id=visit,
        request_id=request_id,
        actor=officer,
        list_id=list_id,
        entry_id=candidate,
        subject=screening,
    )
    request.page_size = min(limit, PAGE)
    entries: list[decisions_pb2.LogEntry] = []
    more = False
    with Person(load_settings(), identity, purpose) as auditor:
        for page in auditor.pages(auditor.decisions.QueryEvents, request):
            entries += page.entries
            if len(entries) >= limit:
                more = len(entries) > limit or bool(page.next_page_token)
                break
    del entries[limit:]
    plain = {"entries": [show.to_plain(entry) for entry in entries]}
    show.emit(as_json, plain, lambda: show.events_view(entries) if entries else "Nothing fits.")
    if more and not as_json:
        show.console.print(f"The newest {len(entries):,} of more: --limit shows more.")


@app.command("show")
def show_screening(
    request_id: str,
    purpose: Purpose,
    pictures: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the pictures that are held into this folder.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Everything about it as well: its case, and who looked.")
    ] = False,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """Show one screening with everything that it found, decrypted.

    Example: `borderpost audit show REQUEST_ID --purpose "complaint 12/26" --history`
    """
    about: list[decisions_pb2.LogEntry] = []
    with Person(load_settings(), identity, purpose) as auditor:
        request = decisions_pb2.GetScreeningRequest(request_id=request_id, with_evidence=pictures is not None)
        answer = auditor.ask(auditor.decisions.GetScreening, request)
        if history:
            subject = answer.entry.event.event_id
            query = decisions_pb2.QueryEventsRequest(subject=subject, page_size=PAGE)
            for page in auditor.pages(auditor.decisions.QueryEvents, query):
                about += page.entries
    written = show_case.write_pictures(answer.evidence, pictures) if pictures else []

    def render() -> None:
        show.console.print(show_record.record_view(answer))
        show.console.print("", show.steps_view(answer.entry.event.traveler_screened.steps), sep="\n")
        if pictures:
            found = ", ".join(path.name for path in written) or "none is held (any more)"
            show.console.print(f"Pictures in {pictures}: {found}")
        elif answer.entry.event.evidence_sha256:
            show.console.print(
                "Pictures were kept with it; --pictures FOLDER writes those that are still held."
            )
        if about:
            show.console.print(show.events_view(about))

    show.emit(as_json, answer, render)
