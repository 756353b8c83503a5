"""FacesService on the wire: validates, translates, and leaves the rest to the use cases."""

from __future__ import annotations

from typing import Any

from borderpost.faces import validate, wire
from borderpost.faces.app import Faces
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import faces_pb2 as pb
from borderpost.v1.faces_pb2_grpc import FacesServiceServicer


class FacesServicer(FacesServiceServicer):
    """Handlers of FacesService; faces.proto is their specification."""

    def __init__(self, app: Faces, pool: WorkPool) -> None:
        self._app = app
        self._pool = pool

    async def ExtractTemplate(
        self, request: pb.ExtractTemplateRequest, context: Any
    ) -> pb.ExtractTemplateResponse:
        """Make a template of the frames of one capture."""
        validate.check_extract_template(request)
        profile = wire.from_profile(request.profile)
        return wire.to_extraction(await self._pool.run(self._app.extract, list(request.frames), profile))

    async def Compare(self, request: pb.CompareRequest, context: Any) -> pb.CompareResponse:
        """Compare two faces, each a template or a picture."""
        validate.check_compare(request)
        probe, reference = wire.from_probe(request), wire.from_reference(request)
        return wire.to_comparison(
            await self._pool.run(self._app.compare, probe, reference, request.target_fmr)
        )
