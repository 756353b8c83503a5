"""A person at a gateway that isn't there: answers what a test has laid out, and remembers who asked what, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

Answers = Mapping[str, Callable[[Any], Message]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: as whom, why, which method, with which request, and how long it may take."""

    identity: str
    purpose: str
    method: str
    request: Any
    seconds: float | None


class _Methods:
    """Stands for a stub: a method is its name."""

    def __getattr__(self, name: str) -> str:
        return name


@dataclass
class FakeGateway:
    """What the gateway answers, by method. A question that it has no answer to fails the test."""

    answers: dict[str, Callable[[Any], Message]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def person(self, settings: object, identity: str, purpose: str = "") -> FakePerson:
        """Stand in for `cli.people.Person`."""
        return FakePerson(self, identity, purpose)

    def one(self, method: str) -> Asked:
        """Return the one question of a method."""
        [found] = [asked for asked in self.asked if asked.method == method]
        return found


class FakePerson:
    """A person of a `FakeGateway`."""

    def __init__(self, gateway: FakeGateway, identity: str, purpose: str) -> None:
        self._gateway = gateway
        self._identity = identity
        self._purpose = purpose
        self.gateway = self.watchlist = self.decisions = _Methods()

    def ask(self, method: str, request: Any, seconds: float | None = None) -> Message:
        kept = type(request).FromString(request.SerializeToString())
        self._gateway.asked.append(Asked(self._identity, self._purpose, method, kept, seconds))
        return self._gateway.answers[method](request)

    def pages(self, method: str, request: Any) -> Iterator[Any]:
        while True:
            answer: Any = self.ask(method, request)
            yield answer
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def __enter__(self) -> FakePerson:
        return self

    def __exit__(self, *_: object) -> None:
        pass
