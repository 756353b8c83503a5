"""A case as its page shows it: plain data out of the gateway's answers, in the officer's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from borderpost.console.matches import comparison_words
from borderpost.console.words import Words
from borderpost.runtime.clock import from_timestamp
from borderpost.v1 import cases_pb2, decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2

FOUND: Final = "FOUND"

UNSURE: Final = 0.8
"""A character that the reader was less sure of is marked."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case in the queue."""

    case_id: str
    priority: int
    waiting: str
    opened: Any
    crossing: str
    kiosk: str
    reasons: tuple[tuple[str, str], ...]
    state: str
    holder: str
    mine: bool
    lease_until: Any
    second: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A check or measure in a table: its name, how it came out, and why."""

    name: str
    status: str
    said: str
    why: tuple[str, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A character of the MRZ. `mark`: "repaired", "refuted", "unsure", or empty; `why` says it in words."""

    char: str
    mark: str = ""
    why: str = ""


def row(case: cases_pb2.Case, me: str, now: datetime, spoken: Words) -> Row:
    """Return a case as the queue shows it."""
    state = enum_name(cases_pb2.CaseState, case.state, "CASE_STATE_")
    until = from_timestamp(case.closed_at) if case.HasField("closed_at") else now
    return Row(
        case_id=case.case_id,
        priority=case.priority,
        waiting=span(until - from_timestamp(case.opened_at), spoken),
        opened=case.opened_at,
        crossing=case.crossing,
        kiosk=case.kiosk_id,
        reasons=tuple((code, spoken.reason(code)) for code in case.reasons),
        state=state,
        holder=case.holder,
        mine=bool(case.holder) and case.holder == me,
        lease_until=case.lease_until if case.HasField("lease_until") else None,
        second=case.second_finding,
    )


def span(time: timedelta, spoken: Words) -> str:
    """Say how long, in its two largest units at most."""
    seconds = max(0, int(time.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days >= 2:
        return spoken("span.days", days=days)
    if hours:
        return spoken("span.hours", hours=hours, minutes=minutes % 60)
    return spoken("span.minutes", minutes=minutes) if minutes else spoken("span.seconds", seconds=seconds)


def enum_name(enum: Any, value: int, prefix: str) -> str:
    """Return the short name of an enum's value; its number if it is newer than this page."""
    return enum.Name(value).removeprefix(prefix) if value in enum.values() else str(value)


def checks(found: Iterable[types_pb2.Check], table: str, spoken: Words) -> list[Line]:
    """Return checks with what their reasons mean."""
    return [
        Line(
            spoken.named(table, check.name),
            _status(check),
            spoken.named("status", _status(check)),
            tuple(spoken.reason(reason) for reason in check.reasons),
            check.name,
        )
        for check in found
    ]


def _status(check: types_pb2.Check) -> str:
    """How a check came out; that somebody was found on a list is no failure of it."""
    name = enum_name(types_pb2.CheckStatus, check.status, "CHECK_STATUS_")
    return FOUND if name == "FAILED" and check.name.startswith("WATCHLIST_") else name


def verdicts(payload: decisions_pb2.ScreeningPayload, spoken: Words) -> list[dict[str, Any]]:
    """Return the verdicts on the document after BSI TR-03135, each with what speaks against it first."""
    named = (
        ("optical", payload.optical),
        ("electronic", payload.electronic),
        ("consistency", payload.consistency),
        ("combined", payload.combined),
    )
    shown = []
    for name, verdict in named:
        if verdict.checks or verdict.status:
            status = enum_name(types_pb2.CheckStatus, verdict.status, "CHECK_STATUS_")
            lines = checks(verdict.checks, "document_check", spoken)
            open_ones = [line for line in lines if line.status != "PASSED"]
            passed = [line for line in lines if line.status == "PASSED"]
            shown.append({"name": name, "status": status, "open": open_ones, "passed": passed})
    return shown


def comparisons(payload: decisions_pb2.ScreeningPayload, spoken: Words) -> list[dict[str, Any]]:
    """Return what the comparisons of faces came to, in words."""
    named = (
        ("comparison", payload.HasField("comparison"), payload.comparison),
        ("chip_comparison", payload.HasField("chip_comparison"), payload.chip_comparison),
        ("portraits_comparison", payload.HasField("portraits_comparison"), payload.portraits_comparison),
    )
    shown = []
    for name, made, comparison in named:
        if made:
            said, numbers = comparison_words(comparison, spoken)
            status = enum_name(types_pb2.CheckStatus, comparison.status, "CHECK_STATUS_")
            shown.append({"name": name, "status": status, "said": said, "numbers": numbers})
    return shown


def quality(measures: Sequence[faces_pb2.QualityMeasure], spoken: Words) -> list[Line]:
    """Return what is wrong with a picture, and nothing if all that was measured is good."""
    return [
        Line(
            spoken.named("quality", measure.component),
            enum_name(types_pb2.CheckStatus, measure.status, "CHECK_STATUS_"),
            str(measure.value) if measure.HasField("value") else "–",
            code=measure.component,
        )
        for measure in measures
        if measure.status != types_pb2.CHECK_STATUS_NOT_PERFORMED
    ]


def marked_lines(mrz: documents_pb2.Mrz, spoken: Words) -> list[list[Mark]]:
    """Return the MRZ character by character, with what was repaired, refuted or unsure."""
    marks: dict[tuple[int, int], tuple[str, str]] = {}
    sure = iter(mrz.character_confidences)
    for line, text in enumerate(mrz.lines):
        for column in range(len(text)):
            confidence = next(sure, 1.0)
            if confidence < UNSURE:
                said = spoken("mrz.unsure", percent=round(100 * confidence))
                marks[line, column] = ("unsure", said)
    for digit in mrz.check_digits:
        if digit.status == documents_pb2.CHECK_DIGIT_STATUS_REFUTED:
            said = spoken("mrz.refuted", field=spoken.named("field", digit.field))
            for place in (digit.digit, *digit.covers):
                for column in range(place.start, place.end):
                    marks[place.line, column] = ("refuted", said)
    for repair in mrz.repairs:
        if repair.HasField("place"):
            was = getattr(repair, "from")  # a keyword, so it is got by name
            said = spoken("mrz.repaired", was=was, now=repair.to)
            marks[repair.place.line, repair.place.start] = ("repaired", said)
    return [
        [Mark(char, *marks.get((line, column), ("", ""))) for column, char in enumerate(text)]
        for line, text in enumerate(mrz.lines)
    ]


def person(mrz: documents_pb2.Mrz, spoken: Words) -> list[tuple[str, str]]:
    """Return what the document says of its holder and itself."""
    said = (
        ("primary_identifier", mrz.primary_identifier),
        ("secondary_identifier", mrz.secondary_identifier),
        ("birth_date", date(mrz.birth_date)),
        ("sex", mrz.sex or "–"),
        ("nationality", mrz.nationality),
        ("document", " ".join(filter(None, (mrz.document.document_code, mrz.document.issuing_state)))),
        ("document_number", mrz.document.number),
        ("expiry_date", date(mrz.expiry_date)),
    )
    return [(spoken.named("field", name), value or "–") for name, value in said]


def date(value: types_pb2.PartialDate) -> str:
    """Write a date; what is unknown of it as X (ICAO 9303-3, 4.8)."""
    year = f"{value.year:04}" if value.HasField("year") else "XXXX"
    month = f"{value.month:02}" if value.HasField("month") else "XX"
    day = f"{value.day:02}" if value.HasField("day") else "XX"
    return "" if (year, month, day) == ("XXXX", "XX", "XX") else f"{year}-{month}-{day}"


def entry_facts(entry: watchlist_pb2.Entry, spoken: Words) -> list[tuple[str, str]]:
    """Return what an entry says of its person."""
    names = [
        " ".join(filter(None, (n.primary_identifier, n.secondary_identifier, n.native))) for n in entry.names
    ]
    documents = [" ".join((d.document_code, d.issuing_state, d.number)) for d in entry.documents]
    said = (
        ("names", "; ".join(names)),
        ("birth_date", date(entry.birth_date)),
        ("sex", entry.sex),
        ("nationality", ", ".join(entry.nationalities)),
        ("documents", "; ".join(documents)),
        ("entry_reason", entry.reason_code),
        ("source", entry.source_reference),
    )
    return [(spoken.named("field", name), value) for name, value in said if value]


def patterns(found: Iterable[decisions_pb2.PatternFinding], spoken: Words) -> list[str]:
    """Say what recent screenings and this one say together."""
    return [
        spoken(
            f"pattern.{each.code}" if spoken.has(f"pattern.{each.code}") else "pattern.other",
            crossing=each.crossing,
            at=from_timestamp(each.at).strftime("%Y-%m-%d %H:%M"),
            count=each.screenings,
        )
        for each in found
    ]


def verdict(value: int, spoken: Words) -> str:
    """Say a verdict."""
    return spoken.named("verdict", enum_name(decisions_pb2.FindingVerdict, value, "FINDING_VERDICT_"))


def finding(given: decisions_pb2.FindingGiven, lists: Mapping[str, str], spoken: Words) -> dict[str, Any]:
    """Return a finding in words."""
    return {
        "document": spoken.named(
            "verdict", enum_name(decisions_pb2.FindingVerdict, given.document, "FINDING_VERDICT_")
        ),
        "lists": [
            (lists.get(each.list_id, each.list_id), verdict(each.verdict, spoken)) for each in given.lists
        ],
        "disposition": spoken.named(
            "disposition", enum_name(decisions_pb2.Disposition, given.disposition, "DISPOSITION_")
        ),
        "reasons": [spoken.named("finding_reason", code) for code in given.reasons],
        "took": span(timedelta(seconds=given.seconds_taken), spoken) if given.seconds_taken else "",
    }


def versions(of: decisions_pb2.Versions, spoken: Words) -> list[tuple[str, str]]:
    """Return what was in force."""
    as_of = (
        from_timestamp(of.watchlists_as_of).strftime("%Y-%m-%d %H:%M:%S")
        if of.HasField("watchlists_as_of")
        else ""
    )
    said = (
        ("software", of.software),
        ("policy", of.policy),
        ("model", of.model_id),
        ("calibration", of.calibration_id),
        ("watchlists", " · ".join(filter(None, (str(of.watchlists or ""), as_of)))),
        ("reader", of.document_reader),
        ("trust_store", str(of.trust_store or "")),
    )
    return [(spoken.named("version", name), value) for name, value in said if value]
