"""Trusted certificates and revocation lists in SQLite, with the outbox of their event."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from borderpost.documents.pki.certificates import Certificate, parse_certificate
from borderpost.documents.pki.crl import RevocationList
from borderpost.documents.trust.domain import (
    Admitted,
    Findings,
    Origin,
    Page,
    Shown,
    Totals,
    TrustedCertificate,
    TrustedRevocationList,
    Wanted,
)
from borderpost.documents.trust.view import Stored, StoredCertificate, StoredRevocationList
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.outbox import OUTBOX_SCHEMA, enqueue
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import Event, TrustStoreChanged
from borderpost.v1.types_pb2 import Actor as ActorMessage

EVENT_SCHEMA: Final = 1
"""`Event.schema_version` of the events made here."""

NAMES_SCHEME: Final = 1
"""How names are normalised (pki/names.py). To be raised when that changes: what is stored of them is then made anew."""

MAX_SOURCES: Final = 20
"""Sources that are kept of one certificate: the first ones."""

MAX_RELATED: Final = 20
"""Certificates that are shown beside one."""

MIGRATIONS: Final = (
    OUTBOX_SCHEMA,
    """
    CREATE TABLE trust_changes (
        version INTEGER PRIMARY KEY, changed_at INTEGER NOT NULL,
        actor_issuer TEXT NOT NULL, actor_subject TEXT NOT NULL, purpose TEXT NOT NULL,
        source TEXT NOT NULL, file_sha256 BLOB NOT NULL, file_kind TEXT NOT NULL,
        certificates_added INTEGER NOT NULL, revocation_lists_added INTEGER NOT NULL, refused INTEGER NOT NULL
    );
    CREATE TABLE trusted_certificates (
        sha256 BLOB PRIMARY KEY, der BLOB NOT NULL, added_version INTEGER NOT NULL REFERENCES trust_changes,
        country TEXT NOT NULL, subject TEXT NOT NULL, issuer TEXT NOT NULL, serial TEXT NOT NULL,
        key TEXT NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, link INTEGER NOT NULL,
        key_id BLOB NOT NULL, authority_key_id BLOB NOT NULL, subject_name BLOB NOT NULL, issuer_name BLOB NOT NULL
    );
    CREATE INDEX trusted_in_order ON trusted_certificates (country, subject, not_before, sha256);
    CREATE INDEX trusted_by_key_id ON trusted_certificates (key_id);
    CREATE TABLE trust_sources (
        sha256 BLOB NOT NULL REFERENCES trusted_certificates, source TEXT NOT NULL, PRIMARY KEY (sha256, source)
    );
    CREATE TABLE revocation_lists (
        issuer_name BLOB NOT NULL, der BLOB NOT NULL,
        added_version INTEGER NOT NULL REFERENCES trust_changes,
        replaced_version INTEGER REFERENCES trust_changes,
        country TEXT NOT NULL, issuer TEXT NOT NULL, this_update INTEGER NOT NULL, next_update INTEGER,
        revoked INTEGER NOT NULL, PRIMARY KEY (issuer_name, added_version)
    );
    CREATE TABLE names_scheme (one INTEGER PRIMARY KEY CHECK (one = 1), scheme INTEGER NOT NULL);
    INSERT INTO names_scheme VALUES (1, 0)
    """,
)
"""Rows are added and never removed; a revocation list that was replaced says by which version. So what was trusted at
any version can still be told. Times are microseconds (UTC). `subject_name`, `issuer_name` are for look-up."""

_ORDER: Final = " ORDER BY country, subject, not_before, sha256"
_BEHIND: Final = (
    " AND (country, subject, not_before, sha256) >"
    " (SELECT country, subject, not_before, sha256 FROM trusted_certificates WHERE sha256 = ?)"
)
_ALL: Final = "SELECT * FROM trusted_certificates"
_INDEX: Final = "SELECT sha256, key_id, subject_name, der FROM trusted_certificates" + _ORDER  # noqa: S608  # constants
_FIND: Final = (
    _ALL
    + " WHERE substr(hex(sha256), 1, length(?1)) = ?1 OR substr(hex(key_id), 1, length(?1)) = ?1"
    + _ORDER
    + " LIMIT ?2"
)
_RELATED: Final = _ALL + " WHERE sha256 != ? AND key_id != x'' AND key_id IN (?, ?)" + _ORDER + " LIMIT ?"
"""Links have the key identifier of the key that they vouch for; who signed one has that of its authority."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class SqliteTrustStore:
    """The store in one SQLite database, opened with `MIGRATIONS`."""

    def __init__(self, database: Database) -> None:
        """Make the stored names anew if this version of Borderpost normalises them otherwise."""
        self._database = database
        with database.read() as connection:
            (scheme,) = connection.execute("SELECT scheme FROM names_scheme").fetchone()
        if scheme != NAMES_SCHEME:
            with database.transaction() as connection:
                _normalise_again(connection)

    def load(self) -> Stored:
        """All that is trusted, to be looked up."""
        with self._database.read() as connection:
            certificates = connection.execute(_INDEX)
            lists = connection.execute(
                "SELECT issuer_name, der FROM revocation_lists WHERE replaced_version IS NULL"
            )
            return Stored(
                _version(connection),
                tuple(StoredCertificate(*row) for row in certificates),
                tuple(StoredRevocationList(*row) for row in lists),
            )

    def totals(self) -> Totals:
        """How much there is."""
        with self._database.read() as connection:
            return _totals(connection, _version(connection))

    def apply(self, findings: Findings, origin: Origin) -> int:
        """Take what was found as one new version, with its event for the log; return the version."""
        with self._database.transaction() as connection:
            version = _version(connection) + 1
            _add_change(connection, version, findings, origin)
            for admitted in findings.certificates:
                _add_certificate(connection, version, admitted)
            for revocations in findings.revocation_lists:
                _add_revocation_list(connection, version, revocations)
            new = (each.certificate.sha256 for each in findings.certificates)
            _add_source(connection, (*new, *findings.duplicates), origin.source)
            enqueue(connection, _event(version, findings, origin))
        return version

    def note_source(self, sha256s: Sequence[bytes], source: str) -> None:
        """Note that certificates came from this source too."""
        if sha256s and source:
            with self._database.transaction() as connection:
                _add_source(connection, sha256s, source)

    def page(self, wanted: Wanted, limit: int) -> Page:
        """List up to `limit` certificates by country, subject, start of validity and SHA-256."""
        query = _ALL + " WHERE added_version <= ?"
        values: list[object] = [wanted.version]
        if wanted.country:
            query, values = query + " AND country = ?", [*values, wanted.country]
        if wanted.valid_at is not None:
            at = _microseconds(wanted.valid_at)
            query, values = query + " AND not_before <= ? AND not_after >= ?", [*values, at, at]
        if wanted.after:
            query, values = query + _BEHIND, [*values, wanted.after]
        with self._database.read() as connection:
            rows = connection.execute(query + _ORDER + " LIMIT ?", [*values, limit + 1]).fetchall()
            return Page(
                tuple(_certificates(connection, rows[:limit])),
                () if wanted.after else tuple(_revocation_lists(connection, wanted.country)),
                _totals(connection, wanted.version),
                more=len(rows) > limit,
            )

    def find(self, digits: str, limit: int) -> Sequence[TrustedCertificate]:
        """Up to `limit` certificates whose SHA-256 or key identifier begins with these hexadecimal digits."""
        with self._database.read() as connection:
            rows = connection.execute(_FIND, (digits.upper(), limit)).fetchall()
            return list(_certificates(connection, rows))

    def show(self, sha256: bytes) -> Shown:
        """One certificate that is there, with those that vouch for it."""
        with self._database.read() as connection:
            row = connection.execute(_ALL + " WHERE sha256 = ?", (sha256,)).fetchone()
            keys = (sha256, row["key_id"], row["authority_key_id"], MAX_RELATED)
            related = connection.execute(_RELATED, keys).fetchall()
            (shown,) = _certificates(connection, [row])
            return Shown(shown, row["der"], tuple(_certificates(connection, related)))


def _add_change(connection: sqlite3.Connection, version: int, findings: Findings, origin: Origin) -> None:
    connection.execute(
        "INSERT INTO trust_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            version,
            _microseconds(origin.time),
            origin.actor.issuer,
            origin.actor.subject,
            origin.purpose,
            origin.source,
            origin.file_sha256,
            findings.kind.value,
            len(findings.certificates),
            len(findings.revocation_lists),
            len(findings.refused),
        ),
    )


def _add_certificate(connection: sqlite3.Connection, version: int, admitted: Admitted) -> None:
    certificate = admitted.certificate
    connection.execute(
        "INSERT INTO trusted_certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            certificate.sha256,
            certificate.der,
            version,
            certificate.country,
            certificate.subject_text,
            certificate.issuer_text,
            f"{certificate.serial:X}",
            str(certificate.key),
            _microseconds(certificate.not_before),
            _microseconds(certificate.not_after),
            admitted.link,
            *_found_by(certificate),
        ),
    )


def _found_by(certificate: Certificate) -> tuple[bytes, bytes, bytes, bytes]:
    key_id, authority = certificate.key_id or b"", certificate.authority_key_id or b""
    return key_id, authority, certificate.subject, certificate.issuer


def _add_revocation_list(connection: sqlite3.Connection, version: int, revocations: RevocationList) -> None:
    connection.execute(
        "UPDATE revocation_lists SET replaced_version = ? WHERE issuer_name = ? AND replaced_version IS NULL",
        (version, revocations.issuer),
    )
    next_update = revocations.next_update
    connection.execute(
        "INSERT INTO revocation_lists VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?)",
        (
            revocations.issuer,
            revocations.der,
            version,
            revocations.country,
            revocations.issuer_text,
            _microseconds(revocations.this_update),
            None if next_update is None else _microseconds(next_update),
            len(revocations.revoked),
        ),
    )


def _add_source(connection: sqlite3.Connection, sha256s: Iterable[bytes], source: str) -> None:
    if source:
        connection.executemany(
            "INSERT OR IGNORE INTO trust_sources SELECT ?1, ?2"
            " WHERE (SELECT count(*) FROM trust_sources WHERE sha256 = ?1) < ?3",
            [(sha256, source, MAX_SOURCES) for sha256 in sha256s],
        )


def _normalise_again(connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT sha256, der FROM trusted_certificates").fetchall()
    for row in rows:
        connection.execute(
            "UPDATE trusted_certificates SET key_id = ?, authority_key_id = ?, subject_name = ?, issuer_name = ?"
            " WHERE sha256 = ?",
            (*_found_by(parse_certificate(row["der"])), row["sha256"]),
        )
    connection.execute("UPDATE names_scheme SET scheme = ?", (NAMES_SCHEME,))


def _event(version: int, findings: Findings, origin: Origin) -> Event:
    """The event as the decision log takes it."""
    return Event(
        schema_version=EVENT_SCHEMA,
        event_id=new_id(),
        time=to_timestamp(origin.time),
        actor=ActorMessage(issuer=origin.actor.issuer, subject=origin.actor.subject),
        purpose=origin.purpose,
        trust_store_changed=TrustStoreChanged(
            version=version,
            file_sha256=origin.file_sha256,
            file_kind=findings.kind.value,
            certificates_added=len(findings.certificates),
            revocation_lists_added=len(findings.revocation_lists),
            refused=len(findings.refused),
        ),
    )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("SELECT ifnull(max(version), 0) FROM trust_changes").fetchone()
    return int(version)


def _totals(connection: sqlite3.Connection, version: int) -> Totals:
    changed = connection.execute(
        "SELECT changed_at FROM trust_changes WHERE version = ?", (version,)
    ).fetchone()
    certificates, countries = connection.execute(
        "SELECT count(*), count(DISTINCT country) FROM trusted_certificates WHERE added_version <= ?",
        (version,),
    ).fetchone()
    return Totals(version, None if changed is None else _time(changed["changed_at"]), certificates, countries)


def _certificates(
    connection: sqlite3.Connection, rows: Sequence[sqlite3.Row]
) -> Iterator[TrustedCertificate]:
    for row in rows:
        sources = connection.execute(
            "SELECT source FROM trust_sources WHERE sha256 = ? ORDER BY rowid", (row["sha256"],)
        )
        (added_at,) = connection.execute(
            "SELECT changed_at FROM trust_changes WHERE version = ?", (row["added_version"],)
        ).fetchone()
        yield TrustedCertificate(
            sha256=row["sha256"],
            country=row["country"],
            subject=row["subject"],
            issuer=row["issuer"],
            serial=row["serial"],
            key_id=row["key_id"],
            key=row["key"],
            not_before=_time(row["not_before"]),
            not_after=_time(row["not_after"]),
            link=bool(row["link"]),
            sources=tuple(each["source"] for each in sources),
            added_at=_time(added_at),
        )


def _revocation_lists(connection: sqlite3.Connection, country: str) -> Iterator[TrustedRevocationList]:
    rows = connection.execute(
        "SELECT * FROM revocation_lists WHERE replaced_version IS NULL AND ?1 IN ('', country)"
        " ORDER BY country, issuer",
        (country,),
    )
    for row in rows:
        yield TrustedRevocationList(
            row["country"],
            row["issuer"],
            _time(row["this_update"]),
            None if row["next_update"] is None else _time(row["next_update"]),
            row["revoked"],
        )


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(stored: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stored)
