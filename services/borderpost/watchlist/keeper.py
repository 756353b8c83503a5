"""The lists as they are searched, kept in step with the store: the one place where a view is made and published.

The store is the truth. Every change, of this process or another's, comes into the view in one way: by what the store
says has changed since the view's version. A change of this process makes the next view before it commits, so that
nothing is committed that can't be searched, and publishes it after: one assignment. A search takes the view once and
needs no lock.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from borderpost.runtime.calibration import Calibration, CalibrationError
from borderpost.runtime.clock import Clock
from borderpost.watchlist.domain import EntryBlock, ListState
from borderpost.watchlist.errors import NotReadyError, VersionNotReachedError
from borderpost.watchlist.merge import merge, replaced, to_merge
from borderpost.watchlist.ports import BuildIndex, Change, Reading, Store
from borderpost.watchlist.view import Block, BlockView, View, advance, list_view, make_block, whole

NO_VIEW: Final = View(-1, {})

MOST_WAITING: Final = 2
"""Blocks that are loaded and wait for their indexes: some hundred MB each."""

_log = structlog.get_logger(__name__)


class Keeper:
    """The store and the view of it. Safe to use from several threads at a time.

    `alone`: no other process changes the store, so that the view is always the store's state.
    """

    def __init__(
        self,
        store: Store,
        build_index: BuildIndex,
        calibrations: Mapping[str, Calibration],
        clock: Clock,
        *,
        alone: bool = True,
    ) -> None:
        self.store: Final = store
        self.calibrations: Final = calibrations
        self.clock: Final = clock
        self._build = build_index
        self._alone = alone
        self._writing = threading.Lock()
        self._view = NO_VIEW
        self._as_of = clock.now()
        self._loaded_share = (0, 0)
        self._told: list[Callable[[frozenset[str]], None]] = []

    def tell_gone(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Tell `listener` from now on of lists from which entries went.

        It is told once nobody can read those entries any more, and before the change is acknowledged.
        """
        self._told.append(listener)

    def check_models(self) -> None:
        """Raise CalibrationError if templates are kept of a model without a calibration: scores would mean nothing."""
        with self.store.read() as reading:
            kept = {model.model_id for model in reading.models()}
        missing = sorted(kept - self.calibrations.keys())
        if missing:
            raise CalibrationError(
                f"watchlist: templates are kept of models without a calibration: {', '.join(missing)}"
            )

    def load(self) -> None:
        """Make the view from the store. Raises UnavailableError."""
        with self._writing, _uncollected():
            self._view = self._load()

    def clean(self) -> None:
        """Finish what an earlier process was killed in: removals whose keys or rows are still there."""
        self.store.scrub()

    @property
    def is_loaded(self) -> bool:
        """Whether there is a view to search."""
        return self._view is not NO_VIEW

    @property
    def view(self) -> View:
        """The newest view. Raises NotReadyError while there is none."""
        self._check_loaded()
        return self._view

    @property
    def as_of(self) -> datetime:
        """When the view was last known to be the store's state."""
        return self.clock.now() if self._alone else self._as_of

    @contextmanager
    def change(self) -> Iterator[Change]:
        """One change, searched from the end of the block on. Raises NotReadyError while there is no view."""
        self._check_loaded()  # before the lock: who makes the view holds it for as long as that takes
        with self._writing:
            base = self.view
            with self.store.change() as change:
                yield change
                view, gone = self._advanced(base, change)
            self._publish(view, gone)

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """One consistent state of the store."""
        with self.store.read() as reading:
            yield reading

    def catch_up(self) -> None:
        """Bring the view to the store's state, if another process has changed it."""
        with self._writing:
            began = self.clock.now()
            with self.store.read() as reading:
                view, gone = self._advanced(self.view, reading)
            self._publish(view, gone)
            self._as_of = began

    def check_reached(self, version: int) -> None:
        """Raise VersionNotReachedError if the view is older than this version."""
        reached = self.view.version
        if reached < version:
            raise VersionNotReachedError(
                f"min_version: got {version}, want at most {reached}, which is searched here"
            )

    def merge_once(self, *, purge: bool = False) -> bool:
        """Merge one group of blocks, if there is one to merge; tell whether there was.

        The merging itself holds no lock; searches and changes go on.
        """
        view = self.view
        for list_id, before in view.lists.items():
            group = to_merge(before.blocks, purge=purge)
            if group:
                with _uncollected():
                    new = merge(before, group, self._build)
                with self._writing:
                    now = self._view.lists[list_id]
                    blocks = replaced(now, group, new)
                    if blocks is not None:
                        self._view = self._view.with_list(replace(now, blocks=blocks))
                return True
        return False

    def _check_loaded(self) -> None:
        if not self.is_loaded:
            done, of = self._loaded_share
            raise NotReadyError(
                f"watchlist: the index is being built, {done} of {of} entries are loaded: try again in some seconds",
                retry_after_ms="2000",
            )

    def _load(self) -> View:
        def progress(done: int, of: int) -> None:
            self._loaded_share = (done, of)
            _log.info("loading", entries=done, of=of)

        stored = self.store.load(progress)
        blocks: dict[str, list[BlockView]] = {state.watchlist.list_id: [] for state in stored.lists}
        for block in self._made(stored.blocks):
            blocks[block.entries.list_id].append(whole(block))
        lists: dict[str, ListState] = {state.watchlist.list_id: state for state in stored.lists}
        return View(
            stored.version,
            {list_id: list_view(state, tuple(blocks[list_id]), stored) for list_id, state in lists.items()},
        )

    def _made(self, blocks: Iterator[EntryBlock]) -> Iterator[Block]:
        """Blocks with their indexes: one is made while the next is read and decrypted."""
        with ThreadPoolExecutor(1, thread_name_prefix="index") as thread:
            making: deque[Future[Block]] = deque()
            for entries in blocks:
                making.append(thread.submit(make_block, entries, self._build))
                while len(making) > MOST_WAITING:
                    yield making.popleft().result()
            while making:
                yield making.popleft().result()

    def _advanced(self, base: View, reading: Reading) -> tuple[View | None, frozenset[str]]:
        """The view of what is read, and the lists from which entries went since `base`.

        None if the store no longer tells what has changed since: it is to be loaded.
        """
        if reading.version == base.version:
            return base, frozenset()
        changes = reading.changes_since(base.version)
        if changes is None:
            return None, frozenset(base.lists)
        changed = frozenset(state.watchlist.list_id for state in changes.lists)
        return advance(base, changes, self._build), changed if changes.gone else frozenset()

    def _publish(self, view: View | None, gone: frozenset[str]) -> None:
        """Search this view from now on; the store's, if it is None."""
        self._view = view or self._load()
        if gone:
            for listener in self._told:
                listener(gone)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make many objects that stay, without Python's collector: it would look through all of them again and again.

    It stops the whole process while it does, for seconds where a list has a million names. They hold no cycles; what
    other calls left in cycles meanwhile, errors with all that they knew, is collected before the rest is passed over.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
