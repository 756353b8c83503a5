"""What the use cases need from outside; `adapters/` has what fills it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calls import Actor
from borderpost.watchlist.domain import (
    Approval,
    ChangeEvent,
    Entry,
    EntryContent,
    ListState,
    Model,
    Vectors,
    Watchlist,
)


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


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that can be searched, at one version of all lists together."""

    version: int
    lists: tuple[ListState, ...]
    active: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """What is on a list at a given time: entries, and templates of active ones by model."""

    state: ListState
    active_entries: int
    proposed_entries: int
    templates: tuple[tuple[Model, int], ...]


class Change(Protocol):
    """One change of the lists, as a whole or not at all."""

    @property
    def version(self) -> int:
        """The version of all lists together: as it was, then as `bump` has made it."""
        ...

    def list_state(self, list_id: str) -> ListState | None:
        """The list, if there is one."""
        ...

    def entry(self, entry_id: str) -> Entry | None:
        """The entry with its templates, if there is one."""
        ...

    def dimension(self, model_id: str) -> int | None:
        """The dimension of the templates that are kept of a model, if there are any."""
        ...

    def add_list(self, watchlist: Watchlist, now: datetime) -> None:
        """Add a list whose id is new, at version 0."""
        ...

    def add_entry(self, content: EntryContent, proposed_by: Actor) -> None:
        """Add a proposed entry whose id is new to a list that exists."""
        ...

    def approve(self, entry_id: str, approval: Approval) -> None:
        """Mark an entry as approved."""
        ...

    def remove(self, entry_id: str) -> None:
        """Delete an entry with all that belongs to it."""
        ...

    def bump(self, list_id: str, now: datetime) -> ListState:
        """Raise the version of a list, and that of all lists together."""
        ...

    def record(self, event: ChangeEvent) -> None:
        """Hand an event to the decision log, with the change."""
        ...


class Store(Protocol):
    """The lists and entries: the truth."""

    def change(self) -> AbstractContextManager[Change]:
        """One change at a time: durable when the block ends, undone when it raises."""
        ...

    def scrub(self) -> None:
        """Leave nothing of what was removed in the store's files."""
        ...

    def load(self) -> Stored:
        """Everything that can be searched, with templates."""
        ...

    def summaries(self, now: datetime) -> Sequence[StoredSummary]:
        """All lists by name, with what is on them."""
        ...

    def entry(self, entry_id: str) -> Entry | None:
        """An entry without its templates, if there is one."""
        ...

    def entries(self, list_id: str, after: int, limit: int) -> Sequence[tuple[int, Entry]] | None:
        """Up to `limit` entries of a list, oldest first, without templates, each with its place.

        Only those placed behind `after`; 0 begins. None if there is no such list.
        """
        ...
