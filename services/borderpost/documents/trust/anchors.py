"""Which certificates and revocation lists may be trusted, given those that are (ICAO 9303-12, 7.1 and 5).

A CSCA certificate is its own reason: it is taken because whoever imports it vouches for it, or the signer of the
list that it is on. What is checked here is that it is what it says: a certification authority's, whose own key made
its signature; or a link, made by the state's former key, which is trusted already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from borderpost.documents.pki.certificates import Certificate, is_issued_by, parse_certificate
from borderpost.documents.pki.crl import RevocationList, is_signed_by, parse_crl
from borderpost.documents.pki.errors import PkiError
from borderpost.documents.trust.domain import Admitted, Refusal, TrustSnapshot

MAX_PASSES: Final = 30
"""Links whose issuer is a link of the same file are taken in the next pass. States have had up to 10 keys."""

MAX_ISSUERS: Final = 40
"""Different keys that are tried for one signature. The most that one name has on published lists is 25."""

MAX_LOOKED_AT: Final = 200
"""Certificates that are looked at for the keys of one name or key identifier."""

MAX_SIGNATURES: Final = 10_000
"""Signatures that are checked for one import: some seconds. A list of 600 certificates needs about 700."""

MAX_CLOCK_SKEW: Final = timedelta(days=1)
"""By how much a signer's clock may be ahead. A list of revocations from later on would keep out those after it."""

MAX_SUBJECT: Final = 200
"""Characters of a subject that are told with a refusal."""

COUNTRY_LETTERS: Final = 2
"""ISO 3166-1 alpha-2, and what ICAO 9303-3, 5 adds to it (ICAO 9303-12, 7.1.1)."""

SPECIMEN_COUNTRIES: Final = frozenset({"UT", "UTO"})
"""Utopia, whose documents anybody can make."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certificate that may come to be trusted: its place in the file, its DER bytes, their SHA-256."""

    position: int
    der: bytes = field(repr=False)
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Rules:
    """What an import may bring: the time that it is judged at, whether Utopia's, and who vouches for a master list.

    `issuer_sha256` is the certificate that a person has named, to be found in the list itself; empty if none.
    """

    now: datetime
    accept_specimens: bool
    issuer_sha256: bytes = b""


class TooMuchToCheckError(Exception):
    """A file needs more signatures checked than any published one by far."""


class Checks:
    """Checks the signatures for one import, none of them twice, and no more than a limit."""

    def __init__(self, limit: int = MAX_SIGNATURES) -> None:
        self._limit = limit
        self._done: dict[tuple[bytes, bytes], bool] = {}

    def issued(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Tell whether the issuer's key made the certificate's signature. Raises TooMuchToCheckError."""
        key = certificate.sha256, issuer.key_info
        if key not in self._done:
            if len(self._done) >= self._limit:
                raise TooMuchToCheckError
            self._done[key] = _issued(certificate, issuer)
        return self._done[key]


class Known:
    """The trusted certificates: those of the store, and those that an import has admitted so far."""

    def __init__(self, store: TrustSnapshot) -> None:
        self._store = store
        self._new: dict[bytes, list[Certificate]] = {}
        self._new_by_subject: dict[bytes, list[Certificate]] = {}

    def add(self, certificate: Certificate) -> None:
        """Trust a certificate from now on."""
        if certificate.key_id is not None:
            self._new.setdefault(certificate.key_id, []).append(certificate)
        self._new_by_subject.setdefault(certificate.subject, []).append(certificate)

    def issuers(self, key_id: bytes | None, name: bytes) -> Iterator[Certificate]:
        """Certificates that may have issued something: by key identifier, then by name; each key once."""
        tried: set[bytes] = set()
        for certificate in islice(self._found(key_id, name), MAX_LOOKED_AT):
            if certificate.key_info not in tried:
                if len(tried) >= MAX_ISSUERS:
                    return
                tried.add(certificate.key_info)
                yield certificate

    def _found(self, key_id: bytes | None, name: bytes) -> Iterator[Certificate]:
        if key_id is not None:
            yield from self._store.by_key_id.get(key_id, ())
            yield from self._new.get(key_id, ())
        yield from self._store.by_subject.get(name, ())
        yield from self._new_by_subject.get(name, ())


def admit(
    candidates: Sequence[Candidate], known: Known, checks: Checks, accept_specimens: bool
) -> tuple[list[Admitted], list[Refusal]]:
    """Take what may be trusted, add it to `known`, and say why the rest may not. Raises TooMuchToCheckError."""
    admitted: list[Admitted] = []
    refused: list[Refusal] = []
    waiting: list[tuple[Candidate, Certificate]] = []
    for candidate in candidates:
        read = _read(candidate, accept_specimens)
        if isinstance(read, Refusal):
            refused.append(read)
        elif read.is_self_issued and checks.issued(read, read):
            known.add(read)
            admitted.append(Admitted(read, link=False))
        else:
            waiting.append((candidate, read))
    for _ in range(MAX_PASSES):
        links = [(candidate, read) for candidate, read in waiting if _has_issuer(read, known, checks)]
        if not links:
            break
        for _, read in links:
            known.add(read)
            admitted.append(Admitted(read, link=True))
        taken = {candidate.position for candidate, _ in links}
        waiting = [pair for pair in waiting if pair[0].position not in taken]
    refused += [
        refusal(candidate.position, read, _unissued(read, known, checks)) for candidate, read in waiting
    ]
    return admitted, sorted(refused, key=lambda each: each.position)


def admit_revocation_list(
    der: bytes, known: Known, current: Mapping[bytes, RevocationList], rules: Rules
) -> RevocationList | str | None:
    """Return a revocation list that is to be kept; None if it is the one that is; or why it can't be taken.

    Of lists in `current`, by issuer, only a newer one takes the place.
    """
    try:
        read = parse_crl(der)
    except PkiError as error:
        return error.reason
    issuers = list(known.issuers(read.authority_key_id, read.issuer))
    if not issuers:
        return "CRL_ISSUER_UNKNOWN"
    if not any(_signed(read, issuer) for issuer in issuers):
        return "CRL_SIGNATURE_WRONG"
    if read.this_update > latest(rules.now):
        return "CRL_NOT_YET_VALID"
    kept = current.get(read.issuer)
    if kept is not None and kept.der == read.der:
        return None
    if kept is not None and kept.this_update >= read.this_update:
        return "CRL_NOT_NEWER"
    return read


def latest(now: datetime) -> datetime:
    """The latest time that a signer may name, whose clock may be ahead."""
    return now + MAX_CLOCK_SKEW


def refusal(position: int, certificate: Certificate, reason: str) -> Refusal:
    """Say why a certificate is not taken."""
    return Refusal(position, certificate.subject_text[:MAX_SUBJECT], reason)


def _read(candidate: Candidate, accept_specimens: bool) -> Certificate | Refusal:
    try:
        certificate = parse_certificate(candidate.der)
    except PkiError as error:
        return Refusal(candidate.position, "", error.reason)
    reason = unfit(certificate, accept_specimens)
    return refusal(candidate.position, certificate, reason) if reason else certificate


def unfit(certificate: Certificate, accept_specimens: bool) -> str:
    """Say why a certificate can't be a CSCA's, whoever signed it; nothing if it can."""
    usage = certificate.key_usage
    if not certificate.is_ca or (usage is not None and "key_cert_sign" not in usage):
        return "NOT_A_CSCA"
    if certificate.country in SPECIMEN_COUNTRIES and not accept_specimens:
        return "SPECIMEN"
    if len(certificate.country) != COUNTRY_LETTERS or not certificate.country.isascii():
        return "COUNTRY_MISSING"
    if certificate.algorithm is None:
        return "ALGORITHM_NOT_SUPPORTED"
    return ""


def _has_issuer(certificate: Certificate, known: Known, checks: Checks) -> bool:
    return any(
        issuer.country == certificate.country and checks.issued(certificate, issuer)
        for issuer in known.issuers(certificate.authority_key_id, certificate.issuer)
    )


def _unissued(certificate: Certificate, known: Known, checks: Checks) -> str:
    """Why neither its own key nor a trusted one of its country made a certificate's signature."""
    named = certificate.authority_key_id
    if certificate.is_self_issued and named in (None, certificate.key_id):
        return "SELF_SIGNATURE_WRONG"
    issuers = [] if named is None else [each for each in known.issuers(named, b"") if each.key_id == named]
    if any(checks.issued(certificate, issuer) for issuer in issuers):
        return "LINK_OF_OTHER_COUNTRY"
    return "LINK_SIGNATURE_WRONG" if issuers else "LINK_ISSUER_UNKNOWN"


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        return is_issued_by(certificate, issuer)
    except PkiError:  # an algorithm that is not for such a key
        return False


def _signed(revocations: RevocationList, issuer: Certificate) -> bool:
    """Only whoever the list names counts (RFC 5280, 6.3.3): another CSCA, even of the same country, could take back
    what that one revoked."""
    usage = issuer.key_usage
    if issuer.subject != revocations.issuer or (usage is not None and "crl_sign" not in usage):
        return False
    try:
        return is_signed_by(revocations, issuer)
    except PkiError:
        return False
