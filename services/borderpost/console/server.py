"""Serve the console to browsers."""

from __future__ import annotations

import socket
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


QUIET: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"uvicorn": {"level": "CRITICAL"}},
}
"""What goes wrong is told by the pages' own log, by kind and place; the server's would write the error with what was in
it."""


class AddressTakenError(BorderpostError):
    """Another program listens where the console should."""

    reason = "ADDRESS"


class ConsoleUnsafeError(BorderpostError):
    """The console would be open to others on the way to the browser."""

    reason = "CONSOLE_UNSAFE"


def listen(settings: Settings) -> socket.socket:
    """Take the console's address. Raises AddressTakenError."""
    host, _, port = settings.console.listen.rpartition(":")
    try:
        return socket.create_server((host, int(port)))
    except OSError as error:
        raise AddressTakenError(
            f"console.listen: can't listen on {settings.console.listen}: {error.strerror}; if a console runs already, "
            "use that one"
        ) from None


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
            log_config=QUIET,
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
