"""The errors a caller can get: one class per cause, each with its gRPC code and reason.

A message says what was wrong, where, and what to do, in that order, and never holds a name, a number of
a document or a face: messages travel into logs. The interceptors turn these into `google.rpc.Status`
with one `ErrorInfo` (AIP-193); nothing else in the project formats an error for the wire.
"""

from __future__ import annotations

import grpc

ERROR_DOMAIN = "borderpost"
"""`ErrorInfo.domain` of every error that Borderpost itself raises."""


class BorderpostError(Exception):
    """Base of every error that has a reason. `details` are safe to show and to log."""

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason: str = "INTERNAL"

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequestError(BorderpostError):
    """A field is missing, malformed or out of bounds. The message says: field, got X, want Y."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"


class InternalError(BorderpostError):
    """Something in the service failed; the cause is in its log, under the request's id."""


class NotAuthenticatedError(BorderpostError):
    """The caller showed no certificate, or one without a Borderpost identity."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "NOT_AUTHENTICATED"


class NotPermittedError(BorderpostError):
    """The access table does not open this method to the caller."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "NOT_PERMITTED"


class PurposeMissingError(BorderpostError):
    """Personal data was asked for without a stated purpose (Directive (EU) 2016/680, art. 25)."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PURPOSE_MISSING"


class OverloadedError(BorderpostError):
    """The service has as much work as it can hold; try again after `retry_after_ms`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"


class SlowReaderError(BorderpostError):
    """The caller of a stream doesn't take its answers."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "SLOW_READER"


class UnavailableError(BorderpostError):
    """A service that the answer needs can't be reached; nothing was decided, the same call may be repeated."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class PictureEmptyError(BorderpostError):
    """A picture field holds no bytes."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PICTURE_EMPTY"


class PictureTooLargeError(BorderpostError):
    """A picture has more bytes or pixels than `runtime.pictures` allows."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PICTURE_TOO_LARGE"


class PictureFormatError(BorderpostError):
    """The bytes are no picture, or one of a kind that is not taken (by their content, not by any name)."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PICTURE_FORMAT"


class PictureDamagedError(BorderpostError):
    """The bytes begin as a picture and can't be decoded to their end: truncated or corrupted."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PICTURE_DAMAGED"


class TemplateInvalidError(BorderpostError):
    """A template has a wrong dimension, element type, length or norm, values that are no numbers, or no calibration."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "TEMPLATE_INVALID"
