"""Taking the rows of a bundle: the service stages them by itself, in the background, once the import is begun."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from borderpost.runtime.errors import BorderpostError, UnavailableError
from borderpost.v1 import watchlist_pb2
from borderpost.watchlist.domain import Caller, EntryContent, Import, RowError
from borderpost.watchlist.errors import ImportStaleError, NotReadyError
from borderpost.watchlist.importing import Importing
from borderpost.watchlist.receiving import Received, Receiving

ROWS: Final = 500
"""Rows that are staged at a time."""

PASSING: Final = (UnavailableError, NotReadyError)
"""Errors after which the import, begun again, goes on with the bundle; after others it needs its place no longer."""

Row = tuple[int, str, EntryContent | RowError]

_log = structlog.get_logger(__name__)


class BundleTaking:
    """Imports of bundles. Begun again, one that was broken off (by a restart; the bundle is sent anew) goes on."""

    def __init__(
        self, importing: Importing, receiving: Receiving, row_of: Callable[[watchlist_pb2.ImportRow], Row]
    ) -> None:
        self._importing = importing
        self._receiving = receiving
        self._row_of = row_of
        self._taking: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, import_id: str, list_id: str, bundle_id: str, complete: bool, by: Caller) -> Import:
        """Begin an import of a bundle and take its rows in the background; `GetImport` tells how far it is.

        Raises BundleNotFoundError, WatchlistNotFoundError, ImportExistsError.
        """
        received = self._receiving.get(bundle_id, by)
        opened = received.opened
        asked = Import(
            import_id=import_id,
            list_id=list_id,
            source=opened.partner.name,
            content_sha256=opened.sha256,
            complete=complete,
            rows=opened.rows,
            proposed_by=by.actor,
        )
        begun = self._importing.begin(asked, by)
        if begun.next_row > begun.rows:
            self._receiving.drop(bundle_id)  # its rows were taken, or it has none
            return begun
        with self._lock:
            if import_id not in self._taking:
                self._taking.add(import_id)
                take = threading.Thread(
                    target=self._take, args=(begun, bundle_id, received, by), name="bundle", daemon=True
                )
                take.start()
        return begun

    def _take(self, begun: Import, bundle_id: str, received: Received, by: Caller) -> None:
        try:
            self._stage(begun.import_id, received, by)
            self._receiving.drop(bundle_id)
        except PASSING as error:
            _log.warning("bundle_not_taken", reason=error.reason, import_id=begun.import_id)
        except BorderpostError as error:
            _log.warning("bundle_not_taken", reason=error.reason, import_id=begun.import_id)
            self._receiving.drop(bundle_id)
            if isinstance(
                error, ImportStaleError
            ):  # it can't be gone on with: who waits for it must see that
                self._importing.cancel(begun.import_id, by)
        finally:
            with self._lock:
                self._taking.discard(begun.import_id)

    def _stage(self, import_id: str, received: Received, by: Caller) -> None:
        rows: list[Row] = []
        for message in self._receiving.rows(received):
            rows.append(self._row_of(message))
            if len(rows) == ROWS:
                self._importing.stage(import_id, rows, by)
                rows = []
        if rows:
            self._importing.stage(import_id, rows, by)
