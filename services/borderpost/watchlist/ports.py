"""What the use cases need from outside; `adapters/` has what fills it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calls import Actor
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.domain import (
    Approval,
    Entry,
    EntryBlock,
    EntryContent,
    Import,
    ListState,
    Measured,
    Provenance,
    RowError,
    Suppression,
    Watchlist,
)
from borderpost.watchlist.templates import Model, Template, Vectors


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of a probe and an indexed template, in no order: their places, and their cosines as float64."""

    probes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


class TemplateIndex(Protocol):
    """One block: templates of one model, made once and never changed, so that any number of threads may search it.

    Removed and expired templates, new blocks and merging are the caller's. So a distributed vector engine can
    stand behind this: a block is a partition that is loaded once and dropped as a whole, `at_least` is its range
    search by inner product, and a row's place is the id that it answers with. What such an engine finds by
    approximation must be scored again in double precision, as every adapter does (`tests/contract`).
    """

    @property
    def vectors(self) -> Vectors:
        """What it was made of: N × dimension float32, not to be written to."""
        ...

    def at_least(self, probes: Vectors, scores: npt.NDArray[np.float64]) -> Pairs:
        """Every pair of a probe and a template whose cosine is at least that probe's score. None is left out.

        `probes`: M × dimension, of length 1. `scores`: one for each probe.
        """
        ...


BuildIndex = Callable[[Vectors], TemplateIndex]
"""Makes an index of N × dimension vectors of length 1; N may be 0. The array is the index's from then on."""


Progress = Callable[[int, int], None]
"""Told how many of how many entries were loaded, now and then."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that can be searched, at one version of all lists together.

    `suppressions` are those that were not revoked. `blocks` are approved, not withdrawn entries, whatever their
    validity; to be taken once, each a few thousand entries or more of one list.
    """

    version: int
    lists: tuple[ListState, ...]
    measured: tuple[Measured, ...]
    suppressions: tuple[Suppression, ...]
    blocks: Iterator[EntryBlock]


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of what can be searched since an earlier version.

    `lists` are those that changed in any way. `gone` are the ids of entries that are no longer searched or were
    changed; `entries` those that are searched from now on, with templates (a changed one is in both).
    `measured` is all of each changed list; `suppressions` are those of the lists in `resuppressed`, the ones of which a
    suppression changed, that were not revoked.
    """

    version: int
    lists: tuple[ListState, ...]
    gone: tuple[str, ...]
    entries: tuple[Entry, ...]
    measured: tuple[Measured, ...]
    suppressions: tuple[Suppression, ...]
    resuppressed: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """What is on a list at a given time: entries by state, and templates of active ones by model."""

    state: ListState
    active_entries: int
    proposed_entries: int
    ended_entries: int


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be kept, proposed by somebody; with the import that it waits with and where it is from, if any."""

    content: EntryContent
    proposed_by: Actor
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """A source's record that a list holds: its entry, and the `content_digest` of what the source said of it."""

    entry_id: str
    content_digest: bytes


@dataclass(frozen=True, slots=True)
class StagedRow:
    """A row of an import that was taken.

    `entry` is set for a row that is new or changed; `replaces` is the entry that a changed one takes the place of;
    `same` that of an unchanged one.
    """

    row: int
    record_id: str
    content_digest: bytes = b""
    entry: NewEntry | None = None
    replaces: str | None = None
    same: str | None = None
    error: RowError | None = None


class Reading(Protocol):
    """What can be read of the lists; in a change, with what the change has done."""

    @property
    def version(self) -> int:
        """The version of all lists together."""
        ...

    def changes_since(self, version: int) -> Changes | None:
        """What became of what can be searched since then. None if that is too long ago to be told: load anew."""
        ...

    def lists(self) -> tuple[ListState, ...]:
        """All lists, by name."""
        ...

    def list_state(self, list_id: str) -> ListState | None:
        """The list, if there is one."""
        ...

    def entry(self, entry_id: str, *, whole: bool = False) -> Entry | None:
        """The entry, if there is one; with templates and pictures if `whole`."""
        ...

    def was_used(self, entry_id: str) -> bool:
        """Whether `add_entries` has ever added an entry of this id, removed or not; entries of imports don't count."""
        ...

    def entries(
        self, list_id: str, after: int, limit: int, *, proposed: bool = False
    ) -> Sequence[tuple[int, Entry]]:
        """Up to `limit` entries of a list, oldest first, not whole, each with its place; only those behind `after`.

        Entries of an import that isn't finished are left out.
        """
        ...

    def active(
        self, list_id: str, now: datetime, after: int, limit: int, *, whole: bool = False
    ) -> Sequence[tuple[int, Entry]]:
        """The same of entries that are active at `now`; with templates and pictures if `whole`."""
        ...

    def without_model(
        self, list_id: str, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, Entry]]:
        """Up to `limit` entries that have templates or pictures and no template of the model; whole."""
        ...

    def ended(self, now: datetime, limit: int) -> Sequence[Entry]:
        """Up to `limit` entries whose list's retention has passed since they expired or were withdrawn; not whole.

        Proposed entries that nobody approved end with their validity, too.
        """
        ...

    def summaries(self, now: datetime) -> Sequence[StoredSummary]:
        """All lists by name, with what is on them."""
        ...

    def models(self) -> tuple[Model, ...]:
        """The models that templates are kept of."""
        ...

    def dimension(self, model_id: str) -> int | None:
        """The dimension of the templates that are kept of a model, if there are any."""
        ...

    def suppression(self, suppression_id: str) -> Suppression | None:
        """The suppression, if there is one."""
        ...

    def suppressions(
        self, list_id: str, entry_id: str | None, before: int | None, limit: int
    ) -> Sequence[tuple[int, Suppression]]:
        """Up to `limit` suppressions of a list (of one entry), newest first, each with its place; only before one."""
        ...

    def standing(self, entry_id: str, now: datetime) -> Sequence[Suppression]:
        """The suppressions of an entry that were not revoked and whose time is not over, oldest first."""
        ...

    def standing_count(self, list_id: str, now: datetime) -> int:
        """How many of them a list has."""
        ...

    def an_import(self, import_id: str) -> Import | None:
        """The import, if there is one."""
        ...

    def open_imports(self, before: datetime) -> Sequence[Import]:
        """The imports that were begun before a time, and neither applied nor dropped."""
        ...

    def known_records(self, list_id: str, source: str, record_ids: Sequence[str]) -> dict[str, KnownRecord]:
        """Which of a source's records a list holds, those that wait with an import or are withdrawn left out.

        So a source that still names a record which was withdrawn brings it anew, with a second person's approval:
        nobody is told that it is there unchanged while it isn't searched.
        """
        ...

    def source_state(self, list_id: str, source: str) -> str:
        """A text that changes whenever what `known_records` tells of any of the source's records changes."""
        ...

    def missing_records(self, an_import: Import) -> tuple[str, ...]:
        """The ids of entries of the import's source on its list that no row of it is about."""
        ...

    def staged(self, an_import: Import) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of entries that its rows bring, and of those that they replace."""
        ...

    def replaced(self, an_import: Import) -> dict[str, str]:
        """The ids of entries that its rows replace, each with that of the entry that comes in its place."""
        ...

    def staged_rows(
        self, import_id: str, rows: Sequence[int], record_ids: Sequence[str]
    ) -> tuple[set[int], set[str]]:
        """Which of these row numbers were taken, and which of these records are already among its rows."""
        ...

    def row_errors(self, import_id: str, after: int, limit: int) -> Sequence[RowError]:
        """Up to `limit` rows of an import in error, by number, only behind row `after`."""
        ...


class Change(Reading, Protocol):
    """One change of the lists, as a whole or not at all."""

    def put_list(self, watchlist: Watchlist, now: datetime) -> None:
        """Add a list, at version 0, or replace what is said of it."""
        ...

    def add_entries(self, entries: Sequence[NewEntry]) -> None:
        """Add proposed entries whose ids are new to lists that exist."""
        ...

    def approve(self, entry_ids: Sequence[str], approval: Approval) -> None:
        """Mark entries as approved, and as no longer waiting with an import."""
        ...

    def withdraw(self, entry_id: str, at: datetime) -> None:
        """Mark an entry as withdrawn."""
        ...

    def add_templates(self, entry_id: str, templates: Sequence[Template]) -> None:
        """Add templates to an entry."""
        ...

    def remove(self, entry_ids: Sequence[str]) -> None:
        """Delete entries with all that belongs to them; their keys are destroyed once the change is committed."""
        ...

    def put_measured(self, measured: Measured) -> None:
        """Keep what was measured of a list and model in the place of what was before."""
        ...

    def put_suppression(self, suppression: Suppression) -> None:
        """Add a suppression, or replace the one of its id."""
        ...

    def put_import(self, an_import: Import) -> None:
        """Add an import, or replace the one of its id."""
        ...

    def stage(self, an_import: Import, rows: Sequence[StagedRow]) -> None:
        """Keep rows of an import, and their entries out of sight."""
        ...

    def show_staged(self, import_id: str) -> None:
        """Let the entries of an import be seen as proposed."""
        ...

    def forget_rows(self, import_id: str) -> None:
        """Delete the rows of an import; entries that it brought and that were approved stay, others go."""
        ...

    def bump(self, list_id: str, now: datetime) -> ListState:
        """Raise the version of a list, and that of all lists together.

        What this change does before it and after it up to its end counts as of that version.
        """
        ...

    def record(self, event: Event) -> None:
        """Hand an event to the decision log, with the change."""
        ...


class Store(Protocol):
    """The lists and entries: the truth. What is said of people lies encrypted in it, under a key for each entry."""

    def change(self) -> AbstractContextManager[Change]:
        """One change at a time, of all who share the store: durable at the block's end, undone if it raises."""
        ...

    def read(self) -> AbstractContextManager[Reading]:
        """One consistent state."""
        ...

    def load(self, progress: Progress) -> Stored:
        """Everything that can be searched."""
        ...

    def secret(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose: the same for all who share the store, and in no database of theirs."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when another process may have changed the store, at the latest after that time."""
        ...

    def destroy_keys(self) -> None:
        """Destroy the keys of removed entries that are still there because the key store was away; cheap if none are.

        It raises nothing if the key store is away again: ask again later.
        """
        ...

    def scrub(self) -> None:
        """Leave nothing of what was removed in the store's files: rows, and keys that a killed process left over."""
        ...
