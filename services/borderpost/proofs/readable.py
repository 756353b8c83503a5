"""What an export says of an event in columns, for people and their tools. The event's own bytes are the truth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError

from borderpost.v1.decisions_pb2 import Event
from borderpost.v1.types_pb2 import Outcome

COLUMNS: Final = (
    "event_id",
    "time",
    "kind",
    "actor",
    "purpose",
    "subject",
    "outcome",
    "reasons",
    "kiosk_id",
    "crossing",
    "visit_id",
    "request_id",
    "lists",
    "entries",
)
"""Text each; several values of one column are parted by spaces. Empty: the event doesn't say it, or its body was
pruned."""

NOTHING: Final = dict.fromkeys(COLUMNS, "")


def columns_of(stored: bytes) -> dict[str, str] | None:
    """Return the columns of an event's bytes; None if they are none of an event."""
    if not stored:
        return dict(NOTHING)
    try:
        event = Event.FromString(stored)
    except DecodeError:
        return None
    kind = event.WhichOneof("body") or ""
    body = getattr(event, kind, None)
    return {
        "event_id": event.event_id,
        "time": event.time.ToJsonString(),
        "kind": kind.upper(),
        "actor": event.actor.subject,
        "purpose": event.purpose,
        "subject": event.subject,
        "outcome": _outcome(getattr(body, "outcome", 0)),
        "reasons": _joined(getattr(body, "reasons", ())),
        "lists": _joined(_one(body, "list_id") + list(getattr(body, "list_ids", ()))),
        "entries": _joined(_one(body, "entry_id")),
        **{name: " ".join(_one(body, name)) for name in ("kiosk_id", "crossing", "visit_id", "request_id")},
    }


def _one(body: object, name: str) -> list[str]:
    value = getattr(body, name, "")
    return [value] if isinstance(value, str) and value else []


def _joined(values: Iterable[str]) -> str:
    return " ".join(values)


def _outcome(value: int) -> str:
    names: dict[int, str] = {number: name for name, number in Outcome.items()}
    return names.get(value, str(value)).removeprefix("OUTCOME_") if value else ""
