"""From a document signer to the CSCA that vouches for it (ICAO 9303-12, 4; RFC 5280, 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from borderpost.documents.pki.certificates import Certificate, is_issued_by
from borderpost.documents.pki.errors import PkiError
from borderpost.documents.trust.domain import TrustSnapshot

MAX_CANDIDATES: Final = 32
"""Certificates of one name or key identifier that are looked at. The largest state has eight."""

MAX_LINKS: Final = 8
"""Link certificates from key to older key. A CSCA's key is renewed every three to five years (9303-12, 4.1.4)."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """What was found. `csca` is the issuer's certificate, if a trusted one made the signature.

    Without it, `contradicted` says that the store has the very key that the certificate names, and that this key
    did not sign it; otherwise the store just doesn't have the issuer.
    """

    csca: Certificate | None
    contradicted: bool


def find_issuer(certificate: Certificate, trust: TrustSnapshot, times: Iterable[datetime]) -> Issuer:
    """Find who issued a certificate: by key identifier and by name, never by trying all.

    A state can have several certificates for one key: one is taken that is valid at most of `times`, and rather a
    root than a link.
    """
    by_key, by_name = _candidates(certificate, trust)
    moments = tuple(times)
    issuers = _that_signed(certificate, by_key) or _that_signed(certificate, by_name)
    anchored = [issuer for issuer in issuers if _is_anchored(issuer, trust)]
    if anchored:
        return Issuer(max(anchored, key=lambda issuer: _preference(issuer, moments)), contradicted=False)
    named_key = bool(by_key) or (certificate.authority_key_id is None and bool(by_name))
    return Issuer(None, contradicted=named_key and not issuers)


def _candidates(
    certificate: Certificate, trust: TrustSnapshot
) -> tuple[tuple[Certificate, ...], tuple[Certificate, ...]]:
    key_id = certificate.authority_key_id
    by_key = () if key_id is None else tuple(trust.by_key_id.get(key_id, ()))[:MAX_CANDIDATES]
    by_name = tuple(trust.by_subject.get(certificate.issuer, ()))[:MAX_CANDIDATES]
    return by_key, tuple(found for found in by_name if found not in by_key)


def _that_signed(certificate: Certificate, candidates: tuple[Certificate, ...]) -> list[Certificate]:
    """Those whose key made the signature; each key is tried once."""
    tried: dict[bytes, bool] = {}
    for candidate in candidates:
        if candidate.key_info not in tried:
            tried[candidate.key_info] = _signed(certificate, candidate)
    return [candidate for candidate in candidates if tried[candidate.key_info]]


def _signed(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        return is_issued_by(certificate, issuer)
    except PkiError:
        return False


def is_link(certificate: Certificate) -> bool:
    """Tell whether a CSCA's certificate says that another key than its own issued it, as link certificates do."""
    if not certificate.is_self_issued:
        return True
    named, own = certificate.authority_key_id, certificate.key_id
    return named is not None and own is not None and named != own


def _is_anchored(certificate: Certificate, trust: TrustSnapshot) -> bool:
    """A root of the store, or a link to one of them through no more than MAX_LINKS others.

    Nearest first and each once: links that vouch for each other in a circle lead nowhere, and cost what they weigh.
    """
    level, looked_at = [certificate], {certificate.sha256}
    for _ in range(MAX_LINKS + 1):
        if any(not is_link(each) or _signed(each, each) for each in level):
            return True
        older = {found.sha256: found for link in level for found in _older(link, trust)}
        level = [found for sha256, found in older.items() if sha256 not in looked_at][:MAX_CANDIDATES]
        looked_at.update(older)
    return False


def _older(link: Certificate, trust: TrustSnapshot) -> list[Certificate]:
    """Certificates of the keys that made a link's signature."""
    by_key, by_name = _candidates(link, trust)
    return [
        found
        for found in _that_signed(link, by_key) or _that_signed(link, by_name)
        if found.key_info != link.key_info
    ]


def _preference(issuer: Certificate, moments: tuple[datetime, ...]) -> tuple[int, bool, datetime]:
    covered = sum(issuer.is_valid_at(moment) for moment in moments)
    return covered, not is_link(issuer), issuer.not_after
