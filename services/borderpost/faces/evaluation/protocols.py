"""Who is compared with whom: folders of pictures, halves of the people, groups, LFW's pairs, random draws."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.faces.evaluation.errors import EvaluationDataError
from borderpost.faces.evaluation.metrics import Counts, People
from borderpost.faces.evaluation.templates import Vectors

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".jp2"})

MAX_PER_PERSON: Final = 5
"""Pictures of one person in the comparisons of pairs: more would give a few much photographed people most of them."""

MAX_TEMPLATES: Final = 20_000
"""Of one half: their 200 million pairs take 0.8 GB."""

KNOWN_ERRORS: Final = (
    ("Andrew_Caldecott", "Andrew_Gilligan"),
    ("Bart_Hendricks", "Ricky_Ray"),
    ("Carlos_Beltran", "Raul_Ibanez"),
    ("Emmy_Rossum", "Eva_Amurri"),
)
"""People of LFW of whom a picture shows the other, or the same picture is there twice, as is known of this set."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures, and the name of the person on each."""

    pictures: tuple[Path, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Templates (a row each), whose each is, and the names by number."""

    vectors: Vectors
    people: People
    names: tuple[str, ...]

    def of(self, chosen: npt.NDArray[np.bool_]) -> Sample:
        """Only the chosen rows, with people numbered anew."""
        numbers, people = np.unique(self.people[chosen], return_inverse=True)
        return Sample(
            self.vectors[chosen], people.astype(np.int64), tuple(self.names[number] for number in numbers)
        )


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of people: the members of each, by its label ("sex: female")."""

    members: Mapping[str, frozenset[str]]

    def rows(self, sample: Sample, label: str) -> npt.NDArray[np.bool_]:
        """Which templates of a sample are of members."""
        is_member = np.asarray([name in self.members[label] for name in sample.names], dtype=np.bool_)
        return np.asarray(is_member[sample.people])


NO_GROUPS: Final = Groups({})


def read_folder(folder: Path) -> Labelled:
    """The pictures of a folder that holds a folder for every person. Raises EvaluationDataError if there are none."""
    if not folder.is_dir():
        raise EvaluationDataError(
            f"folder: {folder} is not there, want a folder of pictures for every person"
        )
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [
        (picture, person.name)
        for person in people
        for picture in sorted(person.iterdir())
        if picture.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise EvaluationDataError("folder: got no pictures, want a folder of pictures for every person")
    return Labelled(tuple(picture for picture, _ in found), tuple(name for _, name in found))


def read_groups(file: Path) -> Groups:
    """Groups from a CSV with a header: `person`, then a column for each attribute. Empty cells are unknown.

    Raises EvaluationDataError for another form.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        if not rows.fieldnames or rows.fieldnames[0] != "person" or len(rows.fieldnames) < 2:
            raise EvaluationDataError(
                "groups: got another first line, want person,ATTRIBUTE,… (a column for each attribute)"
            )
        members: dict[str, set[str]] = {}
        for row in rows:
            for attribute in rows.fieldnames[1:]:
                if value := (row[attribute] or "").strip():
                    members.setdefault(f"{attribute}: {value}", set()).add(row["person"])
    return Groups({label: frozenset(members[label]) for label in sorted(members)})


def in_first_half(person: str) -> bool:
    """Which half a person belongs to, for ever: the lowest bit of the SHA-256 of the name."""
    return hashlib.sha256(person.encode()).digest()[-1] % 2 == 0


def sample_of(labelled: Labelled, vectors: Vectors, chosen: Sequence[bool] | npt.NDArray[np.bool_]) -> Sample:
    """The chosen pictures' templates."""
    names, people = np.unique(np.asarray(labelled.names), return_inverse=True)
    everything = Sample(vectors, people.astype(np.int64), tuple(str(name) for name in names))
    return everything.of(np.asarray(chosen, dtype=np.bool_))


def first_of_each(sample: Sample, count: int = MAX_PER_PERSON) -> Sample:
    """At most `count` templates of each person, in the order of their rows."""
    seen: dict[int, int] = {}
    keep = np.zeros(len(sample.people), dtype=np.bool_)
    for row, person in enumerate(sample.people.tolist()):
        seen[person] = seen.get(person, 0) + 1
        keep[row] = seen[person] <= count
    return sample.of(keep)


def check_size(sample: Sample) -> None:
    """Raise EvaluationDataError where the sample is too small to say anything, or too large for the memory."""
    people = len(sample.names)
    several = int((np.bincount(sample.people) > 1).sum()) if people else 0
    if people < 20 or several < 2:
        raise EvaluationDataError(
            f"folder: got {people} people in a half, {several} of them with two pictures; want at least 20, and 2"
        )
    if len(sample.people) > MAX_TEMPLATES:
        raise EvaluationDataError(
            f"folder: got {len(sample.people):,} pictures in a half, want at most {MAX_TEMPLATES:,}: take fewer people"
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows of a sample: those enrolled (one a person), and those searched for."""

    enrolled: Counts
    probes: Counts


def draw(sample: Sample, size: int, rng: np.random.Generator) -> Draw:
    """Enrol one random picture of `size` random people; search another of each, and one of everybody else."""
    order = rng.permutation(len(sample.people))
    _, first = np.unique(sample.people[order], return_index=True)
    one_each = order[first]
    rest = np.setdiff1d(order, one_each, assume_unique=True)
    rest = rest[rng.permutation(len(rest))]
    with_second, second = np.unique(sample.people[rest], return_index=True)
    other = dict(zip(with_second.tolist(), rest[second].tolist(), strict=True))
    chosen = rng.permutation(len(sample.names))[:size]
    others = np.setdiff1d(np.arange(len(sample.names)), chosen)
    mated = [other[person] for person in chosen.tolist() if person in other]
    return Draw(one_each[chosen], np.concatenate([np.asarray(mated, dtype=np.int64), one_each[others]]))


def draws(sample: Sample, size: int, count: int, seed: int) -> Iterator[Draw]:
    """Several random draws, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield draw(sample, size, rng)


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of LFW's protocol: two pictures, whether of one person, and the fold."""

    first: str
    second: str
    same: bool
    fold: int


def read_lfw_pairs(file: Path) -> list[Pair]:
    """LFW's pairs.txt: ten folds, in each first the genuine pairs, then the impostors. Pictures by file name."""
    head, *lines = file.read_text().splitlines()
    folds, of_kind = (int(number) for number in head.split())
    pairs = []
    for index, line in enumerate(lines[: folds * of_kind * 2]):
        fields = line.split("\t")
        same = len(fields) == 3
        other = fields[0] if same else fields[2]
        pairs.append(
            Pair(_lfw_name(fields[0], fields[1]), _lfw_name(other, fields[-1]), same, index // (2 * of_kind))
        )
    return pairs


def _lfw_name(person: str, number: str) -> str:
    return f"{person}_{int(number):04d}.jpg"


def read_lfw_sex(folder: Path) -> Groups:
    """Labelled sex by person. People without a label, or with both labels, are in neither group."""
    labels = {"sex: female": "female_names.txt", "sex: male": "male_names.txt"}
    found = {
        label: {_person(line) for line in (folder / file).read_text().split()}
        for label, file in labels.items()
    }
    both = frozenset.intersection(*(frozenset(names) for names in found.values()))
    return Groups({label: frozenset(names) - both for label, names in found.items()})


def _person(picture: str) -> str:
    return picture.removesuffix(".jpg").rpartition("_")[0]
