"""Watchlists: what each is for, how often it alarms falsely, its entries, and what waits for a second person."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as clock_time
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from borderpost.console import case_view, faces
from borderpost.console.cases import Face, eyes_of
from borderpost.console.pages import Page, Route, text_of
from borderpost.console.sessions import Notice
from borderpost.console.traffic import reckoned_with, traffic
from borderpost.console.words import Words
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.status import RemoteError
from borderpost.v1 import gateway_pb2, types_pb2
from borderpost.v1 import watchlist_pb2 as pb

CATEGORIES: Final = ("SECURITY", "WANTED", "MISSING_OR_VULNERABLE", "IMMIGRATION", "DOCUMENT")
PAGE_SIZE: Final = 50
MOST_PICTURES: Final = 4
"""Of an entry that are kept; of the fifth on only templates would be."""

APPROVAL: Final = "Approval of a watchlist entry"
"""The purpose for which an approver looks at its pictures."""

KEEPING: Final = "Keeping of a watchlist"
"""The purpose for which those who keep a list look at an entry that is on it already."""

RETENTION_DAYS: Final = 30
"""Of a list that is made here: one person's withdrawal shall not erase at once."""

END_OF_DAY: Final = clock_time(23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Alarm:
    """How often a list alarms falsely. `kept`: whether its target is held."""

    model: str
    threshold: str
    rate: str
    per_day: str
    kept: bool


async def _lists(page: Page) -> Response:
    answer = await page.ask(page.gateway.watchlist.ListWatchlists, pb.ListWatchlistsRequest())
    known = await traffic(page)
    travelers = reckoned_with(page, known)
    return page.show(
        "lists.html",
        lists=[_summary(status, travelers, page.words) for status in answer.watchlists],
        travelers=travelers,
        traffic=known,
        may_make=page.session.may(Role.LIST_MANAGER),
        categories=CATEGORIES,
        draft=page.draft("/lists"),
    )


def _summary(status: pb.WatchlistStatus, travelers: int, said: Words) -> dict[str, Any]:
    of = status.watchlist
    category = case_view.enum_name(pb.WatchlistCategory, of.category, "WATCHLIST_CATEGORY_")
    return {
        "list_id": of.list_id,
        "name": of.name,
        "authority": of.authority,
        "legal_basis": of.legal_basis,
        "category": said.named("category", category),
        "priority": of.priority,
        "instruction": of.handling_instruction,
        "crossings": list(of.crossings),
        "active": said.number(status.active_entries),
        "proposed": status.proposed_entries,
        "ended": said.number(status.ended_entries),
        "version": status.version,
        "changed": status.changed_at,
        "target": per_cent(of.target_fpir),
        "alarms": [alarm(threshold, of.target_fpir, travelers, said) for threshold in status.thresholds],
    }


def alarm(threshold: pb.FaceThreshold, target: float, travelers: int, said: Words) -> Alarm:
    """Say how often a list alarms falsely by face: its target, or what is to be expected where that can't be held."""
    if not threshold.HasField("score"):
        return Alarm(threshold.model_id, said("lists.no_templates"), "–", "–", True)
    rate = target
    if not threshold.target_supported:
        rate = threshold.expected_fpir if threshold.HasField("expected_fpir") else 1.0
    return Alarm(
        threshold.model_id,
        f"{threshold.score:.3f}",
        per_cent(rate),
        _per_day(rate * travelers, said),
        threshold.target_supported,
    )


def _per_day(count: float, said: Words) -> str:
    if count >= 1:
        return said("lists.a_day", count=said.number(round(count)))
    return said("lists.every_days", days=said.number(round(1 / count))) if count > 0 else said("lists.never")


def per_cent(rate: float) -> str:
    """Write a rate in per cent, to three figures."""
    return f"{100 * rate:.3g} %"


async def _make(page: Page) -> Response:
    form = await page.form()
    target = _number(text_of(form, "target", 10)) / 100
    category = text_of(form, "category", 40)
    watchlist = pb.Watchlist(
        list_id=new_id(),
        name=text_of(form, "name", 100),
        authority=text_of(form, "authority", 200),
        legal_basis=text_of(form, "legal_basis", 500),
        category=pb.WatchlistCategory.Value(f"WATCHLIST_CATEGORY_{category}")
        if category in CATEGORIES
        else 0,  # type: ignore[arg-type]
        priority=int(_number(text_of(form, "priority", 2))),
        handling_instruction=text_of(form, "instruction", 1000),
        target_fpir=target,
        retention_days=RETENTION_DAYS,
        crossings=text_of(form, "crossings", 400).replace(",", " ").split(),
    )
    try:
        asked = pb.CreateWatchlistRequest(watchlist=watchlist)
        await page.ask(page.gateway.watchlist.CreateWatchlist, asked)
    except RemoteError as error:
        page.keep_draft("/lists", form)
        return page.failed(error, "/lists")
    return page.go(f"/lists/{watchlist.list_id}", Notice("notice.list_made"))


async def _change(page: Page) -> Response:
    """Change what is most often changed of a list; the event names every field before and after."""
    list_id, form = page.request.path_params["list_id"], await page.form()
    status = await _status(page, list_id)
    watchlist = status.watchlist
    watchlist.target_fpir = _number(text_of(form, "target", 10)) / 100
    watchlist.priority = int(_number(text_of(form, "priority", 2)))
    watchlist.handling_instruction = text_of(form, "instruction", 1000)
    try:
        await page.ask(page.gateway.watchlist.ChangeWatchlist, pb.ChangeWatchlistRequest(watchlist=watchlist))
    except RemoteError as error:
        return page.failed(error, f"/lists/{list_id}")
    return page.go(f"/lists/{list_id}", Notice("notice.list_changed"))


async def _status(page: Page, list_id: str) -> pb.WatchlistStatus:
    answer = await page.ask(page.gateway.watchlist.ListWatchlists, pb.ListWatchlistsRequest())
    for status in answer.watchlists:
        if status.watchlist.list_id == list_id:
            found: pb.WatchlistStatus = status
            return found
    raise HTTPException(404)


async def _list(page: Page) -> Response:
    list_id = page.request.path_params["list_id"]
    status, watchlist = await _status(page, list_id), page.gateway.watchlist
    waiting: Sequence[pb.Entry] = ()
    entries: Sequence[pb.Entry] = ()
    imports: Sequence[pb.Import] = ()
    following = ""
    if page.session.may(Role.LIST_MANAGER, Role.APPROVER):
        asked = pb.ListEntriesRequest(list_id=list_id, page_size=PAGE_SIZE, proposed=True)
        waiting = (await page.ask(watchlist.ListEntries, asked)).entries
        after = page.request.query_params.get("after", "")
        asked = pb.ListEntriesRequest(list_id=list_id, page_size=PAGE_SIZE, page_token=after)
        answer = await page.ask(watchlist.ListEntries, asked)
        entries, following = answer.entries, answer.next_page_token
        imports = (await page.ask(watchlist.ListImports, pb.ListImportsRequest(list_id=list_id))).imports
    known = await traffic(page)
    travelers = reckoned_with(page, known)
    return page.show(
        "list.html",
        list=_summary(status, travelers, page.words),
        travelers=travelers,
        traffic=known,
        target=f"{100 * status.watchlist.target_fpir:g}",
        waiting=[_entry(entry, page) for entry in waiting],
        entries=[_entry(entry, page) for entry in entries],
        next=following,
        imports=[an_import(each, page) for each in imports],
        may_manage=page.session.may(Role.LIST_MANAGER),
        may_approve=page.session.may(Role.APPROVER),
        draft=page.draft(f"/lists/{list_id}"),
    )


def an_import(kept: pb.Import, page: Page) -> dict[str, Any]:
    """Return an import as pages show it."""
    state = case_view.enum_name(pb.ImportState, kept.state, "IMPORT_STATE_")
    return {
        "import_id": kept.import_id,
        "source": kept.source,
        "state": state,
        "said": page.words.named("import_state", state),
        "complete": kept.complete,
        "by": kept.proposed_by.subject,
        "mine": kept.proposed_by.subject == page.session.name,
        "taken": f"{kept.next_row - 1:,}/{kept.rows:,}",
        "whole": kept.next_row > kept.rows,
        "counts": [
            (name, getattr(kept, name)) for name in ("added", "changed", "unchanged", "removed", "errors")
        ],
        "errors": kept.errors,
        "changes": kept.added + kept.changed + kept.removed > 0,
    }


def _entry(entry: pb.Entry, page: Page) -> dict[str, Any]:
    names = "; ".join(
        " ".join(filter(None, (name.primary_identifier, name.secondary_identifier))) for name in entry.names
    )
    state = case_view.enum_name(pb.EntryState, entry.state, "ENTRY_STATE_")
    return {
        "entry_id": entry.entry_id,
        "names": names,
        "born": case_view.date(entry.birth_date),
        "documents": "; ".join(f"{d.document_code} {d.issuing_state} {d.number}" for d in entry.documents),
        "state": state,
        "said": page.words.named("entry_state", state),
        "until": entry.valid_until,
        "by": entry.proposed_by.subject,
        "approved_by": entry.approved_by.subject,
        "mine": entry.proposed_by.subject == page.session.name,
        "templates": entry.template_count,
        "reason": entry.reason_code,
    }


async def _show_entry(page: Page) -> Response:
    """One entry, with its pictures, for those who keep the list; officers see those of candidates, with the case."""
    if not page.session.may(Role.LIST_MANAGER, Role.APPROVER):
        raise HTTPException(403)
    entry_id = page.request.path_params["entry_id"]
    answer = await page.ask(page.gateway.watchlist.GetEntry, pb.GetEntryRequest(entry_id=entry_id))
    entry = answer.entry
    waits = page.session.may(Role.APPROVER) and entry.state == pb.ENTRY_STATE_PROPOSED
    purpose = APPROVAL if waits else KEEPING
    shown: list[Face] = []
    if entry.picture_count:
        asked = pb.GetPicturesRequest(entry_id=entry_id)
        got = await page.ask(page.gateway.watchlist.GetPictures, asked, purpose)
        eyes = await eyes_of(page, list(got.pictures))
        for picture, at in zip(got.pictures, eyes, strict=True):
            made = await run_in_threadpool(faces.face, picture, at)
            if made is not None:
                address = page.session.hand_over(made.jpeg, time.monotonic())
                shown.append(Face(page.words("face.candidate"), address, made.aligned))
    return page.show(
        "entry.html",
        entry=_entry(entry, page),
        list_id=entry.list_id,
        facts_of=case_view.entry_facts(entry, page.words),
        faces=shown,
        purpose=purpose,
        may_approve=page.session.may(Role.APPROVER),
        may_manage=page.session.may(Role.LIST_MANAGER),
    )


async def _propose(page: Page) -> Response:
    list_id, form = page.request.path_params["list_id"], await page.form()
    back = f"/lists/{list_id}"
    pictures = [
        await each.read() for each in form.getlist("pictures") if isinstance(each, UploadFile) and each.size
    ]
    until = text_of(form, "until", 10)
    entry = pb.Entry(
        entry_id=new_id(),
        list_id=list_id,
        reason_code=text_of(form, "reason_code", 64),
        source_reference=text_of(form, "source", 200),
        sex=text_of(form, "sex", 1).upper(),
    )
    surname, given = text_of(form, "surname", 200), text_of(form, "given", 200)
    if surname:
        entry.names.add(primary_identifier=surname, secondary_identifier=given)
    if text_of(form, "number", 40):
        entry.documents.add(
            document_code=text_of(form, "document_code", 2).upper(),
            issuing_state=text_of(form, "issuing_state", 3).upper(),
            number=text_of(form, "number", 40).upper(),
        )
    try:
        born = text_of(form, "born", 10)
        if born:
            entry.birth_date.CopyFrom(_partial(born))
        entry.valid_until.CopyFrom(end_of_day(until))
    except ValueError:
        return _again(page, form, back, Notice("notice.date_wrong", bad=True))
    asked = gateway_pb2.EnrolEntryRequest(
        entry=entry, pictures=pictures[:MOST_PICTURES], keep_pictures=bool(pictures)
    )
    try:
        await page.ask(page.gateway.gateway.EnrolEntry, asked, seconds=60.0)
    except RemoteError as error:
        page.keep_draft(back, form)
        return page.failed(error, back)
    return page.go(back, Notice("notice.entry_proposed"))


def _again(page: Page, form: FormData, back: str, notice: Notice) -> Response:
    page.keep_draft(back, form)
    return page.go(back, notice)


def end_of_day(text: str) -> Timestamp:
    """Read a day, YYYY-MM-DD, and return its end. Raises ValueError."""
    return to_timestamp(datetime.combine(date.fromisoformat(text), END_OF_DAY))


def _partial(text: str) -> types_pb2.PartialDate:
    """Read a date, YYYY-MM-DD, or a part of it. Raises ValueError."""
    parts = [int(part) for part in text.split("-")]
    if not 1 <= len(parts) <= 3:
        raise ValueError("no date")
    names = ("year", "month", "day")
    return types_pb2.PartialDate(**dict(zip(names, parts, strict=False)))


def _number(text: str) -> float:
    """Read a number; 0, which no field takes, for anything that is none or below it."""
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


async def _approve(page: Page) -> Response:
    list_id, form = page.request.path_params["list_id"], await page.form()
    entry_id = text_of(form, "entry", 64)
    page.want_fresh(form, f"/lists/{list_id}/entries/{entry_id}")
    try:
        await page.ask(page.gateway.watchlist.ApproveEntry, pb.ApproveEntryRequest(entry_id=entry_id))
    except RemoteError as error:
        return page.failed(error, f"/lists/{list_id}")
    return page.go(f"/lists/{list_id}", Notice("notice.entry_approved"))


async def _withdraw(page: Page) -> Response:
    list_id, form = page.request.path_params["list_id"], await page.form()
    entry_id = text_of(form, "entry", 64)
    try:
        await page.ask(page.gateway.watchlist.WithdrawEntry, pb.WithdrawEntryRequest(entry_id=entry_id))
    except RemoteError as error:
        return page.failed(error, f"/lists/{list_id}")
    return page.go(f"/lists/{list_id}", Notice("notice.entry_withdrawn"))


ROUTES: Final = (
    Route("/lists", _lists),
    Route("/lists", _make, "POST"),
    Route("/lists/{list_id}", _list),
    Route("/lists/{list_id}/change", _change, "POST"),
    Route("/lists/{list_id}/propose", _propose, "POST"),
    Route("/lists/{list_id}/approve", _approve, "POST"),
    Route("/lists/{list_id}/withdraw", _withdraw, "POST"),
    Route("/lists/{list_id}/entries/{entry_id}", _show_entry),
)
