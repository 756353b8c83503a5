"""What the watchlist shows operators: how much is searched, and how old it is. Never which list, or who is on it."""

from __future__ import annotations

from collections.abc import Iterator

from borderpost.runtime.metric_table import (
    ENTRIES,
    LISTS,
    LISTS_AS_OF,
    LISTS_VERSION,
    TEMPLATES,
)
from borderpost.runtime.metrics import Reading, Sample
from borderpost.watchlist.domain import microseconds
from borderpost.watchlist.keeper import Keeper


def lists_reading(keeper: Keeper) -> Reading:
    """Look at the view that is searched; nothing while there is none."""

    def read() -> Iterator[Sample]:
        if not keeper.is_loaded:
            return
        view, now = keeper.view, microseconds(keeper.clock.now())
        counts = [block.counts(now) for each in view.lists.values() for block in each.blocks]
        yield LISTS, (), len(view.lists)
        yield ENTRIES, (), sum(count.entries for count in counts)
        yield TEMPLATES, (), sum(sum(count.templates.values()) for count in counts)
        yield LISTS_AS_OF, (), keeper.as_of.timestamp()
        yield LISTS_VERSION, (), view.version

    return Reading((LISTS, ENTRIES, TEMPLATES, LISTS_AS_OF, LISTS_VERSION), read)
