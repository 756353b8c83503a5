"""The log as a whole: checking it where it lies, and taking events out of it with what proves them."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from borderpost.console.audit import FORMATS, KINDS, OUTCOMES, TEXTS, filled, keep_purpose
from borderpost.console.gateway import LONG_SECONDS, stream
from borderpost.console.pages import Page, Route, text_of
from borderpost.console.sessions import Notice
from borderpost.proofs.bundle import BundleWriter, Header, proof_of
from borderpost.v1 import decisions_pb2 as pb

EXPORT_SECONDS: Final = 3600.0
"""Longest time for an export: a million events take some minutes."""

ENDINGS: Final = {"JSONL": "jsonl", "CSV": "csv", "PARQUET": "parquet"}


async def _verify(page: Page) -> Response:
    await page.form()
    answer = await page.ask(page.gateway.decisions.VerifyLog, pb.VerifyLogRequest(), seconds=LONG_SECONDS)
    verified = {
        "intact": answer.intact,
        "size": answer.size,
        "root": answer.root_sha256.hex(),
        "trusted_until": answer.trusted_until,
        "faults": [
            (fault.index, page.words.named("fault", fault.code), fault.code) for fault in answer.faults
        ],
    }
    return page.show(
        "audit.html",
        verified=verified,
        filled=filled(pb.QueryEventsRequest()),
        kinds=KINDS,
        outcomes=OUTCOMES,
        texts=TEXTS,
        formats=FORMATS,
        purpose=page.session.audit_purpose,
    )


async def _export(page: Page) -> Response:
    """Give out events and what proves them, as one file: recorded before the first byte of it is made."""
    form = await page.form()
    name = text_of(form, "query", 64)
    page.want_fresh(form, f"/audit/results/{name}" if name else "/audit")
    if not keep_purpose(page, form):
        return page.go("/audit", Notice("notice.purpose_needed", bad=True))
    wanted = pb.QueryEventsRequest()
    if name:
        if name not in page.session.queries:
            return page.go("/audit", Notice("notice.query_gone", bad=True))
        wanted.CopyFrom(page.session.queries[name])
        wanted.page_size = 0
    form_name = text_of(form, "format", 10)
    if form_name not in FORMATS:
        return page.go("/audit", Notice("notice.format_missing", bad=True))
    folder = Path(tempfile.mkdtemp(prefix="borderpost-export-"))
    try:
        bundle = await _written(page, wanted, form_name, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    done = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    stamp = page.console.clock.now().strftime("%Y%m%d-%H%M%S")
    return FileResponse(
        bundle, media_type="application/zip", filename=f"borderpost-{stamp}.zip", background=done
    )


async def _written(page: Page, wanted: pb.QueryEventsRequest, form: str, folder: Path) -> Path:
    request = pb.ExportEventsRequest(filter=wanted, format=pb.ExportFormat.Value(f"EXPORT_FORMAT_{form}"))
    filters = tuple(sorted(field.name for field, _ in wanted.ListFields()))
    file = folder / f"events.{ENDINGS[form]}"
    chunks = stream(
        page.session, page.gateway.decisions.ExportEvents, request, page.session.audit_purpose, EXPORT_SECONDS
    )
    header = (await anext(chunks)).header
    with BundleWriter(file, _header(header, filters), False) as writer:
        async for chunk in chunks:
            await run_in_threadpool(_add, writer, chunk.entries.entries)
    return await run_in_threadpool(_zipped, file)


def _header(header: pb.ExportHeader, filters: tuple[str, ...]) -> Header:
    return Header(
        header.checkpoint,
        tuple(header.earlier_checkpoints),
        tuple(header.verifier_keys),
        tuple(header.pruned_ranges),
        header.complete,
        filters,
    )


def _add(writer: BundleWriter, entries: Any) -> None:
    for entry in entries:
        logged_at = entry.logged_at.ToJsonString()
        writer.add(entry.index, entry.stored, entry.leaf_sha256, logged_at, entry.inclusion)


def _zipped(file: Path) -> Path:
    bundle = file.with_suffix(".zip")
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in (file, proof_of(file)):
            archive.write(each, each.name)
    return bundle


ROUTES: Final = (Route("/audit/verify", _verify, "POST"), Route("/audit/export", _export, "POST"))
