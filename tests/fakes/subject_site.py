"""A decision log in real tables, with screenings that hold canaries, for tests of erasure and retention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from borderpost.decisions.adapters.migrations.versions import r0002_proofs_views_erasure as r0002
from borderpost.decisions.adapters.sql_rows import to_microseconds
from borderpost.decisions.adapters.sql_subjects import SqlSubjects
from borderpost.decisions.domain import Appended, NewEvent, Part, Record, index_row, key_id, new_event
from borderpost.decisions.events import event_of
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.sampled import RANDOM_SAMPLE
from borderpost.decisions.sealing import new_key, seal
from borderpost.decisions.subjects.ports import Covered
from borderpost.proofs.receipts import ProvenEvent
from borderpost.proofs.tree import leaf_hash, reference_root
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.postgres import PostgresDatabase
from borderpost.runtime.sql import SqlDatabase
from borderpost.runtime.sqlite import Database
from borderpost.v1.cases_pb2 import CaseState
from borderpost.v1.decisions_pb2 import (
    Event,
    FindingPayload,
    ScreeningEvidence,
    ScreeningPayload,
)
from borderpost.v1.types_pb2 import DocumentKey, Outcome
from fakes.decisions import SettableClock, a_screening
from fakes.postgres import shared_postgres

NAME = "CANARYSSON<<GRETA<CANARIA"
NUMBER = "CNRY12345"
PICTURE = b"\xff\xd8a face that nobody may find again"
NOTE = "looks like the canary of last week"
CANARIES = (NAME.encode(), NUMBER.encode(), PICTURE, NOTE.encode())
DOCUMENT = DocumentKey(document_code="P", issuing_state="UTO", number=NUMBER)
ITSELF = Actor("borderpost.local", "decisions")
OFFICER = Actor("borderpost.local", "dev")

_MIGRATION = ";".join(
    statement for statement in r0002.STATEMENTS if not statement.lstrip().startswith(("INSERT", "DROP"))
)


def sqlite_database(folder: Path) -> SqlDatabase:
    return Database(folder / "decisions.sqlite", (_MIGRATION,))


def postgres_database(folder: Path) -> SqlDatabase:
    return PostgresDatabase(shared_postgres().new_database(), (_MIGRATION,), "decisions")


DATABASES = {"sqlite": sqlite_database, "postgres": postgres_database}


class TableLog:
    """As much of an `EventLog` as erasure and retention need."""

    def __init__(self, database: SqlDatabase, clock: SettableClock) -> None:
        self._database = database
        self._clock = clock

    def append(self, events: Sequence[NewEvent]) -> list[Appended]:
        with self._database.transaction() as connection:
            return [self._append(connection, event) for event in events]

    def _append(self, connection, event: NewEvent) -> Appended:
        index = connection.execute("SELECT coalesce(max(idx), -1) + 1 AS idx FROM log").fetchone()["idx"]
        record = Record(index, self._clock.now(), event.stored, leaf_hash(event.stored))
        connection.execute(
            "INSERT INTO log (idx, event_id, once, event, leaf_sha256, logged_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                index,
                event.event_id,
                event.once,
                event.stored,
                record.leaf_sha256,
                to_microseconds(record.logged_at),
            ),
        )
        for part, ciphertext in (event.sealed or {}).items():
            connection.execute("INSERT INTO sealed VALUES (?, ?, ?)", (event.event_id, int(part), ciphertext))
        for lookup in event.lookups:
            connection.execute("INSERT INTO lookups VALUES (?, ?, ?)", (int(lookup.kind), lookup.hash, index))
        row = index_row(record.event())
        connection.execute(
            "INSERT INTO event_index VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                index,
                row.kind,
                row.time,
                row.actor,
                row.subject,
                row.outcome,
                row.kiosk_id,
                row.crossing,
                row.visit_id,
                row.request_id,
            ),
        )
        for reason in row.reasons:
            connection.execute("INSERT INTO event_terms VALUES (1, ?, ?)", (reason, index))
        return Appended(record, duplicate=False)


@dataclass
class Screened:
    """A screening in the log, and what no file may hold once it is erased."""

    event_id: str
    index: int
    keys: dict[Part, bytes]
    ciphertexts: list[bytes]


class SubjectSite:
    """Tables, keys and a clock."""

    def __init__(self, database: SqlDatabase, keys) -> None:
        self.clock = SettableClock()
        self.database = database
        self.keys = keys
        self.log = TableLog(database, self.clock)
        self.lookups = Lookups(bytes(range(32)))
        self.store = SqlSubjects(database, lambda: None)

    def screen(
        self,
        outcome: int = Outcome.OUTCOME_REFER,
        number: str = NUMBER,
        *,
        evidence: bool = True,
        sampled: bool = False,
    ) -> Screened:
        """Screen a traveler now, who may have been drawn at random; a case is a thing of its own (`open_case`)."""
        event_id = new_id()
        payload = ScreeningPayload(schema_version=1)
        payload.mrz.lines.append(f"P<UTO{NAME}<<<<<{number}")
        payload.mrz.document.CopyFrom(DocumentKey(document_code="P", issuing_state="UTO", number=number))
        contents: dict[Part, bytes] = {Part.PAYLOAD: payload.SerializeToString()}
        if evidence:
            contents[Part.EVIDENCE] = ScreeningEvidence(schema_version=1, page=PICTURE).SerializeToString()
        keys = {part: new_key() for part in contents}
        sealed = {
            part: seal(keys[part], content, key_id(event_id, part)) for part, content in contents.items()
        }
        event = Event(
            schema_version=1, event_id=event_id, subject=event_id, time=to_timestamp(self.clock.now())
        )
        event.actor.subject = "kiosk/north/7"
        event.traveler_screened.CopyFrom(a_screening(outcome))
        if sampled:
            event.traveler_screened.sampled = True
            event.traveler_screened.reasons[:] = [RANDOM_SAMPLE]
        event.payload_sha256 = sha256(sealed[Part.PAYLOAD]).digest()
        self.keys.put_many({key_id(event_id, part): key for part, key in keys.items()})
        once = f"screening/{event.traveler_screened.request_id}"
        new = new_event(event, once, sealed, self.lookups.of_payload(payload))
        (appended,) = self.log.append([new])
        return Screened(event_id, appended.record.index, keys, list(sealed.values()))

    def find_in(self, screened: Screened, body: str = "finding_given") -> None:
        """Put an event beside a screening, such as a finding, whose note is sealed under the payload's key."""
        event = event_of(new_id(), self.clock.now(), OFFICER, subject=screened.event_id)
        getattr(event, body).SetInParent()
        note = FindingPayload(schema_version=1, note=NOTE).SerializeToString()
        sealed = seal(screened.keys[Part.PAYLOAD], note, event.event_id)
        event.payload_sha256 = sha256(sealed).digest()
        self.log.append([new_event(event, sealed={Part.PAYLOAD: sealed})])
        screened.ciphertexts.append(sealed)

    def open_case(self, screened: Screened) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO cases (case_id, version, state, priority, crossing, opened_at, body)"
                " VALUES (?, 1, ?, 9, 'north', ?, ?)",
                (screened.event_id, int(CaseState.CASE_STATE_OPEN), to_microseconds(self.clock.now()), b""),
            )

    def close_case(self, screened: Screened) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE cases SET state = ?, closed_at = ? WHERE case_id = ?",
                (int(CaseState.CASE_STATE_CLOSED), to_microseconds(self.clock.now()), screened.event_id),
            )

    def kinds(self) -> list[str]:
        """The bodies of all events that aren't pruned, in order."""
        with self.database.read() as connection:
            rows = connection.execute("SELECT event FROM log WHERE event IS NOT NULL ORDER BY idx").fetchall()
        return [Event.FromString(bytes(row["event"])).WhichOneof("body") for row in rows]

    def events(self, body: str) -> list[Event]:
        """The events of a kind."""
        with self.database.read() as connection:
            rows = connection.execute("SELECT event FROM log WHERE event IS NOT NULL ORDER BY idx").fetchall()
        events = [Event.FromString(bytes(row["event"])) for row in rows]
        return [event for event in events if event.WhichOneof("body") == body]

    def leaves(self) -> list[bytes]:
        with self.database.read() as connection:
            rows = connection.execute("SELECT leaf_sha256 FROM log ORDER BY idx").fetchall()
        return [bytes(row["leaf_sha256"]) for row in rows]

    def count(self, table: str) -> int:
        with self.database.read() as connection:
            query = f"SELECT count(*) AS n FROM {table}"  # noqa: S608
            return connection.execute(query).fetchone()["n"]

    def after(self, **units: float) -> datetime:
        """Let time pass."""
        self.clock.advance(timedelta(**units))
        return self.clock.now()


def a_supervisor_call(purpose: str = "request 12/26", method: str = "EraseSubject") -> Call:
    gateway = Actor("borderpost.local", "gateway")
    actor = Actor("borderpost.local", "dev")
    full = f"/borderpost.v1.SubjectsService/{method}"
    return Call(full, gateway, Role.GATEWAY, actor, frozenset({Role.SUPERVISOR}), purpose, new_id(), "")


class Interrupted(BaseException):
    """A crash: nothing catches it."""


class Steps:
    """Lets `left` steps through, then crashes before each one; with `after`, once the step was done."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False
        self.taken: list[str] = []

    def wrap(self, what: object, *names: str) -> object:
        """A thing whose methods of these names are steps."""
        return _Stepped(self, what, names)

    def step(self, name: str, method, *args):
        dies = self.left == 0
        if dies and not self.after:
            raise Interrupted(name)
        result = method(*args)
        self.taken.append(name)
        if dies:
            raise Interrupted(name)
        if self.left is not None:
            self.left -= 1
        return result


class _Stepped:
    def __init__(self, steps: Steps, what: object, names: tuple[str, ...]) -> None:
        self._steps, self._what, self._names = steps, what, names

    def __getattr__(self, name: str):
        method = getattr(self._what, name)
        if name not in self._names:
            return method
        return lambda *args: self._steps.step(name, method, *args)


def stepped(steps: Steps, site: SubjectSite) -> tuple[object, object, object]:
    """The log, the keys and the store of a site, whose every change is a step."""
    return (
        steps.wrap(site.log, "append"),
        steps.wrap(site.keys, "destroy_many"),
        steps.wrap(
            site.store,
            "delete_screenings",
            "delete_pieces",
            "delete_strays",
            "prune",
            "scrub",
            "finish_erasures",
        ),
    )


class LeafProver:
    """A `Prover` that reads all leaves; `covered` is of what it made checkpoints."""

    def __init__(self, site: SubjectSite) -> None:
        self._site = site
        self.covered: list[tuple[int, ...]] = []
        self.down = False

    def cover(self, indexes: Sequence[int]) -> Covered:
        if self.down:
            raise UnavailableError("checkpoints: told to fail")
        self.covered.append(tuple(indexes))
        leaves = self._site.leaves()
        events = tuple(
            ProvenEvent(index, leaves[index], tuple(inclusion_path(index, leaves))) for index in indexes
        )
        return Covered(len(leaves), reference_root(leaves), events)


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D_n) of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*inclusion_path(index, leaves[:split]), reference_root(leaves[split:])]
    return [*inclusion_path(index - split, leaves[split:]), reference_root(leaves[:split])]


def signed(text: str) -> str:
    """What stands for a signature."""
    return text + "\n— signed\n"
