"""Serve the agent on this machine, and to no other."""

from __future__ import annotations

import socket
from typing import Final

import uvicorn

from borderpost.kiosk.web.app import make_app
from borderpost.kiosk.web.desk import Client, Desk, Habits
from borderpost.runtime.errors import BorderpostError

ADDRESS: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 32


class PortTakenError(BorderpostError):
    """Another program listens on the agent's port."""

    reason = "PORT_TAKEN"


def listen(port: int) -> socket.socket:
    """Take the agent's port on this machine. Raises PortTakenError."""
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        raise PortTakenError(
            f"port: can't listen on {ADDRESS}:{port}: {error.strerror}; if an agent runs already use that one, else "
            "take another --port"
        ) from None


def make_server(client: Client, port: int, habits: Habits | None = None) -> uvicorn.Server:
    """Make the server of a kiosk's page. Its requests are not logged."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(Desk(client, habits or Habits()), port),
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
