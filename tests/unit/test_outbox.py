"""The outbox: an event is lost by nothing, told with its change or not at all, and keeps its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.outbox import BATCH, BATCH_BYTES, OUTBOX_SCHEMA, Outbox, enqueue
from borderpost.runtime.sqlite import Database
from borderpost.v1.decisions_pb2 import Event, WatchlistImported
from fakes.outbox import FakeLog


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "it.sqlite", [OUTBOX_SCHEMA])
    yield database
    database.close()


def _put(database: Database, *ids: str) -> None:
    with database.transaction() as connection:
        for event_id in ids:
            enqueue(connection, Event(event_id=event_id, purpose="test"))


def _waiting(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM outbox").fetchone()[0])


@asynccontextmanager
async def _running(outbox: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _until_empty(database: Database) -> None:
    async with asyncio.timeout(10):
        while _waiting(database):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_events_arrive_whole_in_their_order_and_are_then_forgotten(database: Database) -> None:
    log = FakeLog()
    _put(database, "a", "b")
    _put(database, "c")
    assert await Outbox(database, log.deliver).deliver_batch() == 3
    assert list(log.events) == ["a", "b", "c"]
    assert log.events["a"] == Event(event_id="a", purpose="test")
    assert _waiting(database) == 0


async def test_long_events_go_in_as_many_deliveries_as_the_log_can_take(database: Database) -> None:
    log, entries = FakeLog(), WatchlistImported(added_entry_ids=[new_id() for _ in range(1000)])
    events = [Event(event_id=str(number), watchlist_imported=entries) for number in range(BATCH)]
    with database.transaction() as connection:
        for event in events:
            enqueue(connection, event)
    async with _running(Outbox(database, log.deliver, pause=0.01)):
        await _until_empty(database)
    assert len(log.batches) > 1
    assert max(map(len, log.batches)) * events[-1].ByteSize() <= BATCH_BYTES
    assert [event_id for batch in log.batches for event_id in batch] == [event.event_id for event in events]


async def test_an_event_longer_than_a_delivery_does_not_stay_for_ever(database: Database) -> None:
    log = FakeLog()
    with database.transaction() as connection:
        enqueue(connection, Event(event_id="long", purpose="p" * (BATCH_BYTES + 1)))
        enqueue(connection, Event(event_id="next"))
    outbox = Outbox(database, log.deliver)
    assert [await outbox.deliver_batch(), await outbox.deliver_batch()] == [1, 1]
    assert list(log.events) == ["long", "next"]


async def test_without_events_the_log_is_not_called(database: Database) -> None:
    log = FakeLog()
    assert await Outbox(database, log.deliver).deliver_batch() == 0
    assert log.batches == []


async def test_an_event_of_a_change_that_was_rolled_back_is_not_told(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as connection:
            enqueue(connection, Event(event_id="never"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _waiting(database) == 0


async def test_while_the_log_is_down_events_wait_and_none_overtakes_another(database: Database) -> None:
    log = FakeLog()
    log.down = True
    _put(database, "a")
    async with _running(Outbox(database, log.deliver, pause=0.01)):
        await asyncio.sleep(0.05)
        _put(database, "b", "c")
        await asyncio.sleep(0.05)
        assert (log.events, _waiting(database)) == ({}, 3)
        log.down = False
        await _until_empty(database)
    assert list(log.events) == ["a", "b", "c"]


async def test_an_event_whose_receipt_was_lost_is_told_again(database: Database) -> None:
    log = FakeLog()
    log.answer_is_lost = True
    _put(database, "a")
    outbox = Outbox(database, log.deliver)
    with pytest.raises(UnavailableError):
        await outbox.deliver_batch()
    assert _waiting(database) == 1
    log.answer_is_lost = False
    assert await outbox.deliver_batch() == 1
    assert log.batches == [["a"], ["a"]]
    assert list(log.events) == ["a"]


async def test_events_survive_the_process(tmp_path: Path) -> None:
    before = Database(tmp_path / "it.sqlite", [OUTBOX_SCHEMA])
    _put(before, "a")
    before.close()
    after, log = Database(tmp_path / "it.sqlite", [OUTBOX_SCHEMA]), FakeLog()
    await Outbox(after, log.deliver).deliver_batch()
    after.close()
    assert list(log.events) == ["a"]


async def test_many_events_go_in_batches_without_a_pause_between_them(database: Database) -> None:
    log = FakeLog()
    ids = [f"{number:04}" for number in range(2 * BATCH + 5)]
    _put(database, *ids)
    async with _running(Outbox(database, log.deliver, pause=0.01)):
        await _until_empty(database)
    assert [len(batch) for batch in log.batches] == [BATCH, BATCH, 5]
    assert list(log.events) == ids


async def test_an_event_that_comes_during_a_delivery_is_not_forgotten_with_it(database: Database) -> None:
    log = FakeLog()

    async def deliver_slowly(events: list[Event]) -> None:
        _put(database, "late")
        await log.deliver(events)

    _put(database, "a")
    await Outbox(database, deliver_slowly).deliver_batch()
    assert list(log.events) == ["a"]
    assert _waiting(database) == 1


async def test_a_log_that_is_down_is_told_once_not_at_every_try(database: Database) -> None:
    log = FakeLog()
    log.down = True
    _put(database, "a")
    with capture_logs() as lines:
        async with _running(Outbox(database, log.deliver, pause=0.005)):
            await asyncio.sleep(0.1)
    assert [(line["event"], line["reason"]) for line in lines] == [("outbox_waits", "UNAVAILABLE")]
