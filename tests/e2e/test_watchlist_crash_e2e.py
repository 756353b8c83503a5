"""The watchlist service dies by `kill -9` while lists change: what it searches then is what its database holds, and
nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from borderpost.cli.people import token_of
from borderpost.cli.stack import Stack, private_settings
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.context import new_traceparent, write_context
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import RemoteError, from_rpc_error
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.v1 import types_pb2, watchlist_pb2_grpc
from borderpost.v1 import watchlist_pb2 as pb

MODEL, DIMENSION = "mobilefacenet-v1", 512
CLIENTS = 2
MOST_ENTRIES = 30
LONGEST_SECONDS = 0.8
"""Between the first change after a start and the kill."""

CLEAN_SECONDS = 30.0

AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
"""What a client may get from a service that dies: it is not told whether its change was made."""

PEOPLE = {
    Role.LIST_MANAGER: "list-manager/anna",
    Role.APPROVER: "approver/ben",
    Role.KIOSK: "kiosk/north/1",
}
ACTIVE, PROPOSED, WITHDRAWN = pb.ENTRY_STATE_ACTIVE, pb.ENTRY_STATE_PROPOSED, pb.ENTRY_STATE_WITHDRAWN


class Desk:
    """The gateway's way to the watchlist service, for whom it speaks."""

    def __init__(self, stack: Stack) -> None:
        self._channel = open_sync_channel(stack.settings, "watchlist", "gateway")
        self._stub = watchlist_pb2_grpc.WatchlistServiceStub(self._channel)
        self._domain = stack.settings.trust_domain
        self._settings = stack.settings

    def ask(self, method: str, request: Any, role: Role = Role.LIST_MANAGER) -> Any:
        """Call a method. Raises RemoteError."""
        gateway, person = Actor(self._domain, "gateway"), Actor(self._domain, PEOPLE[role])
        token = token_of(self._settings, PEOPLE[role]) if role is not Role.KIOSK else ""
        call = Call(
            method,
            gateway,
            Role.GATEWAY,
            person,
            frozenset({role}),
            "crash test",
            new_id(),
            new_traceparent(),
            token=token,
        )
        try:
            return getattr(self._stub, method)(request, timeout=20, metadata=write_context(call))
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def close(self) -> None:
        self._channel.close()


NUMBERS = count(1)


@dataclass(frozen=True)
class Person:
    """Whoever is listed: found by a face and a document number that nobody else has."""

    number: int = field(default_factory=lambda: next(NUMBERS))

    @property
    def template(self) -> types_pb2.Template:
        vector = np.random.default_rng(self.number).standard_normal(DIMENSION)
        values = (vector / np.linalg.norm(vector)).astype("<f4").tobytes()
        return types_pb2.Template(
            model_id=MODEL,
            dimension=DIMENSION,
            element_type=types_pb2.ELEMENT_TYPE_FLOAT32,
            normalisation=types_pb2.NORMALISATION_L2,
            values=values,
        )

    @property
    def document(self) -> types_pb2.DocumentKey:
        return types_pb2.DocumentKey(document_code="P", issuing_state="UTO", number=f"{self.number:09}")

    def entry(self, list_id: str = "", entry_id: str = "") -> pb.Entry:
        return pb.Entry(
            entry_id=entry_id,
            list_id=list_id,
            templates=[self.template],
            documents=[self.document],
            names=[pb.PersonName(primary_identifier="SPECIMEN")],
            birth_date=types_pb2.PartialDate(year=1970),
            reason_code="R1",
            source_reference="crash test",
            valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=30)),
        )


@dataclass
class Doubt:
    """A change that was asked for and not acknowledged: of which entries, and how they may stand now (None: gone)."""

    ids: frozenset[str]
    allowed: frozenset[Any]
    again: Callable[[], None]


class Client:
    """Changes a list of its own, one change after the other, and keeps what was acknowledged."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.desk = Desk(stack)
        self.picks = random.Random(seed)  # noqa: S311  # repeatable
        self.list_id = new_id()
        self.people: dict[str, Person] = {}
        """Everybody who was ever proposed by hand, by entry id."""
        self.states: dict[str, Any] = {}
        """How those entries stand, as acknowledged; None: removed."""
        self.imported: dict[str, Person] = {}
        """What the last applied import brought, by record id."""
        self.importing: dict[str, Person] = {}
        """What one brings whose approval was asked for and not acknowledged."""
        self.doubt: Doubt | None = None
        self.changes = 0

    def set_up(self) -> None:
        watchlist = pb.Watchlist(
            list_id=self.list_id,
            name=f"List {self.list_id}",
            authority="Utopian Border Guard",
            legal_basis="Utopian Border Act, section 12",
            category=pb.WATCHLIST_CATEGORY_WANTED,
            priority=2,
            handling_instruction="Call the shift leader.",
            target_fpir=0.01,
        )
        self.desk.ask("CreateWatchlist", pb.CreateWatchlistRequest(watchlist=watchlist))

    def work(self, stop: threading.Event) -> None:
        """Change until the service is away or `stop` is set."""
        try:
            while not stop.is_set():
                if self.doubt is not None:
                    self.doubt.again()
                else:
                    self._next()
        except RemoteError as error:
            if error.code not in AWAY:
                raise

    def _next(self) -> None:
        here = [entry_id for entry_id, state in self.states.items() if state == ACTIVE]
        acts: list[Callable[[], None]] = [self._add, self._add, self._import]
        if here:
            entry_id = self.picks.choice(here)
            acts += [lambda: self._remove(entry_id), lambda: self._withdraw(entry_id)]
        if len(here) > MOST_ENTRIES:
            acts = [lambda: self._remove(here[0])]
        self.picks.choice(acts)()

    def _ask(self, doubt: Doubt, method: str, request: Any, role: Role = Role.LIST_MANAGER) -> Any:
        self.doubt = doubt
        answer = self.desk.ask(method, request, role)
        self.doubt = None
        self.changes += 1
        return answer

    def _add(self) -> None:
        entry_id, person = new_id(), Person()
        self.people[entry_id] = person
        self._propose(entry_id, person.entry(self.list_id, entry_id))

    def _propose(self, entry_id: str, entry: pb.Entry) -> None:
        doubt = Doubt(
            frozenset({entry_id}), frozenset({None, PROPOSED}), lambda: self._propose(entry_id, entry)
        )
        self._ask(doubt, "ProposeEntry", pb.ProposeEntryRequest(entry=entry))
        self.states[entry_id] = PROPOSED
        self._approve(entry_id)

    def _approve(self, entry_id: str) -> None:
        doubt = Doubt(frozenset({entry_id}), frozenset({PROPOSED, ACTIVE}), lambda: self._approve(entry_id))
        self._ask(doubt, "ApproveEntry", pb.ApproveEntryRequest(entry_id=entry_id), Role.APPROVER)
        self.states[entry_id] = ACTIVE

    def _withdraw(self, entry_id: str) -> None:
        doubt = Doubt(frozenset({entry_id}), frozenset({ACTIVE, WITHDRAWN}), lambda: self._withdraw(entry_id))
        self._ask(doubt, "WithdrawEntry", pb.WithdrawEntryRequest(entry_id=entry_id))
        self.states[entry_id] = WITHDRAWN

    def _remove(self, entry_id: str) -> None:
        doubt = Doubt(frozenset({entry_id}), frozenset({ACTIVE, None}), lambda: self._remove(entry_id))
        was_in_doubt = self.doubt is not None
        try:
            self._ask(doubt, "RemoveEntry", pb.RemoveEntryRequest(entry_id=entry_id))
        except RemoteError as error:
            if error.reason != "ENTRY_NOT_FOUND" or not was_in_doubt:
                raise
            self.doubt = None  # it was removed before the service died
        self.states[entry_id] = None

    def _import(self) -> None:
        """A complete import of some records in the place of the last one's."""
        records = {f"record {i}": Person() for i in range(self.picks.randrange(1, 8))}
        self._import_as(new_id(), records)

    def _import_as(self, import_id: str, records: dict[str, Person]) -> None:
        doubt = Doubt(frozenset(), frozenset(), lambda: self._import_as(import_id, records))
        begin = pb.BeginImportRequest(
            import_id=import_id,
            list_id=self.list_id,
            source="Interpol",
            content_sha256=b"s" * 32,
            rows=len(records),
            complete=True,
        )
        kept = getattr(self._ask(doubt, "BeginImport", begin), "import")
        if kept.state == pb.IMPORT_STATE_STAGING:
            rows = [
                pb.ImportRow(row=row, record_id=record_id, entry=person.entry())
                for row, (record_id, person) in enumerate(records.items(), 1)
            ]
            for begun in range(0, len(rows), 3):
                self._ask(
                    doubt, "StageRows", pb.StageRowsRequest(import_id=import_id, rows=rows[begun : begun + 3])
                )
            self._ask(doubt, "FinishImport", pb.FinishImportRequest(import_id=import_id))
        self.importing = records
        self._ask(doubt, "ApproveImport", pb.ApproveImportRequest(import_id=import_id), Role.APPROVER)
        self.imported, self.importing = records, {}

    # What must hold after a restart

    def check(self) -> None:
        """Fail unless the database has what was acknowledged, and a search finds what the database has."""
        entries = list(self._entries())
        by_hand = {each.entry_id: each.state for each in entries if not each.HasField("provenance")}
        for entry_id in self.people:
            state, known = by_hand.pop(entry_id, None), self.states.get(entry_id)
            doubted = self.doubt is not None and entry_id in self.doubt.ids
            allowed = self.doubt.allowed if self.doubt is not None and doubted else {known}
            assert state in allowed, (state, known)
        assert by_hand == {}
        imported = [each for each in entries if each.HasField("provenance") and each.state == ACTIVE]
        numbers = {each.provenance.record_id: int(each.documents[0].number) for each in imported}
        assert len(numbers) == len(imported)
        allowed_imports = [self.imported, *([self.importing] if self.importing else [])]
        assert numbers in [{r: p.number for r, p in records.items()} for records in allowed_imports]
        self._check_search(entries)

    def _check_search(self, entries: list[pb.Entry]) -> None:
        """Fail unless exactly the active entries are found, each by its face and its document."""
        active = {int(each.documents[0].number): each.entry_id for each in entries if each.state == ACTIVE}
        everybody = {person.number: person for person in (*self.people.values(), *self.imported.values())}
        everybody |= {person.number: person for person in self.importing.values()}
        ended = [number for number in everybody if number not in active][-MOST_ENTRIES:]
        for number in (*active, *ended):
            person = everybody[number]
            request = pb.SearchRequest(
                templates=[person.template], document=person.document, list_ids=[self.list_id]
            )
            (result,) = self.desk.ask("Search", request, Role.KIOSK).results
            assert result.entries_searched == len(active)
            got = [(each.entry_id, each.kind) for each in result.candidates]
            kinds = (pb.MATCH_KIND_FACE, pb.MATCH_KIND_DOCUMENT)
            assert got == ([(active[number], kind) for kind in kinds] if number in active else [])

    def _entries(self) -> Iterator[pb.Entry]:
        request = pb.ListEntriesRequest(list_id=self.list_id, page_size=500)
        while True:
            page = self.desk.ask("ListEntries", request)
            yield from page.entries
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The watchlist service alone; its log is away, and it doesn't need it."""
    stack = Stack(private_settings(tmp_path, Settings()))
    stack.log_dir.mkdir(parents=True)
    ensure_development_certificates(stack.settings)
    stack.launch("watchlist")
    try:
        stack.wait_ready("watchlist")
        yield stack
    finally:
        stack.stop()


def keys_and_entries(folder: Path) -> tuple[set[int], set[int]]:
    """The places that there are keys of, without the store's own, and those of entries."""
    with (
        closing(sqlite3.connect(folder / "keys/watchlist/keys.sqlite")) as keys,
        closing(sqlite3.connect(folder / "watchlist.sqlite")) as database,
    ):
        query = "SELECT id FROM keys WHERE length(key) > 0"  # of a destroyed one only its id is kept
        places = {place for (place,) in database.execute("SELECT place FROM entries")}
        return {int(key_id) for (key_id,) in keys.execute(query)} - {0}, places


def wait_for_keys_of_entries_alone(folder: Path) -> None:
    """Wait until what the killed process had not finished is finished, which is done while others are served."""
    until = time.monotonic() + CLEAN_SECONDS
    while True:
        keys, places = keys_and_entries(folder)
        assert places <= keys
        if keys == places:
            return
        assert time.monotonic() < until, f"{len(keys - places)} keys of no entry"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "moments", [5, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(3_000)])]
)
def test_after_a_kill_the_index_equals_the_database_and_nothing_acknowledged_is_lost(
    stack: Stack, moments: int
):
    picks = random.Random(moments)  # noqa: S311  # the same moments each time
    clients = [Client(stack, seed) for seed in range(CLIENTS)]
    doubts = 0
    for client in clients:
        client.set_up()
    for _ in range(moments):
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as threads:
            working = [threads.submit(client.work, stop) for client in clients]
            time.sleep(picks.uniform(0.0, LONGEST_SECONDS))
            stack.kill("watchlist")
            stop.set()
            for each in working:
                each.result()
        doubts += sum(client.doubt is not None for client in clients)
        stack.restart("watchlist")
        for client in clients:
            client.check()
        wait_for_keys_of_entries_alone(stack.settings.state_dir)
    assert sum(client.changes for client in clients) > moments
    assert doubts > 0  # the kills were felt
    log = stack.log_file("watchlist").read_text()
    assert log.count("loaded") >= moments
    assert not [
        line for line in log.splitlines() if "unforeseen_error" in line or "background_failed" in line
    ]
    for client in clients:
        client.desk.close()
