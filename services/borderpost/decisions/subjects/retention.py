"""Retention: what was held for long enough is erased, by rules. Plain and synchronous."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from borderpost.decisions.domain import Part, key_id, new_event
from borderpost.decisions.events import event_of
from borderpost.decisions.ports import EventLog, KeyStore
from borderpost.decisions.subjects.ports import Group, HeldCounts, Limit, Piece, SignRange, SubjectStore
from borderpost.decisions.subjects.rules import RulesVersion
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock, new_id
from borderpost.v1.decisions_pb2 import RetentionApplied, RetentionCount, TravelerScreened

PIECES_AT_ONCE: Final = 1000
"""Pieces that one event tells of, and that are destroyed together."""

BODIES_AT_ONCE: Final = 10_000
"""Bodies that are pruned in one transaction."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How much was erased and pruned."""

    evidence: int
    payloads: int
    events: int


@dataclass(frozen=True, slots=True)
class RetentionStatus:
    """What is held, by which rules."""

    rules: RulesVersion
    held: HeldCounts
    last_applied: datetime | None


class Retention:
    """Erases what is overdue. At each step a crash leaves what the next time finds again.

    The event comes before what it tells of: what is destroyed is found again until it is gone, an event is not. After a
    crash a second event may therefore tell of the same pieces once more; none is ever missing.
    """

    def __init__(
        self,
        rules: RulesVersion,
        log: EventLog,
        keys: KeyStore,
        store: SubjectStore,
        sign: SignRange,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._log = log
        self._keys = keys
        self._store = store
        self._sign = sign
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        # What an earlier run deleted may still be in the files.
        self._to_scrub = True
        self._last_applied: datetime | None = None

    def keeps_evidence(self, screening: TravelerScreened) -> bool:
        """Tell whether pictures and templates of a screening like this are kept at all."""
        group = Group(screening.outcome, screening.sampled)
        return bool(self._rules.rules.keep(Part.EVIDENCE, group).longest)

    def apply(self, actor: Actor, purpose: str = "") -> Applied:
        """Erase what is overdue and prune events that are; return how much. UnavailableError: call again."""
        with self._one_at_a_time:
            now = self._clock.now()
            erased = self._erase(self._rules.rules.limits(now), actor, purpose)
            pruned = self._prune(now - self._rules.rules.events.keep, actor, purpose)
            self._to_scrub = self._to_scrub or pruned > 0
            if self._to_scrub:
                self._to_scrub = not self._store.scrub()
            self._last_applied = now
            return Applied(erased[Part.EVIDENCE], erased[Part.PAYLOAD], pruned)

    def status(self) -> RetentionStatus:
        """Say what is held and what is overdue."""
        rules = self._rules.rules
        now = self._clock.now()
        held = self._store.counts(rules.limits(now), now - rules.events.keep)
        times = [time for time in (self._last_applied, held.last_applied) if time is not None]
        return RetentionStatus(self._rules, held, max(times, default=None))

    def _erase(self, limits: Sequence[Limit], actor: Actor, purpose: str) -> Mapping[Part, int]:
        erased: Counter[Part] = Counter()
        last: Piece | None = None
        while pieces := self._store.overdue(limits, last, PIECES_AT_ONCE):
            self._tell(RetentionApplied(erased=_counted(pieces)), actor, purpose)
            # The keys before the ciphertexts, by which they are found: without its key a ciphertext is noise.
            self._keys.destroy_many([key_id(piece.event_id, piece.part) for piece in pieces])
            self._to_scrub = True
            self._store.delete_pieces(pieces)
            erased.update(piece.part for piece in pieces)
            last = pieces[-1]
        self._store.delete_strays()
        return erased

    def _prune(self, before: datetime, actor: Actor, purpose: str) -> int:
        pruned = 0
        while True:
            start, stop = self._store.prunable(before, BODIES_AT_ONCE)
            if stop == start:
                return pruned
            self._tell(RetentionApplied(pruned_from=start, pruned_until=stop), actor, purpose)
            if self._store.prune(start, stop, self._sign):
                pruned += stop - start

    def _tell(self, applied: RetentionApplied, actor: Actor, purpose: str) -> None:
        event = event_of(new_id(), self._clock.now(), actor, purpose)
        applied.rules = self._rules.version
        event.retention_applied.CopyFrom(applied)
        self._log.append([new_event(event)])


def _counted(pieces: Sequence[Piece]) -> list[RetentionCount]:
    counted = Counter((piece.part, piece.group) for piece in pieces)
    return [
        RetentionCount(data_class=part.name, outcome=group.outcome, sampled=group.sampled, count=count)  # type: ignore[arg-type]
        for (part, group), count in sorted(counted.items())
    ]
