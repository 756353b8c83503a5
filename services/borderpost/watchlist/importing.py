"""Importing: rows of one source are taken, compared with what the list holds of it, and applied all at once.

Rows are kept out of sight until the import is finished; then its diff waits for a second person. What a source says of
a record is known by a digest, so the same file again changes nothing. A record that changed takes the place of its
entry as a new one; with a complete import, entries of the source that it no longer has are removed.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import (
    BorderpostError,
    InvalidRequestError,
    NotPermittedError,
    TemplateInvalidError,
)
from borderpost.runtime.identity import is_same_person
from borderpost.watchlist import events, wire
from borderpost.watchlist.app import Watchlists, check_second_person, the_list
from borderpost.watchlist.domain import (
    Approval,
    Caller,
    EntryContent,
    Import,
    ImportState,
    Provenance,
    RowError,
    Suppression,
)
from borderpost.watchlist.errors import (
    ImportClosedError,
    ImportExistsError,
    ImportHasErrorsError,
    ImportIncompleteError,
    ImportNotFinishedError,
    ImportNotFoundError,
    ImportStaleError,
)
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.ports import Change, KnownRecord, NewEntry, Reading, StagedRow
from borderpost.watchlist.suppressing import every_suppression
from borderpost.watchlist.templates import Template, digest

MOST_LISTED: Final = 1000
"""Open imports of a list that are shown; nobody has so many."""

AHEAD: Final = 100
"""Rows that are looked for at a time behind the last one in order; most imports send all in order."""

ABANDONED: Final = timedelta(days=30)
"""How long an import may take from its begin until it is applied; time for a holiday of who began it or approves it."""

DUPLICATE_RECORD: Final = "DUPLICATE_RECORD"
"""Reason of a row whose record an earlier row of the same import has."""


@dataclass(slots=True)
class _Seen:
    """What the earlier rows of an import have: all their records; and dimensions by model, as far as nothing tells them
    that is kept yet."""

    records: set[str]
    dimensions: dict[str, int] = field(default_factory=dict)

    def add(self, record_id: str, templates: Sequence[Template]) -> None:
        """Add a row."""
        self.records.add(record_id)
        self.dimensions |= {template.model.model_id: template.model.dimension for template in templates}

    def check_dimensions(self, templates: Sequence[Template]) -> None:
        """Raise TemplateInvalidError for a template whose model has another dimension in an earlier row."""
        for place, template in enumerate(templates):
            got = template.model.dimension
            want = self.dimensions.get(template.model.model_id, got)
            if got != want:
                name = f"entry.templates[{place}]"
                raise TemplateInvalidError(
                    f"{name}.dimension: got {got}, want {want} as the model's others", field=name
                )


class Importing:
    """The use cases of imports. Safe to call from several threads at a time."""

    def __init__(self, keeper: Keeper, watchlists: Watchlists, digest_key: bytes) -> None:
        self._keeper = keeper
        self._watchlists = watchlists
        self._digest_key = digest_key

    def begin(self, asked: Import, by: Caller) -> Import:
        """Begin an import, or return the one that was begun as the same by the same person.

        Raises WatchlistNotFoundError, ImportExistsError.
        """
        with self._keeper.change() as change:
            the_list(change, asked.list_id, by)
            kept = change.an_import(asked.import_id)
            if kept is not None:
                return _same(kept, asked)
            base = change.source_state(asked.list_id, asked.source)
            begun = replace(asked, base=base, begun_at=self._keeper.clock.now())
            change.put_import(begun)
        return begun

    def stage(
        self, import_id: str, rows: Sequence[tuple[int, str, EntryContent | RowError]], by: Caller
    ) -> tuple[Import, Sequence[RowError]]:
        """Take rows: number, record id, and what the source says of it or why that can't be used.

        Return the import and those of the rows that can't be used. A row that was taken before is passed over. Raises
        ImportNotFoundError, ImportClosedError, ImportStaleError, InvalidRequestError (a row that it hasn't),
        NotPermittedError (another person than who began it, who could then approve rows of their own).
        """
        with self._dropping_stale(import_id, by), self._keeper.change() as change:
            kept = the_import(change, import_id, by)
            if kept.state is not ImportState.STAGING:
                raise ImportClosedError("import: it takes no rows any more, want a new import")
            _check_beginner(kept, by)
            _check_base(change, kept)
            _check_numbers(kept, [row for row, _, _ in rows])
            numbers, records = [row for row, _, _ in rows], [record_id for _, record_id, _ in rows]
            taken, earlier = change.staged_rows(import_id, numbers, records)
            seen = _Seen(earlier)
            known = change.known_records(kept.list_id, kept.source, records)
            staged: list[StagedRow] = []
            for row, record_id, content in rows:
                if row not in taken:
                    staged.append(self._stage(change, kept, row, record_id, content, known, seen, by))
                    taken.add(row)
            change.stage(kept, staged)
            moved = replace(_counted(kept, staged), next_row=_next_row(change, kept, taken))
            change.put_import(moved)
        return moved, [each.error for each in staged if each.error is not None]

    def finish(self, import_id: str, by: Caller, *, skip_errors: bool, dry_run: bool) -> Import:
        """End the taking of rows and tell what the import would change.

        Raises ImportNotFoundError, ImportIncompleteError, ImportHasErrorsError, ImportClosedError.
        """
        with self._dropping_stale(import_id, by), self._keeper.change() as change:
            kept = the_import(change, import_id, by)
            if kept.state in (ImportState.APPLIED, ImportState.CANCELLED):
                raise ImportClosedError("import: it was applied or dropped, want a new one")
            if kept.next_row <= kept.rows:
                raise ImportIncompleteError(
                    f"import: got rows up to {kept.next_row - 1}, want all {kept.rows}: send the others"
                )
            _check_base(change, kept)
            if kept.state is ImportState.PROPOSED:
                return kept
            removed = len(change.missing_records(kept)) if kept.complete else 0
            finished = replace(kept, state=ImportState.PROPOSED, removed=removed)
            if dry_run:
                return replace(finished, state=kept.state)
            if kept.errors and not skip_errors:
                raise ImportHasErrorsError(
                    f"import: {kept.errors} rows can't be used: mend the file and begin anew, or leave them out "
                    "(--skip-errors)"
                )
            if kept.complete and kept.unnamed:
                raise ImportHasErrorsError(
                    f"import: of {kept.unnamed} rows in error nobody can tell which records they are about, and a "
                    "complete import would remove those: mend the file and begin anew"
                )
            change.put_import(finished)
            change.show_staged(import_id)
            change.record(events.import_proposed(by, self._keeper.clock.now(), finished))
        return finished

    def approve(self, import_id: str, by: Caller) -> Import:
        """Apply an import as another person than the one who began it; an applied one stays as it is.

        Raises ImportNotFoundError, ImportNotFinishedError, SecondPersonNeededError, ImportStaleError.
        """
        with self._dropping_stale(import_id, by), self._keeper.change() as change:
            kept = the_import(change, import_id, by)
            if kept.state is ImportState.APPLIED:
                return kept
            if kept.state is not ImportState.PROPOSED:
                raise ImportNotFinishedError("import: it isn't finished, want it finished first")
            check_second_person(kept.proposed_by, by)
            _check_base(change, kept)
            added, replaced = change.staged(kept)
            _check_all_there(kept, added)
            removed = (*replaced, *(change.missing_records(kept) if kept.complete else ()))
            state = change.bump(kept.list_id, self._keeper.clock.now())
            for moved in _suppressions_moved(change, kept):
                change.put_suppression(moved)
                change.record(events.suppression_changed(by, state, moved, events.MOVED))
            change.remove(removed)
            change.approve(added, Approval(by.actor, state.version))
            change.forget_rows(import_id)
            applied = replace(kept, state=ImportState.APPLIED, approved_by=by.actor, version=state.version)
            change.put_import(applied)
            for event in events.import_applied(by, state, applied, added, removed):
                change.record(event)
        if removed:
            self._keeper.store.scrub()
        return applied

    @contextmanager
    def _dropping_stale(self, import_id: str, by: Caller) -> Iterator[None]:
        """Drop an import that is found to be stale: it can't be gone on with, and nobody should take it for waiting."""
        try:
            yield
        except ImportStaleError:
            self.cancel(import_id, by)
            raise

    def cancel(self, import_id: str, by: Caller) -> Import:
        """Drop an import that was not applied, with all its rows. Raises ImportNotFoundError, ImportClosedError."""
        with self._keeper.change() as change:
            kept = the_import(change, import_id, by)
            if kept.state is ImportState.APPLIED:
                raise ImportClosedError(
                    "import: it was applied; remove its entries, or import the former list"
                )
            if kept.state is ImportState.CANCELLED:
                return kept
            change.forget_rows(import_id)
            dropped = replace(kept, state=ImportState.CANCELLED)
            change.put_import(dropped)
            change.record(events.import_cancelled(by, self._keeper.clock.now(), dropped))
        self._keeper.store.scrub()
        return dropped

    def drop_abandoned(self, by: Caller) -> int:
        """Drop the imports that nobody has applied or dropped in time: what they say of people must not stay for ever.

        Return how many there were.
        """
        with self._keeper.read() as reading:
            abandoned = reading.open_imports(self._keeper.clock.now() - ABANDONED)
        for each in abandoned:
            with suppress(ImportClosedError):  # applied meanwhile
                self.cancel(each.import_id, by)
        return len(abandoned)

    def get(
        self, import_id: str, after: int, page_size: int, by: Caller
    ) -> tuple[Import, Sequence[RowError], int | None]:
        """An import, a page of its rows in error, and the row behind which the next page begins; None at the end.

        Raises ImportNotFoundError.
        """
        with self._keeper.read() as reading:
            kept = the_import(reading, import_id, by)
            errors = reading.row_errors(import_id, after, page_size + 1)
        shown = errors[:page_size]
        return kept, shown, shown[-1].row if len(errors) > page_size else None

    def open_of(self, list_id: str, by: Caller) -> Sequence[Import]:
        """The imports of a list that were neither applied nor dropped, oldest first, at most MOST_LISTED.

        Raises WatchlistNotFoundError.
        """
        with self._keeper.read() as reading:
            the_list(reading, list_id, by)
            begun = reading.open_imports(self._keeper.clock.now() + timedelta(seconds=1))
        return [kept for kept in begun if kept.list_id == list_id][:MOST_LISTED]

    def _stage(
        self,
        change: Change,
        kept: Import,
        row: int,
        record_id: str,
        content: EntryContent | RowError,
        known: dict[str, KnownRecord],
        seen: _Seen,
        by: Caller,
    ) -> StagedRow:
        if isinstance(content, RowError):
            return StagedRow(row, record_id, error=content)
        if record_id in seen.records:
            message = "record_id: got one that an earlier row has, want one row a record"
            return StagedRow(row, record_id, error=RowError(row, DUPLICATE_RECORD, "record_id", message))
        try:
            self._watchlists.check_content(content, change, "entry")
            seen.check_dimensions(content.templates)
        except BorderpostError as error:
            where = error.details.get("field", "")
            return StagedRow(row, record_id, error=RowError(row, error.reason, where, error.message))
        seen.add(record_id, content.templates)
        there, said = known.get(record_id), content_digest(self._digest_key, content)
        if there is not None and there.content_digest == said:
            return StagedRow(row, record_id, said, same=there.entry_id)
        provenance = Provenance(kept.import_id, kept.source, record_id, kept.content_sha256)
        entry = NewEntry(replace(content, entry_id=new_id(), list_id=kept.list_id), by.actor, provenance)
        return StagedRow(row, record_id, said, entry, there.entry_id if there else None)


def the_import(reading: Reading, import_id: str, by: Caller) -> Import:
    """An import into a list that the caller may use. Raises ImportNotFoundError, ListNotPermittedError."""
    kept = reading.an_import(import_id)
    if kept is None:
        raise ImportNotFoundError(
            "import_id: got one that no import has, want the id that `borderpost watchlist import` named"
        )
    the_list(reading, kept.list_id, by)
    return kept


def content_digest(key: bytes, content: EntryContent) -> bytes:
    """What a source says of a record, whichever entry it becomes, as HMAC-SHA-256.

    Keyed, because it lies in clear in the store, and a name with a birth date can be guessed.
    """
    said = wire.to_content(replace(content, entry_id="", list_id=""))
    return hmac.digest(key, said.SerializeToString(deterministic=True), "sha256")


def _check_base(reading: Reading, kept: Import) -> None:
    """Raise ImportStaleError if what the list holds of the source is no longer what rows were compared with."""
    if kept.base != reading.source_state(kept.list_id, kept.source):
        raise ImportStaleError(
            "import: the list's entries of this source changed since it was begun, so it was dropped: import the file "
            "again to see what it would change now"
        )


def _check_all_there(kept: Import, added: Sequence[str]) -> None:
    """Raise ImportStaleError if an entry that a row brought was removed: what it replaces would go for nothing."""
    if len(added) != kept.added + kept.changed:
        raise ImportStaleError(
            "import: entries that it brought were removed while it waited, so it was dropped: import the file again"
        )


def _check_beginner(kept: Import, by: Caller) -> None:
    """Raise NotPermittedError for rows of another person than the one whose import a second one approves."""
    if not is_same_person(kept.proposed_by, by.actor):
        raise NotPermittedError(
            "import: got rows of another person than who began it, want an import of your own"
        )


def _check_numbers(kept: Import, numbers: Sequence[int]) -> None:
    """Raise InvalidRequestError for a row that the import, as it was begun, hasn't."""
    last = max(numbers, default=0)
    if last > kept.rows:
        raise InvalidRequestError(
            f"rows: got one of number {last}, want at most {kept.rows}, as the import was begun", field="rows"
        )


def _suppressions_moved(change: Change, kept: Import) -> list[Suppression]:
    """The suppressions of entries that are replaced by ones with the same templates, as those of the new ones."""
    replaced = change.replaced(kept)
    moved = []
    for each in every_suppression(change, kept.list_id) if replaced else ():
        new = change.entry(replaced[each.entry_id], whole=True) if each.entry_id in replaced else None
        if new is not None and digest(new.content.templates) == each.entry_sha256:
            moved.append(replace(each, entry_id=new.content.entry_id))
    return moved


def _counted(kept: Import, staged: Sequence[StagedRow]) -> Import:
    """The import with these rows counted."""
    errors = sum(each.error is not None for each in staged)
    changed = sum(each.replaces is not None for each in staged)
    unchanged = sum(each.same is not None for each in staged)
    unnamed = sum(map(_is_about_nobody_knows_what, staged))
    return replace(
        kept,
        errors=kept.errors + errors,
        unnamed=kept.unnamed + unnamed,
        changed=kept.changed + changed,
        unchanged=kept.unchanged + unchanged,
        added=kept.added + len(staged) - errors - changed - unchanged,
    )


def _is_about_nobody_knows_what(row: StagedRow) -> bool:
    """Tell whether a row is in error and says of no record that it is about it, or of none that could be one."""
    error = row.error
    if error is None or error.reason == DUPLICATE_RECORD:
        return False
    return not row.record_id or error.field == "record_id"


def _next_row(reading: Reading, kept: Import, taken: set[int]) -> int:
    """The first row that is still missing, if `taken` were taken by now."""
    next_row = kept.next_row
    while next_row in taken:
        next_row += 1
        if next_row not in taken:  # rows behind it may have come before it did
            taken, _ = reading.staged_rows(kept.import_id, range(next_row, next_row + AHEAD), [])
    return next_row


def _same(kept: Import, asked: Import) -> Import:
    said = (asked.list_id, asked.source, asked.content_sha256, asked.complete, asked.rows)
    same = (kept.list_id, kept.source, kept.content_sha256, kept.complete, kept.rows) == said
    if not same or not is_same_person(kept.proposed_by, asked.proposed_by):
        raise ImportExistsError(
            "import_id: got the id of an import with other content, or of another person, want a new id"
        )
    return kept
