"""What the trust store's use cases need from outside; documents/adapters has what fills it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from borderpost.documents.trust.domain import (
    Findings,
    Origin,
    Page,
    Shown,
    Totals,
    TrustedCertificate,
    Wanted,
)
from borderpost.documents.trust.view import Stored


class Store(Protocol):
    """The trusted certificates and revocation lists: the truth. Nothing is ever removed from it."""

    def load(self) -> Stored:
        """All that is trusted, to be looked up."""
        ...

    def totals(self) -> Totals:
        """How much there is."""
        ...

    def apply(self, findings: Findings, origin: Origin) -> int:
        """Take what was found as one new version, with its event for the log; return the version.

        Durable when it returns; when it raises, nothing of it was taken. Certificates that were there before are
        noted to have come from this source too.
        """
        ...

    def note_source(self, sha256s: Sequence[bytes], source: str) -> None:
        """Note that certificates came from this source too; that changes no trust, and makes no version."""
        ...

    def page(self, wanted: Wanted, limit: int) -> Page:
        """List up to `limit` certificates by country, subject, start of validity and SHA-256."""
        ...

    def find(self, digits: str, limit: int) -> Sequence[TrustedCertificate]:
        """Up to `limit` certificates whose SHA-256 or key identifier begins with these hexadecimal digits."""
        ...

    def show(self, sha256: bytes) -> Shown:
        """One certificate that is there, with those that vouch for it."""
        ...
