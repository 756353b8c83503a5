"""The Merkle tree of RFC 9162 (Certificate Transparency 2.0), section 2.1.1, with SHA-256. Pure functions.

A leaf's hash begins with 0x00 and a node's with 0x01, so that no node can be passed off as a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right) of two hashes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is needed of a tree to append to it: the roots of its complete subtrees, the largest first.

    There is one for each bit set in `size`, so that an append and a root take at most log2(size) hashes.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Frontier:
        """Return the frontier after a leaf with this hash."""
        peaks, node, size = list(self.peaks), leaf, self.size
        while size & 1:
            node = node_hash(peaks.pop(), node)
            size >>= 1
        peaks.append(node)
        return Frontier(self.size + 1, tuple(peaks))

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node


def reference_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes by the RFC's recursive definition: slow, to check `Frontier` against."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(reference_root(leaves[:split]), reference_root(leaves[split:]))


class Hashes(Protocol):
    """The stored hashes of a tree: those of its leaves, and roots of its complete subtrees of 256^level leaves.

    Every method may be called from many threads.
    """

    def size(self) -> int:
        """How many leaves are stored."""
        ...

    def leaves(self, start: int, stop: int) -> list[bytes]:
        """Return the leaf hashes from `start` up to `stop`."""
        ...

    def subtrees(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the roots at these positions of a level (1: of 256 leaves each, 2: of 65,536, …)."""
        ...
