"""Bundles on their way: fetched from the service and written to it, in parts, and compared by SHA-256."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import BinaryIO, Final

from borderpost.exchange.desk import Desk, Sleep, ask_patiently
from borderpost.exchange.problems import FileUnusableError
from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import watchlist_pb2

PART_BYTES: Final = 1024 * 1024
"""Of a bundle in one call, as in watchlist.proto."""

MOST_BEGINNINGS: Final = 3
"""Of one upload, if the service loses what it has."""

Progress = Callable[[int], None]
"""Told how many bytes have gone so far."""


def fetch_bundle(
    desk: Desk,
    made: watchlist_pb2.MakeBundleResponse,
    out: BinaryIO,
    progress: Progress,
    sleep: Sleep = time.sleep,
) -> None:
    """Fetch a bundle that was made. Raises BorderpostError, FileUnusableError if it isn't what was made."""
    digest = hashlib.sha256()
    offset = 0
    while offset < made.size:
        request = watchlist_pb2.ReadBundleRequest(bundle_id=made.bundle_id, offset=offset)
        content = ask_patiently(desk, desk.watchlist.ReadBundle, request, sleep).content
        if not content:
            break
        out.write(content)
        digest.update(content)
        offset += len(content)
        progress(offset)
    if (offset, digest.digest()) != (made.size, made.sha256):
        raise FileUnusableError("bundle: what was fetched is not what was made: make it again")


def write_bundle(
    desk: Desk,
    bundle_id: str,
    bundle: BinaryIO,
    size: int,
    progress: Progress,
    sleep: Sleep = time.sleep,
) -> watchlist_pb2.WriteBundleResponse:
    """Write a bundle to the service, from where an earlier try broke off; it is opened and checked there at its end.

    Raises BorderpostError, FileUnusableError if the file is no longer that long.
    """
    offset, beginnings = 0, 1
    while True:
        bundle.seek(offset)
        content = bundle.read(PART_BYTES)
        last = offset + len(content) >= size
        if len(content) != min(PART_BYTES, size - offset):
            raise FileUnusableError("bundle: the file changed while it was read: begin again")
        request = watchlist_pb2.WriteBundleRequest(
            bundle_id=bundle_id, offset=offset, content=content, last=last
        )
        try:
            answer: watchlist_pb2.WriteBundleResponse = ask_patiently(
                desk, desk.watchlist.WriteBundle, request, sleep
            )
        except BorderpostError as error:
            # A service that was started again has lost what it had of an unfinished bundle.
            if error.details.get("field") != "offset" or not offset or beginnings == MOST_BEGINNINGS:
                raise
            offset, beginnings = 0, beginnings + 1
            continue
        if last:
            return answer
        if not offset < answer.offset <= size:
            raise FileUnusableError("bundle: the service has another one of this id: begin again")
        offset = answer.offset
        progress(offset)
