"""One check per request, at the edge: "field: got X, want Y", without ever repeating what a field holds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.decisions.domain import EVENT_SCHEMA, KINDS_BY_OUTBOX, PAYLOAD_SCHEMA, kind_of
from borderpost.runtime.calibration import MAX_FMR_TARGET
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import is_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.templates import check_template
from borderpost.v1.decisions_pb2 import (
    AppendScreeningRequest,
    Event,
    EventKind,
    ExportEventsRequest,
    ExportFormat,
    FindScreeningRequest,
    GetFiguresRequest,
    GetPolicyRequest,
    GetScreeningRequest,
    LookBackRequest,
    MachineChanged,
    PolicyChanged,
    PolicyProposed,
    QueryEventsRequest,
    RecordEventsRequest,
    ServiceStarted,
    ServiceStopped,
    TravelerScreened,
    TrustStoreChanged,
    WatchlistChanged,
    WatchlistCreated,
    WatchlistEntryApproved,
    WatchlistEntryChanged,
    WatchlistEntryProposed,
    WatchlistEntryRemoved,
    WatchlistExported,
    WatchlistImported,
    WatchlistSearched,
    WatchlistSuppressionChanged,
)
from borderpost.v1.types_pb2 import Direction, DocumentKey, Outcome
from borderpost.v1.watchlist_pb2 import MatchKind

MAX_TEXT: Final = 200
"""Characters of a name that a machine bears: kiosk, crossing, list, actor."""

MAX_REASONS: Final = 100
MAX_EVENT_BYTES: Final = 128 * 1024
"""A screening with every check and step has about 1 KiB, an import that names 2,000 entries 76 KB."""

MAX_PAYLOAD_BYTES: Final = 3 * 1024 * 1024
"""One with 100 candidates has about 100 KiB, and 1 MiB of pairs for ProposeSuppression at most (gateway/record.py)."""

MAX_IDS: Final = 1000
"""Entries that one event of an import names as added, and as removed (decisions.proto)."""

MAX_EVENTS: Final = 500
"""Of one RecordEvents (decisions.proto)."""

MAX_EVIDENCE_BYTES: Final = 26 * 1024 * 1024
"""What the gateway keeps of pictures and templates (gateway/record.py), and a little more."""

MAX_POLICY_BYTES: Final = 64 * 1024
"""A policy file; the one that comes with Borderpost has 5 KB."""

POLICY_HASH_DIGITS: Final = 16
"""Of the file's SHA-256, in a policy's version (policy/model.py)."""

MAX_FIGURES_DAYS: Final = 400

MAX_WINDOW_SECONDS: Final = 7 * 86_400
"""How far patterns look back, at most (policy/model.py)."""

MAX_PAGE: Final = 500
DEFAULT_PAGE: Final = 50
SHA256_BYTES: Final = 32

_SECONDS: Final = range(-62_135_596_800, 253_402_300_800)
"""0001-01-01 to 9999-12-31 (google/protobuf/timestamp.proto)."""

_OfEntry = WatchlistEntryProposed | WatchlistEntryApproved | WatchlistEntryRemoved | WatchlistEntryChanged

PICTURES: Final = "PICTURES"
BUNDLE: Final = "BUNDLE"
"""What WatchlistExported may say that wants the entry, or the partner, named."""

_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def append_screening(request: AppendScreeningRequest) -> None:
    """Check a screening to append."""
    _want(request.HasField("screening"), "screening", "none", "the public part")
    _want(request.HasField("payload"), "payload", "none", "the personal part, even if nothing was found")
    _schema("payload.schema_version", request.payload.schema_version, PAYLOAD_SCHEMA)
    _size("payload", request.payload.ByteSize(), MAX_PAYLOAD_BYTES)
    _size("screening", request.screening.ByteSize(), MAX_EVENT_BYTES)
    _screening(request.screening)
    referred = request.screening.outcome == Outcome.OUTCOME_REFER
    if request.HasField("evidence"):
        _schema("evidence.schema_version", request.evidence.schema_version, PAYLOAD_SCHEMA)
        _size("evidence", request.evidence.ByteSize(), MAX_EVIDENCE_BYTES)
    if request.HasField("referral"):
        _want(referred, "referral", "one", "none, where the outcome isn't REFER")
        priority = request.referral.priority
        _want(1 <= priority <= 9, "referral.priority", str(priority), "1 to 9")
    _hash("recent.chip_portrait_sha256", request.recent.chip_portrait_sha256)
    _hash("recent.holder_sha256", request.recent.holder_sha256)
    if request.recent.HasField("live_template"):
        check_template("recent.live_template", request.recent.live_template)
        _time("recent.gallery_until", request.recent.gallery_until)
    if request.screening.group_id:
        _id("screening.group_id", request.screening.group_id)


def find_screening(request: FindScreeningRequest) -> None:
    """Check which screening to find."""
    _text("kiosk_id", request.kiosk_id)
    _id("request_id", request.request_id)


def look_back(request: LookBackRequest) -> None:
    """Check what to look back at."""
    for name in ("kiosk_id", "crossing"):
        _text(name, getattr(request, name))
    for name in ("visit_id", "request_id"):
        _id(name, getattr(request, name))
    if request.group_id:
        _id("group_id", request.group_id)
    if request.HasField("document"):
        document_key("document", request.document)
    _hash("chip_portrait_sha256", request.chip_portrait_sha256)
    _hash("holder_sha256", request.holder_sha256)
    if request.HasField("live_template"):
        check_template("live_template", request.live_template)
    if request.terms.gallery_seconds:
        fmr = request.terms.gallery_fmr
        _want(
            0.0 < fmr <= MAX_FMR_TARGET,
            "terms.gallery_fmr",
            f"{fmr:g}",
            f"above 0, at most {MAX_FMR_TARGET:g}",
        )
    _want(request.HasField("at"), "at", "none", "when the traveler stood there")
    _time("at", request.at)
    seconds = request.terms.window_seconds
    _want(
        seconds <= MAX_WINDOW_SECONDS,
        "terms.window_seconds",
        f"{seconds:,}",
        f"at most {MAX_WINDOW_SECONDS:,}",
    )


def get_screening(request: GetScreeningRequest) -> None:
    """Check which screening to get."""
    if request.kiosk_id:
        _text("kiosk_id", request.kiosk_id)
    _id("request_id", request.request_id)


def record_events(request: RecordEventsRequest, reporter: Role) -> None:
    """Check events from the outbox of a service."""
    count = len(request.events)
    _want(count <= MAX_EVENTS, "events", str(count), f"at most {MAX_EVENTS}")
    for position, event in enumerate(request.events):
        _event(f"events[{position}]", event, reporter)


def query_events(request: QueryEventsRequest) -> None:
    """Check which events to list; the page token is checked where it is read."""
    for name in ("from", "until"):
        if request.HasField(name):
            _time(name, getattr(request, name))
    for kind in request.kinds:
        _enum("kinds", kind, EventKind.values())
    for outcome in request.outcomes:
        _enum("outcomes", outcome, Outcome.values())
    _names(request)
    if request.HasField("document"):
        document_key("document", request.document)
    _want(
        request.page_size <= MAX_PAGE,
        "page_size",
        str(request.page_size),
        f"1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}",
    )


def _names(request: QueryEventsRequest) -> None:
    if request.reason:
        _reason("reason", request.reason)
    for name in ("kiosk_id", "crossing", "actor", "list_id", "entry_id"):
        if getattr(request, name):
            _text(name, getattr(request, name))
    for field in ("visit_id", "request_id", "subject"):
        if getattr(request, field):
            _id(field, getattr(request, field))


def document_key(field: str, document: DocumentKey) -> None:
    """Check a document that is looked for: all three parts."""
    for name in ("document_code", "issuing_state", "number"):
        _text(f"{field}.{name}", getattr(document, name))


def export_events(request: ExportEventsRequest) -> None:
    """Check which events to export."""
    query_events(request.filter)
    paging = bool(request.filter.page_size or request.filter.page_token)
    _want(not paging, "filter", "a page", "no page size and no token: an export has none")
    _enum("format", request.format, ExportFormat.values())


def get_figures(request: GetFiguresRequest) -> None:
    """Check of which time figures are wanted."""
    for name in ("from", "until"):
        _want(request.HasField(name), name, "none", "a time")
        _time(name, getattr(request, name))
    seconds = request.until.seconds - getattr(request, "from").seconds
    days = MAX_FIGURES_DAYS
    _want(0 < seconds <= days * 86_400, "until", f"{seconds:,} s after from", f"at most {days} days after it")
    if request.crossing:
        _text("crossing", request.crossing)


def get_policy(request: GetPolicyRequest) -> None:
    """Check which policy is wanted."""
    _text("policy", request.policy)


def _screening(screening: TravelerScreened) -> None:
    _id("screening.request_id", screening.request_id)
    _id("screening.visit_id", screening.visit_id)
    _want(screening.attempt >= 1, "screening.attempt", "0", "1 or more")
    _text("screening.kiosk_id", screening.kiosk_id)
    _text("screening.crossing", screening.crossing)
    _enum("screening.direction", screening.direction, Direction.values())
    _want(screening.HasField("kiosk_time"), "screening.kiosk_time", "none", "the kiosk's time")
    _time("screening.kiosk_time", screening.kiosk_time)
    _want(screening.HasField("received_at"), "screening.received_at", "none", "the gateway's time")
    _time("screening.received_at", screening.received_at)
    _digest("screening.content_sha256", screening.content_sha256)
    _enum("screening.outcome", screening.outcome, Outcome.values())
    count = len(screening.reasons)
    _want(count <= MAX_REASONS, "screening.reasons", str(count), f"at most {MAX_REASONS}")
    for reason in screening.reasons:
        _reason("screening.reasons", reason)
    _want(screening.HasField("versions"), "screening.versions", "none", "what was in force")
    if screening.versions.policy:  # by which it is looked for
        _text("screening.versions.policy", screening.versions.policy)


def _event(field: str, event: Event, reporter: Role) -> None:
    _schema(f"{field}.schema_version", event.schema_version, EVENT_SCHEMA)
    _id(f"{field}.event_id", event.event_id)
    _want(event.HasField("time"), f"{field}.time", "none", "when it happened")
    _time(f"{field}.time", event.time)
    _text(f"{field}.actor.issuer", event.actor.issuer)
    _text(f"{field}.actor.subject", event.actor.subject)
    for name in ("payload_sha256", "evidence_sha256", "subject"):
        length = len(getattr(event, name))
        _want(not length, f"{field}.{name}", f"{length} bytes", "none")
    _body(field, event, reporter)
    _size(field, event.ByteSize(), MAX_EVENT_BYTES)


def _body(field: str, event: Event, reporter: Role) -> None:
    name = event.WhichOneof("body")
    if name is None or kind_of(event) not in KINDS_BY_OUTBOX.get(reporter, ()):
        raise InvalidRequestError(
            f"{field}.body: got {name or 'none'} from {reporter}, want a change of the reporting service's own",
            field=field,
        )
    body = getattr(event, name)
    if isinstance(body, ServiceStarted | ServiceStopped):
        _want(body.service == reporter, f"{field}.{name}.service", "another", f"{reporter}, which reports it")
    _BODIES[name](f"{field}.{name}", body)


def _watchlist_entry(field: str, body: _OfEntry) -> None:
    _text(f"{field}.list_id", body.list_id)
    _text(f"{field}.entry_id", body.entry_id)


def _watchlist_created(field: str, body: WatchlistCreated) -> None:
    _text(f"{field}.list_id", body.list_id)


def _watchlist_entry_removed(field: str, body: WatchlistEntryRemoved) -> None:
    _watchlist_entry(field, body)
    if body.cause:
        _reason(f"{field}.cause", body.cause)


def _watchlist_changed(field: str, body: WatchlistChanged) -> None:
    _text(f"{field}.list_id", body.list_id)
    _reason(f"{field}.what", body.what)
    if body.model_id:
        _text(f"{field}.model_id", body.model_id)
    for change in body.changes:
        _text(f"{field}.changes.field", change.field)
    finite = math.isfinite(body.factor) and body.factor >= 0
    _want(finite, f"{field}.factor", str(body.factor), "0 or a number above it")


def _watchlist_entry_changed(field: str, body: WatchlistEntryChanged) -> None:
    _watchlist_entry(field, body)
    _reason(f"{field}.what", body.what)


def _watchlist_imported(field: str, body: WatchlistImported) -> None:
    _text(f"{field}.list_id", body.list_id)
    _text(f"{field}.import_id", body.import_id)
    _reason(f"{field}.what", body.what)
    _digest(f"{field}.content_sha256", body.content_sha256)
    for name, ids in (("added", body.added_entry_ids), ("removed", body.removed_entry_ids)):
        _want(len(ids) <= MAX_IDS, f"{field}.{name}_entry_ids", str(len(ids)), f"at most {MAX_IDS:,}")
        for entry_id in ids:
            _text(f"{field}.{name}_entry_ids", entry_id)


def _watchlist_exported(field: str, body: WatchlistExported) -> None:
    _text(f"{field}.list_id", body.list_id)
    _reason(f"{field}.what", body.what)
    if body.entry_id or body.what == PICTURES:
        _text(f"{field}.entry_id", body.entry_id)
    if body.partner or body.what == BUNDLE:
        _text(f"{field}.partner", body.partner)


def _watchlist_searched(field: str, body: WatchlistSearched) -> None:
    for list_id in body.list_ids:
        _text(f"{field}.list_ids", list_id)
    for kind in body.searched_by:
        _enum(f"{field}.searched_by", kind, MatchKind.values())


def _watchlist_suppression_changed(field: str, body: WatchlistSuppressionChanged) -> None:
    _text(f"{field}.suppression_id", body.suppression_id)
    _text(f"{field}.list_id", body.list_id)
    _text(f"{field}.entry_id", body.entry_id)
    _reason(f"{field}.what", body.what)


def _service(field: str, body: ServiceStarted | ServiceStopped) -> None:
    _text(f"{field}.service", body.service)


def _machine_changed(field: str, body: MachineChanged) -> None:
    _text(f"{field}.machine", body.machine)
    _reason(f"{field}.action", body.action)
    if body.reason:
        _reason(f"{field}.reason", body.reason)
    if body.serial:
        _text(f"{field}.serial", body.serial)


def _policy_told(field: str, body: PolicyChanged | PolicyProposed) -> None:
    _text(f"{field}.policy", body.policy)
    size = len(body.toml)
    _want(1 <= size <= MAX_POLICY_BYTES, f"{field}.toml", f"{size:,} bytes", f"1 to {MAX_POLICY_BYTES:,}")
    named = body.policy.rpartition("@")[2]
    fits = sha256(body.toml).hexdigest()[: len(named)] == named and len(named) >= POLICY_HASH_DIGITS
    _want(fits, f"{field}.policy", "another hash", "NAME@ and the beginning of the file's SHA-256")


def _trust_store_changed(field: str, body: TrustStoreChanged) -> None:
    _want(body.version >= 1, f"{field}.version", "0", "1 or more")
    _digest(f"{field}.file_sha256", body.file_sha256)
    _reason(f"{field}.file_kind", body.file_kind)


_BODIES: Final[Mapping[str, Callable[[str, Any], None]]] = {
    "service_started": _service,
    "service_stopped": _service,
    "policy_changed": _policy_told,
    "policy_proposed": _policy_told,
    "machine_changed": _machine_changed,
    "trust_store_changed": _trust_store_changed,
    "watchlist_created": _watchlist_created,
    "watchlist_entry_proposed": _watchlist_entry,
    "watchlist_entry_approved": _watchlist_entry,
    "watchlist_entry_removed": _watchlist_entry_removed,
    "watchlist_changed": _watchlist_changed,
    "watchlist_entry_changed": _watchlist_entry_changed,
    "watchlist_imported": _watchlist_imported,
    "watchlist_exported": _watchlist_exported,
    "watchlist_searched": _watchlist_searched,
    "watchlist_suppression_changed": _watchlist_suppression_changed,
}
"""The check of each body that another service may report (`KINDS_BY_OUTBOX`); a test holds the two together."""


def _want(holds: bool, field: str, got: str, want: str) -> None:
    if not holds:
        raise InvalidRequestError(f"{field}: got {got}, want {want}", field=field)


def _schema(field: str, got: int, want: int) -> None:
    _want(got == want, field, str(got), str(want))


def _size(field: str, got: int, most: int) -> None:
    _want(got <= most, field, f"{got:,} bytes", f"at most {most:,}")


def _id(field: str, text: str) -> None:
    _want(is_id(text), field, f"{len(text)} characters", "a UUIDv7 in canonical text form (RFC 9562)")


def _digest(field: str, digest: bytes) -> None:
    _want(len(digest) == SHA256_BYTES, field, f"{len(digest)} bytes", f"{SHA256_BYTES}")


def _text(field: str, text: str) -> None:
    printable = text.isprintable() and text == text.strip()
    _want(
        printable and 1 <= len(text) <= MAX_TEXT,
        field,
        f"{len(text)} characters" + ("" if printable else ", some not printable"),
        f"1 to {MAX_TEXT} printable ones",
    )


def _reason(field: str, text: str) -> None:
    _want(_REASON.fullmatch(text) is not None, field, f"{len(text)} characters", "UPPER_SNAKE, at most 64")


def _enum(field: str, got: int, known: Sequence[int]) -> None:
    _want(got != 0 and got in known, field, str(got), f"one of {min(known) + 1} to {max(known)}")


def _time(field: str, stamp: Timestamp) -> None:
    fits = stamp.seconds in _SECONDS and 0 <= stamp.nanos < 1_000_000_000
    _want(fits, field, "one out of range", "0001-01-01 to 9999-12-31, nanos 0 to 999999999")


def _hash(field: str, value: bytes) -> None:
    """Want a SHA-256, or nothing."""
    _want(len(value) in (0, SHA256_BYTES), field, f"{len(value)} bytes", f"{SHA256_BYTES}, or none")
