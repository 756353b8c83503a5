"""The errors of the trust store alone; the shared ones are in `borderpost.runtime.errors`."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class TrustFileUnreadableError(BorderpostError):
    """A file is none of the kinds that bring trust, or it is cut off or damaged."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "TRUST_FILE_UNREADABLE"


class TrustFileRefusedError(BorderpostError):
    """A file is of a known kind, and its signature or signer is wrong or unknown."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "TRUST_FILE_REFUSED"


class SpecimensTrustedError(BorderpostError):
    """The database of a trial is used in production: it trusts Utopia, for which anybody can make documents."""

    reason = "SPECIMENS_TRUSTED"


class CertificateNotFoundError(BorderpostError):
    """No trusted certificate has such an id."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CERTIFICATE_NOT_FOUND"


class CertificateAmbiguousError(BorderpostError):
    """Several trusted certificates have ids that begin so."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CERTIFICATE_AMBIGUOUS"
