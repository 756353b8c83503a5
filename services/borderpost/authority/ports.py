"""What the authority needs from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from borderpost.authority.domain import Invitation, Issued, Machine
from borderpost.v1.decisions_pb2 import Event


class Registry(Protocol):
    """Invitations, issued certificates, and what is revoked. What changes it takes the event that tells of it along,
    in the same transaction. Every method may be called from many threads."""

    def invite(self, invitation: Invitation, now: datetime, event: Event) -> None:
        """Keep an invitation, in the place of an earlier one of the same kiosk."""

    def use_invitation(self, kiosk: str, secret_sha256: bytes, now: datetime) -> bool:
        """Use up the invitation of a kiosk; tell whether it was there, with this secret, and holds. Of several
        callers at once one is told so."""

    def issued(self, issued: Issued, now: datetime, event: Event) -> bool:
        """Keep that a certificate was issued; False, and nothing is kept, if its machine is revoked by now."""

    def revoke(
        self, machine: str, reason: str, extra: Mapping[int, datetime], now: datetime, event: Event
    ) -> bool:
        """Revoke a machine with all certificates that were issued to it, and `extra` ones by serial number and end;
        False, if it is revoked already."""

    def is_revoked(self, machine: str) -> bool:
        """Tell whether a machine is revoked."""

    def machines(self, limit: int) -> list[Machine]:
        """Return the first machines by name."""

    def find(self, machine: str) -> Machine | None:
        """Return a machine, if anything is known of it."""

    def revoked_serials(self, now: datetime) -> dict[int, datetime]:
        """Return the serial numbers that are revoked and haven't run out, each with when it was revoked."""
