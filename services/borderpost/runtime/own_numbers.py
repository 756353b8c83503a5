"""The numbers that every service has: its pool, its health, its certificate, the versions in force, its outbox."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cryptography import x509

from borderpost.runtime.access import ACCESS
from borderpost.runtime.errors import InternalError
from borderpost.runtime.health import Health
from borderpost.runtime.metric_table import (
    CALLS,
    CERTIFICATE_BEGINS,
    CERTIFICATE_EXPIRES,
    OUTBOX_OLDEST,
    OUTBOX_WAITING,
    POOL_HELD_BYTES,
    POOL_PLACES,
    POOL_REFUSALS,
    POOL_TAKEN,
    SERVING,
    VERSION,
)
from borderpost.runtime.metrics import Labels, Numbers, Reading, Sample
from borderpost.runtime.outbox import Outbox
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.tls import file_name

FILE_SECONDS: Final = 60.0
"""How often certificate files are read: they are exchanged while the service runs."""


def show_own(numbers: Numbers, pools: Mapping[str, WorkPool], health: Health, report: Report | None) -> None:
    """Show what is in memory of every service. `pools` by what they are for; that of all calls holds the bytes."""
    numbers.live(POOL_PLACES, lambda: {(name,): pool.places for name, pool in pools.items()})
    numbers.live(POOL_TAKEN, lambda: {(name,): pool.taken for name, pool in pools.items()})
    numbers.live(POOL_HELD_BYTES, lambda: {(): sum(pool.held_bytes for pool in pools.values())})
    numbers.live(
        POOL_REFUSALS,
        lambda: {(name, want): count for name, pool in pools.items() for want, count in pool.refused.items()},
    )
    numbers.live(SERVING, lambda: {(): float(health.serving)})
    if report is not None:
        numbers.live(VERSION, lambda: _versions(report))


def begin_at_zero(numbers: Numbers, services: Sequence[str]) -> None:
    """Show calls that failed before any has: Prometheus sees no increase in what begins with its first failure."""
    for path in ACCESS:
        _, service, method = path.split("/")
        if service in services:
            numbers.count(CALLS, service, method, InternalError.code.name, InternalError.reason, by=0)


def certificates(settings: Settings, service: ServiceName) -> Reading:
    """When the service's certificate ends, and the authority's: as the files are now."""
    folder = settings.certificates

    def read() -> Iterator[Sample]:
        for what, name in (("own", file_name(service)), ("authority", "ca")):
            found = x509.load_pem_x509_certificates((folder / f"{name}.pem").read_bytes())
            # Of a file with a chain the leaf stands first; of authorities the first that ends is what matters.
            ends = found[:1] if what == "own" else found
            first = min(ends, key=lambda certificate: certificate.not_valid_after_utc)
            yield CERTIFICATE_BEGINS, (what,), first.not_valid_before_utc.timestamp()
            yield CERTIFICATE_EXPIRES, (what,), first.not_valid_after_utc.timestamp()

    return Reading((CERTIFICATE_BEGINS, CERTIFICATE_EXPIRES), read, FILE_SECONDS)


def outbox_reading(outbox: Outbox) -> Reading:
    """What waits in an outbox."""

    def read() -> Iterator[Sample]:
        waiting, oldest = outbox.backlog()
        yield OUTBOX_WAITING, (), waiting
        yield OUTBOX_OLDEST, (), 0.0 if oldest is None else max(0.0, time.time() - oldest.timestamp())

    return Reading((OUTBOX_WAITING, OUTBOX_OLDEST), read)


def _versions(report: Report) -> dict[Labels, float]:
    told = report.versions()
    found = {
        "software": told.software or report.software,
        "policy": told.policy,
        "model": told.model_id,
        "calibration": told.calibration_id,
        "document reader": told.document_reader,
        "trust store": str(told.trust_store) if told.trust_store else "",
    }
    return {(what, version): 1.0 for what, version in found.items() if version}
