"""Domain to protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from borderpost.decisions.domain import Part
from borderpost.decisions.subjects.ports import HeldCount, HeldScreening
from borderpost.decisions.subjects.retention import Applied, RetentionStatus
from borderpost.decisions.subjects.rules import LOGGED, OUTCOMES, Rules
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import subjects_pb2 as pb

EVENT = "EVENT"
"""The class of events, beside the names of `Part`."""


def find_response(found: Sequence[HeldScreening], more: bool) -> pb.FindSubjectResponse:
    """Make the answer to what is held of a document."""
    return pb.FindSubjectResponse(screenings=[_held(screening) for screening in found], more=more)


def retention_response(status: RetentionStatus) -> pb.GetRetentionResponse:
    """Make the answer to what is held at all. A class and outcome of which nothing is held is in it, too."""
    rules, held = status.rules.rules, status.held
    counted = {(count.part, count.outcome): count for count in held.counts}
    classes = [
        _class(rules, part, outcome, counted)
        for part in (Part.EVIDENCE, Part.PAYLOAD, None)
        for outcome in (*OUTCOMES, *([0] if part is None else []))
    ]
    answer = pb.GetRetentionResponse(
        rules=status.rules.version, classes=classes, pruned_until=held.pruned_until
    )
    if status.last_applied is not None:
        answer.last_applied.CopyFrom(to_timestamp(status.last_applied))
    return answer


def apply_response(applied: Applied) -> pb.ApplyRetentionResponse:
    """Make the answer to what was erased."""
    return pb.ApplyRetentionResponse(
        evidence=applied.evidence, payloads=applied.payloads, events=applied.events
    )


def _held(screening: HeldScreening) -> pb.HeldScreening:
    return pb.HeldScreening(
        event_id=screening.event_id,
        request_id=screening.request_id,
        time=to_timestamp(screening.time),
        crossing=screening.crossing,
        outcome=screening.outcome,  # type: ignore[arg-type]
        payload_held=screening.payload_held,
        evidence_held=screening.evidence_held,
    )


def _class(
    rules: Rules, part: Part | None, outcome: int, counted: Mapping[tuple[Part | None, int], HeldCount]
) -> pb.HeldClass:
    keep, counted_from = _keep(rules, part, outcome)
    made = pb.HeldClass(
        data_class=EVENT if part is None else part.name,
        outcome=outcome,  # type: ignore[arg-type]
        keep_seconds=int(keep.total_seconds()),
        counted_from=counted_from,
    )
    count = counted.get((part, outcome))
    if count is not None:
        made.held, made.overdue = count.held, count.overdue
        made.oldest.CopyFrom(to_timestamp(count.oldest))
    return made


def _keep(rules: Rules, part: Part | None, outcome: int) -> tuple[timedelta, str]:
    if part is None:
        return rules.events.keep, LOGGED
    keep = rules.keep(part, outcome)
    return keep.keep, keep.counted_from
