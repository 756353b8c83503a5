"""`borderpost watchlist create`, `change`, `lists`, `stats`, `measure`: lists as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from borderpost.cli import show, show_watchlist
from borderpost.cli.lists import As, ListName, find_list, the_list
from borderpost.cli.options import Json, end_of
from borderpost.cli.people import LIST_MANAGER, LONG_SECONDS, Person
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import load_settings
from borderpost.v1 import watchlist_pb2

app = typer.Typer()

NO_LIST: Final = (
    "There is no list yet. Make one with:\n"
    "  borderpost watchlist create --name … --authority … --legal-basis … --category … --handling …"
)

_ODDS: Final = re.compile(r"1 in ([1-9][\d,]*)")

ValidUntil = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day on which it is searched.")
]
RetentionDays = Annotated[
    int | None,
    typer.Option(min=0, max=3650, help="Days that an entry is kept after its end; 0 removes it at once."),
]
Crossings = Annotated[
    list[str] | None,
    typer.Option("--crossing", help="Crossing at which it is searched; may be repeated. Without it, all."),
]
BaseRate = Annotated[
    str,
    typer.Option(
        help="Travelers assumed to be on it, as '1 in 40,000': what the odds of an alert rest on. "
        "Where it is not said, 1 in 100,000."
    ),
]
NameTarget = Annotated[
    float | None,
    typer.Option(help="The same for names with birth dates. Where it is not said, as --target-fpir."),
]
People = Annotated[
    int | None, typer.Option(min=1, max=2, help="Officers that it takes to suppress a pair: 1 or 2.")
]

RETENTION_DAYS: Final = 30
"""Of a list that is made without saying it. With the service's own 0, one person's withdrawal would erase at once, with
no time to notice a mistake."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What create and change may say of a list beside its description."""

    valid_until: datetime | None
    retention_days: int | None
    crossings: list[str] | None
    base_rate: str
    name_target_fpir: float | None
    suppression_people: int | None

    def put_into(self, watchlist: watchlist_pb2.Watchlist) -> None:
        """Set what was said; the rest stays."""
        if self.valid_until:
            watchlist.valid_until.CopyFrom(end_of(self.valid_until))
        if self.crossings:
            watchlist.crossings[:] = self.crossings
        if self.base_rate:
            watchlist.assumed_base_rate = base_rate(self.base_rate)
        for field in ("retention_days", "name_target_fpir", "suppression_people"):
            said = getattr(self, field)
            if said is not None:
                setattr(watchlist, field, said)


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
    name_target_fpir: NameTarget = None,
    valid_until: ValidUntil = None,
    retention_days: RetentionDays = RETENTION_DAYS,
    crossing: Crossings = None,
    base_rate: BaseRate = "",
    suppression_people: People = show_watchlist.DEFAULT_PEOPLE,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Make a list.

    Example: `borderpost watchlist create --name Wanted --authority "Ministry of Justice" --legal-basis
    "Police Act, section 12" --category wanted --handling "Compare by eye; call the shift leader"
    --base-rate "1 in 40,000" --crossing north`
    """
    watchlist = watchlist_pb2.Watchlist(
        list_id=new_id(),
        name=name,
        authority=authority,
        legal_basis=legal_basis,
        category=category_of(category),
        priority=priority,
        handling_instruction=handling,
        target_fpir=target_fpir,
    )
    terms = Terms(valid_until, retention_days, crossing, base_rate, name_target_fpir, suppression_people)
    terms.put_into(watchlist)
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist)
        answer = manager.ask(manager.watchlist.CreateWatchlist, request)
    show.emit(as_json, answer, lambda: f"Made list {answer.watchlist.list_id}, “{name}”.")


@app.command()
def change(
    list_name: ListName,
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    legal_basis: Annotated[str | None, typer.Option(help="The law it rests on.")] = None,
    handling: Annotated[str | None, typer.Option(help="What the officer is to do about a hit.")] = None,
    category: Annotated[
        str, typer.Option(help="security, wanted, missing-or-vulnerable, immigration or document.")
    ] = "",
    priority: Annotated[int | None, typer.Option(min=1, max=9, help="1 is the most urgent.")] = None,
    target_fpir: Annotated[
        float | None, typer.Option(help="False alarms per traveler that the face threshold aims at.")
    ] = None,
    name_target_fpir: NameTarget = None,
    valid_until: ValidUntil = None,
    no_end: Annotated[bool, typer.Option("--no-end", help="It has no last day any more.")] = False,
    retention_days: RetentionDays = None,
    crossing: Crossings = None,
    all_crossings: Annotated[
        bool, typer.Option("--all-crossings", help="It is searched at all crossings again.")
    ] = False,
    base_rate: BaseRate = "",
    suppression_people: People = None,
    identity: As = LIST_MANAGER,
    as_json: Json = False,
) -> None:
    """Change what is said of a list; what isn't named stays, and so do its entries.

    Example: `borderpost watchlist change --list Wanted --target-fpir 0.001 --all-crossings`
    """
    said = {
        "name": name,
        "legal_basis": legal_basis,
        "handling_instruction": handling,
        "category": category_of(category) if category else None,
        "priority": priority,
        "target_fpir": target_fpir,
    }
    terms = Terms(valid_until, retention_days, crossing, base_rate, name_target_fpir, suppression_people)
    with Person(load_settings(), identity) as manager:
        watchlist = the_list(manager, list_name)
        if no_end:
            watchlist.ClearField("valid_until")
        if all_crossings:
            watchlist.ClearField("crossings")
        _set(watchlist, said)
        terms.put_into(watchlist)
        request = watchlist_pb2.ChangeWatchlistRequest(watchlist=watchlist)
        answer = manager.ask(manager.watchlist.ChangeWatchlist, request)

    def render() -> object:
        rows = show.pairs()
        rows.add_row("list", f"{answer.watchlist.name}, from version {answer.version} on")
        for what, words in show_watchlist.description_rows(answer.watchlist):
            rows.add_row(what, words)
        return rows

    show.emit(as_json, answer, render)


@app.command()
def lists(identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show all lists with their size and face threshold.

    Example: `borderpost watchlist lists`
    """
    with Person(load_settings(), identity) as someone:
        answer = someone.ask(someone.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
    show.emit(
        as_json,
        answer,
        lambda: show_watchlist.lists_view(answer.watchlists) if answer.watchlists else NO_LIST,
    )


@app.command()
def stats(list_name: ListName, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Show everything about one list: counts, thresholds and what they rest on, entries that may be one person.

    Example: `borderpost watchlist stats --list Wanted`
    """
    with Person(load_settings(), identity) as someone:
        request = watchlist_pb2.GetStatisticsRequest(list_id=find_list(someone, list_name))
        answer = someone.ask(someone.watchlist.GetStatistics, request)
    show.emit(as_json, answer, lambda: show_watchlist.statistics_view(answer))


@app.command()
def measure(list_name: ListName, identity: As = LIST_MANAGER, as_json: Json = False) -> None:
    """Compare a list's own templates with one another, and set its thresholds by what they show.

    Example: `borderpost watchlist measure --list Wanted`
    """
    with Person(load_settings(), identity) as manager:
        request = watchlist_pb2.MeasureWatchlistRequest(list_id=find_list(manager, list_name))
        answer = manager.ask(manager.watchlist.MeasureWatchlist, request, LONG_SECONDS)

    def render() -> object:
        rows = show.pairs()
        for own in answer.own_scores:
            rows.add_row(own.model_id, show_watchlist.own_words(own))
        if not answer.own_scores:
            rows.add_row("not measured", show_watchlist.TOO_SMALL)
        else:
            rows.add_row("version", f"{answer.version}: from here on the thresholds rest on this")
        return rows

    show.emit(as_json, answer, render)


def _set(watchlist: watchlist_pb2.Watchlist, said: dict[str, Any]) -> None:
    for field, value in said.items():
        if value is not None:
            setattr(watchlist, field, value)


def base_rate(text: str) -> float:
    """Read "1 in 40,000"."""
    odds = _ODDS.fullmatch(text.strip())
    if odds is None:
        raise typer.BadParameter(
            f"got {text!r}, want 1 in N, such as '1 in 40,000'", param_hint="--base-rate"
        )
    return 1 / int(odds[1].replace(",", ""))


def category_of(text: str) -> watchlist_pb2.WatchlistCategory.ValueType:
    """Read a category, in lower case and with hyphens."""
    name = f"WATCHLIST_CATEGORY_{text.upper().replace('-', '_')}"
    if name not in watchlist_pb2.WatchlistCategory.keys()[1:]:
        raise typer.BadParameter(
            f"got {text!r}, want security, wanted, missing-or-vulnerable, immigration or document",
            param_hint="--category",
        )
    return watchlist_pb2.WatchlistCategory.Value(name)
