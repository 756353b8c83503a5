"""A load generator, in a process of its own so that its work isn't counted as the services': `python -m
borderpost.cli.load`.

Reads what to do from standard input (JSON), does it, and prints what came of it (JSON).
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from borderpost.kiosk import AsyncKiosk, Captured, Visit
from borderpost.kiosk.visits import make_request
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.settings import load_settings
from borderpost.runtime.status import RETRY_AFTER, RemoteError
from borderpost.v1 import gateway_pb2

DEADLINE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to do: as which kiosks, with which pictures, for how long. `rate`: arrivals a second, at random moments (a
    Poisson process), whoever is still waiting; 0: each kiosk sends the next when it has its answer. `unsettled`: what
    is sent in the first so many seconds isn't counted."""

    kiosks: list[str]
    page: str
    live: str
    seconds: float
    rate: float = 0.0
    seed: int = 1
    unsettled: float = 0.0


@dataclass(slots=True)
class Done:
    """What came of it. `seconds`: of each answered request, from its sending to its answer; `steps`: of its steps."""

    seconds: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    shed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wall: float = 0.0
    own_cpu: float = 0.0


class _Load:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._captured = Captured(Path(job.page).read_bytes(), (Path(job.live).read_bytes(),))
        self._clock = SystemClock()
        self._settled_at = 0.0
        self.done = Done()

    async def run(self) -> None:
        settings = load_settings()
        clients = [AsyncKiosk(settings, kiosk) for kiosk in self._job.kiosks]
        for client in clients:  # connections are made before anything is measured
            await client.connected()
        cpu, started = _cpu(), time.monotonic()
        self._settled_at = started + self._job.unsettled
        until = started + self._job.seconds
        if self._job.rate:
            await self._arrive(clients, until)
        else:
            await asyncio.gather(*(self._one_after_another(client, until) for client in clients))
        self.done.wall, self.done.own_cpu = time.monotonic() - self._settled_at, _cpu() - cpu
        for client in clients:
            await client.close()

    async def _one_after_another(self, client: AsyncKiosk, until: float) -> None:
        while time.monotonic() < until:
            pause = await self._send(client)
            if pause:
                await asyncio.sleep(pause)

    async def _arrive(self, clients: list[AsyncKiosk], until: float) -> None:
        draw = random.Random(self._job.seed)  # noqa: S311  no secret
        sent = []
        number = 0
        while time.monotonic() < until:
            await asyncio.sleep(draw.expovariate(self._job.rate))
            sent.append(asyncio.create_task(self._send(clients[number % len(clients)])))
            number += 1
        await asyncio.gather(*sent)

    async def _send(self, client: AsyncKiosk) -> float:
        """Send one request; return the pause that is asked for if it is refused, in seconds."""
        started = time.monotonic()
        try:
            answer = await client.send(self._request(), DEADLINE_SECONDS)
        except RemoteError as error:
            counts = started >= self._settled_at
            if RETRY_AFTER in error.details:
                self.done.shed += counts
                return int(error.details[RETRY_AFTER]) / 1000
            self.done.errors[error.reason] += counts
            return 0.2
        if started < self._settled_at:
            return 0.0
        self.done.seconds.append(time.monotonic() - started)
        self.done.outcomes[str(answer.outcome)] += 1
        for step in answer.steps:
            self.done.steps.setdefault(step.name, []).append(step.milliseconds / 1000)
        return 0.0

    def _request(self) -> gateway_pb2.ScreenTravelerRequest:
        return make_request(Visit(), self._captured, "", self._clock.now())


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Do a job."""
    load = _Load(Job(**json.load(sys.stdin)))
    asyncio.run(load.run())
    # Not `asdict`, which doesn't know how to copy a Counter.
    print(json.dumps({part.name: getattr(load.done, part.name) for part in fields(load.done)}))  # noqa: T201


if __name__ == "__main__":
    main()
