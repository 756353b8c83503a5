"""Composition root of the documents service."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import grpc
import structlog

from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper
from borderpost.documents.adapters.sqlite_trust import MIGRATIONS, SqliteTrustStore
from borderpost.documents.adapters.two_network_reader import TwoNetworkReader
from borderpost.documents.app import Documents
from borderpost.documents.challenge import Challenges
from borderpost.documents.pages import Pages
from borderpost.documents.servicer import DocumentsServicer
from borderpost.documents.trust.app import TrustStore
from borderpost.documents.trust.measures import trust_reading
from borderpost.documents.trust.servicer import TrustServicer
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.event_log import GrpcLog
from borderpost.runtime.outbox import Outbox
from borderpost.runtime.own_numbers import outbox_reading
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.runtime.signing import load_signing_key
from borderpost.runtime.sqlite import Database, held_alone
from borderpost.v1 import documents_pb2_grpc, trust_pb2_grpc
from borderpost.v1.decisions_pb2 import Versions

IMPORTS: Final = 1
IMPORTS_WAITING: Final = 8
"""Calls of TrustService have a thread of their own: an import takes a second or more, and no document waits for it."""

_log = structlog.get_logger(__name__)


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service; the reader's weights are loaded before it serves. The log may be away."""
    specimens = settings.mode == "development"
    path = settings.state_dir / "documents.sqlite"
    alone = ExitStack()
    alone.enter_context(held_alone(path))
    database = Database(path, MIGRATIONS)
    alone.callback(database.close)
    trust = TrustStore(SqliteTrustStore(database), SystemClock(), accept_specimens=specimens)
    _log.info("trust", version=trust.snapshot().version)
    log = GrpcLog(open_channel(settings, "decisions", "documents"))
    outbox = Outbox(database, log.deliver)
    imports = WorkPool(IMPORTS, IMPORTS_WAITING)
    alone.callback(imports.close)

    reader = await pool.run(TwoNetworkReader)
    _log.info("reader", name=reader.name)
    pages = Pages(reader, OpenCvPortraitCropper(), accept_specimens=specimens)
    key = load_signing_key(settings.challenge_key, make=settings.mode == "development")
    challenges = Challenges(key, SystemClock())
    servicer = DocumentsServicer(Documents(pages, trust, challenges), challenges, pool)
    trust_servicer = TrustServicer(trust, imports)

    def register(server: grpc.aio.Server) -> None:
        documents_pb2_grpc.add_DocumentsServiceServicer_to_server(servicer, server)
        trust_pb2_grpc.add_TrustServiceServicer_to_server(trust_servicer, server)

    async def ready() -> bool:
        return True

    services = ("borderpost.v1.DocumentsService", "borderpost.v1.TrustService")
    report = Report(
        log.deliver, lambda: Versions(document_reader=reader.name, trust_store=trust.snapshot().version)
    )
    readings = (trust_reading(trust, SystemClock()), outbox_reading(outbox))
    pools = {"imports": imports}
    return Service(
        services, register, ready, (outbox.run,), alone.close, report, readings=readings, pools=pools
    )


def main() -> None:
    """Run the documents service."""
    serve("documents", build)


if __name__ == "__main__":
    main()
