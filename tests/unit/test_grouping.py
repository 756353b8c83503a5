"""Callers that come together share one piece of work; each gets its own result, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from borderpost.runtime.grouping import Grouped


def test_a_caller_alone_does_its_own_work() -> None:
    assert Grouped(lambda items: [item * 2 for item in items], 8)(21) == 42


def test_those_who_come_while_work_is_done_share_the_next() -> None:
    groups: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        groups.append(len(items))
        begun.set()
        go.wait()
        return list(items)

    grouped = Grouped(work, 8)
    with ThreadPoolExecutor(21) as threads:
        first = threads.submit(grouped, 0)
        begun.wait()
        others = [threads.submit(grouped, number) for number in range(1, 21)]
        while len(grouped._queue) < 20:
            time.sleep(0.001)
        go.set()
        assert first.result() == 0
        assert [other.result() for other in others] == list(range(1, 21))
    assert groups == [1, 8, 8, 4], "at most eight at once"


def test_each_gets_its_own_result_or_error_whatever_the_order() -> None:
    def work(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError(str(item)) if item % 7 == 0 else item for item in items]

    grouped = Grouped(work, 16)

    def ask(number: int) -> int:
        if number % 7:
            return grouped(number)
        with pytest.raises(ValueError, match=f"^{number}$"):
            grouped(number)
        return number

    with ThreadPoolExecutor(64) as threads:
        assert list(threads.map(ask, range(5000))) == list(range(5000))


def test_work_that_fails_as_a_whole_fails_for_its_group_and_the_next_goes_on() -> None:
    down = True

    def work(items: Sequence[int]) -> list[int]:
        if down:
            raise OSError("full")
        return list(items)

    grouped = Grouped(work, 4)
    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(grouped, number) for number in range(50)]:
            with pytest.raises(OSError, match="full"):
                future.result()
        down = False
        assert list(threads.map(grouped, range(50))) == list(range(50))


def test_an_interrupt_of_the_one_who_works_leaves_nobody_waiting() -> None:
    begun, go = threading.Event(), threading.Event()
    interrupt = True

    def work(items: Sequence[int]) -> list[int]:
        begun.set()
        go.wait()
        if interrupt and 0 in items:
            raise KeyboardInterrupt
        return list(items)

    grouped = Grouped(work, 1)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(grouped, 0)
        begun.wait()
        others = [threads.submit(grouped, number) for number in (1, 2, 3)]
        go.set()
        with pytest.raises(KeyboardInterrupt):
            first.result()
        assert sorted(other.result(10) for other in others) == [1, 2, 3]
