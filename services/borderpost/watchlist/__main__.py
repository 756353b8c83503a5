"""Composition root of the watchlist service."""

from __future__ import annotations

from contextlib import ExitStack

import grpc

from borderpost.runtime.calibration import load_calibrations
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.event_log import GrpcLog
from borderpost.runtime.outbox import Outbox
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.runtime.sqlite import Database, held_alone
from borderpost.v1 import watchlist_pb2_grpc
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.adapters.sqlite_store import MIGRATIONS, SqliteStore
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.servicer import WatchlistServicer


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service. It is ready when the view is built from the database; the log may be away."""
    path = settings.state_dir / "watchlist.sqlite"
    alone = ExitStack()
    alone.enter_context(held_alone(path))
    database = Database(path, MIGRATIONS)
    alone.callback(database.close)
    clock = SystemClock()
    app = await pool.run(
        Watchlists, SqliteStore(database), FaissIndex, load_calibrations(settings.calibrations), clock
    )
    servicer = WatchlistServicer(app, pool, clock)
    outbox = Outbox(database, GrpcLog(open_channel(settings, "decisions", "watchlist")).deliver)

    def register(server: grpc.aio.Server) -> None:
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        return True

    return Service(("borderpost.v1.WatchlistService",), register, ready, (outbox.run,), alone.close)


def main() -> None:
    """Run the watchlist service."""
    serve("watchlist", build)


if __name__ == "__main__":
    main()
