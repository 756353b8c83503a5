"""Composition root of the decisions service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import grpc

from borderpost.decisions.adapters.schema import upgrade_postgres, upgrade_sqlite
from borderpost.decisions.adapters.sql_cases import CasesView, SqlCases
from borderpost.decisions.adapters.sql_checkpoints import SqlCheckpoints
from borderpost.decisions.adapters.sql_figures import SqlFigures
from borderpost.decisions.adapters.sql_index import IndexView, SqlIndex
from borderpost.decisions.adapters.sql_log import SqlLog
from borderpost.decisions.adapters.sql_subjects import SqlSubjects
from borderpost.decisions.adapters.sql_tree import SqlTree
from borderpost.decisions.adapters.sql_views import SqlViews
from borderpost.decisions.app import Decisions
from borderpost.decisions.cases.app import Cases
from borderpost.decisions.cases.servicer import CasesServicer
from borderpost.decisions.exporting import Exporting
from borderpost.decisions.figures import Figures
from borderpost.decisions.lookups import Lookups, open_lookups
from borderpost.decisions.recording import Recording
from borderpost.decisions.servicer import DecisionsServicer, UseCases
from borderpost.decisions.subjects.app import Subjects
from borderpost.decisions.subjects.retention import Retention, load_rules
from borderpost.decisions.subjects.servicer import SubjectsServicer
from borderpost.decisions.transparency.app import Transparency
from borderpost.decisions.transparency.servicer import TransparencyServicer
from borderpost.decisions.verify import Trust
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.keys import SqlKeyStore, open_postgres_keys, open_sqlite_keys
from borderpost.runtime.key_encryption import load_wrapper
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.postgres import PostgresDatabase
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings, SettingsError
from borderpost.runtime.sql import SqlDatabase
from borderpost.runtime.sqlite import Database
from borderpost.v1 import cases_pb2_grpc, decisions_pb2_grpc, subjects_pb2_grpc, transparency_pb2_grpc

NAME: Final = "decisions"

VIEWS_SECONDS: Final = 0.2
"""Pause between two looks for events that the views lack. Whoever reads them catches up first."""

RETENTION_SECONDS: Final = 600.0
"""Pause between two applications of the retention rules: an hour's limit is kept to ten minutes."""


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service. It is ready while the log takes appends; a damaged log can still be verified."""
    opened = ExitStack()
    writers = WorkPool(settings.decisions.writers, settings.decisions.queue)
    opened.callback(writers.close)
    house = await asyncio.to_thread(_House, settings, opened)
    servicers = house.servicers(pool, writers)

    def register(server: grpc.aio.Server) -> None:
        decisions_pb2_grpc.add_DecisionsServiceServicer_to_server(servicers.decisions, server)
        cases_pb2_grpc.add_CasesServiceServicer_to_server(servicers.cases, server)
        subjects_pb2_grpc.add_SubjectsServiceServicer_to_server(servicers.subjects, server)
        transparency_pb2_grpc.add_TransparencyServiceServicer_to_server(servicers.transparency, server)

    async def ready() -> bool:
        # Not on the pool: a service with a full queue is busy, and still ready.
        await asyncio.to_thread(house.decisions.check_writable)
        return True
