"""Run one service: settings, logs, certificates, server, health, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import grpc
import structlog
from grpc_reflection.v1alpha import reflection

from borderpost.runtime.channels import COMMON_OPTIONS, MAX_MESSAGE_BYTES
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.following import Following
from borderpost.runtime.health import Health, Ready
from borderpost.runtime.interceptors import ChainInterceptor
from borderpost.runtime.logging import configure_logging, place_of
from borderpost.runtime.memory import keep_memory
from borderpost.runtime.metrics import Numbers, Reading, show
from borderpost.runtime.own_numbers import begin_at_zero, certificates, show_own
from borderpost.runtime.people import open_people
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report, Reporter
from borderpost.runtime.revocations import Revocations
from borderpost.runtime.settings import ServiceName, ServiceSettings, Settings, load_settings
from borderpost.runtime.tls import ensure_development_certificates, server_credentials
from borderpost.runtime.tracing import configure_tracing

DRAIN_SECONDS: Final = 10.0
"""How long calls in flight may take after SIGTERM."""

STREAMS_PER_CONNECTION: Final = 64
"""Calls that one connection may have open: nobody can take a service's places all to themselves with one."""

MESSAGE_BYTES: Final[Mapping[ServiceName, int]] = {
    "watchlist": 16 * 1024 * 1024,
    "decisions": 30 * 1024 * 1024,
}
"""Longest message of the services that take few pictures or none; a message is in memory before anything can look at
it. Of the watchlist: the 12 MiB of a StageImportRows (gateway.proto) with the templates made of them; of decisions: the
24 MiB of a record's pictures (gateway/record.py) with what was found."""

RENEW_SECONDS: Final = 600.0
"""How often development certificates are looked at."""

RESTART_SECONDS: Final = 1.0
"""Pause before a background task that ended is started again."""

EXIT_UNUSABLE: Final = 2
"""Exit status when settings, certificates or address are wrong: starting again doesn't help."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """What a composition root builds.

    `register` adds the servicers to a server. `ready` is followed by the health service. `background` runs
    beside the server until its end. `report` tells the decision log of start and end. `close` is called last.
    `numbers` is what its rooms count in, and `readings` is looked up for it; `pools` are
    those that it has beside the one for all calls.
    """

    names: Sequence[str]
    register: Callable[[grpc.aio.Server], None]
    ready: Ready
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    close: Callable[[], None] = lambda: None
    report: Report | None = None
    numbers: Numbers = field(default_factory=Numbers)
    readings: Sequence[Reading] = ()
    pools: Mapping[str, WorkPool] = field(default_factory=dict)


Build = Callable[[Settings, WorkPool], Awaitable[Service]]
"""Chooses the adapters and builds the service; may take as long as it needs, nothing is served before."""


class AddressError(BorderpostError):
    """The service can't listen where its settings say."""

    reason = "ADDRESS"


def serve(name: ServiceName, build: Build) -> None:
    """Run a service until SIGTERM or SIGINT. Exits with status 2 and a plain sentence if it can't start."""
    try:
        settings = load_settings()
        configure_logging(name, settings.log_level)
        keep_memory()
        end_tracing = configure_tracing(name, settings.tracing)
        try:
            asyncio.run(_run(name, settings, build))
        finally:
            end_tracing()
    except BorderpostError as error:
        print(f"borderpost {name} can't start: {error.message}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_UNUSABLE)


async def _run(name: ServiceName, settings: Settings, build: Build) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)

    own = settings.service(name)
    pool = WorkPool(own.threads, own.queue)
    revocations = Revocations(settings.revocations_file, settings.certificates / "ca.pem")
    people = await asyncio.to_thread(open_people, settings, SystemClock())
    service = await build(settings, pool)
    server = grpc.aio.server(
        interceptors=[
            ChainInterceptor(
                settings.trust_domain, people, revocations, name == "gateway", pool, service.numbers
            )
        ],
        # Two servers on one port would share its calls without a word.
        options=(
            *COMMON_OPTIONS,
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
            ("grpc.max_receive_message_length", MESSAGE_BYTES.get(name, MAX_MESSAGE_BYTES)),
        ),
        maximum_concurrent_rpcs=4 * (own.threads + own.queue),
    )
    service.register(server)
    health = Health(server, service.names[0])
    reflection.enable_server_reflection(
        (*service.names, "grpc.health.v1.Health", reflection.SERVICE_NAME), server
    )
    _listen(server, settings, name, own)
    await server.start()
    _log.info("started", address=own.listen or own.address)
    begin_at_zero(service.numbers, service.names)
    show_own(service.numbers, {"calls": pool, **service.pools}, health, service.report)
    readings = (certificates(settings, name), *service.readings)
    hide = (lambda: None) if own.metrics == "off" else show(service.numbers, own.metrics)

    report = service.report
    reporter = Reporter(name, settings.trust_domain, report, SystemClock()) if report else None
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(health.follow(service.ready))]
        running.append(tasks.create_task(_forever(partial(_renew, settings))))
        if settings.follow_authority and name != "authority":
            following = Following(settings, name, revocations)
            running.append(tasks.create_task(_forever(following.run)))
        running += [tasks.create_task(_forever(run)) for run in service.background]
        running += [tasks.create_task(service.numbers.follow(reading)) for reading in readings]
        if reporter:
            running.append(tasks.create_task(_once(reporter.started)))
        await stop.wait()
        _log.info("stopping")
        for task in running:
            task.cancel()
    await health.end()
    await server.stop(DRAIN_SECONDS)
    if reporter:
        await _once(reporter.stopped)
    await asyncio.to_thread(hide)
    pool.close()
    service.close()
    _log.info("stopped")


async def _forever(run: Callable[[], Awaitable[None]]) -> None:
    """Run until cancelled. A failure is logged and tried again: it must not take the service's answers down."""
    while True:
        try:
            await run()
        except Exception as error:
            _log.error("background_failed", error=type(error).__name__, at=place_of(error))
        await asyncio.sleep(RESTART_SECONDS)


async def _renew(settings: Settings) -> None:
    """Renew development certificates before they run out. In production whoever issues them renews the files."""
    await asyncio.sleep(RENEW_SECONDS)
    if settings.mode == "development":
        await asyncio.to_thread(ensure_development_certificates, settings)


async def _once(run: Callable[[], Awaitable[None]]) -> None:
    """Run to its end. A failure is logged: it must not take the service's answers down, nor keep it from ending."""
    try:
        await run()
    except Exception as error:
        _log.error("report_failed", error=type(error).__name__, at=place_of(error))


def _listen(server: grpc.aio.Server, settings: Settings, name: ServiceName, own: ServiceSettings) -> None:
    secure = server_credentials(settings, name)
    address = own.listen or own.address
    try:
        server.add_secure_port(address, secure)
    except RuntimeError:
        raise AddressError(
            f"{name}.listen: can't listen on {address}: another program has it, or it isn't this machine's. "
            f"Stop the other one, or set BORDERPOST_{name.upper()}__ADDRESS"
        ) from None
