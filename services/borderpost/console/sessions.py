"""Who is logged in at which browser. In memory alone: a restart logs everybody out, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from borderpost.runtime.calls import Role
from borderpost.runtime.people import Person
from borderpost.v1.decisions_pb2 import QueryEventsRequest

PICTURE_SECONDS: Final = 120.0
"""A picture that no page fetched by then is dropped."""

MOST_PICTURES: Final = 200
"""Pictures that wait for one session's pages; the oldest go first."""

SWEEP_SECONDS: Final = 60.0
"""So often at most what has ended is forgotten."""

MOST_SESSIONS: Final = 10_000
MOST_KEPT: Final = 50
"""Cases, queries and unfinished forms that a session remembers; the oldest are forgotten."""

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to say on the next page: a key of the words, what is put into them, and whether it is bad news."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)
    bad: bool = False


class Kept(dict[str, V]):
    """What a session remembers, by case or page: no more than MOST_KEPT; the oldest are forgotten."""

    def __setitem__(self, key: str, value: V) -> None:
        """Remember it, as the newest."""
        self.pop(key, None)
        super().__setitem__(key, value)
        while len(self) > MOST_KEPT:
            del self[next(iter(self))]


@dataclass(slots=True)
class Session:
    """One person at one browser. `token` is their provider's, which every service verifies again; `renewal` is what
    another is got with, empty if there is none; `renew_after` is set while the provider gave none."""

    person: Person
    token: str
    language: str
    renewal: str = ""
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    renew_after: datetime | None = None
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    seed: str = field(default_factory=lambda: secrets.token_hex(16))
    seen: float = 0.0
    audit_purpose: str = ""
    purposes: Kept[str] = field(default_factory=Kept)
    queries: Kept[QueryEventsRequest] = field(default_factory=Kept)
    drafts: Kept[Mapping[str, list[str]]] = field(default_factory=Kept)
    notices: list[Notice] = field(default_factory=list)
    pictures: dict[str, tuple[bytes, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The person's name at their provider: the subject of the actor."""
        return self.person.actor.subject

    def may(self, *roles: Role) -> bool:
        """Whether the person has one of these roles. Only for what is shown: the services decide what is allowed."""
        return not self.person.roles.isdisjoint(roles)

    def is_fresh(self, now: datetime, seconds: float) -> bool:
        """Whether the login is not older than this."""
        return now - self.person.authenticated_at <= timedelta(seconds=seconds)

    def hand_over(self, picture: bytes, now: float) -> str:
        """Lay a picture ready for the page that is being made; return its address, which works once."""
        for name, (_, since) in list(self.pictures.items()):
            if now - since > PICTURE_SECONDS or len(self.pictures) >= MOST_PICTURES:
                del self.pictures[name]
        name = secrets.token_urlsafe(16)
        self.pictures[name] = (picture, now)
        return f"/pictures/{name}"

    def take(self, name: str, now: float) -> bytes | None:
        """Give a picture out, and never again."""
        picture, since = self.pictures.pop(name, (b"", 0.0))
        return picture if picture and now - since <= PICTURE_SECONDS else None


class Sessions:
    """All sessions, by the hash of their cookie: what is in memory opens none."""

    def __init__(self, idle_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        """`idle_seconds`: without a request for so long a session ends."""
        self._idle = idle_seconds
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._swept = now()

    def open(self, session: Session) -> str:
        """Begin a session; return its cookie."""
        self.sweep()
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].seen)]
        cookie = secrets.token_urlsafe(32)
        session.seen = self._now()
        self._sessions[_key(cookie)] = session
        return cookie

    def find(self, cookie: str, touch: bool = True) -> Session | None:
        """Return the session of a cookie, if it hasn't ended. `touch`: whether somebody sits there, and it goes on."""
        if self._now() - self._swept > SWEEP_SECONDS:
            self.sweep()
        session = self._sessions.get(_key(cookie))
        if session is None:
            return None
        if self._now() - session.seen > self._idle:
            self.end(cookie)
            return None
        if touch:
            session.seen = self._now()
        return session

    def renew(self, cookie: str, person: Person, token: str, renewal: str) -> str:
        """The same person logged in again: the session goes on under another cookie, which is returned."""
        session = self._sessions.pop(_key(cookie))
        return self.open(replace(session, person=person, token=token, renewal=renewal))

    def end(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_key(cookie), None)

    def sweep(self) -> None:
        """Forget what has ended."""
        now = self._swept = self._now()
        for key, session in list(self._sessions.items()):
            if now - session.seen > self._idle:
                del self._sessions[key]


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
