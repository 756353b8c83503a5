"""What a kiosk read from a chip, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from borderpost.documents.mrz import Mrz, PartialDate
from borderpost.documents.verdict import Check


@dataclass(frozen=True, slots=True)
class ActiveAuthentication:
    """A chip's signature over `nonce` (8 bytes), which is this service's own: its token was checked before."""

    nonce: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ChipFiles:
    """Elementary files as read, each whole with its outer tag. `data_groups` by their number, non-empty ones only.

    `active` is the answer to a challenge that this service has recognised as its own and unexpired;
    `active_refused` says why an answer can't be used (the token's reason code). `chip_authentication_claimed` is
    what the reader says, and proves nothing.
    """

    com: bytes
    sod: bytes
    data_groups: Mapping[int, bytes]
    active: ActiveAuthentication | None = None
    active_refused: str = ""
    chip_authentication_claimed: bool = False


class CloneProtection(Enum):
    """Whether the chip could be a copy; documents.proto explains the states."""

    PROVEN = "PROVEN"
    REFUTED = "REFUTED"
    UNVERIFIED = "UNVERIFIED"
    COULD_BE_A_CLONE = "COULD_BE_A_CLONE"


@dataclass(frozen=True, slots=True)
class Signer:
    """The document signer and the CSCA behind it; documents.proto explains the fields."""

    country: str
    certificate_sha256: bytes
    csca_sha256: bytes
    signed_at: datetime | None
    algorithm: str
    revocation_list_from: datetime | None


@dataclass(frozen=True, slots=True)
class HolderDetails:
    """Data group 11 (ICAO 9303-10, 4.7.11)."""

    full_name: str = ""
    other_names: tuple[str, ...] = ()
    personal_number: str = ""
    birth_date: PartialDate | None = None
    place_of_birth: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuanceDetails:
    """Data group 12 (ICAO 9303-10, 4.7.12)."""

    authority: str = ""
    issued_on: PartialDate | None = None
    endorsements: str = ""


@dataclass(frozen=True, slots=True)
class ChipPortrait:
    """The portrait of data group 2, as stored: a JPEG or JPEG 2000 file that decodes. Sizes in pixels."""

    picture: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ChipReading:
    """What a chip holds, and the checks of its verdict in the order in which they were made.

    `stages` are milliseconds by the name of the step. `unread_groups` are data groups that the security object
    names and that did not come, such as fingerprints.
    """

    mrz: Mrz | None
    portrait: ChipPortrait | None
    holder: HolderDetails | None
    issuance: IssuanceDetails | None
    signer: Signer | None
    clone_protection: CloneProtection
    lds_version: str
    files: tuple[str, ...]
    checks: tuple[Check, ...]
    trust_store_version: int
    stages: Mapping[str, float] = field(default_factory=dict)
    unread_groups: tuple[int, ...] = ()
