"""Protobuf of looking back."""

from __future__ import annotations

from borderpost.decisions.patterns.app import LookedBack
from borderpost.decisions.patterns.domain import Pattern
from borderpost.runtime.clock import to_timestamp
from borderpost.v1.decisions_pb2 import LookBackResponse, PatternFinding


def look_back_response(found: LookedBack) -> LookBackResponse:
    """Make the answer."""
    return LookBackResponse(
        attempts=found.attempts,
        adult_in_group=found.adult_in_group,
        patterns=map(_finding, found.patterns),
    )


def _finding(pattern: Pattern) -> PatternFinding:
    return PatternFinding(
        code=pattern.code,
        event_id=pattern.newest.event_id,
        crossing=pattern.newest.crossing,
        at=to_timestamp(pattern.newest.at),
        screenings=pattern.screenings,
    )
