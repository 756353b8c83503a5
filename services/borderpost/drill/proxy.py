"""A line between two services that can be bad: it delays, goes dead, or is cut. TLS passes through it unread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

CHUNK: int = 64 * 1024


class Line:
    """Forwards connections from `port` to another one. To be used from any thread; runs in one of its own."""

    def __init__(self, port: int, to_port: int) -> None:
        self.delay = 0.0
        self._alive = asyncio.Event()
        self._alive.set()
        self._port = port
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"line-{port}", daemon=True)
        self._thread.start()
        self._ready.wait()

    def silence(self) -> None:
        """Let nothing through any more, without a word."""
        self._loop.call_soon_threadsafe(self._alive.clear)

    def cut(self) -> None:
        """Cut every connection that there is."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(5)

    def heal(self) -> None:
        """Be a good line again. What a dead line held back is lost: its connections are cut."""
        self.delay = 0.0
        if not self._alive.is_set():
            self.cut()
            self._loop.call_soon_threadsafe(self._alive.set)

    def close(self) -> None:
        """End; again does nothing."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", self._port))
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end(server))
        self._loop.close()

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, back}
        both: list[Coroutine[Any, Any, None]] = [self._pass(reader, back), self._pass(there, writer)]
        await asyncio.gather(*both, return_exceptions=True)
        self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._alive.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
