"""SubjectsService on the wire: checks, translates, hands to the use cases."""

from __future__ import annotations

from typing import Any

from borderpost.decisions.subjects import validate
from borderpost.decisions.subjects.app import Subjects
from borderpost.decisions.subjects.messages import apply_response, find_response, retention_response
from borderpost.decisions.subjects.rectifying import Rectifying
from borderpost.decisions.subjects.retention import Retention
from borderpost.runtime.calls import current
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import subjects_pb2 as pb
from borderpost.v1.subjects_pb2_grpc import SubjectsServiceServicer


class SubjectsServicer(SubjectsServiceServicer):
    """See protos/borderpost/v1/subjects.proto."""

    def __init__(
        self, subjects: Subjects, rectifying: Rectifying, retention: Retention, pool: WorkPool
    ) -> None:
        self._subjects = subjects
        self._rectifying = rectifying
        self._retention = retention
        self._pool = pool

    async def FindSubject(self, request: pb.FindSubjectRequest, context: Any) -> pb.FindSubjectResponse:
        """Find the screenings of a document whose data is held."""
        validate.find_subject(request)
        found, more = await self._pool.run(self._subjects.find, request.document, current())
        return find_response(found, more)

    async def EraseSubject(self, request: pb.EraseSubjectRequest, context: Any) -> pb.EraseSubjectResponse:
        """Erase the data of screenings."""
        validate.erase_subject(request)
        document = request.document if request.HasField("document") else None
        erased = await self._pool.run(
            self._subjects.erase, document, list(request.event_ids), request.basis, current()
        )
        return pb.EraseSubjectResponse(receipt=erased.receipt, screenings=erased.screenings)

    async def RectifySubject(
        self, request: pb.RectifySubjectRequest, context: Any
    ) -> pb.RectifySubjectResponse:
        """Put a statement beside screenings."""
        validate.rectify_subject(request)
        count = await self._pool.run(
            self._rectifying.rectify, list(request.event_ids), request.statement, current()
        )
        return pb.RectifySubjectResponse(screenings=count)

    async def GetRetention(self, request: pb.GetRetentionRequest, context: Any) -> pb.GetRetentionResponse:
        """Say what is held."""
        return retention_response(await self._pool.run(self._retention.status))

    async def ApplyRetention(
        self, request: pb.ApplyRetentionRequest, context: Any
    ) -> pb.ApplyRetentionResponse:
        """Apply the rules now."""
        call = current()
        return apply_response(await self._pool.run(self._retention.apply, call.actor, call.purpose))
