"""The authority's own errors."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class InvitationInvalidError(BorderpostError):
    """There is no such invitation (any more). Which of the reasons it is isn't said."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "INVITATION_INVALID"


class MachineRevokedError(BorderpostError):
    """The machine's name is revoked, and not used again."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MACHINE_REVOKED"


class MachineNotFoundError(BorderpostError):
    """Nothing is known of the machine."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "MACHINE_NOT_FOUND"


class CertificationRequestError(BorderpostError):
    """What was sent is no certification request that can be taken."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "REQUEST_FOR_CERTIFICATE"
