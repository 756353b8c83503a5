"""The log's database, opened with its tables brought up to date by Alembic.

Alembic and SQLAlchemy are used for that alone; the log speaks to its database through `borderpost.runtime.sql`.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.postgres import MIGRATION_LOCK, PostgresDatabase
from borderpost.runtime.sqlite import Database, DatabaseTooNewError, DatabaseUnusableError

NAME: Final = "decisions"

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_PRAGMAS: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
)


def open_sqlite(path: Path) -> Database:
    """Open or create the log in a SQLite file. DatabaseUnusableError, DatabaseTooNewError; what is there stays as it
    is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
        with _sqlite(path) as connection:
            _upgrade(connection, str(path))
    except (OSError, sqlite3.Error, DBAPIError) as error:
        why = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseUnusableError(
            f"{path}: can't be used: {why}: want a file that this user can write, made by Borderpost"
        ) from None
    return Database(path, ())


def open_postgres(conninfo: str) -> PostgresDatabase:
    """Open or create the log in a PostgreSQL database. DatabaseUnusableError, DatabaseTooNewError, UnavailableError."""
    database = PostgresDatabase(
        conninfo, (), NAME
    )  # finds out whether it can be reached, and says so in its words
    try:
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
        )
        with engine.begin() as connection:
            # Of several services that are started at once one does it.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            _upgrade(connection, f"database of {NAME}")
    except DBAPIError as error:
        database.close()
        if error.connection_invalidated:
            raise UnavailableError(f"{NAME}: the database can't be used now: try again") from None
        raise DatabaseUnusableError(f"database of {NAME}: its tables can't be made: {error.orig}") from None
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _sqlite(path: Path) -> Iterator[Connection]:
    """A connection within a transaction that SQLite itself knows of, which Python's driver begins too late for
    tables."""

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            raw.execute(pragma)
        return raw

    with create_engine("sqlite://", creator=connect, poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _stamp_former(connection)
        yield connection
        connection.commit()


def _stamp_former(connection: Connection) -> None:
    """Tell Alembic where a file of the first version is: it counted its revisions itself."""
    (version,) = connection.exec_driver_sql("PRAGMA user_version").one()
    if version == 1:
        MigrationContext.configure(connection).stamp(_scripts(), "0001")
        connection.exec_driver_sql("PRAGMA user_version = 0")


def _upgrade(connection: Connection, where: str) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    present = MigrationContext.configure(connection).get_current_revision()
    if present == _scripts().get_current_head():
        return
    if present is not None and present not in known:
        raise DatabaseTooNewError(
            f"{where}: got schema version {present}, want at most {max(known)}: it was written by a newer Borderpost, "
            "run that one"
        )
    config = _config()
    config.attributes["connection"] = connection
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(config, "head")


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
