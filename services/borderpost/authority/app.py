"""The use cases of the authority. Plain and synchronous; each may run in many threads at once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from borderpost.authority.domain import Invitation, Issued, Machine, Reason
from borderpost.authority.errors import (
    CertificationRequestError,
    InvitationInvalidError,
    MachineNotFoundError,
    MachineRevokedError,
)
from borderpost.authority.ports import Registry
from borderpost.runtime.calls import Actor, Call
from borderpost.runtime.clock import Clock
from borderpost.runtime.issuing import Authority, issue, revocation_list
from borderpost.runtime.reporting import new_report
from borderpost.v1.decisions_pb2 import Event

MOST_MACHINES: Final = 10_000
SECRET_BYTES: Final = 32
MAX_REQUEST_BYTES: Final = 4096
"""A certification request of a P-256 key has 250 to 600 bytes."""

PEM: Final = serialization.Encoding.PEM

KnownSerials = Callable[[str], Mapping[int, datetime]]
"""Certificates of a machine that were not issued here, as far as they are known: serial numbers with their end."""


@dataclass(frozen=True, slots=True)
class Terms:
    """In whose names certificates are issued, to whom as servers too, and for how long; and how long invitations
    hold."""

    trust_domain: str
    servers: Sequence[str]
    life: timedelta
    invitation: timedelta
    list_life: timedelta


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate that was issued, and the authorities that are trusted: PEM."""

    certificate: bytes
    authorities: bytes


class Authorities:
    """Issues certificates and revokes them. `publish` is given the revocation list whenever it was changed."""

    def __init__(
        self,
        authority: Authority,
        trusted: Callable[[], bytes],
        registry: Registry,
        terms: Terms,
        known_serials: KnownSerials,
        publish: Callable[[bytes], None],
        clock: Clock,
    ) -> None:
        self._authority = authority
        self._trusted = trusted
        self._registry = registry
        self._terms = terms
        self._known_serials = known_serials
        self._publish = publish
        self._clock = clock

    def invite(self, kiosk: str, call: Call) -> tuple[str, datetime]:
        """Invite a kiosk; return its secret, and until when it holds. MachineRevokedError."""
        self._want_not_revoked(kiosk)
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock.now()
        invitation = Invitation(kiosk, _sha256(secret), now + self._terms.invitation)
        self._registry.invite(invitation, now, self._event(kiosk, "INVITED", call.actor, call.purpose))
        return secret, invitation.expires_at

    def enrol(self, kiosk: str, secret: str, request: bytes) -> Certified:
        """Give an invited kiosk its first certificate. InvitationInvalidError, CertificationRequestError."""
        # The request first: a mistake in it must not use up the invitation.
        key = public_key_of(request)
        # Looked for by its hash: how long that takes says nothing of the secret.
        if not self._registry.use_invitation(kiosk, _sha256(secret), self._clock.now()):
            raise InvitationInvalidError(
                "secret: no invitation of this kiosk holds with it (any more): ask the administrator for another"
            )
        return self._issue(kiosk, key, "ENROLLED", Actor(self._terms.trust_domain, kiosk))

    def renew(self, machine: Actor, request: bytes) -> Certified:
        """Give a machine another certificate in its own name. CertificationRequestError, MachineRevokedError."""
        key = public_key_of(request)
        self._want_not_revoked(machine.subject)
        return self._issue(machine.subject, key, "RENEWED", machine)

    def revoke(self, machine: str, reason: Reason, call: Call) -> Machine:
        """Revoke a machine with all its certificates. MachineNotFoundError."""
        known = self._known_serials(machine)
        if self._registry.find(machine) is None and not known:
            raise MachineNotFoundError("machine: nothing is known of it: `borderpost kiosk list` shows all")
        event = self._event(machine, "REVOKED", call.actor, call.purpose)
        event.machine_changed.reason = reason
        if self._registry.revoke(machine, reason, known, self._clock.now(), event):
            self.publish()
        found = self._registry.find(machine)
        assert found is not None  # noqa: S101  it was revoked just now
        return found

    def machines(self) -> list[Machine]:
        """Return all machines by name."""
        return self._registry.machines(MOST_MACHINES)

    def revocations(self) -> bytes:
        """Return the revocation list, PEM."""
        now = self._clock.now()
        revoked = self._registry.revoked_serials(now)
        return revocation_list(self._authority, revoked, now, self._terms.list_life).public_bytes(PEM)

    def publish(self) -> None:
        """Hand the revocation list out anew."""
        self._publish(self.revocations())

    def authorities(self) -> bytes:
        """Return the certificates of the authorities that are trusted, PEM."""
        return self._trusted()

    def _issue(self, machine: str, key: ec.EllipticCurvePublicKey, action: str, actor: Actor) -> Certified:
        now = self._clock.now()
        service = machine.partition("/")[0]
        dns = [f"{service}.{self._terms.trust_domain}"] if service in self._terms.servers else []
        uri = f"spiffe://{self._terms.trust_domain}/{machine}"
        certificate = issue(self._authority, uri, key, self._terms.life, now, dns)
        issued = Issued(machine, certificate.serial_number, certificate.not_valid_after_utc)
        event = self._event(machine, action, actor)
        event.machine_changed.serial = f"{certificate.serial_number:x}"
        # Revoked since it was looked at: the list would not have this certificate, so nobody gets it.
        if not self._registry.issued(issued, now, event):
            raise _revoked()
        return Certified(certificate.public_bytes(PEM), self._trusted())

    def _event(self, machine: str, action: str, actor: Actor, purpose: str = "") -> Event:
        event = new_report(actor, self._clock)
        event.purpose = purpose
        event.machine_changed.machine = machine
        event.machine_changed.action = action
        return event

    def _want_not_revoked(self, machine: str) -> None:
        if self._registry.is_revoked(machine):
            raise _revoked()


def _revoked() -> MachineRevokedError:
    return MachineRevokedError("machine: its name is revoked and not used again: choose another")


def public_key_of(request: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key of a certification request (PKCS #10, DER) that it is signed with. CertificationRequestError."""
    wrong = CertificationRequestError(
        "request: want a certification request (PKCS #10, DER) of a P-256 key, signed with it",
        field="request",
    )
    if len(request) > MAX_REQUEST_BYTES:
        raise wrong
    try:
        csr = x509.load_der_x509_csr(request)
        key = csr.public_key()
        signed = csr.is_signature_valid
    except Exception:  # the library has many ways to say that it is none
        raise wrong from None
    if not signed or not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise wrong
    return key


def _sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
