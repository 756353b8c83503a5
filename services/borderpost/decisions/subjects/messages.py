"""Domain to protobuf."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from borderpost.decisions.domain import Part
from borderpost.decisions.subjects.ports import Group, HeldCount, HeldScreening
from borderpost.decisions.subjects.retention import Applied, RetentionStatus
from borderpost.decisions.subjects.rules import GROUPS, LOGGED, Rules
from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import subjects_pb2 as pb

EVENT = "EVENT"
"""The class of events, beside the names of `Part`."""

OTHER_EVENTS: Final = Group(0)
"""Events that are no screenings."""


def find_response(found: Sequence[HeldScreening], more: bool) -> pb.FindSubjectResponse:
    """Make the answer to what is held of a document."""
    return pb.FindSubjectResponse(screenings=[_held(screening) for screening in found], more=more)


def retention_response(status: RetentionStatus) -> pb.GetRetentionResponse:
    """Make the answer to what is held at all. A class and group of which nothing is held is in it, too."""
    rules, held = status.rules.rules, status.held
    counted = {(count.part, count.group): count for count in held.counts}
    kinds: list[tuple[Part | None, Group]] = [
        (part, group) for part in (Part.EVIDENCE, Part.PAYLOAD) for group in GROUPS
    ]
    kinds += [(None, group) for group in (*GROUPS, OTHER_EVENTS) if not group.sampled]
    classes = [_class(rules, part, group, counted.get((part, group))) for part, group in kinds]
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


def _class(rules: Rules, part: Part | None, group: Group, count: HeldCount | None) -> pb.HeldClass:
    keep, counted_from = _keep(rules, part, group)
    made = pb.HeldClass(
        data_class=EVENT if part is None else part.name,
        outcome=group.outcome,  # type: ignore[arg-type]
        sampled=group.sampled,
        keep_seconds=int(keep.total_seconds()),
        counted_from=counted_from,
    )
    if count is not None:
        made.held, made.overdue = count.held, count.overdue
        made.oldest.CopyFrom(to_timestamp(count.oldest))
    return made


def _keep(rules: Rules, part: Part | None, group: Group) -> tuple[timedelta, str]:
    if part is None:
        return rules.events.keep, LOGGED
    keep = rules.keep(part, group)
    return keep.keep, keep.counted_from
