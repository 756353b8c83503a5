"""Mutual TLS: everybody who speaks to a service shows a certificate, and every service shows its own.

Names are SPIFFE-style URIs in the subject alternative name: `spiffe://TRUST-DOMAIN/gateway`,
`…/kiosk/CROSSING/ID`, `…/console` for machines that people sit at. A service's certificate also carries the DNS name
`SERVICE.TRUST-DOMAIN`, which clients insist on, so that no service can pass for another.

In development the authority and the certificates are made here on first use. In production they come from
the agency's own authority, in files of the same names.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.issuing import Authority, issue, new_authority
from borderpost.runtime.settings import SERVICES, Settings

DEV_CA_LIFE: Final = timedelta(days=365)
DEV_CERTIFICATE_LIFE: Final = timedelta(days=1)
RENEW_BEFORE: Final = timedelta(hours=8)
"""A development certificate with less time left is made anew: a third of its life."""

DEV_IDENTITIES: Final = (
    *SERVICES,
    "kiosk/north/1",
    "kiosk/south/1",
    "console",
)
"""The identities that a development installation gets."""


class CertificateError(BorderpostError):
    """A certificate that is needed is missing or can't be used."""

    reason = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM bytes of one identity: its key, its certificate, and the authority it trusts."""

    key: bytes
    certificate: bytes
    ca: bytes


def load_credentials(settings: Settings, identity: str) -> Credentials:
    """Read the credentials of `identity` ("gateway", "kiosk/north/1"). Raises CertificateError.

    In development what is missing is made, but an authority only by a service: a client that made one would
    be a stranger to the services that run elsewhere.
    """
    folder, name = settings.certificates, file_name(identity)
    if settings.mode == "development" and (identity in SERVICES or (folder / "ca.pem").exists()):
        ensure_development_certificates(settings)
    try:
        credentials = Credentials(
            key=(folder / f"{name}.key").read_bytes(),
            certificate=(folder / f"{name}.pem").read_bytes(),
            ca=(folder / "ca.pem").read_bytes(),
        )
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}: {_advice(settings, identity)}") from None
    _check(credentials, folder / f"{name}.pem")
    return credentials


def newest_change(settings: Settings, identity: str) -> int:
    """Return when the files of an identity, or the authorities, were changed last: nanoseconds since 1970; 0 for
    none."""
    folder, name = settings.certificates, file_name(identity)
    changes = [0]
    for file in (f"{name}.key", f"{name}.pem", "ca.pem"):
        with suppress(OSError):
            changes.append((folder / file).stat().st_mtime_ns)
    return max(changes)


def server_credentials(settings: Settings, identity: str, clients: bool = True) -> grpc.ServerCredentials:
    """Return what a server shows and asks for; renewed certificates are taken for new connections without a restart.

    `clients`: whether clients have to show a certificate of a trusted authority. Raises CertificateError.
    """
    first = newest_change(settings, identity)
    seen = [first]

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        changed_at = newest_change(settings, identity)
        if changed_at == seen[0]:
            return None
        try:
            found = _configuration(settings, identity)
        except CertificateError:  # half written: the next connection finds it whole
            return None
        seen[0] = changed_at
        return found

    first_shown = _configuration(settings, identity)
    return grpc.dynamic_ssl_server_credentials(first_shown, renewed, clients)  # type: ignore[arg-type]


def _configuration(settings: Settings, identity: str) -> grpc.ServerCertificateConfiguration:
    own = load_credentials(settings, identity)
    return grpc.ssl_server_certificate_configuration([(own.key, own.certificate)], own.ca)


def write_identity(
    folder: Path,
    identity: str,
    key: ec.EllipticCurvePrivateKey,
    certificate: bytes,
    authorities: bytes,
) -> None:
    """Write the files of an identity (PEM): the certificate last, so that who reads it finds its key. Raises
    OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{file_name(identity)}.pem"
    write_file(folder / "ca.pem", authorities)
    _write_key(file.with_suffix(".key"), key)
    write_file(file, certificate)


def load_authorities(settings: Settings) -> list[x509.Certificate]:
    """Read the certificates of the authorities that are trusted now. Raises CertificateError."""
    path = settings.certificates / "ca.pem"
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise CertificateError(
            f"{path}: {error.strerror}: want the certificates of the authorities"
        ) from None
    except ValueError:
        raise CertificateError(f"{path}: can't be read: want certificates as PEM") from None


def _advice(settings: Settings, identity: str) -> str:
    if settings.mode == "production":
        return f"want the certificate of {identity}, from the agency's own authority: production makes none"
    if not (settings.certificates / "ca.pem").exists():
        return (
            "want development certificates: `borderpost up` makes them, for those with the same state folder"
        )
    return f"want a certificate of {identity}; development has: {', '.join(DEV_IDENTITIES)}"


def file_name(identity: str) -> str:
    """Return the name of an identity's files: its parts joined by hyphens."""
    return identity.replace("/", "-")


def dns_name(settings: Settings, service: str) -> str:
    """Return the DNS name that the certificate of a service carries."""
    return f"{service}.{settings.trust_domain}"


def ensure_development_certificates(settings: Settings, life: timedelta = DEV_CERTIFICATE_LIFE) -> None:
    """Make the development authority and every development certificate that is missing or runs out.

    Raises CertificateError if the folder can't be written, or holds something else under these names.
    """
    folder = settings.certificates
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(folder / ".lock"):
            _make_missing(settings, folder, life)
    except OSError as error:
        raise CertificateError(
            f"{error.filename}: {error.strerror}: want a folder for development certificates that this user can "
            "write: set BORDERPOST_STATE_DIR or BORDERPOST_TLS_DIR"
        ) from None
    except ValueError:
        raise CertificateError(
            f"{folder}: got a file that is no certificate or key, want those of development, or none: move the "
            "folder away, and they are made anew"
        ) from None


def _make_missing(settings: Settings, folder: Path, life: timedelta) -> None:
    ca_key, ca = _development_ca(folder)
    for identity in DEV_IDENTITIES:
        path = folder / f"{file_name(identity)}.pem"
        if not _valid(path, ca, _uri(settings, identity)):
            key = ec.generate_private_key(ec.SECP256R1())
            _write_key(path.with_suffix(".key"), key)
            certificate = issue(
                Authority(ca, ca_key),
                _uri(settings, identity),
                key.public_key(),
                life,
                datetime.now(UTC),
                [dns_name(settings, identity)] if identity in SERVICES else (),
            )
            write_file(path, certificate.public_bytes(serialization.Encoding.PEM))


def _uri(settings: Settings, identity: str) -> str:
    return f"spiffe://{settings.trust_domain}/{identity}"


def _development_ca(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_path, path = folder / "ca.key", folder / "ca.pem"
    if path.exists() and key_path.exists():
        ca = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if _time_left(ca) > RENEW_BEFORE and isinstance(key, ec.EllipticCurvePrivateKey):
            return key, ca
    key = ec.generate_private_key(ec.SECP256R1())
    ca = new_authority("Borderpost development CA", key, DEV_CA_LIFE, datetime.now(UTC)).certificate
    _write_key(key_path, key)
    write_file(path, ca.public_bytes(serialization.Encoding.PEM))
    return key, ca


def _check(credentials: Credentials, path: Path) -> None:
    # gRPC itself says of all these only that it can't listen or connect.
    try:
        certificate = x509.load_pem_x509_certificate(credentials.certificate)
        key = serialization.load_pem_private_key(credentials.key, password=None)
        x509.load_pem_x509_certificates(credentials.ca)
    except (ValueError, TypeError):
        raise CertificateError(
            f"{path}: it, its key or ca.pem can't be read: want PEM files, the key without a password"
        ) from None
    if certificate.public_key() != key.public_key():
        raise CertificateError(f"{path}: got a certificate for another key than the one beside it")
    if _time_left(certificate) <= timedelta(0):
        raise CertificateError(f"{path}: the certificate has run out: want a new one from the authority")


def _valid(path: Path, ca: x509.Certificate, uri: str) -> bool:
    if not path.exists() or not path.with_suffix(".key").exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if uri not in names.get_values_for_type(x509.UniformResourceIdentifier):  # made for another trust domain
        return False
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # whatever it fails by: it isn't this authority's
        return False
    return certificate.public_key() == key.public_key() and _time_left(certificate) > RENEW_BEFORE


def _time_left(certificate: x509.Certificate) -> timedelta:
    return certificate.not_valid_after_utc - datetime.now(UTC)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_file(path, pem)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all, over one that is there. Raises OSError."""
    # Written beside and renamed: a reader sees the old file or the new one, and the key is never world-readable.
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    part.rename(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
