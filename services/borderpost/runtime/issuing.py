"""Issuing certificates for machines and lists of revoked ones (RFC 5280), with the key of an authority."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED: Final = timedelta(minutes=5)
"""A certificate holds from a little earlier on: clocks differ."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its certificate, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def new_authority(name: str, key: ec.EllipticCurvePrivateKey, life: timedelta, now: datetime) -> Authority:
    """Make an authority that may sign certificates of machines and revocation lists, and no further authorities."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key.public_key(), life, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority,
    uri: str,
    public_key: ec.EllipticCurvePublicKey,
    life: timedelta,
    now: datetime,
    dns_names: Sequence[str] = (),
) -> x509.Certificate:
    """Issue the certificate of a machine: a client's; with `dns_names` a server's too, also on this host."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if dns_names:
        names += [x509.DNSName(name) for name in (*dns_names, "localhost")]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if dns_names:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, uri.partition("://")[2].partition("/")[2][:64])]
    )
    issuer = authority.certificate.subject
    return (
        _builder(subject, issuer, public_key, life, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
        .sign(authority.key, hashes.SHA256())
    )


def revocation_list(
    authority: Authority, revoked: Mapping[int, datetime], now: datetime, life: timedelta
) -> x509.CertificateRevocationList:
    """Make the list of revoked serial numbers, each with when it was revoked."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now)
        .next_update(now + life)
    )
    for serial, since in sorted(revoked.items()):
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
        builder = builder.add_revoked_certificate(one)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    life: timedelta,
    now: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
    )
