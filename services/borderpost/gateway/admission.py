"""Who is screened now, who waits for a moment, and who is asked to come back: so that an answer stays quick under load.

A screening that is let in gets its answer about as fast as without load; what is too much is refused at once, with the
time after which to try again, and costs nothing. Three rules:

1. As many screenings run at once as still end in good time (`Limit`). How many these are is measured, not configured.
2. Few more wait, each kiosk's in a queue of its own; the queues take turns, so that no kiosk can keep others out. Some
   come at the same moment by chance, and a second later all are screened: so long they may wait. While many have to be
   refused it isn't chance: then nobody waits for long, because it would help none of them.
3. Where there is no room left to wait, the kiosk that has the most waiting gives way.

To be used from one event loop.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from borderpost.runtime.errors import OverloadedError

GOOD: Final = 1.2
"""A screening that takes no longer than this many times what it takes alone leaves room for one more at once."""

SLOW: Final = 1.5
"""One that takes longer than this many times shows that too many run at once. The aim is 2, waiting included."""

BACK_OFF: Final = 0.9
"""What is left of the limit after a slow one."""

NEWEST_ALONE: Final = 0.25
"""Weight of the newest screening that ran alone in the time that one takes alone."""

FIRST_GUESS_SECONDS: Final = 0.5
"""What a screening is taken to need until one was measured."""

WAIT_SECONDS: Final = 1.0
"""Longest time to wait for a place when several come at once."""

WAITING_SHARE: Final = 0.2
LEAST_WAIT_SECONDS: Final = 0.05
"""The same while more come than can be screened: a share of the time that a screening takes alone, or this, if it is
longer: somebody who looks at a kiosk hardly notices it."""

TOO_MANY: Final = 0.25
"""More come than can be screened while this share of them has to be refused …"""

LATELY_SECONDS: Final = 2.0
"""… of those who came lately: what was so long ago counts 1/e."""

FEW: Final = 4.0
"""Less than about so many who came lately don't tell that it is too many."""

LEAST_RETRY_MS: Final = 100
MOST_RETRY_MS: Final = 10_000
"""Nobody is asked to come back at once, or to wait longer than a traveler would."""


class Limit:
    """How many screenings run at once: a few more as long as they are quick, clearly fewer when they are not.

    Additive increase, multiplicative decrease, by the time they take against the time that one takes alone (as TCP
    Vegas does by round trips: Brakmo, O'Malley, Peterson 1994). The time alone follows what is measured while one
    runs alone, and every time that is shorter.
    """

    def __init__(self, most: int, start: int = 2) -> None:
        self._most = float(most)
        self._value = float(min(start, most))
        self._alone: float | None = None

    @property
    def now(self) -> int:
        """Screenings that may run at once; at least one."""
        return max(1, int(self._value))

    @property
    def seconds_alone(self) -> float:
        """What a screening takes when nothing else runs."""
        return FIRST_GUESS_SECONDS if self._alone is None else self._alone

    def note(self, seconds: float, alone: bool, full: bool) -> None:
        """Learn from a screening that was whole: how long it took, whether no other ran at any time of it, and whether
        others are kept waiting; only then is there anything to be gained by a higher limit."""
        if self._alone is None:
            self._alone = seconds
        elif alone or seconds < self._alone:
            self._alone += NEWEST_ALONE * (seconds - self._alone)
        if seconds > SLOW * self._alone:
            self._value = max(1.0, self._value * BACK_OFF)
        elif full and seconds <= GOOD * self._alone:
            self._value = min(self._most, self._value + 1 / self._value)


class _Lately:
    """Who came lately, and who of them was refused: counts that fade."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at = now()
        self._came = 0.0
        self._refused = 0.0

    def note(self, refused: bool) -> None:
        self._fade()
        self._came += 1
        self._refused += refused

    @property
    def refused_share(self) -> float:
        self._fade()
        return self._refused / (self._came + FEW)

    def _fade(self) -> None:
        now = self._now()
        left = math.exp((self._at - now) / LATELY_SECONDS)
        self._at, self._came, self._refused = now, self._came * left, self._refused * left


class Admission:
    """Lets screenings in. `most`: never more than this many at once; `waiting`: nor more than this many that wait."""

    def __init__(self, most: int, waiting: int, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = Limit(most)
        self._most_waiting = waiting
        self._now = now
        self._inside: set[Admitted] = set()
        self._granted = 0
        self._lately = _Lately(now)
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def running(self) -> int:
        """Screenings that run now, those included whose turn has just come."""
        return len(self._inside) + self._granted

    @property
    def waiting(self) -> int:
        """Screenings that wait now."""
        return sum(map(len, self._queues.values()))

    @asynccontextmanager
    async def admitted(self, kiosk_id: str, seconds: float, patient: bool = False) -> AsyncIterator[Admitted]:
        """Hold a place until the end of the block; raise OverloadedError if there is none in good time.

        `seconds`: the caller's time that is left. `patient`: it may as well come later (a late capture), and gives
        way to everybody.
        """
        try:
            await self._enter(kiosk_id, seconds, patient)
        except OverloadedError:
            self._came(patient, refused=True)
            raise
        self._came(patient, refused=False)
        admitted = Admitted(alone=not self._inside)
        for other in self._inside:
            other.alone = False
        self._inside.add(admitted)
        started = self._now()
        try:
            yield admitted
        finally:
            self._inside.remove(admitted)
            if admitted.whole:
                self.limit.note(self._now() - started, admitted.alone, bool(self._queues))
            self._next()

    async def _enter(self, kiosk_id: str, seconds: float, patient: bool) -> None:
        if self.running < self.limit.now and not self._queues:
            return
        if patient or seconds < self.limit.seconds_alone or not self._make_room(kiosk_id):
            raise self._overloaded()
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(kiosk_id, deque()).append(turn)
        try:
            # Whoever waits must have the time for a screening left.
            async with asyncio.timeout(min(self._longest_wait(), seconds - self.limit.seconds_alone)):
                await turn
            self._granted -= 1
        except TimeoutError:
            self._forget(kiosk_id, turn)
            raise self._overloaded() from None
        except BaseException:
            self._forget(kiosk_id, turn)
            raise

    def _came(self, patient: bool, refused: bool) -> None:
        """Learn from somebody who came, but not from late captures: these are refused whenever all places are taken."""
        if not patient:
            self._lately.note(refused)

    def _longest_wait(self) -> float:
        if self._lately.refused_share < TOO_MANY:
            return WAIT_SECONDS
        return max(LEAST_WAIT_SECONDS, WAITING_SHARE * self.limit.seconds_alone)

    def _next(self) -> None:
        while self.running < self.limit.now and self._queues:
            kiosk_id, queue = self._queues.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._queues[kiosk_id] = queue  # to the end: the others are next
            if not turn.done():
                self._granted += 1
                turn.set_result(None)

    def _make_room(self, kiosk_id: str) -> bool:
        """Tell whether one more of this kiosk may wait; it may in place of the newest of a kiosk that has more."""
        if self.waiting < self._most_waiting:
            return True
        if not self._queues:
            return False
        longest = max(self._queues, key=lambda name: len(self._queues[name]))
        if len(self._queues[longest]) <= len(self._queues.get(kiosk_id, ())) + 1:
            return False
        turn = self._queues[longest].pop()
        if not turn.done():
            turn.set_exception(self._overloaded())
        return True

    def _forget(self, kiosk_id: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(kiosk_id)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[kiosk_id]
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self._granted -= 1  # its turn had come just when it went away
            self._next()

    def _overloaded(self) -> OverloadedError:
        ahead = (self.running + self.waiting) / self.limit.now
        milliseconds = math.ceil(ahead * self.limit.seconds_alone * 1000)
        return OverloadedError(
            "too many travelers are being screened at once: send the same request again after the time given",
            retry_after_ms=str(min(MOST_RETRY_MS, max(LEAST_RETRY_MS, milliseconds))),
        )


class Admitted:
    """A screening that runs. `alone`: no other ran at any time of it. `whole` is set once every step was done: only
    such a one tells how long they take."""

    def __init__(self, alone: bool) -> None:
        self.alone = alone
        self.whole = False
