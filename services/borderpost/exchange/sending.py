"""Imports from the importer's side: begun or found again, rows sent from where they broke off, and finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

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


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported, and how. `asked` is everything beside the file that the rows depend on."""

    list_id: str
    source: str
    complete: bool
    asked: tuple[str, ...] = ()

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
        with _Stale(self, begun.import_id):
            for batch in batches(remaining):
                begun = self._stage(begun.import_id, batch)
                progress(begun.next_row - 1)
        return begun

    def take_bundle(self, bundle_id: str, progress: Progress) -> watchlist_pb2.Import:
        """Begin the import of a bundle that was written, and wait until the service has taken its rows by itself.

        Raises BorderpostError, UnavailableError if it takes no more of them.
        """
        taken = self._begin(bundle_id=bundle_id)
        looks = 0
        while taken.state == watchlist_pb2.IMPORT_STATE_STAGING and taken.next_row <= taken.rows:
            progress(taken.next_row - 1)
            if looks == MOST_LOOKS:
                raise UnavailableError(
                    f"import {taken.import_id}: the service takes no more of its rows: run the same command again, or "
                    "drop it (`borderpost watchlist import-cancel`)"
                )
            self._sleep(LOOK_SECONDS)
            request = watchlist_pb2.GetImportRequest(import_id=taken.import_id)
            now = import_of(self._ask(self._desk.watchlist.GetImport, request))
            looks = looks + 1 if now.next_row == taken.next_row else 0
            taken = now
        return taken

    def finish(self, import_id: str, *, skip_errors: bool, dry_run: bool) -> watchlist_pb2.Import:
        """End the taking of rows, or with `dry_run` only tell what they would change. Raises BorderpostError."""
        request = watchlist_pb2.FinishImportRequest(
            import_id=import_id, skip_errors=skip_errors, dry_run=dry_run
        )
        with _Stale(self, import_id):
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

    def drop(self, import_id: str) -> None:
        """Cancel an import that can't be used any more, and forget it."""
        self._ask(
            self._desk.watchlist.CancelImport,
            watchlist_pb2.CancelImportRequest(import_id=import_id),
        )
        self._notes.forget(*self._order.key)

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

    def _ask(self, method: Callable[..., Any], request: Any) -> Any:
        return ask_patiently(self._desk, method, request, self._sleep)


class _Stale:
    """Drops an import that the list has outrun, so that the same command begins a new one."""

    def __init__(self, importer: Importer, import_id: str) -> None:
        self._importer = importer
        self._import_id = import_id

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BorderpostError) and error.reason == "IMPORT_STALE":
            self._importer.drop(self._import_id)
            error.message = (
                "the list's entries of this source have changed since this import was begun, so it was dropped: "
                "run the same command again"
            )


def import_of(answer: Any) -> watchlist_pb2.Import:
    """Return the field `import` of an answer, whose name Python keeps for itself."""
    kept: watchlist_pb2.Import = getattr(answer, "import")
    return kept


def report_line(error: watchlist_pb2.RowError) -> dict[str, str | int]:
    """Turn a row in error into the object of a report's line."""
    return {"row": error.row, "reason": error.reason, "field": error.field, "message": error.message}
