"""What the trust store shows operators: how much it holds, how old it is, and what has run out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from borderpost.documents.trust.app import TrustStore
from borderpost.runtime.clock import Clock
from borderpost.runtime.metric_table import TRUST_CERTIFICATES, TRUST_CHANGED, TRUST_LISTS, TRUST_LISTS_STALE
from borderpost.runtime.metrics import Reading, Sample

SECONDS = 60.0
"""How often it is looked at: it changes with an import, and with the days."""


def trust_reading(trust: TrustStore, clock: Clock) -> Reading:
    """Look at what is trusted."""

    def read() -> Iterator[Sample]:
        totals, lists = trust.totals(), trust.snapshot().revocation_lists.values()
        now = clock.now()
        yield TRUST_CERTIFICATES, (), totals.certificates
        yield TRUST_CHANGED, (), 0.0 if totals.changed_at is None else totals.changed_at.timestamp()
        yield TRUST_LISTS, (), len(lists)
        yield TRUST_LISTS_STALE, (), sum(_is_past(each.next_update, now) for each in lists)

    return Reading((TRUST_CERTIFICATES, TRUST_CHANGED, TRUST_LISTS, TRUST_LISTS_STALE), read, SECONDS)


def _is_past(next_update: datetime | None, now: datetime) -> bool:
    return next_update is not None and next_update < now
