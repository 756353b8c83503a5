"""Which certificates hold: not run out, and not revoked. Asked at every call, so that an open connection helps nobody.

TLS looks at a certificate once, when a connection is made. A connection may stay open for weeks.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.tls import write_file

LOOK_SECONDS: Final = 1.0
"""The file is looked at again after this time: a revocation takes effect within it."""

MOST_KNOWN: Final = 10_000
"""Certificates that are remembered as parsed."""

_BEGIN: Final = b"-----BEGIN X509 CRL-----"

_log = structlog.get_logger(__name__)


class CertificateExpiredError(BorderpostError):
    """The certificate of an open connection has run out."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "CERTIFICATE_EXPIRED"


class CertificateRevokedError(BorderpostError):
    """The certificate is revoked."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "CERTIFICATE_REVOKED"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is looked at of a certificate."""

    serial: int
    issuer: bytes
    not_after: datetime


class Revocations:
    """What is revoked: by X.509 CRLs (RFC 5280), PEM, of each authority one. To be used by many threads."""

    def __init__(self, file: Path, authorities: Path) -> None:
        """`file` is there if anything was ever revoked; one of `authorities` (PEM) has to have signed it."""
        self._file = file
        self._authorities = authorities
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._state: tuple[int, int] | None = None
        self._revoked: frozenset[tuple[bytes, int]] = frozenset()
        self._unkept = False
        self._known: dict[bytes, _Known] = {}

    def check(self, pem: bytes) -> None:
        """Raise CertificateExpiredError or CertificateRevokedError unless a certificate that TLS has taken still
        holds."""
        known = self._known.get(pem) or self._parse(pem)
        if datetime.now(UTC) > known.not_after:
            raise CertificateExpiredError(
                "certificate: it has run out since the connection was made: renew it"
            )
        if (known.issuer, known.serial) in self._current():
            raise CertificateRevokedError("certificate: it is revoked: ask the administrator for a new one")

    def take(self, data: bytes) -> None:
        """Take a list that came another way than by the file (PEM), and keep it in the file for the next start. One
        that isn't signed leaves the one before."""
        try:
            self._revoked = self._read(data)
        except (OSError, ValueError, InvalidSignature) as error:
            _log.error("revocations_unreadable", error=type(error).__name__)
            return
        try:
            write_file(self._file, data)
        except OSError as error:
            # It holds until this process ends; after that, until the authority can be asked, the file's own does.
            if not self._unkept:
                _log.warning("revocations_not_kept", error=type(error).__name__)
            self._unkept = True
        else:
            self._unkept = False

    def _parse(self, pem: bytes) -> _Known:
        certificate = x509.load_pem_x509_certificate(pem)
        known = _Known(
            certificate.serial_number, certificate.issuer.public_bytes(), certificate.not_valid_after_utc
        )
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[pem] = known
        return known

    def _current(self) -> frozenset[tuple[bytes, int]]:
        with self._lock:
            if time.monotonic() - self._looked_at > LOOK_SECONDS:
                self._looked_at = time.monotonic()
                self._look()
        return self._revoked

    def _look(self) -> None:
        """Read the list, if it was changed. One that can't be read or isn't signed leaves the one that was read."""
        try:
            found = self._file.stat()
            state = (found.st_mtime_ns, found.st_ino)
            if state != self._state:
                self._revoked = self._read(self._file.read_bytes())
                self._state = state
        except FileNotFoundError:
            return
        except (OSError, ValueError, InvalidSignature) as error:
            _log.error("revocations_unreadable", error=type(error).__name__)

    def _read(self, data: bytes) -> frozenset[tuple[bytes, int]]:
        authorities = x509.load_pem_x509_certificates(self._authorities.read_bytes())
        revoked: set[tuple[bytes, int]] = set()
        for part in data.split(_BEGIN)[1:]:
            crl = x509.load_pem_x509_crl(_BEGIN + part)
            if not any(_signed(crl, authority) for authority in authorities):
                raise ValueError("a list that no trusted authority has signed")
            if crl.next_update_utc is not None and crl.next_update_utc < datetime.now(UTC):
                _log.warning("revocations_old")
            revoked.update((crl.issuer.public_bytes(), one.serial_number) for one in crl)
        return frozenset(revoked)


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    try:
        return crl.issuer == authority.subject and crl.is_signature_valid(key)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
