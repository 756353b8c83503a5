"""Who signed a master list, and whether that is enough to believe it (ICAO 9303-12, 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from borderpost.documents.pki.certificates import Certificate, parse_certificate
from borderpost.documents.pki.crl import RevocationList
from borderpost.documents.pki.errors import PkiError
from borderpost.documents.trust.anchors import (
    SPECIMEN_COUNTRIES,
    Candidate,
    Checks,
    Known,
    Rules,
    latest,
    unfit,
)
from borderpost.documents.trust.master_list import SIGNING_KEY_OID, MasterList


class ListRefusedError(Exception):
    """A list that is not to be believed, by the reason code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SignerUnknownError(ListRefusedError):
    """A list that may be believed once its signer's CSCA is trusted; `missing_issuer` says which one that is."""

    def __init__(self) -> None:
        super().__init__("MASTER_LIST_SIGNER_UNKNOWN")


def check_signer(
    master_list: MasterList,
    known: Known,
    revocation_lists: Mapping[bytes, RevocationList],
    checks: Checks,
    rules: Rules,
) -> Candidate | None:
    """Return if a list is to be believed; with the certificate that a person has named if that is why.

    Raises SignerUnknownError, ListRefusedError, TooMuchToCheckError. In this order, so that nothing is believed of
    a certificate before it is known whose signature it is:
    """
    # 1. The signature over the list holds, with the certificate that came with it (RFC 5652, 5.4).
    signer, fault = master_list.verification.certificate, master_list.verification.fault
    if signer is None or fault is not None:
        raise ListRefusedError(fault.value if fault else "SIGNER_CERTIFICATE_MISSING")
    # 2. That certificate is for signing master lists (ICAO 9303-12, 7.1): a document signer's is not enough.
    if SIGNING_KEY_OID not in signer.extended_key_usage:
        raise ListRefusedError("SIGNER_PURPOSE")
    # 3. It was valid when it signed, by the signer's own word; without that, now.
    attributes = master_list.verification.info.attributes
    signed_at = (attributes.signing_time if attributes else None) or rules.now
    if not signer.is_valid_at(signed_at) or signed_at > latest(rules.now):
        raise ListRefusedError("SIGNER_VALIDITY")
    # 4. Utopia's lists are for trying out only.
    if signer.country in SPECIMEN_COUNTRIES and not rules.accept_specimens:
        raise ListRefusedError("SPECIMEN")
    # 5. A CSCA of its country that is trusted issued it, or the one in the list that a person has named.
    named = _named(master_list, checks, rules)
    issuer = named if named is not None and _issued(signer, named, checks) else None
    by_name = issuer is not None
    if issuer is None:
        found = known.issuers(signer.authority_key_id, signer.issuer)
        issuer = next((each for each in found if _issued(signer, each, checks)), None)
    if issuer is None:
        raise SignerUnknownError
    # 6. That CSCA has not revoked it.
    revocations = revocation_lists.get(signer.issuer)
    if revocations is not None and signer.serial in revocations.revoked:
        raise ListRefusedError("SIGNER_REVOKED")
    return Candidate(len(master_list.listed), issuer.der, issuer.sha256) if by_name else None


def _issued(signer: Certificate, issuer: Certificate, checks: Checks) -> bool:
    return issuer.country == signer.country and checks.issued(signer, issuer)


def _named(master_list: MasterList, checks: Checks, rules: Rules) -> Certificate | None:
    """The certificate in a list that a person has named, if it can be a CSCA's and its own signature holds."""
    if not rules.issuer_sha256:
        return None
    for certificate in _all(master_list, rules.issuer_sha256):
        fit = certificate.is_self_issued and not unfit(certificate, rules.accept_specimens)
        if fit and checks.issued(certificate, certificate):
            return certificate
    return None


def _all(master_list: MasterList, sha256: bytes = b"") -> Iterator[Certificate]:
    """Certificates that came with a list and those on it, or only those with this SHA-256."""
    yield from (each for each in master_list.brought if sha256 in (b"", each.sha256))
    for listed in master_list.listed:
        if sha256 in (b"", listed.sha256):
            try:
                yield parse_certificate(listed.der)
            except PkiError:
                continue


def missing_issuer(master_list: MasterList, checks: Checks, rules: Rules) -> str:
    """Say whom to trust first, after SignerUnknownError. Reads all that is on the list. Raises TooMuchToCheckError."""
    signer = master_list.verification.certificate
    if signer is None:
        return ""
    if rules.issuer_sha256:
        named = _named(master_list, checks, rules)
        what = "is not in it, or is none of a CSCA" if named is None else "did not issue its signer's"
        return f"the certificate that issuer_sha256 names {what}"
    issuer = _likely_issuer(list(_all(master_list)), signer, checks)
    if issuer is None:
        key = signer.authority_key_id.hex() if signer.authority_key_id else "unknown"
        return f"{signer.issuer_text}, key id {key}"
    return (
        f"{issuer.subject_text}, SHA-256 {issuer.sha256.hex()}; or, as it is in the list, compare that SHA-256 with "
        "what the state publishes, and name it (issuer_sha256, --issuer)"
    )


def _likely_issuer(found: Sequence[Certificate], signer: Certificate, checks: Checks) -> Certificate | None:
    """The self-signed certificate in a list that issued its signer."""
    fitting = [
        each
        for each in found
        if each.is_self_issued and signer.authority_key_id in (None, each.key_id) and each.is_ca
    ]
    return next((each for each in fitting if _issued(signer, each, checks)), None)
