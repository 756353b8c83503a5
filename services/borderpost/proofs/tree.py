"""The Merkle tree of RFC 9162 (Certificate Transparency 2.0), section 2.1, with SHA-256: roots, and proofs of
inclusion and consistency.

A leaf's hash begins with 0x00 and a node's with 0x01, so that no node can be passed off as a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

SUBTREE_BITS: Final = 8
SUBTREE: Final = 1 << SUBTREE_BITS
"""Leaves of a stored subtree of the first level, and subtrees of one of the next (C2SP tlog-tiles has the same)."""

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
    """Return the root over leaf hashes by the RFC's recursive definition: for some hundreds of them."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(reference_root(leaves[:split]), reference_root(leaves[split:]))


class Blocks:
    """The subtrees of a tree that aren't complete yet, by level: what is needed to know when one becomes so."""

    def __init__(self, levels: Sequence[Sequence[bytes]] = ((),), size: int = 0) -> None:
        """`levels`: the leaf hashes behind the last complete subtree, then the roots of those behind the last of the
        next level, and so on; `size` leaves in all."""
        self.size = size
        self._levels = [list(level) for level in levels]

    def copy(self) -> Blocks:
        """The same, to be gone on with apart."""
        return Blocks(self._levels, self.size)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf; return the subtrees that are complete with it: level, position and root of each."""
        self.size += 1
        complete: list[tuple[int, int, bytes]] = []
        node, level = leaf, 0
        while True:
            self._levels[level].append(node)
            if len(self._levels[level]) < SUBTREE:
                return complete
            node = reference_root(self._levels[level])
            self._levels[level].clear()
            level += 1
            complete.append((level, self.size // SUBTREE**level - 1, node))
            if level == len(self._levels):
                self._levels.append([])


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


def root(hashes: Hashes, size: int) -> bytes:
    """Return the root of the tree of the first `size` leaves. ValueError: there are not as many."""
    _want_size(hashes, size)
    return _root_of(hashes, 0, size) if size else EMPTY_ROOT


def inclusion_proof(hashes: Hashes, index: int, size: int) -> list[bytes]:
    """Prove that the leaf at `index` is in the tree of `size` (RFC 9162, 2.1.3.1): hashes from the leaf up.

    ValueError: no such leaf, or no such tree.
    """
    _want_size(hashes, size)
    if not 0 <= index < size:
        raise ValueError(f"index: got {index}, want 0 to {size - 1}")
    proof: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            proof.append(_root_of(hashes, middle, stop))
            stop = middle
        else:
            proof.append(_root_of(hashes, start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(hashes: Hashes, from_size: int, to_size: int) -> list[bytes]:
    """Prove that the tree of `from_size` is the beginning of that of `to_size` (RFC 9162, 2.1.4.1).

    Empty if they are the same. ValueError: no such trees.
    """
    _want_size(hashes, to_size)
    if not 1 <= from_size <= to_size:
        raise ValueError(f"from_size: got {from_size}, want 1 to {to_size}")
    proof: list[bytes] = []
    start, stop, whole = 0, to_size, True
    while from_size != stop:
        middle = start + _split(stop - start)
        if from_size <= middle:
            proof.append(_root_of(hashes, middle, stop))
            stop = middle
        else:
            proof.append(_root_of(hashes, start, middle))
            start, whole = middle, False
    # A verifier knows the smaller tree's root, unless it is more than this last subtree.
    if not whole:
        proof.append(_root_of(hashes, start, stop))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Tell whether a proof shows that a leaf is in a tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root_hash


def verify_consistency(
    from_size: int, from_root: bytes, to_size: int, to_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether a proof shows that one tree is the beginning of another (RFC 9162, 2.1.4.2)."""
    if not 1 <= from_size <= to_size:
        return False
    if from_size == to_size:
        return not proof and from_root == to_root
    path = list(proof)
    if from_size & (from_size - 1) == 0:  # a complete tree: its root is the first node of the path
        path.insert(0, from_root)
    if not path:
        return False
    place, last = from_size - 1, to_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    from_node = to_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            from_node, to_node = node_hash(sibling, from_node), node_hash(sibling, to_node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            to_node = node_hash(to_node, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and from_node == from_root and to_node == to_root


def _want_size(hashes: Hashes, size: int) -> None:
    stored = hashes.size()
    if not 0 <= size <= stored:
        raise ValueError(f"size: got {size}, want 0 to {stored}")


def _split(size: int) -> int:
    """The largest power of two below `size` (RFC 9162, 2.1.1: k < n <= 2k)."""
    return 1 << ((size - 1).bit_length() - 1)


def _root_of(hashes: Hashes, start: int, stop: int) -> bytes:
    """The root of the leaves from `start` up to `stop`: a subtree as the RFC splits a tree, so it begins at a
    multiple of the power of two that is not less than its size."""
    size = stop - start
    if size <= SUBTREE:
        return reference_root(hashes.leaves(start, stop))
    if size & (size - 1):
        middle = start + _split(size)
        return node_hash(_root_of(hashes, start, middle), _root_of(hashes, middle, stop))
    level = ((size.bit_length() - 1) // SUBTREE_BITS) or 1
    width = SUBTREE**level
    return reference_root(hashes.subtrees(level, start // width, stop // width))
