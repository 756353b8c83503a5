"""The use cases of the trust store: bring trust in, show it, and hand it to the chip's checks."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import Final

from borderpost.documents.trust.anchors import SPECIMEN_COUNTRIES, Rules
from borderpost.documents.trust.domain import Origin, Page, Report, Shown, Totals, TrustSnapshot, Wanted
from borderpost.documents.trust.errors import (
    CertificateAmbiguousError,
    CertificateNotFoundError,
    SpecimensTrustedError,
)
from borderpost.documents.trust.importing import examine
from borderpost.documents.trust.ports import Store
from borderpost.documents.trust.view import View
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock

TOLD_IF_AMBIGUOUS: Final = 5
"""Certificates that are named where an id fits several."""

TOLD_DIGITS: Final = 16
"""Hexadecimal digits of a SHA-256 that tell certificates apart."""


class TrustStore:
    """All use cases. Safe to call from several threads at a time.

    The store is the truth, and `_view` a view of it, replaced as a whole after each change. Whoever takes a
    snapshot has one version of everything for as long as they keep it.
    """

    def __init__(self, store: Store, clock: Clock, *, accept_specimens: bool) -> None:
        """Build the view. `accept_specimens` tells whether Utopia may be trusted: never in production.

        Raises SpecimensTrustedError if it is and may not be.
        """
        self._store = store
        self._clock = clock
        self._accept_specimens = accept_specimens
        self._writing = threading.Lock()
        self._view = View(store.load())
        if not accept_specimens and self._trusts_specimens():
            raise SpecimensTrustedError(
                "the trust store holds certificates of Utopia (UT), whose documents are specimens: in production "
                "begin with an empty state folder, and import trust anew (docs/trust.md)"
            )

    def _trusts_specimens(self) -> bool:
        wanted = (
            Wanted(country=country, version=self._view.snapshot.version) for country in SPECIMEN_COUNTRIES
        )
        return any(self._store.page(each, 1).certificates for each in wanted)

    def snapshot(self) -> TrustSnapshot:
        """What is trusted now. Costs nothing."""
        return self._view.snapshot

    def totals(self) -> Totals:
        """How much there is, and since when."""
        return self._store.totals()

    def import_file(
        self, file: bytes, source: str, by: Actor, purpose: str, *, issuer_sha256: bytes, dry_run: bool
    ) -> Report:
        """Take what a file brings, or with `dry_run` only say what that would be.

        Raises TrustFileUnreadableError, TrustFileRefusedError.
        """
        now = self._clock.now()
        rules = Rules(now, self._accept_specimens, issuer_sha256)
        with self._writing:
            if self._store.totals().version != self._view.snapshot.version:
                self._renew()  # an earlier change was made, and its outcome never came back
            findings = examine(file, self._view.snapshot, self._view.had, rules)
            if dry_run:
                return Report(findings, self._store.totals())
            if findings.changes_trust:
                origin = Origin(by, purpose, now, source, hashlib.sha256(file).digest())
                self._store.apply(findings, origin)
                self._renew()
            else:
                self._store.note_source(findings.duplicates, source)
            return Report(findings, self._store.totals())

    def _renew(self) -> None:
        self._view = View(self._store.load(), self._view)

    def list_trusted(self, wanted: Wanted, page_size: int) -> Page:
        """A page of certificates; the first one is of the version that is now, and has the revocation lists."""
        if not wanted.version:
            wanted = replace(wanted, version=self._store.totals().version)
        return self._store.page(wanted, page_size)

    def get_trusted(self, digits: str) -> Shown:
        """One certificate by the beginning of its SHA-256 or key identifier, in hexadecimal.

        Raises CertificateNotFoundError, CertificateAmbiguousError.
        """
        found = self._store.find(digits.lower(), TOLD_IF_AMBIGUOUS + 1)
        if not found:
            raise CertificateNotFoundError(
                "id: got one that no trusted certificate has, want the beginning of a SHA-256 or key id "
                "(`borderpost trust list`)"
            )
        if len(found) > 1:
            told = ", ".join(each.sha256.hex()[:TOLD_DIGITS] for each in found[:TOLD_IF_AMBIGUOUS])
            more = " and more" if len(found) > TOLD_IF_AMBIGUOUS else ""
            raise CertificateAmbiguousError(
                f"id: got the beginning of several, want one of these SHA-256: {told}{more}"
            )
        return self._store.show(found[0].sha256)
