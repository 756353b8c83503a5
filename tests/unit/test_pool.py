"""The pool: an end to the queue, context on the thread, places kept until work ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import grpc
import pytest

from borderpost.runtime.errors import OverloadedError
from borderpost.runtime.pool import LEAST_RETRY_MS, WorkPool

_who: ContextVar[str] = ContextVar("who")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def pool(gate: threading.Event) -> Iterator[WorkPool]:
    pool = WorkPool(threads=1, queue=1)
    yield pool
    gate.set()
    pool.close()


async def test_work_gets_its_arguments_and_its_answer_comes_back(pool: WorkPool) -> None:
    assert await pool.run(divmod, 17, 5) == (3, 2)


async def test_what_work_raises_comes_back(pool: WorkPool) -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)
    assert await pool.run(abs, -1) == 1


async def test_a_full_pool_refuses_at_once_and_takes_work_again_later(
    pool: WorkPool, gate: threading.Event
) -> None:
    held = [asyncio.create_task(pool.run(gate.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    started = time.monotonic()
    with pytest.raises(OverloadedError) as caught:
        await pool.run(abs, -1)
    assert time.monotonic() - started < 0.5
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert int(caught.value.details["retry_after_ms"]) > 0
    gate.set()
    await asyncio.gather(*held)
    assert await pool.run(abs, -1) == 1


async def test_the_callers_context_travels_to_the_thread_and_not_back(pool: WorkPool) -> None:
    def work() -> str:
        seen = _who.get()
        _who.set("changed on the thread")
        return seen

    _who.set("kiosk")
    assert await pool.run(work) == "kiosk"
    assert _who.get() == "kiosk"


async def test_two_callers_dont_see_each_others_context(pool: WorkPool) -> None:
    async def call(name: str) -> str:
        _who.set(name)
        return await pool.run(_who.get)

    assert await asyncio.gather(call("a"), call("b")) == ["a", "b"]


async def test_work_that_has_begun_keeps_its_place_when_its_caller_goes_away(gate: threading.Event) -> None:
    pool = WorkPool(threads=1, queue=1)
    ended = threading.Event()

    def work() -> None:
        gate.wait(10)
        ended.set()

    begun = asyncio.create_task(pool.run(work))
    await asyncio.sleep(0.05)
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)
    queued = asyncio.create_task(pool.run(abs, -2))
    await asyncio.sleep(0.05)
    with pytest.raises(OverloadedError):
        await pool.run(abs, -1)
    gate.set()
    assert await queued == 2
    assert ended.is_set()
    pool.close()


async def test_work_that_waits_is_dropped_when_its_caller_goes_away(gate: threading.Event) -> None:
    pool = WorkPool(threads=1, queue=1)
    done: list[int] = []
    begun = asyncio.create_task(pool.run(gate.wait, 10))
    await asyncio.sleep(0.05)
    queued = asyncio.create_task(pool.run(done.append, 1))
    await asyncio.sleep(0.05)
    queued.cancel()
    await asyncio.gather(queued, return_exceptions=True)
    await asyncio.sleep(0.05)
    later = asyncio.create_task(pool.run(done.append, 2))  # its place is free again
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(begun, later)
    assert done == [2]
    pool.close()


async def test_closing_finishes_what_has_begun(gate: threading.Event) -> None:
    pool = WorkPool(threads=1, queue=1)
    caller = asyncio.create_task(pool.run(time.sleep, 0.1))
    await asyncio.sleep(0.02)
    pool.close()
    await caller
    gate.set()


async def test_the_retry_time_follows_the_measured_calls_and_how_many_there_are(
    pool: WorkPool, gate: threading.Event
) -> None:
    for _ in range(100):
        await pool.run(time.sleep, 0.001)
    idle = pool.retry_after_ms()
    assert idle < 500
    for _ in range(20):
        await pool.run(time.sleep, 0.02)
    slower = pool.retry_after_ms()
    held = [asyncio.create_task(pool.run(gate.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    assert slower >= idle
    assert pool.retry_after_ms() >= 1.5 * slower or slower == LEAST_RETRY_MS
    gate.set()
    await asyncio.gather(*held)


async def test_bytes_beyond_the_limit_are_refused_and_taken_again_later() -> None:
    pool = WorkPool(threads=1, queue=1, bytes_at_once=100)
    with pool.holding(60):
        with pool.holding(40):
            pass
        with pytest.raises(OverloadedError) as caught, pool.holding(41):
            pass
    assert int(caught.value.details["retry_after_ms"]) > 0
    with pool.holding(60), pool.holding(40):
        pass
    pool.close()


async def test_one_large_request_alone_is_taken() -> None:
    pool = WorkPool(threads=1, queue=1, bytes_at_once=100)
    with pool.holding(101), pytest.raises(OverloadedError), pool.holding(1):
        pass
    with pool.holding(101):
        pass
    pool.close()


async def test_bytes_are_free_again_when_the_work_fails() -> None:
    pool = WorkPool(threads=1, queue=1, bytes_at_once=100)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), pool.holding(60):
            raise ZeroDivisionError
    pool.close()


async def test_a_warm_up_runs_once_on_every_thread() -> None:
    pool, threads = WorkPool(threads=3, queue=1), []
    await pool.warm_up(lambda: threads.append(threading.get_ident()))
    assert len(set(threads)) == len(threads) == 3
    pool.close()


async def test_what_a_warm_up_raises_comes_back() -> None:
    pool = WorkPool(threads=2, queue=1)
    with pytest.raises(ZeroDivisionError):
        await pool.warm_up(lambda: 1 / 0)
    pool.close()
