"""The call context in gRPC metadata: read from the gateway, written for the services that it calls."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError

from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1 import types_pb2

CONTEXT_KEY: Final = "borderpost-context-bin"
PURPOSE_KEY: Final = "borderpost-purpose-bin"
"""A person's stated purpose on the way to the gateway: UTF-8."""
TRACE_KEY: Final = "traceparent"
"""W3C Trace Context, level 1."""

MAX_PURPOSE: Final = 500
"""Characters."""

Metadata = tuple[tuple[str, str | bytes], ...]


def write_context(call: Call) -> Metadata:
    """Return the metadata that tells the next service on whose behalf the gateway calls."""
    context = types_pb2.CallContext(
        actor=types_pb2.Actor(issuer=call.actor.issuer, subject=call.actor.subject),
        roles=sorted(call.roles),
        scopes=sorted(call.scopes),
        purpose=call.purpose,
        request_id=call.request_id,
        person_token=call.token,
    )
    return ((CONTEXT_KEY, context.SerializeToString()), (TRACE_KEY, call.traceparent))


def read_context(value: bytes) -> types_pb2.CallContext:
    """Read what `write_context` wrote. Raises InvalidRequestError."""
    try:
        context = types_pb2.CallContext.FromString(value)
    except DecodeError:
        raise InvalidRequestError(f"{CONTEXT_KEY}: got bytes that are no CallContext") from None
    if not context.actor.subject or not set(context.roles) <= set(Role):
        raise InvalidRequestError(f"{CONTEXT_KEY}: want an actor and known roles")
    return context


def actor_of(context: types_pb2.CallContext) -> tuple[Actor, frozenset[Role]]:
    """Return the actor and the roles of a context."""
    return Actor(context.actor.issuer, context.actor.subject), frozenset(Role(role) for role in context.roles)


def purpose_metadata(purpose: str) -> Metadata:
    """Return the metadata in which a person tells the gateway why."""
    return ((PURPOSE_KEY, purpose.encode()),)


def read_purpose(value: bytes) -> str:
    """Read what `purpose_metadata` wrote. Raises InvalidRequestError."""
    try:
        purpose = value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequestError("purpose: got bytes that are no UTF-8") from None
    if len(purpose) > MAX_PURPOSE or not purpose.isprintable():
        raise InvalidRequestError(f"purpose: want at most {MAX_PURPOSE} printable characters on one line")
    return purpose


def new_traceparent() -> str:
    """Make a traceparent for a call that came without one."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def find(metadata: Iterable[tuple[str, str | bytes]], key: str) -> str | bytes | None:
    """Return the first value of a key."""
    return next((value for name, value in metadata if name == key), None)


def seconds_left(rpc: Any, longest: float) -> float:
    """Return the time that a call may take: its caller's deadline, and no more than `longest` seconds.

    `rpc` is gRPC's ServicerContext, whose type says nothing of callers without a deadline.
    """
    remaining = rpc.time_remaining()
    return longest if remaining is None else min(float(remaining), longest)
