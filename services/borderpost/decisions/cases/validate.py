"""One check per request, at the edge: "field: got X, want Y", without ever repeating what a field holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from borderpost.runtime.clock import is_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.cases_pb2 import (
    CaseState,
    CorrectFindingRequest,
    EscalateCaseRequest,
    GiveFindingRequest,
    ListCasesRequest,
    RecordFirstLookRequest,
)
from borderpost.v1.decisions_pb2 import CandidateFinding, Disposition, FindingVerdict

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 500
MAX_NOTE: Final = 2000
MAX_REASONS: Final = 20
MAX_CANDIDATES: Final = 10_000
MAX_TEXT: Final = 200

_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def list_cases(request: ListCasesRequest) -> None:
    """Check which cases are wanted."""
    for state in request.states:
        _want(state in CaseState.values() and state != 0, "states", "one that is unknown", "states of a case")
    _want(len(request.crossing) <= MAX_TEXT, "crossing", f"{len(request.crossing)} characters", "at most 200")
    if request.reason:
        _reason("reason", request.reason)
    fits = request.page_size <= MAX_PAGE
    _want(fits, "page_size", str(request.page_size), f"1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}")


def case_id(text: str) -> None:
    """Check a case's id."""
    _want(is_id(text), "case_id", f"{len(text)} characters", "a UUIDv7 in canonical text form")


def escalate(request: EscalateCaseRequest) -> None:
    """Check an escalation."""
    case_id(request.case_id)
    _reason("reason", request.reason)


def record_first_look(request: RecordFirstLookRequest) -> None:
    """Check a first look as far as that needs no screening."""
    case_id(request.case_id)
    _candidates(request.candidates)


def give_finding(request: GiveFindingRequest) -> None:
    """Check a finding as far as that needs no screening."""
    case_id(request.case_id)
    _verdict("document", request.document)
    _candidates(request.candidates)
    known = request.disposition in Disposition.values() and request.disposition != 0
    _want(known, "disposition", "none that is known", "what becomes of the traveler")
    _want(len(request.reasons) <= MAX_REASONS, "reasons", str(len(request.reasons)), f"at most {MAX_REASONS}")
    for reason in request.reasons:
        _reason("reasons", reason)
    length = len(request.note)
    _want(length <= MAX_NOTE, "note", f"{length} characters", f"at most {MAX_NOTE:,}")


def correct_finding(request: CorrectFindingRequest) -> None:
    """Check a correction: a whole finding that says why."""
    _want(request.HasField("finding"), "finding", "none", "the finding that is to stand")
    give_finding(request.finding)
    _want(bool(request.finding.reasons), "finding.reasons", "none", "at least one: why it is corrected")


def _candidates(candidates: Sequence[CandidateFinding]) -> None:
    count = len(candidates)
    _want(count <= MAX_CANDIDATES, "candidates", str(count), f"at most {MAX_CANDIDATES:,}")
    for each in candidates:
        named = 0 < len(each.list_id) <= MAX_TEXT and 0 < len(each.entry_id) <= MAX_TEXT
        _want(named, "candidates", "one without list or entry", "both")
        _verdict("candidates.verdict", each.verdict)
        _want(not each.first_look, "candidates.first_look", "one", "none: the log sets it")


def _verdict(field: str, verdict: int) -> None:
    _want(verdict in FindingVerdict.values() and verdict != 0, field, "none that is known", "a verdict")


def _reason(field: str, text: str) -> None:
    fits = _REASON.fullmatch(text) is not None
    _want(fits, field, f"{len(text)} characters", "UPPER_SNAKE, at most 64")


def _want(holds: bool, field: str, got: str, want: str) -> None:
    if not holds:
        raise InvalidRequestError(f"{field}: got {got}, want {want}", field=field)
