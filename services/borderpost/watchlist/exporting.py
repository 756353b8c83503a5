"""Exporting: entries page by page for people, and bundles with templates for partners.

A bundle is made whole on disk, encrypted to its partner, and fetched in parts. It is gone after an hour, when the
service starts again, and as soon as an entry of its list is removed or withdrawn: what was erased must not leave the
house any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import watchlist_pb2
from borderpost.watchlist import events, wire
from borderpost.watchlist.app import EntryPage, check_purpose, page_of, the_list
from borderpost.watchlist.bundles import BundleHeader, BundleInfo, write_bundle
from borderpost.watchlist.domain import Caller, Entry, ListState
from borderpost.watchlist.errors import BundleNotFoundError, PartnerNotFoundError
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.partners import Partner

PAGE: Final = 500
"""Entries of a page of an export, as in watchlist.proto."""

PART_BYTES: Final = 1024 * 1024
"""Of a bundle in one answer, as in watchlist.proto."""

KEPT: Final = timedelta(hours=1)
"""How long a bundle may be fetched."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that waits to be fetched by who made it."""

    bundle_id: str
    path: Path
    info: BundleInfo
    state: ListState
    maker: Caller
    made_at: datetime


class Exporting:
    """The use cases of exports. Safe to call from several threads at a time."""

    def __init__(
        self,
        keeper: Keeper,
        folder: Path,
        signing_key: Ed25519PrivateKey,
        issuer: str,
        partners: Mapping[str, Partner],
    ) -> None:
        """`folder` is this service's alone: what an earlier process left there is deleted."""
        self._keeper = keeper
        self._folder = folder
        self._signing_key = signing_key
        self._issuer = issuer
        self._partners = partners
        self._making: dict[str, str] = {}
        self._bundles: dict[str, Bundle] = {}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.iterdir():
            left.unlink()
        keeper.tell_gone(self._drop_lists)

    def page(self, list_id: str, after: int, by: Caller) -> tuple[EntryPage, int]:
        """Active entries behind place `after` (0 begins), and their list's version; each page is recorded by itself:
        anybody may begin in the middle.

        Raises PurposeMissingError, WatchlistNotFoundError.
        """
        check_purpose(by)
        now = self._keeper.clock.now()
        with self._keeper.read() as reading:
            state = the_list(reading, list_id, by)
            page = page_of(reading.active(list_id, now, after, PAGE + 1), PAGE)
        with self._keeper.change() as change:
            change.record(events.entries_exported(by, now, state, len(page.entries)))
        return page, state.version

    def make_bundle(self, list_id: str, partner: str, with_pictures: bool, by: Caller) -> Bundle:
        """Make a bundle of a list's active entries. Raises PurposeMissingError, WatchlistNotFoundError,
        PartnerNotFoundError.
        """
        check_purpose(by)
        if partner not in self._partners:
            raise PartnerNotFoundError(
                "partner: got one that the settings don't name (setting watchlist.partners)"
            )
        self.drop_old()
        bundle_id, now = new_id(), self._keeper.clock.now()
        with self._lock:
            self._making[bundle_id] = list_id
        path = self._folder / f"{bundle_id}.age"
        try:
            with self._keeper.read() as reading:
                state = the_list(reading, list_id, by)
            info = self._write(path, state, now, self._partners[partner], with_pictures)
            with self._keeper.change() as change:
                change.record(events.bundle_made(by, now, state, info.rows, partner))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        bundle = Bundle(bundle_id, path, info, state, by, now)
        with self._lock:
            # An entry that went while it was made may be in it.
            still_right = self._making.pop(bundle_id, None) is not None
            if still_right:
                self._bundles[bundle_id] = bundle
        if not still_right:
            path.unlink()
            raise _no_bundle()
        return bundle

    def read_bundle(self, bundle_id: str, offset: int, by: Caller) -> bytes:
        """A part of a bundle, for who made it; empty at the end. Raises BundleNotFoundError, InvalidRequestError."""
        self.drop_old()
        with self._lock:
            bundle = self._bundles.get(bundle_id)
        if bundle is None or bundle.maker.actor != by.actor:
            raise _no_bundle()
        if offset > bundle.info.size:
            raise InvalidRequestError(
                f"offset: got {offset}, want at most {bundle.info.size}, the bundle's size", field="offset"
            )
        try:
            with bundle.path.open("rb") as file:
                file.seek(offset)
                return file.read(PART_BYTES)
        except FileNotFoundError:
            raise _no_bundle() from None

    def drop_old(self) -> None:
        """Delete bundles that nobody may fetch any more."""
        oldest = self._keeper.clock.now() - KEPT
        self._drop(lambda bundle: bundle.made_at < oldest)

    def _write(
        self, path: Path, state: ListState, now: datetime, partner: Partner, with_pictures: bool
    ) -> BundleInfo:
        entries = self._whole_entries(state.watchlist.list_id, now)
        rows = (_row(entry, with_pictures) for entry in entries)
        with path.open("xb") as out:
            return write_bundle(
                out, _header(state, now), rows, self._signing_key, self._issuer, partner.recipient
            )

    def _drop_lists(self, list_ids: frozenset[str]) -> None:
        with self._lock:
            self._making = {key: each for key, each in self._making.items() if each not in list_ids}
        self._drop(lambda bundle: bundle.state.watchlist.list_id in list_ids)

    def _drop(self, is_to_go: Callable[[Bundle], bool]) -> None:
        with self._lock:
            gone = [bundle for bundle in self._bundles.values() if is_to_go(bundle)]
            for bundle in gone:
                del self._bundles[bundle.bundle_id]
        for bundle in gone:
            bundle.path.unlink(missing_ok=True)

    def _whole_entries(self, list_id: str, now: datetime) -> Iterator[Entry]:
        after = 0
        while True:
            with self._keeper.read() as reading:
                rows = reading.active(list_id, now, after, PAGE, whole=True)
            yield from (entry for _, entry in rows)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]


def _row(entry: Entry, with_pictures: bool) -> watchlist_pb2.ImportRow:
    message = wire.to_content(entry.content)
    if not with_pictures:
        del message.pictures[:]
    return watchlist_pb2.ImportRow(record_id=entry.content.entry_id, entry=message)


def _header(state: ListState, now: datetime) -> BundleHeader:
    watchlist = state.watchlist
    return BundleHeader(
        watchlist.name,
        watchlist.category.value,
        watchlist.authority,
        watchlist.legal_basis,
        state.version,
        now.isoformat(),
    )


def _no_bundle() -> BundleNotFoundError:
    return BundleNotFoundError(
        "bundle_id: got one that is not here (any more): it is too old, or the list changed since it was made; make it "
        "again"
    )
