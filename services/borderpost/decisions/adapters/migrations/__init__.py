"""Migrations of the log's tables, run by Alembic (`borderpost.decisions.adapters.schema`).

A revision holds statements in SQLite's words; PostgreSQL's differ in few. There is no way back: what a newer version
wrote, an older one can't know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alembic import op

_WORDS: Final = (("INTEGER", "BIGINT"), ("BLOB", "BYTEA"))


def execute(statements: Sequence[str]) -> None:
    """Execute the statements of a revision, in the words of the database that is being upgraded."""
    connection = op.get_bind()
    for statement in statements:
        text = statement
        if connection.dialect.name == "postgresql":
            for sqlite, postgres in _WORDS:
                text = text.replace(sqlite, postgres)
        connection.exec_driver_sql(text)
