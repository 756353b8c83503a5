"""FacesService on the wire: validates, translates, and leaves the rest to the use cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from borderpost.faces import validate, wire
from borderpost.faces.app import Faces
from borderpost.faces.capture.app import Captures
from borderpost.faces.capture.stream import CaptureStreams
from borderpost.runtime import calls
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import faces_pb2 as pb
from borderpost.v1.faces_pb2_grpc import FacesServiceServicer


class FacesServicer(FacesServiceServicer):
    """Handlers of FacesService; faces.proto is their specification."""

    def __init__(self, app: Faces, pool: WorkPool, captures: Captures, streams: CaptureStreams) -> None:
        self._app = app
        self._pool = pool
        self._captures = captures
        self._streams = streams

    async def ExtractTemplate(
        self, request: pb.ExtractTemplateRequest, context: Any
    ) -> pb.ExtractTemplateResponse:
        """Make a template of the frames of one capture."""
        validate.check_extract_template(request)
        profile = wire.from_profile(request.profile)
        frames, token = list(request.frames), request.capture_token
        extraction = await (
            self._pool.run(
                self._captures.extract, frames, profile, token, request.visit_id, calls.current().actor
            )
            if token
            else self._pool.run(self._app.extract, frames, profile)
        )
        return wire.to_extraction(extraction, request.language)

    async def Compare(self, request: pb.CompareRequest, context: Any) -> pb.CompareResponse:
        """Compare two faces, each a template or a picture."""
        validate.check_compare(request)
        probe, reference = wire.from_probe(request), wire.from_reference(request)
        comparison = await self._pool.run(self._app.compare, probe, reference, request.target_fmr)
        return wire.to_comparison(comparison, request.language)

    async def LocateEyes(self, request: pb.LocateEyesRequest, context: Any) -> pb.LocateEyesResponse:
        """Find where the eyes are."""
        validate.check_locate_eyes(request)
        found = await self._pool.run(self._app.locate_eyes, list(request.pictures))
        return pb.LocateEyesResponse(eyes=[wire.to_eyes(marks) for marks in found])

    async def GuideCapture(
        self, request_iterator: Any, context: Any
    ) -> AsyncIterator[pb.GuideCaptureResponse]:
        """Guide a traveler through a capture."""
        async with aclosing(self._streams.guide(request_iterator, calls.current().actor)) as answers:
            async for answer in answers:
                yield answer
