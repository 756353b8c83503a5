"""How cases look to officers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.table import Table

from borderpost.cli import show
from borderpost.cli.options import write_private
from borderpost.runtime.clock import from_timestamp
from borderpost.v1 import cases_pb2, decisions_pb2

VERDICTS: Final = {"same": "SAME_PERSON", "not-same": "NOT_SAME_PERSON", "cannot-tell": "CANNOT_TELL"}
"""How verdicts are written on the command line."""

_VERDICT_WORDS: Final = {
    "SAME_PERSON": "the same person",
    "NOT_SAME_PERSON": "not the same person",
    "CANNOT_TELL": "can't be told",
}
_DISPOSITION_WORDS: Final = {
    "PROCEED": "goes on",
    "SECOND_LINE": "goes to a second line check",
    "HANDED_OVER": "is handed over to another authority",
}
_NEXT: Final = {
    "OPEN": "an officer takes it: borderpost review claim",
    "CLAIMED": "its holder says what they find: borderpost review find",
    "FOUND": "a second officer takes it, and finds without knowing the first one's finding",
    "ESCALATED": "a supervisor takes it and settles it",
    "CLOSED": "nothing: it is closed",
}
_ENDINGS: Final = {b"\xff\xd8": "jpg", b"\x89P": "png", b"\x00\x00": "jp2", b"\xff\x4f": "j2k"}


def cases_view(cases: Iterable[cases_pb2.Case]) -> Table:
    """Show the queue: the most urgent first."""
    rows = show.table("case, and why", "urgency", "waiting", "where", "state", id_column=0)
    for case in cases:
        rows.add_row(
            "\n".join((case.case_id, *case.reasons)),
            str(case.priority),
            _waiting(case),
            case.crossing,
            _state_words(case),
        )
    return rows


def case_view(case: cases_pb2.Case, lists: Mapping[str, str] | None = None) -> Table:
    """Show where a case stands. `lists`: names by id, where they are known."""
    names = lists or {}
    rows = show.pairs()
    rows.add_row("case", case.case_id)
    rows.add_row("state", _state_words(case))
    rows.add_row("next", _NEXT[_state(case)])
    rows.add_row("urgency", f"{case.priority} (1 is the most urgent, 9 the least)")
    rows.add_row(
        "where and when", f"{case.kiosk_id}, {show.when(case.opened_at)} UTC, waiting {_waiting(case)}"
    )
    rows.add_row("request", case.request_id)
    rows.add_row("why", show.reasons(case.reasons))
    if case.list_ids:
        rows.add_row("lists", ", ".join(names.get(list_id, list_id) for list_id in case.list_ids))
    if case.second_finding:
        rows.add_row("officers", "two, each without knowing what the other finds")
    if case.HasField("finding"):
        rows.add_row("finding", finding_words(case.finding, names))
    return rows


def findings_view(findings: Iterable[cases_pb2.GivenFinding], lists: Mapping[str, str]) -> Table:
    """Show findings with who gave them."""
    rows = show.pairs()
    for given in findings:
        text = finding_words(given.finding, lists)
        if given.payload.note:
            text += f"\n“{given.payload.note}”"
        rows.add_row(f"{given.officer}\n{show.when(given.time)} UTC", text)
    return rows


def finding_words(finding: decisions_pb2.FindingGiven, lists: Mapping[str, str]) -> str:
    """Say what was found."""
    lines = [f"holder of the document: {verdict_words(finding.document)}"]
    lines += [
        f"on {lists.get(found.list_id, found.list_id)}: {verdict_words(found.verdict)}"
        for found in finding.lists
    ]
    name = show.name_of(decisions_pb2.Disposition, finding.disposition, "DISPOSITION_")
    lines.append(f"the traveler {_DISPOSITION_WORDS.get(name, name.lower())}")
    if finding.reasons:
        lines.append(", ".join(finding.reasons))
    if finding.seconds_taken:
        lines.append(f"after {_span(timedelta(seconds=finding.seconds_taken))}")
    return "\n".join(lines)


def verdict_words(verdict: decisions_pb2.FindingVerdict.ValueType) -> str:
    """Say a verdict."""
    name = show.name_of(decisions_pb2.FindingVerdict, verdict, "FINDING_VERDICT_")
    return _VERDICT_WORDS.get(name, name.lower())


def list_names(payload: decisions_pb2.ScreeningPayload) -> dict[str, str]:
    """The names of the lists that a screening searched, by their ids."""
    return {found.watchlist.list_id: found.watchlist.name for found in payload.watchlists}


def write_pictures(evidence: decisions_pb2.ScreeningEvidence, folder: Path) -> list[Path]:
    """Write the pictures that are held into a folder, for their reader alone; return the files. OSError."""
    pictures = [(f"live-{number}", frame) for number, frame in enumerate(evidence.live_frames, 1)]
    pictures += [
        (name.replace("_", "-"), getattr(evidence, name))
        for name in ("page", "portrait_page", "portrait", "chip_portrait")
    ]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = []
    for name, picture in pictures:
        if picture:
            path = folder / f"{name}.{_ENDINGS.get(picture[:2], 'bin')}"
            write_private(path, picture)
            written.append(path)
    return written


def _state(case: cases_pb2.Case) -> str:
    return show.name_of(cases_pb2.CaseState, case.state, "CASE_STATE_")


def _state_words(case: cases_pb2.Case) -> str:
    state = _state(case).lower()
    if not case.holder:
        return state
    return f"{state} by {case.holder}, until {show.when(case.lease_until)} UTC"


def _waiting(case: cases_pb2.Case) -> str:
    until = from_timestamp(case.closed_at) if case.HasField("closed_at") else datetime.now(UTC)
    return _span(until - from_timestamp(case.opened_at))


def _span(time: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(time.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
