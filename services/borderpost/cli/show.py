"""How answers look: tables and plain sentences for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from borderpost.cli import show_events
from borderpost.runtime import rates
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.reasons import explain
from borderpost.v1 import decisions_pb2, faces_pb2, gateway_pb2, types_pb2, watchlist_pb2

# Text from outside (a list's name, a purpose) is never taken for markup or emoji codes.
ID_WIDTH: Final = 36
"""Characters of a UUID."""

console = Console(highlight=False, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False)

_COLOURS: Final = {"CLEAR": "green", "REFER": "yellow", "RETAKE": "cyan"}
STATUS_COLOURS: Final = {
    "PASSED": "green",
    "FAILED": "red",
    "UNDETERMINED": "yellow",
    "NOT_PERFORMED": "dim",
}
_TRUST_FILE_WORDS: Final = {
    "MASTER_LIST": "a master list",
    "LDIF": "an LDIF file",
    "CERTIFICATE": "a certificate",
    "CRL": "a revocation list",
}
_LOOKED_AT: Final = {
    "GetScreening": "looked at the record",
    "QueryEvents": "looked through the log",
    "GetFigures": "looked at the figures",
    "GetCase": "looked at the case",
    "FindSubject": "looked for what is held of a person",
}
_STEP_WORDS: Final = {"DONE": "", "FAILED": "not checked: ", "SKIPPED": "nothing to do"}


def emit(as_json: bool, data: Message | dict[str, Any], render: Callable[[], object]) -> None:
    """Print `data` as JSON, or what `render` makes of it for people."""
    if as_json:
        plain = to_plain(data) if isinstance(data, Message) else data
        console.print_json(json.dumps(plain)) if console.is_terminal else print(json.dumps(plain), flush=True)  # noqa: T201
        return
    shown = render()
    if shown is not None:
        console.print(shown)


def error(as_json: bool, reason: str, message: str, details: Mapping[str, str]) -> None:
    """Print what went wrong on standard error: a sentence, or as JSON."""
    if as_json:
        plain = {"error": {"reason": reason, "message": message, "details": dict(details)}}
        print(json.dumps(plain), file=sys.stderr)  # noqa: T201
        return
    errors.print(Text.assemble((reason, "bold red"), f": {message}"))


def to_plain(message: Message) -> dict[str, Any]:
    """Turn a message into plain values; bytes become base64."""
    plain: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return plain


def name_of(enum: Any, value: int, prefix: str) -> str:
    """Return the short name of an enum's value."""
    name: str = enum.Name(value)
    return name.removeprefix(prefix)


def outcome(value: types_pb2.Outcome.ValueType) -> Text:
    """Show an outcome."""
    name = name_of(types_pb2.Outcome, value, "OUTCOME_")
    return Text(name, style=f"bold {_COLOURS.get(name, '')}")


def when(stamp: Timestamp) -> str:
    """Show a time."""
    return from_timestamp(stamp).strftime("%Y-%m-%d %H:%M:%S")


def kiosk_sentence(answer: gateway_pb2.ScreenTravelerResponse) -> str:
    """Say what the kiosk tells the traveler."""
    if answer.outcome == types_pb2.OUTCOME_CLEAR:
        return "Please go ahead."
    if answer.outcome == types_pb2.OUTCOME_RETAKE:
        return " ".join(problem.advice for problem in answer.advice)
    return "Please go to an officer."


def reasons(codes: Iterable[str]) -> Text:
    """Show reason codes, each with what it means."""
    text = Text()
    for code in codes:
        text.append(("\n" if text else "") + code, style="bold")
        text.append(f"  {explain(code)}")
    return text


def answer_view(answer: gateway_pb2.ScreenTravelerResponse) -> Table:
    """Show what the kiosk gets."""
    rows = pairs()
    rows.add_row("outcome", outcome(answer.outcome))
    rows.add_row("traveler is told", kiosk_sentence(answer))
    rows.add_row("decided", f"{when(answer.decided_at)} UTC, entry {answer.log_index} of the log")
    rows.add_row("request", answer.request_id)
    if answer.already_answered:
        rows.add_row("", "this request was answered before; this is that answer")
    return rows


def capture_view(result: faces_pb2.CaptureResult, challenge: bool) -> Table:
    """Show what a guided capture came to."""
    rows = pairs()
    end = name_of(faces_pb2.CaptureEnd, result.end, "CAPTURE_END_").replace("_", " ").lower()
    if challenge and result.liveness.status != types_pb2.CHECK_STATUS_PASSED:
        end += f", but the challenge wasn't passed: {', '.join(result.liveness.reasons)}"
    rows.add_row("capture", f"{end}; {count(len(result.frames), 'frame')} chosen")
    rows.add_row(
        "liveness", Text("\n").join([Text(liveness_words(result.liveness)), reasons(result.liveness.reasons)])
    )
    return rows


def steps_view(steps: Iterable[types_pb2.Step]) -> Table:
    """Show the steps with their times."""
    rows = table("step", "ms", "")
    rows.columns[1].justify = "right"
    for step in steps:
        status = name_of(types_pb2.StepStatus, step.status, "STEP_STATUS_")
        took = "" if status == "SKIPPED" else f"{step.milliseconds:,.0f}"
        rows.add_row(step.name, took, _STEP_WORDS[status] + step.reason)
    return rows


def steps_line(steps: Iterable[types_pb2.Step]) -> str:
    """Show the steps with their times, in one line that breaks between steps."""
    done = types_pb2.STEP_STATUS_DONE
    return "  ".join(
        f"{step.name}\N{NO-BREAK SPACE}{step.milliseconds:,.0f}\N{NO-BREAK SPACE}ms"
        if step.status == done
        else f"{step.name}\N{NO-BREAK SPACE}–"
        for step in steps
    )


def events_view(entries: Iterable[decisions_pb2.LogEntry]) -> Table:
    """Show log entries. Ids stand on lines of their own, so that they can be copied."""
    rows = table("entry", "what", id_column=1)
    for entry in entries:
        body = entry.event.WhichOneof("body") or ""
        event = Text.assemble(
            f"{entry.index}  {when(entry.logged_at)}\n",
            (body.replace("_", " "), "bold"),
            "\n",
            (entry.event.actor.subject, "dim"),
        )
        rows.add_row(event, _what(entry.event, body))
    return rows


def verification_view(answer: decisions_pb2.VerifyLogResponse) -> Text:
    """Say what the check of the log found."""
    if answer.intact:
        return Text.assemble(
            ("intact", "bold green"), f": {answer.size} entries, root {answer.root_sha256.hex()[:16]}…"
        )
    text = Text.assemble(
        ("NOT INTACT", "bold red"), f": {answer.size} entries, {count(len(answer.faults), 'fault')}"
    )
    for fault in answer.faults:
        text.append(f"\n  entry {fault.index}: {fault.code}")
    return text


def table(*columns: str, id_column: int | None = None) -> Table:
    """Make an empty table. An id column is wide enough for an id on one line."""
    made = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", min_width=ID_WIDTH if number == id_column else None)
    return made


def pairs() -> Table:
    """Make an empty table of names and values."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    return made


def liveness_words(liveness: faces_pb2.Liveness) -> str:
    """Say what is known of liveness, and what that is worth."""
    status = name_of(types_pb2.CheckStatus, liveness.status, "CHECK_STATUS_").replace("_", " ").lower()
    if not liveness.method:
        return status
    worth = "" if liveness.measured else ": unmeasured, nobody knows how often it errs"
    return f"{status} by {liveness.method}{worth}"


def comparison_words(comparison: faces_pb2.CompareResponse) -> str:
    """Say what a comparison gave."""
    if not comparison.HasField("score"):
        return "no score: one of the pictures has no face"
    return score_words(comparison.score, comparison.threshold)


def score_words(score: types_pb2.Score, threshold: float, of: str = "") -> str:
    """Say what a score means: by the upper end of the rate's 95 % interval, and in the worst measured group.

    `of`: what the threshold is for, if that isn't plain, as " for this search".
    """
    said = f"score {score.value:.3f} (threshold {threshold:.3f}{of})"
    if score.fmr > rates.COMMON_RATE:
        return f"{said}: more than 1 in 10 pairs of different people look this alike"
    if not score.fmr_upper_95:
        return f"{said}; how many pairs of different people look this alike was not recorded"
    said += f": at most {one_in(score.fmr_upper_95)} pairs of different people look this alike (95 % bound)"
    if not score.fmr_worst_group:
        return f"{said}; no group of people was measured"
    # The group's rate is an estimate, or a bound where its data end below the score.
    return (
        f"{said}; in the worst measured group about {one_in(score.fmr_worst_group)} or fewer, in groups that nobody "
        "measured perhaps more"
    )


def one_in(rate: float) -> str:
    """Say a rate above 0 in words, never as a smaller one."""
    return f"1 in {rates.one_in(rate):,}"


def percent(rate: float) -> str:
    """Say a rate in per cent, to three figures."""
    return f"{100 * rate:.3g} %"


def count(number: int, thing: str, things: str = "") -> str:
    """Say how many there are; `things` is for those that don't end in an s."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or f'{thing}s'}"


def trust_change_words(change: decisions_pb2.TrustStoreChanged) -> str:
    """Say what an import did to the trust store."""
    kind = _TRUST_FILE_WORDS.get(change.file_kind, change.file_kind)
    return "\n".join(
        (
            f"version {change.version}, by {kind}",
            f"{count(change.certificates_added, 'certificate')}, "
            f"{count(change.revocation_lists_added, 'revocation list')} new; {change.refused} refused",
            f"file {change.file_sha256.hex()[:16]}…",
        )
    )


def _what(event: decisions_pb2.Event, body: str) -> Text | str:
    if body == "traveler_screened":
        screening = event.traveler_screened
        parts = [screening.request_id, *screening.reasons]
        return Text.assemble(outcome(screening.outcome), "\n", "\n".join(parts))
    if body == "record_consulted":
        consulted = event.record_consulted
        parts = [_looked(consulted), consulted.request_id, f"for: {event.purpose}"]
        return "\n".join(filter(None, parts))
    if body == "trust_store_changed":
        return trust_change_words(event.trust_store_changed)
    return show_events.sentence(event) or watchlist_event_words(event, body)


def _looked(consulted: decisions_pb2.RecordConsulted) -> str:
    """Say what somebody looked at; of a method that isn't known here its name."""
    method = consulted.method.rpartition("/")[2]
    words = _LOOKED_AT.get(method, method)
    return f"{words}, with pictures" if consulted.evidence_shown else words


def watchlist_event_words(event: decisions_pb2.Event, body: str) -> str:
    """Say what happened to a list: which step of what, the ids that it names, and what the person wanted it for."""
    inner = getattr(event, body)
    fields = {field.name for field in inner.DESCRIPTOR.fields}
    words = [getattr(inner, name).lower() for name in ("what", "cause") if name in fields]
    words += [getattr(inner, name) for name in _EVENT_IDS if name in fields]
    words += _EVENT_WORDS[body](inner) if body in _EVENT_WORDS else []
    return "\n".join(filter(None, (*words, f"for: {event.purpose}" if event.purpose else "")))


def _imported_words(inner: decisions_pb2.WatchlistImported) -> list[str]:
    added, removed = len(inner.added_entry_ids), len(inner.removed_entry_ids)
    return [f"file {inner.content_sha256.hex()[:16]}…", f"{added:,} added, {removed:,} removed or replaced"]


def _exported_words(inner: decisions_pb2.WatchlistExported) -> list[str]:
    to = f" to {inner.partner}" if inner.partner else ""
    return [f"{count(inner.entries, 'entry', 'entries')}{to}"]


def _searched_words(inner: decisions_pb2.WatchlistSearched) -> list[str]:
    kinds = [name_of(watchlist_pb2.MatchKind, kind, "MATCH_KIND_").lower() for kind in inner.searched_by]
    where, found = count(len(inner.list_ids), "list"), count(inner.candidates, "candidate")
    return [f"{where} by {', '.join(kinds) or 'nothing'}: {found}"]


def _changed_words(inner: decisions_pb2.WatchlistChanged) -> list[str]:
    measured = f"{inner.model_id}, factor {inner.factor:.2f}" if inner.factor else inner.model_id
    changes = [f"{each.field}: {each.before or '–'} → {each.after or '–'}" for each in inner.changes]
    return [*filter(None, [measured]), *changes]


_EVENT_IDS: Final = ("list_id", "entry_id", "import_id", "suppression_id")
_EVENT_WORDS: Final[Mapping[str, Callable[[Any], list[str]]]] = {
    "watchlist_changed": _changed_words,
    "watchlist_imported": _imported_words,
    "watchlist_exported": _exported_words,
    "watchlist_searched": _searched_words,
}
