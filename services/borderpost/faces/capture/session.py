"""A guided capture: what is asked for next, which frames are kept, when there are enough. Pure: no clock, no I/O.

Frames go in as what was seen in them, with the service's time; guidance comes out for each, and in the end the
frames that were chosen. Kept are numbers and hashes of frames and one thumbnail, never pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from borderpost.faces import quality
from borderpost.faces.capture.liveness import STEPS, Challenge, FaceTrack, Observation
from borderpost.faces.capture.thumbnail import Thumbnail, is_same
from borderpost.faces.domain import (
    LIVENESS_NOT_PERFORMED,
    CaptureAction,
    CaptureProblem,
    Face,
    FaceBox,
    Liveness,
    Look,
    QualityReport,
    Status,
)
from borderpost.faces.quality.pose import yaw_of

MAX_MS: Final = 60_000
"""Longest time of a capture. Frontex asks gates for a whole transaction well below that."""

MAX_FRAMES: Final = 1_800
"""Frames that a capture takes: a minute of 30 a second. Whoever sends faster ends sooner."""

SILENCE_MS: Final = 5_000
"""Without a frame for as long the caller is taken to be gone."""

WANTED: Final = 5
"""Good frames that make a capture complete. What several frames gain over one is in docs/accuracy.md."""

MAX_KEPT: Final = 8
"""As many as ScreenTraveler takes."""

SPACING_MS: Final = 150
"""Time between kept frames, by the camera: neighbours at 30 frames a second are nearly one picture, and a mean
over them gains nothing."""

MAX_CHOSEN_BYTES: Final = 16 * 1024 * 1024
"""Of all chosen frames together, so that they and the page fit into one ScreenTravelerRequest (32 MiB)."""

_ASKED_FOR: Final = {
    CaptureAction.TURN_LEFT: frozenset({CaptureProblem.HEAD_TURNED}),
    CaptureAction.TURN_RIGHT: frozenset({CaptureProblem.HEAD_TURNED}),
    CaptureAction.BLINK: frozenset({CaptureProblem.EYES_CLOSED}),
}
"""Problems that are no problems while this is asked for."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Milliseconds. `captured` by the caller's clock; by the service's, since the capture began, the others:
    when the frame came in, and when it was looked at."""

    captured: int
    arrived: int
    answered: int


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One frame, looked at. `look` and `thumbnail` are None for a frame that is no picture."""

    frame: int
    times: FrameTimes
    sha256: bytes
    size: int
    look: Look | None
    thumbnail: Thumbnail | None


@dataclass(frozen=True, slots=True)
class Guidance:
    """What is to be said after one frame. `kept` are the frames that may still be chosen."""

    frame: int
    action: CaptureAction
    problems: tuple[CaptureProblem, ...]
    box: FaceBox | None
    progress: int
    kept: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A frame that may be chosen."""

    frame: int
    captured_ms: int
    sha256: bytes
    size: int
    quality: QualityReport


class Capture:
    """The state of one capture. Without a challenge liveness is not looked at."""

    def __init__(self, challenge: Challenge | None) -> None:
        self._challenge = challenge
        self._track = FaceTrack()
        self._kept: list[Kept] = []
        self._fallback: Kept | None = None
        self._hashes: set[bytes] = set()
        self._last_thumbnail: Thumbnail | None = None
        self._progress = 0
        self._problems: tuple[CaptureProblem, ...] = (CaptureProblem.NO_FACE,)

    @property
    def action(self) -> CaptureAction:
        """What the traveler is asked for now."""
        return self._challenge.action if self._challenge else CaptureAction.LOOK_STRAIGHT

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there."""
        return len(self._kept) >= WANTED and (self._challenge is None or self._challenge.over)

    @property
    def liveness(self) -> Liveness:
        """What the challenge came to, so far."""
        return self._challenge.liveness if self._challenge else LIVENESS_NOT_PERFORMED

    @property
    def key_frames(self) -> tuple[int, ...]:
        """The frames in which the steps of the challenge came."""
        return tuple(self._challenge.key_frames) if self._challenge else ()

    @property
    def needed(self) -> frozenset[int]:
        """The frames whose chips are needed until the end."""
        return frozenset([*self._candidates, *self.key_frames])

    def see(self, seen: Sighting) -> Guidance:
        """Take in one frame, and say what is next."""
        face = seen.look.face if seen.look else None
        problems = seen.look.quality.problems if seen.look else (CaptureProblem.PICTURE_UNREADABLE,)
        if not self._track.follows(face.box if face else None, seen.times.arrived):
            self._begin_anew()
        if seen.look is not None and face is not None and self._is_new(seen):
            self._keep(seen, seen.look)
            if self._challenge:
                self._challenge.see(_observation(seen, seen.look, face))
        elif self._challenge:
            self._challenge.wait(seen.times.arrived)
        self._progress = max(self._progress, self._share_done())
        if not self._kept:
            self._problems = self._fallback.quality.problems if self._fallback else problems
        return Guidance(
            seen.frame,
            self.action,
            tuple(p for p in problems if p not in _ASKED_FOR.get(self.action, frozenset())),
            face.box if face else None,
            self._progress,
            self._candidates,
        )

    def choose(self) -> tuple[Kept, ...]:
        """The frames to use, best first. One with problems where there is none without; none without a face."""
        left = self._kept_or_fallback()
        chosen: list[Kept] = []
        room = MAX_CHOSEN_BYTES
        while left:
            best = left.pop(quality.best_of([kept.quality for kept in left]))
            if best.size <= room:
                chosen.append(best)
                room -= best.size
        return tuple(chosen)

    @property
    def best(self) -> int | None:
        """The best frame so far. It changes only to the frame that was seen last."""
        return next((kept.frame for kept in self.choose()), None)

    def problems_of(self, chosen: Sequence[Kept]) -> tuple[CaptureProblem, ...]:
        """What was wrong with the best frame, or where there is none with the last."""
        return chosen[0].quality.problems if chosen else self._problems

    def change_face(self) -> None:
        """Take in that a step was done by another face than the chosen frames'."""
        if self._challenge:
            self._challenge.change_face()

    @property
    def _candidates(self) -> tuple[int, ...]:
        return tuple(sorted(kept.frame for kept in self._kept_or_fallback()))

    def _kept_or_fallback(self) -> list[Kept]:
        return list(self._kept) or ([self._fallback] if self._fallback else [])

    def _begin_anew(self) -> None:
        """Another face, or one that was away: frames of two people must not become one template."""
        self._kept.clear()
        self._fallback = None
        if self._challenge:
            self._challenge.lose_face()

    def _is_new(self, seen: Sighting) -> bool:
        """Whether this is another picture than those before: a frozen or repeated one proves nothing."""
        before, self._last_thumbnail = self._last_thumbnail, seen.thumbnail
        if seen.sha256 in self._hashes:
            return False
        self._hashes.add(seen.sha256)
        return before is None or seen.thumbnail is None or not is_same(before, seen.thumbnail)

    def _keep(self, seen: Sighting, look: Look) -> None:
        new = Kept(seen.frame, seen.times.captured, seen.sha256, seen.size, look.quality)
        if look.quality.problems:
            if self._fallback is None or _better(new, self._fallback):
                self._fallback = new
            return
        # Frames come in order of time, so only the last one can be too near.
        if self._kept and new.captured_ms - self._kept[-1].captured_ms < SPACING_MS:
            if _better(new, self._kept[-1]):
                self._kept[-1] = new
            return
        self._kept.append(new)
        if len(self._kept) > MAX_KEPT:
            self._kept.remove(_worst(self._kept))

    def _share_done(self) -> int:
        frames = min(len(self._kept), WANTED)
        if self._challenge is None:
            return round(100 * frames / WANTED)
        steps = len(self._challenge.key_frames)
        if self._challenge.over and self._challenge.liveness.status is not Status.PASSED:
            steps = min(steps, STEPS - 1)  # 100 only where everything that was asked for came
        return round(100 * (frames + steps) / (WANTED + STEPS))


def _observation(seen: Sighting, look: Look, face: Face) -> Observation:
    return Observation(
        frame=seen.frame,
        arrived_ms=seen.times.arrived,
        answered_ms=seen.times.answered,
        box=face.box,
        eye_distance=face.landmarks.inter_eye_distance,
        yaw=look.pose.yaw if look.pose else yaw_of(face.landmarks) or 0.0,
        eyes=look.eyes,
    )


def _better(a: Kept, b: Kept) -> bool:
    return quality.best_of([b.quality, a.quality]) == 1


def _worst(kept: Sequence[Kept]) -> Kept:
    left = list(kept)
    while len(left) > 1:
        left.pop(quality.best_of([each.quality for each in left]))
    return left[0]
