"""Errors of what states sign with. Each has a reason code, which goes into checks and refusals as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class PkiError(ValueError):
    """Base: a certificate, a list, a key or a signed object that can't be used. The message names no person."""

    reason: str = "PKI"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason


class KeyNotSupportedError(PkiError):
    """A public key of a kind, a curve or a size that is not taken: KEY_NOT_SUPPORTED or KEY_TOO_WEAK."""

    reason = "KEY_NOT_SUPPORTED"


class AlgorithmNotSupportedError(PkiError):
    """A signature or hash algorithm that is not taken: ALGORITHM_NOT_SUPPORTED or HASH_TOO_WEAK."""

    reason = "ALGORITHM_NOT_SUPPORTED"


class CertificateError(PkiError):
    """Bytes that are no certificate (CERTIFICATE_UNREADABLE), or whose key is not taken (the key's reason)."""

    reason = "CERTIFICATE_UNREADABLE"


class RevocationListError(PkiError):
    """Bytes that are no revocation list, or one that is too long."""

    reason = "REVOCATION_LIST_UNREADABLE"


class SignedDataError(PkiError):
    """Bytes that are no CMS SignedData as ICAO profiles it."""

    reason = "SIGNED_DATA_UNREADABLE"


_WHAT_PARSERS_RAISE: Final = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, NotImplementedError,
)  # fmt: skip
"""asn1crypto parses late and raises nearly anything at what is no ASN.1 of the kind that it expects."""


@contextmanager
def unreadable_as(error: type[PkiError], what: str) -> Iterator[None]:
    """Turn whatever a parser raises into `error`; errors of this module pass as they are."""
    try:
        yield
    except PkiError:
        raise
    except _WHAT_PARSERS_RAISE as cause:
        raise error(f"{what}: can't be read ({type(cause).__name__})") from None
