"""Errors: out as google.rpc.Status, and back."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from borderpost.runtime import errors
from borderpost.runtime.errors import ERROR_DOMAIN, BorderpostError, InvalidRequestError, OverloadedError
from borderpost.runtime.status import from_rpc_error, to_status


class _Raised(grpc.RpcError):
    """What a stub raises, with the trailing metadata of a status or none."""

    def __init__(self, code: grpc.StatusCode, details: str, metadata: tuple[tuple[str, bytes], ...]) -> None:
        super().__init__()
        self._code, self._details, self._metadata = code, details, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._metadata


def _through(error: BorderpostError) -> _Raised:
    status = to_status(error)
    return _Raised(status.code, status.details, tuple(status.trailing_metadata))


def test_code_reason_message_and_details_come_back_as_they_went() -> None:
    back = from_rpc_error(_through(OverloadedError("too many calls", retry_after_ms="500")))
    assert back.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (back.reason, back.message) == ("OVERLOADED", "too many calls")
    assert back.details == {"retry_after_ms": "500"}


def test_when_to_try_again_is_said_as_grpcs_own_clients_read_it() -> None:
    (pair,) = to_status(OverloadedError("too many calls", retry_after_ms="1250")).trailing_metadata
    status = status_pb2.Status.FromString(pair[1])
    retry = error_details_pb2.RetryInfo()
    assert [retry for detail in status.details if detail.Unpack(retry)]
    assert retry.retry_delay.ToMilliseconds() == 1250


def test_a_status_holds_exactly_one_error_info_of_our_domain() -> None:
    (pair,) = to_status(InvalidRequestError("x: got nothing", field="x")).trailing_metadata
    status = status_pb2.Status.FromString(pair[1])
    (detail,) = status.details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert (info.domain, info.reason, dict(info.metadata)) == (
        ERROR_DOMAIN,
        "INVALID_REQUEST",
        {"field": "x"},
    )


def test_an_error_of_grpc_itself_has_its_codes_name_as_reason() -> None:
    back = from_rpc_error(_Raised(grpc.StatusCode.UNAVAILABLE, "connection refused", ()))
    assert (back.code, back.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


def test_a_status_that_contradicts_its_code_is_not_believed() -> None:
    lying = to_status(InvalidRequestError("x"))
    back = from_rpc_error(_Raised(grpc.StatusCode.INTERNAL, "y", tuple(lying.trailing_metadata)))
    assert (back.code, back.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")


def test_every_error_class_has_an_upper_snake_reason_of_its_own_and_a_code_that_is_no_ok() -> None:
    classes = [
        member
        for member in vars(errors).values()
        if isinstance(member, type) and issubclass(member, BorderpostError) and member is not BorderpostError
    ]
    reasons = [cls.reason for cls in classes]
    assert len(classes) > 10
    assert len(set(reasons)) == len(reasons)
    assert all(reason.replace("_", "").isupper() for reason in reasons)
    assert all(cls.code is not grpc.StatusCode.OK for cls in classes)


@pytest.mark.parametrize("message", ["", "ü – ×", "x" * 2000])
def test_any_text_travels(message: str) -> None:
    assert from_rpc_error(_through(InvalidRequestError(message))).message == message


def test_what_grpc_says_of_a_service_further_down_is_not_passed_on() -> None:
    raised = _Raised(grpc.StatusCode.UNAVAILABLE, "ipv4:10.0.0.7:7404: Connection refused", ())
    error = from_rpc_error(raised)
    assert error.by_grpc
    back = from_rpc_error(_through(error))
    assert (back.code, back.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert "10.0.0.7" not in back.message
    assert not back.by_grpc
