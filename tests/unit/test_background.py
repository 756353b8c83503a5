"""What runs beside a server."""

from __future__ import annotations

import asyncio

import pytest

from borderpost.runtime import server


async def test_a_background_task_that_fails_is_started_again_until_it_is_cancelled(monkeypatch):
    monkeypatch.setattr(server, "RESTART_SECONDS", 0.001)
    runs = 0
    again = asyncio.Event()

    async def failing():
        nonlocal runs
        runs += 1
        if runs == 3:
            again.set()
            await asyncio.Event().wait()
        raise RuntimeError("a text that may hold anything")

    task = asyncio.create_task(server._forever(failing))
    await asyncio.wait_for(again.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert runs == 3
