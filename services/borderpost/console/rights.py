"""The desk for the rights of the people in the log: what is held of somebody, a copy of it, and its erasure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response

from borderpost.console import case_view
from borderpost.console.case_view import enum_name
from borderpost.console.gateway import LONG_SECONDS
from borderpost.console.pages import Page, Route, refusal, text_of, texts_of
from borderpost.console.sessions import Notice
from borderpost.console.words import Words
from borderpost.runtime.calls import Role
from borderpost.runtime.status import RemoteError
from borderpost.v1 import decisions_pb2, subjects_pb2, types_pb2

PROOFS: Final = ("document_seen", "authority_confirmed", "representative")
"""How somebody has proven who they are."""

BASES: Final = ("SUBJECT_REQUEST", "UNLAWFUL", "COURT_ORDER")
DAY_SECONDS: Final = 86_400
MOST_COPIED: Final = 100
"""Screenings of one copy: each is decrypted and recorded."""


async def _show(page: Page) -> Response:
    retention = await page.ask(page.gateway.subjects.GetRetention, subjects_pb2.GetRetentionRequest())
    return page.show(
        "rights.html", retention=_retention(retention, page), proofs=PROOFS, draft=page.draft("/rights")
    )


def _retention(answer: subjects_pb2.GetRetentionResponse, page: Page) -> dict[str, Any]:
    return {
        "rules": answer.rules,
        "applied": answer.last_applied if answer.HasField("last_applied") else None,
        "classes": [_class(each, page.words) for each in answer.classes],
    }


def _class(held: subjects_pb2.HeldClass, said: Words) -> dict[str, Any]:
    days = max(1, held.keep_seconds // DAY_SECONDS)
    return {
        "name": said.named("data_class", held.data_class),
        "outcome": _outcome(held.outcome, said) if held.outcome else "",
        "sampled": held.sampled,
        "held": said.number(held.held),
        "keep": said.count("rights.days", days) if held.keep_seconds else said("rights.not_kept"),
        "from": said.named("counted_from", held.counted_from) if held.keep_seconds else "",
        "overdue": held.overdue,
    }


def _outcome(value: int, said: Words) -> str:
    return said.named("outcome", enum_name(types_pb2.Outcome, value, "OUTCOME_"))


def _document(form: FormData) -> types_pb2.DocumentKey:
    return types_pb2.DocumentKey(
        document_code=text_of(form, "document_code", 2).upper(),
        issuing_state=text_of(form, "issuing_state", 3).upper(),
        number=text_of(form, "number", 40).upper(),
    )


def _purpose(form: FormData) -> str:
    """The purpose as the log keeps it: the request, and how the person has proven who they are. Empty if one is
    missing."""
    request, proof = text_of(form, "request", 200), text_of(form, "proof", 40)
    return f"{request}; identity: {proof.replace('_', ' ')}" if request and proof in PROOFS else ""


async def _find(page: Page) -> Response:
    form = await page.form()
    purpose, document = _purpose(form), _document(form)
    if not purpose or not document.number:
        page.keep_draft("/rights", form)
        return page.go("/rights", Notice("notice.rights_incomplete", bad=True))
    return await _found(page, document, purpose, form)


async def _found(
    page: Page,
    document: types_pb2.DocumentKey,
    purpose: str,
    form: FormData,
    chosen: Sequence[str] = (),
    said: str = "",
) -> Response:
    """Show what is held. `chosen` and `said`: what was chosen and written before, if that is still to be done."""
    request = subjects_pb2.FindSubjectRequest(document=document)
    answer = await page.ask(page.gateway.subjects.FindSubject, request, purpose)
    return page.show(
        "rights_found.html",
        document=document,
        request=text_of(form, "request", 200),
        proof=text_of(form, "proof", 40),
        purpose=purpose,
        screenings=[
            {
                "event_id": each.event_id,
                "time": each.time,
                "crossing": each.crossing,
                "outcome": page.words.named(
                    "outcome", enum_name(types_pb2.Outcome, each.outcome, "OUTCOME_")
                ),
                "payload": each.payload_held,
                "evidence": each.evidence_held,
            }
            for each in answer.screenings
        ],
        more=answer.more,
        bases=BASES,
        statement=said,
        chosen=chosen,
        may_erase=page.session.may(Role.SUPERVISOR),
    )


async def _copy(page: Page) -> Response:
    """Everything that is held, as a file for the person (Directive (EU) 2016/680, article 14)."""
    form = await page.form()
    page.want_fresh(form, "/rights")
    purpose, document = _purpose(form), _document(form)
    if not purpose or not document.number:
        return page.go("/rights", Notice("notice.rights_incomplete", bad=True))
    request = subjects_pb2.FindSubjectRequest(document=document)
    found = await page.ask(page.gateway.subjects.FindSubject, request, purpose)
    buffer = io.BytesIO()
    told = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, each in enumerate(found.screenings[:MOST_COPIED], 1):
            asked = decisions_pb2.GetScreeningRequest(request_id=each.request_id, with_evidence=True)
            screening = await page.ask(page.gateway.decisions.GetScreening, asked, purpose)
            pictures = _put(archive, f"{number:03}", screening)
            told.append(_told(screening, pictures, page.words))
        archive.writestr("read-me.html", _read_me(page, document, told))
    headers = {"Content-Disposition": 'attachment; filename="borderpost-copy.zip"'}
    return Response(buffer.getvalue(), media_type="application/zip", headers=headers)


def _told(screening: decisions_pb2.GetScreeningResponse, pictures: list[str], said: Words) -> dict[str, Any]:
    """Return a screening as a person can read it."""
    screened, payload = screening.entry.event.traveler_screened, screening.payload
    return {
        "time": screening.entry.event.time,
        "crossing": screened.crossing,
        "outcome": _outcome(screened.outcome, said),
        "reasons": [said.reason(code) for code in screened.reasons],
        "person": case_view.person(payload.mrz, said) if payload.HasField("mrz") else [],
        "statements": [statement.statement for statement in screening.rectifications],
        "pictures": pictures,
    }


def _read_me(page: Page, document: types_pb2.DocumentKey, told: list[dict[str, Any]]) -> str:
    """Write the page that the person begins with, in plain language (Directive (EU) 2016/680, article 12)."""
    template = page.console.templates.get_template("rights_copy.html")
    made = page.console.clock.now().strftime("%Y-%m-%d %H:%M")
    return template.render(t=page.words, document=document, screenings=told, made=made)


def _put(archive: zipfile.ZipFile, folder: str, screening: decisions_pb2.GetScreeningResponse) -> list[str]:
    """Write a screening: the data as text, the pictures as they were sent; return the pictures' names.

    Left out are templates, which nobody can read and anybody could search with; and what the watchlists answered, which
    those who keep them may tell or not (Directive (EU) 2016/680, article 15).
    """
    screening.payload.ClearField("watchlists")
    archive.writestr(f"{folder}/event.json", _json(screening.entry.event))
    for at, statement in enumerate(screening.rectifications, 1):
        archive.writestr(f"{folder}/rectified-{at}.json", _json(statement))
    if screening.payload.schema_version:
        archive.writestr(f"{folder}/data.json", _json(screening.payload))
    evidence = screening.evidence
    pictures = [(f"live-{at}", picture) for at, picture in enumerate(evidence.live_frames, 1)]
    pictures += [
        (name, getattr(evidence, name)) for name in ("page", "portrait_page", "portrait", "chip_portrait")
    ]
    files = {f"{folder}/{name}.{_ending(picture)}": picture for name, picture in pictures if picture}
    for name, picture in files.items():
        archive.writestr(name, picture)
    return list(files)


def _json(message: Message) -> str:
    return str(MessageToJson(message, preserving_proto_field_name=True))


def _ending(picture: bytes) -> str:
    if picture.startswith(b"\x89PNG"):
        return "png"
    return "jpg" if picture.startswith(b"\xff\xd8") else "jp2"


async def _rectify(page: Page) -> Response:
    """Put a statement beside what was chosen: what is wrong, and what is right."""
    form = await page.form()
    page.want_fresh(form, "/rights")
    purpose, chosen, statement = _purpose(form), texts_of(form, "event"), text_of(form, "statement")
    if not (purpose and _document(form).number):
        return page.go("/rights", Notice("notice.rights_incomplete", bad=True))
    if chosen and statement:
        await _want_of(page, _document(form), chosen, purpose)
        request = subjects_pb2.RectifySubjectRequest(event_ids=chosen, statement=statement)
        await page.ask(page.gateway.subjects.RectifySubject, request, purpose)
        page.session.notices.append(Notice("notice.rectified"))
        return await _found(page, _document(form), purpose, form)
    page.session.notices.append(Notice("notice.rectify_incomplete", bad=True))
    return await _found(page, _document(form), purpose, form, chosen, statement)


async def _want_of(page: Page, document: types_pb2.DocumentKey, chosen: Sequence[str], purpose: str) -> None:
    """What was chosen is of the document that the request is about. Raises HTTPException."""
    asked = subjects_pb2.FindSubjectRequest(document=document)
    found = await page.ask(page.gateway.subjects.FindSubject, asked, purpose)
    if not set(chosen) <= {each.event_id for each in found.screenings}:
        raise HTTPException(400)


async def _erase(page: Page) -> Response:
    """Erase what was chosen, and give the receipt for the person."""
    form = await page.form()
    page.want_fresh(form, "/rights")
    purpose, chosen, basis = _purpose(form), texts_of(form, "event"), text_of(form, "basis", 40)
    if not purpose or not chosen or basis not in BASES or text_of(form, "sure", 3) != "yes":
        if purpose and _document(form).number:
            page.session.notices.append(Notice("notice.erase_incomplete", bad=True))
            return await _found(page, _document(form), purpose, form, chosen)
        return page.go("/rights", Notice("notice.rights_incomplete", bad=True))
    await _want_of(page, _document(form), chosen, purpose)
    request = subjects_pb2.EraseSubjectRequest(event_ids=chosen, basis=basis)
    try:
        answer = await page.ask(page.gateway.subjects.EraseSubject, request, purpose, seconds=LONG_SECONDS)
    except RemoteError as error:
        if error.code is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        page.session.notices.append(Notice("notice.refused", refusal(page.words, error), bad=True))
        return await _found(page, _document(form), purpose, form, chosen)
    return page.show("rights_receipt.html", receipt=answer.receipt, screenings=answer.screenings)


ROUTES: Final = (
    Route("/rights", _show),
    Route("/rights/find", _find, "POST"),
    Route("/rights/copy", _copy, "POST"),
    Route("/rights/erase", _erase, "POST"),
    Route("/rights/rectify", _rectify, "POST"),
)
