"""What was acknowledged is there after the process was killed, and a full disk loses nothing and breaks nothing."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from borderpost.decisions.__main__ import House
from borderpost.decisions.adapters.schema import open_sqlite
from borderpost.decisions.adapters.sql_log import SqlLog
from borderpost.decisions.domain import new_event
from borderpost.decisions.errors import LogDamagedError, RequestIdReusedError
from borderpost.runtime.calls import Role
from borderpost.runtime.errors import UnavailableError
from borderpost.v1.decisions_pb2 import TravelerScreened
from fakes.decisions import TickingClock, a_call, a_list_event, a_payload, a_screening
from fakes.decisions_house import append, open_house
from fakes.power_loss import ForgetfulDisk, PowerLossError


def append_and_kill(folder: Path, after: float) -> list[str]:
    """Append in a process of its own, kill it; return the request ids that it had acknowledged."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip()]  # it has begun
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    # A line without its end was cut off by the kill.
    return acknowledged + [line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]


def kill_at_random_moments(folder: Path, times: int) -> int:
    """Kill a process that appends, again and again; after each time all that it acknowledged has to be there."""
    moments = random.Random()  # noqa: S311  # when to kill is no secret
    acknowledged: list[str] = []
    for _ in range(times):
        fresh = append_and_kill(folder, moments.uniform(0, 0.08))
        acknowledged += fresh
        with open_house(folder) as house:
            found = house.verify()
            assert found.intact, found.faults
            assert house.log.size() >= 2 * len(acknowledged), "each screening opens a case"
            for request_id in fresh:
                call = a_call("test", Role.AUDITOR)
                got = house.decisions.get_screening(None, request_id, False, call)
                assert got[1] == a_payload()
            house.transparency.make()
    return len(acknowledged)


def test_every_acknowledged_screening_is_there_after_kill_9(tmp_path: Path) -> None:
    assert kill_at_random_moments(tmp_path, 10) >= 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_acknowledged_screening_is_there_after_kill_9_at_200_moments(tmp_path: Path) -> None:
    assert kill_at_random_moments(tmp_path, 200) >= 200


def append_until_refused(house: House) -> int:
    for acknowledged in range(10_000):
        try:
            house.recording.record_events([a_list_event()])
        except UnavailableError:
            return acknowledged
    raise AssertionError("the disk never got full")


def test_a_full_disk_is_unavailable_and_nothing_of_the_append_is_left(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        append(house, a_screening())
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        room = max(path.stat().st_size for path in files) + 64 * 1024
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            acknowledged = append_until_refused(house)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert house.log.size() == 2 + acknowledged
        house.recording.record_events([a_list_event()])
        found = house.verify()
        assert found.intact
        assert found.size == 3 + acknowledged


def test_two_at_the_same_moment_get_one_record_and_leave_one_key(tmp_path: Path) -> None:
    start, screening = Barrier(8), a_screening()
    with open_house(tmp_path) as house:

        def attempt(_: int) -> tuple[int, bool]:
            start.wait()
            appended = append(house, screening)
            return appended.record.index, appended.duplicate

        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(attempt, range(8)))
        assert sorted(results) == [(0, False), *[(0, True)] * 7]
        assert house.log.size() == 2
        call = a_call("test", Role.AUDITOR)
        assert house.decisions.get_screening(None, screening.request_id, False, call)[1] == a_payload()


def test_two_contents_at_the_same_moment_get_one_record_and_one_refusal(tmp_path: Path) -> None:
    start = Barrier(2)
    one, other = a_screening(content=b"1" * 32), a_screening(content=b"2" * 32)
    other.request_id = one.request_id
    with open_house(tmp_path) as house:

        def attempt(screening: TravelerScreened) -> str:
            start.wait()
            try:
                append(house, screening)
            except RequestIdReusedError as error:
                return error.reason
            return "APPENDED"

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(attempt, (one, other))) == ["APPENDED", "REQUEST_ID_REUSED"]


def test_two_processes_with_one_file_keep_one_order(tmp_path: Path) -> None:
    with open_house(tmp_path) as one, open_house(tmp_path) as other:
        for _ in range(3):
            one.recording.record_events([a_list_event()])
            other.recording.record_events([a_list_event(), a_list_event()])
        found = one.verify()
        assert found.intact
        assert found.size == 9


def test_what_was_not_synced_is_lost_with_the_power_and_nothing_else(tmp_path: Path) -> None:
    """A file system that forgets at a power loss what was not synced: every acknowledged event was."""
    moments = random.Random(7)  # noqa: S311
    for number in range(20):
        disk = ForgetfulDisk(tmp_path / str(number))
        log = SqlLog(disk.open(), TickingClock())
        acknowledged: list[bytes] = []
        disk.fail_after(moments.randrange(5, 120))
        try:
            while True:
                batch = [new_event(a_list_event()) for _ in range(moments.randrange(1, 4))]
                log.append(batch)
                acknowledged += [event.stored for event in batch]
        except (PowerLossError, UnavailableError, LogDamagedError):
            pass
        disk.lose_power()
        with closing(open_sqlite(disk.path)) as database:
            again = SqlLog(database, TickingClock())
            again.append([])
            stored = [record.stored for record in again.records(0, again.size())]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) - len(acknowledged) <= 3, "at most the batch that was on its way"


def test_a_disk_that_does_not_sync_loses_what_was_acknowledged(tmp_path: Path) -> None:
    """The test before can fail: without SQLite's syncs the same disk forgets."""
    disk = ForgetfulDisk(tmp_path)
    database = disk.open(synchronous="OFF")
    log = SqlLog(database, TickingClock())
    log.append([new_event(a_list_event()) for _ in range(3)])
    disk.lose_power()
    with closing(open_sqlite(disk.path)) as database:
        assert SqlLog(database, TickingClock()).size() < 3


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    with open_house(tmp_path / "state") as house:
        append(house, a_screening())
        for path in (tmp_path / "state").rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path.name


def main() -> None:
    """Append for ever, and say what was acknowledged: the process that the test kills."""
    with open_house(Path(sys.argv[1])) as house:
        while True:
            screening = a_screening()
            append(house, screening)
            sys.stdout.write(f"{screening.request_id}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
