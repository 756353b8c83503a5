"""Imports from the importer's side: begun or found again, rows sent from where they broke off, and finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc

from borderpost.exchange.batches import Batch, batches
from borderpost.exchange.desk import Desk, Sleep, ask_patiently
from borderpost.exchange.files import Facts, Source
from borderpost.exchange.resuming import Notes
from borderpost.runtime.errors import BorderpostError, UnavailableError
from borderpost.v1 import gateway_pb2, watchlist_pb2

ENDED: Final = (watchlist_pb2.IMPORT_STATE_APPLIED, watchlist_pb2.IMPORT_STATE_CANCELLED)

LOOK_SECONDS: Final = 0.5
"""Between two looks at how far the service is with a bundle."""

MOST_LOOKS: Final = 240
"""Without any new row: two minutes, where 500 rows take a second."""

Progress = Callable[[int], None]
"""Told how many rows were taken so far."""


class ImportDroppedError(BorderpostError):
    """The service has dropped the import while it was waited for: the list has outrun it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IMPORT_STALE"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported, and how.

    `asked` is everything beside the file that the rows depend on; `command` is what people import it with.
    """

    list_id: str
    source: str
    complete: bool
    asked: tuple[str, ...] = ()
    command: str = "borderpost watchlist import"

    @property
    def key(self) -> tuple[str, ...]:
        """What an import is noted under."""
        return ("import", self.list_id, self.source, str(self.complete), *self.asked)


class Importer:
    """Takes a file or a bundle through an import, up to the point where a second person is needed."""

    def __init__(self, desk: Desk, notes: Notes, order: Order, sleep: Sleep = time.sleep) -> None:
        self._desk = desk
        self._notes = notes
        self._order = order
        self._sleep = sleep

    def send(self, source: Source, facts: Facts, progress: Progress) -> watchlist_pb2.Import:
        """Begin the import of a file, or go on with it, until every row is taken. Raises BorderpostError.

        An import that waits for its second person already is returned as it is.
        """
        begun = self._begin(content_sha256=facts.sha256, rows=facts.rows, source=self._order.source)
        if begun.state != watchlist_pb2.IMPORT_STATE_STAGING:
            return begun
        progress(begun.next_row - 1)
        remaining = (row for row in source.rows(facts) if row.row >= begun.next_row)
        with self._telling_of_an_end():
            for batch in batches(remaining):
                begun = self._stage(begun.import_id, batch)
                progress(begun.next_row - 1)
        return begun

    def take_bundle(self, bundle_id: str, progress: Progress) -> watchlist_pb2.Import:
        """Begin the import of a bundle that was written, and wait until the service has taken its rows by itself.

        Raises BorderpostError, UnavailableError if it takes no more of them, ImportDroppedError if it has dropped it.
        """
        taken = self._begin(bundle_id=bundle_id)
        looks = 0
        while taken.state == watchlist_pb2.IMPORT_STATE_STAGING and taken.next_row <= taken.rows:
            progress(taken.next_row - 1)
            if looks == MOST_LOOKS:
                raise UnavailableError(
                    f"import {taken.import_id}: the service takes no more of its rows: give the same command again "
                    f"(`{self._order.command}`), or drop it (`borderpost watchlist import-cancel {taken.import_id}`)"
                )
            self._sleep(LOOK_SECONDS)
            request = watchlist_pb2.GetImportRequest(import_id=taken.import_id)
            now = import_of(self._ask(self._desk.watchlist.GetImport, request))
            looks = looks + 1 if now.next_row == taken.next_row else 0
            taken = now
        if taken.state == watchlist_pb2.IMPORT_STATE_CANCELLED:
            raise ImportDroppedError(self._dropped_words())
        return taken

    def noted(self) -> watchlist_pb2.Import | None:
        """Return the import that was begun earlier and hasn't ended; one that has is forgotten.

        Raises BorderpostError.
        """
        import_id = self._notes.known(*self._order.key)
        if not import_id:
            return None
        request = watchlist_pb2.GetImportRequest(import_id=import_id)
        try:
            kept = import_of(self._ask(self._desk.watchlist.GetImport, request))
        except BorderpostError as error:
            if error.reason != "IMPORT_NOT_FOUND":
                raise
            return None
        if kept.state not in ENDED:
            return kept
        self._notes.forget(*self._order.key)
        return None

    def finish(self, import_id: str, *, skip_errors: bool, dry_run: bool) -> watchlist_pb2.Import:
        """End the taking of rows, or with `dry_run` only tell what they would change. Raises BorderpostError."""
        request = watchlist_pb2.FinishImportRequest(
            import_id=import_id, skip_errors=skip_errors, dry_run=dry_run
        )
        with self._telling_of_an_end():
            return import_of(self._ask(self._desk.watchlist.FinishImport, request))

    def errors(self, import_id: str) -> Iterator[watchlist_pb2.RowError]:
        """Yield all rows in error, by number. Raises BorderpostError."""
        request = watchlist_pb2.GetImportRequest(import_id=import_id)
        while True:
            page = self._ask(self._desk.watchlist.GetImport, request)
            yield from page.errors
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def drop(self, import_id: str) -> watchlist_pb2.Import:
        """Cancel an import that nobody needs, and forget it. Raises BorderpostError."""
        request = watchlist_pb2.CancelImportRequest(import_id=import_id)
        dropped = import_of(self._ask(self._desk.watchlist.CancelImport, request))
        self._notes.forget(*self._order.key)
        return dropped

    def _begin(self, **what: Any) -> watchlist_pb2.Import:
        for _ in range(2):
            import_id = self._notes.id_for(*self._order.key)
            request = watchlist_pb2.BeginImportRequest(
                import_id=import_id, list_id=self._order.list_id, complete=self._order.complete, **what
            )
            try:
                begun = import_of(self._ask(self._desk.watchlist.BeginImport, request))
            except BorderpostError as error:
                if error.reason != "IMPORT_EXISTS":
                    raise
                begun = None
            if begun is not None and begun.state not in ENDED:
                return begun
            # The note is of an import that has ended, or of another one: a new import it is.
            self._notes.forget(*self._order.key)
        raise BorderpostError("import: got one with a new id that has ended already")

    def _stage(self, import_id: str, batch: Batch) -> watchlist_pb2.Import:
        answer: Any
        if batch.with_pictures:
            with_pictures = gateway_pb2.StageImportRowsRequest(import_id=import_id, rows=batch.rows)
            answer = self._ask(self._desk.gateway.StageImportRows, with_pictures)
        else:
            plain = watchlist_pb2.StageRowsRequest(import_id=import_id, rows=batch.rows)
            answer = self._ask(self._desk.watchlist.StageRows, plain)
        return import_of(answer)

    @contextmanager
    def _telling_of_an_end(self) -> Iterator[None]:
        """Forget an import that the service has dropped, so that the same command begins a new one, and say so."""
        try:
            yield
        except BorderpostError as error:
            if error.reason == "IMPORT_STALE":
                self._notes.forget(*self._order.key)
                error.message = self._dropped_words()
            raise

    def _dropped_words(self) -> str:
        return (
            "the list's entries of this source have changed since this import was begun, so it was dropped: import "
            f"the file again, with the same command (`{self._order.command}`)"
        )

    def _ask(self, method: Callable[..., Any], request: Any) -> Any:
        return ask_patiently(self._desk, method, request, self._sleep)


def import_of(answer: Any) -> watchlist_pb2.Import:
    """Return the field `import` of an answer, whose name Python keeps for itself."""
    kept: watchlist_pb2.Import = getattr(answer, "import")
    return kept


def report_line(error: watchlist_pb2.RowError, record_id: str = "") -> dict[str, str | int]:
    """Turn a row in error into the object of a report's line; an id that may be personal is for its user alone."""
    line: dict[str, str | int] = (
        {"row": error.row, "record_id": record_id} if record_id else {"row": error.row}
    )
    return line | {"reason": error.reason, "field": error.field, "message": error.message}


def with_record_ids(
    errors: Iterable[watchlist_pb2.RowError], rows: Iterable[watchlist_pb2.ImportRow]
) -> Iterator[tuple[watchlist_pb2.RowError, str]]:
    """Pair rows in error with their record ids, as far as `rows` has them; both are in the order of their numbers."""
    remaining = iter(rows)
    row: watchlist_pb2.ImportRow | None = None
    for error in errors:
        while row is None or row.row < error.row:
            row = next(remaining, None)
            if row is None:
                break
        yield error, row.record_id if row is not None and row.row == error.row else ""
