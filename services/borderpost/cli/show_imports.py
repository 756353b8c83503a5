"""How imports are shown: what they change, where they stand, what is to be done next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.exchange.problems import ROW_REASONS
from borderpost.v1 import watchlist_pb2

_SAME_COMMAND: Final = (
    "give the command again that it was begun with:\n"
    "  borderpost watchlist import FILE … (of a bundle: bundle-import)"
)

STANDING_WORDS: Final = {
    watchlist_pb2.IMPORT_STATE_STAGING: (f"It isn't finished: {_SAME_COMMAND}"),
    watchlist_pb2.IMPORT_STATE_CANCELLED: (
        "It was dropped, with all its rows: by a person, because it changed nothing, or because the list has changed "
        f"since it was begun. To import the file again, {_SAME_COMMAND}"
    ),
}
"""What is to be said of an import that stands so."""


def diff_words(kept: watchlist_pb2.Import) -> str:
    """Say what the rows of an import are to its list; what it removes has `removal_words`."""
    parts = [f"{kept.added:,} new", f"{kept.changed:,} changed", f"{kept.unchanged:,} as they were"]
    parts += [f"{kept.errors:,} in error"] if kept.errors else []
    return f"{show.count(kept.rows, 'row')}: {', '.join(parts)}."


def removal_words(kept: watchlist_pb2.Import) -> Text:
    """Say how many entries a finished import removes, so that nobody passes over it; empty if it isn't complete."""
    if not kept.complete:
        return Text()
    if not kept.removed:
        return Text("0 to be removed")
    return Text.assemble(
        (f"{kept.removed:,} to be REMOVED", "bold red"),
        f": entries of {kept.source} that the file hasn't. Is it really that source's whole list?",
    )


def next_words(kept: watchlist_pb2.Import, ending: Ending) -> str:
    """Say what is to be done with an import whose rows are taken."""
    if kept.state == watchlist_pb2.IMPORT_STATE_CANCELLED:
        return "Nothing changes, so nobody has to approve anything: the import was dropped."
    if not ending.dry_run:
        return approval_words(kept, ending.list_name)
    if kept.state == watchlist_pb2.IMPORT_STATE_PROPOSED:
        return (
            "Nothing was done: this import was finished before, and waits for its approval. See it with:\n"
            f"  borderpost watchlist import-show {kept.import_id}"
        )
    if not kept.errors:
        return "Nothing was done; the rows wait for the same command without --dry-run."
    if ending.skip_errors:
        left = "leaves them out"
    else:
        left = "stops there: mend the file and import it anew, or leave them out (--skip-errors)"
    condition = ". With --complete each of them must have a record id" if kept.complete else ""
    return (
        f"Nothing was done. {show.count(kept.errors, 'row')} can't be used: the same command without --dry-run "
        f"{left}{condition}."
    )


def standing_words(kept: watchlist_pb2.Import, list_name: str) -> str:
    """Say what is to be done with an import as it stands; empty if nothing is."""
    if kept.state == watchlist_pb2.IMPORT_STATE_PROPOSED:
        return approval_words(kept, list_name or kept.list_id)
    return STANDING_WORDS.get(kept.state, "")


def approval_words(kept: watchlist_pb2.Import, list_name: str) -> str:
    """Say with which commands a second person looks at an import and approves it."""
    return (
        "A second person looks at what is proposed, and approves it, with:\n"
        f"  borderpost watchlist list --list {shlex.quote(list_name)} --state proposed\n"
        f"  borderpost watchlist import-approve {kept.import_id}"
    )


def import_view(kept: watchlist_pb2.Import, list_name: str = "") -> Table:
    """Show an import; its list by its name, too, if that is known."""
    rows = show.pairs()
    rows.add_row("import", kept.import_id)
    rows.add_row("state", show.name_of(watchlist_pb2.ImportState, kept.state, "IMPORT_STATE_").lower())
    rows.add_row("list", Text(list_words(kept.list_id, list_name)))
    rows.add_row("from", Text(kept.source) + Text(", its whole list" if kept.complete else ""))
    rows.add_row("SHA-256", kept.content_sha256.hex())
    rows.add_row("rows", diff_words(kept))
    if kept.complete and kept.state == watchlist_pb2.IMPORT_STATE_STAGING:
        rows.add_row("removals", "known when the import is finished")
    elif kept.complete and kept.state == watchlist_pb2.IMPORT_STATE_PROPOSED:
        rows.add_row("removals", removal_words(kept))
    elif kept.state == watchlist_pb2.IMPORT_STATE_APPLIED:
        rows.add_row("removals", entry_words(kept.removed))
    rows.add_row("begun by", kept.proposed_by.subject)
    if kept.HasField("approved_by"):
        rows.add_row("approved by", kept.approved_by.subject)
    if kept.version:
        rows.add_row("applied in", f"version {kept.version} of the list")
    return rows


def errors_view(errors: Iterable[watchlist_pb2.RowError]) -> Table:
    """Show rows in error: which, why, and in which field."""
    rows = show.table("row", "reason", "what")
    rows.columns[0].justify = "right"
    for error in errors:
        rows.add_row(
            str(error.row), error.reason, Text(error.message or ROW_REASONS.get(error.reason, error.field))
        )
    return rows


@dataclass(frozen=True, slots=True)
class Ending:
    """How an import is to end, and how that is told. `list_name` is what the list was called by its user."""

    list_name: str
    skip_errors: bool
    dry_run: bool
    report: Path | None
    as_json: bool


def list_words(list_id: str, name: str) -> str:
    """Name a list by its name, as far as it is known, and its id."""
    return list_id if name in ("", list_id) else f"{name} ({list_id})"


def entry_words(number: int) -> str:
    """Say how many entries."""
    return f"{number:,} {'entry' if number == 1 else 'entries'}"
