"""The registry in a SQLite file. One authority uses it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from borderpost.authority.domain import Invitation, Issued, Machine, State
from borderpost.runtime.outbox import OUTBOX_SCHEMA, enqueue
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import Event

MIGRATIONS: Final = (
    f"""
    CREATE TABLE invitations (
        kiosk TEXT PRIMARY KEY, secret_sha256 BLOB NOT NULL, expires_at INTEGER NOT NULL, made_at INTEGER NOT NULL
    );
    CREATE TABLE issued (
        serial TEXT PRIMARY KEY, machine TEXT NOT NULL, not_after INTEGER NOT NULL, issued_at INTEGER NOT NULL
    );
    CREATE INDEX issued_machine ON issued (machine, issued_at);
    CREATE TABLE revoked (machine TEXT PRIMARY KEY, reason TEXT NOT NULL, since INTEGER NOT NULL);
    CREATE TABLE revoked_serials (serial TEXT PRIMARY KEY, not_after INTEGER NOT NULL, since INTEGER NOT NULL);
    {OUTBOX_SCHEMA};
    """,
)

_MACHINES: Final = """
SELECT n.name, r.since AS revoked, i.serial, i.not_after, i.issued_at, v.made_at
FROM (SELECT kiosk AS name FROM invitations UNION SELECT machine FROM issued UNION SELECT machine FROM revoked) n
LEFT JOIN revoked r ON r.machine = n.name
LEFT JOIN invitations v ON v.kiosk = n.name
LEFT JOIN issued i ON i.machine = n.name
  AND i.issued_at = (SELECT max(issued_at) FROM issued x WHERE x.machine = n.name)
"""


class SqlRegistry:
    """A `Registry`."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. DatabaseUnusableError, DatabaseTooNewError."""
        self.database = Database(path, MIGRATIONS)

    def invite(self, invitation: Invitation, now: datetime, event: Event) -> None:
        """See `Registry`."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO invitations VALUES (?, ?, ?, ?)",
                (invitation.kiosk, invitation.secret_sha256, _us(invitation.expires_at), _us(now)),
            )
            enqueue(connection, event)

    def use_invitation(self, kiosk: str, secret_sha256: bytes, now: datetime) -> bool:
        """See `Registry`."""
        with self.database.transaction() as connection:
            used = connection.execute(
                "DELETE FROM invitations WHERE kiosk = ? AND secret_sha256 = ? AND expires_at >= ?"
                " AND kiosk NOT IN (SELECT machine FROM revoked) RETURNING kiosk",
                (kiosk, secret_sha256, _us(now)),
            ).fetchall()
        return bool(used)

    def issued(self, issued: Issued, now: datetime, event: Event) -> bool:
        """See `Registry`. What has run out is forgotten."""
        with self.database.transaction() as connection:
            if _is_revoked(connection, issued.machine):
                return False
            connection.execute("DELETE FROM issued WHERE not_after < ?", (_us(now - timedelta(days=1)),))
            connection.execute(
                "INSERT INTO issued VALUES (?, ?, ?, ?)",
                (f"{issued.serial:x}", issued.machine, _us(issued.not_after), _us(now)),
            )
            enqueue(connection, event)
        return True

    def revoke(
        self, machine: str, reason: str, extra: Mapping[int, datetime], now: datetime, event: Event
    ) -> bool:
        """See `Registry`."""
        with self.database.transaction() as connection:
            if _is_revoked(connection, machine):
                return False
            connection.execute("INSERT INTO revoked VALUES (?, ?, ?)", (machine, reason, _us(now)))
            connection.execute("DELETE FROM invitations WHERE kiosk = ?", (machine,))
            connection.execute(
                "INSERT OR IGNORE INTO revoked_serials SELECT serial, not_after, ? FROM issued WHERE machine = ?",
                (_us(now), machine),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO revoked_serials VALUES (?, ?, ?)",
                [(f"{serial:x}", _us(end), _us(now)) for serial, end in extra.items()],
            )
            enqueue(connection, event)
        return True

    def is_revoked(self, machine: str) -> bool:
        """See `Registry`."""
        with self.database.read() as connection:
            return _is_revoked(connection, machine)

    def machines(self, limit: int) -> list[Machine]:
        """See `Registry`."""
        with self.database.read() as connection:
            rows = connection.execute(f"{_MACHINES} ORDER BY n.name LIMIT ?", (limit,)).fetchall()
        return [_machine(row) for row in rows]

    def find(self, machine: str) -> Machine | None:
        """See `Registry`."""
        with self.database.read() as connection:
            row = connection.execute(f"{_MACHINES} WHERE n.name = ?", (machine,)).fetchone()
        return None if row is None else _machine(row)

    def revoked_serials(self, now: datetime) -> dict[int, datetime]:
        """See `Registry`."""
        with self.database.read() as connection:
            rows = connection.execute(
                "SELECT serial, since FROM revoked_serials WHERE not_after >= ?", (_us(now),)
            ).fetchall()
        return {int(row["serial"], 16): _time(row["since"]) for row in rows}

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def _is_revoked(connection: Any, machine: str) -> bool:
    row = connection.execute("SELECT 1 FROM revoked WHERE machine = ?", (machine,)).fetchone()
    return row is not None


def _machine(row: Any) -> Machine:
    serial = int(row["serial"], 16) if row["serial"] else 0
    not_after = _time(row["not_after"]) if row["not_after"] else None
    if row["revoked"] is not None:
        return Machine(row["name"], State.REVOKED, _time(row["revoked"]), serial, not_after)
    if serial:
        return Machine(row["name"], State.ENROLLED, _time(row["issued_at"]), serial, not_after)
    return Machine(row["name"], State.INVITED, _time(row["made_at"]))


def _us(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _time(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
