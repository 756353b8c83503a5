"""The trust store's promise: an import is there as a whole or not at all, whatever kills the process."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from fakes.trust import House, a_house

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from fakes.trust import House, a_list, authority, sha256
house = House(Path({folder!r}))
run = sys.argv[1]
print("ready", flush=True)
for number in range(10_000):
    csca = authority(f"{{run}} {{number}}", name=f"CSCA {{run}} {{number}}")
    others = [f"{{run}} {{number}} {{other}}" for other in range(4)]
    listed = [csca.der, *(authority(other, name=f"CSCA {{other}}").der for other in others)]
    house.take(a_list(listed, csca), f"{{run}}/{{number}}", issuer=sha256(csca.der))
    print(house.app.snapshot().version, flush=True)
"""
PER_IMPORT = 5


def import_and_kill(folder: Path, run: int, seconds: float) -> int:
    """Import in a process of its own, kill it after some imports; return the last version that it told."""
    code = CHILD.format(tests=str(Path(__file__).parents[1]), folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        told = [child.stdout.readline()]
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.readlines()
    return int([line for line in told if line.endswith("\n")][-1])


def the_whole_of_it(house: House) -> tuple[int, int, int, int]:
    with house.database.read() as connection:
        (versions,) = connection.execute("SELECT count(*) FROM trust_changes").fetchone()
        (certificates,) = connection.execute("SELECT count(*) FROM trusted_certificates").fetchone()
        (sources,) = connection.execute("SELECT count(*) FROM trust_sources").fetchone()
        (events,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
    return versions, certificates, sources, events


def test_an_import_is_whole_or_not_there_after_kill_9_and_none_that_was_told_is_lost(tmp_path: Path) -> None:
    moments = random.Random()  # noqa: S311  # when to kill is no secret
    for run in range(4):
        told = import_and_kill(tmp_path, run, moments.uniform(0, 0.15))
        with a_house(tmp_path) as house:
            version = house.app.snapshot().version
            assert version in (told, told + 1)
            assert the_whole_of_it(house) == (version, *[PER_IMPORT * version] * 2, version)
            assert [event.trust_store_changed.version for event in house.events()] == [*range(1, version + 1)]
