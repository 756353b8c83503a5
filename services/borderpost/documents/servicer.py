"""DocumentsService on the wire: validates, translates, and leaves the rest to the use cases."""

from __future__ import annotations

from typing import Any

from borderpost.documents import validate, wire
from borderpost.documents.app import Documents
from borderpost.documents.challenge import Challenges
from borderpost.runtime import calls
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import documents_pb2 as pb
from borderpost.v1.documents_pb2_grpc import DocumentsServiceServicer


class DocumentsServicer(DocumentsServiceServicer):
    """Handlers of DocumentsService; documents.proto is their specification."""

    def __init__(self, app: Documents, challenges: Challenges, pool: WorkPool) -> None:
        self._app = app
        self._challenges = challenges
        self._pool = pool

    async def ReadDocument(self, request: pb.ReadDocumentRequest, context: Any) -> pb.ReadDocumentResponse:
        """Read one document."""
        at, capture = validate.judged_at(request), validate.capture(request)
        reading = await self._pool.run(self._app.read, capture, at, calls.current().actor)
        return wire.to_response(reading, request.language)

    async def IssueChipChallenge(
        self, request: pb.IssueChipChallengeRequest, context: Any
    ) -> pb.IssueChipChallengeResponse:
        """Make a challenge for a chip."""
        visit_id = validate.challenged_visit(request)
        return wire.to_challenge(self._challenges.issue(visit_id, calls.current().actor))
