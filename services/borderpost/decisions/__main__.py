"""Composition root of the decisions service."""

from __future__ import annotations

import asyncio

import grpc

from borderpost.decisions.adapters.sqlite_log import SqliteLog
from borderpost.decisions.app import Decisions
from borderpost.decisions.servicer import DecisionsServicer
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.keys import open_sqlite_keys
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings, SettingsError
from borderpost.v1 import decisions_pb2_grpc


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service. It is ready while the log takes appends; a damaged log can still be verified."""
    key_dir = settings.decisions.key_dir or settings.state_dir / "keys"
    if key_dir.resolve() == settings.state_dir.resolve():
        raise SettingsError(
            "decisions.key_dir: got the folder of the log, want another: backups would hold both"
        )
    clock = SystemClock()
    log = SqliteLog(settings.state_dir / "decisions.sqlite", clock)
    keys = open_sqlite_keys(key_dir / "keys.sqlite")
    app = Decisions(log, keys, clock)
    servicer = DecisionsServicer(app, pool)

    def register(server: grpc.aio.Server) -> None:
        decisions_pb2_grpc.add_DecisionsServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        # Not on the pool: a service with a full queue is busy, and still ready.
        await asyncio.to_thread(app.check_writable)
        return True

    def close() -> None:
        log.close()
        keys.close()

    return Service(("borderpost.v1.DecisionsService",), register, ready, close=close)


def main() -> None:
    """Run the decisions service."""
    serve("decisions", build)


if __name__ == "__main__":
    main()
