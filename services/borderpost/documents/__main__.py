"""Composition root of the documents service."""

from __future__ import annotations

import grpc
import structlog

from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.adapters.rapidocr_reader import RapidOcrReader
from borderpost.documents.app import Documents
from borderpost.documents.servicer import DocumentsServicer
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.v1 import documents_pb2_grpc

_log = structlog.get_logger(__name__)


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service; the reader's weights are loaded before it serves."""
    reader = await pool.run(RapidOcrReader)
    _log.info("reader", name=reader.name)
    documents = Documents(reader, OpenCvPortraitCropper(), accept_specimens=settings.mode == "development")
    servicer = DocumentsServicer(documents, pool)

    def register(server: grpc.aio.Server) -> None:
        documents_pb2_grpc.add_DocumentsServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        return True

    return Service(("borderpost.v1.DocumentsService",), register, ready)


def main() -> None:
    """Run the documents service."""
    serve("documents", build)


if __name__ == "__main__":
    main()
