"""A trust store over a database file, a clock that stands still, and Utopia's PKI to fill it with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import x509

from borderpost.documents.adapters.sqlite_trust import MIGRATIONS, SqliteTrustStore
from borderpost.documents.trust.app import TrustStore
from borderpost.documents.trust.domain import Report
from borderpost.runtime.calls import Actor
from borderpost.runtime.sqlite import Database
from borderpost.specimens import pki
from borderpost.specimens.cms import Signer, signed_data
from borderpost.specimens.der import integer, sequence, set_of
from borderpost.specimens.signing import ALGORITHMS, DEFAULT_ALGORITHM, SigningKey, signing_key
from borderpost.v1.decisions_pb2 import Event

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ADMINISTRATOR = Actor("borderpost.test", "anna")


def utopia() -> pki.Pki:
    """Utopia's PKI at NOW, made once."""
    return pki.utopia(DEFAULT_ALGORITHM, NOW)


def sha256(der: bytes) -> bytes:
    return hashlib.sha256(der).digest()


def authority(
    role: str, country: str = pki.FOREIGN_COUNTRY, name: str = "CSCA", *, named_as: Signer | None = None
) -> Signer:
    """Another CSCA, with a key of its own for each role; its name may be the one that another has."""
    subject = named_as.certificate.subject if named_as else pki.distinguished_name(name, country)
    return pki.authority(DEFAULT_ALGORITHM, role, subject, NOW - 365 * DAY, 1)


def list_signer(csca: Signer) -> Signer:
    """Someone of its country whom a CSCA lets sign master lists."""
    key = signing_key(ALGORITHMS[DEFAULT_ALGORITHM], "list signer of a test")
    country = csca.certificate.subject.native["country_name"]
    period = pki.Period(NOW - 10 * DAY, NOW + 100 * DAY)
    name = pki.distinguished_name("Master List Signer", country)
    purposes = x509.ExtKeyUsageSyntax([pki.MASTER_LIST_SIGNING])
    extension = x509.Extension({"extn_id": "extended_key_usage", "critical": True, "extn_value": purposes})
    return Signer(key, issued(pki.Subject(name, key, 0x77, period, period), csca, (extension,)))


def authority_of(csca: Signer, name: x509.Name, key: SigningKey) -> x509.Certificate:
    """A certificate by which a CSCA vouches for another authority, whoever that is."""
    period = pki.Period(NOW - DAY, NOW + DAY)
    constraints = x509.BasicConstraints({"ca": True, "path_len_constraint": 0})
    extension = x509.Extension({"extn_id": "basic_constraints", "critical": True, "extn_value": constraints})
    return issued(pki.Subject(name, key, 0x78, period, period), csca, (extension,))


def issued(subject: pki.Subject, csca: Signer, extensions: tuple[x509.Extension, ...]) -> x509.Certificate:
    """A certificate by a CSCA."""
    return pki.certificate(
        subject, csca.certificate.subject, csca.key, extensions, authority_key_id=csca.key.key_id()
    )


def a_list(
    ders: list[bytes], csca: Signer, signer: Signer | None = None, at: datetime = NOW, version: int = 0
) -> bytes:
    """A master list of whatever bytes, signed by someone whom `csca` has issued."""
    content = sequence(integer(version), set_of(*ders))
    who = signer or list_signer(csca)
    along = (who.certificate, csca.certificate)
    return signed_data(pki.MASTER_LIST, content, who, at, certificates=along, by_key_id=True)


def in_ldif(*values: tuple[str, bytes]) -> bytes:
    """LDIF with a record for each value."""
    records = [
        f"dn: cn={i},dc=int\n{key}:: {base64.b64encode(value).decode()}\n"
        for i, (key, value) in enumerate(values)
    ]
    return ("version: 1\n\n" + "\n".join(records)).encode()


def altered(certificate: x509.Certificate) -> bytes:
    """A certificate whose last byte, of its signature, is another one."""
    der = bytes(certificate.dump())
    return der[:-1] + bytes([der[-1] ^ 1])


class StillClock:
    """Tells NOW until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


class House:
    """The trust store without its wire, over a database file."""

    def __init__(self, folder: Path, *, accept_specimens: bool = True) -> None:
        self.clock = StillClock()
        self.database = Database(folder / "documents.sqlite", MIGRATIONS)
        self.store = SqliteTrustStore(self.database)
        self.app = TrustStore(self.store, self.clock, accept_specimens=accept_specimens)

    def take(self, file: bytes, source: str = "", *, issuer: bytes = b"", dry_run: bool = False) -> Report:
        """Import a file."""
        return self.app.import_file(
            file, source, ADMINISTRATOR, "a test", issuer_sha256=issuer, dry_run=dry_run
        )

    def events(self) -> list[Event]:
        """What waits for the log."""
        with self.database.read() as connection:
            rows = connection.execute("SELECT event FROM outbox ORDER BY sequence").fetchall()
        return [Event.FromString(row["event"]) for row in rows]


@contextmanager
def a_house(folder: Path, *, accept_specimens: bool = True) -> Iterator[House]:
    house = House(folder, accept_specimens=accept_specimens)
    try:
        yield house
    finally:
        house.database.close()
