"""TrustService on the wire: validates, translates, and leaves the rest to the use cases."""

from __future__ import annotations

from typing import Any, Final

from borderpost.documents.trust import validate, wire
from borderpost.documents.trust.app import TrustStore
from borderpost.runtime import calls
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import trust_pb2 as pb
from borderpost.v1.trust_pb2_grpc import TrustServiceServicer

DEFAULT_PAGE_SIZE: Final = 100
"""As in trust.proto."""


class TrustServicer(TrustServiceServicer):
    """Handlers of TrustService; trust.proto is their specification."""

    def __init__(self, app: TrustStore, pool: WorkPool) -> None:
        self._app = app
        self._pool = pool

    async def ImportTrust(self, request: pb.ImportTrustRequest, context: Any) -> pb.ImportTrustResponse:
        """Take what a file brings."""
        validate.import_trust(request)
        call = calls.current()
        report = await self._pool.run(
            self._app.import_file,
            request.file,
            request.source,
            call.actor,
            call.purpose,
            issuer_sha256=request.issuer_sha256,
            dry_run=request.dry_run,
        )
        return wire.to_import_response(report)

    async def ListTrusted(self, request: pb.ListTrustedRequest, context: Any) -> pb.ListTrustedResponse:
        """List a page of certificates."""
        validate.list_trusted(request)
        size = request.page_size or DEFAULT_PAGE_SIZE
        page = await self._pool.run(self._app.list_trusted, wire.from_list_request(request), size)
        return wire.to_list_response(page)

    async def GetTrusted(self, request: pb.GetTrustedRequest, context: Any) -> pb.GetTrustedResponse:
        """Show one certificate."""
        validate.get_trusted(request)
        return wire.to_get_response(await self._pool.run(self._app.get_trusted, request.id))
