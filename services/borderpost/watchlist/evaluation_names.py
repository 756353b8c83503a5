"""Measure what a name's score means, and what the thresholds miss.

    python -m borderpost.watchlist.evaluation_names --data DIR [--docs FILE] [--calibration FILE]

DIR holds a folder for every person, named Given_Names_Surname, as Labeled Faces in the Wild has. People are split in
halves by a hash of the name: half A gives the calibration, half B checks it. Nobody's birth date is known there: dates
are drawn, evenly over ages of 0 to 90 years. No name leaves this program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import string
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import numpy.typing as npt

from borderpost.reports.command import exit_status
from borderpost.reports.markdown import table
from borderpost.runtime.calibration import MIN_FALSE_MATCHES
from borderpost.runtime.errors import BorderpostError
from borderpost.watchlist.naming.calibration import (
    NameCalibration,
    parse_name_calibration,
    weights_sha256,
)
from borderpost.watchlist.naming.dates import (
    DIFFERENT_EVIDENCE,
    MOST_EVIDENCE,
    YEAR_EVIDENCE,
    compare_all,
    to_dates,
)
from borderpost.watchlist.naming.index import ROUNDING, NameIndex
from borderpost.watchlist.naming.matching import MIN_EDIT_LETTERS, match_names
from borderpost.watchlist.naming.parts import REDUCED
from borderpost.watchlist.persons import UNKNOWN_DATE, PartialDate, PersonName

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

DATA: Final = (
    "Names of Labeled Faces in the Wild: people in the English-language press of 2002 and 2003, each name once; "
    "not a border's names. Birth dates drawn evenly over ages of 0 to 90 years"
)
METHOD: Final = (
    "people split in halves by a hash of the name; all pairs of half A, and pairs of its people with names whose "
    "surname and given names come from two others (namesakes, which the data lack); the chance of each agreement of "
    "birth dates by enumeration; at each score the worst of both kinds of pairs and of three kinds of birth dates "
    "(full, year only, unknown); rows need 30 expected false matches; checked on half B"
)
SUFFIXES: Final = frozenset({"JR", "SR", "II", "III", "IV"})
"""Stand behind the surname in English."""

SAME_DAY: Final = PartialDate(2000, 1, 1)
FLOOR: Final = -2.0
"""Pairs of names with less evidence can't reach a row even on the same birthday."""

STEP: Final = 0.1
"""Between the scores of two rows."""

DAYS: Final = tuple(date(1936, 1, 1) + timedelta(days=day) for day in range(90 * 365))
"""Birth dates of people aged 0 to 90."""

DAYS_OF_A_YEAR: Final = 365

PROBED_DAYS: Final = 101
"""Every so many of them is compared with all."""

RECOMBINATIONS: Final = 2
LISTS: Final = 20
"""Drawn for every size."""

SIZES: Final = (100, 300, 1000)
TARGETS: Final = (0.1, 0.01)
SEED: Final = 2002
BY_EAR: Final = (
    ("PH", "F"),
    ("CK", "K"),
    ("TH", "T"),
    ("EE", "I"),
    ("OU", "U"),
    ("SCH", "SH"),
    ("Y", "I"),
    ("LL", "L"),
)
COMMAND: Final = "python -m borderpost.watchlist.evaluation_names --data DIR --docs docs/names.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


class NameDataError(BorderpostError):
    """The folder can't be evaluated."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "EVALUATION_DATA_UNUSABLE"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of different people: `total` were compared; `evidence` of the names of those above FLOOR."""

    probe: Places
    listed: Places
    evidence: Numbers
    total: int


@dataclass(frozen=True, slots=True)
class KnownDates:
    """A kind of birth dates: what they add to the evidence of two different people, and how often."""

    label: str
    keep: Callable[[PartialDate], PartialDate]
    chances: tuple[tuple[float, float], ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Measure name matching on a folder of people.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder for every person")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="write the section into this page")
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="write the calibration here")
    options = parser.parse_args(arguments)
    return exit_status(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    people = read_people(options.data)
    data = calibrate([person for person in people if in_half_a(person)])
    section = report(parse_name_calibration(data), [person for person in people if not in_half_a(person)])
    if options.calibration:
        options.calibration.write_bytes(data)
    if options.docs:
        before, _, rest = options.docs.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        options.docs.write_text(f"{before}{BEGIN}\n{section}\n{END}{after}", encoding="utf-8")
    sys.stdout.write(f"{section}\n")


def read_people(folder: Path) -> list[PersonName]:
    """The people of a folder, by name. Raises NameDataError where there are too few for lists of 1,000."""
    people = [to_name(each.name) for each in sorted(folder.iterdir()) if each.is_dir()]
    if len(people) < 4 * max(SIZES):
        raise NameDataError(
            f"data: got {len(people)} people, want {4 * max(SIZES)} at least: lists of {max(SIZES)} in half of them"
        )
    return people


def to_name(folder: str) -> PersonName:
    """A folder's name as a person's: the last word is the surname, with the suffix that follows it."""
    words = folder.split("_")
    surname = 2 if len(words) > 2 and words[-1].upper() in SUFFIXES else 1
    return PersonName(" ".join(words[-surname:]), " ".join(words[:-surname]))


def in_half_a(name: PersonName) -> bool:
    """Tell which half a person is of."""
    both = f"{name.primary_identifier}|{name.secondary_identifier}"
    return hashlib.sha256(both.encode()).digest()[0] % 2 == 0


def calibrate(people: Sequence[PersonName]) -> bytes:
    """The calibration's file, from half A."""
    populations = (compare_people(people), compare_recombined(people))
    rows: list[dict[str, float]] = [{"score": 0.0, "fmr": 1.0, "false_matches": populations[0].total}]
    step = 1
    while True:
        score = round(step * STEP, 1)
        worst = max(
            ((_fmr(pairs, known, score), pairs.total) for pairs in populations for known in kinds()),
            key=lambda found: found[0],
        )
        false_matches = worst[0] * worst[1]
        if false_matches < MIN_FALSE_MATCHES:
            break
        fmr = float(f"{worst[0]:.4g}")
        if fmr < rows[-1]["fmr"]:
            rows.append({"score": score, "fmr": fmr, "false_matches": round(false_matches, 1)})
        step += 1
    content: dict[str, Any] = {
        "data": DATA,
        "method": METHOD,
        "people": len(people),
        "comparisons": {
            "of people": populations[0].total,
            "with recombined names": populations[1].total,
        },
        "weights_sha256": weights_sha256(),
        "rows": rows,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def compare_people(people: Sequence[PersonName]) -> Pairs:
    """All pairs of different people, each once."""
    found = [
        (probe, listed, evidence) for probe, listed, evidence in _evidence(people, people) if probe < listed
    ]
    return _to_pairs(found, len(people) * (len(people) - 1) // 2)


def compare_recombined(people: Sequence[PersonName]) -> Pairs:
    """People with names made of two others' surname and given names."""
    shuffled = random.Random(SEED)  # noqa: S311  the same draws in every run
    places = range(len(people))
    found: list[tuple[int, int, float]] = []
    for _ in range(RECOMBINATIONS):
        other = shuffled.sample(places, len(people))
        made = [
            PersonName(people[one].primary_identifier, people[two].secondary_identifier)
            for one, two in zip(places, other, strict=True)
        ]
        found += [pair for pair in _evidence(people, made) if pair[0] not in {pair[1], other[pair[1]]}]
    return _to_pairs(found, RECOMBINATIONS * len(people) * (len(people) - 2))


def kinds() -> tuple[KnownDates, ...]:
    """The kinds of birth dates that a list may have."""
    same_year = DAYS_OF_A_YEAR / len(DAYS)
    return (
        KnownDates("full", lambda birth: birth, _chances_of_full_dates()),
        KnownDates(
            "year only",
            lambda birth: PartialDate(birth.year),
            ((same_year, YEAR_EVIDENCE), (1 - same_year, DIFFERENT_EVIDENCE)),
        ),
        KnownDates("unknown", lambda _: UNKNOWN_DATE, ((1.0, 0.0),)),
    )


def report(calibration: NameCalibration, people: Sequence[PersonName]) -> str:
    """What the thresholds do on half B, as Markdown."""
    asked = [(size, fpir) for size in SIZES for fpir in TARGETS]
    found = [calibration.threshold_at(fpir, size) for size, fpir in asked]
    thresholds = [threshold.score for threshold in found]
    head = [f"{size:,} at {fpir:.0%}" for size, fpir in asked]
    last = calibration.rows[-1]
    return "\n\n".join(
        (
            f"*From `{COMMAND}`; calibration {calibration.id[:16]}, half B: {len(people):,} people.*",
            f"The table ends at the score {last.score:g}, which {last.fmr:.2g} of different pairs reach: it supports "
            f"1 % on lists of up to {_most_names(last.fmr, 0.01):,} names, and 10 % on up to "
            f"{_most_names(last.fmr, 0.1):,}. Beyond, the score stands on its claim alone and is marked as not "
            "supported.",
            "**False alarms.** A traveler of half B who is on no list, against lists of half B: the share who alarm "
            f"by name, mean of {LISTS} lists (lowest to highest list), by what is known of the birth dates.",
            _alarms(people, head, asked, thresholds),
            "The same with the score that the data alone ask for, which is what the calibration's prediction is "
            "checked by:",
            _alarms(people, head, asked, [threshold.measured for threshold in found]),
            "**Misses** (FNIR): listed people of half B, whose document differs from the list as said. Full birth "
            "dates, unless said.",
            table(
                ["what differs", "people", *head],
                [
                    [label, f"{len(scores):,}", *(_missed(scores, score) for score in thresholds)]
                    for label, scores in true_scores(people)
                ],
            ),
        )
    )


def _alarms(
    people: Sequence[PersonName],
    head: Sequence[str],
    asked: Sequence[tuple[int, float]],
    thresholds: Sequence[float],
) -> str:
    alarms = false_alarms(people, asked, thresholds)
    return table(
        ["names, target", "score", *(f"birth dates {known.label}" for known in kinds())],
        [
            [name, f"{score:.2f}", *(_percent(alarms[known.label][place]) for known in kinds())]
            for place, (name, score) in enumerate(zip(head, thresholds, strict=True))
        ],
    )


def false_alarms(
    people: Sequence[PersonName], asked: Sequence[tuple[int, float]], thresholds: Sequence[float]
) -> dict[str, list[Numbers]]:
    """For each kind of birth dates and each threshold: the share of unlisted travelers who alarm, for each list."""
    drawing = random.Random(SEED)  # noqa: S311  the same draws in every run
    found = compare_people(people)
    probe = np.concatenate([found.probe, found.listed])
    listed = np.concatenate([found.listed, found.probe])
    evidence = np.concatenate([found.evidence, found.evidence])
    shares: dict[str, list[Numbers]] = {}
    for known in kinds():
        shares[known.label] = []
        for (size, _), threshold in zip(asked, thresholds, strict=True):
            alarmed = []
            for _ in range(LISTS):
                births = to_dates([known.keep(draw_birth(drawing)) for _ in people])
                on_list = np.zeros(len(people), dtype=bool)
                on_list[drawing.sample(range(len(people)), size)] = True
                chosen = ~on_list[probe] & on_list[listed]
                _, of_dates = compare_all(births[probe[chosen]], births[listed[chosen]])
                scores = evidence[chosen] + of_dates
                alarms = np.unique(probe[chosen][scores >= threshold - ROUNDING])
                alarmed.append(len(alarms) / (len(people) - size))
            shares[known.label].append(np.array(alarmed))
    return shares


def true_scores(people: Sequence[PersonName]) -> Iterator[tuple[str, Numbers]]:
    """The scores of people with their own names and birth dates, altered in one way at a time."""
    for label, alter in ALTERATIONS.items():
        drawing = random.Random(SEED)  # noqa: S311  the same draws in every run
        scores = []
        for name in people:
            birth = draw_birth(drawing)
            altered = alter(name, birth, drawing)
            if altered is not None:
                scores.append(match_names(*altered, name, birth).score)
        yield label, np.array(scores)


def draw_birth(drawing: random.Random) -> PartialDate:
    """A birth date of somebody aged 0 to 90."""
    day = drawing.choice(DAYS)
    return PartialDate(day.year, day.month, day.day)


Altered = tuple[PersonName, PartialDate] | None
"""A traveler's name and birth date; None where the alteration leaves them as they are."""


def _same(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return name, birth


def _swapped(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    if not name.secondary_identifier:
        return None
    return PersonName(name.secondary_identifier, name.primary_identifier), birth


def _without_middle(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    first, *middle = name.secondary_identifier.split(" ")
    return (PersonName(name.primary_identifier, first), birth) if middle else None


def _without_given(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return (PersonName(name.primary_identifier, ""), birth) if name.secondary_identifier else None


def _initial(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    given = name.secondary_identifier
    return (PersonName(name.primary_identifier, given[0]), birth) if len(given) > 1 else None


def _one_letter(name: PersonName, birth: PartialDate, drawing: random.Random) -> Altered:
    """A letter of the surname left out, replaced or exchanged with its neighbour."""
    surname = name.primary_identifier
    if len(surname) <= MIN_EDIT_LETTERS:
        return None
    place = drawing.randrange(len(surname) - 1)
    before, here, after = surname[:place], surname[place], surname[place + 1 :]
    replaced = before + drawing.choice(string.ascii_lowercase) + after
    wrong = drawing.choice((before + after, replaced, before + after[0] + here + after[1:]))
    return PersonName(wrong, name.secondary_identifier), birth


def _spelt(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return _replaced(name, birth, REDUCED)


def _by_ear(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return _replaced(name, birth, BY_EAR)


def _replaced(name: PersonName, birth: PartialDate, pairs: Sequence[tuple[str, str]]) -> Altered:
    both = [name.primary_identifier.upper(), name.secondary_identifier.upper()]
    other = list(both)
    for old, new in pairs:
        other = [text.replace(old, new) for text in other]
    return None if other == both else (PersonName(*other), birth)


def _year_only(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return name, PartialDate(birth.year)


def _no_birth(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return name, UNKNOWN_DATE


def _day_and_month(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return None if birth.day == birth.month else (name, PartialDate(birth.year, birth.day, birth.month))


def _one_date_part(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    return name, PartialDate((birth.year or 0) + 1, birth.month, birth.day)


def _other_birth(name: PersonName, birth: PartialDate, _: random.Random) -> Altered:
    other = (birth.month or 0) % 12 + 1
    return name, PartialDate((birth.year or 0) + 2, other, birth.day)


def _letter_and_year(name: PersonName, birth: PartialDate, drawing: random.Random) -> Altered:
    altered = _one_letter(name, birth, drawing)
    return altered and (altered[0], PartialDate(birth.year))


ALTERATIONS: Final = {
    "nothing": _same,
    "surname and given names exchanged": _swapped,
    "further given names left out": _without_middle,
    "first given name's initial only": _initial,
    "no given name": _without_given,
    "one letter of the surname": _one_letter,
    "another transliteration (UE/U and the like)": _spelt,
    "spelt by ear (PH/F, CK/K and the like)": _by_ear,
    "birth day and month unknown": _year_only,
    "birth date unknown": _no_birth,
    "birth day and month exchanged": _day_and_month,
    "birth year one off": _one_date_part,
    "another birth date": _other_birth,
    "one letter of the surname, and birth day and month unknown": _letter_and_year,
}


def _evidence(probes: Sequence[PersonName], listed: Sequence[PersonName]) -> Iterator[tuple[int, int, float]]:
    """Of every pair above FLOOR what the names alone weigh: everybody is given the same birthday, and it taken off."""
    index = NameIndex([(place, name, SAME_DAY) for place, name in enumerate(listed)])
    for probe, name in enumerate(probes):
        for row, match in index.at_least(name, SAME_DAY, MOST_EVIDENCE + FLOOR):
            yield probe, row, match.score - MOST_EVIDENCE


def _to_pairs(found: Sequence[tuple[int, int, float]], total: int) -> Pairs:
    probe, listed, evidence = zip(*found, strict=True)
    return Pairs(np.array(probe), np.array(listed), np.array(evidence), total)


def _fmr(pairs: Pairs, known: KnownDates, score: float) -> float:
    """The expected share of pairs that reach the score."""
    return sum(
        chance * np.count_nonzero(pairs.evidence + weight >= score - ROUNDING) / pairs.total
        for chance, weight in known.chances
    )


@cache
def _chances_of_full_dates() -> tuple[tuple[float, float], ...]:
    """Every PROBED_DAYS-th of the days against all of them."""
    listed = to_dates([PartialDate(day.year, day.month, day.day) for day in DAYS])
    found = [compare_all(listed[place : place + 1], listed)[1] for place in range(0, len(DAYS), PROBED_DAYS)]
    weights, counts = np.unique(np.concatenate(found), return_counts=True)
    return tuple(zip((counts / counts.sum()).tolist(), weights.tolist(), strict=True))


def _most_names(fmr: float, fpir: float) -> int:
    return int(math.log1p(-fpir) / math.log1p(-fmr))


def _missed(scores: Numbers, threshold: float) -> str:
    return f"{np.mean(scores < threshold - ROUNDING):.1%}" if len(scores) else "nobody to ask"


def _percent(shares: Numbers) -> str:
    return f"{shares.mean():.2%} ({shares.min():.2%} to {shares.max():.2%})"


if __name__ == "__main__":
    sys.exit(main())
