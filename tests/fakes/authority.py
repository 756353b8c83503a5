"""An authority without a server, that counts what it is asked for."""

from __future__ import annotations

from typing import Any

from borderpost.v1 import authority_pb2


class CountingAuthority:
    """Stands for the stub of AuthorityService."""

    def __init__(self, revocations: bytes) -> None:
        self._revocations = revocations
        self.renewed = 0

    async def GetRevocations(self, request: Any, **_: Any) -> authority_pb2.GetRevocationsResponse:  # noqa: N802
        """Give out the list."""
        return authority_pb2.GetRevocationsResponse(revocations=self._revocations)

    async def RenewCertificate(self, request: Any, **_: Any) -> authority_pb2.RenewCertificateResponse:  # noqa: N802
        """Count a renewal; what it gives is no certificate."""
        self.renewed += 1
        return authority_pb2.RenewCertificateResponse(certificate=b"certificate", authorities=b"authorities")
