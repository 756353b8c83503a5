"""The Merkle tree against published roots and against the RFC's own definition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from borderpost.proofs.tree import (
    EMPTY_ROOT,
    Blocks,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    reference_root,
    root,
    verify_consistency,
    verify_inclusion,
)

# The inputs and roots of the Certificate Transparency project's own tests (RFC 6962, same tree as RFC 9162).
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def frontier_of(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier


def test_empty_tree_has_the_published_root() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root() == reference_root([]) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [leaf_hash(entry) for entry in INPUTS[:size]]
    assert frontier_of(leaves).root().hex() == ROOTS[size - 1]
    assert reference_root(leaves).hex() == ROOTS[size - 1]


@given(st.integers(0, 200))
def test_frontier_agrees_with_the_recursive_definition(size: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    frontier = frontier_of(leaves)
    assert frontier.root() == reference_root(leaves)
    assert len(frontier.peaks) == size.bit_count()


@given(st.integers(1, 64), st.data())
def test_any_other_leaf_gives_another_root(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    place = data.draw(st.integers(0, size - 1))
    other = [*leaves[:place], leaf_hash(b"other"), *leaves[place + 1 :]]
    assert frontier_of(other).root() != frontier_of(leaves).root()


def test_a_leaf_with_the_bytes_of_a_node_has_another_hash() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"") == sha256(b"\x00").digest()


class ListHashes:
    """`Hashes` of a list of leaves."""

    def __init__(self, count: int) -> None:
        self.all = [leaf_hash(b"%d" % number) for number in range(count)]
        blocks = Blocks()
        self.stored: dict[tuple[int, int], bytes] = {}
        for leaf in self.all:
            self.stored.update({(level, place): node for level, place, node in blocks.append(leaf)})

    def size(self) -> int:
        return len(self.all)

    def leaves(self, start: int, stop: int) -> list[bytes]:
        return self.all[start:stop]

    def subtrees(self, level: int, start: int, stop: int) -> list[bytes]:
        return [self.stored[level, place] for place in range(start, stop)]


SMALL = ListHashes(70)
LARGE = ListHashes(70_000)
LARGE_SIZES = (255, 256, 257, 511, 512, 513, 1023, 4097, 65_535, 65_536, 65_537, 70_000)


def path_of(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D_n) of RFC 9162, 2.1.3.1, word by word."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*path_of(index, leaves[:split]), reference_root(leaves[split:])]
    return [*path_of(index - split, leaves[split:]), reference_root(leaves[:split])]


def subproof(size: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D_n, b) of RFC 9162, 2.1.4.1, word by word."""
    if size == len(leaves):
        return [] if whole else [reference_root(leaves)]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if size <= split:
        return [*subproof(size, leaves[:split], whole), reference_root(leaves[split:])]
    return [*subproof(size - split, leaves[split:], False), reference_root(leaves[:split])]


def test_every_proof_of_small_trees_is_the_one_of_the_rfc_and_verifies() -> None:
    for size in range(1, 71):
        leaves = SMALL.all[:size]
        whole = reference_root(leaves)
        assert root(SMALL, size) == whole
        for index in range(size):
            proof = inclusion_proof(SMALL, index, size)
            assert proof == path_of(index, leaves)
            assert verify_inclusion(leaves[index], index, size, proof, whole)
        for former in range(1, size + 1):
            proof = consistency_proof(SMALL, former, size)
            assert proof == subproof(former, leaves, True)
            assert verify_consistency(former, reference_root(leaves[:former]), size, whole, proof)


@pytest.mark.parametrize("size", LARGE_SIZES)
def test_proofs_from_stored_subtrees_are_those_of_the_leaves(size: int) -> None:
    whole = root(LARGE, size)
    assert whole == reference_root(LARGE.all[:size])
    for index in {0, 1, size // 2, size - 1, min(size - 1, 255), min(size - 1, 256)}:
        proof = inclusion_proof(LARGE, index, size)
        assert verify_inclusion(LARGE.all[index], index, size, proof, whole)
    for former in {1, 2, size // 2, size - 1, size, min(size, 256), min(size, 257)} - {0}:
        proof = consistency_proof(LARGE, former, size)
        assert verify_consistency(former, root(LARGE, former), size, whole, proof)


def changed(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Everything that is nearly a proof."""
    yield [*proof, leaf_hash(b"one more")]
    for place in range(len(proof)):
        yield proof[:place] + proof[place + 1 :]
        yield [*proof[:place], bytes(32), *proof[place + 1 :]]
        if place and proof[place - 1] != proof[place]:
            yield [*proof[: place - 1], proof[place], proof[place - 1], *proof[place + 1 :]]


@pytest.mark.parametrize("size", [2, 3, 7, 8, 33, 70])
def test_a_changed_proof_proves_nothing(size: int) -> None:
    whole = root(SMALL, size)
    for index in range(size):
        proof = inclusion_proof(SMALL, index, size)
        assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, whole)
        assert not verify_inclusion(SMALL.all[index], index + size, size, proof, whole)
        for other in changed(proof):
            assert not verify_inclusion(SMALL.all[index], index, size, other, whole)
    for former in range(1, size):
        proof, before = consistency_proof(SMALL, former, size), root(SMALL, former)
        assert not verify_consistency(former, leaf_hash(b"another"), size, whole, proof)
        assert not verify_consistency(former, before, size, leaf_hash(b"another"), proof)
        for other in changed(proof):
            assert not verify_consistency(former, before, size, whole, other)


def test_roots_are_those_of_an_independent_implementation() -> None:
    tree = InmemoryTree(algorithm="sha256")
    for number in range(300):
        tree.append_entry(b"%d" % number)
        assert bytes(tree.get_root()) == root(LARGE, number + 1)


def test_roots_are_those_that_certificate_transparency_publishes() -> None:
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    leaves = [leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert [reference_root(leaves[: size + 1]).hex() for size in range(8)] == roots


def test_there_is_no_proof_of_what_is_not_there() -> None:
    for wrong in ((-1, 5), (5, 5), (0, 71)):
        with pytest.raises(ValueError, match="want"):
            inclusion_proof(SMALL, *wrong)
    for wrong in ((0, 5), (6, 5), (5, 71)):
        with pytest.raises(ValueError, match="want"):
            consistency_proof(SMALL, *wrong)
