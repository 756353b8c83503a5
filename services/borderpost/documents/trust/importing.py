"""What a file brings, checked against what is trusted already. Changes nothing."""

from __future__ import annotations

import hashlib
from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, cast

from borderpost.documents.pki.certificates import parse_certificate
from borderpost.documents.pki.crl import RevocationList
from borderpost.documents.pki.errors import CertificateError, PkiError, SignedDataError
from borderpost.documents.trust.anchors import (
    MAX_SUBJECT,
    Candidate,
    Checks,
    Known,
    Rules,
    TooMuchToCheckError,
    admit,
    admit_revocation_list,
)
from borderpost.documents.trust.domain import Admitted, FileKind, Findings, Refusal, TrustSnapshot
from borderpost.documents.trust.errors import TrustFileRefusedError, TrustFileUnreadableError
from borderpost.documents.trust.ldif import LdifError, LdifRecord, read_ldif
from borderpost.documents.trust.list_signer import (
    ListRefusedError,
    SignerUnknownError,
    check_signer,
    missing_issuer,
)
from borderpost.documents.trust.master_list import MasterList, parse_master_list
from borderpost.documents.trust.sniffing import file_der, file_kind, unreadable
from borderpost.runtime.trust_reasons import TRUST_REASONS

MAX_ITEMS: Final = 20_000
"""Certificates and lists that one LDIF file may bring, those on its master lists among them."""

MASTER_LIST_ATTRIBUTE: Final = "pkdmasterlistcontent"
CA_ATTRIBUTE: Final = "cacertificate;binary"
CRL_ATTRIBUTE: Final = "certificaterevocationlist;binary"
SIGNER_ATTRIBUTE: Final = "usercertificate;binary"
ATTRIBUTES: Final = frozenset({MASTER_LIST_ATTRIBUTE, CA_ATTRIBUTE, CRL_ATTRIBUTE, SIGNER_ATTRIBUTE})
"""What a record of the ICAO PKD is about (RFC 4523): document signers are the users."""


def examine(file: bytes, store: TrustSnapshot, had: AbstractSet[bytes], rules: Rules) -> Findings:
    """Say what a file brings. `had` are the SHA-256 of all trusted certificates.

    Raises TrustFileUnreadableError, TrustFileRefusedError.
    """
    kind = file_kind(file)
    examination = _Examination(store, had, rules)
    try:
        match kind:
            case FileKind.LDIF:
                examination.ldif(file)
            case FileKind.MASTER_LIST:
                examination.master_list(file_der(file))
            case FileKind.CERTIFICATE:
                examination.certificate(file_der(file))
            case FileKind.CRL:
                examination.revocation_list(file_der(file))
    except TooMuchToCheckError:
        raise _file_refused("file", "TOO_MUCH_TO_CHECK") from None
    return examination.findings(kind)


class _Examination:
    """One file against the store."""

    def __init__(self, store: TrustSnapshot, had: AbstractSet[bytes], rules: Rules) -> None:
        self._had = had
        self._rules = rules
        self._known = Known(store)
        self._checks = Checks()
        self._admitted: dict[bytes, Admitted] = {}
        self._duplicates: dict[bytes, None] = {}
        self._refused: list[Refusal] = []
        self._new_lists: dict[bytes, RevocationList] = {}
        self._revocation_lists = ChainMap(
            self._new_lists,
            cast(MutableMapping[bytes, RevocationList], store.revocation_lists),  # only read
        )
        self._skipped = 0
        self._items = 0

    def findings(self, kind: FileKind) -> Findings:
        """What was found."""
        return Findings(
            kind,
            tuple(self._admitted.values()),
            tuple(self._new_lists.values()),
            tuple(self._duplicates),
            tuple(sorted(self._refused, key=lambda each: each.position)),
            self._skipped,
        )

    def master_list(self, der: bytes) -> None:
        """A file that is one master list."""
        try:
            found = parse_master_list(der)
        except SignedDataError as error:
            raise TrustFileUnreadableError(f"file: {error.message}") from None
        try:
            self._take_list(found)
        except SignerUnknownError as error:
            advice = missing_issuer(found, self._checks, self._rules)
            raise _file_refused("master list", error.reason, advice) from None
        except ListRefusedError as error:
            raise _file_refused("master list", error.reason) from None

    def certificate(self, der: bytes) -> None:
        """A file that is one certificate: taken, or the file is refused."""
        try:
            certificate = parse_certificate(der)
        except PkiError as error:
            if error.reason == CertificateError.reason:
                raise TrustFileUnreadableError(f"file: {error.message}") from None
            raise _file_refused("certificate", error.reason) from None
        self._take([Candidate(0, der, certificate.sha256)])
        if self._refused:
            reason = self._refused[0].reason
            advice = f"its issuer is {certificate.issuer_text}" if reason == "LINK_ISSUER_UNKNOWN" else ""
            raise _file_refused("certificate", reason, advice)

    def revocation_list(self, der: bytes) -> None:
        """A file that is one revocation list: taken or known, or the file is refused."""
        reason = self._take_revocation_list(der)
        if reason.startswith("CRL_"):
            raise _file_refused("revocation list", reason)
        if reason:
            raise unreadable(f"it can't be read ({reason})")

    def ldif(self, file: bytes) -> None:
        """A file of many records, in whatever order: certificates, then master lists, then revocation lists."""
        certificates: list[Candidate] = []
        master_lists: list[tuple[int, MasterList]] = []
        revocation_lists: list[tuple[int, bytes]] = []
        try:
            for record in read_ldif(file, ATTRIBUTES):
                for attribute, value in self._bringing(record):
                    if attribute == CA_ATTRIBUTE:
                        certificates.append(Candidate(record.position, value, hashlib.sha256(value).digest()))
                    elif attribute == MASTER_LIST_ATTRIBUTE:
                        master_lists += self._read_list(record.position, value)
                    else:
                        revocation_lists.append((record.position, value))
        except LdifError as error:
            raise TrustFileUnreadableError(f"file: LDIF, {error}") from None
        self._take(certificates)
        self._take_lists(master_lists)
        for position, der in revocation_lists:
            reason = self._take_revocation_list(der)
            if reason:
                self._refused.append(Refusal(position, "", reason))

    def _bringing(self, record: LdifRecord) -> Sequence[tuple[str, bytes]]:
        """The values of a record that may bring trust; the rest is counted."""
        values = [pair for pair in record.values if pair[0] != SIGNER_ATTRIBUTE]
        self._skipped += len(record.values) - len(values) + record.takes_away
        self._count(len(values))
        return values

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > MAX_ITEMS:
            raise TooMuchToCheckError

    def _read_list(self, position: int, der: bytes) -> Sequence[tuple[int, MasterList]]:
        try:
            found = parse_master_list(der)
        except SignedDataError:
            self._refused.append(Refusal(position, "", "MASTER_LIST_UNREADABLE"))
            return []
        self._count(len(found.listed))
        return [(position, found)]

    def _take_lists(self, waiting: Sequence[tuple[int, MasterList]]) -> None:
        """Take lists again and again while one of them is believed: it may bring the CSCA of another's signer."""
        progress = True
        while waiting and progress:
            progress, unknown = False, []
            for position, found in waiting:
                try:
                    self._take_list(found, position)
                    progress = True
                except SignerUnknownError:
                    unknown.append((position, found))
                except ListRefusedError as error:
                    self._refused.append(Refusal(position, _signer_text(found), error.reason))
            waiting = unknown
        self._refused += [
            Refusal(position, _signer_text(found), "MASTER_LIST_SIGNER_UNKNOWN")
            for position, found in waiting
        ]

    def _take_list(self, found: MasterList, record: int | None = None) -> None:
        """Take what is on a list that is believed. In LDIF the place of all of it is its record's."""
        named = check_signer(found, self._known, self._revocation_lists, self._checks, self._rules)
        candidates = [Candidate(each.position, each.der, each.sha256) for each in found.listed]
        if named is not None:  # it need not be on the list: it may have come along only
            candidates.append(named)
        if record is not None:
            candidates = [Candidate(record, each.der, each.sha256) for each in candidates]
        self._take(candidates)

    def _take(self, candidates: Sequence[Candidate]) -> None:
        """Sort out what the store or this import has, and take of the rest what may be trusted."""
        new: dict[bytes, Candidate] = {}
        for candidate in candidates:
            if candidate.sha256 in self._had:
                self._duplicates[candidate.sha256] = None
            elif candidate.sha256 not in self._admitted:
                new.setdefault(candidate.sha256, candidate)
        admitted, refused = admit(
            tuple(new.values()), self._known, self._checks, self._rules.accept_specimens
        )
        self._admitted.update((each.certificate.sha256, each) for each in admitted)
        self._refused += refused

    def _take_revocation_list(self, der: bytes) -> str:
        """Take a revocation list; return why not, or nothing. The one that the store has is taken without a word."""
        found = admit_revocation_list(der, self._known, self._revocation_lists, self._rules)
        if isinstance(found, RevocationList):
            self._new_lists[found.issuer] = found
        return found if isinstance(found, str) else ""


def _file_refused(what: str, reason: str, advice: str = "") -> TrustFileRefusedError:
    told = f"file: the {what}: {TRUST_REASONS[reason]}"
    return TrustFileRefusedError(f"{told}: {advice}" if advice else told, refusal=reason)


def _signer_text(found: MasterList) -> str:
    signer = found.verification.certificate
    return signer.subject_text[:MAX_SUBJECT] if signer else ""
