"""Captures that wait for a connection: a folder of encrypted files that the kiosk itself can't read again.

One file is one capture: a SubmitSpooledRequest, as it will be sent. It is written whole and durably or not at all, and
removed only after the gateway has taken it. The folder holds only so much; what doesn't fit is not kept, and the answer
says so: nothing that waits is ever dropped for it.

Nobody is cleared by a kiosk without a connection. The traveler goes to an officer; what is submitted later opens a
case, if there is something to find.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import DecodeError

from borderpost.kiosk.answers import OUTAGES
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.settings import Settings
from borderpost.runtime.spooling import SCHEMA, seal_capture, sign
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

KEY_FILE: Final = "gateway.key"
KEPT: Final = ".capture"
ASIDE: Final = ".refused"
PART: Final = ".part"


class SpoolError(BorderpostError):
    """The spool's folder can't be used."""

    reason = "SPOOL"


@dataclass(frozen=True, slots=True)
class Kept:
    """A capture that waits; its name begins with its request id, and so sorts by when it was made."""

    path: Path

    def request(self) -> SubmitSpooledRequest:
        """Read it. Raises SpoolError."""
        try:
            return SubmitSpooledRequest.FromString(self.path.read_bytes())
        except (OSError, DecodeError):
            raise SpoolError(
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
        self._folder = folder
        self._settings = settings
        self._identity = identity
        self._most_captures = most_captures
        self._most_bytes = most_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in folder.glob(f"*{PART}"):
                part.unlink()
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
        if key is None or not self._has_room(request.ByteSize()):
            return False
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
        self._write(self._folder / f"{request.request_id}{KEPT}", kept.SerializeToString())
        return True

    def waiting(self) -> list[Kept]:
        """Return what waits, oldest first."""
        return [Kept(path) for path in sorted(self._folder.glob(f"*{KEPT}"))]

    def refused(self) -> list[Path]:
        """Return what the gateway refused and an operator has to look at; the reason is in the name."""
        return sorted(self._folder.glob(f"*{ASIDE}"))

    def remove(self, kept: Kept) -> None:
        """Remove what the gateway has taken."""
        kept.path.unlink(missing_ok=True)
        _sync_folder(self._folder)

    def set_aside(self, kept: Kept, reason: str) -> None:
        """Set aside what the gateway refuses: it would refuse it again. The reason code is safe to show."""
        kept.path.rename(kept.path.with_suffix(f".{reason}{ASIDE}"))
        _sync_folder(self._folder)

    def _key(self) -> GetSpoolKeyResponse | None:
        try:
            return GetSpoolKeyResponse.FromString((self._folder / KEY_FILE).read_bytes())
        except (OSError, DecodeError):
            return None

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


def keep(spool: Spool | None, request: ScreenTravelerRequest, error: RemoteError) -> bool:
    """Keep a capture that an outage left without an answer; tell whether it is kept. Raises nothing: the traveler
    waits."""
    if spool is None or error.code not in OUTAGES:
        return False
    try:
        return spool.keep(request)
    except BorderpostError:
        return False


def _sizes(folder: Path) -> Iterator[int]:
    for pattern in (f"*{KEPT}", f"*{ASIDE}"):
        for path in folder.glob(pattern):
            with suppress(OSError):
                yield path.stat().st_size


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
