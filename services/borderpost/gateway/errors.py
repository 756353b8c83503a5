"""The gateway's own errors."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class DecisionLogUnavailableError(BorderpostError):
    """The decision log can't be reached or can't write: nothing was decided."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "DECISION_LOG_UNAVAILABLE"


class RequestIdReusedError(BorderpostError):
    """The kiosk used this request id before, for other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


class PictureUnusableError(BorderpostError):
    """A picture for a watchlist entry shows no usable face."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PICTURE_UNUSABLE"


class FaceModelChangedError(BorderpostError):
    """The faces service was given another model while templates were made for a list."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "FACE_MODEL_CHANGED"
