"""The auditor's desk: queries of the log, results page by page, and one screening's whole history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response

from borderpost.console import events
from borderpost.console.case_view import enum_name
from borderpost.console.pages import Page, Route, text_of, texts_of
from borderpost.console.sessions import Notice
from borderpost.proofs.checkpoints import open_checkpoint, parse_checkpoint
from borderpost.proofs.notes import NoteError, Verifier, split_note
from borderpost.proofs.tree import verify_inclusion
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import is_id, new_id, to_timestamp
from borderpost.v1 import decisions_pb2 as pb
from borderpost.v1 import gateway_pb2, transparency_pb2, types_pb2

PAGE_SIZE: Final = 50
TIMELINE: Final = 500
"""Events of one screening's history that are shown, the newest."""

TEXTS: Final = (
    "reason",
    "kiosk_id",
    "crossing",
    "visit_id",
    "request_id",
    "actor",
    "subject",
    "list_id",
    "entry_id",
)
"""Fields of a query that are filled in as they are."""

KINDS: Final = tuple(name.removeprefix("EVENT_KIND_") for name in pb.EventKind.keys()[1:])
OUTCOMES: Final = ("CLEAR", "REFER", "RETAKE")
FORMATS: Final = ("JSONL", "CSV", "PARQUET")
MOST_DIGITS: Final = 18
"""Of an event's place in the log, which has 64 bits."""

TIME: Final = "%Y-%m-%dT%H:%M"
"""As browsers write it (HTML, local date and time); it is UTC."""


async def _desk(page: Page) -> Response:
    if not page.session.may(Role.AUDITOR):
        raise HTTPException(403)
    query = page.session.queries.get(page.request.query_params.get("query", ""), pb.QueryEventsRequest())
    return page.show("audit.html", **_builder(page, query), formats=FORMATS, verified=None)


def _builder(page: Page, query: pb.QueryEventsRequest) -> dict[str, Any]:
    """What the query builder is filled with."""
    return {
        "filled": filled(query),
        "kinds": KINDS,
        "outcomes": OUTCOMES,
        "texts": TEXTS,
        "purpose": page.session.audit_purpose,
    }


def filled(query: pb.QueryEventsRequest) -> Mapping[str, Any]:
    """Return a query as its form shows it."""
    times = {
        name: getattr(query, name).ToDatetime().strftime(TIME) if query.HasField(name) else ""
        for name in ("from", "until")
    }
    return {
        **times,
        **{name: getattr(query, name) for name in TEXTS},
        "kinds": [enum_name(pb.EventKind, kind, "EVENT_KIND_") for kind in query.kinds],
        "outcomes": [enum_name(types_pb2.Outcome, outcome, "OUTCOME_") for outcome in query.outcomes],
        "document_code": query.document.document_code,
        "issuing_state": query.document.issuing_state,
        "number": query.document.number,
    }


def query_of(form: FormData) -> pb.QueryEventsRequest:
    """Read a query from its form. Raises HTTPException for what no browser sends."""
    query = pb.QueryEventsRequest(page_size=PAGE_SIZE)
    for name in ("from", "until"):
        text = text_of(form, name, 40)
        if text:
            try:
                time = datetime.strptime(text[:16], TIME).replace(tzinfo=UTC)
            except ValueError:
                raise HTTPException(400) from None
            getattr(query, name).CopyFrom(to_timestamp(time))
    for name in TEXTS:
        setattr(query, name, text_of(form, name, 200))
    query.reason = query.reason.upper()
    try:
        query.kinds.extend(pb.EventKind.Value(f"EVENT_KIND_{kind}") for kind in texts_of(form, "kinds"))
        query.outcomes.extend(
            types_pb2.Outcome.Value(f"OUTCOME_{name}") for name in texts_of(form, "outcomes")
        )
    except ValueError:
        raise HTTPException(400) from None
    number = text_of(form, "number", 40).upper()
    if number:
        query.document.document_code = text_of(form, "document_code", 2).upper()
        query.document.issuing_state = text_of(form, "issuing_state", 3).upper()
        query.document.number = number
    return query


async def _query(page: Page) -> Response:
    """Keep a query in the session, so that no document's number is ever in an address."""
    form = await page.form()
    if not keep_purpose(page, form):
        return page.go("/audit", Notice("notice.purpose_needed", bad=True))
    name = new_id()
    page.session.queries[name] = query_of(form)
    return page.go(f"/audit/results/{name}")


def keep_purpose(page: Page, form: FormData) -> bool:
    """Keep the purpose that a form states; whether there is one now."""
    said = text_of(form, "purpose", 400)
    if said:
        page.session.audit_purpose = said
    return bool(page.session.audit_purpose)


async def _results(page: Page) -> Response:
    name = page.request.path_params["query"]
    query = page.session.queries.get(name)
    if query is None or not page.session.audit_purpose:
        return page.go("/audit", Notice("notice.query_gone", bad=True))
    asked = pb.QueryEventsRequest()
    asked.CopyFrom(query)
    asked.page_token = page.request.query_params.get("after", "")
    answer = await page.ask(page.gateway.decisions.QueryEvents, asked, page.session.audit_purpose)
    return page.show(
        "audit_results.html",
        lines=[events.line(entry, page.words) for entry in answer.entries],
        query=name,
        first=not asked.page_token,
        next=answer.next_page_token,
        chips=_chips(query, page),
        purpose=page.session.audit_purpose,
        formats=FORMATS,
    )


def _chips(query: pb.QueryEventsRequest, page: Page) -> list[tuple[str, str]]:
    """Say what a query asks for. Not which document: that stays in its form."""
    shown = []
    for name, value in filled(query).items():
        if value and name not in ("document_code", "issuing_state", "number"):
            words = (
                value if isinstance(value, str) else ", ".join(_option(name, each, page) for each in value)
            )
            shown.append((page.words(f"query.{name}"), words))
    if query.HasField("document"):
        shown.append((page.words("query.document"), "•••"))
    return shown


def _option(name: str, value: str, page: Page) -> str:
    return (
        page.words.named("outcome", value) if name == "outcomes" else page.words.named("event", value.lower())
    )


async def _timeline(page: Page, **more: Any) -> Response:
    """One screening's history: everything about it, and who looked; oldest first."""
    screening = page.request.path_params["event_id"]
    if not is_id(screening):
        raise HTTPException(404)
    if not page.session.audit_purpose:
        return page.show("audit_purpose.html", next=f"/audit/screenings/{screening}")
    query = pb.QueryEventsRequest(subject=screening, page_size=TIMELINE)
    answer = await page.ask(page.gateway.decisions.QueryEvents, query, page.session.audit_purpose)
    if not answer.entries:
        raise HTTPException(404)
    erasures = await _erasures(page, screening)
    entries = sorted([*answer.entries, *erasures], key=lambda entry: entry.index)
    bodies = [entry.event for entry in entries if entry.event.HasField("traveler_screened")]
    return page.show(
        "audit_screening.html",
        **{"replay": None, "proof": None, **more},
        screening=screening,
        screened=bodies[0].traveler_screened if bodies else None,
        lines=[events.line(entry, page.words) for entry in entries],
        more=bool(answer.next_page_token),
        purpose=page.session.audit_purpose,
    )


async def _state_purpose(page: Page) -> Response:
    form = await page.form()
    back = text_of(form, "next", 200)
    if not keep_purpose(page, form) or not back.startswith("/audit/"):
        return page.go("/audit", Notice("notice.purpose_needed", bad=True))
    return page.go(back)


async def _replay(page: Page) -> Response:
    form = await page.form()
    request = gateway_pb2.ReplayScreeningRequest(
        kiosk_id=text_of(form, "kiosk_id", 200), request_id=text_of(form, "request_id", 64)
    )
    answer = await page.ask(page.gateway.gateway.ReplayScreening, request, page.session.audit_purpose)
    return await _timeline(page, replay=_replayed(answer, page))


def _replayed(answer: gateway_pb2.ReplayScreeningResponse, page: Page) -> dict[str, Any]:
    said = page.words
    return {
        "same": answer.same,
        "policy": answer.policy,
        "from": said.named("replay_from", answer.computed_from),
        "recorded": said.named("outcome", enum_name(types_pb2.Outcome, answer.recorded_outcome, "OUTCOME_")),
        "replayed": said.named("outcome", enum_name(types_pb2.Outcome, answer.replayed_outcome, "OUTCOME_")),
        "recorded_reasons": [said.reason(code) for code in answer.recorded_reasons],
        "replayed_reasons": [said.reason(code) for code in answer.replayed_reasons],
        "checks": [said.named("check", name) for name in answer.differing_checks],
        "scores": [
            (
                said.named("replay_step", score.step),
                f"{score.recorded:.6f}",
                f"{score.replayed:.6f}",
                score.same,
            )
            for score in answer.scores
        ],
        "not_computed": said.named("replay_scores", answer.scores_not_computed)
        if answer.scores_not_computed
        else "",
    }


async def _prove(page: Page) -> Response:
    """Prove an event: checked here, on the console, against a checkpoint that the log has signed."""
    form = await page.form()
    index = text_of(form, "index", MOST_DIGITS)
    if not (index.isascii() and index.isdecimal()):
        raise HTTPException(400)
    proof = await inclusion(page, int(index))
    return await _timeline(page, proof=proof)


async def inclusion(page: Page, index: int) -> Mapping[str, Any]:
    """Get the proof that an event is in the log, and check it."""
    transparency = page.gateway.transparency
    made = await page.ask(transparency.GetCheckpoint, transparency_pb2.GetCheckpointRequest(make=True))
    try:
        keys = [Verifier.parse(key) for key in made.verifier_keys]
        origin = parse_checkpoint(split_note(made.checkpoint)[0]).origin
        signed = open_checkpoint(made.checkpoint, keys, origin)
    except NoteError:
        return {"holds": False, "index": index}
    request = transparency_pb2.GetInclusionProofRequest(index=index, size=signed.size)
    answer = await page.ask(transparency.GetInclusionProof, request)
    return {
        "holds": verify_inclusion(answer.leaf_sha256, index, signed.size, answer.hashes, signed.root),
        "index": index,
        "size": signed.size,
        "origin": signed.origin,
        "leaf": answer.leaf_sha256.hex(),
        "hashes": [each.hex() for each in answer.hashes],
        "checkpoint": made.checkpoint,
        "keys": list(made.verifier_keys),
    }


async def _erasures(page: Page, event_id: str) -> list[pb.LogEntry]:
    """The newest erasures that were of a screening: they are of several at once, so that they are about none alone."""
    asked = pb.QueryEventsRequest(kinds=[pb.EVENT_KIND_DATA_ERASED], page_size=TIMELINE)
    answer = await page.ask(page.gateway.decisions.QueryEvents, asked, page.session.audit_purpose)
    return [entry for entry in answer.entries if event_id in entry.event.data_erased.screening_event_ids]


ROUTES: Final = (
    Route("/audit", _desk),
    Route("/audit/query", _query, "POST"),
    Route("/audit/purpose", _state_purpose, "POST"),
    Route("/audit/results/{query}", _results),
    Route("/audit/screenings/{event_id}", _timeline),
    Route("/audit/screenings/{event_id}/replay", _replay, "POST"),
    Route("/audit/screenings/{event_id}/proof", _prove, "POST"),
)
