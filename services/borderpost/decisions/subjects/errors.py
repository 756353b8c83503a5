"""The errors of erasure and retention."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class RetentionRulesError(BorderpostError):
    """The file of retention rules can't be used. The message says what is wrong in it."""

    reason = "RETENTION_RULES"


class CaseOpenError(BorderpostError):
    """A screening that is to be erased has a case that isn't closed: an officer may be looking at the person now."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CASE_OPEN"


class ErasureUnfinishedError(BorderpostError):
    """An erasure is recorded and not finished; the service goes on with it by itself."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "ERASURE_UNFINISHED"
