"""Faults, at random moments and seeded: which service, what, and for how long."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from borderpost.cli.stack import Stack, StackError
from borderpost.drill.proxy import Line
from borderpost.runtime.settings import ServiceName

LONGEST_SECONDS: Final = 2.5
"""A fault lasts up to so long: longer than gRPC's patience with a connection, shorter than a kiosk's with an answer."""

BETWEEN_SECONDS: Final = 0.7

HIT: Final[tuple[ServiceName, ...]] = ("documents", "faces", "watchlist", "decisions", "gateway")
SLOW_SECONDS: Final = (0.02, 0.2, 1.0)


class Faults:
    """Does one thing after another to the services until it is told to stop, and mends it again."""

    def __init__(self, stack: Stack, lines: Mapping[ServiceName, Line], seed: int) -> None:
        self._stack = stack
        self._lines = lines
        self._random = random.Random(seed)  # noqa: S311  reproducible
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults")
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and have everything mended."""
        self._stop.set()
        self._thread.join(120)

    def _run(self) -> None:
        kinds: Mapping[str, Callable[[ServiceName, float], None]] = {
            "killed": self._kill,
            "paused": self._pause,
            "slowed": self._slow,
            "dead line": self._silence,
            "cut": self._cut,
        }
        while not self._stop.is_set():
            name, kind = self._random.choice(HIT), self._random.choice(list(kinds))
            seconds = self._random.uniform(0.1, LONGEST_SECONDS)
            try:
                kinds[kind](name, seconds)
            except (StackError, OSError) as error:
                self.failed.append(f"{kind} {name}: {error}")
            self.done[f"{name} {kind}"] += 1
            self._stop.wait(self._random.uniform(0, BETWEEN_SECONDS))

    def _kill(self, name: ServiceName, seconds: float) -> None:
        self._stack.kill(name)
        time.sleep(seconds / 3)
        self._stack.restart(name)

    def _pause(self, name: ServiceName, seconds: float) -> None:
        process = self._stack.process(name)
        os.kill(process, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process, signal.SIGCONT)

    def _slow(self, name: ServiceName, seconds: float) -> None:
        self._lines[name].delay = self._random.choice(SLOW_SECONDS)
        time.sleep(seconds)
        self._lines[name].heal()

    def _silence(self, name: ServiceName, seconds: float) -> None:
        self._lines[name].silence()
        time.sleep(seconds)
        self._lines[name].heal()

    def _cut(self, name: ServiceName, _seconds: float) -> None:
        self._lines[name].cut()
