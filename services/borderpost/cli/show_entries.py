"""How entries look: a page that says all that an approver has to know of one, and a list of the most telling."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group
from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.show_matches import document_words
from borderpost.runtime.clock import from_timestamp
from borderpost.v1 import types_pb2, watchlist_pb2

IN_FORCE: Final = (watchlist_pb2.ENTRY_STATE_ACTIVE, watchlist_pb2.ENTRY_STATE_APPROVED)
"""States of an entry that was approved and has not ended."""

_NOT_KNOWN: Final = "not known"


def entries_view(entries: Iterable[watchlist_pb2.Entry], watchlist: watchlist_pb2.Watchlist) -> Table:
    """Show entries of one list, what is most telling of each."""
    rows = show.table("entry", "state", id_column=0)
    for entry in entries:
        lines = [
            *([f"born {date_words(entry.birth_date)}"] if entry.HasField("birth_date") else []),
            *map(document_words, entry.documents),
            f"{entry.reason_code}; {entry.source_reference}",
        ]
        who = Text.assemble((_names(entry), "bold"), "\n", "\n".join(lines), "\n", (entry.entry_id, "dim"))
        rows.add_row(who, "\n".join(_standing_lines(entry, watchlist)))
    return rows


def entry_view(entry: watchlist_pb2.Entry, watchlist: watchlist_pb2.Watchlist) -> Table:
    """Show all that is said of an entry, on a page."""
    rows = show.pairs()
    rows.add_row("entry", entry.entry_id)
    rows.add_row("list", f"{watchlist.name}; {watchlist.authority}")
    rows.add_row("state", state_words(entry, watchlist))
    rows.add_row("name", _names(entry))
    rows.add_row("born", date_words(entry.birth_date) if entry.HasField("birth_date") else _NOT_KNOWN)
    rows.add_row("sex", entry.sex or _NOT_KNOWN)
    rows.add_row("nationality", ", ".join(entry.nationalities) or _NOT_KNOWN)
    rows.add_row("document", "\n".join(map(document_words, entry.documents)) or "none")
    rows.add_row("face", _face_words(entry))
    rows.add_row("reason", entry.reason_code)
    rows.add_row("source", entry.source_reference)
    begin = show.when(entry.valid_from)[:10] if entry.HasField("valid_from") else "its approval"
    rows.add_row("valid", f"from {begin} until {_day(entry.valid_until)}")
    rows.add_row("proposed by", entry.proposed_by.subject)
    rows.add_row("approved by", entry.approved_by.subject or "nobody")
    if entry.HasField("withdrawn_at"):
        rows.add_row("withdrawn", f"{show.when(entry.withdrawn_at)} UTC")
    if entry.HasField("provenance"):
        origin = entry.provenance
        rows.add_row(
            "imported", f"from {origin.source}, record {origin.record_id}\nimport {origin.import_id}"
        )
    return rows


def approval_view(
    answer: watchlist_pb2.ApproveEntryResponse, watchlist: watchlist_pb2.Watchlist
) -> Group | Text:
    """Say what an approval came to, by the state that was answered, and show what was approved."""
    entry = answer.entry
    if entry.state == watchlist_pb2.ENTRY_STATE_ACTIVE:
        said = f"Approved: it is searched, from version {answer.version} of its list at the latest."
    elif entry.state == watchlist_pb2.ENTRY_STATE_APPROVED:
        said = f"Approved: it is searched from {show.when(entry.valid_from)} UTC on."
    else:
        said = f"This did nothing: the entry is {_state(entry)}, and not searched."
    return Group(Text(said), entry_view(entry, watchlist))


def withdrawal_words(answer: watchlist_pb2.WithdrawEntryResponse, watchlist: watchlist_pb2.Watchlist) -> str:
    """Say that an entry is withdrawn, and what happens to it next."""
    said = f"Withdrawn: not searched from version {answer.version} of its list."
    if not watchlist.retention_days:
        return f"{said} It is erased now: the list keeps nothing after its end."
    return f"{said} It is kept until {_kept_until(answer.entry, watchlist)}, and then erased."


def state_words(entry: watchlist_pb2.Entry, watchlist: watchlist_pb2.Watchlist) -> str:
    """Say where an entry stands: until when it is searched, or when it ended and until when it is kept."""
    until = _day(entry.valid_until)
    ended_on = {
        watchlist_pb2.ENTRY_STATE_WITHDRAWN: entry.withdrawn_at,
        watchlist_pb2.ENTRY_STATE_EXPIRED: entry.valid_until,
    }.get(entry.state)
    if ended_on is not None:
        kept = "and about to be erased"
        if watchlist.retention_days:
            kept = f"kept until {_kept_until(entry, watchlist)}"
        return f"{_state(entry)} on {_day(ended_on)}, {kept}"
    if entry.state == watchlist_pb2.ENTRY_STATE_PROPOSED:
        return f"proposed: not searched before a second person approves it; valid until {until}"
    if entry.state == watchlist_pb2.ENTRY_STATE_APPROVED:
        return f"approved: searched from {_day(entry.valid_from)} until {until}"
    return f"{_state(entry)} until {until}"


def date_words(date: types_pb2.PartialDate) -> str:
    """Write a date as `--born` takes it, unknown parts as X."""
    year = f"{date.year:04}" if date.HasField("year") else "XXXX"
    month = f"{date.month:02}" if date.HasField("month") else "XX"
    day = f"{date.day:02}" if date.HasField("day") else "XX"
    return f"{year}-{month}-{day}"


def _standing_lines(entry: watchlist_pb2.Entry, watchlist: watchlist_pb2.Watchlist) -> Iterable[str]:
    yield state_words(entry, watchlist)
    yield _face_words(entry)
    yield f"by {entry.proposed_by.subject}"
    if entry.approved_by.subject:
        yield f"approved by {entry.approved_by.subject}"
    if entry.HasField("provenance"):
        yield f"from {entry.provenance.source}, record {entry.provenance.record_id}"
        if entry.state == watchlist_pb2.ENTRY_STATE_PROPOSED:
            yield f"approved with its import:\n{entry.provenance.import_id}"


def _names(entry: watchlist_pb2.Entry) -> str:
    return "\n".join(_name_words(name) for name in entry.names) or "no name"


def _name_words(name: watchlist_pb2.PersonName) -> str:
    parts = filter(None, (name.primary_identifier, name.secondary_identifier))
    native = f" ({name.native})" if name.native else ""
    return f"{', '.join(parts)}{native}"


def _face_words(entry: watchlist_pb2.Entry) -> str:
    pictures = show.count(entry.picture_count, "picture")
    return f"{show.count(entry.template_count, 'template')}, {pictures} kept"


def _state(entry: watchlist_pb2.Entry) -> str:
    return show.name_of(watchlist_pb2.EntryState, entry.state, "ENTRY_STATE_").lower()


def _kept_until(entry: watchlist_pb2.Entry, watchlist: watchlist_pb2.Watchlist) -> str:
    end = from_timestamp(entry.valid_until)
    if entry.HasField("withdrawn_at"):
        end = min(end, from_timestamp(entry.withdrawn_at))
    return (end + timedelta(days=watchlist.retention_days)).strftime("%Y-%m-%d")


def _day(stamp: Timestamp) -> str:
    return show.when(stamp)[:10]
