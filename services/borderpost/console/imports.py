"""Files of entries: read, compared with what the list has, shown, proposed, and applied by a second person."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from borderpost.console.gateway import LONG_SECONDS
from borderpost.console.lists import END_OF_DAY, an_import
from borderpost.console.pages import Page, Route, refusal, text_of
from borderpost.console.sessions import Notice
from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import Defaults
from borderpost.exchange.files import FORMATS, Source
from borderpost.exchange.resuming import Notes
from borderpost.exchange.sending import Importer, Order
from borderpost.runtime.calls import Role
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.status import RemoteError
from borderpost.v1 import watchlist_pb2 as pb

Answer = TypeVar("Answer")

BY_ENDING: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""The format of a file whose name says it."""


class PageDesk:
    """The gateway for code that waits: an importer reads and sends in a thread, as the person of a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._loop = asyncio.get_running_loop()
        self.watchlist: Any = page.gateway.watchlist
        self.gateway: Any = page.gateway.gateway

    def ask(self, method: Callable[..., Answer], request: Any, seconds: float) -> Answer:
        """Call a method of one of the stubs. Raises RemoteError."""
        asked = self._page.ask(method, request, seconds=seconds)
        answer: Answer = asyncio.run_coroutine_threadsafe(asked, self._loop).result()
        return answer


async def _upload(page: Page) -> Response:
    list_id, form = page.request.path_params["list_id"], await page.form()
    back, file = f"/lists/{list_id}", form.get("file")
    source, kind, until = text_of(form, "source", 200), text_of(form, "kind", 10), text_of(form, "until", 10)
    if not isinstance(file, UploadFile) or not file.size or not source:
        return page.go(back, Notice("notice.import_incomplete", bad=True))
    kind = kind or BY_ENDING.get(Path(file.filename or "").suffix.lower(), "")
    if kind not in FORMATS:
        return page.go(back, Notice("notice.import_incomplete", bad=True))
    try:
        end = datetime.combine(date.fromisoformat(until), END_OF_DAY) if until else None
    except ValueError:
        return page.go(back, Notice("notice.date_wrong", bad=True))
    order = Order(list_id, source, text_of(form, "complete", 3) == "yes", (kind, until))
    defaults = Defaults(end, text_of(form, "reason_code", 64))
    content, desk = await file.read(), PageDesk(page)
    try:
        taken = await run_in_threadpool(send, desk, content, kind, order, defaults)
    except RemoteError as error:
        return page.failed(error, back)
    except BorderpostError as error:
        return page.go(
            back, Notice("notice.refused", {"what": error.message, "reason": error.reason}, bad=True)
        )
    return page.go(f"/lists/{list_id}/imports/{taken.import_id}")


def send(desk: PageDesk, content: bytes, kind: str, order: Order, defaults: Defaults) -> pb.Import:
    """Send a file's rows to the list; nothing of it counts yet. Raises BorderpostError."""
    with tempfile.TemporaryDirectory(prefix="borderpost-import-") as folder:
        # Pictures that a row names by a path can't come this way: the folder is empty.
        empty = Path(folder, "pictures")
        empty.mkdir()
        with Source(io.BytesIO(content), kind, Choices(empty, defaults)) as opened:
            facts = opened.facts()
            importer = Importer(desk, Notes(Path(folder), facts.sha256), order)
            return importer.send(opened, facts, lambda _: None)


async def _show(page: Page) -> Response:
    list_id, import_id = page.request.path_params["list_id"], page.request.path_params["import_id"]
    watchlist, manages = page.gateway.watchlist, page.session.may(Role.LIST_MANAGER)
    answer = await page.ask(watchlist.GetImport, pb.GetImportRequest(import_id=import_id))
    kept = getattr(answer, "import")  # a keyword, so it is got by name
    trouble: dict[str, str] = {}
    if kept.state == pb.IMPORT_STATE_STAGING and manages:
        asked = pb.FinishImportRequest(import_id=import_id, skip_errors=True, dry_run=True)
        try:
            kept = getattr(await page.ask(watchlist.FinishImport, asked, seconds=LONG_SECONDS), "import")
        except RemoteError as error:
            trouble = dict(refusal(page.words, error))
    return page.show(
        "import.html",
        kept=an_import(kept, page),
        list_id=list_id,
        errors=[
            {
                "row": each.row,
                "field": each.field,
                "said": page.words.reason(each.reason),
                "message": each.message,
            }
            for each in answer.errors
        ],
        more=bool(answer.next_page_token),
        trouble=trouble,
        may_manage=manages,
        may_approve=page.session.may(Role.APPROVER),
    )


async def _step(page: Page, method: Any, request: Any, notice: str) -> Response:
    list_id, import_id = page.request.path_params["list_id"], page.request.path_params["import_id"]
    here = f"/lists/{list_id}/imports/{import_id}"
    try:
        await page.ask(method, request, seconds=LONG_SECONDS)
    except RemoteError as error:
        return page.failed(error, here)
    return page.go(f"/lists/{list_id}" if notice == "notice.import_dropped" else here, Notice(notice))


async def _propose(page: Page) -> Response:
    form = await page.form()
    request = pb.FinishImportRequest(
        import_id=page.request.path_params["import_id"], skip_errors=text_of(form, "skip", 3) == "yes"
    )
    return await _step(page, page.gateway.watchlist.FinishImport, request, "notice.import_proposed")


async def _approve(page: Page) -> Response:
    form = await page.form()
    page.want_fresh(form, page.request.url.path.removesuffix("/approve"))
    request = pb.ApproveImportRequest(import_id=page.request.path_params["import_id"])
    return await _step(page, page.gateway.watchlist.ApproveImport, request, "notice.import_applied")


async def _drop(page: Page) -> Response:
    await page.form()
    request = pb.CancelImportRequest(import_id=page.request.path_params["import_id"])
    return await _step(page, page.gateway.watchlist.CancelImport, request, "notice.import_dropped")


ROUTES: Final = (
    Route("/lists/{list_id}/import", _upload, "POST"),
    Route("/lists/{list_id}/imports/{import_id}", _show),
    Route("/lists/{list_id}/imports/{import_id}/propose", _propose, "POST"),
    Route("/lists/{list_id}/imports/{import_id}/approve", _approve, "POST"),
    Route("/lists/{list_id}/imports/{import_id}/drop", _drop, "POST"),
)
