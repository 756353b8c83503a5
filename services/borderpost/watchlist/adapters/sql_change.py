"""Changing the watchlist's database: a whole change or nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from borderpost.runtime.outbox import enqueue
from borderpost.runtime.sql import Connection, chunks, placeholders
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.adapters.sql_keys import EntryKeys, StoreKey
from borderpost.watchlist.adapters.sql_numbers import Numbers
from borderpost.watchlist.adapters.sql_reading import SqlReading, import_name, measured_name, row_error_name
from borderpost.watchlist.adapters.sql_rows import (
    import_content,
    list_content,
    measured_content,
    row_error_content,
    seal_body,
    seal_digest,
    seal_found,
    seal_pictures,
    seal_templates,
    to_list_state,
)
from borderpost.watchlist.adapters.sql_schema import LIST_SCHEMA
from borderpost.watchlist.domain import (
    Approval,
    Import,
    ListState,
    Measured,
    Suppression,
    Watchlist,
    microseconds,
)
from borderpost.watchlist.ports import NewEntry, StagedRow
from borderpost.watchlist.templates import Template

REMEMBERED: Final = 100_000
"""Removed entries that are remembered at least, for who follows the changes; who is further behind loads anew."""

_DAY: Final = timedelta(days=1) // timedelta(microseconds=1)

_ADD_LIST: Final = """
    INSERT INTO lists (list, list_id, name, retention, schema, content, version, changed_at, stamp)
    VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)
    ON CONFLICT (list_id) DO UPDATE SET name = excluded.name, retention = excluded.retention,
        schema = excluded.schema, content = excluded.content, changed_at = excluded.changed_at,
        stamp = excluded.stamp"""
_ADD_ENTRY: Final = """
    INSERT INTO entries (place, entry_id, list, valid_from, valid_until, ends, templates, pictures, named,
        proposed_by, source, record_hash, digest, pending, hidden)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_ADD_SUPPRESSION: Final = """
    INSERT INTO suppressions (number, suppression_id, list, place, found, needed, proposed_by, proposed_at,
        expires_at, confirmed_by, revoked_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (suppression_id) DO UPDATE SET place = excluded.place, found = excluded.found, needed = excluded.needed,
        proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at,
        expires_at = excluded.expires_at, confirmed_by = excluded.confirmed_by, revoked_by = excluded.revoked_by"""
_ADD_IMPORT: Final = """
    INSERT INTO imports (import, import_id, list, sealed, begun_at, is_open) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (import_id) DO UPDATE SET sealed = excluded.sealed, is_open = excluded.is_open"""
_ADD_STAGED: Final = """
    INSERT INTO staged_rows (import, line, record_hash, place, replaces, error) VALUES (?, ?, ?, ?, ?, ?)"""
_STAMP: Final = "CASE WHEN searched_from IS NULL OR withdrawn_at IS NOT NULL THEN stamp ELSE ? END"
"""The stamp after a change of what is searched: that of an entry which isn't searched, or no longer, stays."""

_WITHDRAW: Final = (
    "UPDATE entries SET withdrawn_at = ?, ends = CASE WHEN valid_until < ? THEN valid_until ELSE ? END,"  # noqa: S608
    f" stamp = {_STAMP} WHERE entry_id = ?"
)
_COUNT_TEMPLATES: Final = f"UPDATE entries SET templates = templates + ?, stamp = {_STAMP} WHERE place = ?"  # noqa: S608
_UNSUPPRESS: Final = """
    UPDATE lists SET stamp = ?, suppressed = ?
    WHERE list IN (SELECT s.list FROM suppressions s WHERE s.place IN ({}))"""
"""Suppressions go with their entries."""

_REMEMBER: Final = """
    INSERT INTO removed (place, entry_id, searched_from, version)
    SELECT place, entry_id, searched_from, CASE WHEN withdrawn_at IS NULL THEN ? ELSE stamp END
    FROM entries WHERE searched_from IS NOT NULL AND place IN ({})"""


@dataclass(frozen=True, slots=True)
class _Record:
    """Where an entry is from, as the database keeps it."""

    source: int
    record_hash: bytes
    digest: bytes


class SqlChange(SqlReading):
    """A `Change`, within a transaction in which no other change can be."""

    def __init__(
        self, connection: Connection, keys: EntryKeys, own: StoreKey, announce: Callable[[Connection], None]
    ) -> None:
        """Begin: wait for the change that is being made, if there is one, and shut out all others."""
        super().__init__(connection, keys, own)
        self._announce = announce
        state = self._one("UPDATE version SET version = version RETURNING version, next_place")
        self._stamp: int = state["version"] + 1
        self._numbers = Numbers(connection, own, state["next_place"])
        self.removes = False

    @property
    def connection(self) -> Connection:
        """The transaction that it is made in."""
        return self._connection

    def finish(self) -> None:
        """Put the new keys, before the entries that they open are committed."""
        self._connection.execute("UPDATE version SET next_place = ?", (self._numbers.next,))
        self._keys.put()

    def put_list(self, watchlist: Watchlist, now: datetime) -> None:
        """Add a list, at version 0, or replace what is said of it."""
        values = (watchlist.list_id, watchlist.name, watchlist.retention_days * _DAY, LIST_SCHEMA)
        content = list_content(watchlist)
        self._connection.execute(
            _ADD_LIST, (self._numbers.new(), *values, content, microseconds(now), self._stamp)
        )

    def add_entries(self, entries: Sequence[NewEntry]) -> None:
        """Add proposed entries whose ids are new to lists that exist."""
        self._connection.executemany(
            "INSERT INTO used_ids (entry_id) VALUES (?) ON CONFLICT (entry_id) DO NOTHING",
            [(entry.content.entry_id,) for entry in entries],
        )
        records = [self._record(entry, b"") for entry in entries]
        self._changed_sources("pending IS NULL AND place", self._add(entries, records, None))

    def approve(self, entry_ids: Sequence[str], approval: Approval) -> None:
        """Mark entries as approved, and as no longer waiting with an import."""
        by = self._numbers.of_actor(approval.by)
        for some in chunks(entry_ids):
            # Entries of an import become what the list holds of its source.
            self._changed_sources("pending IS NOT NULL AND entry_id", some)
            self._connection.execute(
                "UPDATE entries SET approved_by = ?, approved_version = ?, pending = NULL, stamp = ?,"  # noqa: S608
                f" searched_from = coalesce(searched_from, ?) WHERE entry_id IN ({placeholders(some)})",
                (by, approval.version, self._stamp, self._stamp, *some),
            )

    def withdraw(self, entry_id: str, at: datetime) -> None:
        """Mark an entry as withdrawn."""
        time = microseconds(at)
        self._changed_sources("pending IS NULL AND entry_id", (entry_id,))
        self._connection.execute(
            _WITHDRAW,
            (time, time, time, self._stamp, entry_id),
        )

    def add_templates(self, entry_id: str, templates: Sequence[Template]) -> None:
        """Add templates to an entry."""
        place = self._place_of(entry_id)
        self._add_templates(place, self._keys.of([place])[place], entry_id, templates)
        self._connection.execute(
            _COUNT_TEMPLATES,
            (len(templates), self._stamp, place),
        )

    def remove(self, entry_ids: Sequence[str]) -> None:
        """Delete entries with all that belongs to them; their keys are destroyed once the change is committed."""
        self.remove_places([row["place"] for row in self._within(_PLACES, entry_ids)])

    def put_measured(self, measured: Measured) -> None:
        """Keep what was measured of a list and model in the place of what was before."""
        names = {"list_id": measured.list_id, "model_id": measured.own.model_id}
        number = self._numbers.of_list(measured.list_id)
        self._connection.execute(
            "INSERT INTO measured (list, model_id, sealed) VALUES (?, ?, ?)"
            " ON CONFLICT (list, model_id) DO UPDATE SET sealed = excluded.sealed",
            (
                number,
                measured.own.model_id,
                self._own.seal(measured_content(measured), measured_name(names)),
            ),
        )
        self._changed_list(number)

    def put_suppression(self, suppression: Suppression) -> None:
        """Add a suppression, or replace the one of its id."""
        place, number = self._place_of(suppression.entry_id), self._numbers.of_list(suppression.list_id)
        found = seal_found(self._keys.of([place])[place], suppression)
        self._connection.execute(
            _ADD_SUPPRESSION,
            (
                self._numbers.new(),
                suppression.suppression_id,
                number,
                place,
                found,
                suppression.needed,
                self._numbers.of_actor(suppression.proposed_by),
                microseconds(suppression.proposed_at),
                microseconds(suppression.expires_at),
                None
                if suppression.confirmed_by is None
                else self._numbers.of_actor(suppression.confirmed_by),
                None if suppression.revoked_by is None else self._numbers.of_actor(suppression.revoked_by),
            ),
        )
        self._connection.execute(
            "UPDATE lists SET stamp = ?, suppressed = ? WHERE list = ?", (self._stamp, self._stamp, number)
        )

    def put_import(self, an_import: Import) -> None:
        """Add an import, or replace the one of its id."""
        sealed = self._own.seal(import_content(an_import), import_name(an_import.import_id))
        self._connection.execute(
            _ADD_IMPORT,
            (
                self._numbers.new(),
                an_import.import_id,
                self._numbers.of_list(an_import.list_id),
                sealed,
                microseconds(an_import.begun_at),
                int(an_import.is_open),
            ),
        )

    def stage(self, an_import: Import, rows: Sequence[StagedRow]) -> None:
        """Keep rows of an import, and their entries out of sight."""
        number = self._numbers.of_import(an_import.import_id)
        new = [(row, row.entry) for row in rows if row.entry is not None]
        records = [self._record(entry, row.content_digest) for row, entry in new]
        places = self._add([entry for _, entry in new], records, number)
        place_of = {row.row: place for (row, _), place in zip(new, places, strict=True)}
        replaced = [row.replaces for row in rows if row.replaces is not None]
        old = {row["entry_id"]: row["place"] for row in self._within(_PLACES, replaced)}
        self._connection.executemany(
            _ADD_STAGED,
            [
                (
                    number,
                    row.row,
                    self._own.record_hash(an_import.source, row.record_id) if row.record_id else None,
                    place_of.get(row.row),
                    None if row.replaces is None else old.get(row.replaces),
                    None
                    if row.error is None
                    else self._own.seal(
                        row_error_content(row.error), row_error_name(an_import.import_id, row.row)
                    ),
                )
                for row in rows
            ],
        )

    def show_staged(self, import_id: str) -> None:
        """Let the entries of an import be seen as proposed."""
        number = self._numbers.of_import(import_id)
        self._connection.execute("UPDATE entries SET hidden = 0 WHERE pending = ?", (number,))

    def forget_rows(self, import_id: str) -> None:
        """Delete the rows of an import; entries that it brought and that were approved stay, others go."""
        number = self._numbers.of_import(import_id)
        self._connection.execute("DELETE FROM staged_rows WHERE import = ?", (number,))
        self.remove_places(
            [row["place"] for row in self._all("SELECT place FROM entries WHERE pending = ?", (number,))]
        )

    def bump(self, list_id: str, now: datetime) -> ListState:
        """Raise the version of a list, and that of all lists together.

        Whatever the change does is stamped with the version behind that at which it began: nobody else has seen a
        later one.
        """
        self._connection.execute("UPDATE version SET version = version + 1")
        row = self._one(
            "UPDATE lists SET version = version + 1, changed_at = ?, stamp = ? WHERE list_id = ? RETURNING *",
            (microseconds(now), self._stamp, list_id),
        )
        self._announce(self._connection)
        return to_list_state(row)

    def record(self, event: Event) -> None:
        """Hand an event to the decision log, with the change."""
        enqueue(self._connection, event)

    def _add(
        self, entries: Sequence[NewEntry], records: Sequence[_Record | None], pending: int | None
    ) -> list[int]:
        """Add entries; those that wait with an import are out of sight. Returns their places."""
        added: list[int] = []
        rows: list[tuple[object, ...]] = []
        bodies: list[tuple[int, bytes]] = []
        pictures: list[tuple[int, bytes]] = []
        templates: list[tuple[int, int, int, bytes]] = []
        for entry, record in zip(entries, records, strict=True):
            content, place = entry.content, self._numbers.new()
            key = self._keys.make(place)
            added.append(place)
            rows.append((place, *self._columns(entry), *_of_record(key, content.entry_id, record), pending))
            bodies.append((place, seal_body(key, content, entry.provenance)))
            if content.pictures:
                pictures.append((place, seal_pictures(key, content)))
            templates += self._runs(place, key, content.entry_id, content.templates)
        hidden = 0 if pending is None else 1
        self._connection.executemany(_ADD_ENTRY, [(*row, hidden) for row in rows])
        self._connection.executemany("INSERT INTO bodies (place, sealed) VALUES (?, ?)", bodies)
        self._connection.executemany("INSERT INTO pictures (place, sealed) VALUES (?, ?)", pictures)
        self._connection.executemany(_ADD_TEMPLATES, templates)
        return added

    def _columns(self, entry: NewEntry) -> tuple[object, ...]:
        """What lies in clear of an entry, from its id to who proposed it."""
        content = entry.content
        until = microseconds(content.valid_until)
        return (
            content.entry_id,
            self._numbers.of_list(content.list_id),
            None if content.valid_from is None else microseconds(content.valid_from),
            until,
            until,
            len(content.templates),
            len(content.pictures),
            len(content.names) + len(content.documents),
            self._numbers.of_actor(entry.proposed_by),
        )

    def _add_templates(self, place: int, key: bytes, entry_id: str, templates: Sequence[Template]) -> None:
        self._connection.executemany(_ADD_TEMPLATES, self._runs(place, key, entry_id, templates))

    def _runs(
        self, place: int, key: bytes, entry_id: str, templates: Sequence[Template]
    ) -> list[tuple[int, int, int, bytes]]:
        return [
            (self._numbers.new(), place, self._numbers.of_model(model), sealed)
            for model, sealed in seal_templates(key, entry_id, templates)
        ]

    def _record(self, entry: NewEntry, digest: bytes) -> _Record | None:
        if entry.provenance is None:
            return None
        source, record_id = entry.provenance.source, entry.provenance.record_id
        return _Record(
            self._numbers.of_source(entry.content.list_id, source),
            self._own.record_hash(source, record_id),
            digest,
        )

    def remove_places(self, places: Sequence[int]) -> None:
        """As `remove`, of the entries at these places."""
        for some in chunks(places):
            inside = placeholders(some)
            self._changed_sources("pending IS NULL AND place", some)
            self._connection.execute(_REMEMBER.format(inside), (self._stamp, *some))
            self._connection.executemany(
                "INSERT INTO doomed (place) VALUES (?)", [(place,) for place in some]
            )
            self._connection.execute(_UNSUPPRESS.format(inside), (self._stamp, self._stamp, *some))
            self._connection.execute(f"DELETE FROM entries WHERE place IN ({inside})", some)  # noqa: S608
        self._forget_removed()
        self.removes = self.removes or bool(places)

    def _forget_removed(self) -> None:
        """Forget the oldest of the removed entries, where there are more than are remembered."""
        row = self._one("SELECT version FROM removed ORDER BY version DESC LIMIT 1 OFFSET ?", (REMEMBERED,))
        if row is not None:
            self._connection.execute("DELETE FROM removed WHERE version <= ?", (row["version"],))
            self._connection.execute("UPDATE version SET forgotten = ?", (row["version"],))

    def _changed_sources(self, which: str, values: Sequence[object]) -> None:
        """Note that what lists hold of the sources of these entries changes; those that wait aren't held."""
        for some in chunks(values):
            self._connection.execute(
                "UPDATE sources SET changes = changes + 1 WHERE source IN"  # noqa: S608
                f" (SELECT source FROM entries WHERE {which} IN ({placeholders(some)}))",
                some,
            )

    def _changed_list(self, number: int) -> None:
        self._connection.execute("UPDATE lists SET stamp = ? WHERE list = ?", (self._stamp, number))

    def _place_of(self, entry_id: str) -> int:
        return int(self._one("SELECT place FROM entries WHERE entry_id = ?", (entry_id,))["place"])


_PLACES: Final = "SELECT place, entry_id FROM entries WHERE entry_id IN ({})"
_ADD_TEMPLATES: Final = "INSERT INTO templates (run, place, model, sealed) VALUES (?, ?, ?, ?)"


def _of_record(key: bytes, entry_id: str, record: _Record | None) -> tuple[object, ...]:
    if record is None:
        return None, None, None
    digest = seal_digest(key, entry_id, record.digest) if record.digest else None
    return record.source, record.record_hash, digest
