"""`borderpost audit …`: query the decision log, look at a screening, verify the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from borderpost.cli import show, show_record
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import AUDITOR, Person
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.settings import load_settings
from borderpost.v1 import decisions_pb2, types_pb2

app = typer.Typer(help="The decision log: query, look, verify. Who looks is recorded.", no_args_is_help=True)

As = Annotated[str, typer.Option("--as", help="Your identity.")]
TIMES: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
PAGE: Final = 500


@app.command()
def query(
    purpose: Purpose,
    since: Annotated[datetime | None, typer.Option(formats=TIMES, help="Not before this time (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(formats=TIMES, help="Before this time (UTC).")] = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="clear, refer or retake; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Kind of event, such as traveler-screened; may be repeated.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Reason code.")] = "",
    kiosk: Annotated[str, typer.Option(help="Kiosk, such as kiosk/north/1.")] = "",
    visit: Annotated[str, typer.Option(help="Visit id.")] = "",
    request_id: Annotated[str, typer.Option("--request", help="Request id.")] = "",
    crossing: Annotated[str, typer.Option(help="Crossing.")] = "",
    officer: Annotated[str, typer.Option(help="Who did it, such as operator/officer/dev.")] = "",
    list_id: Annotated[
        str, typer.Option("--list", help="List id: its candidates, and the list itself.")
    ] = "",
    candidate: Annotated[str, typer.Option(help="Entry id: who matched it, and the entry itself.")] = "",
    document: Annotated[str, typer.Option(help="CODE:STATE:NUMBER, such as P:UTO:L898902C3.")] = "",
    screening: Annotated[str, typer.Option(help="Event id of a screening: all about it.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = 50,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """List events, newest first; no personal data is in them.

    Example: `borderpost audit query --outcome refer --since 2026-11-24 --purpose "weekly review"`
    """
    request = decisions_pb2.QueryEventsRequest(
        outcomes=[_value(types_pb2.Outcome, "OUTCOME_", text) for text in outcome or ()],
        kinds=[_value(decisions_pb2.EventKind, "EVENT_KIND_", text) for text in kind or ()],
        reason=reason,
        kiosk_id=kiosk,
        visit_id=visit,
        request_id=request_id,
        crossing=crossing,
        actor=officer,
        list_id=list_id,
        entry_id=candidate,
        document=_document(document),
        subject=screening,
        page_size=min(limit, PAGE),
    )
    if since:
        getattr(request, "from").CopyFrom(to_timestamp(since.replace(tzinfo=UTC)))
    if until:
        request.until.CopyFrom(to_timestamp(until.replace(tzinfo=UTC)))
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
        show.console.print(f"The newest {len(entries):,} of more: --limit shows others.")


@app.command("show")
def show_screening(request_id: str, purpose: Purpose, identity: As = AUDITOR, as_json: Json = False) -> None:
    """Show one screening with everything that it found, decrypted.

    Example: `borderpost audit show REQUEST_ID --purpose "complaint 12/26"`
    """
    with Person(load_settings(), identity, purpose) as auditor:
        request = decisions_pb2.GetScreeningRequest(request_id=request_id)
        answer = auditor.ask(auditor.decisions.GetScreening, request)

    def render() -> None:
        show.console.print(show_record.record_view(answer))
        show.console.print("", show.steps_view(answer.entry.event.traveler_screened.steps), sep="\n")

    show.emit(as_json, answer, render)


@app.command()
def verify(identity: As = AUDITOR, as_json: Json = False) -> None:
    """Check the whole log: every entry, every root, every payload. Exit status 1 if anything is wrong.

    Example: `borderpost audit verify`
    """
    with Person(load_settings(), identity) as auditor:
        answer = auditor.ask(auditor.decisions.VerifyLog, decisions_pb2.VerifyLogRequest())
    show.emit(as_json, answer, lambda: show.verification_view(answer))
    if not answer.intact:
        raise typer.Exit(1)


def _document(text: str) -> types_pb2.DocumentKey | None:
    if not text:
        return None
    parts = text.split(":")
    if len(parts) != 3 or not all(parts):
        raise typer.BadParameter("--document: got something else, want CODE:STATE:NUMBER")
    return types_pb2.DocumentKey(document_code=parts[0], issuing_state=parts[1], number=parts[2])


def _value(enum: Any, prefix: str, text: str) -> Any:
    name = prefix + text.upper().replace("-", "_")
    if name not in enum.keys()[1:]:
        known = ", ".join(key.removeprefix(prefix).lower().replace("_", "-") for key in enum.keys()[1:])
        raise typer.BadParameter(f"got {text!r}, want one of: {known}")
    return enum.Value(name)
