"""Checkpoints, proofs and witnesses of the log. Plain and synchronous; each may run in many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from borderpost.decisions.domain import EventFilter, new_event
from borderpost.decisions.errors import LogDamagedError
from borderpost.decisions.events import event_of
from borderpost.decisions.ports import EventIndex, EventLog
from borderpost.decisions.transparency.errors import CheckpointNotFoundError, CosignatureWrongError
from borderpost.decisions.transparency.ports import CheckpointStore
from borderpost.proofs.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from borderpost.proofs.cosignatures import find_cosignature
from borderpost.proofs.notes import NoteError, Signer, Verifier, sign, split_note
from borderpost.proofs.tree import Hashes, consistency_proof, inclusion_proof, root
from borderpost.runtime.calls import Actor, Call
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.decisions_pb2 import EventKind

MAX_COSIGNED: Final = 50
"""Signatures of a checkpoint that is kept, the log's own among them. A note may have twice as many."""


class Transparency:
    """Signs what the log has come to, and proves what is in it."""

    def __init__(
        self,
        log: EventLog,
        index: EventIndex,
        hashes: Hashes,
        checkpoints: CheckpointStore,
        signers: Sequence[Signer],
        itself: Actor,
        clock: Clock,
    ) -> None:
        """`signers`: the log's key and, while it is being changed, the one that follows it; they bear the log's
        name."""
        self._log = log
        self._index = index
        self._hashes = hashes
        self._checkpoints = checkpoints
        self._signers = signers
        self._itself = itself
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._signers[0].name

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The keys that its checkpoints are checked with."""
        return tuple(signer.verifier for signer in self._signers)

    @property
    def verifier_keys(self) -> tuple[str, ...]:
        """The same as text."""
        return tuple(signer.verifier_key for signer in self._signers)

    def note_keys(self) -> None:
        """Record it, if the keys are not those that were last recorded."""
        page = self._index.query(
            EventFilter(kinds=frozenset({EventKind.EVENT_KIND_LOG_KEY_CHANGED})), None, 1
        )
        former = tuple(page.records[0].event().log_key_changed.verifier_keys) if page.records else ()
        if former == self.verifier_keys:
            return
        event = event_of(new_id(), self._clock.now(), self._itself)
        event.log_key_changed.verifier_keys.extend(self.verifier_keys)
        event.log_key_changed.former_verifier_keys.extend(former)
        self._log.append([new_event(event)])

    def make(self) -> str:
        """Return a checkpoint of all events that were acknowledged before: a new one, if the log has grown.

        LogDamagedError: the log is not the one that its newest checkpoint is of. Such a log is never signed.
        """
        with self._one_at_a_time:
            size = self._hashes.size()
            newest = self._checkpoints.newest()
            if newest is not None:
                self._want_grown_from(parse_checkpoint(split_note(newest[1])[0], self.origin), size)
                if newest[0] == size:
                    return newest[1]
            checkpoint = Checkpoint(self.origin, size, root(self._hashes, size))
            return self._checkpoints.add(size, sign_checkpoint(checkpoint, self._signers), self._clock.now())

    def made(self) -> tuple[str, Checkpoint]:
        """The same, with what it says."""
        note = self.make()
        return note, open_checkpoint(note, self.verifiers, self.origin)

    def cover(self) -> tuple[int, bytes]:
        """Make a checkpoint of all events that were acknowledged before; return its size and root."""
        _, checkpoint = self.made()
        return checkpoint.size, checkpoint.root

    def checkpoint(self, size: int) -> str:
        """Return the checkpoint of a size, or the newest for 0. CheckpointNotFoundError."""
        if size:
            note = self._checkpoints.of(size)
        else:
            newest = self._checkpoints.newest()
            note = None if newest is None else newest[1]
        if note is None:
            raise CheckpointNotFoundError(
                "size: the log has no checkpoint of it: ask for the newest, or make one"
            )
        return note

    def prove(self, index: int, size: int) -> tuple[bytes, list[bytes]]:
        """Return an event's leaf hash, and the proof that it is in the tree of a size. InvalidRequestError."""
        try:
            proof = inclusion_proof(self._hashes, index, size)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from None
        (leaf,) = self._hashes.leaves(index, index + 1)
        return leaf, proof

    def consistency(self, from_size: int, to_size: int) -> list[bytes]:
        """Prove that one tree is the beginning of another. InvalidRequestError."""
        try:
            return consistency_proof(self._hashes, from_size, to_size)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from None

    def sign(self, text: str) -> str:
        """Sign a text in the log's name: a receipt, a pruned range."""
        return sign(text, self._signers)

    def add_cosignature(self, note: str, verifier_key: str, call: Call) -> None:
        """Keep a witness's cosignature with its checkpoint, and record it; the same witness's again changes nothing.

        CosignatureWrongError, CheckpointNotFoundError.
        """
        try:
            checkpoint = open_checkpoint(note, self.verifiers, self.origin)
            witness = Verifier.parse(verifier_key)
            found = find_cosignature(note, witness)
        except NoteError as error:
            raise CosignatureWrongError(f"checkpoint: {error.message}") from None
        kept = self._checkpoints.of(checkpoint.size)
        if kept is None or split_note(kept)[0] != checkpoint.text:
            raise CheckpointNotFoundError("checkpoint: the log keeps none like it")
        if found is None:
            raise CosignatureWrongError("checkpoint: the witness of this key hasn't cosigned it")
        signature, _ = found
        known = False

        def with_signature(kept: str) -> str:
            nonlocal known
            signatures = split_note(kept)[1]
            known = any(
                (other.name, other.key_hash) == (signature.name, signature.key_hash) for other in signatures
            )
            if not known and len(signatures) >= MAX_COSIGNED:
                raise CosignatureWrongError(
                    f"checkpoint: it bears {len(signatures)} signatures, as many as it may: cosign the next one"
                )
            return kept if known else kept + signature.line

        self._checkpoints.change(checkpoint.size, with_signature)
        if not known:
            self._witnessed(checkpoint, witness, call)

    def _witnessed(self, checkpoint: Checkpoint, witness: Verifier, call: Call) -> None:
        event = event_of(new_id(), self._clock.now(), call.actor, call.purpose)
        event.checkpoint_witnessed.size = checkpoint.size
        event.checkpoint_witnessed.root_sha256 = checkpoint.root
        event.checkpoint_witnessed.witness = witness.verifier_key
        self._log.append([new_event(event)])

    def _want_grown_from(self, signed: Checkpoint, size: int) -> None:
        """Want the log to have what its newest checkpoint says as its beginning."""
        if signed.size > size or root(self._hashes, signed.size) != signed.root:
            raise LogDamagedError(
                f"decision log: it is not the one that its checkpoint of {signed.size} events is of: no other is "
                "signed; verify it",
                size=str(signed.size),
            )
