"""Passive authentication in numbered steps (ICAO 9303-11, 5.1; the path to the CSCA by 9303-12).

Every step is one named check. A step FAILED if something contradicts what the state says; it is UNDETERMINED or
NOT_PERFORMED if something is missing that would be needed to tell. docs/chips.md lists all reasons.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from borderpost.documents.chip.chain import Issuer, find_issuer
from borderpost.documents.chip.common import read_common
from borderpost.documents.chip.domain import ChipFiles, Signer
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.reasons import Why
from borderpost.documents.chip.security_object import SecurityObject, read_security_object
from borderpost.documents.mrz import Mrz
from borderpost.documents.pki.algorithms import SignatureAlgorithm, digest, hash_label, hash_of
from borderpost.documents.pki.certificates import Certificate
from borderpost.documents.pki.crl import RevocationList
from borderpost.documents.pki.errors import PkiError
from borderpost.documents.pki.keys import EcKey, PublicKey
from borderpost.documents.pki.signed_data import Fault, Verification, verify_signed_data
from borderpost.documents.trust.domain import TrustSnapshot
from borderpost.documents.verdict import Check, CheckName, Result
from borderpost.runtime.states import alpha2_of

CLOCKS_DIFFER: Final = timedelta(days=1)
"""By how much a signing time may lie ahead of ours: signers write local time as UTC."""

MAX_LIST_AGE: Final = timedelta(days=90)
"""States publish a revocation list at least so often, even an unchanged one (ICAO 9303-12, 4.1.5)."""

MANDATORY: Final = frozenset({1, 2})
"""Data groups that every document has (ICAO 9303-10, 4.7)."""

MAX_COUNTRY: Final = 3
"""Letters of a country's code: two (ICAO 9303-12, 7.1.1), or three where a state writes it as in the zone."""

NEEDED: Final = frozenset({1, 2, 14, 15})
"""Data groups that have to come where the security object names them: without 14 and 15 nobody can tell a copy."""

NOT_FOR_DOCUMENTS: Final = "2.23.136.1.1."
"""Extended key usages below this arc are of ICAO's other signers: master lists, deviation lists, visible seals. A
document signer has none (ICAO 9303-12, 7.1)."""

COMMUNICATION: Final = frozenset({"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"})
"""serverAuth and clientAuth: a certificate with a purpose is for that one alone (RFC 5280, 4.2.1.12). One for
connections has the key usage of a document signer's, and its key lies on a server."""

_DIGITAL_SIGNATURE: Final = "digital_signature"


@dataclass(frozen=True, slots=True)
class Passive:
    """What passive authentication came to. `trusted_groups` are those whose hash the chip's signer has signed.

    `refused_groups` are on the chip and not in the security object: nothing may be read from them. `unread_groups`
    are in the security object and did not come. `anchored`: signature and way to a trusted CSCA hold, whatever the
    dates say.
    """

    checks: tuple[Check, ...]
    security_object: SecurityObject | None
    signer: Signer | None
    trusted_groups: frozenset[int]
    refused_groups: frozenset[int]
    unread_groups: frozenset[int]
    anchored: bool


def authenticate(files: ChipFiles, mrz: Mrz | None, trust: TrustSnapshot, at: datetime) -> Passive:
    """Do passive authentication of a chip's files as of `at` (UTC). `mrz` is data group 1's, if it can be read."""
    # 1. Read EF.SOD.
    try:
        found = read_security_object(files.sod) if files.sod else None
        why = Why.SECURITY_OBJECT_MISSING
    except ChipFileError:
        found, why = None, Why.SECURITY_OBJECT_UNREADABLE
    if found is None:
        return _without_security_object(files, why)
    return _authenticate(files, found, mrz, trust, at)


def _authenticate(
    files: ChipFiles, found: SecurityObject, mrz: Mrz | None, trust: TrustSnapshot, at: datetime
) -> Passive:
    verification = verify_signed_data(found.signed)
    certificate = verification.certificate
    signed_at = _signing_time(verification)
    times = (at,) if signed_at is None else (at, signed_at)
    issuer = None if certificate is None else find_issuer(certificate, trust, times)
    csca = None if issuer is None else issuer.csca
    revocations = _revocations(certificate, csca, trust)
    hashes = _compare_hashes(files, found)
    checks = (
        Check(CheckName.SECURITY_OBJECT, Result.PASSED),
        # 2. The signed attributes are about this list of hashes (RFC 5652, 11).
        _signed_attributes(verification),
        # 3. The document signer signed it, by the algorithm that the signer info names.
        _signature(found, verification),
        # 4. A trusted CSCA issued the document signer's certificate, and it may sign documents.
        _signer_issuer(certificate, issuer),
        # 5. Both certificates are valid now and were when it signed.
        _signer_validity(certificate, csca, signed_at, at),
        # 6. The CSCA has not revoked the document signer.
        _signer_revocation(certificate, csca, revocations, at),
        # 7. Every data group that came has the hash that was signed, and none came that has no hash.
        _data_group_hashes(hashes),
        # 8. EF.COM, EF.SOD and what came agree on which data groups there are.
        _data_groups_complete(files, found),
        # 9. The state that signed is the one that issued the document (9303-12, 7.1).
        _signer_country(certificate, csca, mrz),
    )
    passed = {check.name for check in checks if check.result is Result.PASSED}
    return Passive(
        checks=checks,
        security_object=found,
        signer=_signer(verification, csca, signed_at, revocations),
        trusted_groups=hashes.right,
        refused_groups=hashes.unsigned,
        unread_groups=frozenset(found.hashes) - frozenset(files.data_groups),
        anchored=passed.issuperset(_ANCHORING),
    )


_ANCHORING: Final = (CheckName.SIGNED_ATTRIBUTES, CheckName.SIGNATURE, CheckName.SIGNER_ISSUER)

_STEPS_AFTER_THE_FIRST: Final = (
    CheckName.SIGNED_ATTRIBUTES,
    CheckName.SIGNATURE,
    CheckName.SIGNER_ISSUER,
    CheckName.SIGNER_VALIDITY,
    CheckName.SIGNER_REVOCATION,
    CheckName.DATA_GROUP_HASHES,
    CheckName.DATA_GROUPS_COMPLETE,
    CheckName.SIGNER_COUNTRY,
)


def _without_security_object(files: ChipFiles, why: Why) -> Passive:
    missing = why is Why.SECURITY_OBJECT_MISSING
    first = Check(CheckName.SECURITY_OBJECT, Result.UNDETERMINED if missing else Result.FAILED, why)
    others = (Check(name, Result.NOT_PERFORMED, why) for name in _STEPS_AFTER_THE_FIRST)
    nothing: frozenset[int] = frozenset()
    return Passive((first, *others), None, None, nothing, nothing, nothing, anchored=False)


def _signing_time(verification: Verification) -> datetime | None:
    attributes = verification.info.attributes
    return None if attributes is None else attributes.signing_time


def _signed_attributes(verification: Verification) -> Check:
    name, fault = CheckName.SIGNED_ATTRIBUTES, verification.attributes_fault
    if fault is Fault.ALGORITHM_NOT_SUPPORTED:
        return Check(name, Result.UNDETERMINED, Why.ALGORITHM_NOT_SUPPORTED)
    if fault is Fault.HASH_TOO_WEAK:
        return Check(name, Result.FAILED, Why.HASH_TOO_WEAK)
    if fault is not None:
        return Check(name, Result.FAILED, Why.SIGNED_ATTRIBUTES_WRONG)
    if (
        verification.info.attributes is None
    ):  # 9303-10 wants them; the signature is then over the hashes themselves
        return Check(name, Result.UNDETERMINED, Why.SIGNED_ATTRIBUTES_MISSING)
    return Check(name, Result.PASSED)


def _signature(found: SecurityObject, verification: Verification) -> Check:
    name, fault = CheckName.SIGNATURE, verification.signature_fault
    if fault is None:
        return Check(name, Result.PASSED)
    if fault is Fault.SIGNER_CERTIFICATE_MISSING:
        return _signer_certificate_missing(found.signed.unreadable_certificates)
    if fault is Fault.ALGORITHM_NOT_SUPPORTED:
        return Check(name, Result.UNDETERMINED, Why.ALGORITHM_NOT_SUPPORTED)
    why = Why.HASH_TOO_WEAK if fault is Fault.HASH_TOO_WEAK else Why.SIGNATURE_WRONG
    return Check(name, Result.FAILED, why)


def _signer_certificate_missing(unreadable: tuple[str, ...]) -> Check:
    """The certificate may be there with a key that is not taken, or be damaged."""
    name = CheckName.SIGNATURE
    if Why.KEY_TOO_WEAK in unreadable:
        return Check(name, Result.FAILED, Why.KEY_TOO_WEAK)
    if "KEY_NOT_SUPPORTED" in unreadable:
        return Check(name, Result.UNDETERMINED, Why.ALGORITHM_NOT_SUPPORTED)
    if unreadable:
        return Check(name, Result.FAILED, Why.SIGNER_CERTIFICATE_UNREADABLE)
    return Check(name, Result.UNDETERMINED, Why.SIGNER_CERTIFICATE_MISSING)


def _signer_issuer(certificate: Certificate | None, issuer: Issuer | None) -> Check:
    name = CheckName.SIGNER_ISSUER
    if certificate is None or issuer is None:
        return Check(name, Result.NOT_PERFORMED, Why.SIGNER_CERTIFICATE_MISSING)
    if issuer.contradicted:
        return Check(name, Result.FAILED, Why.SIGNER_NOT_ISSUED_BY_CSCA)
    if issuer.csca is None:
        return Check(name, Result.UNDETERMINED, Why.TRUST_ANCHOR_UNKNOWN)
    if not _may_sign_documents(certificate):
        return Check(name, Result.FAILED, Why.SIGNER_MAY_NOT_SIGN_DOCUMENTS)
    return Check(name, Result.PASSED)


def _may_sign_documents(certificate: Certificate) -> bool:
    """A CSCA issues certificates for other uses too, and itself signs no documents (9303-12, 7.1)."""
    usage = certificate.key_usage
    if certificate.is_ca or (usage is not None and _DIGITAL_SIGNATURE not in usage):
        return False
    purposes = certificate.extended_key_usage
    return not (purposes & COMMUNICATION or any(each.startswith(NOT_FOR_DOCUMENTS) for each in purposes))


def _signer_validity(
    certificate: Certificate | None, csca: Certificate | None, signed_at: datetime | None, at: datetime
) -> Check:
    """Dates of a certificate that nobody vouches for say nothing, so they are judged with a CSCA only.

    A signer's certificate is valid as long as the documents that it signed (9303-12, 4.1), so an expired one means
    that the document has expired too, or is none of its. Without a signing time the present has to do: whoever is
    valid now was so since the certificate began.
    """
    name = CheckName.SIGNER_VALIDITY
    if certificate is None or csca is None:
        why = Why.SIGNER_CERTIFICATE_MISSING if certificate is None else Why.TRUST_ANCHOR_UNKNOWN
        return Check(name, Result.NOT_PERFORMED, why)
    for held, too_late, too_early in (
        (certificate, Why.SIGNER_EXPIRED, Why.SIGNER_NOT_YET_VALID),
        (csca, Why.CSCA_EXPIRED, Why.CSCA_NOT_YET_VALID),
    ):
        if not held.is_valid_at(at):
            return Check(name, Result.FAILED, too_late if at > held.not_after else too_early)
    if signed_at is not None:
        return _validity_when_signing(certificate, csca, signed_at, at)
    return Check(name, Result.PASSED)


def _validity_when_signing(
    certificate: Certificate, csca: Certificate, signed_at: datetime, at: datetime
) -> Check:
    name = CheckName.SIGNER_VALIDITY
    if signed_at - at > CLOCKS_DIFFER:
        return Check(name, Result.FAILED, Why.SIGNED_IN_THE_FUTURE)
    if not _was_valid(certificate, signed_at):
        return Check(name, Result.FAILED, Why.SIGNER_NOT_VALID_WHEN_SIGNING)
    if not _was_valid(csca, signed_at):
        return Check(name, Result.FAILED, Why.CSCA_NOT_VALID_WHEN_SIGNING)
    return Check(name, Result.PASSED)


def _was_valid(certificate: Certificate, signed_at: datetime) -> bool:
    return (
        certificate.not_before - signed_at <= CLOCKS_DIFFER
        and signed_at - certificate.not_after <= CLOCKS_DIFFER
    )


def _revocations(
    certificate: Certificate | None, csca: Certificate | None, trust: TrustSnapshot
) -> RevocationList | None:
    """The issuer's list. The store takes only lists whose signature is their CSCA's."""
    if certificate is None or csca is None:
        return None
    return trust.revocation_lists.get(certificate.issuer) or trust.revocation_lists.get(csca.subject)


def _signer_revocation(
    certificate: Certificate | None,
    csca: Certificate | None,
    revocations: RevocationList | None,
    at: datetime,
) -> Check:
    """Without a list, or with one that is due for renewal, it can't be told; the gateway's policy may accept that."""
    name = CheckName.SIGNER_REVOCATION
    if certificate is None or csca is None:
        why = Why.SIGNER_CERTIFICATE_MISSING if certificate is None else Why.TRUST_ANCHOR_UNKNOWN
        return Check(name, Result.NOT_PERFORMED, why)
    if revocations is None:
        return Check(name, Result.UNDETERMINED, Why.REVOCATION_UNKNOWN)
    if certificate.serial in revocations.revoked:
        return Check(name, Result.FAILED, Why.SIGNER_REVOKED)
    if csca.issuer == revocations.issuer and csca.serial in revocations.revoked:
        return Check(name, Result.FAILED, Why.CSCA_REVOKED)
    if _is_stale(revocations, at):
        return Check(name, Result.UNDETERMINED, Why.REVOCATION_LIST_STALE)
    return Check(name, Result.PASSED)


def _is_stale(revocations: RevocationList, at: datetime) -> bool:
    if revocations.next_update is not None:
        return at > revocations.next_update
    return at - revocations.this_update > MAX_LIST_AGE


@dataclass(frozen=True, slots=True)
class _Hashes:
    """Data groups that came, by what the security object says of them."""

    right: frozenset[int]
    wrong: frozenset[int]
    unsigned: frozenset[int]
    algorithm_fault: str = ""


def _compare_hashes(files: ChipFiles, found: SecurityObject) -> _Hashes:
    """Hash the files as they came: encoding them anew could give other bytes."""
    unsigned = frozenset(files.data_groups) - frozenset(found.hashes)
    signed = {number: data for number, data in files.data_groups.items() if number in found.hashes}
    try:
        hash_name = hash_of(found.hash_oid)
    except PkiError as error:
        return _Hashes(frozenset(), frozenset(), unsigned, error.reason)
    right = frozenset(
        number
        for number, data in signed.items()
        if hmac.compare_digest(digest(hash_name, data), found.hashes[number])
    )
    return _Hashes(right, frozenset(signed) - right, unsigned)


def _data_group_hashes(hashes: _Hashes) -> Check:
    """An unsigned group is refused: nothing is read from it. It is no proof of a forgery where it is not mandatory."""
    name = CheckName.DATA_GROUP_HASHES
    if hashes.wrong:
        why = {1: Why.DG1_ALTERED, 2: Why.DG2_ALTERED}.get(min(hashes.wrong), Why.DATA_GROUP_ALTERED)
        return Check(name, Result.FAILED, why)
    if hashes.unsigned & MANDATORY:
        return Check(name, Result.FAILED, Why.DATA_GROUP_NOT_SIGNED)
    if hashes.algorithm_fault:
        weak = hashes.algorithm_fault == Why.HASH_TOO_WEAK
        return Check(name, Result.FAILED if weak else Result.UNDETERMINED, hashes.algorithm_fault)
    if hashes.unsigned:
        return Check(name, Result.UNDETERMINED, Why.DATA_GROUP_NOT_SIGNED)
    if not hashes.right:
        return Check(name, Result.NOT_PERFORMED, Why.DATA_GROUP_NOT_READ)
    return Check(name, Result.PASSED)


def _data_groups_complete(files: ChipFiles, found: SecurityObject) -> Check:
    name, signed = CheckName.DATA_GROUPS_COMPLETE, frozenset(found.hashes)
    if not signed >= MANDATORY:
        return Check(name, Result.FAILED, Why.DATA_GROUP_NOT_SIGNED)
    if files.com:
        try:
            announced = read_common(files.com).groups
        except ChipFileError:
            return Check(name, Result.FAILED, Why.COMMON_DATA_UNREADABLE)
        if announced - signed:
            return Check(name, Result.FAILED, Why.COMMON_DATA_DIFFERS)
        if (
            signed - announced
        ):  # nobody signs EF.COM: leaving a group out hides it from readers, and proves nothing
            return Check(name, Result.UNDETERMINED, Why.COMMON_DATA_DIFFERS)
    if not frozenset(files.data_groups) >= signed & NEEDED:
        return Check(name, Result.UNDETERMINED, Why.DATA_GROUP_NOT_READ)
    return Check(name, Result.PASSED)


def _signer_country(certificate: Certificate | None, csca: Certificate | None, mrz: Mrz | None) -> Check:
    name = CheckName.SIGNER_COUNTRY
    if certificate is None or mrz is None:
        why = Why.SIGNER_CERTIFICATE_MISSING if certificate is None else Why.CHIP_MRZ_UNREADABLE
        return Check(name, Result.NOT_PERFORMED, why)
    issuing = alpha2_of(mrz.fields.issuing_state)
    if issuing is None or not certificate.country:
        return Check(name, Result.UNDETERMINED, Why.COUNTRY_UNKNOWN)
    countries = {certificate.country} | ({csca.country} if csca is not None else set())
    if countries != {issuing}:
        return Check(name, Result.FAILED, Why.SIGNER_OF_ANOTHER_COUNTRY)
    return Check(name, Result.PASSED)


def _signer(
    verification: Verification,
    csca: Certificate | None,
    signed_at: datetime | None,
    revocations: RevocationList | None,
) -> Signer | None:
    certificate = verification.certificate
    if certificate is None:
        return None
    algorithm = verification.algorithm
    return Signer(
        country=certificate.country if _is_shown(certificate.country) else "",
        certificate_sha256=certificate.sha256,
        csca_sha256=b"" if csca is None else csca.sha256,
        signed_at=signed_at,
        algorithm="" if algorithm is None else algorithm_text(certificate.key, algorithm),
        revocation_list_from=None if revocations is None else revocations.this_update,
    )


def _is_shown(country: str) -> bool:
    """Whether a country is a code at all: an officer sees it, and whoever made the certificate wrote it."""
    return len(country) <= MAX_COUNTRY and country.isascii() and country.isalpha()


def algorithm_text(key: PublicKey, algorithm: SignatureAlgorithm) -> str:
    """Write key and algorithm in one: "ECDSA brainpoolP256r1 SHA-256", "RSA-PSS 2048 SHA-256"."""
    what = key.curve.name if isinstance(key, EcKey) else str(key.n.bit_length())
    return f"{algorithm.scheme.value} {what} {hash_label(algorithm.hash)}"
