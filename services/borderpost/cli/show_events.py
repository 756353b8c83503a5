"""What happened, in a plain sentence for each kind of event of cases, exports, erasure and services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from borderpost.v1 import decisions_pb2

_DISPOSITIONS = decisions_pb2.Disposition
_FORMATS = decisions_pb2.ExportFormat


def _plain(enum: Any, value: int, prefix: str) -> str:
    return str(enum.Name(value).removeprefix(prefix).lower().replace("_", " "))


def _closed(closed: decisions_pb2.ReferralClosed) -> str:
    by = " by a supervisor" if closed.settled else ""
    disposition = _plain(_DISPOSITIONS, closed.finding.disposition, "DISPOSITION_")
    return f"closed the case{by}: {disposition}"


def _applied(applied: decisions_pb2.RetentionApplied) -> str:
    pruned = applied.pruned_until - applied.pruned_from
    erased = sum(each.count for each in applied.erased)
    return f"erased what was over its time: {erased:,} pieces, {pruned:,} event bodies"


SENTENCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "referral_opened": lambda body: f"opened a case of priority {body.priority}",
    "referral_claimed": lambda body: "took the case, or kept it for longer",
    "referral_released": lambda body: "gave the case back without a finding",
    "referral_escalated": lambda body: f"passed the case to a supervisor: {body.reason}",
    "first_look_given": lambda body: "said what they see, before they were shown what the system makes of it",
    "finding_given": lambda body: "said what they found",
    "second_finding_given": lambda body: "said what they found, as the second officer",
    "findings_disagree": lambda body: "two officers found differently: a supervisor settles it",
    "referral_closed": _closed,
    "export_made": lambda body: (
        f"gave out events as {_plain(_FORMATS, body.format, 'EXPORT_FORMAT_')}, from a log of {body.size:,}"
    ),
    "policy_changed": lambda body: f"another policy is in force: {body.policy}",
    "policy_proposed": lambda body: f"proposed another policy: {body.policy}",
    "finding_corrected": lambda body: "corrected the finding that the closed case stands on",
    "data_rectified": lambda body: (
        "put a statement beside the screening: what of its data is wrong, and what is right"
    ),
    "model_changed": lambda body: f"{body.service} uses another model or calibration: {body.model_id}",
    "data_erased": lambda body: (
        f"erased the data of {len(body.screening_event_ids)} screenings: {body.basis}"
    ),
    "retention_applied": _applied,
    "service_started": lambda body: f"{body.service} was started",
    "service_stopped": lambda body: f"{body.service} was stopped",
    "checkpoint_witnessed": lambda body: f"{body.witness} cosigned the log's first {body.size:,} events",
    "machine_changed": lambda body: f"{body.machine} was {body.action.lower() or 'changed'}",
    "log_key_changed": lambda body: "the log signs with another key, or with one more",
}


def sentence(event: decisions_pb2.Event) -> str | None:
    """Say what happened, and what for; None for kinds that are shown elsewhere."""
    body = event.WhichOneof("body") or ""
    if body not in SENTENCES:
        return None
    said = SENTENCES[body](getattr(event, body))
    return f"{said}\nfor: {event.purpose}" if event.purpose else said
