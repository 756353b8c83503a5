"""A fake gateway for imports, exports and bundles: it works, in memory, and can be told to fail.

Not real: no entry is checked, nothing is compared with a list, a bundle is any bytes, and always of one signer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from borderpost.runtime.errors import OverloadedError
from borderpost.runtime.status import RemoteError
from borderpost.v1 import gateway_pb2, watchlist_pb2

STAGING = watchlist_pb2.IMPORT_STATE_STAGING
AWAY = RemoteError(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "away")
BUSY = OverloadedError("too much", retry_after_ms="3000")
PAGE = 2
BUNDLE_ROWS = 3


def remote(code: grpc.StatusCode, reason: str) -> RemoteError:
    return RemoteError(code, reason, reason.lower())


class BreakError(Exception):
    """What stands for a killed process: it is no error that anybody handles."""


@dataclass
class FakeDesk:
    """One desk is one gateway; `trouble` is raised by the next calls of a method, in order, None for none."""

    lists: dict[str, str] = field(default_factory=dict)
    entries: list[watchlist_pb2.Entry] = field(default_factory=list)
    bad_records: set[str] = field(default_factory=set)
    trouble: dict[str, list[BaseException | None]] = field(default_factory=dict)
    imports: dict[str, watchlist_pb2.Import] = field(default_factory=dict)
    staged: dict[str, dict[int, watchlist_pb2.ImportRow]] = field(default_factory=dict)
    bundle: bytes = b""
    """What MakeBundle makes."""
    written: dict[str, bytes] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    """Bundles that were written to their end, also after their rows were taken."""
    checked: set[str] = field(default_factory=set)
    taking: dict[str, str] = field(default_factory=dict)
    """The bundle whose rows are taken, by import."""
    takes: bool = True
    """Whether it takes the rows of a bundle, once its import is begun."""
    calls: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def watchlist(self) -> _Stub:
        return _Stub(self)

    @property
    def gateway(self) -> _Stub:
        return _Stub(self)

    def ask(self, method: Callable[[Any], Any], request: Any, seconds: float = 60.0) -> Any:
        return method(request)

    def pages(self, method: Callable[[Any], Any], request: Any) -> Iterator[Any]:
        while True:
            answer = self.ask(method, request)
            yield answer
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def __enter__(self) -> FakeDesk:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def made(self, name: str) -> list[Any]:
        """The requests of one method."""
        return [request for called, request in self.calls if called == name]

    def rows_of(self, import_id: str) -> list[watchlist_pb2.ImportRow]:
        return [row for _, row in sorted(self.staged[import_id].items())]

    def serve(self, name: str, request: Any) -> Any:
        kept = type(request)()
        kept.CopyFrom(request)
        self.calls.append((name, kept))
        trouble = self.trouble.get(name)
        error = trouble.pop(0) if trouble else None
        if error is not None:
            raise error
        return getattr(self, re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower())(request)

    def list_watchlists(self, request):
        answer = watchlist_pb2.ListWatchlistsResponse()
        for name, list_id in self.lists.items():
            answer.watchlists.add().watchlist.MergeFrom(watchlist_pb2.Watchlist(list_id=list_id, name=name))
        return answer

    def begin_import(self, request):
        if request.bundle_id and request.bundle_id not in self.checked:
            raise remote(grpc.StatusCode.NOT_FOUND, "BUNDLE_NOT_FOUND")
        known = self.imports.get(request.import_id)
        if known is None:
            known = watchlist_pb2.Import(
                import_id=request.import_id,
                list_id=request.list_id,
                source=request.source,
                content_sha256=request.content_sha256,
                complete=request.complete,
                rows=request.rows,
                next_row=1,
                state=STAGING,
            )
            self.imports[request.import_id] = known
            self.staged[request.import_id] = {}
        elif not request.bundle_id and (known.rows, known.content_sha256) != (
            request.rows,
            request.content_sha256,
        ):
            raise remote(grpc.StatusCode.ALREADY_EXISTS, "IMPORT_EXISTS")
        if request.bundle_id:
            known.source, known.rows = "Utopia", BUNDLE_ROWS
            self.taking[request.import_id] = request.bundle_id
            self._drop_taken(known)
        return self._answer(watchlist_pb2.BeginImportResponse, request.import_id)

    def stage_rows(self, request):
        assert len(request.rows) <= 500
        assert request.ByteSize() <= 4 * 1024 * 1024
        assert not any(row.entry.pictures for row in request.rows)
        return self._stage(watchlist_pb2.StageRowsResponse, request)

    def stage_import_rows(self, request):
        assert len(request.rows) <= 50
        assert request.ByteSize() <= 12 * 1024 * 1024
        return self._stage(gateway_pb2.StageImportRowsResponse, request)

    def _stage(self, answer, request):
        kept = self.imports[request.import_id]
        if kept.state != STAGING:
            raise remote(grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_CLOSED")
        staged = self.staged[request.import_id]
        for row in request.rows:
            if row.row in staged:
                continue
            if row.record_id in self.bad_records:
                row.error.row, row.error.reason = row.row, "INVALID_REQUEST"
            staged[row.row] = row
            kept.errors += row.HasField("error")
            kept.added += not row.HasField("error")
        while kept.next_row in staged:
            kept.next_row += 1
        return self._answer(answer, request.import_id)

    def finish_import(self, request):
        kept = self.imports[request.import_id]
        if kept.next_row <= kept.rows:
            raise remote(grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_INCOMPLETE")
        in_error = [row for row in self.rows_of(request.import_id) if row.HasField("error")]
        lost = kept.complete and not all(row.record_id for row in in_error)
        if kept.errors and not request.dry_run and (lost or not request.skip_errors):
            raise remote(grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_HAS_ERRORS")
        if not request.dry_run:
            kept.state = watchlist_pb2.IMPORT_STATE_PROPOSED
        return self._answer(watchlist_pb2.FinishImportResponse, request.import_id)

    def approve_import(self, request):
        self.imports[request.import_id].state = watchlist_pb2.IMPORT_STATE_APPLIED
        self.imports[request.import_id].version = 7
        return self._answer(watchlist_pb2.ApproveImportResponse, request.import_id)

    def cancel_import(self, request):
        self.imports[request.import_id].state = watchlist_pb2.IMPORT_STATE_CANCELLED
        return self._answer(watchlist_pb2.CancelImportResponse, request.import_id)

    def get_import(self, request):
        if request.import_id not in self.imports:
            raise remote(grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")
        kept = self.imports[request.import_id]
        if self.takes and not self.staged[request.import_id] and kept.next_row <= kept.rows:
            kept.next_row += 1  # of a bundle: the service takes one row between two looks
            kept.added += 1
            self._drop_taken(kept)
        errors = [row.error for row in self.rows_of(request.import_id) if row.HasField("error")]
        start = int(request.page_token or 0)
        answer = self._answer(watchlist_pb2.GetImportResponse, request.import_id)
        answer.errors.extend(errors[start : start + PAGE])
        answer.next_page_token = str(start + PAGE) if start + PAGE < len(errors) else ""
        return answer

    def _drop_taken(self, kept) -> None:
        if kept.next_row > kept.rows:
            bundle_id = self.taking.pop(kept.import_id)
            self.checked.discard(bundle_id)
            self.written.pop(bundle_id, None)

    def export_entries(self, request):
        start = int(request.page_token or 0)
        more = str(start + PAGE) if start + PAGE < len(self.entries) else ""
        return watchlist_pb2.ExportEntriesResponse(
            entries=self.entries[start : start + PAGE], next_page_token=more, version=5
        )

    def make_bundle(self, request):
        return watchlist_pb2.MakeBundleResponse(
            bundle_id="b",
            size=len(self.bundle),
            sha256=hashlib.sha256(self.bundle).digest(),
            entries=3,
            version=5,
        )

    def read_bundle(self, request):
        part = self.bundle[request.offset : request.offset + 1024 * 1024]
        return watchlist_pb2.ReadBundleResponse(content=part)

    def write_bundle(self, request):
        assert len(request.content) <= 1024 * 1024
        there = self.written.get(request.bundle_id, b"")
        if request.offset > len(there):
            raise RemoteError(
                grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "offset: another", field="offset"
            )
        if request.offset == len(there):
            there += request.content
            self.written[request.bundle_id] = there
        if not request.last:
            return watchlist_pb2.WriteBundleResponse(offset=len(there))
        if not there.startswith(b"good"):
            del self.written[request.bundle_id]
            raise remote(grpc.StatusCode.INVALID_ARGUMENT, "BUNDLE_INVALID")
        self.checked.add(request.bundle_id)
        self.sent[request.bundle_id] = there
        return watchlist_pb2.WriteBundleResponse(offset=len(there), partner="Utopia", rows=BUNDLE_ROWS)

    def _answer(self, answer, import_id: str) -> Any:
        return answer(**{"import": self.imports[import_id]})


class _Stub:
    """Methods of a desk as a stub has them."""

    def __init__(self, desk: FakeDesk) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        return lambda request: self._desk.serve(name, request)
