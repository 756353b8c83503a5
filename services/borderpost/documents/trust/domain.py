"""The trust store: what is in it, what an import brings, and how the chip's checks see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from borderpost.documents.pki.certificates import Certificate
from borderpost.documents.pki.crl import RevocationList
from borderpost.runtime.calls import Actor


@dataclass(frozen=True, slots=True)
class TrustSnapshot:
    """All trusted CSCA certificates, links among them, and the newest revocation list of every issuer.

    `version` names it in every verdict. Found by index, never by trying each: `by_key_id` by subject key
    identifier, `by_subject` by the normalised DER of the subject's name; `revocation_lists` by that of the
    issuer's name.
    """

    version: int
    by_key_id: Mapping[bytes, Sequence[Certificate]]
    by_subject: Mapping[bytes, Sequence[Certificate]]
    revocation_lists: Mapping[bytes, RevocationList]


NOTHING_TRUSTED = TrustSnapshot(0, {}, {}, {})
"""The store before anything was imported."""


class FileKind(Enum):
    """Kinds of files that bring trust; trust.proto explains them."""

    MASTER_LIST = "MASTER_LIST"
    LDIF = "LDIF"
    CERTIFICATE = "CERTIFICATE"
    CRL = "CRL"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing of a file that was not taken: where it is, its subject if it could be read, and the reason code."""

    position: int
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A certificate that may be trusted: by its own signature, or as a link by that of a trusted one."""

    certificate: Certificate
    link: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """What a file has: what is new, what is known already (by SHA-256), what was refused, what brings no trust."""

    kind: FileKind
    certificates: tuple[Admitted, ...]
    revocation_lists: tuple[RevocationList, ...]
    duplicates: tuple[bytes, ...]
    refused: tuple[Refusal, ...]
    skipped: int

    @property
    def changes_trust(self) -> bool:
        """Whether the store would be another one with it."""
        return bool(self.certificates or self.revocation_lists)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who imported which file, when and why. `source` is what they call it."""

    actor: Actor
    purpose: str
    time: datetime
    source: str
    file_sha256: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """How much the store holds at a version, and when that was made (UTC); None if nothing was ever imported."""

    version: int
    changed_at: datetime | None
    certificates: int
    countries: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or would do, and what the store holds after it."""

    findings: Findings
    totals: Totals


@dataclass(frozen=True, slots=True)
class TrustedCertificate:
    """A certificate as it is shown; trust.proto explains the fields. `key_id` is empty where it has none."""

    sha256: bytes
    country: str
    subject: str
    issuer: str
    serial: str
    key_id: bytes
    key: str
    not_before: datetime
    not_after: datetime
    link: bool
    sources: tuple[str, ...]
    added_at: datetime


@dataclass(frozen=True, slots=True)
class TrustedRevocationList:
    """A revocation list as it is shown; trust.proto explains the fields."""

    country: str
    issuer: str
    this_update: datetime
    next_update: datetime | None
    revoked: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which certificates to list: of a country, of those valid at a time, behind one of them, as of a version."""

    country: str = ""
    valid_at: datetime | None = None
    after: bytes = b""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Certificates by country, subject and start of validity. `more` tells whether others follow.

    The revocation lists are with the first page only.
    """

    certificates: tuple[TrustedCertificate, ...]
    revocation_lists: tuple[TrustedRevocationList, ...]
    totals: Totals
    more: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate, its bytes, and those that vouch for it."""

    certificate: TrustedCertificate
    der: bytes
    related: tuple[TrustedCertificate, ...]
