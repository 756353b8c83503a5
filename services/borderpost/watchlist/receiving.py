"""Receiving bundles of partners: written in parts, checked whole, and then read as the rows of an import."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pyrage

from borderpost.runtime.clock import Clock
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import watchlist_pb2
from borderpost.watchlist.bundles import BundleInvalidError, Opened, check_bundle, read_rows
from borderpost.watchlist.domain import Caller
from borderpost.watchlist.errors import BundleNotFoundError, BundleTooLargeError
from borderpost.watchlist.partners import Partner

MOST_BYTES: Final = 8 * 1024**3
"""Of a bundle: a million entries with two templates of 512 numbers each, or some ten thousand with pictures."""


MOST_BUNDLES: Final = 4
"""Bundles that are here at once."""

MOST_BYTES_TOGETHER: Final = 2 * MOST_BYTES
"""Of all bundles that are here: their space on the disk has an end."""

KEPT: Final = timedelta(hours=1)
"""How long a bundle may lie after its last part was written, if another one needs its place: as long as one is kept
that was made (`exporting.py`)."""


@dataclass(frozen=True, slots=True)
class _Written:
    """Who writes a bundle, and when they last did."""

    writer: Caller
    at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """A bundle whose signature holds, and who wrote it here."""

    path: Path
    opened: Opened
    writer: Caller


class Receiving:
    """The bundles that are written here, until they are imported. Safe to call from several threads at a time."""

    def __init__(
        self, folder: Path, identity: pyrage.x25519.Identity, partners: Iterable[Partner], clock: Clock
    ) -> None:
        """`folder` is this service's alone: what an earlier process left there is deleted."""
        self._folder = folder
        self._identity = identity
        self._partners = tuple(partners)
        self._clock = clock
        self._written: dict[str, _Written] = {}
        self._received: dict[str, Received] = {}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.iterdir():
            left.unlink()

    def check_no_partner(self, source: str) -> None:
        """Raise InvalidRequestError for a partner's name: only what a partner has signed is from it."""
        if any(partner.name == source for partner in self._partners):
            raise InvalidRequestError(
                "source: got the name of a partner, whose entries come in signed bundles, want another",
                field="source",
            )

    def write(self, bundle_id: str, offset: int, content: bytes, by: Caller) -> int:
        """Write the next part of a bundle; return where the part after it belongs.

        A part that is there already is passed over. Raises InvalidRequestError, BundleTooLargeError,
        BundleNotFoundError (another person's).
        """
        with self._lock:
            is_new = bundle_id not in self._written
            if not is_new and self._written[bundle_id].writer.actor != by.actor:
                raise no_bundle()
            size = self._size(bundle_id)
            if offset > size:
                raise InvalidRequestError(
                    f"offset: got {offset}, want {size}, where the next part belongs", field="offset"
                )
            written = _Written(by, self._clock.now())
            if offset < size or bundle_id in self._received:
                self._written[bundle_id] = written
                return size
            if is_new:
                self._make_room()
            self._check_size(bundle_id, size + len(content))
            self._append(bundle_id, content, is_new)
            self._written[bundle_id] = written
            return size + len(content)

    def check(self, bundle_id: str, by: Caller) -> Received:
        """Open a bundle that was written to its end. Raises BundleInvalidError, BundleNotFoundError."""
        with self._lock:
            known = self._received.get(bundle_id)
            if bundle_id not in self._written or self._written[bundle_id].writer.actor != by.actor:
                raise no_bundle()
        if known is not None:
            return known
        path = self._path(bundle_id)
        try:
            opened = check_bundle(path, self._identity, self._partners)
        except BundleInvalidError:
            self.drop(bundle_id)
            raise
        except FileNotFoundError:
            raise no_bundle() from None
        received = Received(path, opened, by)
        with self._lock:
            if bundle_id not in self._written:  # its place was needed meanwhile
                raise no_bundle()
            self._received[bundle_id] = received
        return received

    def get(self, bundle_id: str, by: Caller) -> Received:
        """A bundle that was checked. Raises BundleNotFoundError."""
        with self._lock:
            received = self._received.get(bundle_id)
        if received is None or received.writer.actor != by.actor:
            raise no_bundle()
        return received

    def rows(self, received: Received) -> Iterator[watchlist_pb2.ImportRow]:
        """The rows of a bundle that was checked. Raises BundleInvalidError if the file changed since."""
        return read_rows(received.path, self._identity, received.opened)

    def drop(self, bundle_id: str) -> None:
        """Delete a bundle."""
        with self._lock:
            self._forget(bundle_id)

    def _make_room(self) -> None:
        """Forget bundles that nobody took up in time. Raises BundleTooLargeError if there is no place all the same."""
        if len(self._written) >= MOST_BUNDLES:
            self._forget_old()
        if len(self._written) >= MOST_BUNDLES:
            raise BundleTooLargeError(
                f"bundle: got one more than the {MOST_BUNDLES} that wait here to be imported: import those first"
            )

    def _check_size(self, bundle_id: str, size: int) -> None:
        """Raise BundleTooLargeError for more bytes than there may be, of a bundle (which is forgotten), or of all."""
        if size > MOST_BYTES:
            self._forget(bundle_id)
            raise BundleTooLargeError(f"bundle: got more than {MOST_BYTES} bytes, want smaller ones")
        if self._bytes_beside(bundle_id) + size > MOST_BYTES_TOGETHER:
            self._forget_old()
        if self._bytes_beside(bundle_id) + size > MOST_BYTES_TOGETHER:
            raise BundleTooLargeError(
                f"bundle: got more than {MOST_BYTES_TOGETHER} bytes with those that wait here to be imported: import "
                "those first"
            )

    def _append(self, bundle_id: str, content: bytes, is_new: bool) -> None:
        """Write a part; a bundle of which not even the first one can be written leaves nothing."""
        try:
            with self._path(bundle_id).open("ab") as file:
                file.write(content)
        except OSError:
            if is_new:
                self._forget(bundle_id)
            raise

    def _bytes_beside(self, bundle_id: str) -> int:
        return sum(self._size(each) for each in self._written if each != bundle_id)

    def _size(self, bundle_id: str) -> int:
        return self._path(bundle_id).stat().st_size if bundle_id in self._written else 0

    def _forget_old(self) -> None:
        oldest = self._clock.now() - KEPT
        for bundle_id in [each for each, written in self._written.items() if written.at < oldest]:
            self._forget(bundle_id)

    def _forget(self, bundle_id: str) -> None:
        self._written.pop(bundle_id, None)
        self._received.pop(bundle_id, None)
        self._path(bundle_id).unlink(missing_ok=True)

    def _path(self, bundle_id: str) -> Path:
        return self._folder / f"{bundle_id}.age"


def no_bundle() -> BundleNotFoundError:
    """The error for a bundle that is not here."""
    return BundleNotFoundError(
        "bundle_id: got one that is not here, want one that you wrote to its end (`borderpost watchlist bundle-import`)"
    )
