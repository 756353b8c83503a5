"""`borderpost retention …`: what is held, for how long, and what is overdue."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.cli.people import ADMINISTRATOR, LONG_SECONDS, Person
from borderpost.runtime.settings import load_settings
from borderpost.v1 import subjects_pb2

app = typer.Typer(help="How long data is kept, what is held, what is overdue.", no_args_is_help=True)

As = Annotated[str, typer.Option("--as", help="Your identity.")]

_CLASS_WORDS: Final = {
    "EVIDENCE": "pictures, templates",
    "PAYLOAD": "what was read and found",
    "EVENT": "events",
}
_FROM_WORDS: Final = {
    "SCREENED": "after the screening",
    "CASE_CLOSED": "after its case is closed",
    "LOGGED": "after it was logged",
}
_UNITS: Final = (("year", 365 * 86_400), ("day", 86_400), ("hour", 3600))
"""A year of the rules is 365 days."""


@app.command()
def status(identity: As = ADMINISTRATOR, as_json: Json = False) -> None:
    """Show what is held by class and outcome, how long it is kept, and what is overdue. No personal data.

    Example: `borderpost retention status`
    """
    with Person(load_settings(), identity) as someone:
        answer = someone.ask(someone.subjects.GetRetention, subjects_pb2.GetRetentionRequest())
    show.emit(as_json, answer, lambda: status_view(answer))


@app.command()
def apply(identity: As = ADMINISTRATOR, as_json: Json = False) -> None:
    """Erase what is overdue now. The service does it by itself every ten minutes.

    Example: `borderpost retention apply`
    """
    with Person(load_settings(), identity) as someone:
        request = subjects_pb2.ApplyRetentionRequest()
        answer = someone.ask(someone.subjects.ApplyRetention, request, LONG_SECONDS)
    show.emit(as_json, answer, lambda: applied_words(answer))


def applied_words(answer: subjects_pb2.ApplyRetentionResponse) -> str:
    """Say what was erased."""
    if not answer.evidence + answer.payloads + answer.events:
        return "Nothing was overdue."
    return (
        f"Erased: pictures and templates of {show.count(answer.evidence, 'screening')}, what was read and found of "
        f"{answer.payloads:,}; {show.count(answer.events, 'event')} pruned."
    )


def status_view(answer: subjects_pb2.GetRetentionResponse) -> Group:
    """Show what is held."""
    head = show.pairs()
    head.add_row("rules", answer.rules)
    applied = show.when(answer.last_applied) + " UTC" if answer.HasField("last_applied") else "never"
    head.add_row("last applied", applied)
    head.add_row("pruned", f"events before {answer.pruned_until:,}" if answer.pruned_until else "no event")
    return Group(head, "", _classes(answer))


def _classes(answer: subjects_pb2.GetRetentionResponse) -> Table:
    rows = show.table("what", "outcome", "held", "kept", "oldest", "overdue")
    for column in (2, 5):
        rows.columns[column].justify = "right"
    for each in answer.classes:
        outcome = Text("other events", style="dim") if not each.outcome else show.outcome(each.outcome)
        if each.sampled:
            outcome = Text("random sample")
        rows.add_row(
            _CLASS_WORDS.get(each.data_class, each.data_class),
            outcome,
            f"{each.held:,}",
            keep_words(each),
            show.when(each.oldest) if each.HasField("oldest") else "",
            Text(f"{each.overdue:,}", style="bold yellow" if each.overdue else "dim"),
        )
    return rows


def keep_words(held: subjects_pb2.HeldClass) -> str:
    """Say how long something is kept."""
    if not held.keep_seconds and held.counted_from != "CASE_CLOSED":
        return "not at all"
    for unit, seconds in _UNITS:
        if held.keep_seconds % seconds == 0 and held.keep_seconds:
            span = show.count(held.keep_seconds // seconds, unit)
            return f"{span} {_FROM_WORDS.get(held.counted_from, held.counted_from)}"
    return "until its case is closed"
