"""The interceptor chain decodes requests itself, after it has asked who calls and whether they may."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from borderpost.runtime import interceptors
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.errors import InvalidRequestError, OverloadedError
from borderpost.runtime.interceptors import ChainInterceptor
from borderpost.runtime.people import People
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import faces_pb2, gateway_pb2

DOMAIN = "borderpost.test"
NOBODY = People(None, None, SystemClock())
GARBAGE = b"\xff" * 20
SCREEN = "/borderpost.v1.GatewayService/ScreenTraveler"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


class AbortedError(Exception):
    pass


class Rpc:
    """What gRPC hands to a handler: the caller's certificate, and a way to end with a status."""

    def __init__(self, caller: str) -> None:
        self._caller = caller
        self.reason = ""
        self.written: list[object] = []

    async def write(self, answer: object) -> None:
        self.written.append(answer)

    def auth_context(self):
        return {"peer_uri": [f"spiffe://{DOMAIN}/{self._caller}".encode()]}

    def invocation_metadata(self):
        return ()

    async def abort_with_status(self, status: grpc.Status) -> None:
        detail = status_pb2.Status.FromString(status.trailing_metadata[0][1]).details[0]
        info = error_details_pb2.ErrorInfo()
        detail.Unpack(info)
        self.reason = info.reason
        raise AbortedError


async def wrapped(method: str, handler: grpc.RpcMethodHandler, pool: WorkPool | None = None):
    async def found(_: object) -> grpc.RpcMethodHandler:
        return handler

    chain = ChainInterceptor(DOMAIN, NOBODY, None, at_gateway=True, pool=pool or WorkPool(1, 1))
    return await chain.intercept_service(found, SimpleNamespace(method=method))


@pytest.fixture
def seen() -> list[object]:
    return []


@pytest.fixture
def unary(seen):
    async def handle(request: object, _: object) -> str:
        seen.append(request)
        return "answer"

    return grpc.unary_unary_rpc_method_handler(handle, gateway_pb2.ScreenTravelerRequest.FromString)


async def test_a_handler_gets_a_message(unary, seen):
    handler = await wrapped(SCREEN, unary)
    request = gateway_pb2.ScreenTravelerRequest(attempt=3)
    assert await handler.unary_unary(request.SerializeToString(), Rpc("kiosk/north/1")) == "answer"
    assert seen == [request]


async def test_bytes_that_are_no_message_are_a_typed_error_and_reach_no_handler(unary, seen):
    handler, rpc = await wrapped(SCREEN, unary), Rpc("kiosk/north/1")
    with pytest.raises(AbortedError):
        await handler.unary_unary(GARBAGE, rpc)
    assert (rpc.reason, seen) == ("INVALID_REQUEST", [])


async def test_nothing_is_decoded_for_a_caller_that_may_not_call(unary, seen):
    handler, rpc = await wrapped(SCREEN, unary), Rpc("console")
    with pytest.raises(AbortedError):
        await handler.unary_unary(GARBAGE, rpc)
    assert (rpc.reason, seen) == ("NOT_PERMITTED", [])


async def test_grpc_itself_decodes_nothing_before_the_chain(unary):
    assert (await wrapped(SCREEN, unary)).request_deserializer is None


async def test_a_handler_without_a_decoder_gets_the_bytes_unread(seen):
    async def handle(request: object, _: object) -> None:
        seen.append(request)

    handler = await wrapped(SCREEN, grpc.unary_unary_rpc_method_handler(handle))
    await handler.unary_unary(GARBAGE, Rpc("kiosk/north/1"))
    assert seen == [GARBAGE]


async def test_a_stream_of_answers_begins_with_a_message_or_a_typed_error():
    async def echo(request: object, _: object):
        yield request

    decode = faces_pb2.CompareRequest.FromString
    handler = await wrapped(WATCH, grpc.unary_stream_rpc_method_handler(echo, decode))
    rpc = Rpc("gateway")
    await handler.unary_stream(b"", rpc)
    assert rpc.written == [faces_pb2.CompareRequest()]
    with pytest.raises(AbortedError):
        await handler.unary_stream(GARBAGE, rpc)
    assert rpc.reason == "INVALID_REQUEST"


async def test_each_message_of_a_stream_of_requests_is_decoded_when_it_comes():
    async def echo(requests, _: object):
        async for request in requests:
            yield request

    async def sent():
        yield b""
        yield GARBAGE

    decode = faces_pb2.CompareRequest.FromString
    handler = await wrapped(REFLECT, grpc.stream_stream_rpc_method_handler(echo, decode))
    rpc = Rpc("gateway")
    with pytest.raises(AbortedError):
        await handler.stream_stream(sent(), rpc)
    assert rpc.written == [faces_pb2.CompareRequest()]
    assert rpc.reason == "INVALID_REQUEST"


class Deaf(Rpc):
    """A caller that takes no answer."""

    async def write(self, answer: object) -> None:
        await asyncio.sleep(60)


class Gone(Rpc):
    """A caller that went away."""

    async def write(self, answer: object) -> None:
        raise RuntimeError("gRPC's own class for it is private")


@pytest.fixture
def endless(seen):
    async def answer(_: object, __: object):
        try:
            while True:
                yield "answer"
        finally:
            seen.append("cleared up")

    return grpc.unary_stream_rpc_method_handler(answer, faces_pb2.CompareRequest.FromString)


async def test_a_caller_that_takes_no_answers_is_cut_off_and_the_handler_clears_up(
    endless, seen, monkeypatch
):
    monkeypatch.setattr(interceptors, "WRITE_SECONDS", 0.01)
    handler, rpc = await wrapped(WATCH, endless), Deaf("gateway")
    with pytest.raises(AbortedError):
        await handler.unary_stream(b"", rpc)
    assert (rpc.reason, seen) == ("SLOW_READER", ["cleared up"])


async def test_a_caller_that_went_away_is_no_error_of_ours_and_the_handler_clears_up(endless, seen):
    handler, rpc = await wrapped(WATCH, endless), Gone("gateway")
    with pytest.raises(asyncio.CancelledError):
        await handler.unary_stream(b"", rpc)
    assert (rpc.reason, seen) == ("", ["cleared up"])


async def test_a_request_that_the_service_has_no_room_for_is_refused_undecoded(unary, seen):
    pool = WorkPool(1, 1, bytes_at_once=100)
    handler, rpc = await wrapped(SCREEN, unary, pool), Rpc("kiosk/north/1")
    with pool.holding(90), pytest.raises(AbortedError):
        await handler.unary_unary(GARBAGE, rpc)
    assert (rpc.reason, seen) == ("OVERLOADED", [])


async def test_a_requests_bytes_are_held_until_it_is_answered_or_fails():
    pool = WorkPool(1, 1, bytes_at_once=100)
    request = gateway_pb2.ScreenTravelerRequest(document_page=b"p" * 80).SerializeToString()

    async def handle(_: object, __: object) -> str:
        with pytest.raises(OverloadedError), pool.holding(30):
            pass
        raise InvalidRequestError("no")

    method = grpc.unary_unary_rpc_method_handler(handle, gateway_pb2.ScreenTravelerRequest.FromString)
    handler, rpc = await wrapped(SCREEN, method, pool), Rpc("kiosk/north/1")
    for _ in range(2):
        with pytest.raises(AbortedError):
            await handler.unary_unary(request, rpc)
        assert rpc.reason == "INVALID_REQUEST"
