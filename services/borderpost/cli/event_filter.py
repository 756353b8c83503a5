"""Options that say which events of the log are meant, for every command that takes some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from borderpost.cli.options import document_key
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import decisions_pb2, types_pb2

TIMES: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]

Since = Annotated[datetime | None, typer.Option(formats=TIMES, help="Not before this time (UTC).")]
Until = Annotated[datetime | None, typer.Option(formats=TIMES, help="Before this time (UTC).")]
Outcomes = Annotated[list[str] | None, typer.Option(help="clear, refer or retake; may be repeated.")]
Kinds = Annotated[
    list[str] | None, typer.Option(help="Kind of event, such as traveler-screened; may be repeated.")
]
Reason = Annotated[str, typer.Option(help="Reason code.")]
Kiosk = Annotated[str, typer.Option(help="Kiosk, such as kiosk/north/1.")]
Crossing = Annotated[str, typer.Option(help="Crossing.")]
Visit = Annotated[str, typer.Option(help="Visit id.")]
RequestId = Annotated[str, typer.Option("--request", help="Request id.")]
Officer = Annotated[str, typer.Option(help="Who did it, such as dev.")]
ListId = Annotated[
    str, typer.Option("--list", help="List id: screenings with a candidate on it, and the list itself.")
]
Candidate = Annotated[
    str, typer.Option(help="Entry id: screenings that have it as a candidate, and the entry itself.")
]
Document = Annotated[str, typer.Option(help="CODE:STATE:NUMBER, such as P:UTO:L898902C3.")]
Screening = Annotated[str, typer.Option(help="Event id of a screening: all about it, and who looked.")]


def event_filter(
    since: datetime | None,
    until: datetime | None,
    outcome: Sequence[str] | None,
    kind: Sequence[str] | None,
    document: str,
    **texts: str,
) -> decisions_pb2.QueryEventsRequest:
    """Make a query; `texts` are its other fields by their names."""
    request = decisions_pb2.QueryEventsRequest(
        outcomes=[value_of(types_pb2.Outcome, "OUTCOME_", text) for text in outcome or ()],
        kinds=[value_of(decisions_pb2.EventKind, "EVENT_KIND_", text) for text in kind or ()],
        document=document_key(document) if document else None,
        until=to_timestamp(until.replace(tzinfo=UTC)) if until else None,
        **texts,  # type: ignore[arg-type] # texts all of them
    )
    if since:
        getattr(request, "from").CopyFrom(to_timestamp(since.replace(tzinfo=UTC)))
    return request


def value_of(enum: Any, prefix: str, text: str) -> Any:
    """Read a value of an enum by its short name, in lower case with hyphens."""
    name = prefix + text.upper().replace("-", "_")
    if name not in enum.keys()[1:]:
        known = ", ".join(key.removeprefix(prefix).lower().replace("_", "-") for key in enum.keys()[1:])
        raise typer.BadParameter(f"got {text!r}, want one of: {known}")
    return enum.Value(name)
