"""The errors of the decisions service alone; the shared ones are in `borderpost.runtime.errors`."""

from __future__ import annotations

import grpc

from borderpost.decisions.domain import Record
from borderpost.runtime.errors import BorderpostError


class ScreeningNotFoundError(BorderpostError):
    """The log has no screening with this request id (of this kiosk)."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "SCREENING_NOT_FOUND"


class PolicyNotFoundError(BorderpostError):
    """The log has no policy of this version, or no longer."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "POLICY_NOT_FOUND"


class RequestIdReusedError(BorderpostError):
    """The kiosk used this request id before, for other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "REQUEST_ID_REUSED"


class EventIdReusedError(BorderpostError):
    """The log has this event id, for an event with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "EVENT_ID_REUSED"


class OnceTakenError(BorderpostError):
    """Something that may be in the log once is there already, by another event: `record`. For use cases, not for
    callers."""

    code = grpc.StatusCode.ABORTED
    reason = "ONCE_TAKEN"

    def __init__(self, record: Record) -> None:
        super().__init__("decision log: another event was there before", index=str(record.index))
        self.record = record


class LogDamagedError(BorderpostError):
    """The stored log is not what was written; nothing is appended to it before it was looked into."""

    code = grpc.StatusCode.DATA_LOSS
    reason = "LOG_DAMAGED"


class PayloadDamagedError(BorderpostError):
    """A screening's key is there, and its payload is missing or is not what was encrypted."""

    code = grpc.StatusCode.DATA_LOSS
    reason = "PAYLOAD_DAMAGED"
