"""X.509 certificates as ICAO 9303-12, 7 profiles them, read leniently and compared strictly."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from asn1crypto import core, x509

from borderpost.documents.pki import names
from borderpost.documents.pki.algorithms import SignatureAlgorithm, signature_algorithm
from borderpost.documents.pki.errors import CertificateError, KeyNotSupportedError, PkiError, unreadable_as
from borderpost.documents.pki.keys import PublicKey, key_of, verify
from borderpost.documents.pki.octets import check_runs
from borderpost.documents.pki.times import utc_of

MAX_CERTIFICATE_BYTES: Final = 64 * 1024
"""Those of published master lists have 0.6 to 2.5 KB."""

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*?)-----END \1-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate.

    `subject` and `issuer` are for look-up: equal if the names are (pki/names.py); their texts are RFC 4514.
    `country` is the subject's, upper case, empty if it has none. Times are UTC. `key_id` and
    `authority_key_id` are the key identifiers of RFC 5280, 4.2.1.1 and 4.2.1.2. `is_ca` by its basic
    constraints, or for version 1 by being self-issued. `key_usage` is None where the certificate doesn't say.
    """

    der: bytes = field(repr=False)
    sha256: bytes
    subject: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    subject_text: str
    issuer_text: str
    country: str
    serial: int
    not_before: datetime
    not_after: datetime
    key_id: bytes | None
    authority_key_id: bytes | None
    is_ca: bool
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str]
    key: PublicKey = field(repr=False)
    key_info: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signature_oid: str
    algorithm: SignatureAlgorithm | None

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name. It may be a link certificate: the name often stays."""
        return self.subject == self.issuer

    def is_valid_at(self, at: datetime) -> bool:
        """Whether `at` is within its validity, both ends included."""
        return self.not_before <= at <= self.not_after


def der_of(data: bytes) -> bytes:
    """Return the DER bytes of a file that may be PEM: its first block. Raises CertificateError."""
    if not data.lstrip()[:10].startswith(b"-----BEGIN"):
        return data
    match = _PEM.search(data)
    if match is None:
        raise CertificateError("PEM: got no whole block")
    try:
        return base64.b64decode(b"".join(match[2].split()), validate=True)
    except binascii.Error:
        raise CertificateError("PEM: got a block that is no base64") from None


def parse_certificate(der: bytes) -> Certificate:
    """Read one certificate in DER, with nothing after it.

    Raises CertificateError: CERTIFICATE_UNREADABLE, or the reason for which its key is not taken.
    """
    if not der or len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"certificate: got {len(der):,} bytes, want 1 to {MAX_CERTIFICATE_BYTES:,}")
    with unreadable_as(CertificateError, "certificate"):
        return _read(der, x509.Certificate.load(check_runs(der), strict=True))


def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Tell whether the issuer's key made the certificate's signature. Names, dates and usage are for the caller.

    Raises AlgorithmNotSupportedError, KeyNotSupportedError (both PkiError).
    """
    algorithm = certificate.algorithm or signature_algorithm(certificate.signature_oid)
    return verify(issuer.key, algorithm, certificate.signature, certificate.signed)


def _read(der: bytes, read: Any) -> Certificate:
    body = read["tbs_certificate"]
    subject, issuer = body["subject"], body["issuer"]
    extensions = _extensions(body)
    usage = extensions.get("2.5.29.15")
    subject_name, issuer_name = names.normalised(subject), names.normalised(issuer)
    try:
        key = key_of(body["subject_public_key_info"])
    except KeyNotSupportedError as error:
        raise CertificateError(f"certificate: {error.message}", error.reason) from None
    return Certificate(
        der=der,
        sha256=hashlib.sha256(der).digest(),
        subject=subject_name,
        issuer=issuer_name,
        subject_text=names.as_text(subject),
        issuer_text=names.as_text(issuer),
        country=names.country_of(subject),
        serial=int(body["serial_number"].native),
        not_before=utc_of(body["validity"]["not_before"]),
        not_after=utc_of(body["validity"]["not_after"]),
        key_id=_subject_key_id(extensions),
        authority_key_id=_authority_key_id(extensions),
        is_ca=_is_ca(body, extensions, self_issued=subject_name == issuer_name),
        key_usage=None if usage is None else frozenset(x509.KeyUsage.load(usage).native),
        extended_key_usage=_purposes(extensions),
        key=key,
        key_info=body["subject_public_key_info"].dump(),
        signed=body.dump(),
        signature=whole_octets(read["signature_value"]),
        signature_oid=read["signature_algorithm"]["algorithm"].dotted,
        algorithm=_algorithm(read["signature_algorithm"]),
    )


def whole_octets(bits: Any) -> bytes:
    """Return the octets of asn1crypto's BIT STRING. Raises ValueError if bits of the last one are left out."""
    if bytes(bits.contents)[:1] != b"\0":
        raise ValueError("bit string: got some bits, want whole octets")
    return bytes(bits)


def _algorithm(identifier: Any) -> SignatureAlgorithm | None:
    try:
        return signature_algorithm(identifier["algorithm"].dotted, _parameters(identifier))
    except PkiError:
        return None  # told when somebody asks for its signature


def _parameters(identifier: Any) -> Any:
    parameters = identifier["parameters"]
    return None if isinstance(parameters, (core.Void, core.Null)) else parameters


def _extensions(body: Any) -> dict[str, bytes]:
    """Values of the extensions by object identifier; the first counts where one is there twice."""
    found: dict[str, bytes] = {}
    if not isinstance(body["extensions"], core.Void):
        for extension in body["extensions"]:
            found.setdefault(extension["extn_id"].dotted, check_runs(bytes(extension["extn_value"])))
    return found


def _subject_key_id(extensions: dict[str, bytes]) -> bytes | None:
    value = extensions.get("2.5.29.14")
    return None if value is None else bytes(core.OctetString.load(value))


def _authority_key_id(extensions: dict[str, bytes]) -> bytes | None:
    value = extensions.get("2.5.29.35")
    if value is None:
        return None
    identifier = x509.AuthorityKeyIdentifier.load(value)["key_identifier"]
    return None if isinstance(identifier, core.Void) else bytes(identifier)


def _is_ca(body: Any, extensions: dict[str, bytes], *, self_issued: bool) -> bool:
    value = extensions.get("2.5.29.19")
    if value is None:
        return body["version"].native == "v1" and self_issued
    return bool(x509.BasicConstraints.load(value)["ca"].native)


def _purposes(extensions: dict[str, bytes]) -> frozenset[str]:
    value = extensions.get("2.5.29.37")
    return frozenset() if value is None else frozenset(p.dotted for p in x509.ExtKeyUsageSyntax.load(value))
