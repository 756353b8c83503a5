"""Naming a list on the command line: by its name or its id."""

from __future__ import annotations

from typing import Annotated

import typer

from borderpost.cli.people import Person
from borderpost.runtime.clock import is_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import watchlist_pb2

As = Annotated[str, typer.Option("--as", help="Your identity.")]
ListName = Annotated[str, typer.Option("--list", help="The list: its name or id.")]


def find_list(person: Person, name: str) -> str:
    """Return the id of the list of this name; an id is returned as it is. Raises InvalidRequestError."""
    return name if is_id(name) else the_list(person, name).list_id


def the_list(person: Person, name: str) -> watchlist_pb2.Watchlist:
    """Return what is said of the list of this name or id. Raises InvalidRequestError."""
    answer = person.ask(person.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
    every = [status.watchlist for status in answer.watchlists]
    if is_id(name):
        found = [each for each in every if each.list_id == name]
        what = "id"
    else:
        found = [each for each in every if each.name == name]
        what = "name"
    if len(found) != 1:
        raise InvalidRequestError(
            f"--list: {len(found)} lists have this {what}, want one (`borderpost watchlist lists`)"
        )
    return found[0]
