"""The policy: from checks to an outcome. Data from a TOML file, and one pure function over it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from borderpost.gateway.domain import Advice, CheckKind, CheckResult, Decision, Outcome, Status
from borderpost.runtime.errors import BorderpostError

MAX_POLICY_BYTES: Final = 64 * 1024
"""The log keeps every policy that was in force, for replays (decisions/validate.py)."""

BUILT_IN: Final = Path(__file__).with_name("policy.toml")

ATTEMPTS_EXHAUSTED: Final = "ATTEMPTS_EXHAUSTED"
"""Reason of a REFER that would have been another RETAKE."""

NOT_A_TRAVEL_DOCUMENT: Final = "NOT_A_TRAVEL_DOCUMENT"
"""Reason of a REFER: what was shown doesn't let its holder travel by itself."""

# Weightiest first: what an officer must know before anything else.
_WEIGHT: Final = (
    CheckKind.WATCHLIST_FACE,
    CheckKind.WATCHLIST_DOCUMENT,
    CheckKind.WATCHLIST_NAME,
    CheckKind.FACE_MATCH,
    CheckKind.DOCUMENT_CONSISTENT,
    CheckKind.DOCUMENT_OPTICAL,
    CheckKind.CHIP_DATA,
    CheckKind.DOCUMENT_ELECTRONIC,
    CheckKind.DOCUMENT_COMBINED,
    CheckKind.LIVENESS,
    CheckKind.FACE_CAPTURE,
)

Reason = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\-]{1,60}$")]


LEAST_URGENT: Final = 9
Priority = Annotated[int, Field(ge=1, le=LEAST_URGENT)]
"""Of a list or a referral: 1 is the most urgent."""


class PolicyError(BorderpostError):
    """The policy file can't be used. The message says what is wrong in it."""

    reason = "POLICY"


class Rule(BaseModel):
    """Which checks are required of whom. An empty condition fits everybody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: tuple[CheckKind, ...] = Field(min_length=1)
    crossings: frozenset[str] = frozenset()
    directions: frozenset[Literal["ENTRY", "EXIT"]] = frozenset()
    document_codes: frozenset[str] = frozenset()
    chip: bool | None = None

    def fits(self, traveler: Traveler) -> bool:
        """Tell whether the rule is for this traveler."""
        fits_document = not self.document_codes or traveler.document_code in self.document_codes
        return fits_document and self.fits_apart_from_document(traveler)

    def fits_apart_from_document(self, traveler: Traveler) -> bool:
        """Tell whether the rule is for this traveler, if the document is one that it is for."""
        return (
            (not self.crossings or traveler.crossing in self.crossings)
            and (not self.directions or traveler.direction in self.directions)
            and (self.chip is None or traveler.has_chip == self.chip)
        )

    @property
    def unconditional(self) -> bool:
        """Whether it fits everybody."""
        return not (self.crossings or self.directions or self.document_codes or self.chip is not None)


class Referral(BaseModel):
    """How urgent a referral is, and whether it takes two officers, by the reasons of its outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priorities: Mapping[Reason, Priority] = {}
    default_priority: Priority = LEAST_URGENT
    second_finding: frozenset[Reason] = frozenset()


class Policy(BaseModel):
    """A policy file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    max_attempts: int = Field(ge=1, le=10)
    face_match_fmr: float = Field(gt=0, le=0.01)
    travel_documents: frozenset[str] = Field(min_length=1)
    tolerated: frozenset[Reason] = frozenset()
    refer_suppressed: bool = False
    max_watchlist_age_seconds: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    referral: Referral = Referral()
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _last_rule_fits_everybody(self) -> Policy:
        if not self.rules[-1].unconditional:
            raise ValueError("the last rule has a condition; want one that fits everybody")
        return self

    def required(self, traveler: Traveler) -> tuple[CheckKind, ...]:
        """Return the checks that the first fitting rule requires.

        While the document's code is unknown, because no page was read, every rule that it could bring the
        traveler under is in force: a service that is down must not lead to a laxer rule.
        """
        if traveler.document_code:
            return next(rule.required for rule in self.rules if rule.fits(traveler))
        possible: dict[CheckKind, None] = {}
        for rule in self.rules:
            if rule.fits_apart_from_document(traveler):
                possible.update(dict.fromkeys(rule.required))
                if not rule.document_codes:
                    break
        return tuple(possible)


@dataclass(frozen=True, slots=True)
class Traveler:
    """What rules may look at. Nationality, sex and age are not among it."""

    crossing: str
    direction: str
    document_code: str
    attempt: int
    has_chip: bool = False


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy with the text that names it in every record, its name and the hash of its file; and that file."""

    policy: Policy
    version: str
    toml: bytes = b""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a referral is opened."""

    priority: int
    second_finding: bool


def load_policy(path: Path | None) -> PolicyVersion:
    """Read a policy file; None means the built-in one. Raises PolicyError."""
    path = path or BUILT_IN
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"gateway.policy: can't read {path}: {error.strerror}") from None
    return read_policy(data, str(path))


def read_policy(data: bytes, where: str) -> PolicyVersion:
    """Read the bytes of a policy file; `where` they are from is for errors. Raises PolicyError."""
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyError(f"{where}: got {len(data):,} bytes, want at most {MAX_POLICY_BYTES:,}")
    try:
        policy = Policy.model_validate(tomllib.loads(data.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{where}: not TOML: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'policy'}: {e['msg']}" for e in error.errors()]
        raise PolicyError(f"{where}: " + "; ".join(lines)) from None
    return PolicyVersion(policy, f"{policy.name}@{hashlib.sha256(data).hexdigest()[:16]}", data)


def referral_terms(referral: Referral, reasons: Iterable[str], list_priorities: Iterable[int]) -> Terms:
    """Return the terms of a referral: as urgent as its most urgent reason, or as the most urgent list with a
    candidate."""
    named = list(reasons)
    by_reason = [referral.priorities.get(reason, referral.default_priority) for reason in named]
    by_list = [priority for priority in list_priorities if 1 <= priority <= LEAST_URGENT]
    return Terms(
        min([*by_reason, *by_list], default=referral.default_priority),
        not referral.second_finding.isdisjoint(named),
    )


def decide(policy: Policy, traveler: Traveler, checks: Sequence[CheckResult]) -> Decision:
    """Return the outcome of the checks.

    1. A document that is none to travel with, such as a visa alone; a check that FAILED, required or not; a
       required check that isn't PASSED and that no other picture could mend: REFER.
    2. Every required check PASSED, or is UNDETERMINED for nothing but reasons that the policy tolerates: CLEAR.
    3. What is left another picture could mend: RETAKE with its advice, or REFER at the last attempt.
    """
    required = policy.required(traveler)
    by_kind = {check.kind: check for check in checks}
    # A check that nobody assessed is one that was not performed.
    wanted = [by_kind.get(kind) or CheckResult(kind, Status.NOT_PERFORMED) for kind in required]
    failed = [check for check in checks if check.status is Status.FAILED]
    unsure = [check for check in wanted if check.status not in (Status.PASSED, Status.FAILED)]
    open_ = [check for check in unsure if not _is_tolerated(check, policy.tolerated)]
    tolerated = _reasons([check for check in unsure if check not in open_])
    known, first = bool(traveler.document_code), traveler.document_code[:1]
    refused = (NOT_A_TRAVEL_DOCUMENT,) if known and first not in policy.travel_documents else ()
    if refused or failed or not all(check.advice for check in open_):
        return Decision(Outcome.REFER, (*refused, *_reasons(failed), *_reasons(open_)), required)
    if not open_:
        return Decision(Outcome.CLEAR, (), required, tolerated=tolerated)
    if traveler.attempt < policy.max_attempts:
        return Decision(Outcome.RETAKE, _reasons(open_), required, _advice(open_))
    return Decision(Outcome.REFER, (ATTEMPTS_EXHAUSTED, *_reasons(open_)), required)


def _is_tolerated(check: CheckResult, tolerated: frozenset[str]) -> bool:
    """Tell whether a check was made in every part, came to no clear result, and for nothing but tolerated reasons."""
    unsure = check.status is Status.UNDETERMINED and check.merely_unsure
    return unsure and bool(check.reasons) and tolerated.issuperset(check.reasons)


def _reasons(checks: Sequence[CheckResult]) -> tuple[str, ...]:
    ordered = sorted(checks, key=lambda check: _WEIGHT.index(check.kind))
    return tuple(dict.fromkeys(reason for check in ordered for reason in _reasons_of(check)))


def _reasons_of(check: CheckResult) -> Sequence[str]:
    """Return what led to a check's status at its root: what is wrong with the picture, if it is that."""
    if check.advice:
        return [advice.code for advice in check.advice]
    return check.reasons or (f"{check.kind}_{check.status}",)


def _advice(checks: Sequence[CheckResult]) -> tuple[Advice, ...]:
    return tuple(dict.fromkeys(advice for check in checks for advice in check.advice))
