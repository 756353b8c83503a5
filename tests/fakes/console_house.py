"""A console before real services, for tests and pictures: its server in a thread, and travelers who are referred."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from borderpost.cli.people import APPROVER, LIST_MANAGER, Person
from borderpost.cli.stack import free_ports
from borderpost.console.server import make_server
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.settings import Settings
from borderpost.v1 import gateway_pb2, types_pb2, watchlist_pb2


@contextlib.contextmanager
def console(settings: Settings, **changes: Any) -> Iterator[str]:
    """The console at a free port, in a thread of its own. `changes`: of its settings."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    own = settings.console.model_copy(update={"url": url, "listen": f"127.0.0.1:{port}", **changes})
    settings = settings.model_copy(update={"console": own})
    servers: list[Any] = []

    async def run() -> None:
        servers.append(await make_server(settings))
        await servers[0].serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    while not (servers and servers[0].started):
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield url
    finally:
        servers[0].should_exit = True
        thread.join()


def wanted_list(settings: Settings, name: str, list_id: str = "") -> str:
    """Make a list, and return its id."""
    watchlist = watchlist_pb2.Watchlist(
        list_id=list_id or new_id(),
        name=name,
        authority="Utopian Border Guard",
        legal_basis="Utopian Border Act, section 12",
        category=watchlist_pb2.WATCHLIST_CATEGORY_WANTED,
        priority=2,
        handling_instruction="Compare by eye. If it is the person, stay calm and call the shift leader.",
        target_fpir=0.01,
    )
    with Person(settings, LIST_MANAGER) as manager:
        request = watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist)
        return str(manager.ask(manager.watchlist.CreateWatchlist, request).watchlist.list_id)


def put_on_list(settings: Settings, list_id: str, picture: bytes, surname: str) -> str:
    """Put somebody on a list with a picture that is kept: one person proposes, another approves. Returns the entry's
    id."""
    entry = watchlist_pb2.Entry(
        entry_id=new_id(),
        list_id=list_id,
        names=[watchlist_pb2.PersonName(primary_identifier=surname, secondary_identifier="Bert")],
        birth_date=types_pb2.PartialDate(year=1979, month=3, day=12),
        reason_code="WARRANT",
        source_reference="case 12/2026",
        valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=30)),
    )
    with Person(settings, LIST_MANAGER) as manager:
        asked = gateway_pb2.EnrolEntryRequest(entry=entry, pictures=[picture], keep_pictures=True)
        manager.ask(manager.gateway.EnrolEntry, asked)
    with Person(settings, APPROVER) as approver:
        approver.ask(
            approver.watchlist.ApproveEntry, watchlist_pb2.ApproveEntryRequest(entry_id=entry.entry_id)
        )
    return entry.entry_id
