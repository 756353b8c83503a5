"""Composition root of the faces service."""

from __future__ import annotations

import grpc
import structlog

from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.faces.adapters.dlib_onnx import DlibOnnxEmbedder
from borderpost.faces.app import Faces
from borderpost.faces.ports import Engine
from borderpost.faces.servicer import FacesServicer
from borderpost.runtime.calibration import load_calibration
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.v1 import faces_pb2_grpc

_log = structlog.get_logger(__name__)


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service; the weights are verified and loaded before it serves."""
    finder, embedder = DlibFaceFinder(), DlibOnnxEmbedder.load()
    card, calibration = embedder.card, load_calibration(embedder.card.id)
    _log.info("model", id=card.id, licence=card.licence, holder=card.holder, calibration=calibration.id)
    await pool.run(finder.warm_up)
    servicer = FacesServicer(Faces(Engine(finder, finder, embedder), calibration), pool)

    def register(server: grpc.aio.Server) -> None:
        faces_pb2_grpc.add_FacesServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        return True

    return Service(("borderpost.v1.FacesService",), register, ready)


def main() -> None:
    """Run the faces service."""
    serve("faces", build)


if __name__ == "__main__":
    main()
