"""Admission: how many are screened at once, who waits, who is refused; on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from borderpost.gateway.admission import (
    GOOD,
    LATELY_SECONDS,
    LEAST_WAIT_SECONDS,
    SLOW,
    WAIT_SECONDS,
    Admission,
    Limit,
)
from borderpost.runtime.errors import OverloadedError

SECONDS = 10.0


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class _House:
    """An admission whose screenings end when the test says so."""

    def __init__(self, most: int = 2, waiting: int = 4) -> None:
        self.time = 0.0
        self.admission = Admission(most, waiting, now=lambda: self.time)
        self.inside: list[str] = []
        self.retry_after_ms: list[int] = []
        self._ends: list[asyncio.Event] = []

    def send(self, kiosk: str, **how: bool) -> asyncio.Task[str]:
        return asyncio.create_task(self._screen(kiosk, **how))

    async def _screen(self, kiosk: str, **how: bool) -> str:
        try:
            async with self.admission.admitted(kiosk, SECONDS, **how):
                end = asyncio.Event()
                self.inside.append(kiosk)
                self._ends.append(end)
                await end.wait()
        except OverloadedError as error:
            self.retry_after_ms.append(int(error.details["retry_after_ms"]))
            return "refused"
        return "screened"

    async def end_one(self) -> None:
        self._ends.pop(0).set()
        await _settle()


async def test_what_is_more_than_runs_and_waits_is_refused_at_once() -> None:
    house = _House(most=2, waiting=1)
    tasks = [house.send("a") for _ in range(4)]
    await _settle()
    assert (house.admission.running, house.admission.waiting) == (2, 1)
    assert [task.done() and task.result() for task in tasks] == [False, False, False, "refused"]
    assert house.retry_after_ms == [750]  # three are ahead, two at once, each taken for half a second
    for _ in range(3):
        await house.end_one()
    assert [await task for task in tasks] == ["screened", "screened", "screened", "refused"]
    assert (house.admission.running, house.admission.waiting) == (0, 0)


async def test_kiosks_take_turns_however_many_requests_one_of_them_has_waiting() -> None:
    house = _House(most=1, waiting=6)
    tasks = [house.send("greedy") for _ in range(5)]
    await _settle()
    tasks.append(house.send("modest"))
    await _settle()
    await house.end_one()
    await house.end_one()
    assert house.inside[:3] == ["greedy", "greedy", "modest"]
    for _ in range(4):
        await house.end_one()
    assert Counter([await task for task in tasks]) == {"screened": 6}


async def test_where_no_room_is_left_the_kiosk_with_the_most_waiting_gives_way() -> None:
    house = _House(most=1, waiting=2)
    greedy = [house.send("greedy") for _ in range(3)]
    await _settle()
    modest = house.send("modest")
    await _settle()
    assert [task.done() for task in greedy] == [False, False, True]
    assert await greedy[2] == "refused"
    assert house.send("greedy") is not None
    await _settle()
    await house.end_one()
    await house.end_one()
    await house.end_one()
    assert await modest == "screened"


async def test_a_late_capture_never_waits_and_never_keeps_anybody_waiting() -> None:
    house = _House(most=1, waiting=4)
    first = house.send("a")
    await _settle()
    late = house.send("a", patient=True)
    assert await late == "refused"
    await house.end_one()
    assert await first == "screened"


async def test_who_has_no_time_left_for_a_screening_is_refused_rather_than_made_to_wait() -> None:
    house = _House(most=1)
    house.send("a")
    await _settle()
    with pytest.raises(OverloadedError):
        async with house.admission.admitted("b", 0.01):
            pass
    await house.end_one()


async def test_who_waits_too_long_is_refused_and_leaves_its_place() -> None:
    house = _House(most=1)
    first = house.send("a")
    await _settle()
    assert await house.send("b") == "refused"
    assert house.admission.waiting == 0
    await house.end_one()
    assert await first == "screened"


async def test_while_many_are_refused_nobody_waits_for_long_and_afterwards_a_burst_may_again() -> None:
    house = _House(most=1, waiting=1)
    house.admission.limit.note(0.1, alone=True, full=False)
    assert house.admission._longest_wait() == WAIT_SECONDS
    house.send("a")
    waits = house.send("b")
    await _settle()
    for _ in range(12):
        assert await house.send("b") == "refused"
    assert house.admission._longest_wait() == LEAST_WAIT_SECONDS
    for _ in range(40):  # late captures are refused whenever all places are taken: that says nothing
        assert await house.send("c", patient=True) == "refused"
    assert house.admission._longest_wait() == LEAST_WAIT_SECONDS
    await house.end_one()
    await house.end_one()
    assert await waits == "screened"
    house.time += 3 * LATELY_SECONDS
    assert house.admission._longest_wait() == WAIT_SECONDS


async def test_a_caller_that_goes_away_while_it_waits_leaves_no_place_taken() -> None:
    house = _House(most=1)
    first = house.send("a")
    await _settle()
    gone = house.send("b")
    await _settle()
    gone.cancel()
    await _settle()
    assert house.admission.waiting == 0
    await house.end_one()
    assert await first == "screened"
    assert house.admission.running == 0


async def test_a_caller_that_goes_away_at_the_moment_its_turn_comes_hands_the_place_on() -> None:
    house = _House(most=1)
    first = house.send("a")
    await _settle()
    gone, next_one = house.send("b"), house.send("c")
    await _settle()
    house._ends.pop(0).set()
    await asyncio.sleep(0)  # b's turn has come, and b itself has not noticed yet
    assert (house.admission.waiting, house.inside) == (1, ["a"])
    gone.cancel()
    await _settle()
    assert house.inside == ["a", "c"]
    await house.end_one()
    assert await first == await next_one == "screened"
    assert house.admission.running == 0


def test_the_limit_falls_while_screenings_are_slow_and_rises_while_quick_ones_are_kept_waiting() -> None:
    limit = Limit(most=16, start=8)
    limit.note(1.0, alone=True, full=False)
    for _ in range(30):
        limit.note(SLOW + 0.1, alone=False, full=True)
    assert limit.now == 1
    for _ in range(60):
        limit.note(GOOD - 0.1, alone=False, full=True)
    assert limit.now > 4
    assert limit.seconds_alone == 1.0


def test_the_limit_does_not_rise_while_nobody_waits_and_never_passes_its_bounds() -> None:
    limit = Limit(most=3, start=2)
    for _ in range(50):
        limit.note(1.0, alone=False, full=False)
    assert limit.now == 2
    for _ in range(50):
        limit.note(1.0, alone=False, full=True)
    assert limit.now == 3


def test_screenings_that_have_become_slower_by_themselves_are_not_taken_for_load_for_ever() -> None:
    limit = Limit(most=8, start=4)
    limit.note(0.5, alone=True, full=False)
    for _ in range(40):  # a larger watchlist: each takes three times as long, even alone
        limit.note(1.5, alone=limit.now == 1, full=True)
    assert limit.seconds_alone > 0.9
    assert limit.now > 1
