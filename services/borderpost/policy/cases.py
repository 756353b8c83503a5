"""Table tests of a policy: who with which checks comes to what. Data from a TOML file, for people to read and agree
on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from borderpost.policy.deciding import decide
from borderpost.policy.domain import Advice, Age, CheckKind, CheckResult, Decision, Outcome, Status, Traveler
from borderpost.policy.model import Policy, PolicyError, in_words

BUILT_IN: Final = Path(__file__).with_name("default_cases.toml")

AGAIN: Final = (Advice("ANOTHER_PICTURE", ""),)
"""Of a check that a case calls MENDABLE."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Who(_Part):
    """A traveler; what is left out is as of an adult alone with a passport and no chip."""

    crossing: str = "north"
    direction: Literal["ENTRY", "EXIT"] = "ENTRY"
    document_code: str = "P"
    attempt: int = Field(default=1, ge=1)
    chip: bool = False
    age_from: int | None = 18
    age_below: int | None = None
    accompanied: bool = False
    declined: bool = False
    late: bool = False
    draw: int | None = Field(default=None, ge=0, lt=1_000_000)


class Case(_Part):
    """One row. `checks`: those that aren't PASSED, with their status; MENDABLE is UNDETERMINED with advice.

    `reasons`: what the outcome's reasons must be; not looked at where it is left out.
    """

    name: str = Field(min_length=1, max_length=200)
    traveler: Who = Who()
    checks: Mapping[CheckKind, Literal["FAILED", "UNDETERMINED", "NOT_PERFORMED", "MENDABLE"]] = {}
    check_reasons: Mapping[CheckKind, tuple[str, ...]] = {}
    outcome: Outcome
    reasons: tuple[str, ...] | None = None


class Cases(_Part):
    """A file of cases."""

    cases: tuple[Case, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A case that a policy decides otherwise."""

    case: Case
    decision: Decision


def load_cases(path: Path) -> Cases:
    """Read a file of cases. Raises PolicyError."""
    try:
        return Cases.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise PolicyError(f"{path}: can't read the cases: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        raise PolicyError(f"{path}: {in_words(error)}") from None


def wrong(policy: Policy, cases: Cases) -> Iterator[Wrong]:
    """Give the cases that the policy decides otherwise."""
    for case in cases.cases:
        decision = decide(policy, _traveler(case.traveler), [_check(case, kind) for kind in CheckKind])
        same = decision.outcome is case.outcome
        if not same or (case.reasons is not None and decision.reasons != case.reasons):
            yield Wrong(case, decision)


def _traveler(who: Who) -> Traveler:
    return Traveler(
        who.crossing,
        who.direction,
        who.document_code,
        who.attempt,
        has_chip=who.chip,
        age=Age(who.age_from, who.age_below),
        accompanied=who.accompanied,
        declined=who.declined,
        late=who.late,
        draw=who.draw,
    )


def _check(case: Case, kind: CheckKind) -> CheckResult:
    status = case.checks.get(kind)
    if status is None:
        return CheckResult(kind, Status.PASSED)
    reasons = case.check_reasons.get(kind, ())
    if status == "MENDABLE":
        return CheckResult(kind, Status.UNDETERMINED, reasons, AGAIN)
    return CheckResult(
        kind, Status(status), reasons, merely_unsure=status == "UNDETERMINED" and bool(reasons)
    )
