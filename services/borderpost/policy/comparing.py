"""What differs between two policies, and what would have become of recorded screenings by another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

from borderpost.policy.ages import age_limits
from borderpost.policy.deciding import decide
from borderpost.policy.domain import Age, Decision, Outcome
from borderpost.policy.inputs import recorded_checks, recorded_traveler
from borderpost.policy.model import Policy
from borderpost.v1.decisions_pb2 import TravelerScreened
from borderpost.v1.types_pb2 import Outcome as RecordedOutcome

UNSIMULATED: Final = ("face_match_fmr", "refer_suppressed", "max_watchlist_age_seconds", "patterns")
"""Fields that work before the checks are made: their effect can't be told from recorded checks."""

MOST_EXAMPLES: Final = 20

NO_INPUTS: Final = "RECORD_WITHOUT_INPUTS"
AGE_NOT_RESOLVED: Final = "AGE_NOT_RESOLVED"
OF_A_LATER_VERSION: Final = "OF_A_LATER_VERSION"
"""Why a record can't be simulated: it is from before records kept what policies look at; it doesn't say on which side
of a new age limit the traveler is; it has a check, a category or the like that this version doesn't know."""

DecidedBy = Callable[[str], Policy | None]
"""Finds the policy that decided a record, by the version that the record names; None: it isn't kept."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs: its path, and both values as text; None: it isn't there."""

    path: str
    before: str | None
    after: str | None


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Return what differs, by path. Rules are compared by their place: which is first matters."""
    old, new = dict(_flat("", before.model_dump(mode="json"))), dict(_flat("", after.model_dump(mode="json")))
    paths = dict.fromkeys((*old, *new))
    return [
        Difference(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)
    ]


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(f"{path} {number}", inner)
    elif value is not None:
        yield path, ", ".join(sorted(map(str, value))) if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Example:
    """A screening that would have come to something else."""

    event_id: str
    before: Outcome
    after: Outcome
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Simulation:
    """What became of recorded screenings, and what would have. `changes`: counts by outcome before and after;
    `unsimulated`: by field, how many screenings were decided by a policy that differs in it, to no effect here."""

    screenings: int = 0
    changes: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    not_simulated: Counter[str] = field(default_factory=Counter)
    unsimulated: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """Screenings that would have come to another outcome."""
        return sum(count for (before, after), count in self.changes.items() if before is not after)


def simulate(
    policy: Policy, event_id: str, screening: TravelerScreened, result: Simulation, decided_by: DecidedBy
) -> None:
    """Decide a recorded screening by another policy, and add what it comes to to the result."""
    result.screenings += 1
    former = decided_by(screening.versions.policy)
    result.unsimulated.update(unsimulated_fields(former, policy) if former else ())
    found = _decided(policy, screening, frozenset(age_limits(former)) if former else frozenset())
    if isinstance(found, str):
        result.not_simulated[found] += 1
        return
    before, decided = found
    result.changes[before, decided.outcome] += 1
    if before is decided.outcome:
        return
    result.reasons.update(decided.reasons or screening.reasons)
    if len(result.examples) < MOST_EXAMPLES:
        result.examples.append(Example(event_id, before, decided.outcome, decided.reasons))


def _decided(
    policy: Policy, screening: TravelerScreened, recorded_limits: Set[int]
) -> tuple[Outcome, Decision] | str:
    try:
        traveler = recorded_traveler(screening)
        checks = recorded_checks(screening)
        before = Outcome(RecordedOutcome.Name(screening.outcome).removeprefix("OUTCOME_"))
    except ValueError:
        return OF_A_LATER_VERSION
    if traveler is None:
        return NO_INPUTS
    new_limits = frozenset(age_limits(policy)) - recorded_limits
    if not _is_resolved(traveler.age, new_limits):
        return AGE_NOT_RESOLVED
    return before, decide(policy, traveler, checks)


def _is_resolved(age: Age, new_limits: Set[int]) -> bool:
    """Tell whether an age is known to be on one side of every limit that the record's own policy didn't have."""
    low, high = age.at_least or 0, age.below or 200
    return not any(low < limit < high for limit in new_limits)


def unsimulated_fields(before: Policy, after: Policy) -> list[str]:
    """Return fields that differ and whose effect a simulation can't show."""
    return [name for name in UNSIMULATED if getattr(before, name) != getattr(after, name)]
