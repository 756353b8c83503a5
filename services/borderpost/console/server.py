"""Serve the console to browsers."""

from __future__ import annotations

from typing import Final

import uvicorn

from borderpost.console.app import make_app
from borderpost.console.gateway import Gateway
from borderpost.console.pages import Console
from borderpost.console.sessions import Sessions
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.people import open_people
from borderpost.runtime.settings import Settings

NAME: Final = "console"
"""The identity that the console has at the gateway."""

MOST_CONNECTIONS: Final = 1000
DRAIN_SECONDS: Final = 5


class ConsoleUnsafeError(BorderpostError):
    """The console would be open to others on the way to the browser."""

    reason = "CONSOLE_UNSAFE"


async def make_server(settings: Settings) -> uvicorn.Server:
    """Make the console's server, in the event loop that it will run in. Raises ConsoleUnsafeError, CertificateError."""
    own = settings.console
    if settings.mode == "production" and not own.url.startswith("https:"):
        raise ConsoleUnsafeError("console.url: want https in production: tokens and faces go over it")
    clock = SystemClock()
    console = Console(
        settings,
        Gateway(open_channel(settings, "gateway", NAME)),
        open_people(settings, clock),
        Sessions(own.idle_seconds),
        clock,
    )
    host, _, port = own.listen.rpartition(":")
    return uvicorn.Server(
        uvicorn.Config(
            make_app(console),
            host=host,
            port=int(port),
            ssl_certfile=own.certificate,
            ssl_keyfile=own.key,
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
