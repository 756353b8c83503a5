"""What a policy decides on and what it decides: plain values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

RULE_OFFICER: Final = "RULE_OFFICER"
"""Reason of a REFER by a rule that names none of its own."""

RANDOM_SAMPLE: Final = "RANDOM_SAMPLE"
"""Reason of a REFER by the draw alone."""


class Outcome(StrEnum):
    """What a screening ends in; names as in types.proto."""

    CLEAR = "CLEAR"
    REFER = "REFER"
    RETAKE = "RETAKE"


class CheckKind(StrEnum):
    """The checks that a policy can require; names as in types.proto, where they are explained."""

    DOCUMENT_OPTICAL = "DOCUMENT_OPTICAL"
    DOCUMENT_ELECTRONIC = "DOCUMENT_ELECTRONIC"
    FACE_CAPTURE = "FACE_CAPTURE"
    FACE_MATCH = "FACE_MATCH"
    LIVENESS = "LIVENESS"
    WATCHLIST_FACE = "WATCHLIST_FACE"
    WATCHLIST_DOCUMENT = "WATCHLIST_DOCUMENT"
    WATCHLIST_NAME = "WATCHLIST_NAME"
    CHIP_DATA = "CHIP_DATA"
    DOCUMENT_CONSISTENT = "DOCUMENT_CONSISTENT"
    DOCUMENT_COMBINED = "DOCUMENT_COMBINED"


class Status(StrEnum):
    """What became of a check; names as in types.proto."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNDETERMINED = "UNDETERMINED"
    NOT_PERFORMED = "NOT_PERFORMED"


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that another picture could mend: its reason code, and what the traveler is to do."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check. `advice` is there if another picture could make it pass.

    `merely_unsure`: all that is open in it was made, and `reasons` say why it came to no clear result. Only such a
    check can be tolerated.
    """

    kind: CheckKind
    status: Status
    reasons: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    merely_unsure: bool = False


@dataclass(frozen=True, slots=True)
class Age:
    """Between which age limits of a policy somebody is, in whole years: at least `at_least`, and less than `below`.

    None: that side is open, or the date of birth doesn't tell.
    """

    at_least: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a policy looks at of a candidate of the watchlists. `list_id` is empty of a suppressed one.

    `category` and `kind` are named as in watchlist.proto, without their prefixes: "WANTED", "FACE".
    """

    list_id: str
    category: str
    priority: int
    kind: str
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class Traveler:
    """What rules may look at. Nationality and sex are not among it; age only between limits, and by law (`lint`).

    `draw`: a number from 0 to 999,999, each as likely, for the random sample. `late`: the capture came from the spool
    of a kiosk that had no connection. `patterns`: codes of what recent screenings and this one say together.
    """

    crossing: str
    direction: str
    document_code: str
    attempt: int
    has_chip: bool = False
    age: Age = field(default_factory=Age)
    accompanied: bool = False
    declined: bool = False
    late: bool = False
    draw: int | None = None
    candidates: tuple[Candidate, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, its reasons (weightiest first), what was required, and advice where it is RETAKE.

    `tolerated` are the reasons for which a required check is UNDETERMINED and which the policy tolerates. `sampled`:
    nothing speaks against the traveler; the draw chose them for an officer.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    required: tuple[CheckKind, ...]
    advice: tuple[Advice, ...] = ()
    tolerated: tuple[str, ...] = ()
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a referral is opened."""

    priority: int
    second_finding: bool
    own_look_first: bool
