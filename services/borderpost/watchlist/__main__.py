"""Composition root of the watchlist service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import grpc
import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.runtime.calibration import load_calibrations
from borderpost.runtime.calls import Actor
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.event_log import GrpcLog
from borderpost.runtime.key_encryption import load_wrapper
from borderpost.runtime.outbox import Outbox
from borderpost.runtime.own_numbers import outbox_reading
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.runtime.signing import load_signing_key
from borderpost.runtime.sqlite import held_alone
from borderpost.v1 import watchlist_pb2_grpc
from borderpost.watchlist.adapters.faiss_index import faiss_builder
from borderpost.watchlist.adapters.sql_store import SqlStore, open_store
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.background import Background
from borderpost.watchlist.domain import Caller
from borderpost.watchlist.exporting import Exporting
from borderpost.watchlist.importing import Importing
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.measures import lists_reading
from borderpost.watchlist.measuring import Measuring
from borderpost.watchlist.names import load_name_calibration
from borderpost.watchlist.partners import Partner, load_identity, load_partners
from borderpost.watchlist.receiving import Receiving
from borderpost.watchlist.search import Meaning
from borderpost.watchlist.servicer import UseCases, WatchlistServicer, row_of
from borderpost.watchlist.suppressing import PairSeal, Suppressing
from borderpost.watchlist.taking import BundleTaking

NAME: Final = "watchlist"

PAIR_KEY: Final = "pairs of document holder and entry"
RECORD_KEY: Final = "digests of imported records"
"""What the keys that are the service's own are for."""


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service. It is ready when the view is loaded from the database; the log may be away."""
    opened = ExitStack()
    shared = settings.watchlist.database is not None
    if not shared:
        opened.enter_context(held_alone(settings.state_dir / "watchlist.sqlite"))
    store = await asyncio.to_thread(
        open_store,
        settings.state_dir,
        settings.watchlist.database or "",
        settings.watchlist_keys,
        settings.watchlist.key_database or "",
        load_wrapper(settings),
    )
    opened.callback(store.close)
    use, background = _use_cases(settings, store, shared)
    servicer = WatchlistServicer(use, pool, SystemClock())
    log = GrpcLog(open_channel(settings, "decisions", NAME))
    outbox = Outbox(store.database, log.deliver)

    def register(server: grpc.aio.Server) -> None:
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        return use.keeper.is_loaded

    tasks = (outbox.run, background.load, background.merge, background.measure, background.sweep)
    following = (background.follow,) if shared else ()
    names = ("borderpost.v1.WatchlistService",)
    readings = (lists_reading(use.keeper), outbox_reading(outbox))
    return Service(
        names, register, ready, (*tasks, *following), opened.close, Report(log.deliver), readings=readings
    )


def _use_cases(settings: Settings, store: SqlStore, shared: bool) -> tuple[UseCases, Background]:
    clock = SystemClock()
    meaning = Meaning(load_calibrations(settings.calibrations), load_name_calibration())
    index = faiss_builder(fast_scan_from=settings.watchlist.fast_scan_from or None)
    keeper = Keeper(store, index, meaning.faces, clock, alone=not shared)
    keeper.check_models()
    bundles = _bundle_keys(settings)
    folder = settings.state_dir / "bundles"
    pairs = PairSeal(store.secret(PAIR_KEY))
    watchlists = Watchlists(keeper, meaning, pairs.seal, settings.watchlist.most_lists)
    measuring = Measuring(keeper, meaning)
    importing = Importing(keeper, watchlists, store.secret(RECORD_KEY))
    exporting = Exporting(
        keeper, folder / "made", bundles.signing_key, settings.trust_domain, bundles.partners
    )
    receiving = Receiving(folder / "received", bundles.identity, bundles.partners.values(), clock)
    taking = BundleTaking(importing, receiving, row_of)
    use = UseCases(
        keeper,
        meaning,
        watchlists,
        measuring,
        Suppressing(keeper, pairs),
        importing,
        exporting,
        receiving,
        taking,
    )
    itself = Caller(Actor(settings.trust_domain, NAME))
    return use, Background(keeper, watchlists, measuring, use.suppressing, importing, exporting, itself)


@dataclass(frozen=True, slots=True)
class _BundleKeys:
    signing_key: Ed25519PrivateKey
    identity: pyrage.x25519.Identity
    partners: Mapping[str, Partner]


def _bundle_keys(settings: Settings) -> _BundleKeys:
    """What bundles are made and opened with. Without partners there are none: then keys of the moment will do."""
    if settings.watchlist.partners is None:
        return _BundleKeys(Ed25519PrivateKey.generate(), pyrage.x25519.Identity.generate(), {})
    make = settings.mode == "development"
    return _BundleKeys(
        load_signing_key(settings.bundle_key, make),
        load_identity(settings.bundle_identity, make),
        load_partners(settings.watchlist.partners),
    )


def main() -> None:
    """Run the watchlist service."""
    serve(NAME, build)


if __name__ == "__main__":
    main()
