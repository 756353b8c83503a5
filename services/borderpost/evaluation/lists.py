"""Lists and travelers drawn from labelled templates: who is listed with what, who passes by, and who is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.evaluation.metrics import Counts
from borderpost.faces.evaluation.protocols import Sample

MAX_TEMPLATES: Final = 4
"""Of an entry that has several."""

ENOUGH: Final = 3
"""Pictures of a person from which an entry can have two templates and the traveler another picture."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is drawn: entries, whether they have several templates, and pictures of each traveler."""

    entries: int
    several: bool
    probes: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """One list and its travelers, as rows and people of a sample.

    `listed`: the rows of its templates, entry after entry; `entry_of`: whose entry each is; `people`: the person of
    each entry. `strangers`: travelers × probes, rows of people who aren't on it; `stranger_people`: who. `mated`: rows
    of people who are, by other pictures; `mated_entries`: their entries.
    """

    listed: Counts
    entry_of: Counts
    people: Counts
    strangers: Counts
    stranger_people: Counts
    mated: Counts
    mated_entries: Counts


def draws(
    sample: Sample,
    setting: Setting,
    count: int,
    seed: int,
    candidates: npt.NDArray[np.bool_] | None = None,
) -> Iterator[Drawn]:
    """Several random lists, always the same ones for a seed; of the `candidates` only, where they are given."""
    rng = np.random.default_rng(seed)
    rows_of = np.split(np.argsort(sample.people, kind="stable"), np.cumsum(np.bincount(sample.people))[:-1])
    for _ in range(count):
        yield _draw(rows_of, setting, rng, candidates)


def _draw(
    rows_of: list[Counts],
    setting: Setting,
    rng: np.random.Generator,
    candidates: npt.NDArray[np.bool_] | None,
) -> Drawn:
    """Random people, one random picture of each; of several, those with the most to give come first."""
    order = rng.permutation(len(rows_of))
    if candidates is not None:
        order = order[np.argsort(~candidates[order], kind="stable")]
    if setting.several:
        pictures = np.asarray([min(len(rows_of[person]), ENOUGH) for person in order])
        order = order[np.argsort(-pictures, kind="stable")]
    listed, others = order[: setting.entries], order[setting.entries :]
    rows: list[Counts] = []
    mated: list[Counts] = []
    mated_entries: list[int] = []
    for entry, person in enumerate(listed.tolist()):
        mixed = rng.permutation(rows_of[person])
        taken = _taken(len(mixed), setting)
        rows.append(mixed[:taken])
        if len(mixed) >= taken + setting.probes:
            mated.append(mixed[taken : taken + setting.probes])
            mated_entries.append(entry)
    passing = [person for person in others.tolist() if len(rows_of[person]) >= setting.probes]
    strangers = [rng.permutation(rows_of[person])[: setting.probes] for person in passing]
    return Drawn(
        listed=np.concatenate(rows),
        entry_of=np.repeat(np.arange(setting.entries), [len(each) for each in rows]),
        people=listed,
        strangers=_stacked(strangers, setting.probes),
        stranger_people=np.asarray(passing, dtype=np.int64),
        mated=_stacked(mated, setting.probes),
        mated_entries=np.asarray(mated_entries, dtype=np.int64),
    )


def _taken(pictures: int, setting: Setting) -> int:
    """Templates that an entry gets of a person with so many pictures: all but the probes, if several."""
    return max(1, min(MAX_TEMPLATES, pictures - setting.probes)) if setting.several else 1


def _stacked(rows: list[Counts], probes: int) -> Counts:
    return np.asarray(rows, dtype=np.int64).reshape(len(rows), probes)
