"""From what the services found to the checks of the policy. Pure: the same findings, the same checks.

What is said of a document as a whole (BSI TR-03135, combined) is in `combined`.

Nothing is passed by default: a check is PASSED only where a service said so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from borderpost.gateway import combined
from borderpost.gateway.domain import Findings
from borderpost.policy.domain import Advice, CheckKind, CheckResult, Status
from borderpost.v1 import faces_pb2, types_pb2, watchlist_pb2

_STATUS = {
    types_pb2.CHECK_STATUS_PASSED: Status.PASSED,
    types_pb2.CHECK_STATUS_FAILED: Status.FAILED,
    types_pb2.CHECK_STATUS_UNDETERMINED: Status.UNDETERMINED,
}

DECLINED: Final = "FACE_MATCHING_DECLINED"
"""Of every check of a face: the traveler declined to have theirs matched, and none was looked at."""

SUPPRESSED = ("WATCHLIST_CANDIDATE_SUPPRESSED",)
"""Of a check that passed: it did so in spite of a candidate. Of one that failed: the policy wants that referred."""

MOST_AHEAD: Final = 90.0
"""Seconds by which the state of the lists may be of later than the request: a screening takes up to a minute, and
clocks of hosts differ by up to half of one. What is further ahead tells no age."""

Match: TypeAlias = watchlist_pb2.MatchKind.ValueType

_KNOWN_MATCHES = frozenset(
    {watchlist_pb2.MATCH_KIND_FACE, watchlist_pb2.MATCH_KIND_DOCUMENT, watchlist_pb2.MATCH_KIND_NAME}
)


@dataclass(frozen=True, slots=True)
class ListTerms:
    """What the watchlists' answer is worth.

    `stale`: it is of a state of the lists that is too old for "nobody"; a candidate is one all the same.
    `refer_suppressed`: a candidate refers even if officers have found that the holder of the document isn't the person
    of the entry.
    """

    stale: bool
    refer_suppressed: bool


def is_stale(as_of: datetime | None, at: datetime, most_seconds: float) -> bool:
    """Tell whether a state of the lists, last known to be the database's at `as_of`, was too old at a time."""
    return as_of is None or not -MOST_AHEAD <= (at - as_of).total_seconds() <= most_seconds


def assess(findings: Findings, terms: ListTerms) -> tuple[CheckResult, ...]:
    """Return every check, in the order of `CheckKind`."""
    return (
        _document_optical(findings),
        _document_electronic(findings),
        _face_capture(findings),
        _face_match(findings),
        _liveness(findings),
        _watchlist_face(findings, terms),
        _watchlist_document(findings, terms),
        _watchlist_name(findings, terms),
        _chip_data(findings),
        _of_chip(findings, _verdict(CheckKind.DOCUMENT_CONSISTENT, combined.consistency(findings))),
        _of_chip(findings, _document_combined(findings)),
    )


def _document_optical(findings: Findings) -> CheckResult:
    kind, document = CheckKind.DOCUMENT_OPTICAL, findings.document
    if document is None:
        return _not_checked(kind)
    if document.problems:
        return _retake(kind, Status.UNDETERMINED, document.problems)
    return _verdict(kind, document.optical)


def _document_electronic(findings: Findings) -> CheckResult:
    kind, document = CheckKind.DOCUMENT_ELECTRONIC, findings.document
    return _not_checked(kind) if document is None else _verdict(kind, document.electronic)


def _face_capture(findings: Findings) -> CheckResult:
    kind, live = CheckKind.FACE_CAPTURE, findings.live
    if findings.declined:
        return _declined(kind)
    if live is None:
        return _not_checked(kind)
    if live.problems:
        return _retake(kind, Status.UNDETERMINED, live.problems)
    if not live.HasField("template"):
        return CheckResult(kind, Status.UNDETERMINED, ("NO_TEMPLATE",))
    return CheckResult(kind, Status.PASSED)


def _chip_data(findings: Findings) -> CheckResult:
    kind, document = CheckKind.CHIP_DATA, findings.document
    return _not_checked(kind) if document is None else _verdict(kind, combined.chip_data(document))


def _document_combined(findings: Findings) -> CheckResult:
    return _verdict(CheckKind.DOCUMENT_COMBINED, combined.combined(findings), combined.all_checks(findings))


def _of_chip(findings: Findings, result: CheckResult) -> CheckResult:
    """Say of a check of page, chip and live face together what another picture may mend of page or face."""
    document, live = findings.document, findings.live
    if document is None:
        return _not_checked(result.kind)
    problems = (*document.problems, *(live.problems if live else ()))
    if result.status in (Status.PASSED, Status.FAILED) or not problems:
        return result
    return replace(result, advice=_advice(problems))


def _face_match(findings: Findings) -> CheckResult:
    """Hold the live face against the chip's portrait where the state signed it, otherwise against the page's."""
    kind = CheckKind.FACE_MATCH
    if findings.declined:
        return _declined(kind)
    if findings.live is None or findings.document is None:
        return _not_checked(kind)
    if not findings.live.HasField("template"):
        return _retake(kind, Status.NOT_PERFORMED, findings.live.problems, "NO_LIVE_TEMPLATE")
    signed = combined.chip_data(findings.document).status == types_pb2.CHECK_STATUS_PASSED
    if signed and findings.chip_comparison is not None:
        return _matched(kind, findings.chip_comparison)
    if not findings.document.portrait:
        return _retake(kind, Status.NOT_PERFORMED, findings.document.problems, "PORTRAIT_NOT_FOUND")
    if findings.portrait is None:
        return _not_checked(kind)
    if not findings.portrait.HasField("template"):
        return _retake(kind, Status.NOT_PERFORMED, findings.document.problems, "PORTRAIT_NOT_USABLE")
    if findings.comparison is None:
        return _not_checked(kind)
    return _matched(kind, findings.comparison)


def _matched(kind: CheckKind, comparison: faces_pb2.CompareResponse) -> CheckResult:
    if combined.contradicts_itself(comparison):
        return CheckResult(kind, Status.UNDETERMINED, ("ANSWER_CONTRADICTS_ITSELF",))
    status = _STATUS.get(comparison.status, Status.NOT_PERFORMED)
    reasons = {Status.FAILED: ("FACE_NOT_THE_DOCUMENTS",), Status.UNDETERMINED: ("FMR_NOT_SUPPORTED",)}
    return CheckResult(kind, status, reasons.get(status, ()))


def _liveness(findings: Findings) -> CheckResult:
    kind, live = CheckKind.LIVENESS, findings.live
    if findings.declined:
        return _declined(kind)
    if live is None:
        return _not_checked(kind)
    status = _STATUS.get(live.liveness.status, Status.NOT_PERFORMED)
    reasons = (f"LIVENESS_{status}", *live.liveness.reasons)
    return CheckResult(kind, status, () if status is Status.PASSED else reasons)


def _watchlist_face(findings: Findings, terms: ListTerms) -> CheckResult:
    kind, match = CheckKind.WATCHLIST_FACE, watchlist_pb2.MATCH_KIND_FACE
    live_problems = findings.live.problems if findings.live else ()
    reasons, note = _suppressible(findings, match, terms, "WATCHLIST_CANDIDATE_BY_FACE")
    settled = _settled(findings, (kind, match), reasons, live_problems, terms)
    if settled is not None:
        return settled
    if findings.declined:
        return _declined(kind)
    if findings.live is None:
        return _not_checked(kind)
    if not findings.live.HasField("template"):
        return _retake(kind, Status.NOT_PERFORMED, live_problems, "NO_LIVE_TEMPLATE")
    if not _was_searched_by(findings, match):
        return CheckResult(kind, Status.NOT_PERFORMED, ("WATCHLISTS_HOLD_ANOTHER_MODEL",))
    return CheckResult(kind, Status.PASSED, note)


def _watchlist_document(findings: Findings, terms: ListTerms) -> CheckResult:
    match = watchlist_pb2.MATCH_KIND_DOCUMENT
    found, suppressed = _candidates(findings, match)
    # A listed document is listed whoever holds it: it is never suppressed.
    listed = [*found, *suppressed]
    reasons = dict.fromkeys(
        "WATCHLIST_DOCUMENT_SIMILAR" if _is_similar(candidate) else "WATCHLIST_CANDIDATE_BY_DOCUMENT"
        for candidate in sorted(listed, key=_is_similar)
    )
    asked = findings.identity.document.number if findings.identity else ""
    by = (CheckKind.WATCHLIST_DOCUMENT, match)
    return _watchlist_text(findings, by, (tuple(reasons), ()), (asked, "NO_DOCUMENT_NUMBER"), terms)


def _watchlist_name(findings: Findings, terms: ListTerms) -> CheckResult:
    match = watchlist_pb2.MATCH_KIND_NAME
    found = _suppressible(findings, match, terms, "WATCHLIST_CANDIDATE_BY_NAME")
    asked = findings.identity.primary_identifier if findings.identity else ""
    return _watchlist_text(findings, (CheckKind.WATCHLIST_NAME, match), found, (asked, "NO_NAME"), terms)


def _suppressible(
    findings: Findings, match: Match, terms: ListTerms, reason: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the reasons of candidates by `match`, and what is to be noted of those that are none to refer."""
    found, suppressed = _candidates(findings, match)
    reasons, note = (reason,) if found else (), SUPPRESSED if suppressed else ()
    return (reasons or note, ()) if terms.refer_suppressed else (reasons, note)


def _watchlist_text(
    findings: Findings,
    by: tuple[CheckKind, Match],
    found: tuple[tuple[str, ...], tuple[str, ...]],
    asked: tuple[str, str],
    terms: ListTerms,
) -> CheckResult:
    """Assess a search by what the page says.

    `found`: the reasons of candidates, and what is to be noted of those that are none to refer. `asked`: by what was
    searched, and the reason where there was nothing to search by.
    """
    problems = findings.document.problems if findings.document else ()
    reasons, note = found
    settled = _settled(findings, by, reasons, problems, terms)
    if settled is not None:
        return settled
    kind, match = by
    if findings.document is None:
        return _not_checked(kind)
    text, nothing = asked
    if _was_searched_by(findings, match) and text:
        return CheckResult(kind, Status.PASSED, note)
    return _retake(kind, Status.NOT_PERFORMED, problems, nothing)


def _settled(
    findings: Findings,
    by: tuple[CheckKind, Match],
    reasons: tuple[str, ...],
    problems: Sequence[types_pb2.CaptureProblem],
    terms: ListTerms,
) -> CheckResult | None:
    """Assess a search as far as its answer alone says what it comes to: whenever that isn't "nobody"."""
    kind, match = by
    if findings.watchlists is None:
        return _no_search(kind, findings, problems)
    if not findings.watchlists.results:
        return _no_lists(kind)
    if _was_searched_by(findings, match) and _has_left_out(findings.watchlists):
        reasons = (*reasons, "WATCHLIST_CANDIDATES_LEFT_OUT")
    if reasons:
        return CheckResult(kind, Status.FAILED, reasons)
    if terms.stale:
        return CheckResult(kind, Status.NOT_PERFORMED, ("WATCHLISTS_STALE",))
    return None


def _was_searched_by(findings: Findings, match: Match) -> bool:
    return findings.watchlists is not None and match in findings.watchlists.searched_by


def _has_left_out(searched: watchlist_pb2.SearchResponse) -> bool:
    """Tell whether there are candidates that the answer had no room for: by what, and if suppressed, is unknown."""
    return any(result.candidates_left_out for result in searched.results)


def _no_search(
    kind: CheckKind, findings: Findings, problems: Sequence[types_pb2.CaptureProblem]
) -> CheckResult:
    """The lists were not searched: because the service failed, or because there was nothing to search by."""
    skipped = any(
        step.name == "search_watchlists" and step.status == types_pb2.STEP_STATUS_SKIPPED
        for step in findings.steps
    )
    if skipped and problems:
        return _retake(kind, Status.NOT_PERFORMED, problems, "NOTHING_TO_SEARCH_BY")
    return _not_checked(kind)


def _no_lists(kind: CheckKind) -> CheckResult:
    """There is no list at all: a lost database, or an installation that nobody has finished. Not "nobody"."""
    return CheckResult(kind, Status.NOT_PERFORMED, ("NO_WATCHLISTS",))


def _candidates(
    findings: Findings, match: Match
) -> tuple[list[watchlist_pb2.Candidate], list[watchlist_pb2.Candidate]]:
    """Return the candidates by `match`, or by a kind that this version doesn't know: those that count, and the
    suppressed ones, which officers have found to be somebody else."""
    found: list[watchlist_pb2.Candidate] = []
    suppressed: list[watchlist_pb2.Candidate] = []
    results = findings.watchlists.results if findings.watchlists else ()
    for candidate in (candidate for result in results for candidate in result.candidates):
        if candidate.kind == match and candidate.HasField("suppressed"):
            suppressed.append(candidate)
        elif candidate.kind == match or candidate.kind not in _KNOWN_MATCHES:
            found.append(candidate)
    return found, suppressed


def _is_similar(candidate: watchlist_pb2.Candidate) -> bool:
    """Tell whether a document's number is not the listed one, but could be a misreading of it."""
    return candidate.HasField("number") and not candidate.number.exact


def _verdict(
    kind: CheckKind, verdict: types_pb2.Verdict, rests_on: Sequence[types_pb2.Check] | None = None
) -> CheckResult:
    """Turn a verdict into a check. `rests_on` are the checks behind it, where they are not the verdict's own."""
    status = _STATUS[combined.status_of(verdict)]
    if status is Status.PASSED:
        return CheckResult(kind, status)
    reasons = combined.reasons_of(verdict) or [f"{kind}_{status}"]
    unsure = combined.is_merely_unsure(verdict.checks if rests_on is None else rests_on)
    return CheckResult(kind, status, tuple(reasons), merely_unsure=unsure)


def _retake(
    kind: CheckKind, status: Status, problems: Sequence[types_pb2.CaptureProblem], reason: str | None = None
) -> CheckResult:
    reasons = (reason,) if reason else tuple(problem.code for problem in problems)
    return CheckResult(kind, status, reasons, _advice(problems))


def _advice(problems: Sequence[types_pb2.CaptureProblem]) -> tuple[Advice, ...]:
    return tuple(Advice(problem.code, problem.advice) for problem in problems)


def _declined(kind: CheckKind) -> CheckResult:
    return CheckResult(kind, Status.NOT_PERFORMED, (DECLINED,))


def _not_checked(kind: CheckKind) -> CheckResult:
    return CheckResult(kind, Status.NOT_PERFORMED, (f"{kind}_NOT_CHECKED",))
