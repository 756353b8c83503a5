"""What a search searches: the lists and their active entries at one version, made once and never changed.

A change makes a new view that shares all lists but the changed one with the old; a search that has begun
ends on the view that it began with. The changed list's index is made anew from its vectors, which takes time
in proportion to the list: meant for up to about 1e5 templates a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.domain import Entry, ListState, Model, PartialDate, Template, to_vectors
from borderpost.watchlist.ports import BuildIndex, Stored, TemplateIndex

K = TypeVar("K")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS: Final = int(np.iinfo(np.int64).min)
"""The begin of a validity that has none of its own."""


def microseconds(time: datetime) -> int:
    """A time as microseconds since 1970 (UTC)."""
    return (time - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SearchedEntry:
    """What a search needs to know of an active entry. Times are microseconds."""

    entry_id: str
    birth_date: PartialDate
    names: tuple[tuple[str, str], ...]
    documents: tuple[tuple[str, str, str], ...]
    has_face: bool
    valid_from: int
    valid_until: int

    @classmethod
    def of(cls, entry: Entry) -> SearchedEntry:
        """What a search needs of this one."""
        content = entry.content
        return cls(
            content.entry_id,
            content.birth_date,
            tuple({name.key for name in content.names}),
            tuple({document.key for document in content.documents}),
            bool(content.templates),
            ALWAYS if content.valid_from is None else microseconds(content.valid_from),
            microseconds(content.valid_until),
        )

    def is_valid(self, now: int) -> bool:
        """Tell whether it is searched at `now`."""
        return self.valid_from <= now < self.valid_until


@dataclass(frozen=True, slots=True)
class Faces:
    """The templates of one model on a list; `entry_of` tells for each row the place of its entry."""

    index: TemplateIndex
    entry_of: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ListView:
    """One list. The arrays have one element for each of `entries`."""

    state: ListState
    entries: tuple[SearchedEntry, ...] = ()
    valid_from: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    valid_until: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    has_face: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    faces: Mapping[Model, Faces] = field(default_factory=dict)
    by_document: Mapping[tuple[str, str, str], tuple[SearchedEntry, ...]] = field(default_factory=dict)
    by_name: Mapping[tuple[str, str], tuple[SearchedEntry, ...]] = field(default_factory=dict)

    def at(self, state: ListState) -> ListView:
        """The same entries at another version."""
        return replace(self, state=state)

    def with_entries(self, added: Sequence[Entry], build: BuildIndex) -> ListView:
        """The list with more entries."""
        entries = [SearchedEntry.of(entry) for entry in added]
        return replace(
            self,
            entries=(*self.entries, *entries),
            valid_from=np.append(self.valid_from, [entry.valid_from for entry in entries]).astype(np.int64),
            valid_until=np.append(self.valid_until, [entry.valid_until for entry in entries]).astype(
                np.int64
            ),
            has_face=np.append(self.has_face, [entry.has_face for entry in entries]).astype(np.bool_),
            faces=self._faces_with(added, build),
            by_document=_with(
                self.by_document, ((key, entry) for entry in entries for key in entry.documents)
            ),
            by_name=_with(self.by_name, ((key, entry) for entry in entries for key in entry.names)),
        )

    def without_entry(self, entry_id: str, build: BuildIndex) -> ListView:
        """The list without this entry; the same list if it isn't there."""
        place = next((i for i, entry in enumerate(self.entries) if entry.entry_id == entry_id), None)
        if place is None:
            return self
        removed = self.entries[place]
        return replace(
            self,
            entries=self.entries[:place] + self.entries[place + 1 :],
            valid_from=np.delete(self.valid_from, place),
            valid_until=np.delete(self.valid_until, place),
            has_face=np.delete(self.has_face, place),
            faces=self._faces_without(place, build),
            by_document=_without(self.by_document, removed.documents, removed),
            by_name=_without(self.by_name, removed.names, removed),
        )

    def valid(self, now: int) -> npt.NDArray[np.bool_]:
        """Which of `entries` are searched at `now`."""
        return (self.valid_from <= now) & (now < self.valid_until)

    def _faces_with(self, added: Sequence[Entry], build: BuildIndex) -> dict[Model, Faces]:
        templates: dict[Model, list[Template]] = {}
        places: dict[Model, list[int]] = {}
        for place, entry in enumerate(added, start=len(self.entries)):
            for template in entry.content.templates:
                templates.setdefault(template.model, []).append(template)
                places.setdefault(template.model, []).append(place)
        faces = dict(self.faces)
        for model, new in templates.items():
            vectors, entry_of = to_vectors(new, model.dimension), np.array(places[model], dtype=np.int64)
            if model in faces:
                vectors = np.concatenate([faces[model].index.vectors, vectors])
                entry_of = np.concatenate([faces[model].entry_of, entry_of])
            faces[model] = Faces(build(vectors), entry_of)
        return faces

    def _faces_without(self, place: int, build: BuildIndex) -> dict[Model, Faces]:
        faces = {}
        for model, old in self.faces.items():
            keep = old.entry_of != place
            index = old.index if keep.all() else build(old.index.vectors[keep])
            entry_of = old.entry_of[keep]
            if len(entry_of):
                faces[model] = Faces(index, entry_of - (entry_of > place))
        return faces


@dataclass(frozen=True, slots=True)
class View:
    """All lists, by id, at one version of them all together."""

    version: int
    lists: Mapping[str, ListView]

    def with_list(self, version: int, changed: ListView) -> View:
        """The next view, with one list added or changed."""
        return View(version, {**self.lists, changed.state.watchlist.list_id: changed})


def build_view(stored: Stored, build: BuildIndex) -> View:
    """The view of what is stored."""
    active: dict[str, list[Entry]] = {state.watchlist.list_id: [] for state in stored.lists}
    for entry in stored.active:
        active[entry.content.list_id].append(entry)
    lists = {
        state.watchlist.list_id: ListView(state).with_entries(active[state.watchlist.list_id], build)
        for state in stored.lists
    }
    return View(stored.version, lists)


def _with(
    entries: Mapping[K, tuple[SearchedEntry, ...]], added: Iterable[tuple[K, SearchedEntry]]
) -> dict[K, tuple[SearchedEntry, ...]]:
    groups: dict[K, list[SearchedEntry]] = {}
    for key, entry in added:
        groups.setdefault(key, []).append(entry)
    return {**entries, **{key: (*entries.get(key, ()), *group) for key, group in groups.items()}}


def _without(
    entries: Mapping[K, tuple[SearchedEntry, ...]], keys: Iterable[K], removed: SearchedEntry
) -> dict[K, tuple[SearchedEntry, ...]]:
    result = dict(entries)
    for key in keys:
        left = tuple(entry for entry in result[key] if entry is not removed)
        if left:
            result[key] = left
        else:
            del result[key]
    return result
