"""Protobuf to the trust store's domain, of requests that were validated, and back."""

from __future__ import annotations

from typing import Final

from borderpost.documents.trust.domain import (
    FileKind,
    Page,
    Report,
    Shown,
    TrustedCertificate,
    TrustedRevocationList,
    Wanted,
)
from borderpost.documents.trust.tokens import make_page_token, parse_page_token
from borderpost.runtime.clock import from_timestamp, to_timestamp
from borderpost.v1 import trust_pb2 as pb

KINDS: Final = {
    FileKind.MASTER_LIST: pb.TRUST_FILE_KIND_MASTER_LIST,
    FileKind.LDIF: pb.TRUST_FILE_KIND_LDIF,
    FileKind.CERTIFICATE: pb.TRUST_FILE_KIND_CERTIFICATE,
    FileKind.CRL: pb.TRUST_FILE_KIND_CRL,
}


def from_list_request(request: pb.ListTrustedRequest) -> Wanted:
    """Which certificates to list."""
    version, after = parse_page_token(request.page_token)
    valid_at = from_timestamp(request.valid_at) if request.HasField("valid_at") else None
    return Wanted(request.country.upper(), valid_at, after, version)


def to_import_response(report: Report) -> pb.ImportTrustResponse:
    """What an import did."""
    findings, totals = report.findings, report.totals
    return pb.ImportTrustResponse(
        kind=KINDS[findings.kind],
        version=totals.version,
        added=len(findings.certificates),
        duplicates=len(findings.duplicates),
        revocation_lists_added=len(findings.revocation_lists),
        refused=[
            pb.TrustRefusal(position=each.position, subject=each.subject, reason=each.reason)
            for each in findings.refused
        ],
        certificates=totals.certificates,
        countries=totals.countries,
        skipped=findings.skipped,
    )


def to_list_response(page: Page) -> pb.ListTrustedResponse:
    """A page of certificates."""
    totals = page.totals
    last = page.certificates[-1].sha256 if page.more else b""
    return pb.ListTrustedResponse(
        certificates=map(_to_certificate, page.certificates),
        next_page_token=make_page_token(totals.version, last) if page.more else "",
        version=totals.version,
        changed_at=None if totals.changed_at is None else to_timestamp(totals.changed_at),
        total=totals.certificates,
        revocation_lists=map(_to_revocation_list, page.revocation_lists),
    )


def to_get_response(shown: Shown) -> pb.GetTrustedResponse:
    """One certificate."""
    return pb.GetTrustedResponse(
        certificate=_to_certificate(shown.certificate),
        der=shown.der,
        related=map(_to_certificate, shown.related),
    )


def _to_certificate(certificate: TrustedCertificate) -> pb.TrustedCertificate:
    return pb.TrustedCertificate(
        sha256=certificate.sha256,
        country=certificate.country,
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=certificate.serial,
        key_id=certificate.key_id,
        key=certificate.key,
        not_before=to_timestamp(certificate.not_before),
        not_after=to_timestamp(certificate.not_after),
        link=certificate.link,
        sources=certificate.sources,
        added_at=to_timestamp(certificate.added_at),
    )


def _to_revocation_list(revocations: TrustedRevocationList) -> pb.RevocationList:
    next_update = revocations.next_update
    return pb.RevocationList(
        country=revocations.country,
        issuer=revocations.issuer,
        this_update=to_timestamp(revocations.this_update),
        next_update=None if next_update is None else to_timestamp(next_update),
        revoked=revocations.revoked,
    )
