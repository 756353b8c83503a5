"""What a database's errors mean for the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from borderpost.decisions.errors import LogDamagedError
from borderpost.runtime.sql import explained


@contextmanager
def log_explained() -> Iterator[None]:
    """Turn a database that can't be used now into UnavailableError, and a damaged file into LogDamagedError."""
    try:
        with explained("decision log"):
            yield
    except (sqlite3.OperationalError, sqlite3.ProgrammingError):  # wrong statements, no damage
        raise
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", None)
        raise LogDamagedError(
            "decision log: the database file is damaged: look into it, or restore it", sqlite=str(name)
        ) from error


def damaged(index: int) -> LogDamagedError:
    """The error of a log that can't be appended to."""
    return LogDamagedError(
        f"decision log: it is not what was written, at event {index} or before: nothing is appended; verify it",
        index=str(index),
    )
