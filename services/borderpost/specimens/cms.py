"""Signed data (RFC 5652) as security objects and master lists are: ICAO Doc 9303-10, 4.6.2.2; 9303-12, 9.1."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from asn1crypto import cms, core, x509

from borderpost.specimens.signing import SigningKey

SIGNED_DATA_VERSION: Final = "v3"
"""RFC 5652, 5.1: the content is of another type than id-data."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and the certificate of it."""

    key: SigningKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return bytes(self.certificate.dump())


def signed_data(
    content_type: str,
    content: bytes,
    signer: Signer,
    signed_at: datetime | None,
    *,
    certificates: Sequence[x509.Certificate] | None = None,
    by_key_id: bool = False,
) -> bytes:
    """Sign `content` and return the ContentInfo.

    The signed attributes are the content's type, its digest and, where it is given, the time of signing.
    `certificates` go along: the signer's own if none are named. `by_key_id` names the signer by its key
    identifier instead of issuer and serial number.
    """
    digest_algorithm = {"algorithm": signer.key.algorithm.hash}
    attributes = _attributes(content_type, content, signer.key.algorithm.hash, signed_at)
    info = cms.SignerInfo(
        {
            "version": "v3" if by_key_id else "v1",
            "sid": _signer_identifier(signer.certificate, by_key_id=by_key_id),
            "digest_algorithm": digest_algorithm,
            "signed_attrs": attributes,
            "signature_algorithm": signer.key.signature_algorithm(),
            "signature": signer.key.sign(attributes.dump()),
        }
    )
    together = [signer.certificate] if certificates is None else sorted(certificates, key=lambda c: c.dump())
    data = cms.SignedData(
        {
            "version": SIGNED_DATA_VERSION,
            "digest_algorithms": [digest_algorithm],
            "encap_content_info": {
                "content_type": content_type,
                "content": core.ParsableOctetString(content),
            },
            "certificates": [cms.CertificateChoices("certificate", each) for each in together],
            "signer_infos": [info],
        }
    )
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()
    return der


def _attributes(
    content_type: str, content: bytes, digest: str, signed_at: datetime | None
) -> cms.CMSAttributes:
    values: list[dict[str, object]] = [
        {"type": "content_type", "values": [content_type]},
        {"type": "message_digest", "values": [hashlib.new(digest, content).digest()]},
    ]
    if signed_at is not None:
        values.append({"type": "signing_time", "values": [cms.Time("utc_time", core.UTCTime(signed_at))]})
    return cms.CMSAttributes(values)


def _signer_identifier(certificate: x509.Certificate, *, by_key_id: bool) -> cms.SignerIdentifier:
    if by_key_id:
        return cms.SignerIdentifier("subject_key_identifier", certificate.key_identifier)
    return cms.SignerIdentifier(
        "issuer_and_serial_number",
        {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
    )
