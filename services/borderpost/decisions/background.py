"""What the service does beside answering: views are caught up, checkpoints made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from borderpost.decisions.transparency.app import Transparency
from borderpost.runtime.errors import BorderpostError

VIEWS_SECONDS: Final = 0.2
"""Pause between two looks for events that the views lack. Whoever reads them catches up first."""

FORGET_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


class Background:
    """Tasks beside the server. Each runs for ever, off the event loop; what can't be done now is done the next time."""

    def __init__(
        self,
        catch_up: Callable[[], None],
        transparency: Transparency,
        forget: Callable[[], None],
        checkpoint_seconds: float,
    ) -> None:
        self._forget = forget
        self._catch_up = catch_up
        self._transparency = transparency
        self._checkpoint_seconds = checkpoint_seconds
        self._keys_noted = False

    async def catch_up(self) -> None:
        """Bring the views to what is in the log."""
        await _again("views_wait", self._catch_up, VIEWS_SECONDS)

    async def forget(self) -> None:
        """Forget what is held in memory and whose time is over."""
        await _again("forgetting_waits", self._forget, FORGET_SECONDS)

    async def checkpoints(self) -> None:
        """Sign what the log has come to, if it has grown; first record the keys, if they are others than before."""
        await _again("checkpoint_waits", self._make_checkpoint, self._checkpoint_seconds)

    def _make_checkpoint(self) -> None:
        if not self._keys_noted:
            self._transparency.note_keys()
            self._keys_noted = True
        self._transparency.make()


async def _again(waits: str, work: Callable[[], object], seconds: float) -> None:
    failing = False
    while True:
        try:
            await asyncio.to_thread(work)
            failing = False
        except BorderpostError as error:
            if not failing:
                _log.warning(waits, reason=error.reason)
            failing = True
        await asyncio.sleep(seconds)
