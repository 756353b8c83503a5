"""Which policy a gateway goes by: the file that is named, or what two people brought into force at any gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from borderpost.gateway import policies as module
from borderpost.gateway.policies import (
    Itself,
    Policies,
    PolicyFromFileError,
    PolicyNotProposedError,
    PolicyUnusableError,
    SecondPersonNeededError,
)
from borderpost.policy.model import BUILT_IN, load_policy
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.errors import PurposeMissingError, UnavailableError
from borderpost.v1.decisions_pb2 import Event, LogEntry

GATEWAY = Actor("borderpost.test", "gateway")
STRICT = BUILT_IN.read_bytes().replace(b"max_attempts = 3", b"max_attempts = 1")
LAX = BUILT_IN.read_bytes().replace(b"max_attempts = 3", b"max_attempts = 9")


@dataclass
class Log:
    """A log in memory. Not real: it may be told to be away."""

    events: list[Event] = field(default_factory=list)
    away: bool = False

    async def deliver(self, events: Sequence[Event]) -> None:
        self._want_here()
        self.events += events

    async def policies(self) -> Iterable[LogEntry]:
        self._want_here()
        told = [
            each for each in self.events if each.WhichOneof("body") in ("policy_proposed", "policy_changed")
        ]
        return [LogEntry(event=event) for event in reversed(told)]

    def _want_here(self) -> None:
        if self.away:
            raise UnavailableError("away")


def person(name: str, purpose: str = "change 12") -> Call:
    actor = Actor("idp.test", name)
    return Call("", actor, Role.CONSOLE, actor, frozenset({Role.ADMINISTRATOR}), purpose, "", "")


def house(tmp_path: Path, log: Log, named: Path | None = None) -> Policies:
    itself = Itself(GATEWAY, tmp_path / "state/gateway-policy.toml")
    return Policies(named, itself, log.policies, log.deliver, SystemClock())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOW_SECONDS", 0.05)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.05)


async def test_nothing_is_decided_before_the_log_has_the_policy(tmp_path):
    log = Log(away=True)
    policies = house(tmp_path, log)
    running = asyncio.create_task(policies.run())
    await asyncio.sleep(0.15)
    assert not policies.told
    log.away = False
    await asyncio.sleep(0.8)
    running.cancel()
    assert policies.told
    [event] = log.events
    assert (event.actor.subject, event.policy_changed.policy) == ("gateway", load_policy(None).version)
    assert event.policy_changed.toml == BUILT_IN.read_bytes()


async def test_a_policy_comes_into_force_by_two_people_and_is_known_after_a_restart(tmp_path):
    log = Log()
    policies = house(tmp_path, log)
    before = policies.current().version
    version = await policies.propose(STRICT, person("ann"))
    assert policies.current().version == before
    with pytest.raises(SecondPersonNeededError):
        await policies.activate(version, person("ann"))
    [waiting] = await policies.proposals()
    assert (waiting.policy, waiting.proposed_by.subject, waiting.purpose) == (version, "ann", "change 12")
    await policies.activate(version, person("ben"))
    assert policies.current().policy.max_attempts == 1
    assert await policies.proposals() == []
    assert [(e.actor.subject, e.WhichOneof("body")) for e in log.events] == [
        ("ann", "policy_proposed"),
        ("ben", "policy_changed"),
    ]
    assert house(tmp_path, Log()).current().version == version  # the event was pruned: its file has it


async def test_what_was_activated_at_another_gateway_is_taken_up_at_the_start_and_later(tmp_path):
    log = Log()
    other = house(tmp_path / "other", log)
    await other.activate(await other.propose(STRICT, person("ann")), person("ben"))
    policies = house(tmp_path / "own", log)
    running = asyncio.create_task(policies.run())
    await asyncio.sleep(0.2)
    assert policies.current().policy.max_attempts == 1
    await other.activate(await other.propose(LAX, person("ann")), person("ben"))
    await asyncio.sleep(0.3)
    assert policies.current().policy.max_attempts == 9
    log.away = True
    await asyncio.sleep(0.2)
    assert policies.current().policy.max_attempts == 9
    running.cancel()


async def test_a_gateway_that_tells_its_own_policy_puts_nothing_out_of_force(tmp_path):
    log = Log()
    policies = house(tmp_path, log)
    await policies.activate(await policies.propose(STRICT, person("ann")), person("ben"))
    stranger = house(tmp_path / "stranger", log, named=BUILT_IN)
    running = asyncio.create_task(stranger.run())
    await asyncio.sleep(0.1)
    running.cancel()
    assert log.events[-1].actor.subject == "gateway"
    again = house(tmp_path / "again", log)
    following = asyncio.create_task(again.run())
    await asyncio.sleep(0.2)
    following.cancel()
    assert again.current().policy.max_attempts == 1


async def test_what_nobody_proposed_or_what_is_superseded_is_not_activated(tmp_path):
    log = Log()
    policies = house(tmp_path, log)
    with pytest.raises(PolicyNotProposedError):
        await policies.activate("invented@0000", person("ben"))
    old = await policies.propose(LAX, person("ann"))
    await policies.activate(await policies.propose(STRICT, person("ann")), person("ben"))
    with pytest.raises(PolicyNotProposedError):
        await policies.activate(old, person("ben"))


async def test_one_person_can_not_propose_without_end(tmp_path):
    policies = house(tmp_path, Log())
    for number in range(module.MOST_WAITING):
        await policies.propose(STRICT + f"\n# {number}".encode(), person("ann"))
    with pytest.raises(PolicyUnusableError, match="wait already"):
        await policies.propose(STRICT, person("ann"))
    await policies.propose(STRICT, person("ben"))


async def test_what_is_in_force_is_not_proposed(tmp_path):
    policies = house(tmp_path, Log())
    with pytest.raises(PolicyUnusableError, match="in force already"):
        await policies.propose(policies.current().toml, person("ann"))


@pytest.mark.parametrize(
    "toml", [b"", b"\xff", b"name = ", b"x" * 70_000, BUILT_IN.read_bytes() + b"nationality = 1"]
)
async def test_what_is_no_policy_is_not_proposed(tmp_path, toml):
    log = Log()
    with pytest.raises(PolicyUnusableError):
        await house(tmp_path, log).propose(toml, person("ann"))
    assert log.events == []


async def test_a_purpose_is_wanted_and_a_named_file_is_not_superseded(tmp_path):
    log = Log()
    policies = house(tmp_path, log)
    with pytest.raises(PurposeMissingError):
        await policies.propose(STRICT, person("ann", purpose=""))
    named = house(tmp_path, log, named=BUILT_IN)
    with pytest.raises(PolicyFromFileError):
        await named.propose(STRICT, person("ann"))
    with pytest.raises(PolicyFromFileError):
        await named.activate("any", person("ann"))


async def test_a_log_that_is_away_leaves_the_policy_as_it_is(tmp_path):
    log = Log()
    policies = house(tmp_path, log)
    version = await policies.propose(STRICT, person("ann"))
    log.away = True
    with pytest.raises(UnavailableError):
        await policies.activate(version, person("ben"))
    assert policies.current().policy.max_attempts == 3


async def test_a_folder_that_takes_no_file_leaves_the_policy_in_force(tmp_path):
    log = Log()
    policies = house(tmp_path, log)
    (tmp_path / "state").write_text("a file where a folder should be")
    await policies.activate(await policies.propose(STRICT, person("ann")), person("ben"))
    assert policies.current().policy.max_attempts == 1
