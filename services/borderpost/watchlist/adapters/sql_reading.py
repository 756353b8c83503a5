"""Reading the watchlist's database, at one state of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from borderpost.runtime.sql import Connection, chunks, placeholders
from borderpost.watchlist.adapters.sql_keys import EntryKeys, StoreKey
from borderpost.watchlist.adapters.sql_rows import (
    Row,
    open_digest,
    open_pictures,
    open_templates,
    to_entry,
    to_import,
    to_list_state,
    to_measured,
    to_row_error,
    to_suppression,
)
from borderpost.watchlist.domain import (
    Entry,
    Import,
    ListState,
    Measured,
    RowError,
    Suppression,
    microseconds,
)
from borderpost.watchlist.ports import Changes, KnownRecord, StoredSummary
from borderpost.watchlist.templates import Model, Template

_ENTRIES: Final = """
    SELECT e.*, l.list_id, b.sealed, p.issuer AS proposed_issuer, p.subject AS proposed_subject,
        a.issuer AS approved_issuer, a.subject AS approved_subject, i.import_id AS pending_import
    FROM entries e
    JOIN lists l ON l.list = e.list JOIN bodies b ON b.place = e.place
    JOIN actors p ON p.actor = e.proposed_by LEFT JOIN actors a ON a.actor = e.approved_by
    LEFT JOIN imports i ON i.import = e.pending
    WHERE """
_TEMPLATES: Final = """
    SELECT t.place, t.sealed, m.model_id, m.dimension FROM templates t JOIN models m ON m.model = t.model
    WHERE t.place IN ({}) ORDER BY t.place, t.run"""
_SUPPRESSIONS: Final = """
    SELECT s.*, l.list_id, e.entry_id, p.issuer AS proposed_issuer, p.subject AS proposed_subject,
        c.issuer AS confirmed_issuer, c.subject AS confirmed_subject,
        r.issuer AS revoked_issuer, r.subject AS revoked_subject
    FROM suppressions s
    JOIN lists l ON l.list = s.list JOIN entries e ON e.place = s.place
    JOIN actors p ON p.actor = s.proposed_by LEFT JOIN actors c ON c.actor = s.confirmed_by
    LEFT JOIN actors r ON r.actor = s.revoked_by
    WHERE """
_STANDING: Final = "s.revoked_by IS NULL AND s.expires_at > ?"
_STANDING_COUNT: Final = f"""
    SELECT count(*) AS count FROM suppressions s JOIN lists l ON l.list = s.list
    WHERE l.list_id = ? AND {_STANDING}"""  # noqa: S608  # constants only
_SUMMARIES: Final = """
    SELECT list,
        sum(CASE WHEN withdrawn_at IS NULL AND valid_until > ? AND approved_by IS NOT NULL
            AND coalesce(valid_from, ?) <= ? THEN 1 ELSE 0 END) AS active,
        sum(CASE WHEN withdrawn_at IS NULL AND valid_until > ? AND approved_by IS NULL
            AND hidden = 0 THEN 1 ELSE 0 END) AS proposed,
        sum(CASE WHEN hidden = 0 AND (withdrawn_at IS NOT NULL OR valid_until <= ?) THEN 1 ELSE 0 END) AS ended
    FROM entries GROUP BY list"""
_WITHOUT_MODEL: Final = """
    l.list_id = ? AND e.place > ? AND e.hidden = 0 AND e.templates + e.pictures > 0
    AND NOT EXISTS (SELECT 1 FROM templates t JOIN models m ON m.model = t.model
        WHERE t.place = e.place AND m.model_id = ?)
    ORDER BY e.place LIMIT ?"""
_MODELS: Final = "SELECT * FROM models m WHERE EXISTS (SELECT 1 FROM templates t WHERE t.model = m.model)"
SEARCHED: Final = "e.searched_from IS NOT NULL AND e.withdrawn_at IS NULL"
"""What a search has to know of: approved and not withdrawn, whatever its validity."""

_ACTIVE: Final = SEARCHED + " AND e.valid_until > ? AND coalesce(e.valid_from, ?) <= ?"


class SqlReading:
    """A `Reading`."""

    def __init__(self, connection: Connection, keys: EntryKeys, own: StoreKey) -> None:
        self._connection = connection
        self._keys = keys
        self._own = own

    @property
    def version(self) -> int:
        """The version of all lists together."""
        return int(self._one("SELECT version FROM version")["version"])

    def changes_since(self, version: int) -> Changes | None:
        """What became of what can be searched since then; None if that is too long ago, or not of this database."""
        state = self._one("SELECT version, forgotten FROM version")
        if not state["forgotten"] <= version <= state["version"]:
            return None
        gone = self._all(
            "SELECT entry_id FROM entries WHERE stamp > ? AND searched_from <= ?"
            " UNION ALL SELECT entry_id FROM removed WHERE version > ? AND searched_from <= ?",
            (version,) * 4,
        )
        rows = self._all(_ENTRIES + "e.stamp > ? AND " + SEARCHED + " ORDER BY e.stamp, e.place", (version,))
        entries = self._entries(rows, templates=True)
        lists = self._all("SELECT * FROM lists WHERE stamp > ? ORDER BY name, list_id", (version,))
        changed = [row["list"] for row in lists]
        resuppressed = [row for row in lists if row["suppressed"] > version]
        return Changes(
            version=state["version"],
            lists=tuple(map(to_list_state, lists)),
            gone=tuple(row["entry_id"] for row in gone),
            entries=tuple(entry for _, entry in entries),
            measured=self.measured(changed),
            suppressions=self.suppressions_of([row["list"] for row in resuppressed]),
            resuppressed=frozenset(row["list_id"] for row in resuppressed),
        )

    def lists(self) -> tuple[ListState, ...]:
        """All lists, by name."""
        return tuple(map(to_list_state, self._all("SELECT * FROM lists ORDER BY name, list_id")))

    def list_state(self, list_id: str) -> ListState | None:
        """The list, if there is one."""
        row = self._one("SELECT * FROM lists WHERE list_id = ?", (list_id,))
        return None if row is None else to_list_state(row)

    def entry(self, entry_id: str, *, whole: bool = False) -> Entry | None:
        """The entry, if there is one; with templates and pictures if `whole`."""
        rows = self._all(_ENTRIES + "e.entry_id = ?", (entry_id,))
        return next((entry for _, entry in self._entries(rows, templates=whole, pictures=whole)), None)

    def was_used(self, entry_id: str) -> bool:
        """Whether `add_entries` has ever added an entry of this id, removed or not."""
        return self._one("SELECT 1 FROM used_ids WHERE entry_id = ?", (entry_id,)) is not None

    def entries(
        self, list_id: str, after: int, limit: int, *, proposed: bool = False
    ) -> Sequence[tuple[int, Entry]]:
        """Up to `limit` entries of a list behind a place, oldest first, not whole; those of unfinished imports not.
        Those alone that nobody has approved, if `proposed`."""
        waiting = " AND e.approved_by IS NULL AND e.withdrawn_at IS NULL" if proposed else ""
        rows = self._all(
            _ENTRIES + f"l.list_id = ? AND e.place > ? AND e.hidden = 0{waiting} ORDER BY e.place LIMIT ?",
            (list_id, after, limit),
        )
        return self._entries(rows)

    def active(
        self, list_id: str, now: datetime, after: int, limit: int, *, whole: bool = False
    ) -> Sequence[tuple[int, Entry]]:
        """The same of entries that are active at `now`; with templates and pictures if `whole`."""
        at = microseconds(now)
        rows = self._all(
            _ENTRIES + "l.list_id = ? AND e.place > ? AND " + _ACTIVE + " ORDER BY e.place LIMIT ?",
            (list_id, after, at, at, at, limit),
        )
        return self._entries(rows, templates=whole, pictures=whole)

    def without_model(
        self, list_id: str, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, Entry]]:
        """Up to `limit` entries that have templates or pictures and no template of the model; whole."""
        rows = self._all(
            _ENTRIES + _WITHOUT_MODEL,
            (list_id, after, model_id, limit),
        )
        return self._entries(rows, templates=True, pictures=True)

    def ended(self, now: datetime, limit: int) -> Sequence[Entry]:
        """Up to `limit` entries whose list's retention has passed since they expired or were withdrawn; not whole."""
        found: list[Entry] = []
        for each in self._all("SELECT list, retention FROM lists ORDER BY list"):
            rows = self._all(
                _ENTRIES + "e.list = ? AND e.ends <= ? ORDER BY e.ends, e.place LIMIT ?",
                (each["list"], microseconds(now) - each["retention"], limit - len(found)),
            )
            found.extend(entry for _, entry in self._entries(rows))
        return found

    def summaries(self, now: datetime) -> Sequence[StoredSummary]:
        """All lists by name, with what is on them."""
        counted = {row["list"]: row for row in self._all(_SUMMARIES, (microseconds(now),) * 5)}
        summaries = []
        for row in self._all("SELECT * FROM lists ORDER BY name, list_id"):
            counts = counted.get(row["list"], {"active": 0, "proposed": 0, "ended": 0})
            numbers = (int(counts[state]) for state in ("active", "proposed", "ended"))
            summaries.append(StoredSummary(to_list_state(row), *numbers))
        return summaries

    def models(self) -> tuple[Model, ...]:
        """The models that templates are kept of."""
        rows = self._all(_MODELS + " ORDER BY m.model_id, m.dimension")
        return tuple(Model(row["model_id"], row["dimension"]) for row in rows)

    def dimension(self, model_id: str) -> int | None:
        """The dimension of the templates that are kept of a model, if there are any."""
        row = self._one(_MODELS + " AND m.model_id = ? LIMIT 1", (model_id,))
        return None if row is None else int(row["dimension"])

    def suppression(self, suppression_id: str) -> Suppression | None:
        """The suppression, if there is one."""
        rows = self._all(_SUPPRESSIONS + "s.suppression_id = ?", (suppression_id,))
        return next((suppression for _, suppression in self._suppressions(rows)), None)

    def suppressions(
        self, list_id: str, entry_id: str | None, before: int | None, limit: int
    ) -> Sequence[tuple[int, Suppression]]:
        """Up to `limit` suppressions of a list (of one entry), newest first; only before a place."""
        conditions: list[tuple[str, object]] = [("l.list_id = ?", list_id)]
        conditions += [] if entry_id is None else [("e.entry_id = ?", entry_id)]
        conditions += [] if before is None else [("s.number < ?", before)]
        where = " AND ".join(text for text, _ in conditions)
        values = (*(value for _, value in conditions), limit)
        rows = self._all(_SUPPRESSIONS + where + " ORDER BY s.number DESC LIMIT ?", values)
        return self._suppressions(rows)

    def standing(self, entry_id: str, now: datetime) -> Sequence[Suppression]:
        """The suppressions of an entry that were not revoked and whose time is not over, oldest first."""
        rows = self._all(
            _SUPPRESSIONS + "e.entry_id = ? AND " + _STANDING + " ORDER BY s.number",
            (entry_id, microseconds(now)),
        )
        return [suppression for _, suppression in self._suppressions(rows)]

    def standing_count(self, list_id: str, now: datetime) -> int:
        """How many of them a list has."""
        row = self._one(_STANDING_COUNT, (list_id, microseconds(now)))
        return int(row["count"])

    def suppressions_of(self, lists: Sequence[int]) -> tuple[Suppression, ...]:
        """All suppressions of lists that were not revoked."""
        rows = self._within(
            _SUPPRESSIONS + "s.revoked_by IS NULL AND s.list IN ({}) ORDER BY s.number", lists
        )
        return tuple(suppression for _, suppression in self._suppressions(rows))

    def measured(self, lists: Sequence[int]) -> tuple[Measured, ...]:
        """What was measured of lists, but for pairs of which one entry is removed."""
        rows = self._within(
            "SELECT m.*, l.list_id FROM measured m JOIN lists l ON l.list = m.list"
            " WHERE m.list IN ({}) ORDER BY m.list, m.model_id",
            lists,
        )
        measured = [to_measured(self._own.unseal(bytes(row["sealed"]), measured_name(row))) for row in rows]
        pairs = [(pair.entry_id, pair.other_entry_id) for each in measured for pair in each.alike]
        asked = sorted({entry_id for pair in pairs for entry_id in pair})
        found = self._within("SELECT entry_id FROM entries WHERE entry_id IN ({})", asked)
        there = {row["entry_id"] for row in found}
        return tuple(
            replace(each, alike=tuple(p for p in each.alike if {p.entry_id, p.other_entry_id} <= there))
            for each in measured
        )

    def an_import(self, import_id: str) -> Import | None:
        """The import, if there is one."""
        row = self._one("SELECT * FROM imports WHERE import_id = ?", (import_id,))
        return None if row is None else self._import(row)

    def open_imports(self, before: datetime) -> Sequence[Import]:
        """The imports that were begun before a time, and neither applied nor dropped."""
        rows = self._all(
            "SELECT * FROM imports WHERE is_open = 1 AND begun_at < ? ORDER BY begun_at, import",
            (microseconds(before),),
        )
        return [self._import(row) for row in rows]

    def known_records(self, list_id: str, source: str, record_ids: Sequence[str]) -> dict[str, KnownRecord]:
        """Which of a source's records a list holds, those that wait with an import or are withdrawn left out.

        Of several entries of one record it is the newest.
        """
        record_of = {self._own.record_hash(source, record_id): record_id for record_id in record_ids}
        rows = [
            row
            for some in chunks(list(record_of))
            for row in self._all(
                "SELECT e.place, e.entry_id, e.record_hash, e.digest FROM entries e"  # noqa: S608
                " JOIN sources s ON s.source = e.source JOIN lists l ON l.list = s.list"
                " WHERE l.list_id = ? AND s.hash = ? AND e.pending IS NULL AND e.withdrawn_at IS NULL"
                f" AND e.record_hash IN ({placeholders(some)}) ORDER BY e.place",
                (list_id, self._own.source_hash(source), *some),
            )
        ]
        keys = self._keys.of([row["place"] for row in rows])
        return {
            record_of[bytes(row["record_hash"])]: KnownRecord(
                row["entry_id"], open_digest(keys[row["place"]], row["entry_id"], row["digest"])
            )
            for row in rows
            if row["place"] in keys
        }

    def source_state(self, list_id: str, source: str) -> str:
        """A text that changes whenever what `known_records` tells of any of the source's records changes."""
        row = self._one(
            "SELECT changes FROM sources s JOIN lists l ON l.list = s.list WHERE l.list_id = ? AND s.hash = ?",
            (list_id, self._own.source_hash(source)),
        )
        return "0" if row is None else str(row["changes"])

    def missing_records(self, an_import: Import) -> tuple[str, ...]:
        """The ids of entries of the import's source on its list that no row of it is about."""
        rows = self._all(
            "SELECT e.entry_id FROM entries e JOIN sources s ON s.source = e.source"
            " JOIN lists l ON l.list = s.list WHERE l.list_id = ? AND s.hash = ? AND e.pending IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM staged_rows r JOIN imports i ON i.import = r.import"
            " WHERE i.import_id = ? AND r.record_hash = e.record_hash) ORDER BY e.place",
            (an_import.list_id, self._own.source_hash(an_import.source), an_import.import_id),
        )
        return tuple(row["entry_id"] for row in rows)

    def staged(self, an_import: Import) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of entries that its rows bring, and of those that they replace."""
        brought, replaced = (
            self._all(
                f"SELECT e.entry_id FROM staged_rows r JOIN entries e ON e.place = r.{which}"  # noqa: S608
                " JOIN imports i ON i.import = r.import WHERE i.import_id = ? ORDER BY r.line",
                (an_import.import_id,),
            )
            for which in ("place", "replaces")
        )
        return tuple(row["entry_id"] for row in brought), tuple(row["entry_id"] for row in replaced)

    def replaced(self, an_import: Import) -> dict[str, str]:
        """The ids of entries that its rows replace, each with that of the entry that comes in its place."""
        rows = self._all(
            "SELECT o.entry_id AS old, n.entry_id AS new FROM staged_rows r JOIN imports i ON i.import = r.import"
            " JOIN entries o ON o.place = r.replaces JOIN entries n ON n.place = r.place WHERE i.import_id = ?",
            (an_import.import_id,),
        )
        return {row["old"]: row["new"] for row in rows}

    def staged_rows(
        self, import_id: str, rows: Sequence[int], record_ids: Sequence[str]
    ) -> tuple[set[int], set[str]]:
        """Which of these row numbers were taken, and which of these records are already among its rows."""
        row = self._one("SELECT * FROM imports WHERE import_id = ?", (import_id,))
        if row is None:
            return set(), set()
        an_import = self._import(row)
        record_of = {self._own.record_hash(an_import.source, each): each for each in record_ids}
        taken = self._staged_with(row["import"], "line", rows)
        known = self._staged_with(row["import"], "record_hash", list(record_of))
        return set(taken), {record_of[bytes(each)] for each in known}

    def row_errors(self, import_id: str, after: int, limit: int) -> Sequence[RowError]:
        """Up to `limit` rows of an import in error, by number, only behind row `after`."""
        rows = self._all(
            "SELECT r.* FROM staged_rows r JOIN imports i ON i.import = r.import"
            " WHERE i.import_id = ? AND r.line > ? AND (r.error IS NOT NULL OR r.reason IS NOT NULL)"
            " ORDER BY r.line LIMIT ?",
            (import_id, after, limit),
        )
        return [self._row_error(import_id, row) for row in rows]

    def _row_error(self, import_id: str, row: Row) -> RowError:
        if row["error"] is None:  # taken before errors were sealed
            return RowError(row["line"], row["reason"], row["field"], row["message"])
        return to_row_error(self._own.unseal(bytes(row["error"]), row_error_name(import_id, row["line"])))

    def _import(self, row: Row) -> Import:
        return to_import(
            self._own.unseal(bytes(row["sealed"]), import_name(row["import_id"])), row["begun_at"]
        )

    def _staged_with(self, an_import: int, column: str, values: Sequence[object]) -> list[Any]:
        return [
            row["value"]
            for some in chunks(values)
            for row in self._all(
                f"SELECT {column} AS value FROM staged_rows WHERE import = ? AND {column} IN ({placeholders(some)})",  # noqa: S608
                (an_import, *some),
            )
        ]

    def _entries(
        self, rows: Sequence[Row], *, templates: bool = False, pictures: bool = False
    ) -> list[tuple[int, Entry]]:
        """Entries with their places; of those that are removed meanwhile none."""
        keys = self._keys.of([row["place"] for row in rows])
        rows = [row for row in rows if row["place"] in keys]
        faces = self._templates_of(rows, keys) if templates else {}
        shown = self._pictures_of(rows, keys) if pictures else {}
        return [
            (
                row["place"],
                to_entry(row, keys[row["place"]], faces.get(row["place"], ()), shown.get(row["place"], ())),
            )
            for row in rows
        ]

    def _templates_of(self, rows: Sequence[Row], keys: dict[int, bytes]) -> dict[int, list[Template]]:
        id_of = {row["place"]: row["entry_id"] for row in rows if row["templates"]}
        found: dict[int, list[Template]] = {}
        for row in self._within(_TEMPLATES, list(id_of)):
            place, model = row["place"], Model(row["model_id"], row["dimension"])
            run = open_templates(keys[place], id_of[place], model, bytes(row["sealed"]))
            found.setdefault(place, []).extend(run)
        return found

    def _pictures_of(self, rows: Sequence[Row], keys: dict[int, bytes]) -> dict[int, tuple[bytes, ...]]:
        id_of = {row["place"]: row["entry_id"] for row in rows if row["pictures"]}
        found = self._within("SELECT place, sealed FROM pictures WHERE place IN ({})", list(id_of))
        return {
            row["place"]: open_pictures(keys[row["place"]], id_of[row["place"]], bytes(row["sealed"]))
            for row in found
        }

    def _suppressions(self, rows: Sequence[Row]) -> list[tuple[int, Suppression]]:
        keys = self._keys.of([row["place"] for row in rows])
        return [
            (row["number"], to_suppression(row, keys[row["place"]])) for row in rows if row["place"] in keys
        ]

    def _one(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        return self._connection.execute(sql, parameters).fetchone()

    def _all(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    def _within(self, sql: str, values: Sequence[object]) -> list[Any]:
        """The rows of a query with an `IN ({})`, for any number of values."""
        return [row for some in chunks(values) for row in self._all(sql.format(placeholders(some)), some)]


def import_name(import_id: str) -> str:
    """What a sealed import is bound to."""
    return f"import:{import_id}"


def row_error_name(import_id: str, line: int) -> str:
    """What the sealed error of a row is bound to."""
    return f"row:{import_id}:{line}"


def measured_name(row: Row) -> str:
    """What sealed measurements of a list and model are bound to."""
    return f"measured:{row['list_id']}:{row['model_id']}"
