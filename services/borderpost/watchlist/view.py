"""What a search searches: the lists and their entries at one version, made once and never changed.

A list is a few blocks of entries, each made once with its indexes. A change makes a new view that shares with the old
one all that did not change: what it adds is one more block, what it takes away is struck out in a mask of its own
(a tombstone). A search that has begun ends on the view that it began with, without a lock. Small blocks are merged at
once, large ones in the background (`merge.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from borderpost.watchlist.domain import (
    ALWAYS,
    Entry,
    EntryBlock,
    FaceRows,
    ListState,
    Measured,
    Suppression,
    microseconds,
)
from borderpost.watchlist.names import NameIndex
from borderpost.watchlist.numbers import NumberIndex
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.ports import BuildIndex, Changes, TemplateIndex
from borderpost.watchlist.templates import Model, Template, to_vectors

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

SMALL: Final = 512
"""Entries. Blocks up to this size are merged at once: copying so many takes less than a millisecond."""

SMALL_NAMES: Final = 256
"""Names. A block with more is merged in the background, however few its entries: each merge indexes all names anew, for
so many in some ten milliseconds, but in half a second where they were made to be costly. All changes wait for it.
"""

FOREVER: Final = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Faces:
    """The templates of one model in a block.

    `entry_of` tells for each row the place of its entry, ascending; `entries` of each place whether it has one.
    """

    index: TemplateIndex
    entry_of: Places
    entries: Mask


@dataclass(frozen=True, slots=True)
class Block:
    """Entries with their indexes, made once. `name_of` and `document_of` tell for each name or document its entry."""

    entries: EntryBlock
    places: Mapping[str, int]
    faces: Mapping[Model, Faces]
    has_face: Mask
    names: NameIndex
    name_of: Places
    numbers: NumberIndex
    document_of: Places

    @property
    def size(self) -> int:
        """How many entries it has, struck out ones too."""
        return len(self.entries.entry_ids)


@dataclass(frozen=True, slots=True)
class Counts:
    """What of a block is searched from `since` until `until` (microseconds): entries, templates, names, documents.

    `templates` and `faces` are templates and entries with a template, by model; `with_face` entries with any.
    """

    since: int
    until: int
    entries: int
    with_face: int
    names: int
    documents: int
    templates: Mapping[Model, int]
    faces: Mapping[Model, int]

    def hold_at(self, now: int) -> bool:
        """Tell whether they hold at `now`."""
        return self.since <= now < self.until


class BlockView:
    """A block without what was struck out of it.

    Counts are remembered for as long as no validity begins or ends: a search must not count a million entries.
    """

    __slots__ = ("_counts", "alive", "block")

    def __init__(self, block: Block, alive: Mask) -> None:
        self.block = block
        self.alive = alive
        self._counts: Counts | None = None

    @property
    def tombstones(self) -> int:
        """How many entries are struck out."""
        return self.block.size - int(self.alive.sum())

    def without(self, entry_ids: Iterable[str]) -> BlockView:
        """The same, with these entries struck out, as far as they are in it."""
        places = [place for each in entry_ids if (place := self.block.places.get(each)) is not None]
        if not places or not self.alive[places].any():
            return self
        alive = self.alive.copy()
        alive[places] = False
        return BlockView(self.block, alive)

    def searched(self, places: Places, now: int) -> Mask:
        """Tell of each of these places whether its entry is searched at `now`."""
        entries = self.block.entries
        begun, going = entries.valid_from[places] <= now, now < entries.valid_until[places]
        return np.asarray(self.alive[places] & begun & going, dtype=np.bool_)

    def is_searched(self, place: int, now: int) -> bool:
        """Tell of one place."""
        return bool(self.searched(np.array([place]), now)[0])

    def counts(self, now: int) -> Counts:
        """What is searched at `now`."""
        counts = self._counts
        if counts is None or not counts.hold_at(now):
            counts = self._counts = _count(self, now)
        return counts


@dataclass(frozen=True, slots=True)
class ListView:
    """One list. `suppressions` are by entry, `measured` by model id."""

    state: ListState
    blocks: tuple[BlockView, ...] = ()
    measured: Mapping[str, Measured] = field(default_factory=dict)
    suppressions: Mapping[str, tuple[Suppression, ...]] = field(default_factory=dict)

    def entries_searched(self, now: int) -> int:
        """How many entries are searched at `now`."""
        return sum(block.counts(now).entries for block in self.blocks)

    def names_searched(self, now: int) -> int:
        """How many names are."""
        return sum(block.counts(now).names for block in self.blocks)

    def templates_searched(self, model: Model, now: int) -> int:
        """How many templates of a model are."""
        return sum(block.counts(now).templates.get(model, 0) for block in self.blocks)

    def faces_searched(self, model: Model, now: int) -> int:
        """How many entries with a template of a model are."""
        return sum(block.counts(now).faces.get(model, 0) for block in self.blocks)

    def with_face(self, now: int) -> int:
        """How many entries with a template of any model are."""
        return sum(block.counts(now).with_face for block in self.blocks)

    def models(self) -> tuple[Model, ...]:
        """The models that it has templates of."""
        found = {model for block in self.blocks for model in block.block.faces}
        return tuple(sorted(found, key=lambda model: (model.model_id, model.dimension)))

    def templates_of(self, entry_id: str) -> tuple[Template, ...]:
        """An entry's templates; none if it isn't searched."""
        for block in self.blocks:
            place = block.block.places.get(entry_id)
            if place is not None and block.alive[place]:
                return tuple(_templates_at(block.block, place))
        return ()


@dataclass(frozen=True, slots=True)
class View:
    """All lists, by id, at one version of them all together."""

    version: int
    lists: Mapping[str, ListView]

    def of(self, state: ListState) -> ListView:
        """The view of a list; an empty one if the list was made after this view."""
        return self.lists.get(state.watchlist.list_id) or ListView(state)

    def with_list(self, changed: ListView) -> View:
        """The same with another view of one list."""
        return View(self.version, {**self.lists, changed.state.watchlist.list_id: changed})


class _Loaded(Protocol):
    @property
    def measured(self) -> tuple[Measured, ...]: ...

    @property
    def suppressions(self) -> tuple[Suppression, ...]: ...


def list_view(state: ListState, blocks: tuple[BlockView, ...], loaded: _Loaded) -> ListView:
    """A list's view with what was measured of it and is suppressed on it."""
    list_id = state.watchlist.list_id
    suppressions: dict[str, tuple[Suppression, ...]] = {}
    for each in loaded.suppressions:
        if each.list_id == list_id:
            suppressions[each.entry_id] = (*suppressions.get(each.entry_id, ()), each)
    measured = {each.own.model_id: each for each in loaded.measured if each.list_id == list_id}
    return ListView(state, blocks, measured, suppressions)


def advance(view: View, changes: Changes, build: BuildIndex) -> View:
    """The next view: what changed struck out, and what is new in a block of its own."""
    lists = dict(view.lists)
    for state in changes.lists:
        list_id = state.watchlist.list_id
        old = lists[list_id].blocks if list_id in lists else ()
        blocks = tuple(block.without(changes.gone) for block in old)
        added = [entry for entry in changes.entries if entry.content.list_id == list_id]
        if added:
            entries = block_of(list_id, added)
            blocks = (*blocks, whole(make_block(entries, build)))
        made = list_view(state, merge_small(list_id, blocks, build), changes)
        if list_id in lists and list_id not in changes.resuppressed:
            made = replace(made, suppressions=lists[list_id].suppressions)
        lists[list_id] = made
    return View(changes.version, lists)


def merge_small(list_id: str, blocks: tuple[BlockView, ...], build: BuildIndex) -> tuple[BlockView, ...]:
    """The same with all small blocks in one, and empty ones left out."""
    kept = tuple(block for block in blocks if block.alive.any())
    small = [block for block in kept if _is_small(block.block)]
    if len(small) < 2:
        return kept
    return (*(block for block in kept if not _is_small(block.block)), merged(list_id, small, build))


def _is_small(block: Block) -> bool:
    return block.size <= SMALL and len(block.name_of) <= SMALL_NAMES


def merged(list_id: str, blocks: Sequence[BlockView], build: BuildIndex) -> BlockView:
    """One block of what is left of several."""
    return whole(make_block(_join(list_id, blocks), build))


def whole(block: Block) -> BlockView:
    """A block of which nothing was struck out."""
    return BlockView(block, np.ones(block.size, np.bool_))


def make_block(entries: EntryBlock, build: BuildIndex) -> Block:
    """Make the indexes of a block of entries."""
    has_face = np.zeros(len(entries.entry_ids), np.bool_)
    faces = {}
    for model, rows in entries.faces.items():
        has_model = np.zeros(len(entries.entry_ids), np.bool_)
        has_model[rows.entry_of] = True
        has_face |= has_model
        faces[model] = Faces(build(rows.vectors), rows.entry_of, has_model)
    return Block(
        # The index keeps the only copy of the vectors.
        replace(
            entries, faces={model: FaceRows(own.index.vectors, own.entry_of) for model, own in faces.items()}
        ),
        {entry_id: place for place, entry_id in enumerate(entries.entry_ids)},
        faces,
        has_face,
        NameIndex(entries.names),
        np.array([place for place, _, _ in entries.names], np.int64),
        NumberIndex(entries.documents),
        np.array([place for place, _ in entries.documents], np.int64),
    )


def block_of(list_id: str, entries: Sequence[Entry]) -> EntryBlock:
    """Entries of one list in columns."""
    templates: dict[Model, list[Template]] = {}
    places: dict[Model, list[int]] = {}
    names: list[tuple[int, PersonName, PartialDate]] = []
    documents: list[tuple[int, DocumentKey]] = []
    for place, entry in enumerate(entries):
        for template in entry.content.templates:
            templates.setdefault(template.model, []).append(template)
            places.setdefault(template.model, []).append(place)
        names += [(place, name, entry.content.birth_date) for name in entry.content.names]
        documents += [(place, document) for document in entry.content.documents]
    begins = [entry.content.valid_from for entry in entries]
    return EntryBlock(
        list_id,
        [entry.content.entry_id for entry in entries],
        np.array([ALWAYS if begin is None else microseconds(begin) for begin in begins], np.int64),
        np.array([microseconds(entry.content.valid_until) for entry in entries], np.int64),
        {
            model: FaceRows(to_vectors(own, model.dimension), np.array(places[model], np.int64))
            for model, own in templates.items()
        },
        names,
        documents,
    )


def _join(list_id: str, blocks: Sequence[BlockView]) -> EntryBlock:
    """What is left of several blocks, in columns."""
    ids: list[str] = []
    names: list[tuple[int, PersonName, PartialDate]] = []
    documents: list[tuple[int, DocumentKey]] = []
    rows: dict[Model, list[FaceRows]] = {}
    for view in blocks:
        entries, moved = view.block.entries, _moved(view.alive, len(ids))
        names += [(moved[place], name, born) for place, name, born in entries.names if view.alive[place]]
        documents += [(moved[place], document) for place, document in entries.documents if view.alive[place]]
        for model, own in entries.faces.items():
            left = view.alive[own.entry_of]
            rows.setdefault(model, []).append(FaceRows(own.vectors[left], moved[own.entry_of[left]]))
        ids += [entry_id for entry_id, alive in zip(entries.entry_ids, view.alive, strict=True) if alive]
    faces = {
        model: FaceRows(
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.entry_of for part in parts]),
        )
        for model, parts in rows.items()
    }
    return EntryBlock(
        list_id,
        ids,
        _left_of(blocks, lambda entries: entries.valid_from),
        _left_of(blocks, lambda entries: entries.valid_until),
        {model: own for model, own in faces.items() if len(own.entry_of)},
        names,
        documents,
    )


def _left_of(blocks: Sequence[BlockView], column: Callable[[EntryBlock], Places]) -> Places:
    return np.concatenate([column(view.block.entries)[view.alive] for view in blocks])


def _moved(alive: Mask, begin: int) -> Places:
    """The new place of each entry that is left."""
    return np.asarray(np.cumsum(alive) - 1 + begin, dtype=np.int64)


def _templates_at(block: Block, place: int) -> Iterable[Template]:
    for model, faces in block.faces.items():
        begin, end = np.searchsorted(faces.entry_of, [place, place + 1])
        for row in range(begin, end):
            yield Template(model, np.ascontiguousarray(faces.index.vectors[row], dtype="<f4").tobytes())


def _count(view: BlockView, now: int) -> Counts:
    block, entries = view.block, view.block.entries
    begun, going = entries.valid_from <= now, now < entries.valid_until
    searched = view.alive & begun & going
    times = (entries.valid_from, entries.valid_until)
    return Counts(
        # The last and the next time that a validity begins or ends.
        since=max(int(each.max(where=view.alive & (each <= now), initial=ALWAYS)) for each in times),
        until=min(int(each.min(where=view.alive & (each > now), initial=FOREVER)) for each in times),
        entries=int(searched.sum()),
        with_face=int((searched & block.has_face).sum()),
        names=int(searched[block.name_of].sum()),
        documents=int(searched[block.document_of].sum()),
        templates={model: int(searched[own.entry_of].sum()) for model, own in block.faces.items()},
        faces={model: int((searched & own.entries).sum()) for model, own in block.faces.items()},
    )
