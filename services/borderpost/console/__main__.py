"""Composition root of the console."""

from __future__ import annotations

import asyncio
import sys

from borderpost.console.server import listen, make_server
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.logging import configure_logging
from borderpost.runtime.settings import load_settings


async def run() -> None:
    """Serve until the process is told to end. Raises BorderpostError."""
    settings = load_settings()
    configure_logging("console", settings.log_level)
    server = await make_server(settings)
    await server.serve(sockets=[listen(settings)])


def main() -> None:
    """Run the console."""
    try:
        asyncio.run(run())
    except BorderpostError as error:
        sys.exit(f"borderpost console can't start: {error.message}")


if __name__ == "__main__":
    main()
