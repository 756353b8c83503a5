"""The one chain that every call goes through, in this order, and the reason for it.

1. Trace and log context: whatever happens next can be found again. 2. Identity: which machine is calling, from the
certificate that TLS has verified and that still holds; and which person, from the token that their identity provider
signed. 3. Call context: on whose behalf and why; believed from the gateway only, and of people only what their token
says. 4. Access: may they. Nothing of the request was looked at before this. 5. Room: the length of a request is
limited by its method, and the bytes of all that are held at the same time. Streams limit their own messages. 6.
Decoding: from bytes to a message. gRPC would do it before all of the above, and answer UNKNOWN. 7. The handler. 8.
Errors: every exception becomes a `google.rpc.Status`; an unforeseen one becomes INTERNAL without its text. 9. One log
line, numbers and a span: method, caller, status, time. Never the request.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Final, NoReturn

import grpc
import structlog
from google.protobuf.message import DecodeError
from structlog.contextvars import bind_contextvars, clear_contextvars

from borderpost.runtime import calls, context
from borderpost.runtime.access import authorize, speaks_directly
from borderpost.runtime.calls import PEOPLE, Call, Role
from borderpost.runtime.errors import (
    BorderpostError,
    InternalError,
    InvalidRequestError,
    NotPermittedError,
    SlowReaderError,
)
from borderpost.runtime.identity import identity_of
from borderpost.runtime.limits import check_length
from borderpost.runtime.logging import place_of
from borderpost.runtime.metrics import Numbers
from borderpost.runtime.people import (
    AUTHORIZATION_KEY,
    People,
    TokenMissingError,
    TokenNotHereError,
    bearer,
)
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.revocations import Revocations
from borderpost.runtime.status import to_status
from borderpost.runtime.watching import Watched

_log = structlog.get_logger(__name__)

QUIET: Final = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""Calls that are logged only when they fail: probes come every second."""

WRITE_SECONDS: Final = 10.0
"""A caller of a stream that takes no answer for this long is cut off: what it holds is needed by others."""

Metadata = Mapping[str, str | bytes]
Shown = Mapping[str, Any]
"""What TLS knows of the peer."""
Identify = Callable[[Shown], tuple[calls.Actor, Role]]

Handler = Any  # grpc.RpcMethodHandler; the four shapes of behaviour have no common type


class ChainInterceptor(grpc.aio.ServerInterceptor):
    """The chain. One instance per server."""

    def __init__(
        self,
        trust_domain: str,
        people: People,
        revocations: Revocations | None,
        at_gateway: bool,
        pool: WorkPool,
        numbers: Numbers | None = None,
        identify: Identify | None = None,
    ) -> None:
        """`identify`: who calls, where that isn't who their certificate names."""
        self._identify = identify or partial(_by_certificate, trust_domain)
        self._people = people
        self._revocations = revocations
        self._at_gateway = at_gateway
        self._pool = pool
        self._numbers = numbers or Numbers()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Put the chain around the handler of one call."""
        handler = await continuation(handler_call_details)
        if handler is None:  # gRPC answers UNIMPLEMENTED
            return None
        method = handler_call_details.method
        if handler.request_streaming or handler.response_streaming:
            return self._around_stream(method, handler)
        return self._around_unary(method, handler)

    def _around_unary(self, method: str, handler: Handler) -> Handler:
        async def unary(request: bytes, rpc: grpc.aio.ServicerContext[Any, Any]) -> Any:
            watched = Watched(method, self._numbers)
            try:
                await self._enter(watched, rpc)
                check_length(method, len(request))
                with self._pool.holding(len(request)):
                    answer = await handler.unary_unary(_decode(handler, request), rpc)
            except asyncio.CancelledError:
                _finish(watched, "CANCELLED")
                raise
            except Exception as error:
                await _abort(rpc, watched, error)
            _finish(watched, "OK")
            return answer

        return grpc.unary_unary_rpc_method_handler(unary, None, handler.response_serializer)

    def _around_stream(self, method: str, handler: Handler) -> Handler:
        make, behaviour, decode = _stream_shape(handler)

        async def stream(request: Any, rpc: grpc.aio.ServicerContext[Any, Any]) -> Any:
            watched = Watched(method, self._numbers)
            try:
                await self._enter(watched, rpc)
                if not handler.request_streaming:
                    check_length(method, len(request))
                answers = behaviour(decode(handler, request), rpc)
                if inspect.isawaitable(answers):  # gRPC's own health service writes its answers itself
                    await answers
                else:
                    async with aclosing(
                        answers
                    ):  # whatever happens, the handler's own clearing up is done now
                        async for answer in answers:
                            await _write(rpc, answer)
            except asyncio.CancelledError:
                _finish(watched, "CANCELLED")
                raise
            except Exception as error:
                await _abort(rpc, watched, error)
            _finish(watched, "OK")

        return make(stream, None, handler.response_serializer)

    async def _enter(self, watched: Watched, rpc: grpc.aio.ServicerContext[Any, Any]) -> None:
        method = watched.method
        metadata = tuple(rpc.invocation_metadata() or ())
        traceparent = context.find(metadata, context.TRACE_KEY)
        came = traceparent if isinstance(traceparent, str) and _is_trace(traceparent) else None
        trace = watched.entered(came)
        clear_contextvars()
        bind_contextvars(trace_id=trace.split("-")[1])

        shown = rpc.auth_context()
        peer, peer_role = self._identify(shown)
        bind_contextvars(caller=peer.subject)
        if self._revocations is not None:
            self._revocations.check(*shown["x509_pem_cert"])

        if speaks_directly(method, self._at_gateway):
            call = await self._direct(method, peer, peer_role, trace, dict(metadata))
        else:
            call = await self._relayed(method, peer, peer_role, trace, dict(metadata))
        authorize(method, call.roles, self._at_gateway)
        if call.request_id:
            bind_contextvars(request_id=call.request_id)
        calls.enter(call)

    async def _direct(
        self, method: str, peer: calls.Actor, peer_role: Role, trace: str, metadata: Metadata
    ) -> Call:
        """The call of a machine itself or, at the gateway, of the person who sits at it."""
        stated = metadata.get(context.PURPOSE_KEY, b"")
        purpose = context.read_purpose(stated if isinstance(stated, bytes) else stated.encode())
        token = bearer(metadata.get(AUTHORIZATION_KEY))
        call = Call(method, peer, peer_role, peer, frozenset({peer_role}), purpose, "", trace)
        if not token:
            return call
        if peer_role is not Role.CONSOLE or not self._at_gateway:
            raise TokenNotHereError(
                "token: got one from a machine that nobody sits at, want it from a console, at the gateway",
                method=method,
            )
        return await self._of_person(call, token)

    async def _relayed(
        self, method: str, peer: calls.Actor, peer_role: Role, trace: str, metadata: Metadata
    ) -> Call:
        """A call that the gateway makes for somebody. Of a person their token is believed, not the gateway."""
        if peer_role is not Role.GATEWAY:
            raise NotPermittedError(
                "this service takes calls from the gateway only: kiosks and people call the gateway "
                "(docs/access.md says which methods it has for them)",
                method=method,
            )
        value = metadata.get(context.CONTEXT_KEY)
        if not isinstance(value, bytes):
            raise NotPermittedError("the gateway sent no call context", method=method)
        told = context.read_context(value)
        actor, roles = context.actor_of(told)
        call = Call(method, peer, peer_role, actor, roles, told.purpose, told.request_id, trace)
        if told.person_token:
            return await self._of_person(call, told.person_token)
        if roles & PEOPLE:
            raise TokenMissingError(
                "token: got none, want that of the person the call is made for", method=method
            )
        return call

    async def _of_person(self, call: Call, token: str) -> Call:
        # Not on the event loop: the provider's keys may have to be fetched.
        person = await asyncio.to_thread(self._people.verify, token)
        bind_contextvars(caller=f"a person at {call.peer.subject}")
        return replace(call, actor=person.actor, roles=person.roles, scopes=person.scopes, token=token)


def _by_certificate(trust_domain: str, shown: Shown) -> tuple[calls.Actor, Role]:
    return identity_of(shown.get("peer_uri", ()), trust_domain)


def _stream_shape(handler: Handler) -> tuple[Callable[..., Handler], Any, Callable[[Handler, Any], Any]]:
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream, _decode_each
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream, _decode
    raise NotImplementedError("no method takes a stream and answers once")


def _decode(handler: Handler, request: bytes) -> Any:
    if handler.request_deserializer is None:  # passed on as it is; the service that it is for decodes it
        return request
    try:
        return handler.request_deserializer(request)
    except DecodeError:  # its text is the library's own and changes with it
        raise InvalidRequestError(
            "request: got bytes that are no message of this method, want the one in its proto"
        ) from None


async def _write(rpc: grpc.aio.ServicerContext[Any, Any], answer: Any) -> None:
    # gRPC holds a write back while the caller takes no answers, and would for ever.
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await rpc.write(answer)
    except TimeoutError:
        raise SlowReaderError(
            f"no answer was taken for {WRITE_SECONDS:.0f} s: the call has ended, begin it anew"
        ) from None
    except Exception:  # gRPC has a private class for it: the caller went away, and nobody is there to be told
        raise asyncio.CancelledError from None


async def _decode_each(handler: Handler, requests: AsyncIterable[bytes]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _decode(handler, request)


def _is_trace(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [2, 32, 16, 2] and all(_is_hex(part) for part in parts)


def _is_hex(text: str) -> bool:
    return set(text) <= set("0123456789abcdef")


async def _abort(rpc: grpc.aio.ServicerContext[Any, Any], watched: Watched, error: Exception) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):  # gRPC's own services answer an error by themselves
        _finish(watched, rpc.code().name)
        raise error
    if not isinstance(error, BorderpostError):
        # Its text may hold anything, so it goes nowhere; its type and place are what mends it.
        _log.error("unforeseen_error", method=watched.method, error=type(error).__name__, at=place_of(error))
        error = InternalError("the service failed at this request; its log says where, under the trace id")
    _finish(watched, error.code.name, error.reason)
    await rpc.abort_with_status(to_status(error))
    raise AssertionError("abort_with_status raises")


def _finish(watched: Watched, status: str, reason: str = "") -> None:
    method, milliseconds = watched.method, round(watched.ended(status, reason), 1)
    if status in {"OK", "CANCELLED"} and method.startswith(QUIET):
        return
    _log.info("call", method=method, status=status, reason=reason, milliseconds=milliseconds)
