"""How the record of a screening looks to an officer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.show_matches import candidate_blocks
from borderpost.cli.show_patterns import pattern_words
from borderpost.v1 import decisions_pb2, documents_pb2, types_pb2, watchlist_pb2

_VERDICT_WORDS: Final = {"PASSED": "passed", "FAILED": "failed", "UNDETERMINED": "undetermined"}

_LIST_CHECKS: Final = "WATCHLIST_"
"""How the names of checks begin that fail by finding somebody: nothing went wrong with them."""

_CLONE_WORDS: Final = {
    "PROVEN": "proven: it signed our nonce with its own key",
    "REFUTED": "refuted: its signature is wrong",
    "UNVERIFIED": "unverified: it has a key, and nobody here has seen it used",
    "COULD_BE_A_CLONE": "could be a clone: it has no protection against being copied",
}


def record_view(record: decisions_pb2.GetScreeningResponse) -> Table:
    """Show what an officer may see of a screening."""
    screening = record.entry.event.traveler_screened
    rows = show.pairs()
    rows.add_row("request", screening.request_id)
    rows.add_row("visit", f"{screening.visit_id}, attempt {screening.attempt}")
    where = show.name_of(types_pb2.Direction, screening.direction, "DIRECTION_").lower()
    rows.add_row("where and when", f"{screening.kiosk_id}, {where}, {show.when(record.entry.logged_at)} UTC")
    rows.add_row("log entry", str(record.entry.index))
    rows.add_row("outcome", show.outcome(screening.outcome))
    rows.add_row(
        "reasons", show.reasons(screening.reasons) if screening.reasons else "every required check passed"
    )
    if screening.tolerated:
        rows.add_row("tolerated", show.reasons(screening.tolerated))
    rows.add_row("checks", _checks(screening.checks))
    if record.HasField("payload"):
        _add_payload(rows, record.payload)
        if record.payload.patterns:
            rows.add_row("seen lately", pattern_words(record.payload.patterns))
    else:
        rows.add_row("personal data", "erased, or never there")
    for each in record.rectifications:
        rows.add_row("rectified", f"{each.statement}\n{each.by}, {show.when(each.time)} UTC")
    rows.add_row("in force", _in_force(screening.versions))
    return rows


def _in_force(versions: decisions_pb2.Versions) -> str:
    trust = f", trust store at version {versions.trust_store}" if versions.trust_store else ""
    as_of = (
        f" as of {show.when(versions.watchlists_as_of)} UTC" if versions.HasField("watchlists_as_of") else ""
    )
    return (
        f"{versions.software}, policy {versions.policy}, lists at version {versions.watchlists}{as_of}{trust}, "
        f"{versions.model_id or 'no face model'}"
    )


def _add_payload(rows: Table, payload: decisions_pb2.ScreeningPayload) -> None:
    if payload.HasField("mrz"):
        _add_mrz(rows, payload.mrz)
    for name, verdict in (
        ("page", payload.optical),
        ("chip", payload.electronic),
        ("page and chip", payload.consistency),
    ):
        if verdict.checks:
            rows.add_row(name, verdict_words(verdict))
    if payload.HasField("chip"):
        _add_chip(rows, payload.chip)
    if payload.HasField("liveness"):
        rows.add_row("liveness", show.liveness_words(payload.liveness))
    for name, made, comparison in (
        ("live and portrait", payload.HasField("comparison"), payload.comparison),
        ("live and chip", payload.HasField("chip_comparison"), payload.chip_comparison),
        ("portrait and chip", payload.HasField("portraits_comparison"), payload.portraits_comparison),
    ):
        if made:
            rows.add_row(name, show.comparison_words(comparison))
    for result in payload.watchlists:
        _add_candidates(rows, result)


def _add_candidates(rows: Table, result: watchlist_pb2.ListResult) -> None:
    for block in candidate_blocks(result):
        rows.add_row("candidate", block)
    if result.candidates_left_out:
        more = show.count(result.candidates_left_out, "candidate")
        rows.add_row("not shown", f"{more} more of list “{result.watchlist.name}”")


def _add_mrz(rows: Table, mrz: documents_pb2.Mrz) -> None:
    rows.add_row("document", "\n".join(mrz.lines))
    rows.add_row("check digits", _check_digit_words(mrz.check_digits))
    for repair in mrz.repairs:
        basis = documents_pb2.RepairBasis.Name(repair.basis).removeprefix("REPAIR_BASIS_").lower()
        was = getattr(repair, "from")  # a keyword, so it is got by name
        rows.add_row(
            "repaired", f"{repair.field}, character {repair.position + 1}: {was} → {repair.to}, {basis}"
        )


def _check_digit_words(digits: Iterable[documents_pb2.CheckDigit]) -> str:
    fields: dict[documents_pb2.CheckDigitStatus.ValueType, list[str]] = {}
    for digit in digits:
        fields.setdefault(digit.status, []).append(digit.field)
    refuted = fields.get(documents_pb2.CHECK_DIGIT_STATUS_REFUTED)
    absent = fields.get(documents_pb2.CHECK_DIGIT_STATUS_ABSENT)
    words = f"wrong: {', '.join(refuted)}" if refuted else "all verified"
    return f"{words}; there is none of {', '.join(absent)}" if absent else words


def _add_chip(rows: Table, chip: documents_pb2.ChipReading) -> None:
    state = show.name_of(documents_pb2.CloneProtection, chip.clone_protection, "CLONE_PROTECTION_")
    rows.add_row("clone protection", _CLONE_WORDS.get(state, state.lower()))
    if chip.HasField("signer"):
        signer = chip.signer
        by = f"{signer.country}, {signer.algorithm}"
        csca = f"CSCA {signer.csca_sha256.hex()[:16]}…" if signer.csca_sha256 else "its CSCA is not trusted"
        rows.add_row("chip signed by", f"{by}; {csca}")


def verdict_words(verdict: types_pb2.Verdict) -> Text:
    """Say what a verdict is, what failed, and what was not checked."""
    status = _status(verdict.status)
    text = Text(_VERDICT_WORDS.get(status, status.lower()), style=show.STATUS_COLOURS.get(status, ""))
    for check in verdict.checks:
        status = _status(check.status)
        if status != "PASSED":
            said = f"\n{check.name}: {status.replace('_', ' ').lower()}"
            text.append(said, style=show.STATUS_COLOURS.get(status, ""))
            text.append(f" ({', '.join(check.reasons)})" if check.reasons else "")
    return text


def _checks(checks: Iterable[types_pb2.Check]) -> Text:
    text = Text()
    for check in checks:
        status = _status(check.status)
        text.append("\n" if text else "")
        text.append(f"{check.name:<20}")
        text.append(status.replace("_", " ").lower(), style=show.STATUS_COLOURS[status])
        if status == "FAILED" and check.name.startswith(_LIST_CHECKS):
            left_out = list(check.reasons) == ["WATCHLIST_CANDIDATES_LEFT_OUT"]
            text.append(" (there may be a candidate)" if left_out else " (a candidate was found)")
        if status == "PASSED" and check.reasons:  # it passed in spite of something
            text.append(f" ({', '.join(check.reasons)})")
    return text


def _status(status: types_pb2.CheckStatus.ValueType) -> str:
    return show.name_of(types_pb2.CheckStatus, status, "CHECK_STATUS_")
