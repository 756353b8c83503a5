"""The call context on its way between gateway and services."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.runtime import context
from borderpost.runtime.calls import Actor, Call, Role, stated_purpose
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError
from borderpost.v1 import types_pb2

ACTOR = Actor("borderpost.local", "lee")
CALL = Call(
    method="/borderpost.v1.GatewayService/EnrolEntry",
    peer=ACTOR,
    peer_role=Role.OFFICER,
    actor=ACTOR,
    roles=frozenset({Role.OFFICER, Role.AUDITOR}),
    purpose="Fall 4711 – Prüfung",
    request_id="0192b1f4-7c1e-7d3a-8f00-000000000000",
    traceparent=context.new_traceparent(),
    scopes=frozenset({"crossing:north", "list:0192b1f4-7c1e-7d3a-8f00-000000000001"}),
)


class _Rpc:
    def __init__(self, remaining: float | None) -> None:
        self._remaining = remaining

    def time_remaining(self) -> float | None:
        return self._remaining


def test_actor_roles_scopes_purpose_request_and_trace_arrive_as_they_were_sent() -> None:
    metadata = context.write_context(CALL)
    value = context.find(metadata, context.CONTEXT_KEY)
    assert isinstance(value, bytes)
    told = context.read_context(value)
    assert context.actor_of(told) == (CALL.actor, CALL.roles)
    assert frozenset(told.scopes) == CALL.scopes
    assert (told.purpose, told.request_id) == (CALL.purpose, CALL.request_id)
    assert context.find(metadata, context.TRACE_KEY) == CALL.traceparent


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xff\xff",
        types_pb2.CallContext(roles=["kiosk"]).SerializeToString(),
        types_pb2.CallContext(actor=types_pb2.Actor(subject="x"), roles=["emperor"]).SerializeToString(),
    ],
)
def test_a_context_without_an_actor_or_with_an_unknown_role_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="borderpost-context-bin"):
        context.read_context(value)


@settings(max_examples=100)
@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=context.MAX_PURPOSE))
def test_a_printable_purpose_arrives_as_it_was_said(purpose: str) -> None:
    ((_, value),) = context.purpose_metadata(purpose)
    assert isinstance(value, bytes)
    assert context.read_purpose(value) == purpose


@pytest.mark.parametrize("value", [b"\xff", b"two\nlines", b"x" * (context.MAX_PURPOSE + 1), b"\x1b[31m"])
def test_a_purpose_that_could_forge_a_line_or_fill_a_log_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="purpose"):
        context.read_purpose(value)


@pytest.mark.parametrize("purpose", ["", "   "])
def test_without_a_stated_purpose_personal_data_is_not_shown(purpose: str) -> None:
    with pytest.raises(PurposeMissingError):
        stated_purpose(replace(CALL, purpose=purpose))
    assert stated_purpose(CALL) == CALL.purpose


@pytest.mark.parametrize(("remaining", "wanted"), [(None, 10.0), (3.0, 3.0), (99.0, 10.0), (-1.0, -1.0)])
def test_a_call_has_its_callers_time_and_never_more_than_the_longest(
    remaining: float | None, wanted: float
) -> None:
    assert context.seconds_left(_Rpc(remaining), 10.0) == wanted


def test_a_new_trace_has_the_form_of_w3c_trace_context_and_is_new() -> None:
    first, second = context.new_traceparent(), context.new_traceparent()
    assert [len(part) for part in first.split("-")] == [2, 32, 16, 2]
    assert first != second
