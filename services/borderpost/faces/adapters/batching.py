"""Embeds the chips of callers that wait at the same moment in one batch; whoever is alone never waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from borderpost.faces.domain import Chips, Embeddings
from borderpost.faces.ports import FaceEmbedder, ModelCard

MOST_CHIPS: Final = 16
"""Chips of one batch: eight frames and their mirror images. More gain nothing (ADR 0012), and wait for each other."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's chips, and what became of them: embeddings, an error, or a batch that it is to embed."""

    chips: Chips
    called: threading.Event = field(default_factory=threading.Event)
    batch: Sequence[_Ticket] = ()
    embeddings: Embeddings | None = None
    error: Exception | None = None


class BatchingEmbedder:
    """Any embedder, shared by more threads than there are cores. Safe to call from several threads at a time.

    Up to `at_once` callers embed their own chips, each on its own thread. Only when so many are at it does another
    one wait; the first that is done calls the one that waits longest, and that one embeds for all who wait.
    """

    def __init__(self, embedder: FaceEmbedder, at_once: int, most_chips: int = MOST_CHIPS) -> None:
        self._embedder = embedder
        self._free = at_once
        self._most_chips = most_chips
        self._waiting: deque[_Ticket] = deque()
        self._lock = threading.Lock()

    @property
    def card(self) -> ModelCard:
        """The embedder's own."""
        return self._embedder.card

    def embed(self, chips: Chips) -> Embeddings:
        """As the embedder does; what it raises, every caller of the batch gets."""
        ticket = _Ticket(chips)
        if not self._may_begin(ticket):
            ticket.called.wait()
        if ticket.batch:
            try:
                self._embed(ticket.batch)
            finally:
                self._call_next()
        if ticket.embeddings is None:
            raise ticket.error or RuntimeError("the batch ended without an answer")
        return ticket.embeddings

    def _may_begin(self, ticket: _Ticket) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                ticket.batch = (ticket,)
                return True
            self._waiting.append(ticket)
            return False

    def _call_next(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            batch = [self._waiting.popleft()]
            count = len(batch[0].chips)
            while self._waiting and count + len(self._waiting[0].chips) <= self._most_chips:
                batch.append(self._waiting.popleft())
                count += len(batch[-1].chips)
        batch[0].batch = batch
        batch[0].called.set()

    def _embed(self, batch: Sequence[_Ticket]) -> None:
        try:
            chips = batch[0].chips if len(batch) == 1 else np.concatenate([ticket.chips for ticket in batch])
            embeddings = self._embedder.embed(chips)
            ends = np.cumsum([len(ticket.chips) for ticket in batch])
            for ticket, own in zip(batch, np.split(embeddings, ends[:-1]), strict=True):
                ticket.embeddings = own
        except Exception as error:
            for ticket in batch:
                ticket.error = error
        finally:
            for ticket in batch:
                ticket.called.set()
