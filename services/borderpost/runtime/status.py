"""Errors on the wire: `google.rpc.Status` with one `ErrorInfo` out, and back into an exception in.

An error that says when to try again carries the same as `google.rpc.RetryInfo`, which gRPC's own clients know.
"""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from borderpost.runtime.errors import ERROR_DOMAIN, BorderpostError

RETRY_AFTER: Final = "retry_after_ms"
"""The detail of an error that says when to try again."""

MOST_RETRY_MS: Final = 3_600_000
"""An hour: the detail may come from another service."""

RELAYED: Final = "a service that this one needs can't be reached or doesn't answer in time: try again later"
"""What a caller is told of an error that gRPC raised further down."""


class RemoteError(BorderpostError):
    """What a called service answered, or gRPC in its stead; code and reason are the service's.

    `by_grpc` tells that no service answered: the message is gRPC's own and may name addresses.
    """

    by_grpc = False

    def __init__(self, code: grpc.StatusCode, reason: str, message: str, **details: str) -> None:
        super().__init__(message, **details)
        self.code = code
        self.reason = reason


def to_status(error: BorderpostError) -> grpc.Status:
    """Turn an error into the status that a servicer aborts with."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.details)
    retry_after = error.details.get(RETRY_AFTER, "")
    code = code_pb2.Code.Value(error.code.name)
    relayed = isinstance(error, RemoteError) and error.by_grpc
    message = RELAYED if relayed else error.message
    details = [_packed(info)]
    if retry_after.isdecimal():
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(min(int(retry_after), MOST_RETRY_MS))
        details.append(_packed(retry))
    status: grpc.Status = rpc_status.to_status(status_pb2.Status(code=code, message=message, details=details))
    return status


def from_rpc_error(error: grpc.RpcError) -> RemoteError:
    """Turn what a call raised into an error with its code and reason.

    An error that gRPC raised itself (no connection, deadline passed, message too large) has the reason of
    its code's name.
    """
    code, message = error.code(), error.details() or ""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # a status that doesn't fit its own code: take what gRPC says
        status = None
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            return RemoteError(code, info.reason, message, **dict(info.metadata))
    unanswered = RemoteError(code, code.name, message)
    unanswered.by_grpc = True
    return unanswered


def _packed(message: Message) -> any_pb2.Any:
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail
