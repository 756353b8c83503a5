"""Retention rules: how long each class of data is kept, by group of screenings. Data from a TOML file."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)

from borderpost.decisions.domain import Part
from borderpost.decisions.subjects.errors import RetentionRulesError
from borderpost.decisions.subjects.ports import Group, Limit
from borderpost.v1.types_pb2 import Outcome

BUILT_IN: Final = Path(__file__).parent.with_name("retention.toml")

SCREENED: Final = "SCREENED"
CASE_CLOSED: Final = "CASE_CLOSED"
LOGGED: Final = "LOGGED"
"""From when a time counts: the screening, the closing of its case; of events, when the log took them."""

UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "y": timedelta(days=365)}
"""A year is 365 days, whatever the calendar says: the same span for everybody."""

_DURATION: Final = re.compile(r"(0)|([1-9][0-9]{0,5})([hdy])")

LONGEST: Final = timedelta(days=100 * 365)


def duration(text: object) -> timedelta:
    """Read "24h", "30d", "3y" or "0". Raises ValueError."""
    parts = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise ValueError('got no duration, want "0", or a whole number and h, d or y, such as "30d"')
    if parts[1]:
        return timedelta(0)
    span = int(parts[2]) * UNITS[parts[3]]
    if span > LONGEST:
        raise ValueError('got a longer time than can be meant, want at most "100y"')
    return span


Duration = Annotated[timedelta, BeforeValidator(duration)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\-]{1,60}$")]


class Keep(BaseModel):
    """How long something is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Duration
    counted_from: Literal["SCREENED", "CASE_CLOSED"] = "SCREENED"
    at_most: Duration | None = None

    @model_validator(mode="after")
    def _nothing_is_kept_for_ever(self) -> Keep:
        if (self.counted_from == CASE_CLOSED) != (self.at_most is not None):
            raise ValueError("want at_most with CASE_CLOSED, and only then: a case may never be closed")
        return self

    @property
    def longest(self) -> timedelta:
        """The longest time after the screening."""
        return self.keep if self.at_most is None else self.at_most


class KeepEvents(BaseModel):
    """How long events are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Duration


class KeepByGroup(BaseModel):
    """How long a part of screenings is kept, by outcome; SAMPLED are travelers who would be CLEAR, and whom an officer
    sees because they were drawn at random."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    CLEAR: Keep
    REFER: Keep
    RETAKE: Keep
    SAMPLED: Keep

    @model_validator(mode="after")
    def _only_refer_has_cases(self) -> KeepByGroup:
        if CASE_CLOSED in (self.CLEAR.counted_from, self.RETAKE.counted_from):
            raise ValueError(
                "got CASE_CLOSED for CLEAR or RETAKE, want it for REFER and SAMPLED alone: the others have no case"
            )
        return self

    def of(self, group: Group) -> Keep:
        """How long it is kept of this group."""
        by_group = {CLEAR: self.CLEAR, REFER: self.REFER, RETAKE: self.RETAKE, SAMPLED: self.SAMPLED}
        return by_group[group]


CLEAR: Final = Group(Outcome.OUTCOME_CLEAR)
REFER: Final = Group(Outcome.OUTCOME_REFER)
RETAKE: Final = Group(Outcome.OUTCOME_RETAKE)
SAMPLED: Final = Group(Outcome.OUTCOME_REFER, sampled=True)
GROUPS: Final = (CLEAR, REFER, SAMPLED, RETAKE)


class Rules(BaseModel):
    """A file of retention rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    events: KeepEvents
    evidence: KeepByGroup
    payload: KeepByGroup

    @model_validator(mode="after")
    def _parts_go_before_what_they_belong_to(self) -> Rules:
        for group in GROUPS:
            evidence, payload = self.evidence.of(group), self.payload.of(group)
            if evidence.keep > payload.keep or evidence.longest > payload.longest:
                raise ValueError("got evidence that is kept for longer than its payload, want it no longer")
            if max(payload.keep, payload.longest) > self.events.keep:
                raise ValueError("got a payload that is kept for longer than its event, want it no longer")
        return self

    def keep(self, part: Part, group: Group) -> Keep:
        """How long a part of this group's screenings is kept."""
        return (self.payload if part is Part.PAYLOAD else self.evidence).of(group)

    def limits(self, now: datetime) -> list[Limit]:
        """Until when what is overdue now was kept, of every part and group."""
        made = []
        for part in (Part.EVIDENCE, Part.PAYLOAD):
            for group in GROUPS:
                keep = self.keep(part, group)
                from_case = keep.counted_from == CASE_CLOSED
                made.append(Limit(part, group, now - keep.keep, from_case, now - keep.longest))
        return made


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """Rules with the text that names them in every record: their name and the hash of their file."""

    rules: Rules
    version: str


def load_rules(path: Path | None) -> RulesVersion:
    """Read a file of rules; None means the built-in ones. Raises RetentionRulesError."""
    path = path or BUILT_IN
    try:
        data = path.read_bytes()
        rules = Rules.model_validate(tomllib.loads(data.decode("utf-8")))
    except OSError as error:
        raise RetentionRulesError(f"decisions.retention: can't read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RetentionRulesError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'rules'}: {e['msg']}" for e in error.errors()]
        raise RetentionRulesError(f"{path}: " + "; ".join(lines)) from None
    return RulesVersion(rules, f"{rules.name}@{hashlib.sha256(data).hexdigest()[:16]}")
