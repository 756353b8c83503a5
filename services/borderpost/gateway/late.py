"""Captures that a kiosk kept while it had no connection: opened, and checked in an order that believes nothing
early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from borderpost.gateway.spool_keys import SpoolKeys
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp
from borderpost.runtime.errors import BorderpostError, InvalidRequestError, NotAuthenticatedError
from borderpost.runtime.identity import identity_of, uris_of
from borderpost.runtime.spooling import UnreadableError, is_signed_by, open_capture
from borderpost.v1 import gateway_pb2

CLOCK_SKEW: Final = timedelta(minutes=5)
"""By how much a kiosk's clock may be ahead of the gateway's, or of its own certificate."""


class SpoolUnreadableError(BorderpostError):
    """A kept capture is not encrypted to a key of this gateway for this kiosk, or was altered."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "SPOOL_UNREADABLE"


class SpoolSignatureError(BorderpostError):
    """A kept capture is not signed by the kiosk that submits it, with a certificate of the time."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "SPOOL_SIGNATURE"


class SpoolTooNewError(BorderpostError):
    """A kept capture is from the future: a clock is wrong."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SPOOL_TOO_NEW"


class SpoolTooOldError(BorderpostError):
    """A kept capture is older than the policy takes."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "SPOOL_TOO_OLD"


class SpoolKeyMissingError(BorderpostError):
    """The gateway has no key for a kept capture: an earlier key is missing from its file."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SPOOL_KEY_MISSING"


@dataclass(frozen=True, slots=True)
class LateCaptures:
    """Opens kept captures. `authorities` gives the certificates of the authorities that are trusted now, `most_age`
    until what age captures are taken by the policy in force."""

    keys: SpoolKeys
    authorities: Callable[[], Sequence[x509.Certificate]]
    trust_domain: str
    most_age: Callable[[], timedelta]

    def key(self) -> gateway_pb2.GetSpoolKeyResponse:
        """Return the key that is given out, and until what age captures are taken."""
        key_id, public_key = self.keys.current()
        return gateway_pb2.GetSpoolKeyResponse(
            key_id=key_id,
            public_key=public_key,
            most_age_seconds=int(self.most_age().total_seconds()),
        )

    def open(
        self, request: gateway_pb2.SubmitSpooledRequest, kiosk: Actor, now: datetime
    ) -> gateway_pb2.ScreenTravelerRequest:
        """Return the request that a kiosk kept. Raises SpoolKeyMissingError, SpoolUnreadableError, SpoolSignatureError,
        SpoolTooOldError, SpoolTooNewError, InvalidRequestError."""
        # 1. Whose certificate is it? One of this kiosk's, by an authority that is trusted.
        certificate = self._certificate(request.certificate, kiosk)
        # 2. Did its key sign what was sent?
        if not is_signed_by(certificate, request.sealed, request.signature):
            raise _not_signed("is not by the key of the certificate")
        # 3. What is in it, and is it this kiosk's?
        capture = self._capture(request, kiosk)
        # 4. When was it captured, and did the certificate hold then?
        captured_at = _captured_at(capture.request)
        if captured_at > now + CLOCK_SKEW:
            raise SpoolTooNewError(
                "sealed: captured at a time that is yet to come: keep it, and set the kiosk's clock",
                field="sealed",
            )
        if captured_at < now - self.most_age():
            raise SpoolTooOldError(
                "sealed: captured at a time that is not taken any more: want one of the last "
                f"{self.most_age().total_seconds() / 3600:.0f} hours. Nothing was screened",
                field="sealed",
            )
        starts = certificate.not_valid_before_utc - CLOCK_SKEW
        if not starts <= captured_at <= certificate.not_valid_after_utc + CLOCK_SKEW:
            raise _not_signed("is by a certificate that did not hold at the time of the capture")
        return capture.request

    def _certificate(self, der: bytes, kiosk: Actor) -> x509.Certificate:
        try:
            certificate = x509.load_der_x509_certificate(der)
            actor, _ = identity_of(uris_of(certificate), self.trust_domain)
        except (ValueError, NotAuthenticatedError):
            raise _not_signed("has no certificate of a kiosk with it") from None
        if actor != kiosk:
            raise _not_signed("has the certificate of another machine with it")
        if not any(_issued_by(certificate, authority) for authority in self.authorities()):
            raise _not_signed("has a certificate with it that no trusted authority issued")
        return certificate

    def _capture(self, request: gateway_pb2.SubmitSpooledRequest, kiosk: Actor) -> gateway_pb2.SpooledCapture:
        key = self.keys.find(request.key_id)
        if key is None:
            raise SpoolKeyMissingError(
                "key_id: got one that this gateway has no key of (any more): keep the capture, and tell the "
                "gateway's operators: an earlier key may be missing from its file",
                field="key_id",
            )
        try:
            return open_capture(key, kiosk.subject, request.sealed)
        except UnreadableError:
            raise SpoolUnreadableError(
                "sealed: can't be opened: it was altered, or encrypted for another kiosk", field="sealed"
            ) from None


def _captured_at(request: gateway_pb2.ScreenTravelerRequest) -> datetime:
    try:
        return from_timestamp(request.kiosk_time)
    except (ValueError, OverflowError):
        raise InvalidRequestError(
            "kiosk_time: want a time between the years 1 and 9999", field="kiosk_time"
        ) from None


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _not_signed(why: str) -> SpoolSignatureError:
    return SpoolSignatureError(
        f"signature: {why}: want what this kiosk sealed, with the certificate it had then", field="signature"
    )
