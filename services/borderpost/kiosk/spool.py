"""Captures that wait for a connection: a folder of encrypted files that the kiosk itself can't read again.

One file is one capture: a SubmitSpooledRequest, as it will be sent. It is written whole and durably or not at all, and
removed only after the gateway has taken it, or when it is too old to be taken by anybody. The folder holds only so
much; what doesn't fit is not kept, and the answer says so: nothing that could still be taken is ever dropped for it.

Nobody is cleared by a kiosk without a connection. The traveler goes to an officer; what is submitted later opens a
case, if there is something to find.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import DecodeError

from borderpost.kiosk.answers import Submitted, may_be_kept, of_submission
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.settings import Settings
from borderpost.runtime.spooling import KEY_BYTES, SCHEMA, seal_capture, sign
from borderpost.runtime.status import RemoteError
from borderpost.runtime.tls import load_credentials
from borderpost.v1.gateway_pb2 import (
    GetSpoolKeyResponse,
    ScreenTravelerRequest,
    SpooledCapture,
    SubmitSpooledRequest,
)

MOST_CAPTURES: Final = 200
MOST_BYTES: Final = 512 * 1024 * 1024
"""What a spool holds, unless it is told otherwise: some hours of a busy kiosk."""

MOST_ASIDE: Final = 50
"""Captures that are set aside at most; others wait on. They take no room from those that wait."""

MOST_TRIES: Final = 3
"""Times that the gateway fails over a capture, after which it is set aside."""

PART_SECONDS: Final = 60.0
"""A half written file of this age is nobody's any more."""

KEY_FILE: Final = "gateway.key"
DROPPED_FILE: Final = "dropped"
LOCK_FILE: Final = "lock"
KEPT: Final = ".capture"
ASIDE: Final = ".refused"
PART: Final = ".part"


_HEX: Final = re.compile(r"[0-9a-f]{12}")

_log = structlog.get_logger(__name__)


class SpoolError(BorderpostError):
    """The spool's folder can't be used."""

    reason = "SPOOL"


class UnreadableCaptureError(SpoolError):
    """A file in the spool is no capture."""

    reason = "CAPTURE_UNREADABLE"


@dataclass(frozen=True, slots=True)
class Kept:
    """A capture that waits; its name begins with its request id, and so sorts by when it was made."""

    path: Path

    @property
    def tries(self) -> int:
        """How often the gateway has failed over it."""
        parts = self.path.name.split(".")
        return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else 0

    @property
    def made_at(self) -> float:
        """When it was made: seconds since 1970, by the kiosk's clock (its request id is a UUIDv7: RFC 9562, 5.7)."""
        digits = self.path.name[:13].replace("-", "")
        return int(digits, 16) / 1000 if _HEX.fullmatch(digits) else float("inf")

    def request(self) -> SubmitSpooledRequest:
        """Read it. Raises UnreadableCaptureError, OSError."""
        try:
            return SubmitSpooledRequest.FromString(self.path.read_bytes())
        except DecodeError:
            raise UnreadableCaptureError(
                f"{self.path}: can't be read: want a capture that this kiosk kept; move it away"
            ) from None


class Spool:
    """A folder of captures. One process may use it at a time, with many threads."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        identity: str,
        most_captures: int = MOST_CAPTURES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Open the folder, or make it; what was half written when the power went is removed. Raises SpoolError."""
        self._lock = threading.Lock()
        self._folder = folder
        self._settings = settings
        self._identity = identity
        self._most_captures = most_captures
        self._most_bytes = most_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in folder.glob(f"*{PART}"):
                _unlink_old(part)
        except OSError as error:
            raise SpoolError(f"{folder}: {error.strerror}: want a folder that this kiosk can write") from None

    def use_key(self, key: GetSpoolKeyResponse) -> None:
        """Encrypt to this key of the gateway from now on, also after a restart. Raises SpoolError."""
        content = key.SerializeToString(deterministic=True)
        with suppress(OSError):
            if (self._folder / KEY_FILE).read_bytes() == content:
                return
        self._write(self._folder / KEY_FILE, content)

    def keep(self, request: ScreenTravelerRequest) -> bool:
        """Keep a capture, durably; False, if there is no room or no key of the gateway yet.

        Raises SpoolError where the folder can't be written, and CertificateError.
        """
        key = self._key()
        if key is None:
            return False
        content = self._sealed(request, key)
        with self._lock:
            if not self._has_room(len(content)):
                self._drop_old(key.most_age_seconds)
            if not self._has_room(len(content)):
                return False
            self._write(self._folder / f"{request.request_id}{KEPT}", content)
        return True

    def _sealed(self, request: ScreenTravelerRequest, key: GetSpoolKeyResponse) -> bytes:
        capture = SpooledCapture(schema_version=SCHEMA, request=request, kiosk_id=self._identity)
        sealed = seal_capture(key.public_key, capture)
        own = load_credentials(self._settings, self._identity)
        private = serialization.load_pem_private_key(own.key, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise SpoolError("the kiosk's key is of another kind than captures are signed with: want ECDSA")
        certificate = x509.load_pem_x509_certificate(own.certificate)
        kept = SubmitSpooledRequest(
            key_id=key.key_id,
            sealed=sealed,
            signature=sign(private, sealed),
            certificate=certificate.public_bytes(serialization.Encoding.DER),
        )
        return kept.SerializeToString()

    def waiting(self) -> list[Kept]:
        """Return what waits, oldest first."""
        return [Kept(path) for path in sorted(self._folder.glob(f"*{KEPT}"))]

    def refused(self) -> list[Path]:
        """Return what the gateway refused and an operator has to look at; the reason is in the name."""
        return sorted(self._folder.glob(f"*{ASIDE}"))

    @contextmanager
    def submitting(self) -> Iterator[Run]:
        """Submit what waits; no other thread or program does meanwhile. Raises SpoolError, and at the end RemoteError,
        if the gateway failed over all of them: then the fault is not theirs, and none counts as tried."""
        with self._one_submitter():
            run = Run(self)
            yield run
            run.end()

    @contextmanager
    def _one_submitter(self) -> Iterator[None]:
        with (self._folder / LOCK_FILE).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SpoolError(f"{self._folder}: another program is submitting what waits there") from None
            yield

    def remove(self, kept: Kept) -> None:
        """Remove what the gateway has taken."""
        kept.path.unlink(missing_ok=True)
        _sync_folder(self._folder)

    def not_taken(self, kept: Kept, becomes: Submitted, reason: str) -> None:
        """Do with a capture that the gateway didn't take what `becomes` of it. The reason code is safe to show. Raises
        SpoolError."""
        try:
            if becomes is Submitted.GONE:
                self._drop(kept.path)
            elif becomes is Submitted.ASIDE or (
                becomes is Submitted.TRY_AGAIN and kept.tries + 1 >= MOST_TRIES
            ):
                self._set_aside(kept, reason)
            elif becomes is Submitted.TRY_AGAIN:
                kept.path.rename(self._folder / f"{_id_of(kept.path)}.{kept.tries + 1}{KEPT}")
            _sync_folder(self._folder)
        except OSError as error:
            raise SpoolError(
                f"{self._folder}: {error.strerror}: want a folder that this kiosk can write"
            ) from None

    def put_back(self) -> int:
        """Let what was set aside wait again; return how many. Raises SpoolError."""
        refused = self.refused()
        try:
            for path in refused:
                path.rename(self._folder / f"{_id_of(path)}{KEPT}")
            _sync_folder(self._folder)
        except OSError as error:
            raise SpoolError(
                f"{self._folder}: {error.strerror}: want a folder that this kiosk can write"
            ) from None
        return len(refused)

    def dropped(self) -> int:
        """Return how many captures were let go because they were too old."""
        try:
            return int((self._folder / DROPPED_FILE).read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def _set_aside(self, kept: Kept, reason: str) -> None:
        key = self._key()
        if len(self.refused()) >= MOST_ASIDE and key is not None:
            self._drop_old(key.most_age_seconds)
        if len(self.refused()) < MOST_ASIDE:
            kept.path.rename(self._folder / f"{_id_of(kept.path)}.{reason}{ASIDE}")

    def _drop_old(self, most_age_seconds: float) -> None:
        """Make room: let go what is too old for the gateway by the kiosk's own clock, which may be wrong; so only where
        there is no room left."""
        oldest = time.time() - most_age_seconds
        for path in (*(kept.path for kept in self.waiting()), *self.refused()):
            if most_age_seconds and Kept(path).made_at < oldest:
                self._drop(path)

    def _drop(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._write(self._folder / DROPPED_FILE, str(self.dropped() + 1).encode("ascii"))

    def _key(self) -> GetSpoolKeyResponse | None:
        try:
            key = GetSpoolKeyResponse.FromString((self._folder / KEY_FILE).read_bytes())
        except (OSError, DecodeError):
            return None
        return key if len(key.public_key) == KEY_BYTES else None

    def _has_room(self, size: int) -> bool:
        sizes = list(_sizes(self._folder))
        return len(sizes) < self._most_captures and sum(sizes) + size <= self._most_bytes

    def _write(self, path: Path, content: bytes) -> None:
        part = self._folder / f"{secrets.token_hex(8)}{PART}"
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            _sync_folder(self._folder)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise SpoolError(f"{self._folder}: {error.strerror}: a capture couldn't be kept") from None


class Run:
    """One submission of all that waits. `count`: how many were taken."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._failed: list[tuple[Kept, RemoteError]] = []
        self.count = 0

    def requests(self) -> Iterator[tuple[Kept, SubmitSpooledRequest]]:
        """Yield what waits and can be read, oldest first. Raises SpoolError."""
        for kept in self._spool.waiting():
            try:
                yield kept, kept.request()
            except FileNotFoundError:  # an operator moved it away
                continue
            except UnreadableCaptureError as error:
                self._spool.not_taken(kept, Submitted.ASIDE, error.reason)
            except OSError as error:
                raise SpoolError(f"{kept.path}: {error.strerror}: can't be read") from None

    def taken(self, kept: Kept) -> None:
        """The gateway has taken this one."""
        self._spool.remove(kept)
        self.count += 1

    def not_taken(self, kept: Kept, error: RemoteError) -> None:
        """The gateway has not taken this one. Raises the error, if it will take none now."""
        becomes = of_submission(error)
        if becomes is Submitted.STOP:
            raise error
        if becomes is Submitted.TRY_AGAIN:
            self._failed.append((kept, error))
        else:
            self._spool.not_taken(kept, becomes, error.reason)

    def end(self) -> None:
        """All have been submitted. Raises the first error, if the gateway failed and took none."""
        if self._failed and not self.count:
            raise self._failed[0][1]
        for kept, error in self._failed:
            self._spool.not_taken(kept, Submitted.TRY_AGAIN, error.reason)


def keep(spool: Spool | None, request: ScreenTravelerRequest, error: RemoteError) -> bool:
    """Keep a capture that an outage left without an answer; tell whether it is kept. Raises nothing: the traveler
    waits."""
    if spool is None or not may_be_kept(error):
        return False
    try:
        return spool.keep(request)
    except (BorderpostError, OSError, ValueError) as failure:
        _log.warning("capture_not_kept", error=type(failure).__name__)
        return False


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.glob(f"*{KEPT}"):
        with suppress(OSError):
            yield path.stat().st_size


def _id_of(path: Path) -> str:
    """The request id: what a file's name begins with."""
    return path.name.partition(".")[0]


def _unlink_old(part: Path) -> None:
    """Remove what was half written, unless another program may be writing it now."""
    with suppress(FileNotFoundError):
        if abs(time.time() - part.stat().st_mtime) > PART_SECONDS:
            part.unlink()


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
