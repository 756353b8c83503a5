"""Serve the agent on this machine, and to no other."""

from __future__ import annotations

from typing import Final

import uvicorn

from borderpost.kiosk.web.app import make_app
from borderpost.kiosk.web.desk import Client, Desk

ADDRESS: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 32


def make_server(client: Client, port: int) -> uvicorn.Server:
    """Make the server of a kiosk's page. Its requests are not logged."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(Desk(client), port),
            host=ADDRESS,
            port=port,
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
    )
