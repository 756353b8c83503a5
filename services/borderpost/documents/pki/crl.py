"""Certificate revocation lists (RFC 5280, 5; ICAO 9303-12, 7.1.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from asn1crypto import core, crl, parser, x509

from borderpost.documents.pki import names
from borderpost.documents.pki.algorithms import SignatureAlgorithm, signature_algorithm
from borderpost.documents.pki.certificates import Certificate, whole_octets
from borderpost.documents.pki.errors import RevocationListError, unreadable_as
from borderpost.documents.pki.keys import verify
from borderpost.documents.pki.octets import check_runs
from borderpost.documents.pki.times import utc_of

MAX_LIST_BYTES: Final = 4 * 1024 * 1024
"""A state revokes a handful of document signers: lists have a few hundred bytes."""

MAX_REVOKED: Final = 50_000
"""Entries that are read; they take about half a second."""


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One list. `issuer` is for look-up (pki/names.py). `revoked` are times of revocation by serial number.

    Times are UTC; `next_update` is None where the list doesn't say.
    """

    der: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    issuer_text: str
    country: str
    authority_key_id: bytes | None
    number: int | None
    this_update: datetime
    next_update: datetime | None
    revoked: Mapping[int, datetime] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    algorithm: SignatureAlgorithm


def parse_crl(der: bytes) -> RevocationList:
    """Read one list in DER, with nothing after it. Raises RevocationListError, AlgorithmNotSupportedError."""
    if not der or len(der) > MAX_LIST_BYTES:
        raise RevocationListError(f"revocation list: got {len(der):,} bytes, want 1 to {MAX_LIST_BYTES:,}")
    with unreadable_as(RevocationListError, "revocation list"):
        return _read(der, crl.CertificateList.load(check_runs(der), strict=True))


def is_signed_by(revocations: RevocationList, issuer: Certificate) -> bool:
    """Tell whether the issuer's key made the list's signature. Raises KeyNotSupportedError."""
    return verify(issuer.key, revocations.algorithm, revocations.signature, revocations.signed)


def _read(der: bytes, read: Any) -> RevocationList:
    body = read["tbs_cert_list"]
    identifier = read["signature_algorithm"]
    parameters = identifier["parameters"]
    extensions = _extensions(body)
    if _PARTIAL & extensions.keys():
        raise RevocationListError("revocation list: got one of changes or of a part, want a whole one")
    next_update = body["next_update"]
    return RevocationList(
        der=der,
        issuer=names.normalised(body["issuer"]),
        issuer_text=names.as_text(body["issuer"]),
        country=names.country_of(body["issuer"]),
        authority_key_id=_authority_key_id(extensions.get("2.5.29.35")),
        number=_number(extensions.get("2.5.29.20")),
        this_update=utc_of(body["this_update"]),
        next_update=None if isinstance(next_update, core.Void) else utc_of(next_update),
        revoked=_revoked(body["revoked_certificates"]),
        signed=body.dump(),
        signature=whole_octets(read["signature"]),
        algorithm=signature_algorithm(
            identifier["algorithm"].dotted,
            None if isinstance(parameters, (core.Void, core.Null)) else parameters,
        ),
    )


_PARTIAL: Final = frozenset({"2.5.29.27", "2.5.29.28"})
"""Delta CRL indicator and issuing distribution point: what such a list leaves out is not unrevoked."""


def _extensions(body: Any) -> dict[str, bytes]:
    extensions = body["crl_extensions"]
    if isinstance(extensions, core.Void):
        return {}
    return {each["extn_id"].dotted: check_runs(bytes(each["extn_value"])) for each in extensions}


def _authority_key_id(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    identifier = x509.AuthorityKeyIdentifier.load(value)["key_identifier"]
    return None if isinstance(identifier, core.Void) else bytes(identifier)


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(core.Integer.load(value).native)


def _revoked(entries: Any) -> Mapping[int, datetime]:
    """Serial number and time of each entry, read without asn1crypto's objects, which would take ten times as long."""
    found: dict[int, datetime] = {}
    contents = b"" if isinstance(entries, core.Void) else bytes(entries.contents)
    at = 0
    while at < len(contents):
        if len(found) >= MAX_REVOKED:
            raise RevocationListError(f"revocation list: got more than {MAX_REVOKED:,} entries")
        _, _, _, header, entry, trailer = parser.parse(contents[at : at + _ENTRY_BYTES])
        _, _, _, serial_header, serial, _ = parser.parse(entry)
        when = utc_of(x509.Time.load(entry[len(serial_header) + len(serial) :]))
        found[int.from_bytes(serial, "big", signed=True)] = when
        at += len(header) + len(entry) + len(trailer)
    return found


_ENTRY_BYTES: Final = 4096
"""Of one entry at most: a serial number, a time and a reason."""
