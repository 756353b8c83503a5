"""Every metric of every service: its name, what it means, and which labels it may have.

Labels take values from closed sets alone: names out of the protos and this code, never what a caller has sent. What is
in no set is counted as OTHER. docs/observability.md has this table, and a test holds it to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import grpc

from borderpost.runtime.access import ACCESS
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.reasons import REASONS
from borderpost.runtime.settings import SERVICES, ServiceName
from borderpost.v1 import types_pb2

OTHER: Final = "OTHER"
"""In place of a value that is in no closed set."""

MOST_CROSSINGS: Final = 100
"""Crossings that are counted one by one; those that come later are counted together. Each costs some dozen series."""

STEPS: Final = frozenset(
    {
        "read_document",
        "live_template",
        "portrait_template",
        "chip_portrait_template",
        "compare",
        "compare_chip",
        "compare_portraits",
        "search_watchlists",
        "look_back",
    }
)
"""The steps of a screening (gateway/looking.py)."""

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Upper ends of the buckets for times. 2 s is a limit that an SLO speaks of."""

_VERSION: Final = re.compile(r"[A-Za-z0-9 ._+:/@\-]{1,120}")
_CROSSING: Final = re.compile(r"[A-Za-z0-9._\-]{1,64}")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `of`: the services that have it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    of: tuple[ServiceName, ...] = SERVICES


_GATEWAY: Final[tuple[ServiceName, ...]] = ("gateway",)
_DECISIONS: Final[tuple[ServiceName, ...]] = ("decisions",)
_WATCHLIST: Final[tuple[ServiceName, ...]] = ("watchlist",)
_DOCUMENTS: Final[tuple[ServiceName, ...]] = ("documents",)

CALLS: Final = Metric(
    "borderpost_calls_total",
    "counter",
    "Calls that have ended, by how. Reason OVERLOADED: shed. Reason DECISION_LOG_UNAVAILABLE: no outcome was given.",
    ("service", "method", "code", "reason"),
)
CALL_SECONDS: Final = Metric(
    "borderpost_call_seconds",
    "histogram",
    "Time of a call, from its bytes to its answer, or to its error (ok: no). A refusal is quick, and no good answer.",
    ("service", "method", "ok"),
)
CALLS_IN_FLIGHT: Final = Metric("borderpost_calls_in_flight", "gauge", "Calls that are being handled.")
POOL_PLACES: Final = Metric(
    "borderpost_pool_places", "gauge", "Calls that may work or wait for a thread at once.", ("pool",)
)
POOL_TAKEN: Final = Metric(
    "borderpost_pool_taken", "gauge", "Calls that work or wait for a thread now.", ("pool",)
)
POOL_HELD_BYTES: Final = Metric("borderpost_pool_held_bytes", "gauge", "Bytes of requests that are held now.")
POOL_REFUSALS: Final = Metric(
    "borderpost_pool_refusals_total",
    "counter",
    "Calls refused for want of places or bytes.",
    ("pool", "want"),
)
SERVING: Final = Metric(
    "borderpost_serving", "gauge", "1 while the service serves by its own health check, else 0."
)
CERTIFICATE_EXPIRES: Final = Metric(
    "borderpost_certificate_expires_timestamp_seconds",
    "gauge",
    "When the certificate file ends: the service's own, or the first of the authorities that it trusts.",
    ("certificate",),
)
CERTIFICATE_BEGINS: Final = Metric(
    "borderpost_certificate_begins_timestamp_seconds", "gauge", "When the same begins.", ("certificate",)
)
VERSION: Final = Metric(
    "borderpost_version_info",
    "gauge",
    "1 for what is in force: software, policy, model, …",
    ("what", "version"),
)
READINGS_FAILED: Final = Metric(
    "borderpost_readings_failed_total",
    "counter",
    "Times that numbers in a database or file could not be looked up.",
)
OUTBOX_WAITING: Final = Metric(
    "borderpost_outbox_waiting",
    "gauge",
    "Events of the service that the decision log has not taken yet.",
    of=(*_DOCUMENTS, *_WATCHLIST),
)
OUTBOX_OLDEST: Final = Metric(
    "borderpost_outbox_oldest_seconds",
    "gauge",
    "How long the oldest of them waits; 0 if none does.",
    of=(*_DOCUMENTS, *_WATCHLIST),
)

SCREENINGS: Final = Metric(
    "borderpost_screenings_total",
    "counter",
    "Screenings with an outcome on record. A request that was answered before is not counted again.",
    ("outcome", "crossing", "direction", "late"),
    _GATEWAY,
)
SCREENING_REASONS: Final = Metric(
    "borderpost_screening_reasons_total", "counter", "Reasons of these outcomes.", ("reason",), _GATEWAY
)
STEP_SECONDS: Final = Metric(
    "borderpost_step_seconds",
    "histogram",
    "Time of a step of a screening, done or failed.",
    ("step", "status"),
    _GATEWAY,
)
STEPS_SKIPPED: Final = Metric(
    "borderpost_steps_skipped_total", "counter", "Steps that lacked what they look at.", ("step",), _GATEWAY
)
ADMISSION_RUNNING: Final = Metric(
    "borderpost_admission_running", "gauge", "Screenings that run now.", of=_GATEWAY
)
ADMISSION_WAITING: Final = Metric(
    "borderpost_admission_waiting", "gauge", "Screenings that wait to be let in.", of=_GATEWAY
)
ADMISSION_LIMIT: Final = Metric(
    "borderpost_admission_limit", "gauge", "Screenings that may run at once, as measured.", of=_GATEWAY
)

LOG_EVENTS: Final = Metric("borderpost_log_events", "gauge", "Events in the decision log.", of=_DECISIONS)
LOG_COVERED: Final = Metric(
    "borderpost_log_checkpoint_events", "gauge", "Events that the newest checkpoint covers.", of=_DECISIONS
)
LOG_CHECKPOINT: Final = Metric(
    "borderpost_log_checkpoint_timestamp_seconds",
    "gauge",
    "When the newest checkpoint was made; 0 if there is none.",
    of=_DECISIONS,
)
CASES_OPEN: Final = Metric(
    "borderpost_cases_open", "gauge", "Cases that are not closed, by priority.", ("priority",), _DECISIONS
)
CASES_OLDEST: Final = Metric(
    "borderpost_cases_oldest_timestamp_seconds",
    "gauge",
    "When the oldest open case of the priority was opened.",
    ("priority",),
    _DECISIONS,
)
RETENTION_OVERDUE: Final = Metric(
    "borderpost_retention_overdue",
    "gauge",
    "What is held although its retention time has passed; looked at every ten minutes.",
    ("held",),
    _DECISIONS,
)

LISTS: Final = Metric("borderpost_watchlists", "gauge", "Watchlists that are searched.", of=_WATCHLIST)
ENTRIES: Final = Metric(
    "borderpost_watchlist_entries", "gauge", "Entries that are searched now, over all lists.", of=_WATCHLIST
)
TEMPLATES: Final = Metric(
    "borderpost_watchlist_templates",
    "gauge",
    "Templates that are searched now, over all lists.",
    of=_WATCHLIST,
)
LISTS_AS_OF: Final = Metric(
    "borderpost_watchlists_as_of_timestamp_seconds",
    "gauge",
    "When what is searched was last known to be the database's state.",
    of=_WATCHLIST,
)
LISTS_VERSION: Final = Metric(
    "borderpost_watchlists_version", "gauge", "Version of all lists together that is searched.", of=_WATCHLIST
)

TRUST_CERTIFICATES: Final = Metric(
    "borderpost_trust_certificates", "gauge", "Certificates of states that are trusted.", of=_DOCUMENTS
)
TRUST_LISTS: Final = Metric(
    "borderpost_trust_revocation_lists", "gauge", "Revocation lists that are held.", of=_DOCUMENTS
)
TRUST_LISTS_STALE: Final = Metric(
    "borderpost_trust_revocation_lists_stale",
    "gauge",
    "Revocation lists whose next update is past: chips of these states make REFER.",
    of=_DOCUMENTS,
)
TRUST_CHANGED: Final = Metric(
    "borderpost_trust_changed_timestamp_seconds",
    "gauge",
    "When the trust store was last changed by an import; 0: never.",
    of=_DOCUMENTS,
)

METRICS: Final[tuple[Metric, ...]] = tuple(
    value for value in list(vars().values()) if isinstance(value, Metric)
)
"""All of them."""


def _names(enum: Iterable[str], prefix: str) -> frozenset[str]:
    return frozenset(name.removeprefix(prefix) for name in enum)


_METHODS: Final = frozenset(ACCESS)

SETS: Final[Mapping[str, frozenset[str]]] = {
    "service": frozenset(method.split("/")[1] for method in _METHODS),
    "method": frozenset(method.split("/")[2] for method in _METHODS),
    "code": frozenset(code.name for code in grpc.StatusCode),
    "outcome": _names(types_pb2.Outcome.keys(), "OUTCOME_"),
    "direction": _names(types_pb2.Direction.keys(), "DIRECTION_"),
    "ok": frozenset({"yes", "no"}),
    "late": frozenset({"yes", "no"}),
    "step": STEPS,
    "status": _names(types_pb2.StepStatus.keys(), "STEP_STATUS_"),
    "priority": frozenset("123456789"),
    "held": frozenset({"evidence", "payload", "events"}),
    "pool": frozenset({"calls", "writers", "imports"}),
    "want": frozenset({"places", "bytes"}),
    "certificate": frozenset({"own", "authority"}),
    "what": frozenset({"software", "policy", "model", "calibration", "document reader", "trust store"}),
}
"""The closed sets. Of the other labels: `reason` has `known_reasons`, `version` and `crossing` have a form and an
end."""


def closed(label: str, value: str) -> str:
    """Return the value if the label may have it, else OTHER. KeyError: there is no such label."""
    if label == "reason":
        return value if not value or value in known_reasons() else OTHER
    if label == "version":  # of our own software, models and policies: few in a process's life
        return value if _VERSION.fullmatch(value) else OTHER
    if label == "crossing":  # from a certificate; how many there may be is limited where they are counted
        return value if _CROSSING.fullmatch(value) else OTHER
    return value if value in SETS[label] else OTHER


def known_reasons() -> frozenset[str]:
    """Reason codes in docs/reasons.md, those of the errors that this process has, and gRPC's own."""
    return frozenset({*REASONS, *_reasons_of(BorderpostError), *(code.name for code in grpc.StatusCode)})


def _reasons_of(error: type[BorderpostError]) -> frozenset[str]:
    return frozenset({error.reason}).union(*map(_reasons_of, error.__subclasses__()))
