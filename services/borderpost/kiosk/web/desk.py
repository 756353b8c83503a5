"""The one traveler before the kiosk: what was captured of them, in memory only, until they are told where to go."""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from borderpost.kiosk.answers import Next, Told
from borderpost.kiosk.client import Tell
from borderpost.kiosk.visits import Captured, Guided, Visit
from borderpost.runtime.clock import new_id
from borderpost.runtime.status import RemoteError
from borderpost.v1 import faces_pb2, types_pb2

IDLE_SECONDS: Final = 90.0
"""Without a request for so long the traveler has left, and what was captured is forgotten."""

MOST_ATTEMPTS: Final = 3
"""Captures that are no pictures, after which the officer helps."""

FRAME_SECONDS: Final = 1.0
"""How long a frame waits for the guidance that it leads to, at most."""


class Client(Protocol):
    """What the agent needs of a `Kiosk`."""

    def screen(self, visit: Visit, captured: Captured, language: str = "") -> Told: ...  # noqa: D102
    def guide(  # noqa: D102
        self, visit: Visit, camera: Iterator[bytes], tell: Tell, challenge: bool = False, language: str = ""
    ) -> Guided: ...
    def submit_in_background(self) -> None: ...  # noqa: D102


class NoVisitError(Exception):
    """Nobody has begun, or the visit has ended."""


class Guiding:
    """A guided capture whose camera is the page: frames come in one by one, and the newest guidance goes back."""

    def __init__(self, client: Client, visit: Visit, language: str, challenge: bool) -> None:
        """Begin it, in a thread of its own."""
        self._client, self._visit, self._language = client, visit, language
        self._challenge = challenge
        self._frames: queue.Queue[bytes | None] = queue.Queue(maxsize=1)
        self._changed = threading.Condition()
        self._news = 0
        self._newest: Mapping[str, object] = {"prompt": "", "advice": [], "progress": 0}
        self._last = b""
        self._guided: Guided | None = None
        self._done = False
        threading.Thread(target=self._run, name="guided capture", daemon=True).start()

    def show(self, frame: bytes) -> Mapping[str, object]:
        """Take a frame, and return what the traveler is told now. Blocks for at most FRAME_SECONDS."""
        with self._changed:
            before = self._news
            if self._done:
                return {**self._newest, "done": True}
            self._last = frame
        self._put(frame)
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._news > before, FRAME_SECONDS)
            return {**self._newest, "done": self._done}

    def captured(self) -> tuple[tuple[bytes, ...], bytes]:
        """Return the frames that were chosen and their token. A capture that broke off gives its last frame."""
        with self._changed:
            if self._guided is not None and self._guided.frames:
                return self._guided.frames, self._guided.token
            return ((self._last,) if self._last else ()), b""

    def stop(self) -> None:
        """End it, and forget its frames."""
        with self._changed:
            self._put(None)
            self._last, self._guided, self._done = b"", None, True
            self._changed.notify_all()

    def _put(self, frame: bytes | None) -> None:
        """The newest frame is the one that counts; one that nobody took is dropped. After the end, None stays."""
        with self._changed:
            if self._done and frame is not None:
                return
            with contextlib.suppress(queue.Empty):
                self._frames.get_nowait()
            self._frames.put_nowait(frame)

    def _camera(self) -> Iterator[bytes]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def _run(self) -> None:
        guided = None
        try:
            guided = self._client.guide(
                self._visit,
                self._camera(),
                self._tell,
                challenge=self._challenge,
                language=self._language,
            )
        except RemoteError:
            pass  # the screening goes on with the last frame, and says itself what is out of order
        finally:
            with self._changed:
                self._guided = None if self._done else guided
                self._done = True
                self._changed.notify_all()

    def _tell(self, guidance: faces_pb2.CaptureGuidance) -> None:
        with self._changed:
            self._news += 1
            self._newest = {
                "prompt": guidance.prompt,
                "advice": [problem.advice for problem in guidance.problems],
                "progress": guidance.progress,
            }
            self._changed.notify_all()


@dataclass(slots=True)
class Pictures:
    """What was captured for one attempt."""

    page: bytes = b""
    other: bytes = b""
    face: bytes = b""
    guiding: Guiding | None = None

    def captured(self, declined: bool) -> Captured:
        """Return it as a screening takes it."""
        if declined:
            return Captured(self.page, portrait_page=self.other, declined=True)
        if self.face or self.guiding is None:
            return Captured(self.page, (self.face,) if self.face else (), portrait_page=self.other)
        frames, token = self.guiding.captured()
        return Captured(self.page, frames, token, self.other)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a kiosk works. `files`: pictures may be chosen from files; before a kiosk that stands alone somebody could
    show a picture of somebody else so. `challenge`: guided captures ask for something that a picture can't do."""

    direction: types_pb2.Direction.ValueType = types_pb2.DIRECTION_ENTRY
    files: bool = False
    challenge: bool = False


@dataclass(slots=True)
class Desk:
    """One session of the browser, and at most one visit in it. Used from the event loop only, but for `screen`."""

    client: Client
    habits: Habits = Habits()
    now: Callable[[], float] = time.monotonic
    session: str = field(default_factory=secrets.token_urlsafe)
    token: str = field(default_factory=secrets.token_urlsafe)
    visit: Visit | None = None
    language: str = "en"
    pictures: Pictures = field(default_factory=Pictures)
    busy: bool = False
    _group: str = ""
    _seen: float = 0.0

    def open(self) -> None:
        """Begin a new session of the browser; the one before ends, with all that it had."""
        self.end()
        self.session, self.token = secrets.token_urlsafe(), secrets.token_urlsafe()

    def begin(self, language: str, group: bool) -> None:
        """Begin a visit. `group`: this traveler belongs to the one before."""
        together = (self._group or new_id()) if group else new_id()
        self.end()
        self._group = together
        self.language = language
        self.visit = Visit(self.habits.direction, group_id=together)
        self.touch()

    def touch(self) -> None:
        """The traveler is still there."""
        self._seen = self.now()

    def here(self) -> Visit:
        """Return the visit. Raises NoVisitError."""
        if self.visit is None:
            raise NoVisitError
        self.touch()
        return self.visit

    def guide(self) -> Guiding:
        """Begin a guided capture; one before it ends."""
        visit = self.here()
        self._stop()
        self.pictures.face = b""
        self.pictures.guiding = Guiding(self.client, visit, self.language, self.habits.challenge)
        return self.pictures.guiding

    def screen(self, declined: bool) -> Told:
        """Screen the traveler, and forget the pictures. Blocks; there is something to tell whatever fails."""
        visit, captured = self.here(), self.pictures.captured(declined)
        try:
            return self.client.screen(visit, captured, self.language)
        except RemoteError as error:
            again = visit.attempts < MOST_ATTEMPTS
            return Told(Next.AGAIN if again else Next.OFFICER, reason=error.reason)
        finally:
            self.forget()

    def settle(self, told: Told) -> None:
        """The visit ends with its outcome, but for another attempt. The group is kept for who comes next."""
        self.touch()
        if told.next is not Next.AGAIN:
            self.visit = None

    def forget(self) -> None:
        """Forget the pictures."""
        self._stop()
        self.pictures = Pictures()

    def end(self) -> None:
        """Forget the traveler."""
        self.forget()
        self.visit = None
        self._group = ""

    def end_if_idle(self) -> bool:
        """Forget a traveler who has left."""
        if self.busy or self.now() - self._seen < IDLE_SECONDS:
            return False
        self.end()
        return True

    def _stop(self) -> None:
        if self.pictures.guiding is not None:
            self.pictures.guiding.stop()
