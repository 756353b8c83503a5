"""The errors of cases."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class CaseNotFoundError(BorderpostError):
    """There is no case with this id."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CASE_NOT_FOUND"


class CaseHeldError(BorderpostError):
    """Another person holds the case."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CASE_HELD"


class CaseNotYoursError(BorderpostError):
    """The caller doesn't hold the case, or no longer."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CASE_NOT_YOURS"


class CaseStateError(BorderpostError):
    """Not possible in the case's state."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CASE_STATE"


class FindingAlreadyYoursError(BorderpostError):
    """The caller gave a finding on this case: another person must give the next."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "FINDING_ALREADY_YOURS"


class SupervisorNeededError(BorderpostError):
    """The case was escalated: a supervisor must settle it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SUPERVISOR_NEEDED"
