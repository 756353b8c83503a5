"""Composition root of the decisions service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Final

import grpc

from borderpost.decisions.adapters.schema import open_postgres, open_sqlite
from borderpost.decisions.adapters.sql_cases import CasesView, SqlCases
from borderpost.decisions.adapters.sql_checkpoints import SqlCheckpoints
from borderpost.decisions.adapters.sql_figures import SqlFigures
from borderpost.decisions.adapters.sql_index import IndexView, SqlIndex
from borderpost.decisions.adapters.sql_log import SEQUENCER, SqlLog
from borderpost.decisions.adapters.sql_measures import log_reading, overdue_reading
from borderpost.decisions.adapters.sql_recent import SqlRecent
from borderpost.decisions.adapters.sql_subjects import SqlSubjects
from borderpost.decisions.adapters.sql_tree import SqlTree
from borderpost.decisions.adapters.sql_views import SqlViews
from borderpost.decisions.app import Decisions, Found
from borderpost.decisions.background import Background
from borderpost.decisions.cases.app import Cases
from borderpost.decisions.cases.servicer import CasesServicer
from borderpost.decisions.errors import ScreeningNotFoundError
from borderpost.decisions.exporting import Exporting
from borderpost.decisions.figures import Figures
from borderpost.decisions.lookups import Lookups, open_lookups
from borderpost.decisions.patterns.app import LookBack
from borderpost.decisions.patterns.gallery import Gallery
from borderpost.decisions.recording import Recording
from borderpost.decisions.servicer import DecisionsServicer, UseCases
from borderpost.decisions.subjects.app import Subjects
from borderpost.decisions.subjects.background import Upkeep
from borderpost.decisions.subjects.proving import LogProver, range_signer
from borderpost.decisions.subjects.rectifying import Rectifying
from borderpost.decisions.subjects.retention import Retention
from borderpost.decisions.subjects.rules import load_rules
from borderpost.decisions.subjects.servicer import SubjectsServicer
from borderpost.decisions.transparency.app import Transparency
from borderpost.decisions.transparency.servicer import TransparencyServicer
from borderpost.decisions.verify import Trust, Verification, verify
from borderpost.proofs.notes import Signer
from borderpost.runtime.calibration import load_calibrations
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.key_encryption import load_wrapper
from borderpost.runtime.keys import SqlKeyStore, open_postgres_keys, open_sqlite_keys
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings, SettingsError
from borderpost.runtime.signing import load_signing_key
from borderpost.runtime.sql import SqlDatabase
from borderpost.v1 import cases_pb2_grpc, decisions_pb2_grpc, subjects_pb2_grpc, transparency_pb2_grpc
from borderpost.v1.decisions_pb2 import Event

NAME: Final = "decisions"


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service. It is ready while the log takes appends; a damaged log can still be verified."""
    opened = ExitStack()
    writers = WorkPool(settings.decisions.writers, settings.decisions.queue)
    opened.callback(writers.close)
    house = await asyncio.to_thread(House, settings, opened)
    use = UseCases(
        house.decisions, house.recording, house.verify, house.exporting, house.figures, house.look_back
    )
    servicer = DecisionsServicer(use, house.lookups, house.rectifying, pool, writers)

    def register(server: grpc.aio.Server) -> None:
        decisions_pb2_grpc.add_DecisionsServiceServicer_to_server(servicer, server)
        cases_pb2_grpc.add_CasesServiceServicer_to_server(
            CasesServicer(house.cases, house.rectifying, pool), server
        )
        subjects_pb2_grpc.add_SubjectsServiceServicer_to_server(
            SubjectsServicer(house.subjects, house.rectifying, house.retention, pool), server
        )
        transparency_pb2_grpc.add_TransparencyServiceServicer_to_server(
            TransparencyServicer(house.transparency, pool), server
        )

    async def ready() -> bool:
        # Not on the pool: a service with a full queue is busy, and still ready.
        await asyncio.to_thread(house.decisions.check_writable)
        return True

    async def deliver(events: Sequence[Event]) -> None:
        await asyncio.to_thread(house.recording.record_events, events)

    background = Background(
        house.views.catch_up, house.transparency, house.forget_old, settings.decisions.checkpoint_seconds
    )
    upkeep = Upkeep(house.subjects, house.retention, house.itself)
    names = tuple(
        f"borderpost.v1.{service}"
        for service in ("DecisionsService", "CasesService", "SubjectsService", "TransparencyService")
    )
    tasks = (background.catch_up, background.checkpoints, background.forget, upkeep.run)
    readings = (log_reading(house.database), overdue_reading(house.retention.status))
    report, pools = Report(deliver), {"writers": writers}
    return Service(names, register, ready, tasks, opened.close, report, readings=readings, pools=pools)


class House:
    """The adapters that the settings choose, and the use cases on them."""

    def __init__(self, settings: Settings, opened: ExitStack) -> None:
        """`opened` closes what is opened here. SettingsError, and what opening a database raises."""
        clock = SystemClock()
        self.itself = Actor(settings.trust_domain, NAME)
        self.database = database = _open_log(settings)
        opened.callback(database.close)
        self.keys = _open_keys(settings)
        opened.callback(self.keys.close)
        self.log = SqlLog(database, clock)
        self.views = SqlViews(database, (IndexView(), CasesView()))
        self.index = SqlIndex(database, self.views.catch_up)
        tree = SqlTree(database)
        self.lookups = _open_lookups(database, self.keys)
        signers = _signers(settings)
        self.transparency = Transparency(
            self.log, self.index, tree, SqlCheckpoints(database), signers, self.itself, clock
        )
        store = SqlSubjects(database, self.views.catch_up)
        self.retention = Retention(
            load_rules(settings.decisions.retention),
            self.log,
            self.keys,
            store,
            range_signer(settings.log_name, self.transparency.sign),
            clock,
        )
        self.gallery = Gallery(load_calibrations(settings.calibrations))
        self.subjects = Subjects(
            self.log,
            self.keys,
            store,
            self.lookups,
            LogProver(self.transparency.cover, self.transparency.prove),
            self.transparency.sign,
            settings.log_name,
            clock,
            self.gallery.forget,
        )
        self.decisions = Decisions(
            self.log, self.index, self.keys, self.lookups, clock, self.retention.keeps_evidence
        )
        self.recording = Recording(self.log, self.index)
        self.rectifying = Rectifying(self.log, self.index, self.keys, store, clock)
        self.exporting = Exporting(
            self.log, self.index, tree, self.transparency.made, self.transparency.verifier_keys, clock
        )
        self.look_back = LookBack(SqlRecent(database), self.lookups, self.gallery, clock)
        self.figures = Figures(self.log, SqlFigures(database, self.views), clock)
        lease = timedelta(seconds=settings.decisions.lease_seconds)
        self.cases = Cases(
            self.log,
            SqlCases(database, self.views.catch_up),
            self._open_screening,
            self.keys,
            clock,
            lease,
        )

    def verify(self) -> Verification:
        """Check the whole log. LogDamagedError if it can't even be read."""
        transparency = self.transparency
        trust = Trust(transparency.origin, transparency.verifiers, self.keys.destroyed)
        with self.log.snapshot() as snapshot:
            return verify(snapshot, trust)

    def forget_old(self) -> None:
        """Forget the faces whose time in the gallery is over, though nobody comes."""
        self.gallery.forget_old(SystemClock().now())

    def _open_screening(self, event_id: str, with_evidence: bool) -> Found:
        record = self.log.find(event_id)
        if record is None:
            raise ScreeningNotFoundError("event_id: the log has no screening with it")
        return self.decisions.open_screening(record, with_evidence)


def _open_log(settings: Settings) -> SqlDatabase:
    if settings.decisions.database is not None:
        return open_postgres(settings.decisions.database)
    return open_sqlite(settings.state_dir / "decisions.sqlite")


def _open_keys(settings: Settings) -> SqlKeyStore:
    folder = settings.decisions_keys
    if folder.resolve() == settings.state_dir.resolve():
        raise SettingsError(
            "decisions.key_dir: got the folder of the log, want another: backups would hold both"
        )
    wrapper = load_wrapper(settings)
    if settings.decisions.key_database is not None:
        return open_postgres_keys(settings.decisions.key_database, f"{NAME} keys", wrapper)
    return open_sqlite_keys(folder / "keys.sqlite", wrapper)


def _open_lookups(database: SqlDatabase, keys: SqlKeyStore) -> Lookups:
    """Of several services that start at once the first makes the key of look-ups."""
    with database.transaction() as connection:
        database.sequence(connection, SEQUENCER)
        return open_lookups(keys)


def _signers(settings: Settings) -> list[Signer]:
    """The log's key and, while it is being changed, the one that follows it."""
    make = settings.mode == "development"
    keys = [load_signing_key(settings.log_key, make)]
    if settings.decisions.next_log_key is not None:
        keys.append(load_signing_key(settings.decisions.next_log_key, make=False))
    return [Signer(settings.log_name, key) for key in keys]


def main() -> None:
    """Run the decisions service."""
    serve(NAME, build)


if __name__ == "__main__":
    main()
