"""Events of the log in words: what happened, who did it, and what for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from borderpost.console.case_view import enum_name, verdict
from borderpost.console.words import Words
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1 import types_pb2, watchlist_pb2

IDS: Final = ("list_id", "entry_id", "import_id", "suppression_id")


@dataclass(frozen=True, slots=True)
class Line:
    """An event as a table or a timeline shows it. `screening`: the event id of the screening that it is about, if it is
    about one. `pruned`: only its hash is kept."""

    index: int
    time: Any
    kind: str
    title: str
    said: str
    actor: str
    purpose: str
    screening: str
    event_id: str
    leaf: str
    outcome: str


def line(entry: pb.LogEntry, spoken: Words) -> Line:
    """Return an event as it is shown."""
    event, kind = entry.event, entry.event.WhichOneof("body") or ""
    screened = kind == "traveler_screened"
    return Line(
        index=entry.index,
        time=event.time if event.HasField("time") else entry.logged_at,
        kind=kind,
        title=spoken.named("event", kind) if kind else spoken("event.pruned"),
        said=_said(event, kind, spoken),
        actor=event.actor.subject,
        purpose=event.purpose,
        screening=event.event_id if screened else event.subject,
        event_id=event.event_id,
        leaf=entry.leaf_sha256.hex(),
        outcome=enum_name(types_pb2.Outcome, event.traveler_screened.outcome, "OUTCOME_") if screened else "",
    )


def _said(event: pb.Event, kind: str, spoken: Words) -> str:
    if kind in _SENTENCES:
        return _SENTENCES[kind](getattr(event, kind), spoken)
    if kind.startswith("watchlist_"):
        return _of_list(getattr(event, kind), spoken)
    return ""


def _screened(body: pb.TravelerScreened, spoken: Words) -> str:
    outcome = spoken.named("outcome", enum_name(types_pb2.Outcome, body.outcome, "OUTCOME_"))
    reasons = " ".join(spoken.reason(code) for code in body.reasons)
    return spoken("event_said.screened", outcome=outcome, kiosk=body.kiosk_id, reasons=reasons).strip()


def _consulted(body: pb.RecordConsulted, spoken: Words) -> str:
    what = spoken.named("consulted", body.method.rpartition("/")[2])
    parts = [spoken("event_said.consulted_pictures", what=what) if body.evidence_shown else what]
    if body.filters:
        parts.append(spoken("event_said.filters", filters=", ".join(body.filters)))
    return " ".join(parts)


def _finding(body: pb.FindingGiven, spoken: Words) -> str:
    disposition = enum_name(pb.Disposition, body.disposition, "DISPOSITION_")
    said = [
        spoken("event_said.finding_document", verdict=verdict(body.document, spoken)),
        _list_verdicts(body.lists, spoken),
        spoken.named("disposition", disposition),
    ]
    return " · ".join(filter(None, said))


def _list_verdicts(found: Iterable[pb.ListFinding], spoken: Words) -> str:
    return " · ".join(
        spoken("event_said.finding_list", verdict=verdict(each.verdict, spoken)) for each in found
    )


def _machine(body: pb.MachineChanged, spoken: Words) -> str:
    return " ".join(filter(None, (body.machine, spoken.named("machine_action", body.action), body.reason)))


def _erased(body: pb.DataErased, spoken: Words) -> str:
    return spoken.count(
        "event_said.erased", len(body.screening_event_ids), basis=spoken.named("basis", body.basis)
    )


def _applied(body: pb.RetentionApplied, spoken: Words) -> str:
    return spoken(
        "event_said.retention",
        pieces=spoken.number(sum(each.count for each in body.erased)),
        bodies=spoken.number(body.pruned_until - body.pruned_from),
    )


def _export(body: pb.ExportMade, spoken: Words) -> str:
    form = enum_name(pb.ExportFormat, body.format, "EXPORT_FORMAT_")
    filters = ", ".join(body.filters) or spoken("event_said.everything")
    return spoken("event_said.export", format=form, size=spoken.number(body.size), filters=filters)


def _trust(body: pb.TrustStoreChanged, spoken: Words) -> str:
    return spoken(
        "event_said.trust",
        version=body.version,
        kind=body.file_kind,
        certificates=body.certificates_added,
        lists=body.revocation_lists_added,
    )


def _of_list(body: Any, spoken: Words) -> str:
    """What happened to a list: which step of what, and the ids that it names."""
    names = {field.name for field in body.DESCRIPTOR.fields}
    said = [getattr(body, name).lower() for name in ("what", "cause") if name in names]
    said += [
        f"{spoken(f'id_of.{name}')} {getattr(body, name)}"
        for name in IDS
        if name in names and getattr(body, name)
    ]
    if isinstance(body, pb.WatchlistSearched):
        said += [enum_name(watchlist_pb2.MatchKind, kind, "MATCH_KIND_").lower() for kind in body.searched_by]
    if isinstance(body, pb.WatchlistChanged):
        said += [f"{each.field}: {each.before or '–'} → {each.after or '–'}" for each in body.changes]
    return " · ".join(filter(None, said))


_SENTENCES: Final[Mapping[str, Callable[[Any, Words], str]]] = {
    "traveler_screened": _screened,
    "record_consulted": _consulted,
    "trust_store_changed": _trust,
    "referral_opened": lambda body, spoken: spoken("event_said.opened", priority=body.priority),
    "referral_escalated": lambda body, spoken: spoken.named("escalation", body.reason),
    "first_look_given": lambda body, spoken: _list_verdicts(body.lists, spoken),
    "finding_given": _finding,
    "second_finding_given": lambda body, spoken: _finding(body.finding, spoken),
    "referral_closed": lambda body, spoken: (
        (f"{spoken('event_said.settled')} " if body.settled else "") + _finding(body.finding, spoken)
    ),
    "export_made": _export,
    "policy_changed": lambda body, spoken: body.policy,
    "policy_proposed": lambda body, spoken: body.policy,
    "finding_corrected": lambda body, spoken: _finding(body.finding, spoken),
    "model_changed": lambda body, spoken: f"{body.service}: {body.model_id}",
    "data_erased": _erased,
    "retention_applied": _applied,
    "service_started": lambda body, spoken: body.service,
    "service_stopped": lambda body, spoken: body.service,
    "checkpoint_witnessed": lambda body, spoken: spoken(
        "event_said.witnessed", witness=body.witness.partition("+")[0], size=spoken.number(body.size)
    ),
    "machine_changed": _machine,
}
