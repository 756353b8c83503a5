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
from pathlib import Path
from threading import Barrier

from borderpost.decisions.adapters.sqlite_log import SqliteLog
from borderpost.decisions.app import Decisions
from borderpost.decisions.domain import EventFilter
from borderpost.decisions.errors import RequestIdReusedError
from borderpost.runtime.calls import Role
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.keys import open_sqlite_keys
from fakes.decisions import TickingClock, a_call, a_list_event, a_payload, a_screening


def open_app(folder: Path) -> Decisions:
    clock = TickingClock()
    log = SqliteLog(folder / "log" / "log.sqlite", clock)
    return Decisions(log, open_sqlite_keys(folder / "keys" / "keys.sqlite"), clock)


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


def test_every_acknowledged_screening_is_there_after_kill_9(tmp_path: Path) -> None:
    moments = random.Random()  # noqa: S311  # when to kill is no secret
    acknowledged: list[str] = []
    for _ in range(5):
        acknowledged += append_and_kill(tmp_path, moments.uniform(0, 0.08))
        app = open_app(tmp_path)
        found = app.verify_log()
        assert found.intact, found.faults
        for request_id in acknowledged:
            assert app.get_screening(None, request_id, a_call("test", Role.AUDITOR))[1] == a_payload()
    assert len(acknowledged) >= 5


def append_until_refused(app: Decisions) -> int:
    for acknowledged in range(10_000):
        try:
            app.record_events([a_list_event()])
        except UnavailableError:
            return acknowledged
    raise AssertionError("the disk never got full")


def test_a_full_disk_is_unavailable_and_nothing_of_the_append_is_left(tmp_path: Path) -> None:
    app = open_app(tmp_path)
    app.append_screening(a_screening(), a_payload(), a_call())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    log_files = (tmp_path / "log").iterdir()
    room = max(path.stat().st_size for path in log_files) + 64 * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        acknowledged = append_until_refused(app)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert app.verify_log().size == 1 + acknowledged
    app.record_events([a_list_event()])
    found = app.verify_log()
    assert found.intact
    assert found.size == 2 + acknowledged


def test_two_at_the_same_moment_get_one_record_and_leave_one_key(tmp_path: Path) -> None:
    app, start = open_app(tmp_path), Barrier(8)
    screening = a_screening()

    def append(_: int) -> tuple[int, bool]:
        start.wait()
        appended = app.append_screening(screening, a_payload(), a_call())
        return appended.record.index, appended.duplicate

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(append, range(8)))
    assert sorted(results) == [(0, False), *[(0, True)] * 7]
    assert app.verify_log().size == 1
    assert app.get_screening(None, screening.request_id, a_call("test", Role.AUDITOR))[1] == a_payload()


def test_two_contents_at_the_same_moment_get_one_record_and_one_refusal(tmp_path: Path) -> None:
    app, start = open_app(tmp_path), Barrier(2)
    one = a_screening(content=b"1" * 32)
    other = a_screening(content=b"2" * 32)
    other.request_id = one.request_id

    def append(screening: object) -> str:
        start.wait()
        try:
            app.append_screening(screening, a_payload(), a_call())  # type: ignore[arg-type]
        except RequestIdReusedError as error:
            return error.reason
        return "APPENDED"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(append, (one, other))) == ["APPENDED", "REQUEST_ID_REUSED"]
    assert app.verify_log().size == 1


def test_two_processes_with_one_file_keep_one_order(tmp_path: Path) -> None:
    one, other = open_app(tmp_path), open_app(tmp_path)
    for _ in range(3):
        one.record_events([a_list_event()])
        other.record_events([a_list_event(), a_list_event()])
    found = one.verify_log()
    assert found.intact
    assert found.size == 9


def test_a_log_goes_on_after_it_was_closed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.sqlite", TickingClock())
    keys = open_sqlite_keys(tmp_path / "keys" / "keys.sqlite")
    first = Decisions(log, keys, TickingClock())
    for _ in range(5):
        first.record_events([a_list_event()])
    before = first.verify_log()
    log.close()
    keys.close()
    again = SqliteLog(tmp_path / "log.sqlite", TickingClock())
    second = Decisions(again, keys, TickingClock())
    assert second.verify_log() == before
    second.record_events([a_list_event()])
    assert second.verify_log().intact
    assert [record.index for record in again.query(EventFilter(), None, 2).records] == [5, 4]


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    open_app(tmp_path).append_screening(a_screening(), a_payload(), a_call())
    for folder in ("log", "keys"):
        assert (tmp_path / folder).stat().st_mode & 0o077 == 0
        for path in (tmp_path / folder).iterdir():
            assert path.stat().st_mode & 0o077 == 0, path.name


def main() -> None:
    """Append for ever, and say what was acknowledged: the process that the test kills."""
    app = open_app(Path(sys.argv[1]))
    while True:
        screening = a_screening()
        app.append_screening(screening, a_payload(), a_call())
        sys.stdout.write(f"{screening.request_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
