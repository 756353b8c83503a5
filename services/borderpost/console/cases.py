"""A case: what was found, side by side; taking it, giving it back, and saying what one finds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from borderpost.console import case_view, faces
from borderpost.console.matches import Match, in_fair_order, matches
from borderpost.console.pages import Page, Route, text_of, texts_of
from borderpost.console.sessions import Notice
from borderpost.runtime.calls import Role
from borderpost.runtime.status import RemoteError
from borderpost.v1 import cases_pb2, decisions_pb2, faces_pb2, types_pb2, watchlist_pb2

REVIEW: Final = "Review of the referral"
"""The purpose for which whoever holds a case looks at it."""

PURPOSES: Final = {
    "before_taking": (Role.OFFICER, Role.SUPERVISOR),
    "supervision": (Role.SUPERVISOR,),
    "audit": (Role.AUDITOR,),
    "other": (Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR),
}
"""What somebody who doesn't hold a case looks at it for, and whose purpose that can be."""

VERDICTS: Final = ("SAME_PERSON", "NOT_SAME_PERSON", "CANNOT_TELL")
DISPOSITIONS: Final = ("PROCEED", "SECOND_LINE", "HANDED_OVER")
FINDING_REASONS: Final = (
    "FACES_COMPARED",
    "PICTURE_TOO_POOR",
    "DOCUMENT_EXAMINED",
    "DATA_DIFFER",
    "TRAVELER_INTERVIEWED",
    "OTHER_SYSTEM_CHECKED",
    "CAPTURE_AT_FAULT",
)
ESCALATIONS: Final = ("NOT_MINE_TO_DECIDE", "SECOND_OPINION", "TOO_LITTLE_TIME", "CONFLICT_OF_INTEREST")
FINDERS: Final = (Role.OFFICER, Role.SUPERVISOR)
SETTLERS: Final = (Role.SUPERVISOR,)
MOST_ENTRIES: Final = 12
"""Candidates whose entries and pictures are got with the case; the others are named without."""

MOST_BESIDE: Final = 2
"""Pictures of one entry beside the traveler; the entry's own page shows all."""

MOST_HELD: Final = 500
EYES_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Face:
    """A face on the page: what it is, where its picture is, and whether it could be aligned."""

    title: str
    address: str
    aligned: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A match with what its entry says, and its pictures beside the traveler's face."""

    match: Match
    facts: list[tuple[str, str]]
    beside: Face | None
    faces: list[Face]
    look: str


async def _show(page: Page) -> Response:
    case_id = page.request.path_params["case_id"]
    purpose = page.session.purposes.get(case_id)
    if purpose is None or (purpose == REVIEW and not await _holds(page, case_id)):
        return page.show(
            "case_purpose.html",
            case_id=case_id,
            purposes=_purposes(page),
            may_take=page.session.may(*FINDERS) and "closed" not in page.request.query_params,
        )
    request = cases_pb2.GetCaseRequest(case_id=case_id, with_evidence=True)
    answer = await page.ask(page.gateway.cases.GetCase, request, purpose)
    return page.show("case.html", **await _values(page, answer, purpose))


async def _holds(page: Page, case_id: str) -> bool:
    """Whether the case is this person's now: only then they look at it for its review."""
    asked = cases_pb2.ListCasesRequest(mine=True, page_size=MOST_HELD)
    answer = await page.ask(page.gateway.cases.ListCases, asked)
    return case_id in {case.case_id for case in answer.cases}


def _purposes(page: Page) -> list[str]:
    return [purpose for purpose, roles in PURPOSES.items() if page.session.may(*roles)]


async def _values(page: Page, answer: cases_pb2.GetCaseResponse, purpose: str) -> dict[str, Any]:
    case, screening, payload = answer.case, answer.screening, answer.screening.payload
    said, session = page.words, page.session
    found = matches(payload.watchlists, said)
    entries = await _entries(page, [match for match in found if not match.suppressed][:MOST_ENTRIES], purpose)
    looks = {f"{each.list_id}:{each.entry_id}": _verdict_name(each.verdict) for each in answer.own_look}
    shown, document, candidates = await _pictures(page, screening.evidence, found, entries, looks)
    asked = {each.match.key for each in candidates if each.match.has_face and not each.match.suppressed}
    closed = case.state == cases_pb2.CASE_STATE_CLOSED
    lists = {result.watchlist.list_id: result.watchlist.name for result in payload.watchlists}
    path = f"/cases/{case.case_id}"
    return {
        "case": case_view.row(case, session.name, page.console.clock.now(), said),
        "request_id": case.request_id,
        "event": screening.entry,
        "has_payload": screening.HasField("payload"),
        "faces": shown,
        "left_out": list(screening.evidence.left_out),
        "document_page": document,
        "candidates": candidates,
        "suppressed": [match for match in found if match.suppressed],
        "more_candidates": sum(result.candidates_left_out for result in payload.watchlists),
        "hidden": answer.opinion_withheld,
        "asked": asked,
        "holds": bool(case.holder) and case.holder == session.name,
        "may_take": not closed
        and not case.holder
        and session.may(*(SETTLERS if case.state == cases_pb2.CASE_STATE_ESCALATED else FINDERS))
        and session.name not in {given.officer for given in answer.findings},
        "may_audit": session.may(Role.AUDITOR),
        "closed": closed,
        "may_correct": closed
        and session.may(Role.SUPERVISOR)
        and session.name not in {given.officer for given in answer.findings},
        "rectifications": list(screening.rectifications),
        "person": case_view.person(payload.mrz, said) if payload.HasField("mrz") else [],
        "mrz": case_view.marked_lines(payload.mrz, said) if payload.HasField("mrz") else [],
        "warnings": [said.reason(code) for code in payload.mrz.warnings],
        "verdicts": case_view.verdicts(payload, said),
        "checks": case_view.checks(
            [
                check
                for check in screening.entry.event.traveler_screened.checks
                if not (screening.HasField("payload") and check.name.startswith("DOCUMENT_"))
            ],  # the verdicts on the document say more
            "check",
            said,
        ),
        "comparisons": case_view.comparisons(payload, said),
        "liveness": payload.liveness,
        "liveness_status": case_view.enum_name(
            types_pb2.CheckStatus, payload.liveness.status, "CHECK_STATUS_"
        ),
        "qualities": [
            (name, case_view.quality(measures, said))
            for name, measures in (
                ("live", payload.live_quality),
                ("portrait", payload.portrait_quality),
                ("chip", payload.chip_portrait_quality),
            )
            if measures
        ],
        "patterns": case_view.patterns(payload.patterns, said),
        "findings": [
            {
                "officer": given.officer,
                "time": given.time,
                "note": given.payload.note,
                "correction": given.correction,
                **case_view.finding(given.finding, lists, said),
            }
            for given in answer.findings
        ],
        "closing": case_view.finding(case.finding, lists, said) if case.HasField("finding") else None,
        "versions": case_view.versions(screening.entry.event.traveler_screened.versions, said),
        "draft": page.draft(path),
        "verdict_choices": VERDICTS,
        "dispositions": DISPOSITIONS,
        "finding_reasons": FINDING_REASONS,
        "escalations": ESCALATIONS,
        "purpose": purpose,
    }


Entries = Mapping[str, tuple[watchlist_pb2.Entry | None, Sequence[bytes]]]


async def _entries(page: Page, found: Sequence[Match], purpose: str) -> Entries:
    """Get entries and their pictures. One that may not be seen, or is gone by now, is shown without."""
    if not page.session.may(*FINDERS):
        return {}
    got = await asyncio.gather(*(_entry(page, match, purpose) for match in found))
    return dict(zip((match.key for match in found), got, strict=True))


async def _entry(
    page: Page, match: Match, purpose: str
) -> tuple[watchlist_pb2.Entry | None, Sequence[bytes]]:
    watchlist = page.gateway.watchlist
    try:
        answer = await page.ask(watchlist.GetEntry, watchlist_pb2.GetEntryRequest(entry_id=match.entry_id))
        if not (match.has_face and answer.entry.picture_count):
            return answer.entry, ()
        asked = watchlist_pb2.GetPicturesRequest(entry_id=match.entry_id)
        pictures = await page.ask(watchlist.GetPictures, asked, purpose)
    except RemoteError:
        return None, ()
    return answer.entry, pictures.pictures[:MOST_BESIDE]


async def _pictures(
    page: Page,
    evidence: decisions_pb2.ScreeningEvidence,
    found: Sequence[Match],
    entries: Entries,
    looks: Mapping[str, str],
) -> tuple[list[Face], str, list[Candidate]]:
    """Make every picture ready for the page: the traveler's faces, the document's page, and the candidates."""
    live = list(evidence.live_frames)
    own = [
        (name, picture)
        for name, picture in (("portrait", evidence.portrait), ("chip", evidence.chip_portrait))
        if picture
    ]
    listed = [(key, picture) for key, (_, pictures) in entries.items() for picture in pictures]
    eyes = await eyes_of(page, [*live, *(picture for _, picture in own), *(picture for _, picture in listed)])
    if live:  # of several frames the one that shows the face largest
        best = faces.nearest(eyes[: len(live)])
        own, eyes = [("live", live[best]), *own], [eyes[best], *eyes[len(live) :]]
    made = await run_in_threadpool(
        lambda: [faces.face(picture, at) for (_, picture), at in zip([*own, *listed], eyes, strict=True)]
    )
    travelers = {name: shown for (name, _), shown in zip(own, made, strict=False) if shown is not None}
    of: dict[str, list[faces.Shown]] = {}
    for (key, _), shown in zip(listed, made[len(own) :], strict=True):
        if shown is not None:
            of.setdefault(key, []).append(shown)
    document = await run_in_threadpool(faces.page, evidence.page) if evidence.page else None
    return (
        [_face(page, name, shown) for name, shown in travelers.items()],
        page.session.hand_over(document, time.monotonic()) if document else "",
        _candidates(page, found, entries, of, travelers.get("live") or travelers.get("portrait"), looks),
    )


def _candidates(
    page: Page,
    found: Sequence[Match],
    entries: Entries,
    pictures: Mapping[str, Sequence[faces.Shown]],
    traveler: faces.Shown | None,
    looks: Mapping[str, str],
) -> list[Candidate]:
    seed = page.session.seed + "".join(match.entry_id for match in found)
    return [
        Candidate(
            match,
            _facts(entries.get(match.key), page),
            _face(page, "traveler", traveler) if traveler and pictures.get(match.key) else None,
            [_face(page, "candidate", shown) for shown in pictures.get(match.key, ())],
            looks.get(match.key, ""),
        )
        for match in in_fair_order([match for match in found if not match.suppressed], seed)
    ]


def _face(page: Page, name: str, shown: faces.Shown) -> Face:
    return Face(
        page.words(f"face.{name}"), page.session.hand_over(shown.jpeg, time.monotonic()), shown.aligned
    )


def _facts(
    entry: tuple[watchlist_pb2.Entry | None, Sequence[bytes]] | None, page: Page
) -> list[tuple[str, str]]:
    return case_view.entry_facts(entry[0], page.words) if entry and entry[0] is not None else []


async def eyes_of(page: Page, pictures: Sequence[bytes]) -> list[faces_pb2.Eyes]:
    """Find the eyes of pictures. Without the faces service they are shown as they are."""
    found: list[faces_pb2.Eyes] = []
    for at in range(0, len(pictures), EYES_AT_ONCE):
        some = pictures[at : at + EYES_AT_ONCE]
        try:
            answer = await page.ask(page.gateway.faces.LocateEyes, faces_pb2.LocateEyesRequest(pictures=some))
            found += answer.eyes
        except RemoteError:
            found += [faces_pb2.Eyes()] * len(some)
    return found


async def _state_purpose(page: Page) -> Response:
    case_id, form = page.request.path_params["case_id"], await page.form()
    chosen, words = text_of(form, "purpose"), text_of(form, "words", 400)
    if chosen not in _purposes(page) or (chosen == "other" and not words):
        return page.go(f"/cases/{case_id}", Notice("notice.purpose_missing", bad=True))
    page.session.purposes[case_id] = words if chosen == "other" else _PURPOSE_TEXTS[chosen]
    return page.go(f"/cases/{case_id}")


_PURPOSE_TEXTS: Final = {
    "before_taking": "Looked at before taking the referral",
    "supervision": "Supervision of referrals",
    "audit": "Audit of referrals",
}
"""How the log says them, whatever the language of the page."""


async def _claim(page: Page) -> Response:
    case_id = page.request.path_params["case_id"]
    await page.form()
    try:
        await page.ask(page.gateway.cases.ClaimCase, cases_pb2.ClaimCaseRequest(case_id=case_id))
    except RemoteError as error:
        return page.failed(error, "/queue")
    page.session.purposes[case_id] = REVIEW
    return page.go(f"/cases/{case_id}")


async def _release(page: Page) -> Response:
    case_id = page.request.path_params["case_id"]
    await page.form()
    try:
        await page.ask(page.gateway.cases.ReleaseCase, cases_pb2.ReleaseCaseRequest(case_id=case_id))
    except RemoteError as error:
        return page.failed(error, "/queue")
    page.session.purposes.pop(case_id, None)  # whoever looks again says why
    return page.go("/queue", Notice("notice.released"))


async def _escalate(page: Page) -> Response:
    case_id, form = page.request.path_params["case_id"], await page.form()
    request = cases_pb2.EscalateCaseRequest(case_id=case_id, reason=text_of(form, "reason"))
    try:
        await page.ask(page.gateway.cases.EscalateCase, request)
    except RemoteError as error:
        return page.failed(error, f"/cases/{case_id}")
    page.session.purposes.pop(case_id, None)
    return page.go("/queue", Notice("notice.escalated"))


async def _look(page: Page) -> Response:
    """The officer's own first look: what they see, before they are shown what the system makes of it."""
    case_id, form = page.request.path_params["case_id"], await page.form()
    request = cases_pb2.RecordFirstLookRequest(case_id=case_id, candidates=_candidate_findings(form, "look:"))
    try:
        await page.ask(page.gateway.cases.RecordFirstLook, request)
    except RemoteError as error:
        return page.failed(error, f"/cases/{case_id}")
    return page.go(f"/cases/{case_id}")


async def _give_finding(page: Page) -> Response:
    case_id, form = page.request.path_params["case_id"], await page.form()
    page.want_fresh(form, f"/cases/{case_id}")
    request = finding_request(case_id, form)
    if request is None:
        page.keep_draft(f"/cases/{case_id}", form)
        return page.go(f"/cases/{case_id}", Notice("notice.finding_incomplete", bad=True))
    try:
        answer = await page.ask(page.gateway.cases.GiveFinding, request)
    except RemoteError as error:
        page.keep_draft(f"/cases/{case_id}", form)
        return page.failed(error, f"/cases/{case_id}")
    page.session.purposes.pop(case_id, None)
    state = case_view.enum_name(cases_pb2.CaseState, answer.case.state, "CASE_STATE_")
    return page.go(
        "/queue",
        Notice(f"notice.found_{state}" if page.words.has(f"notice.found_{state}") else "notice.found"),
    )


async def _correct(page: Page) -> Response:
    """Put another finding in the place of the one that a closed case stands on."""
    case_id, form = page.request.path_params["case_id"], await page.form()
    back = f"/cases/{case_id}"
    page.want_fresh(form, back)
    finding = finding_request(case_id, form)
    if finding is None or not finding.reasons:
        page.keep_draft(back, form)
        return page.go(back, Notice("notice.finding_incomplete", bad=True))
    try:
        request = cases_pb2.CorrectFindingRequest(finding=finding)
        await page.ask(page.gateway.cases.CorrectFinding, request)
    except RemoteError as error:
        page.keep_draft(back, form)
        return page.failed(error, back)
    return page.go(back, Notice("notice.corrected"))


def finding_request(case_id: str, form: FormData) -> cases_pb2.GiveFindingRequest | None:
    """Read a finding from its form; None if something was left open."""
    document, disposition = text_of(form, "document"), text_of(form, "disposition")
    candidates = _candidate_findings(form, "candidate:")
    said = {f"{each.list_id}:{each.entry_id}" for each in candidates}
    if document not in VERDICTS or disposition not in DISPOSITIONS or set(texts_of(form, "key")) != said:
        return None
    return cases_pb2.GiveFindingRequest(
        case_id=case_id,
        document=_verdict(document),
        candidates=candidates,
        disposition=decisions_pb2.Disposition.Value(f"DISPOSITION_{disposition}"),
        reasons=[reason for reason in texts_of(form, "reason") if reason in FINDING_REASONS],
        note=text_of(form, "note"),
    )


def _candidate_findings(form: FormData, prefix: str) -> list[decisions_pb2.CandidateFinding]:
    """Read what was said of candidates; those of whom nothing was said are left out."""
    said = {name.removeprefix(prefix): text_of(form, name) for name in form if name.startswith(prefix)}
    return [
        decisions_pb2.CandidateFinding(
            list_id=key.partition(":")[0], entry_id=key.partition(":")[2], verdict=_verdict(verdict)
        )
        for key, verdict in said.items()
        if verdict in VERDICTS
    ]


def _verdict_name(verdict: int) -> str:
    return case_view.enum_name(decisions_pb2.FindingVerdict, verdict, "FINDING_VERDICT_")


def _verdict(name: str) -> decisions_pb2.FindingVerdict.ValueType:
    return decisions_pb2.FindingVerdict.Value(f"FINDING_VERDICT_{name}")


ROUTES: Final = (
    Route("/cases/{case_id}", _show),
    Route("/cases/{case_id}/purpose", _state_purpose, "POST"),
    Route("/cases/{case_id}/claim", _claim, "POST"),
    Route("/cases/{case_id}/release", _release, "POST"),
    Route("/cases/{case_id}/escalate", _escalate, "POST"),
    Route("/cases/{case_id}/look", _look, "POST"),
    Route("/cases/{case_id}/finding", _give_finding, "POST"),
    Route("/cases/{case_id}/correct", _correct, "POST"),
)
