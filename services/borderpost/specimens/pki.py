"""The public key infrastructure of Utopia: country signing authorities, document signers, and what it publishes.

After the profiles of ICAO Doc 9303-12, 7: a CSCA with its predecessor and the link between them, document signers,
revocation lists, a master list, and the LDIF of the ICAO PKD. Every name says SPECIMEN; the keys are made anew in
each run, so nothing here can sign anything that a border would believe.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from asn1crypto import core, crl, x509

from borderpost.specimens.cms import Signer, signed_data
from borderpost.specimens.der import integer, printable, sequence, set_of
from borderpost.specimens.signing import ALGORITHMS, SigningKey, signing_key

COUNTRY: Final = "UT"
"""Utopia in certificates, which carry two letters; no country has these (ISO 3166-1)."""

STATE: Final = "UTO"
"""Utopia in machine readable zones (ICAO Doc 9303-3, 5)."""

FOREIGN_COUNTRY: Final = "ZZ"
"""A neighbour of Utopia: two letters that ISO 3166-1 leaves to its users."""

FOREIGN_STATE: Final = "ZZZ"

ORGANISATION: Final = "Utopia SPECIMEN"
CSCA_NAME: Final = "CSCA SPECIMEN"
SIGNER_NAME: Final = "Document Signer SPECIMEN"
NAME_NUMBER_BYTES: Final = 4
LIST_SIGNER_NAME: Final = "Master List Signer SPECIMEN"

DOCUMENT_TYPE_LIST: Final = "2.23.136.1.1.6.2"
"""id-icao-mrtd-security-extensions-documentTypeList (ICAO Doc 9303-12, 7.1.1.6)."""

MASTER_LIST: Final = "2.23.136.1.1.2"
"""id-icao-cscaMasterList (ICAO Doc 9303-12, 9.2)."""

MASTER_LIST_SIGNING: Final = "2.23.136.1.1.3"
"""id-icao-cscaMasterListSigningKey, the extended key usage of a master list's signer (ICAO Doc 9303-12, 7.1.1.3)."""

DOCUMENT_TYPES: Final = ("P", "I", "V")
"""What Utopia's signers sign: all passports, cards and visas. One letter means every type that begins with it."""

DAY: Final = timedelta(days=1)
YEAR: Final = timedelta(days=365)

CSCA_USAGE: Final = 3 * YEAR
"""How long a CSCA's key signs: 3 to 5 years (ICAO Doc 9303-12, 4.1.4)."""

SIGNER_USAGE: Final = 90 * DAY
"""How long a document signer's key signs: at most three months (ICAO Doc 9303-12, 4.1.1)."""

DOCUMENT_VALIDITY: Final = 10 * YEAR
"""How long a passport is valid; its signer's certificate outlives it."""

CSCA_AGE: Final = YEAR
"""How long Utopia's CSCA is in use when a document is signed."""

SIGNER_AGE: Final = 10 * DAY
"""How long a document signer is in use by then."""

CRL_VALIDITY: Final = 90 * DAY
"""A revocation list is renewed at least so often (ICAO Doc 9303-12, 4.1.5)."""

SIGNER_SERIAL: Final = 0x5001
REVOKED_SERIAL: Final = 0x5002
LIST_SIGNER_SERIAL: Final = 0x5003

UTC_TIME_UNTIL: Final = 2050
"""From this year on a certificate's times are GeneralizedTime (RFC 5280, 4.1.2.5)."""

LDIF_COLUMNS: Final = 76
"""Width of a line (RFC 2849)."""

NAME_PARTS: Final = {
    "serialNumber": "serial_number",
    "CN": "common_name",
    "O": "organization_name",
    "C": "country_name",
}
"""Parts of a name as text, the last of them first (RFC 4514)."""

PKD: Final = "dc=data,dc=download,dc=pkd,dc=icao,dc=int"
"""Where the ICAO PKD keeps what anybody may download."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, both ends included (UTC, whole seconds)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is for: name, key, serial number, validity, and when the key signs."""

    name: x509.Name
    key: SigningKey
    serial: int
    valid: Period
    usage: Period


@dataclass(frozen=True, slots=True)
class Pki:
    """What Utopia has, and what it publishes.

    `csca` signs now; `former` did before, and `link` is its certificate for the key of `csca`. `expired` is an older
    CSCA, whose validity ends a day after `at`. All three bear the same name. `foreign` is the CSCA of another country.
    `signer` signs documents; `revoked_signer` too, and `revocation_list` names it. `list_signer` signs `master_list`.
    """

    at: datetime
    csca: Signer
    former: Signer
    link: x509.Certificate
    expired: Signer
    foreign: Signer
    signer: Signer
    revoked_signer: Signer
    list_signer: Signer
    revocation_list: bytes
    foreign_revocation_list: bytes
    master_list: bytes
    ldif: bytes


@functools.lru_cache(maxsize=64)
def utopia(algorithm: str, at: datetime) -> Pki:
    """Found Utopia's PKI in one of ALGORITHMS, as it is at a time (UTC). Raises KeyError for another algorithm."""
    at = at.astimezone(UTC).replace(microsecond=0)
    founded = at - CSCA_AGE
    name, foreign_name = state_name(algorithm, COUNTRY), state_name(algorithm, FOREIGN_COUNTRY)
    csca = authority(algorithm, "csca", name, founded, 3)
    former = authority(algorithm, "former csca", name, founded - CSCA_USAGE + 30 * DAY, 2)
    expired_since = at - CSCA_USAGE - DOCUMENT_VALIDITY
    expired_period = Period(expired_since, at + DAY)
    expired = authority(algorithm, "expired csca", name, expired_since, 1, valid=expired_period)
    foreign = authority(algorithm, "foreign csca", foreign_name, founded, 1)
    signer = document_signer(algorithm, "document signer", csca, at, SIGNER_SERIAL)
    revoked = document_signer(algorithm, "revoked signer", csca, at, REVOKED_SERIAL)
    revocations = revocation_list(csca, at, (REVOKED_SERIAL,))
    foreign_revocations = revocation_list(foreign, at, ())
    link = link_certificate(former, csca)
    listed = (csca.certificate, former.certificate, link, expired.certificate, foreign.certificate)
    list_signer = master_list_signer(algorithm, csca, at)
    masters = master_list(listed, csca, list_signer, at)
    return Pki(
        at=at,
        csca=csca,
        former=former,
        link=link,
        expired=expired,
        foreign=foreign,
        signer=signer,
        revoked_signer=revoked,
        list_signer=list_signer,
        revocation_list=revocations,
        foreign_revocation_list=foreign_revocations,
        master_list=masters,
        ldif=ldif((masters,), (signer, revoked), (revocations, foreign_revocations)),
    )


def state_name(algorithm: str, country: str) -> x509.Name:
    """Name the CSCAs of a state: with a number of this run, so that a trust store can hold the CSCAs of many."""
    number = signing_key(ALGORITHMS[algorithm], "csca").key_id()[:NAME_NUMBER_BYTES].hex().upper()
    return distinguished_name(CSCA_NAME, country, number)


def authority(
    algorithm: str,
    role: str,
    name: x509.Name,
    since: datetime,
    serial: int,
    *,
    valid: Period | None = None,
) -> Signer:
    """Make a CSCA: a key and its self-signed certificate (ICAO Doc 9303-12, 7.1)."""
    key = signing_key(ALGORITHMS[algorithm], role)
    usage = Period(since, since + CSCA_USAGE)
    until = since + CSCA_USAGE + SIGNER_USAGE + DOCUMENT_VALIDITY
    subject = Subject(name, key, serial, valid or Period(since, until), usage)
    return Signer(key, certificate(subject, subject.name, key, _csca_extensions()))


def link_certificate(former: Signer, csca: Signer) -> x509.Certificate:
    """Let the former CSCA vouch for the key of its successor (ICAO Doc 9303-12, 7.1: CSCA link certificate)."""
    of = csca.certificate
    start = of.not_valid_before
    subject = Subject(
        of.subject,
        csca.key,
        of.serial_number + 0x100,
        Period(start, former.certificate.not_valid_after),
        Period(start, start + CSCA_USAGE),
    )
    return certificate(subject, former.certificate.subject, former.key, _csca_extensions())


def document_signer(
    algorithm: str,
    role: str,
    csca: Signer,
    at: datetime,
    serial: int,
    *,
    valid: Period | None = None,
    issuer_key: SigningKey | None = None,
) -> Signer:
    """Make a document signer that a CSCA certifies (ICAO Doc 9303-12, 7.1).

    With `issuer_key` that key signs instead of the CSCA's, while everything that the certificate says points to the
    CSCA: a forger's certificate.
    """
    key = signing_key(ALGORITHMS[algorithm], role)
    start = at - SIGNER_AGE
    until = start + SIGNER_USAGE + DOCUMENT_VALIDITY
    country = csca.certificate.subject.native["country_name"]
    subject = Subject(
        distinguished_name(SIGNER_NAME, country),
        key,
        serial,
        valid or Period(start, until),
        Period(start, start + SIGNER_USAGE),
    )
    return Signer(key, _issued(subject, csca, _signer_extensions(), issuer_key))


def master_list_signer(algorithm: str, csca: Signer, at: datetime) -> Signer:
    """Make the signer of Utopia's master list (ICAO Doc 9303-12, 7.1)."""
    key = signing_key(ALGORITHMS[algorithm], "master list signer")
    period = Period(at - SIGNER_AGE, at + CSCA_USAGE)
    name = distinguished_name(LIST_SIGNER_NAME, COUNTRY)
    extended = x509.ExtKeyUsageSyntax([MASTER_LIST_SIGNING])
    extensions = (
        _extension("key_usage", x509.KeyUsage({"digital_signature"}), critical=True),
        _extension("extended_key_usage", extended, critical=True),
    )
    subject = Subject(name, key, LIST_SIGNER_SERIAL, period, period)
    return Signer(key, _issued(subject, csca, extensions, None))


def _issued(
    subject: Subject,
    csca: Signer,
    extensions: tuple[x509.Extension, ...],
    issuer_key: SigningKey | None,
) -> x509.Certificate:
    authority_id = csca.certificate.key_identifier
    return certificate(
        subject,
        csca.certificate.subject,
        issuer_key or csca.key,
        extensions,
        authority_key_id=authority_id,
    )


def distinguished_name(common_name: str, country: str, number: str = "") -> x509.Name:
    """Name a part of a specimen PKI, with a number if need be (ICAO Doc 9303-12, 7.1.1.1)."""
    name = {"country_name": country, "organization_name": ORGANISATION, "common_name": common_name}
    if number:
        name["serial_number"] = number
    return x509.Name.load(x509.Name.build(name).dump())


def certificate(
    subject: Subject,
    issuer: x509.Name,
    issuer_key: SigningKey,
    extensions: Sequence[x509.Extension],
    *,
    authority_key_id: bytes | None = None,
) -> x509.Certificate:
    """Make an X.509 certificate (RFC 5280, 4.1): `extensions` and those that every one of ICAO's profiles has."""
    algorithm = issuer_key.signature_algorithm()
    to_be_signed = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": subject.serial,
            "signature": algorithm,
            "issuer": issuer,
            "validity": {"not_before": _time(subject.valid.start), "not_after": _time(subject.valid.end)},
            "subject": subject.name,
            "subject_public_key_info": subject.key.public_info(),
            "extensions": [
                *_common_extensions(subject, issuer, authority_key_id or issuer_key.key_id()),
                *extensions,
            ],
        }
    )
    signature = issuer_key.sign(to_be_signed.dump())
    made = x509.Certificate(
        {"tbs_certificate": to_be_signed, "signature_algorithm": algorithm, "signature_value": signature}
    )
    return x509.Certificate.load(made.dump())  # what was parsed is written again much faster


def _time(moment: datetime) -> x509.Time:
    if moment.year < UTC_TIME_UNTIL:
        return x509.Time("utc_time", core.UTCTime(moment))
    return x509.Time("general_time", core.GeneralizedTime(moment))


def _extension(name: str, value: object, *, critical: bool = False) -> x509.Extension:
    return x509.Extension({"extn_id": name, "critical": critical, "extn_value": value})


def _common_extensions(
    subject: Subject, issuer: x509.Name, authority_key_id: bytes
) -> Iterator[x509.Extension]:
    """Key identifiers, usage period, the state's code as a place, and where the revocation list is (9303-12, 7.1)."""
    yield _extension(
        "authority_key_identifier", x509.AuthorityKeyIdentifier({"key_identifier": authority_key_id})
    )
    yield _extension("key_identifier", core.OctetString(subject.key.key_id()))
    usage = {"not_before": subject.usage.start, "not_after": subject.usage.end}
    yield _extension("private_key_usage_period", x509.PrivateKeyUsagePeriod(usage))
    yield _extension("issuer_alt_name", _place(issuer))
    yield _extension("subject_alt_name", _place(subject.name))
    address = f"http://crl.specimen.invalid/{_state(issuer)}.crl"
    point = x509.DistributionPointName(
        "full_name", [x509.GeneralName("uniform_resource_identifier", address)]
    )
    yield _extension("crl_distribution_points", x509.CRLDistributionPoints([{"distribution_point": point}]))


def _place(name: x509.Name) -> x509.GeneralNames:
    place = x509.Name.build({"locality_name": _state(name)})
    return x509.GeneralNames([x509.GeneralName("directory_name", place)])


def _state(name: x509.Name) -> str:
    return STATE if name.native["country_name"] == COUNTRY else FOREIGN_STATE


def _csca_extensions() -> tuple[x509.Extension, ...]:
    constraints = x509.BasicConstraints({"ca": True, "path_len_constraint": 0})
    return (
        _extension("basic_constraints", constraints, critical=True),
        _extension("key_usage", x509.KeyUsage({"key_cert_sign", "crl_sign"}), critical=True),
    )


def _signer_extensions() -> tuple[x509.Extension, ...]:
    types = sequence(integer(0), set_of(*(printable(each) for each in DOCUMENT_TYPES)))
    return (
        _extension("key_usage", x509.KeyUsage({"digital_signature"}), critical=True),
        _extension(DOCUMENT_TYPE_LIST, core.ParsableOctetString(types)),
    )


def revocation_list(csca: Signer, at: datetime, serials: Sequence[int]) -> bytes:
    """Make the CSCA's revocation list (ICAO Doc 9303-12, 7.1.4) of these serial numbers, revoked at that time."""
    algorithm = csca.key.signature_algorithm()
    revoked = [{"user_certificate": serial, "revocation_date": _time(at)} for serial in serials]
    fields: dict[str, object] = {
        "version": "v2",
        "signature": algorithm,
        "issuer": csca.certificate.subject,
        "this_update": _time(at),
        "next_update": _time(at + CRL_VALIDITY),
        "crl_extensions": [
            {
                "extn_id": "authority_key_identifier",
                "extn_value": x509.AuthorityKeyIdentifier({"key_identifier": csca.key.key_id()}),
            },
            {"extn_id": "crl_number", "extn_value": core.Integer(int(at.timestamp()))},
        ],
    }
    if revoked:  # an empty list is left out (RFC 5280, 5.1.2.6)
        fields["revoked_certificates"] = revoked
    to_be_signed = crl.TbsCertList(fields)
    der: bytes = crl.CertificateList(
        {
            "tbs_cert_list": to_be_signed,
            "signature_algorithm": algorithm,
            "signature": csca.key.sign(to_be_signed.dump()),
        }
    ).dump()
    return der


def master_list(
    certificates: Sequence[x509.Certificate], csca: Signer, signer: Signer, at: datetime
) -> bytes:
    """Sign a list of CSCA certificates (ICAO Doc 9303-12, 9); `csca` issued the signer, and goes along."""
    content = sequence(integer(0), set_of(*(each.dump() for each in certificates)))
    along = (signer.certificate, csca.certificate)
    return signed_data(MASTER_LIST, content, signer, at, certificates=along, by_key_id=True)


def ldif(
    master_lists: Sequence[bytes], signers: Sequence[Signer], revocation_lists: Sequence[bytes]
) -> bytes:
    """Write what the ICAO PKD offers for download: master lists, document signers and revocation lists (RFC 2849)."""
    entries = ["version: 1"]
    for each in master_lists:
        subject = distinguished_name(LIST_SIGNER_NAME, COUNTRY)
        entries.append(_entry(subject, "", "ml", "pkdMasterList", "pkdMasterListContent", each))
    for signer in signers:
        held = signer.certificate
        serial = f"{held.serial_number:X}"
        entries.append(
            _entry(held.issuer, serial, "dsc", "inetOrgPerson", "userCertificate;binary", signer.der)
        )
    for each in revocation_lists:
        issuer = crl.CertificateList.load(each).issuer
        kind, attribute = "cRLDistributionPoint", "certificateRevocationList;binary"
        entries.append(_entry(issuer, "", "crl", kind, attribute, each))
    return ("\n\n".join(entries) + "\n").encode("ascii")


def _entry(
    subject: x509.Name, serial: str, kind: str, object_class: str, attribute: str, value: bytes
) -> str:
    """Write one entry. Commas and equal signs of a name within a name are escaped (RFC 4514, 2.4)."""
    parts = subject.native
    name = ",".join(f"{short}={parts[part]}" for short, part in NAME_PARTS.items() if part in parts)
    escaped = name.replace("=", "\\=").replace(",", "\\,")
    country = parts["country_name"]
    lines = [
        f"dn: cn={escaped}{f'+sn={serial}' if serial else ''},o={kind},c={country},{PKD}",
        f"cn: {name}",
        *((f"sn: {serial}",) if serial else ()),
        "objectClass: top",
        f"objectClass: {object_class}",
        "objectClass: pkdDownload",
        f"{attribute}:: {base64.b64encode(value).decode('ascii')}",
    ]
    return "\n".join(folded for line in lines for folded in _folded(line))


def _folded(line: str) -> Iterator[str]:
    """Break a line; what goes on begins with a space (RFC 2849, note 2)."""
    yield line[:LDIF_COLUMNS]
    step = LDIF_COLUMNS - 1
    yield from (f" {line[start : start + step]}" for start in range(LDIF_COLUMNS, len(line), step))
