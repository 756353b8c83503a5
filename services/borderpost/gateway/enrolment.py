"""The use cases of the gateway around watchlist entries: from their pictures to templates.

Enrol one entry, take rows of an import, make templates of another model. The watchlist service never sees a picture's
face: it is the gateway that asks the faces service, and hands on what it made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.gateway.deadline import left
from borderpost.gateway.errors import FaceModelChangedError, PictureUnusableError
from borderpost.gateway.pictures import about, refuses_picture
from borderpost.gateway.ports import Faces, Watchlists
from borderpost.runtime.calls import Call
from borderpost.runtime.errors import BorderpostError, InvalidRequestError, PictureTooLargeError
from borderpost.v1 import faces_pb2, gateway_pb2, types_pb2, watchlist_pb2

MAX_KEPT_PICTURES: Final = 4
MAX_KEPT_BYTES: Final = 1024 * 1024
"""Pictures that an entry keeps (watchlist.proto, Entry)."""

ROWS_AT_ONCE: Final = 2
"""Rows whose pictures are looked at at the same time: as many as a faces service has threads. More would only make
kiosks wait behind them."""

MIGRATED_AT_ONCE: Final = 7
"""Entries of one page: their pictures (four of 1 MiB each) fit into a message of 32 MiB."""

UNKNOWN_MODEL: Final = "unknown"
"""Asked for before the engine's model is known: no template is of it, so every entry with a face is listed."""

NO_ENTRY: Final = "ENTRY_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Made:
    """What became of the pictures of one entry: those that gave a template, and why the first of the others didn't."""

    templates: tuple[types_pb2.Template, ...]
    pictures: tuple[bytes, ...]
    error: BorderpostError | None


class Enrolment:
    """From pictures to entries. Holds no state of its own."""

    def __init__(self, faces: Faces, watchlists: Watchlists) -> None:
        self._faces = faces
        self._watchlists = watchlists

    async def enrol(
        self, entry: watchlist_pb2.Entry, pictures: Sequence[bytes], keep: bool, call: Call, seconds: float
    ) -> watchlist_pb2.Entry:
        """Make a template of each picture and propose the entry with them; with `keep` with its first pictures too.

        Raises PictureUnusableError, PictureTooLargeError (a picture that is to be kept).
        """
        until = time.monotonic() + seconds
        if keep:
            kept = pictures[:MAX_KEPT_PICTURES]
            for number, picture in enumerate(kept):
                check_kept(f"pictures[{number}]", picture)
            entry.pictures.extend(kept)
        for number, picture in enumerate(pictures):
            entry.templates.append(await self._template(f"pictures[{number}]", picture, call, until))
        return (await self._watchlists.propose(entry, call, left(until))).entry

    async def stage(
        self, import_id: str, rows: Sequence[watchlist_pb2.ImportRow], call: Call, seconds: float
    ) -> watchlist_pb2.StageRowsResponse:
        """Make templates of the rows that have pictures and none, and hand all rows on.

        A row without a usable face goes on as a row in error; the others are not stopped by it.
        """
        until = time.monotonic() + seconds
        looked: list[watchlist_pb2.ImportRow] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            batch = rows[start : start + ROWS_AT_ONCE]
            looked += await asyncio.gather(*(self._row(row, call, until) for row in batch))
        request = watchlist_pb2.StageRowsRequest(import_id=import_id, rows=looked)
        return await self._watchlists.stage_rows(request, call, left(until))

    async def _row(self, row: watchlist_pb2.ImportRow, call: Call, until: float) -> watchlist_pb2.ImportRow:
        if row.HasField("error") or row.entry.templates or not row.entry.pictures:
            return row
        try:
            check_row_pictures(row.entry.pictures)
        except BorderpostError as error:
            return _in_error(row, error)
        made = await self._made(row.entry.pictures, call, until)
        if made.error is not None and not made.templates:
            return _in_error(row, made.error)
        row.entry.templates.extend(made.templates)
        row.entry.pictures[:] = made.pictures
        return row

    async def migrate(
        self, list_id: str, page_token: str, call: Call, seconds: float
    ) -> gateway_pb2.MigrateEntriesResponse:
        """Make templates of the engine's model, of kept pictures, for a page of entries that have none of it.

        The engine tells its model by a template alone: the list's first usable picture shows it. Where no picture of
        the list is usable it stays unknown, and the answer's `model_id` empty; entries are then named whatever
        templates they have.
        """
        until = time.monotonic() + seconds
        model, theirs = _read_token(page_token) if page_token else ("", "")
        model = model or await self._model(list_id, call, until)
        page = await self._without(list_id, model, theirs, call, until)
        answer = gateway_pb2.MigrateEntriesResponse(model_id="" if model == UNKNOWN_MODEL else model)
        for entry in page.entries:
            await self._migrate_one(entry, model, answer, call, until)
        if page.next_page_token:
            answer.next_page_token = f"{model} {page.next_page_token}"
        return answer

    async def _migrate_one(
        self,
        entry: watchlist_pb2.EntryPictures,
        model: str,
        answer: gateway_pb2.MigrateEntriesResponse,
        call: Call,
        until: float,
    ) -> None:
        if not entry.pictures:
            answer.without_picture.append(entry.entry_id)
            return
        made = await self._made(entry.pictures, call, until)
        if not made.templates:
            answer.unusable.append(entry.entry_id)
            return
        if {template.model_id for template in made.templates} != {model}:
            raise FaceModelChangedError(
                "the faces service has another model than when this began: begin again"
            )
        try:
            await self._watchlists.add_templates(entry.entry_id, made.templates, call, left(until))
        except BorderpostError as error:
            if error.reason != NO_ENTRY:
                raise
            return  # removed meanwhile
        answer.migrated.append(entry.entry_id)

    async def _model(self, list_id: str, call: Call, until: float) -> str:
        token = ""
        while True:
            page = await self._without(list_id, UNKNOWN_MODEL, token, call, until)
            for picture in (picture for entry in page.entries for picture in entry.pictures):
                made = await self._made([picture], call, until)
                if made.templates:
                    return made.templates[0].model_id
            token = page.next_page_token
            if not token:
                return UNKNOWN_MODEL

    async def _without(
        self, list_id: str, model: str, token: str, call: Call, until: float
    ) -> watchlist_pb2.ListWithoutModelResponse:
        request = watchlist_pb2.ListWithoutModelRequest(
            list_id=list_id, model_id=model, page_size=MIGRATED_AT_ONCE, page_token=token
        )
        return await self._watchlists.without_model(request, call, left(until))

    async def _made(self, pictures: Sequence[bytes], call: Call, until: float) -> Made:
        """Make a template of each picture that is good for one. Raises what isn't about a picture."""
        templates, usable, first = [], [], None
        for number, picture in enumerate(pictures):
            try:
                templates.append(await self._template(f"pictures[{number}]", picture, call, until))
                usable.append(picture)
            except BorderpostError as error:
                if not refuses_picture(error):
                    raise
                first = first or error
        return Made(tuple(templates), tuple(usable), first)

    async def _template(self, field: str, picture: bytes, call: Call, until: float) -> types_pb2.Template:
        """Make the template of one picture. Raises PictureUnusableError, and the errors of pictures."""
        request = faces_pb2.ExtractTemplateRequest(
            frames=[picture], profile=faces_pb2.CAPTURE_PROFILE_ENROLMENT
        )
        try:
            extraction = await self._faces.extract(request, call, left(until))
        except BorderpostError as error:
            raise about(field, error) if refuses_picture(error) else error from None
        if extraction.problems or not extraction.HasField("template"):
            codes = ", ".join(problem.code for problem in extraction.problems) or "NO_TEMPLATE"
            raise PictureUnusableError(
                f"{field}: no usable face in it ({codes}): use another picture", field=field
            )
        return extraction.template


def check_kept(field: str, picture: bytes) -> None:
    """Raise PictureTooLargeError for a picture that is too large to be kept with an entry."""
    if len(picture) > MAX_KEPT_BYTES:
        raise PictureTooLargeError(
            f"{field}: got {len(picture):,} bytes, want at most {MAX_KEPT_BYTES:,} of a picture that is kept with "
            "the entry: scale it down",
            field=field,
        )


def check_row_pictures(pictures: Sequence[bytes]) -> None:
    """Raise InvalidRequestError or PictureTooLargeError for pictures that an entry can't keep."""
    if len(pictures) > MAX_KEPT_PICTURES:
        raise InvalidRequestError(
            f"pictures: got {len(pictures)}, want at most {MAX_KEPT_PICTURES}", field="pictures"
        )
    for number, picture in enumerate(pictures):
        check_kept(f"pictures[{number}]", picture)


def _in_error(row: watchlist_pb2.ImportRow, error: BorderpostError) -> watchlist_pb2.ImportRow:
    return watchlist_pb2.ImportRow(
        row=row.row,
        record_id=row.record_id,
        error=watchlist_pb2.RowError(
            row=row.row, reason=error.reason, field=error.details.get("field", ""), message=error.message
        ),
    )


def _read_token(token: str) -> tuple[str, str]:
    """Read a page token of `migrate`: the model that the pages before were of, and the watchlist's own token."""
    model, space, theirs = token.rpartition(" ")
    if not (model and space and theirs):
        raise InvalidRequestError("page_token: want one of an earlier answer", field="page_token")
    return model, theirs
