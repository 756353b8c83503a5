"""The policy file: its schema, and how it is read. Every field is explained in default.toml and docs/policy.md."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from borderpost.policy.domain import RANDOM_SAMPLE, CheckKind, Traveler
from borderpost.policy.lint import WHY, refused_keys
from borderpost.runtime.errors import BorderpostError

MAX_POLICY_BYTES: Final = 64 * 1024
"""The log keeps every policy that was in force, for replays (decisions/validate.py)."""

BUILT_IN: Final = Path(__file__).with_name("default.toml")

MAX_GALLERY_SECONDS: Final = 12 * 3600
MAX_WINDOW_SECONDS: Final = 7 * 24 * 3600
MAX_LATE_SECONDS: Final = 7 * 24 * 3600
MAX_SAMPLE_SHARE: Final = 0.1

LEAST_URGENT: Final = 9

DRAWS: Final = 1_000_000
"""A draw for the random sample is one of so many numbers, from 0."""

Reason = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\-]{1,60}$")]
Law = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Which law and article; free text for people."""

Priority = Annotated[int, Field(ge=1, le=LEAST_URGENT)]
"""Of a list or a referral: 1 is the most urgent."""

AgeLimit = Annotated[int, Field(ge=1, le=120)]
"""In whole years."""

Category = Literal["SECURITY", "WANTED", "MISSING_OR_VULNERABLE", "IMMIGRATION", "DOCUMENT"]
"""Of a list; names as in watchlist.proto."""


class PolicyError(BorderpostError):
    """The policy file can't be used. The message says what is wrong in it."""

    reason = "POLICY"


class Fit(Enum):
    """Whether a rule is for a traveler. MAYBE: what is known of them doesn't tell."""

    YES = "YES"
    MAYBE = "MAYBE"
    NO = "NO"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """Which checks are required of whom, or that an officer sees them. An empty condition fits everybody."""

    required: tuple[CheckKind, ...] = ()
    officer: bool = False
    reason: Reason | None = None
    legal_basis: Law | None = None
    crossings: frozenset[str] = frozenset()
    directions: frozenset[Literal["ENTRY", "EXIT"]] = frozenset()
    document_codes: frozenset[str] = frozenset()
    chip: bool | None = None
    age_from: AgeLimit | None = None
    age_below: AgeLimit | None = None
    accompanied: bool | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Rule:
        if self.reason == RANDOM_SAMPLE:
            raise ValueError(f"reason: got {RANDOM_SAMPLE}, which is the draw's own; want another")
        if not self.required and not self.officer:
            raise ValueError("required: want at least one check, or officer = true")
        if (self.age_from is not None or self.age_below is not None) and self.legal_basis is None:
            raise ValueError("legal_basis: want the law and article that let a rule look at the age")
        if self.age_from is not None and self.age_below is not None and self.age_from >= self.age_below:
            raise ValueError(
                f"age_from, age_below: got {self.age_from} and {self.age_below}, which nobody fits; "
                "want age_from below age_below"
            )
        return self

    def fit(self, traveler: Traveler) -> Fit:
        """Tell whether the rule is for this traveler."""
        known = (
            (not self.crossings or traveler.crossing in self.crossings)
            and (not self.directions or traveler.direction in self.directions)
            and (self.chip is None or traveler.has_chip == self.chip)
            and (self.accompanied is None or traveler.accompanied == self.accompanied)
        )
        fits = {self._fit_document(traveler), self._fit_age(traveler)}
        if not known or Fit.NO in fits:
            return Fit.NO
        return Fit.MAYBE if Fit.MAYBE in fits else Fit.YES

    def _fit_document(self, traveler: Traveler) -> Fit:
        if not self.document_codes:
            return Fit.YES
        if not traveler.document_code:
            return Fit.MAYBE
        return Fit.YES if traveler.document_code in self.document_codes else Fit.NO

    def _fit_age(self, traveler: Traveler) -> Fit:
        at_least, below = traveler.age.at_least, traveler.age.below
        fits = Fit.YES
        if self.age_from is not None and (at_least is None or at_least < self.age_from):
            if below is not None and below <= self.age_from:
                return Fit.NO
            fits = Fit.MAYBE
        if self.age_below is not None and (below is None or below > self.age_below):
            if at_least is not None and at_least >= self.age_below:
                return Fit.NO
            fits = Fit.MAYBE
        return fits

    @property
    def unconditional(self) -> bool:
        """Whether it fits everybody."""
        conditions = (self.chip, self.age_from, self.age_below, self.accompanied)
        return not (self.crossings or self.directions or self.document_codes) and conditions == (None,) * 4


class ListTerms(_Part):
    """On which terms candidates of some lists are referred; of all categories and lists where neither is named."""

    list_ids: frozenset[str] = frozenset()
    categories: frozenset[Category] = frozenset()
    priority: Priority | None = None
    second_finding: bool | None = None

    def fits(self, list_id: str, category: str) -> bool:
        """Tell whether they are for candidates of this list."""
        return (not self.list_ids or list_id in self.list_ids) and (
            not self.categories or category in self.categories
        )


class Referral(_Part):
    """How urgent a referral is, whether it takes two officers, and whether they look themselves before they are shown
    what the system makes of a face, by the reasons of its outcome, the lists of its candidates, and patterns."""

    priorities: Mapping[Reason, Priority] = {}
    default_priority: Priority = LEAST_URGENT
    second_finding: frozenset[Reason] = frozenset()
    own_look_first: frozenset[Reason] = frozenset()
    lists: tuple[ListTerms, ...] = ()


class Sample(_Part):
    """Which share of travelers who would be CLEAR an officer sees all the same, drawn at random."""

    share: float = Field(default=0.0, ge=0, le=MAX_SAMPLE_SHARE)
    crossings: frozenset[str] = frozenset()


class Gallery(_Part):
    """Recent travelers' faces, held for some hours, to find one face with two identities."""

    seconds: int = Field(gt=0, le=MAX_GALLERY_SECONDS)
    fmr: float = Field(gt=0, le=0.001)
    legal_basis: Law


class Patterns(_Part):
    """What is looked for among recent screenings; 0 or false: not looked for."""

    window_seconds: int = Field(default=24 * 3600, gt=0, le=MAX_WINDOW_SECONDS)
    two_places_seconds: int = Field(default=0, ge=0, le=MAX_WINDOW_SECONDS)
    most_visits: int = Field(default=0, ge=0, le=1000)
    portrait_changed: bool = False
    gallery: Gallery | None = None


class Late(_Part):
    """What is taken of kiosks that had no connection."""

    most_age_seconds: int = Field(default=24 * 3600, gt=0, le=MAX_LATE_SECONDS)


class Policy(_Part):
    """A policy file."""

    name: Name
    max_attempts: int = Field(ge=1, le=10)
    face_match_fmr: float = Field(gt=0, le=0.01)
    travel_documents: frozenset[str] = Field(min_length=1)
    tolerated: frozenset[Reason] = frozenset()
    refer_suppressed: bool = False
    max_watchlist_age_seconds: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    adult_age: AgeLimit = 18
    referral: Referral = Referral()
    sample: Sample = Sample()
    patterns: Patterns | None = None
    late: Late = Late()
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _last_rule_fits_everybody(self) -> Policy:
        if not self.rules[-1].unconditional:
            raise ValueError("the last rule has a condition; want one that fits everybody")
        return self

    def rules_for(self, traveler: Traveler) -> tuple[Rule, ...]:
        """Return the rules in force for a traveler: the first one that fits.

        While it isn't known whether one fits, because no page was read or a date of birth has unknown parts, it is in
        force as well as those after it: a service that is down must not lead to a laxer rule.
        """
        in_force = []
        for rule in self.rules:
            fit = rule.fit(traveler)
            if fit is not Fit.NO:
                in_force.append(rule)
            if fit is Fit.YES:
                break
        return tuple(in_force)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy with the text that names it in every record, its name and the hash of its file; and that file."""

    policy: Policy
    version: str
    toml: bytes = b""


def load_policy(path: Path | None) -> PolicyVersion:
    """Read a policy file; None means the built-in one. Raises PolicyError."""
    path = path or BUILT_IN
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: can't read the policy: {error.strerror}") from None
    return read_policy(data, str(path))


def read_policy(data: bytes, where: str) -> PolicyVersion:
    """Read the bytes of a policy file; `where` they are from is for errors. Raises PolicyError."""
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyError(f"{where}: got {len(data):,} bytes, want at most {MAX_POLICY_BYTES:,}")
    try:
        raw = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{where}: not TOML: {error}") from None
    except RecursionError:
        raise PolicyError(f"{where}: not a policy: nested too deeply") from None
    refused = refused_keys(raw)
    if refused:
        raise PolicyError(f"{where}: got {', '.join(refused)}: {WHY}")
    try:
        policy = Policy.model_validate(raw)
    except ValidationError as error:
        raise PolicyError(f"{where}: {in_words(error)}") from None
    return PolicyVersion(policy, f"{policy.name}@{hashlib.sha256(data).hexdigest()[:16]}", data)


def in_words(error: ValidationError) -> str:
    """Say what is wrong, and where: parts of a list are counted from 1."""
    return "; ".join(f"{_place(detail['loc']) or 'policy'}: {detail['msg']}" for detail in error.errors())


def _place(location: Sequence[int | str]) -> str:
    named = [f" {part + 1}" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(named).removeprefix(".")
