"""DocumentsService on the wire: validates, translates, and leaves the rest to the use case."""

from __future__ import annotations

from typing import Any

from borderpost.documents import validate, wire
from borderpost.documents.app import Documents
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import documents_pb2 as pb
from borderpost.v1.documents_pb2_grpc import DocumentsServiceServicer


class DocumentsServicer(DocumentsServiceServicer):
    """Handlers of DocumentsService; documents.proto is their specification."""

    def __init__(self, app: Documents, pool: WorkPool) -> None:
        self._app = app
        self._pool = pool

    async def ReadDocument(self, request: pb.ReadDocumentRequest, context: Any) -> pb.ReadDocumentResponse:
        """Read one document."""
        today = validate.judged_on(request)
        return wire.to_response(await self._pool.run(self._app.read, request.page, today))
