"""Merging blocks in the background: few blocks, and nothing of what was removed, whatever the changes were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from borderpost.watchlist.ports import BuildIndex
from borderpost.watchlist.view import SMALL, BlockView, ListView, merged

SIZE_STEP: Final = 4
"""Blocks whose sizes lie within a power of this are of one class, and so many of a class are merged: an entry is copied
about once for each class up to its block's, and a list of a million entries has some twenty blocks."""

MOST_TOMBSTONES: Final = 0.25
"""Share of a block's entries that may be struck out before it is made anew."""


def to_merge(blocks: Sequence[BlockView], *, purge: bool) -> tuple[BlockView, ...]:
    """Which blocks should become one now; empty if none. With `purge` a block with any tombstone is made anew."""
    classes: dict[int, list[BlockView]] = {}
    for block in blocks:
        if block.tombstones > (0 if purge else MOST_TOMBSTONES * block.block.size):
            return (block,)
        classes.setdefault(_size_class(block.block.size), []).append(block)
    full = [group for size, group in sorted(classes.items()) if len(group) >= SIZE_STEP]
    return tuple(full[0]) if full else ()


def merge(before: ListView, group: Sequence[BlockView], build: BuildIndex) -> BlockView:
    """One block of a group. Takes as long as it takes; nothing waits for it."""
    return merged(before.state.watchlist.list_id, group, build)


def replaced(now: ListView, group: Sequence[BlockView], new: BlockView) -> tuple[BlockView, ...] | None:
    """The list's blocks as they are now, with the merged one in the place of its group.

    What was struck out since the merge began is struck out of the new block, too. None if a block of the group is gone.
    """
    current = {id(block.block): block for block in now.blocks}
    if any(id(old.block) not in current for old in group):
        return None
    struck = [
        old.block.entries.entry_ids[place]
        for old in group
        for place in np.flatnonzero(old.alive & ~current[id(old.block)].alive).tolist()
    ]
    merged_away = {id(old.block) for old in group}
    rest = [block for block in now.blocks if id(block.block) not in merged_away]
    return (*rest, new.without(struck))


def _size_class(size: int) -> int:
    step, largest = 0, SMALL
    while size > largest:
        largest *= SIZE_STEP
        step += 1
    return step
