"""All services as processes of this machine: for `borderpost up`, the demo, the bench and the tests."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.health import serves
from borderpost.runtime.settings import ENV_PREFIX, SERVICES, ServiceName, Settings, TracingSettings
from borderpost.runtime.tls import ensure_development_certificates

READY_SECONDS: Final = 60.0
"""A service that isn't ready by then is broken; loading its models takes a few seconds."""

PORTS: Final = range(20_000, 32_000)
"""Where free ports are looked for: below those that Linux and IANA give to outgoing connections."""

_given: set[int] = set()
"""Ports that were given out, and may not be listened on yet."""

ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a stack: Ctrl-C, a supervisor, a terminal that was closed."""

PROBE: Final = "console"
"""The identity that asks for health."""

ProcessName = ServiceName | Literal["console"]
"""A service, or the console before them."""

Progress = Callable[[ProcessName], None]


class StackError(BorderpostError):
    """A service didn't start. The message ends with the last lines of its log."""

    reason = "SERVICE_NOT_STARTED"


class Stack:
    """The services as child processes, and the console if it is wanted. Each logs into `log_dir`/NAME.log."""

    def __init__(self, settings: Settings, *, with_console: bool = False) -> None:
        self.settings = settings
        self._names: tuple[ProcessName, ...] = (*SERVICES, "console") if with_console else SERVICES
        self.log_dir = settings.state_dir / "logs"
        self._processes: dict[ProcessName, subprocess.Popen[bytes]] = {}
        self._log_begins: dict[ProcessName, int] = {}

    def start(self, progress: Progress = lambda _: None) -> None:
        """Start all, and return when all serve. Raises StackError; nothing is left running then."""
        self.log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            for name in self._names:
                _want_free(name, self.settings)
            if self.settings.mode == "development":
                ensure_development_certificates(self.settings)
            for name in self._names:
                self.launch(name)
            for name in self._names:
                self.wait_ready(name)
                progress(name)
        except BaseException:
            self.stop()
            raise

    def launch(self, name: ProcessName) -> None:
        """Start one service, without waiting."""
        # A Ctrl-C between the start of a process and its place in the table would leave it to nobody.
        with self.log_file(name).open("ab") as log, _ends_held_back():
            self._log_begins[name] = log.tell()
            self._processes[name] = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", f"borderpost.{name}"],
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C goes to this process alone, which then stops the services in order.
                start_new_session=True,
            )

    def wait_ready(self, name: ProcessName, seconds: float = READY_SECONDS) -> None:
        """Wait until a service serves. Raises StackError if it ends or takes too long."""
        if name == "console":
            self._wait(name, seconds, lambda: _listens(self.settings.console.listen))
            return
        with open_sync_channel(self.settings, name, PROBE) as channel:
            self._wait(name, seconds, lambda: serves(channel))

    def _wait(self, name: ProcessName, seconds: float, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while not ready():
            if self._processes[name].poll() is not None:
                raise StackError(f"{name} ended while starting:\n{self._last_lines(name)}")
            if time.monotonic() > until:
                raise StackError(f"{name} isn't ready after {seconds:.0f} s:\n{self._last_lines(name)}")
            time.sleep(0.05)

    def process(self, name: ProcessName) -> int:
        """Return the id of a service's process."""
        return self._processes[name].pid

    def kill(self, name: ProcessName) -> None:
        """End a service at once, as a crash would (SIGKILL)."""
        self._processes[name].kill()
        self._processes[name].wait()

    def restart(self, name: ProcessName) -> None:
        """Start a service that was killed, and wait until it serves."""
        self.launch(name)
        self.wait_ready(name)

    def ended(self) -> list[ProcessName]:
        """Return the services that have ended without being asked to."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def stop(self) -> None:
        """Stop all: the way in first, the log last."""
        running = [self._processes[name] for name in reversed(self._names) if name in self._processes]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log_file(self, name: ProcessName) -> Path:
        """Return where a service logs."""
        return self.log_dir / f"{name}.log"

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _last_lines(self, name: ProcessName) -> str:
        """Return the end of what the service has logged since it was launched."""
        log = self.log_file(name).read_bytes()[self._log_begins[name] :]
        return "\n".join(log.decode("utf-8", "replace").splitlines()[-5:])


@contextmanager
def _ends_held_back() -> Iterator[None]:
    """Hold back the signals that end this process until a step is whole. Signals come to the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {sign: signal.signal(sign, lambda number, _: came.append(number)) for sign in ENDS}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        for number in came:
            signal.raise_signal(number)


_SHARED: Final[Mapping[ServiceName, Sequence[str]]] = {
    "watchlist": ("database", "key_dir", "key_database", "partners", "bundle_identity", "bundle_key"),
    "decisions": ("database", "key_dir", "key_database", "log_key", "next_log_key"),
    "authority": ("key", "enrol_listen"),
    "gateway": ("spool_keys",),
}
"""Settings that name what belongs to another installation: a trial must never write into its database."""


def private_settings(state_dir: Path, settings: Settings) -> Settings:
    """Return settings for a stack beside others: its own folder, keys and databases, and ports that are free now."""
    ports = free_ports(2 * len(SERVICES) + 2)
    shown_at = f"127.0.0.1:{ports[-2]}"
    changes: dict[str, object] = {
        "state_dir": state_dir,
        "tls_dir": None,
        "key_encryption_keys": None,
        "revocations": None,
        "follow_authority": False,
        "mode": "development",
        "tracing": TracingSettings(),
        "console": settings.console.model_copy(
            update={"url": f"http://{shown_at}", "listen": shown_at, "certificate": None, "key": None}
        ),
    }
    for name, port, shown in zip(SERVICES, ports, ports[len(SERVICES) :], strict=False):
        section = settings.service(name)
        where = {"address": f"127.0.0.1:{port}", "listen": None, "metrics": f"127.0.0.1:{shown}"}
        own = {**where, **dict.fromkeys(_SHARED.get(name, ()))}
        if name == "authority":
            own["enrol_address"] = f"127.0.0.1:{ports[-1]}"
        changes[name] = section.model_copy(update=own)
    return settings.model_copy(update=changes)


def environment(settings: Settings) -> Mapping[str, str]:
    """Return this process's environment with all settings in it, so that a child has the same ones."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
    own: dict[str, str] = {}
    for name, value in settings.model_dump(mode="json", exclude_none=True).items():
        for path, setting in _flatten(name, value):
            own[ENV_PREFIX + path.upper()] = str(setting)
    return inherited | own


def _flatten(path: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flatten(f"{path}__{key}", inner)]
    return [(path, value)]


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


def _listens_at(name: ProcessName, settings: Settings) -> str:
    if name == "console":
        return settings.console.listen
    return settings.service(name).listen or settings.service(name).address


def _want_free(name: ProcessName, settings: Settings) -> None:
    # Another stack's service would answer in place of the one that is being waited for.
    setting = "LISTEN" if name == "console" else "ADDRESS"
    host, _, port = _listens_at(name, settings).rpartition(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise StackError(
            f"{name}: can't listen on {host}:{port}: {why}. If `borderpost up` is running already, "
            f"use that one; else set BORDERPOST_{name.upper()}__{setting}"
        ) from None


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on now, and that no outgoing connection will be given."""
    drawn = random.sample(PORTS, len(PORTS))
    free = (port for port in drawn if port not in _given and _is_free(port))
    ports = list(itertools.islice(free, count))
    _given.update(ports)
    return ports


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
