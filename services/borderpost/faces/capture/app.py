"""The use case of guiding a capture: looks at frames, signs what came of them. Plain, called from threads."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from borderpost.faces.app import Faces
from borderpost.faces.capture.liveness import Challenge, combine, draw_steps
from borderpost.faces.capture.passive import judge
from borderpost.faces.capture.session import Capture, FrameTimes, Guidance, Kept, Sighting
from borderpost.faces.capture.thumbnail import Thumbnail, thumbnail_of
from borderpost.faces.capture.token import CaptureClaims, CaptureTokens
from borderpost.faces.domain import CaptureEnd, CaptureProblem, Extraction, Liveness, Look, Profile
from borderpost.faces.ports import PassiveLiveness
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.pictures import decode_picture

NONCE_BYTES: Final = 16

SinceBegin = Callable[[], int]
"""Milliseconds since the capture began, on a clock that nobody sets."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came: `number` counts all that were sent, from 0; times as in `FrameTimes`."""

    number: int
    data: bytes
    captured_ms: int
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What a capture came to. `token` is empty if `frames` is."""

    end: CaptureEnd
    frames: tuple[int, ...]
    token: bytes
    liveness: Liveness
    problems: tuple[CaptureProblem, ...]


class GuidedCapture:
    """One capture. Its methods are called one after the other, from any thread.

    It keeps no pictures, but for a passive liveness model: then the best frame's.
    """

    def __init__(
        self,
        captures: Captures,
        visit_id: str,
        caller: Actor,
        steps: Challenge | None,
        since_begin: SinceBegin,
    ) -> None:
        self.session_id = new_id()
        self._captures = captures
        self._visit_id = visit_id
        self._caller = caller
        self._since_begin = since_begin
        self._capture = Capture(steps)
        self._looks: dict[int, Look] = {}
        self._best_picture = b""

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there."""
        return self._capture.complete

    def see(self, frame: Frame) -> Guidance:
        """Look at one frame: decode, detect, points, quality. Nothing is embedded."""
        look = self._look(frame.data)
        guidance = self._capture.see(
            Sighting(
                frame.number,
                FrameTimes(frame.captured_ms, frame.arrived_ms, self._since_begin()),
                hashlib.sha256(frame.data).digest(),
                len(frame.data),
                look,
                self._captures.thumbnail_of(frame.data) if look is not None else None,
            )
        )
        if look is not None:
            self._looks[frame.number] = look
        for number in self._looks.keys() - self._capture.needed:
            del self._looks[number]
        if self._captures.passive and self._capture.best == frame.number:
            self._best_picture = frame.data
        return guidance

    def finish(self, end: CaptureEnd) -> CaptureResult:
        """Choose the frames, see whether they show one person, and sign."""
        chosen = self._one_person(self._capture.choose())
        liveness = self._capture.liveness
        if chosen and self._captures.passive:
            liveness = combine([liveness, self._passive(self._captures.passive, chosen[0])])
        token = b""
        if chosen:
            hashes = tuple(kept.sha256 for kept in chosen)
            token = self._captures.sign(self.session_id, self._visit_id, self._caller, hashes, liveness)
        return CaptureResult(
            end,
            tuple(kept.frame for kept in chosen),
            token,
            liveness,
            self._capture.problems_of(chosen),
        )

    def _look(self, data: bytes) -> Look | None:
        try:
            return self._captures.faces.look(data, "frame", Profile.LIVE, by_network=True)
        except BorderpostError as error:
            if error.reason.startswith("PICTURE_"):
                return None
            raise

    def _one_person(self, chosen: Sequence[Kept]) -> tuple[Kept, ...]:
        """The chosen frames that show the best one's face. Tells the challenge if its steps show another."""
        numbers = [*(kept.frame for kept in chosen), *self._capture.key_frames]
        faces = [views for number in numbers if (views := self._looks[number].views) is not None]
        if not chosen or not faces:
            return ()
        best, *others = self._captures.faces.templates(faces)
        same = [True, *(self._captures.faces.same_person(best, other) for other in others)]
        if not all(same[len(chosen) :]):
            self._capture.change_face()
        return tuple(kept for kept, is_same in zip(chosen, same[: len(chosen)], strict=True) if is_same)

    def _passive(self, model: PassiveLiveness, best: Kept) -> Liveness:
        face = self._looks[best.frame].face
        picture = decode_picture(self._best_picture, "frame")
        return judge(model, picture, face) if face else self._capture.liveness


class Captures:
    """Begins captures, and takes their frames back with their tokens. Safe to call from several threads at a time."""

    def __init__(
        self,
        faces: Faces,
        tokens: CaptureTokens,
        clock: Clock,
        with_eyes: bool = False,
        passive: PassiveLiveness | None = None,
        thumbnail_of: Callable[[bytes], Thumbnail] = thumbnail_of,
    ) -> None:
        """`with_eyes` tells whether `faces` can see that eyes are open: without it no blink is asked for."""
        self.faces = faces
        self.passive = passive
        self.thumbnail_of = thumbnail_of
        self._tokens = tokens
        self._clock = clock
        self._with_eyes = with_eyes

    def begin(
        self, visit_id: str, caller: Actor, with_challenge: bool, since_begin: SinceBegin
    ) -> GuidedCapture:
        """Begin a capture for a visit and a caller."""
        steps = Challenge(draw_steps(secrets.choice, self._with_eyes)) if with_challenge else None
        return GuidedCapture(self, visit_id, caller, steps, since_begin)

    def sign(
        self, session_id: str, visit_id: str, caller: Actor, frames: tuple[bytes, ...], liveness: Liveness
    ) -> bytes:
        """The token of a capture that has ended."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        claims = CaptureClaims(session_id, nonce, visit_id, caller, frames, liveness)
        return self._tokens.make(claims, self._clock.now())

    def extract(
        self, pictures: Sequence[bytes], profile: Profile, token: bytes, visit_id: str, caller: Actor
    ) -> Extraction:
        """As `Faces.extract`, with what the token says of these pictures.

        A token that doesn't fit makes the liveness UNDETERMINED, and is no error: the rest can still be known.
        """
        extraction = self.faces.extract(pictures, profile)
        liveness = self._tokens.check(token, visit_id, caller, pictures, self._clock.now())
        return replace(extraction, liveness=liveness)
