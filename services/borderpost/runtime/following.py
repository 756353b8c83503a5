"""A service on a host of its own follows the authority: what is revoked, and its own certificate before it runs out."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import Final

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from borderpost.runtime.channels import open_channel
from borderpost.runtime.revocations import Revocations
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.tls import file_name, write_identity
from borderpost.v1 import authority_pb2, authority_pb2_grpc

FOLLOW_SECONDS: Final = 5.0
ASK_SECONDS: Final = 5.0

RENEW_AT: Final = 1 / 3
"""A certificate is renewed when less than this share of its life is left."""

RETRY_SECONDS: Final = 600.0
"""A renewal is tried again after this time: each try is a certificate and an event, even if none can be written."""

_log = structlog.get_logger(__name__)


class Following:
    """Asks the authority now and then. While it is away what was told last holds."""

    def __init__(self, settings: Settings, service: ServiceName, revocations: Revocations) -> None:
        self._settings = settings
        self._service = service
        self._revocations = revocations
        self._renew_at = float("-inf")
        channel = open_channel(settings, "authority", service)
        self._authority = authority_pb2_grpc.AuthorityServiceStub(channel)

    async def run(self) -> None:
        """Ask for ever."""
        away = False
        while True:
            try:
                await self._ask()
                away = False
            except grpc.aio.AioRpcError as error:
                if not away:
                    _log.warning("authority_away", code=error.code().name)
                away = True
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _ask(self) -> None:
        request = authority_pb2.GetRevocationsRequest()
        answer = await self._authority.GetRevocations(request, timeout=ASK_SECONDS)
        await asyncio.to_thread(self._revocations.take, answer.revocations)
        if time.monotonic() >= self._renew_at and await asyncio.to_thread(self._is_due):
            self._renew_at = time.monotonic() + RETRY_SECONDS
            if os.access(self._settings.certificates, os.W_OK):
                await self._renew()
            else:  # a certificate that can't be written down is none that should be made
                _log.warning("certificate_cannot_be_written")

    def _is_due(self) -> bool:
        file = self._settings.certificates / f"{file_name(self._service)}.pem"
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        return certificate.not_valid_after_utc - datetime.now(UTC) < life * RENEW_AT

    async def _renew(self) -> None:
        key, request = new_request()
        wanted = authority_pb2.RenewCertificateRequest(request=request)
        answer = await self._authority.RenewCertificate(wanted, timeout=ASK_SECONDS)
        await asyncio.to_thread(
            write_identity,
            self._settings.certificates,
            self._service,
            key,
            answer.certificate,
            answer.authorities,
        )
        _log.info("certificate_renewed")


def new_request() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """Make a key, and a certification request of it (PKCS #10, DER). Whose it is the authority knows by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return key, request.public_bytes(serialization.Encoding.DER)
