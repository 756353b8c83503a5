"""The policy in force, and how another one follows it: one person proposes it, a second one activates it.

The log is the truth: what was proposed and activated are its events, and every gateway goes by them. What came into
force last is also kept in a file, so that a gateway knows it at its start when the event is old enough to have been
pruned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import structlog

from borderpost.policy.model import PolicyVersion, load_policy, read_policy
from borderpost.runtime.calls import Actor, Call, stated_purpose
from borderpost.runtime.clock import Clock
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.identity import is_same_person
from borderpost.runtime.reporting import Deliver, deliver_until_taken, new_report
from borderpost.v1.decisions_pb2 import Event, LogEntry
from borderpost.v1.gateway_pb2 import PolicyProposal

FOLLOW_SECONDS: Final = 5.0
"""How often a gateway looks whether a policy was activated at another one."""

PAUSE_SECONDS: Final = 0.5
MOST_WAITING: Final = 20
"""Proposals of one person that wait: nobody pushes another's out of what the log lists."""

MOST_BYTES: Final = 64 * 1024

ListPolicies = Callable[[], Awaitable[Iterable[LogEntry]]]
"""Lists what became of policies, newest first. Raises BorderpostError."""

_log = structlog.get_logger(__name__)


class PolicyFromFileError(BorderpostError):
    """The settings name the policy: people can't activate another one."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "POLICY_FROM_FILE"


class PolicyUnusableError(BorderpostError):
    """What was proposed is no policy that can be used."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "POLICY"


class PolicyNotProposedError(BorderpostError):
    """Nobody proposed the policy, or a later one came into force since."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "POLICY_NOT_FOUND"


class SecondPersonNeededError(BorderpostError):
    """Who proposed a policy can't activate it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SECOND_PERSON_NEEDED"


@dataclass(frozen=True, slots=True)
class Itself:
    """The gateway as an actor, and where it keeps the policy that came into force last."""

    actor: Actor
    file: Path


class Policies:
    """Knows the policy in force. `told`: whether the log has its text, without which nothing is decided."""

    def __init__(
        self, named: Path | None, itself: Itself, list_policies: ListPolicies, deliver: Deliver, clock: Clock
    ) -> None:
        """`named`: the file that the settings name; None: people activate policies. Raises PolicyError."""
        self.told = False
        self.by_people = named is None
        self._itself = itself
        self._list = list_policies
        self._deliver = deliver
        self._clock = clock
        kept = itself.file if self.by_people and itself.file.exists() else None
        self._current = load_policy(named or kept)

    def current(self) -> PolicyVersion:
        """Return the policy in force. It may be another one a moment later: ask once for each screening."""
        return self._current

    async def run(self) -> None:
        """Take up what was activated, tell the log which policy is in force, and follow it for ever: a task."""
        while self.by_people and not await self._follow():  # noqa: ASYNC110  the log tells nobody that it is back
            await asyncio.sleep(PAUSE_SECONDS)
        event = new_report(self._itself.actor, self._clock)
        event.policy_changed.policy = self._current.version
        event.policy_changed.toml = self._current.toml
        await deliver_until_taken(self._deliver, event)
        self.told = True
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            if self.by_people:
                await self._follow()

    async def propose(self, toml: bytes, call: Call) -> str:
        """Propose a policy; return its name and hash.

        Raises PolicyFromFileError, PolicyUnusableError, PurposeMissingError, and what the log says.
        """
        self._want_by_people()
        purpose = stated_purpose(call)
        policy = _read(toml)
        if policy.version == self._current.version:
            raise PolicyUnusableError("policy: it is in force already", field="toml")
        own = [each for each in await self.proposals() if is_same_person(_proposer(each), call.actor)]
        if len(own) >= MOST_WAITING:
            raise PolicyUnusableError(
                f"policy: {MOST_WAITING} of yours wait already: one has to be activated first"
            )
        event = new_report(call.actor, self._clock)
        event.purpose = purpose
        event.policy_proposed.policy = policy.version
        event.policy_proposed.toml = toml
        await self._deliver([event])
        return policy.version

    async def activate(self, version: str, call: Call) -> None:
        """Bring a policy into force that another person proposed.

        Raises PolicyFromFileError, PolicyNotProposedError, SecondPersonNeededError, PurposeMissingError, and what the
        log says.
        """
        self._want_by_people()
        purpose = stated_purpose(call)
        found = [each for each in await self.proposals() if each.policy == version]
        if not found:
            raise PolicyNotProposedError("policy: nobody proposed it, or a later one came into force since")
        if all(is_same_person(_proposer(each), call.actor) for each in found):
            raise SecondPersonNeededError("policy: you proposed it: another person activates it")
        policy = _read(found[0].toml)
        event = new_report(call.actor, self._clock)
        event.purpose = purpose
        event.policy_changed.policy = policy.version
        event.policy_changed.toml = policy.toml
        await self._deliver([event])
        self._adopt(policy)

    async def proposals(self) -> list[PolicyProposal]:
        """Return what was proposed since the policy in force was, newest first."""
        waiting = []
        for entry in await self._list():
            event = entry.event
            if event.WhichOneof("body") == "policy_changed" and not self._is_own(event):
                break
            if event.WhichOneof("body") == "policy_proposed":
                body = event.policy_proposed
                waiting.append(
                    PolicyProposal(
                        policy=body.policy,
                        toml=body.toml,
                        proposed_by=event.actor,
                        time=event.time,
                        purpose=event.purpose,
                    )
                )
        return waiting

    async def _follow(self) -> bool:
        """Take up what a person activated last; whether the log answered."""
        try:
            entries = await self._list()
        except BorderpostError as error:
            _log.warning("policy_not_followed", reason=error.reason)
            return False
        for entry in entries:
            event = entry.event
            if event.WhichOneof("body") == "policy_changed" and not self._is_own(event):
                if event.policy_changed.policy != self._current.version:
                    self._adopt(_read(event.policy_changed.toml))
                break
        return True

    def _adopt(self, policy: PolicyVersion) -> None:
        self._current = policy
        _log.info("policy_adopted", policy=policy.version)
        part = self._itself.file.with_suffix(".part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(policy.toml)
            part.replace(self._itself.file)
        except OSError as error:  # it is in force, and known from the log as long as that has it
            _log.error("policy_not_kept", error=type(error).__name__)

    def _is_own(self, event: Event) -> bool:
        """Whether a gateway told of the policy itself, at its start, rather than a person."""
        return event.actor.issuer == self._itself.actor.issuer

    def _want_by_people(self) -> None:
        if not self.by_people:
            raise PolicyFromFileError(
                "policy: this installation's policy is the file that gateway.policy names: change that, or unset it"
            )


def _proposer(proposal: PolicyProposal) -> Actor:
    return Actor(proposal.proposed_by.issuer, proposal.proposed_by.subject)


def _read(toml: bytes) -> PolicyVersion:
    if not 1 <= len(toml) <= MOST_BYTES:
        raise PolicyUnusableError(f"toml: got {len(toml):,} bytes, want 1 to {MOST_BYTES:,}", field="toml")
    try:
        return read_policy(toml, "policy")
    except BorderpostError as error:
        raise PolicyUnusableError(error.message, field="toml") from None
