"""The numbers by which rows of the watchlist's database refer to one another."""

from __future__ import annotations

from borderpost.runtime.calls import Actor
from borderpost.runtime.sql import Connection
from borderpost.watchlist.adapters.sql_keys import StoreKey
from borderpost.watchlist.templates import Model


class Numbers:
    """Numbers within one change: new ones, and those of lists, imports, actors, models and sources."""

    def __init__(self, connection: Connection, own: StoreKey, first: int) -> None:
        self._connection = connection
        self._own = own
        self._known: dict[tuple[str, tuple[object, ...]], int] = {}
        self.next = first
        """The next new number."""

    def new(self) -> int:
        """A number that was never given before, and is given again only if this change is undone."""
        self.next += 1
        return self.next - 1

    def of_list(self, list_id: str) -> int:
        """The number of a list that there is."""
        return self._of("SELECT list AS number FROM lists WHERE list_id = ?", (list_id,))

    def of_import(self, import_id: str) -> int:
        """The number of an import that there is."""
        return self._of("SELECT import AS number FROM imports WHERE import_id = ?", (import_id,))

    def of_actor(self, actor: Actor) -> int:
        """The number of an actor; a new one if there is none yet."""
        return self._of(
            "SELECT actor AS number FROM actors WHERE issuer = ? AND subject = ?",
            (actor.issuer, actor.subject),
            "INSERT INTO actors (actor, issuer, subject) VALUES (?, ?, ?)",
        )

    def of_model(self, model: Model) -> int:
        """The number of a model; a new one if there is none yet."""
        return self._of(
            "SELECT model AS number FROM models WHERE model_id = ? AND dimension = ?",
            (model.model_id, model.dimension),
            "INSERT INTO models (model, model_id, dimension) VALUES (?, ?, ?)",
        )

    def of_source(self, list_id: str, source: str) -> int:
        """The number of a source of a list; a new one if there is none yet."""
        return self._of(
            "SELECT source AS number FROM sources WHERE list = ? AND hash = ?",
            (self.of_list(list_id), self._own.source_hash(source)),
            "INSERT INTO sources (source, list, hash, changes) VALUES (?, ?, ?, 0)",
        )

    def _of(self, find: str, values: tuple[object, ...], add: str | None = None) -> int:
        known = self._known.get((find, values))
        if known is not None:
            return known
        row = self._connection.execute(find, values).fetchone()
        number = self.new() if row is None and add is not None else int(row["number"])
        if row is None and add is not None:
            self._connection.execute(add, (number, *values))
        self._known[find, values] = number
        return number
