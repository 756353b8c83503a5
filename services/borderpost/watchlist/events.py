"""The events that tell the decision log what happened to the lists, and who looked at them.

They hold ids only: nothing that is said of a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Final

from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.v1.decisions_pb2 import Event
from borderpost.v1.types_pb2 import Actor as ActorMessage
from borderpost.watchlist import wire
from borderpost.watchlist.domain import (
    Caller,
    Import,
    ListState,
    Measured,
    SearchAnswer,
    Suppression,
    Watchlist,
)

EVENT_SCHEMA: Final = 1
"""`Event.schema_version` of the events made here."""

MOST_IDS: Final = 1000
"""Entries that one event of an import names, as in decisions.proto."""

MOST_TEXT: Final = 200
"""Characters of a field before and after a change."""

SERVICE: Final = "watchlist"
"""The service's own name: who acts where nobody asked for it."""

PROPOSED: Final = "PROPOSED"
CONFIRMED: Final = "CONFIRMED"
REVOKED: Final = "REVOKED"
ENDED: Final = "ENDED"
MOVED: Final = "MOVED"
"""What became of a suppression, as in decisions.proto."""

REQUEST: Final = "REQUEST"
RETENTION: Final = "RETENTION"
"""Why an entry was removed, as in decisions.proto."""


def watchlist_created(by: Caller, state: ListState) -> Event:
    """A list was made."""
    event = _event(by, state.changed_at)
    event.watchlist_created.list_id = state.watchlist.list_id
    event.watchlist_created.version = state.version
    return event


def watchlist_described(by: Caller, state: ListState, before: Watchlist) -> Event:
    """What is said of a list was changed: which fields, from what to what. A list is no person: nothing is hidden."""
    event = _event(by, state.changed_at)
    body = event.watchlist_changed
    body.list_id, body.version, body.what = state.watchlist.list_id, state.version, "DESCRIPTION"
    for field in fields(Watchlist):
        old, new = (_text(getattr(watchlist, field.name)) for watchlist in (before, state.watchlist))
        if old != new:
            body.changes.add(field=field.name, before=old, after=new)
    return event


def _text(value: object) -> str:
    """A field of a list in words; cut, for a text of a thousand characters is in the list itself."""
    if isinstance(value, Enum):
        value = value.value
    elif isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, tuple):
        value = ", ".join(value)
    return "" if value is None else str(value)[:MOST_TEXT]


def watchlist_measured(by: Caller, state: ListState, measured: Measured) -> Event:
    """What a list's thresholds rest on was measured."""
    event = _event(by, state.changed_at)
    body = event.watchlist_changed
    body.list_id, body.version, body.what = state.watchlist.list_id, state.version, "THRESHOLDS"
    body.model_id, body.factor = measured.own.model_id, measured.own.factor or 0.0
    return event


def entry_proposed(by: Caller, state: ListState, entry_id: str) -> Event:
    """An entry was proposed."""
    event = _event(by, state.changed_at)
    body = event.watchlist_entry_proposed
    body.list_id, body.entry_id, body.version = state.watchlist.list_id, entry_id, state.version
    return event


def entry_approved(by: Caller, state: ListState, entry_id: str) -> Event:
    """An entry was approved."""
    event = _event(by, state.changed_at)
    body = event.watchlist_entry_approved
    body.list_id, body.entry_id, body.version = state.watchlist.list_id, entry_id, state.version
    return event


def entry_removed(by: Caller, state: ListState, entry_id: str, cause: str) -> Event:
    """An entry was removed."""
    event = _event(by, state.changed_at)
    body = event.watchlist_entry_removed
    body.list_id, body.entry_id, body.version = state.watchlist.list_id, entry_id, state.version
    body.cause = cause
    return event


def entry_withdrawn(by: Caller, state: ListState, entry_id: str) -> Event:
    """An entry was withdrawn."""
    return _entry_changed(by, state, entry_id, "WITHDRAWN")


def templates_added(by: Caller, state: ListState, entry_id: str) -> Event:
    """An entry got templates of another model."""
    return _entry_changed(by, state, entry_id, "TEMPLATES")


def import_proposed(by: Caller, now: datetime, an_import: Import) -> Event:
    """An import waits for approval."""
    return _imported(by, now, an_import, "PROPOSED", 0)


def import_cancelled(by: Caller, now: datetime, an_import: Import) -> Event:
    """An import was dropped."""
    return _imported(by, now, an_import, "CANCELLED", 0)


def import_applied(
    by: Caller, state: ListState, an_import: Import, added: Sequence[str], removed: Sequence[str]
) -> Iterator[Event]:
    """An import was applied: as many events as it takes to name every entry, at least one."""
    for begin in range(0, max(len(added), len(removed), 1), MOST_IDS):
        event = _imported(by, state.changed_at, an_import, "APPLIED", state.version)
        event.watchlist_imported.added_entry_ids.extend(added[begin : begin + MOST_IDS])
        event.watchlist_imported.removed_entry_ids.extend(removed[begin : begin + MOST_IDS])
        yield event


def entries_exported(by: Caller, now: datetime, state: ListState, entries: int) -> Event:
    """A page of entries was exported."""
    return _exported(by, now, state, "ENTRIES", entries)


def bundle_made(by: Caller, now: datetime, state: ListState, entries: int, partner: str) -> Event:
    """A bundle was made for a partner."""
    event = _exported(by, now, state, "BUNDLE", entries)
    event.watchlist_exported.partner = partner
    return event


def pictures_shown(by: Caller, now: datetime, state: ListState, entry_id: str) -> Event:
    """An entry's pictures were shown."""
    event = _exported(by, now, state, "PICTURES", 1)
    event.watchlist_exported.entry_id = entry_id
    return event


def searched(by: Caller, now: datetime, answer: SearchAnswer) -> Event:
    """A person searched."""
    event = _event(by, now)
    body = event.watchlist_searched
    body.list_ids.extend(result.state.watchlist.list_id for result in answer.results)
    body.searched_by.extend(wire.KINDS[kind] for kind in answer.searched_by)
    body.candidates = sum(len(result.candidates) for result in answer.results)
    body.version = answer.version
    return event


def suppression_changed(by: Caller, state: ListState, suppression: Suppression, what: str) -> Event:
    """A suppression was changed: `what` is one of the words above."""
    event = _event(by, state.changed_at)
    body = event.watchlist_suppression_changed
    body.suppression_id, body.entry_id = suppression.suppression_id, suppression.entry_id
    body.list_id, body.version, body.what = state.watchlist.list_id, state.version, what
    return event


def _entry_changed(by: Caller, state: ListState, entry_id: str, what: str) -> Event:
    event = _event(by, state.changed_at)
    body = event.watchlist_entry_changed
    body.list_id, body.entry_id, body.version = state.watchlist.list_id, entry_id, state.version
    body.what = what
    return event


def _imported(by: Caller, now: datetime, an_import: Import, what: str, version: int) -> Event:
    event = _event(by, now)
    body = event.watchlist_imported
    body.list_id, body.import_id, body.version, body.what = (
        an_import.list_id,
        an_import.import_id,
        version,
        what,
    )
    body.content_sha256 = an_import.content_sha256
    return event


def _exported(by: Caller, now: datetime, state: ListState, what: str, entries: int) -> Event:
    event = _event(by, now)
    body = event.watchlist_exported
    body.list_id, body.version, body.what, body.entries = (
        state.watchlist.list_id,
        state.version,
        what,
        entries,
    )
    return event


def _event(by: Caller, time: datetime) -> Event:
    return Event(
        schema_version=EVENT_SCHEMA,
        event_id=new_id(),
        time=to_timestamp(time),
        actor=ActorMessage(issuer=by.actor.issuer, subject=by.actor.subject),
        purpose=by.purpose,
    )
