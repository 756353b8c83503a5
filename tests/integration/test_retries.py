"""What gRPC repeats by itself, over a real server that fails: only what may be repeated, and not for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from borderpost.runtime.access import ACCESS
from borderpost.runtime.calls import PEOPLE
from borderpost.runtime.retries import ATTEMPTS, BUDGET, BUFFER_BYTES, RETRIED, service_config

SEARCH = "/borderpost.v1.WatchlistService/Search"
PROPOSE = "/borderpost.v1.WatchlistService/ProposeEntry"


class Failing(grpc.GenericRpcHandler):
    """Answers each method with an error for as many times as it is told to."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.failures = 0
        self.code = grpc.StatusCode.UNAVAILABLE

    def service(self, details):
        async def answer(request, context):
            self.calls[details.method] += 1
            if self.failures:
                self.failures -= 1
                await context.abort(self.code, "told to")
            return b"answer"

        return grpc.unary_unary_rpc_method_handler(answer)


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[Failing, grpc.aio.Channel]]:
    failing, server = Failing(), grpc.aio.server()
    server.add_generic_rpc_handlers((failing,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = (
        ("grpc.service_config", service_config()),
        ("grpc.per_rpc_retry_buffer_size", BUFFER_BYTES),
        ("grpc.enable_http_proxy", 0),
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        yield failing, channel
    await server.stop(0)


async def test_a_call_that_changes_nothing_is_repeated_until_it_is_answered() -> None:
    async with _served() as (failing, channel):
        failing.failures = ATTEMPTS - 1
        assert await channel.unary_unary(SEARCH)(b"", timeout=5) == b"answer"
        assert failing.calls[SEARCH] == ATTEMPTS


async def test_a_call_of_a_picture_s_length_is_repeated_too() -> None:
    async with _served() as (failing, channel):
        failing.failures = 1
        assert await channel.unary_unary(SEARCH)(bytes(500_000), timeout=5) == b"answer"


@pytest.mark.parametrize(
    ("method", "code"),
    [(PROPOSE, grpc.StatusCode.UNAVAILABLE), (SEARCH, grpc.StatusCode.INTERNAL)],
    ids=["a change", "another error"],
)
async def test_a_change_by_a_person_is_sent_once_and_so_is_what_failed_by_itself(method, code) -> None:
    async with _served() as (failing, channel):
        failing.failures, failing.code = 1, code
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(method)(b"", timeout=5)
        assert failing.calls[method] == 1


async def test_where_most_calls_fail_repeating_stops() -> None:
    async with _served() as (failing, channel):
        failing.failures = 1_000
        for _ in range(BUDGET):
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(SEARCH)(b"", timeout=5)
        before = failing.calls[SEARCH]
        for _ in range(5):
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(SEARCH)(b"", timeout=5)
        assert failing.calls[SEARCH] - before == 5


def test_nothing_that_is_repeated_is_for_people_alone_and_every_one_is_a_method() -> None:
    for service, methods in RETRIED.items():
        for method in methods:
            assert not ACCESS[f"/{service}/{method}"].actors <= PEOPLE, method
