"""What receipts and pruned ranges take of proofs, made of what the transparency room has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from borderpost.decisions.subjects.ports import Covered, SignRange
from borderpost.proofs.pruned import Pruned, leaves_digest, pruned_text
from borderpost.proofs.receipts import ProvenEvent

MakeCheckpoint = Callable[[], tuple[int, bytes]]
"""Makes a checkpoint of all events that were acknowledged before; its size and root."""

Prove = Callable[[int, int], tuple[bytes, Sequence[bytes]]]
"""The leaf hash of an event, by its index, and its proof in the tree of a size."""


class LogProver:
    """A `Prover`."""

    def __init__(self, make_checkpoint: MakeCheckpoint, prove: Prove) -> None:
        self._make_checkpoint = make_checkpoint
        self._prove = prove

    def cover(self, indexes: Sequence[int]) -> Covered:
        """Make a checkpoint that covers these events, if there is none yet, and prove that they are in it."""
        size, root = self._make_checkpoint()
        proven = [(index, *self._prove(index, size)) for index in indexes]
        return Covered(
            size, root, tuple(ProvenEvent(index, leaf, tuple(path)) for index, leaf, path in proven)
        )


def range_signer(origin: str, sign: Callable[[str], str]) -> SignRange:
    """Make what signs pruned ranges of this log."""

    def signed(start: int, stop: int, leaves: Sequence[bytes]) -> str:
        return sign(pruned_text(origin, Pruned(start, stop, leaves_digest(leaves))))

    return signed
