"""Work that many callers share: one of them does it for all that wait, so that a commit to the disk serves many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[Sequence[T]], Sequence["R | Exception"]]
"""Does the work of several items; one result for each, in their order, which may be an exception for that one alone."""


@dataclass(slots=True, eq=False)
class _Place(Generic[T, R]):
    """One caller's place in the queue."""

    item: T
    wake: threading.Lock = field(default_factory=threading.Lock)
    done: bool = False
    result: R | BaseException | None = None


class Grouped(Generic[T, R]):
    """Calls work with the items of all callers that came while it was busy with those before.

    The first in the queue leads: it does the work for itself and all behind it, hands the lead on to the next that came
    meanwhile, and then wakes those whose work is done. A caller alone does its own work, without waiting for others.
    """

    def __init__(self, work: Work[T, R], most: int) -> None:
        """`most`: items that are worked on at once."""
        self._work = work
        self._most = most
        self._lock = threading.Lock()
        self._queue: list[_Place[T, R]] = []
        self._led = False

    def __call__(self, item: T) -> R:
        """Return the item's own result, or raise its own exception; what fails as a whole fails for all of the
        group."""
        place: _Place[T, R] = _Place(item)
        place.wake.acquire()
        with self._lock:
            self._queue.append(place)
            leads, self._led = not self._led, True
        if not leads:
            place.wake.acquire()  # until the work is done, or the lead is handed on
        if not place.done:
            self._lead()
        if isinstance(place.result, BaseException):
            raise place.result
        return place.result  # type: ignore[return-value] # of a place that is done it is an R

    def _lead(self) -> None:
        """Work for the first in the queue, which is the caller, and for those behind it."""
        with self._lock:
            group = self._queue[: self._most]
            del self._queue[: self._most]
        results: Sequence[R | BaseException]
        try:
            results = self._work([place.item for place in group])
        except BaseException as error:
            results = [error] * len(group)
            if not isinstance(error, Exception):
                raise  # an interrupt is the leader's own; the others are told in `finally`
        finally:
            with self._lock:
                follower = self._queue[0] if self._queue else None
                self._led = follower is not None
            if follower is not None:
                follower.wake.release()
            for place, result in zip(group, results, strict=True):
                place.result, place.done = result, True
                place.wake.release()
