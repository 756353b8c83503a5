"""What it means that two names with birth dates match: the definition, for one pair.

The score is evidence in decades (log10), summed as Fellegi and Sunter do (A Theory for Record Linkage, 1969): what
agrees counts the more the rarer it is, what differs counts against. The weights are named and few, and rounded
judgements: none was fitted. What a score is worth is measured (calibration.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from rapidfuzz.distance import OSA

from borderpost.watchlist.naming.dates import DateAgreement, compare_dates
from borderpost.watchlist.naming.parts import Form, Forms, Part
from borderpost.watchlist.persons import PartialDate, PersonName

INITIAL_EVIDENCE: Final = 0.5
"""A single letter that the other part begins with; by chance about 1 in 10."""

MISSING_COST: Final = 0.25
"""For each part that only one name has: about one document in two leaves a further given name out."""

CONTRADICTION_COST: Final = 1.5
"""For each part that stands against another one: a name where the other has another name, not merely none."""

SWAPPED_COST: Final = 0.25
"""Surname and given names changed places: usual where the order of names is the other one."""

MIN_CUT_LETTERS: Final = 4
"""What is left of a part that the zone cut says little below this."""

MIN_EDIT_LETTERS: Final = 4
"""In shorter parts one letter makes another name: LEE, LEO, LIE."""

MAX_EDITS: Final = 1
"""A letter added, left out or replaced, or two neighbours exchanged."""


class PartAgreement(Enum):
    """How a part of one name agrees with a part of the other. The strongest that holds is named.

    SPELLING: another allowed transliteration (ICAO Doc 9303-3, 6). CUT: the zone cut one of them. INITIAL: one is
    the other's first letter. EDIT: one letter off. PHONETIC: they sound alike in English ears (Metaphone).
    MISSING_HERE: the traveler has no such part; MISSING_THERE: the listed name has none.
    """

    EXACT = "exact"
    SPELLING = "spelling"
    CUT = "cut"
    EDIT = "edit"
    PHONETIC = "phonetic"
    INITIAL = "initial"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"


COSTS: Final = {
    PartAgreement.EXACT: 0.0,
    PartAgreement.SPELLING: 0.25,
    PartAgreement.CUT: 0.5,
    PartAgreement.EDIT: 1.0,
    PartAgreement.PHONETIC: 1.25,
}
"""Decades by which agreeing less closely is the less surprising, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class PartMatch:
    """A part of the traveler's name, one of the listed name, in letters A to Z; the one that is missing is empty."""

    given: str
    listed: str
    agreement: PartAgreement


@dataclass(frozen=True, slots=True)
class NameMatch:
    """How two names with birth dates match: the traveler's parts in order, then those that the traveler lacks.

    `swapped`: the surname is the other's given name, or the other way round. `score`: decades of evidence that they
    are one person's, at least 0; 0 where no part agrees.
    """

    parts: tuple[PartMatch, ...]
    swapped: bool
    birth_date: DateAgreement
    score: float


@dataclass(frozen=True, slots=True)
class FormMatch:
    """How two forms match, birth dates left aside; `evidence` is None where no part agrees."""

    parts: tuple[PartMatch, ...]
    swapped: bool
    evidence: float | None

    def with_date(self, agreement: DateAgreement, evidence: float) -> NameMatch:
        """The match, with what the birth dates say."""
        score = 0.0 if self.evidence is None else max(self.evidence + evidence, 0.0)
        return NameMatch(self.parts, self.swapped, agreement, score)


def match_names(
    given: PersonName, given_birth: PartialDate, listed: PersonName, listed_birth: PartialDate
) -> NameMatch:
    """The best match of a traveler's name with a listed one, each in transliteration or in its own script."""
    agreement, evidence = compare_dates(given_birth, listed_birth)
    forms = Forms()
    matches = [
        match_forms(here, there).with_date(agreement, evidence)
        for here in forms.of(given)
        for there in forms.of(listed)
    ]
    return max(matches, key=lambda match: match.score, default=NameMatch((), False, agreement, 0.0))


def match_forms(given: Form, listed: Form) -> FormMatch:
    """Pair the parts, strongest evidence first, then those of the same identifier, then in order."""
    pairs = _pairs(given, listed)
    here = {place: (other, agreement) for place, other, agreement, _ in pairs}
    there = {other for _, other, _, _ in pairs}
    parts = [
        PartMatch(part.usual, listed.parts[here[place][0]].usual, here[place][1])
        if place in here
        else PartMatch(part.usual, "", PartAgreement.MISSING_THERE)
        for place, part in enumerate(given.parts)
    ]
    parts += [
        PartMatch("", part.usual, PartAgreement.MISSING_HERE)
        for place, part in enumerate(listed.parts)
        if place not in there
    ]
    if not pairs:
        return FormMatch(tuple(parts), False, None)
    swapped = all(given.crosses(place, listed, other) for place, other, _, _ in pairs)
    evidence = sum(weight for _, _, _, weight in pairs)
    evidence -= missing_cost(len(given.parts), len(listed.parts), len(pairs)) + SWAPPED_COST * swapped
    return FormMatch(tuple(parts), swapped, evidence)


def missing_cost(given: int, listed: int, paired: int) -> float:
    """What the parts without a counterpart count against a match; it falls as more are paired."""
    here, there = given - paired, listed - paired
    return MISSING_COST * (here + there) + CONTRADICTION_COST * min(here, there)


def agree(given: Part, listed: Part, *, may_be_cut: bool) -> PartAgreement | None:
    """The strongest agreement of two parts; None if they are different ones."""
    here, there = given.usual, listed.usual
    if here == there:
        return PartAgreement.EXACT
    if not given.spellings.isdisjoint(listed.spellings):
        return PartAgreement.SPELLING
    short, long = sorted((here, there), key=len)
    if may_be_cut and len(short) >= MIN_CUT_LETTERS and long.startswith(short):
        return PartAgreement.CUT
    if len(short) >= MIN_EDIT_LETTERS and OSA.distance(here, there, score_cutoff=MAX_EDITS) <= MAX_EDITS:
        return PartAgreement.EDIT
    if given.sound and given.sound == listed.sound:
        return PartAgreement.PHONETIC
    return PartAgreement.INITIAL if len(short) == 1 and long.startswith(short) else None


def evidence_of(agreement: PartAgreement, given: float, listed: float) -> float:
    """What an agreement of parts of these rarities weighs: the less rare part's, less the cost; at least 0."""
    if agreement is PartAgreement.INITIAL:
        return INITIAL_EVIDENCE
    return max(min(given, listed) - COSTS[agreement], 0.0)


def _pairs(given: Form, listed: Form) -> list[tuple[int, int, PartAgreement, float]]:
    found = []
    for place, here in enumerate(given.parts):
        for other, there in enumerate(listed.parts):
            cut = given.may_be_cut(place) if len(here.usual) < len(there.usual) else listed.may_be_cut(other)
            agreement = agree(here, there, may_be_cut=cut)
            if agreement is not None:
                weight = evidence_of(agreement, here.rarity, there.rarity)
                found.append((-weight, given.crosses(place, listed, other), place, other, agreement))
    found.sort(key=lambda one: one[:4])
    chosen: list[tuple[int, int, PartAgreement, float]] = []
    here_taken: set[int] = set()
    there_taken: set[int] = set()
    for weight, _, place, other, agreement in found:
        if place not in here_taken and other not in there_taken:
            here_taken.add(place)
            there_taken.add(other)
            chosen.append((place, other, agreement, -weight))
    return chosen
