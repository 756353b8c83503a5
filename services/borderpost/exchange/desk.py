"""Where files are handed in: the gateway, asked patiently. A person of the command line is a desk."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import grpc

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.status import RETRY_AFTER

PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each new try: a service that is started again takes some of them, one that is gone all."""

LONG_SECONDS: Final = 600.0
"""Of what works on a whole list: 100,000 entries take minutes. The gateway gives no call more than is its due."""

MOST_PAUSE: Final = 60.0
"""Seconds, whatever the service asks for."""

Answer = TypeVar("Answer")
Sleep = Callable[[float], None]


class Desk(Protocol):
    """Asks methods of the two stubs as one person. `ask` raises BorderpostError."""

    @property
    def watchlist(self) -> Any:
        """A stub of WatchlistService."""

    @property
    def gateway(self) -> Any:
        """A stub of GatewayService."""

    def ask(self, method: Callable[..., Answer], request: Any, seconds: float) -> Answer:
        """Call a method of one of them, which may take `seconds`."""


def ask_patiently(
    desk: Desk,
    method: Callable[..., Answer],
    request: Any,
    sleep: Sleep = time.sleep,
    seconds: float = LONG_SECONDS,
) -> Answer:
    """Ask what can be asked again, and do so while the service is away or has too much to do."""
    for pause in PAUSES:
        try:
            return desk.ask(method, request, seconds)
        except BorderpostError as error:
            if not _may_be_asked_again(error):
                raise
            sleep(max(pause, _asked_pause(error)))
    return desk.ask(method, request, seconds)


def _may_be_asked_again(error: BorderpostError) -> bool:
    return error.code is grpc.StatusCode.UNAVAILABLE or error.reason == "OVERLOADED"


def _asked_pause(error: BorderpostError) -> float:
    milliseconds = error.details.get(RETRY_AFTER, "")
    return min(int(milliseconds) / 1000, MOST_PAUSE) if milliseconds.isdecimal() else 0.0
