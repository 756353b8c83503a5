"""What the authority knows of machines: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a machine stands."""

    INVITED = "INVITED"
    ENROLLED = "ENROLLED"
    REVOKED = "REVOKED"


class Reason(StrEnum):
    """Why a machine is revoked (after RFC 5280, 5.3.1)."""

    KEY_COMPROMISE = "KEY_COMPROMISE"
    LOST = "LOST"
    RETIRED = "RETIRED"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A kiosk that may get its first certificate. Of the secret only the SHA-256 is known."""

    kiosk: str
    secret_sha256: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued."""

    machine: str
    serial: int
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: its state since when, and its newest certificate (0 and None: it has none)."""

    name: str
    state: State
    since: datetime
    serial: int = 0
    not_after: datetime | None = None
