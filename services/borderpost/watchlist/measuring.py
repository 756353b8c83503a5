"""Measuring lists: what their own templates, compared with one another, say of false matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calibration import Calibration
from borderpost.watchlist import events
from borderpost.watchlist.app import the_list
from borderpost.watchlist.domain import Alike, Caller, Measured, microseconds
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.search import Meaning
from borderpost.watchlist.templates import Model, Vectors
from borderpost.watchlist.thresholds import AlikePair, OwnScores, measure, sample_size
from borderpost.watchlist.view import ListView

Numbers = npt.NDArray[np.int64]
Reached = tuple[Numbers, Numbers, npt.NDArray[np.float64]]
"""Pairs: the probe, the place of the entry on the list, the score."""

LEAST_ENTRIES: Final = 25
"""Entries with a face from which a list is measured: fewer have less than the 300 pairs that bring 30 (ISO/IEC 19795-1,
annex B, rule of 30) at the highest rate that a calibration is asked for, one in ten."""

AT_ONCE: Final = 32
"""Probes that are compared with the whole list at a time."""

MOST_PAIRS: Final = 5_000_000
"""Pairs that are looked at, 120 MB of them: a list that has one face a thousand times has a million pairs of it."""

GROWTH: Final = 1.25
"""A list whose templates grew, or shrank, by this factor since it was measured is measured again."""


class Measuring:
    """The use cases of measuring. Safe to call from several threads at a time."""

    def __init__(self, keeper: Keeper, meaning: Meaning) -> None:
        self._keeper = keeper
        self._meaning = meaning

    def measure(self, list_id: str, by: Caller) -> tuple[tuple[Measured, ...], int]:
        """Compare a list's own templates and keep what they say; return it, and the list's version that uses it.

        Raises WatchlistNotFoundError, ListNotPermittedError.
        """
        with self._keeper.read() as reading:
            state = the_list(reading, list_id, by)
        found = self._measured(self._keeper.view.of(state))
        if not found:
            return (), state.version
        with self._keeper.change() as change:
            the_list(change, list_id, by)
            for each in found:
                change.put_measured(each)
            state = change.bump(list_id, self._keeper.clock.now())
            for each in found:
                change.record(events.watchlist_measured(by, state, each))
        return found, state.version

    def measure_due(self, by: Caller) -> int:
        """Measure the lists that have grown since they were measured; return how many."""
        at = microseconds(self._keeper.clock.now())
        lists = self._keeper.view.lists
        due = [
            list_id
            for list_id, each in lists.items()
            if any(self._is_due(each, model, at) for model in each.models())
        ]
        for list_id in due:
            self.measure(list_id, by)
        return len(due)

    def _is_due(self, each: ListView, model: Model, at: int) -> bool:
        if each.faces_searched(model, at) < LEAST_ENTRIES:
            return False
        measured, templates = each.measured.get(model.model_id), each.templates_searched(model, at)
        if measured is None or measured.own.calibration_id != self._meaning.faces[model.model_id].id:
            return True
        return not measured.own.templates / GROWTH < templates < measured.own.templates * GROWTH

    def _measured(self, each: ListView) -> tuple[Measured, ...]:
        now = self._keeper.clock.now()
        at = microseconds(now)
        models = [model for model in each.models() if each.faces_searched(model, at) >= LEAST_ENTRIES]
        return tuple(_measure(each, model, self._meaning.faces[model.model_id], now) for model in models)


def _measure(each: ListView, model: Model, calibration: Calibration, now: datetime) -> Measured:
    state, at = each.state, microseconds(now)
    templates = each.templates_searched(model, at)

    def reach(asking: Vectors, score: float) -> Reached:
        return _reaching(each, model, at, asking, score)

    def measured(size: int) -> tuple[OwnScores, tuple[AlikePair, ...]]:
        probes, entry_of = _sample(each, model, at, size, seed=state.version)
        return measure(calibration, probes, entry_of, reach, templates, each.faces_searched(model, at))

    own, alike = _with_fewer(measured, sample_size(templates))
    pairs = tuple(
        Alike(_entry_at(each, pair.entry), _entry_at(each, pair.other), pair.score) for pair in alike
    )
    return Measured(state.watchlist.list_id, own, pairs, state.version, now)


def _with_fewer(
    measured: Callable[[int], tuple[OwnScores, tuple[AlikePair, ...]]], size: int
) -> tuple[OwnScores, tuple[AlikePair, ...]]:
    """Measure with a sample of this size, or a smaller one where too many pairs are alike."""
    while True:
        try:
            return measured(size)
        except _TooManyPairsError as error:
            size = max(1, min(size // 2, error.probes))


class _TooManyPairsError(Exception):
    """More pairs reach the score than are looked at; so many probes brought half of those."""

    def __init__(self, probes: int) -> None:
        super().__init__()
        self.probes = probes


def _reaching(each: ListView, model: Model, at: int, probes: Vectors, score: float) -> Reached:
    """Every pair of a probe and a searched template that reaches a score. Raises _TooManyPairsError."""
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))]
    count = 0
    for first in range(0, len(probes), AT_ONCE):
        for reached in _some_reaching(each, model, at, probes[first : first + AT_ONCE], score):
            found.append((reached[0] + first, *reached[1:]))
            count += len(reached[0])
        if count > MOST_PAIRS and len(probes) > 1:
            raise _TooManyPairsError((first + AT_ONCE) * MOST_PAIRS // (2 * count))
    probe_of, entries, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return probe_of, entries, scores


def _some_reaching(each: ListView, model: Model, at: int, probes: Vectors, score: float) -> Iterator[Reached]:
    """The pairs of a few probes, block by block."""
    begin = 0
    for block in each.blocks:
        faces = block.block.faces.get(model)
        if faces is not None:
            pairs = faces.index.at_least(probes, np.full(len(probes), score))
            places = faces.entry_of[pairs.rows]
            keep = block.searched(places, at)
            yield pairs.probes[keep], places[keep] + begin, pairs.scores[keep]
        begin += block.block.size


def _sample(each: ListView, model: Model, at: int, size: int, seed: int) -> tuple[Vectors, Numbers]:
    """Some of the searched templates, or all if they are no more, with the places of their entries on the list."""
    rows = []
    begin = 0
    for block in each.blocks:
        faces = block.block.faces.get(model)
        if faces is not None:
            searched = np.flatnonzero(block.searched(faces.entry_of, at))
            rows.append((faces, searched, faces.entry_of[searched] + begin))
        begin += block.block.size
    total = sum(len(own) for _, own, _ in rows)
    chosen = np.sort(np.random.default_rng(seed).choice(total, min(size, total), replace=False))
    vectors, places, first = [], [], 0
    for faces, own, entries in rows:
        here = chosen[(chosen >= first) & (chosen < first + len(own))] - first
        vectors.append(faces.index.vectors[own[here]])
        places.append(entries[here])
        first += len(own)
    return np.concatenate(vectors), np.concatenate(places)


def _entry_at(each: ListView, place: int) -> str:
    for block in each.blocks:
        if place < block.block.size:
            return block.block.entries.entry_ids[place]
        place -= block.block.size
    raise IndexError(place)
