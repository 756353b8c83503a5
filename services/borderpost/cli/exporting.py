"""`borderpost audit export` and `borderpost audit verify`: take events out of the log, and check them anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from borderpost.cli import event_filter as by
from borderpost.cli import show
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import AUDITOR, LONG_SECONDS, Person
from borderpost.proofs.bundle import BundleWriter, Header, proof_of
from borderpost.proofs.formats import format_of
from borderpost.proofs.notes import Verifier
from borderpost.proofs.verify import WORDS, Trust, Verdict, verify_export
from borderpost.proofs.witness import kept_checkpoints
from borderpost.runtime.settings import load_settings
from borderpost.v1 import decisions_pb2

EXPORT_SECONDS: Final = 3600.0
"""Longest time for an export: a million events take some minutes."""

As = Annotated[str, typer.Option("--as", help="Your identity.")]


def export(
    file: Annotated[
        Path, typer.Argument(help="Where to: .jsonl, .csv or .parquet; FILE.proof goes beside it.")
    ],
    purpose: Purpose,
    since: by.Since = None,
    until: by.Until = None,
    outcome: by.Outcomes = None,
    kind: by.Kinds = None,
    reason: by.Reason = "",
    kiosk: by.Kiosk = "",
    crossing: by.Crossing = "",
    visit: by.Visit = "",
    request_id: by.RequestId = "",
    officer: by.Officer = "",
    list_id: by.ListId = "",
    candidate: by.Candidate = "",
    document: by.Document = "",
    screening: by.Screening = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    identity: As = AUDITOR,
) -> None:
    """Export events with their proofs; without filters the whole log. No personal data is in them; it is recorded.

    Example: `borderpost audit export log.jsonl --purpose "yearly audit"`
    """
    wanted = by.event_filter(
        since,
        until,
        outcome,
        kind,
        document,
        reason=reason,
        kiosk_id=kiosk,
        crossing=crossing,
        visit_id=visit,
        request_id=request_id,
        actor=officer,
        list_id=list_id,
        entry_id=candidate,
        subject=screening,
    )
    form = decisions_pb2.ExportFormat.Value(f"EXPORT_FORMAT_{format_of(file).upper()}")
    request = decisions_pb2.ExportEventsRequest(filter=wanted, format=form)
    filters = tuple(sorted(field.name for field, _ in wanted.ListFields()))
    with Person(load_settings(), identity, purpose) as auditor:
        chunks = auditor.stream(auditor.decisions.ExportEvents, request, EXPORT_SECONDS)
        header = next(chunks).header
        with BundleWriter(file, _header(header, filters), force) as writer:
            count = _write(writer, chunks)
    proven = "the whole log" if header.complete else "those that fit, each with its proof"
    show.console.print(f"{count:,} events in {file} ({proven}), and what proves them in {proof_of(file)}.")
    show.console.print(f"Check it anywhere: borderpost audit verify {file}")


def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An export. Without: the log where it lies, by the service.")
    ] = None,
    log_key: Annotated[
        list[str] | None,
        typer.Option(
            help="The log's key, as you know it from elsewhere (NAME+HASH+BASE64); may be repeated."
        ),
    ] = None,
    witness: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="The state folder of a witness, with what it has kept."),
    ] = None,
    identity: As = AUDITOR,
    as_json: Json = False,
) -> None:
    """Check the log: an export on its own, offline; or the log where it lies. Exit status 1 if anything is wrong.

    Example: `borderpost audit verify log.jsonl --log-key "$(cat log.vkey)"`
    """
    if file is None:
        _verify_in_place(identity, as_json)
        return
    trust = Trust(
        [Verifier.parse(key) for key in log_key or ()], kept_checkpoints(witness) if witness else ()
    )
    with _progress("checking") as advance:
        verdict = verify_export(file, trust, advance)
    show.emit(as_json, _plain(verdict), lambda: _view(verdict))
    if not verdict.intact:
        raise typer.Exit(1)


def _verify_in_place(identity: str, as_json: bool) -> None:
    with Person(load_settings(), identity) as auditor:
        answer = auditor.ask(
            auditor.decisions.VerifyLog, decisions_pb2.VerifyLogRequest(), seconds=LONG_SECONDS
        )
    show.emit(as_json, answer, lambda: show.verification_view(answer))
    if not answer.intact:
        raise typer.Exit(1)


def _header(header: decisions_pb2.ExportHeader, filters: tuple[str, ...]) -> Header:
    return Header(
        header.checkpoint,
        tuple(header.earlier_checkpoints),
        tuple(header.verifier_keys),
        tuple(header.pruned_ranges),
        header.complete,
        filters,
    )


def _write(writer: BundleWriter, chunks: Iterator[decisions_pb2.ExportEventsResponse]) -> int:
    count = 0
    with _progress("exporting") as advance:
        for chunk in chunks:
            for entry in chunk.entries.entries:
                writer.add(
                    entry.index,
                    entry.stored,
                    entry.leaf_sha256,
                    entry.logged_at.ToJsonString(),
                    entry.inclusion,
                )
            count += len(chunk.entries.entries)
            advance(count)
    return count


class _Advance:
    """Tells a progress bar how many events are done."""

    def __init__(self, progress: Progress, task: object) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, done: int) -> None:
        self._progress.update(self._task, completed=done)  # type: ignore[arg-type] # as add_task gave it


@contextmanager
def _progress(word: str) -> Iterator[_Advance]:
    columns = (TextColumn(word), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=show.console, disable=not show.console.is_terminal, transient=True
    ) as bar:
        yield _Advance(bar, bar.add_task(word, total=None))


def _view(verdict: Verdict) -> Table | Text:
    text = Text()
    if verdict.intact:
        whole = "The log is whole" if verdict.complete else "Each of these events is in the log"
        text.append(whole, style="bold green")
        text.append(
            f": {verdict.events:,} events, under its checkpoint of {verdict.size:,}, log {verdict.origin}."
        )
    else:
        text.append("NOT AS IT WAS WRITTEN", style="bold red")
        total = sum(verdict.counts.values())
        text.append(f": {show.count(total, 'fault')} in {verdict.events:,} events of log {verdict.origin}.")
    if verdict.distrusted_from is not None:
        text.append(f"\nFrom the checkpoint of size {verdict.distrusted_from:,} on the log can't be trusted.")
    if not verdict.complete:
        text.append("\nThis export is a part of the log: what was left out of it can't be seen.")
    if verdict.own_keys:
        text.append(
            "\nChecked with the keys in the export itself: that proves nothing against whoever holds the log's key. "
            "Name the key that you know: --log-key."
        )
    if verdict.witnessed:
        text.append(
            f"\nHeld against {show.count(verdict.witnessed, 'checkpoint')} that the witness has kept."
        )
    for fault in verdict.faults:
        where = f"{fault.first:,}" if fault.first == fault.last else f"{fault.first:,} to {fault.last:,}"
        text.append(f"\n  event {where}: ", style="bold")
        text.append(f"{fault.code}: {WORDS[fault.code]}")
    if sum(verdict.counts.values()) > len(verdict.faults):
        text.append(f"\n  … and {sum(verdict.counts.values()) - len(verdict.faults):,} more")
    return text


def _plain(verdict: Verdict) -> dict[str, object]:
    return {
        "intact": verdict.intact,
        "origin": verdict.origin,
        "size": verdict.size,
        "events": verdict.events,
        "complete": verdict.complete,
        "checked_with_own_keys": verdict.own_keys,
        "witnessed": verdict.witnessed,
        "distrusted_from": verdict.distrusted_from,
        "checked_at": datetime.now(UTC).isoformat(),
        "counts": dict(verdict.counts),
        "faults": [
            {"code": str(fault.code), "first": fault.first, "last": fault.last} for fault in verdict.faults
        ],
    }
