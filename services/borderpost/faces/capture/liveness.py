"""Liveness by challenge: movements that a picture can't make, in an order that nobody knows before. Pure.

The traveler looks straight, is then asked for one movement, and looks straight again, a few times over. What
comes is judged by geometry alone: the yaw of the head, the distance between the eyes, whether they are open.

What it is worth is not measured (ISO/IEC 30107-3): no data here can. It is made against a photograph and
against a recording of somebody; it does nothing against whoever can answer in time, such as a mask, or a program
that draws faces and feeds them in place of the camera. Its outcomes:

- PASSED: every step came as it was asked for, by one face, and in time.
- FAILED: other movements than the ones asked for, again and again: what a recording does.
- UNDETERMINED: anything else. A step that didn't come in time may be a photograph, and just as well somebody who
  didn't understand or can't do it; a face that was lost may have been covered by a hand. Neither is evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from borderpost.faces.domain import CaptureAction, EyesOpen, FaceBox, Liveness, Status

METHOD: Final = "challenge"
VERSION: Final = "1"
"""Counts up with every change of a rule or a limit below."""

# The limits are set by reason and by trial with a handful of pictures. None is measured on living people.

STEPS: Final = 3
"""Movements that have to come, in one of 10 orders (33 where blinks are asked for too): a recording that was made
before fits by chance, and more often for the steps that are forgiven."""

MAX_SPOILED: Final = 2
"""Steps that may be spoiled by another movement; each is replaced by a new one. People confuse left and right."""

MAX_ASIDE_DEGREES: Final = 15.0
"""How far aside the first straight face may look: cameras stand beside screens, and estimates are off by some."""

NEUTRAL_DEGREES: Final = 10.0
TURN_DEGREES: Final = 20.0
"""From where the first straight face looked: straight is up to the one, turned is from the other on; between them
nothing changes (hysteresis). The HOG detector loses most faces beyond 40 degrees."""

NEUTRAL_FRAMES: Final = 2
"""Frames in a row that show a straight face before a step is shown: the movement must begin after it."""

CLOSER: Final = 1.25
"""Growth of the distance between the eyes: from 60 cm to 48 cm."""

EYES_SHUT: Final = 0.2
EYES_OPEN: Final = 0.5
"""As `quality` judges eyes; between them nothing can be told."""

MIN_REACTION_MS: Final = 200
"""Nobody sees a word, understands it and turns the head within it: simple reactions to light alone take as long."""

STEP_MS: Final = 8_000
"""Time for one movement, and for coming back from it."""

BLINK_MS: Final = 3_000
"""Eyes that stay shut for longer are no blink."""

LOST_MS: Final = 1_000
"""A face may be missed for this long, as detectors miss a turned one. Nobody changes places in it unseen."""

MIN_OVERLAP: Final = 0.2
"""Intersection over union of a face's boxes in two frames that follow each other."""

TURNS: Final = {CaptureAction.TURN_LEFT: 1.0, CaptureAction.TURN_RIGHT: -1.0}


@dataclass(frozen=True, slots=True)
class Observation:
    """The traveler's face in one frame. Times are the service's own, in milliseconds since the capture began.

    `arrived_ms` is when the frame came in, `answered_ms` when it was looked at: what is shown for it is shown
    then. `yaw` is in degrees, positive to the traveler's own left. `eyes` is None where no model tells.
    """

    frame: int
    arrived_ms: int
    answered_ms: int
    box: FaceBox
    eye_distance: float
    yaw: float
    eyes: EyesOpen | None


def overlap(a: FaceBox, b: FaceBox) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    height = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    both = max(width, 0) * max(height, 0)
    return both / (a.area + b.area - both) if both else 0.0


def draw_steps(
    choose: Callable[[Sequence[CaptureAction]], CaptureAction], with_eyes: bool
) -> tuple[CaptureAction, ...]:
    """Draw the steps of one challenge, and those that replace spoiled ones.

    None follows itself, and coming closer is asked for once: nobody can forever. `choose` draws from a sequence,
    and must be one that nobody can foresee, such as `secrets.choice`.
    """
    steps: list[CaptureAction] = []
    for _ in range(STEPS + MAX_SPOILED):
        possible = [*TURNS, CaptureAction.MOVE_CLOSER, *([CaptureAction.BLINK] if with_eyes else [])]
        if CaptureAction.MOVE_CLOSER in steps:
            possible.remove(CaptureAction.MOVE_CLOSER)
        steps.append(choose([action for action in possible if action not in steps[-1:]]))
    return tuple(steps)


class FaceTrack:
    """Whether one and the same face stays in the picture: its box moves, and doesn't jump."""

    def __init__(self) -> None:
        self._box: FaceBox | None = None
        self._seen_ms = 0

    def follows(self, box: FaceBox | None, at_ms: int) -> bool:
        """Take in one frame; False where the face is lost for too long, or another one is in its place."""
        before, missed = self._box, at_ms - self._seen_ms
        if box is None:
            if before is None or missed <= LOST_MS:
                return True
            self._box = None
            return False
        self._box, self._seen_ms = box, at_ms
        return before is None or (missed <= LOST_MS and overlap(before, box) >= MIN_OVERLAP)


class Challenge:
    """One challenge, fed with what each frame shows. Its clock is that of the observations."""

    def __init__(self, steps: Sequence[CaptureAction]) -> None:
        """`steps` are the ones of `draw_steps`; they become known one by one."""
        self._steps = list(steps)
        self._action = CaptureAction.LOOK_STRAIGHT
        self._since_ms: int | None = None  # of this action; None before the first straight face
        self._straight: list[Observation] = []
        self._first_yaw: float | None = None
        self._shut_ms: int | None = None
        self._spoiled = 0
        self._verdict: tuple[Status, tuple[str, ...]] | None = None
        self.key_frames: list[int] = []
        """The frame in which each finished step came."""

    @property
    def action(self) -> CaptureAction:
        """What the traveler is asked for now."""
        return self._action

    @property
    def over(self) -> bool:
        """Whether its outcome stands."""
        return self._verdict is not None

    @property
    def begun(self) -> bool:
        """Whether a step has been shown."""
        return self._since_ms is not None

    @property
    def liveness(self) -> Liveness:
        """The outcome; before its end that it has none."""
        status, reasons = self._verdict or (Status.UNDETERMINED, ("CHALLENGE_NOT_FINISHED",))
        return Liveness(status, METHOD, VERSION, measured=False, reasons=reasons)

    def see(self, seen: Observation) -> None:
        """Take in a frame with a face."""
        self.wait(seen.arrived_ms)
        if self.over:
            return
        if self._action is CaptureAction.LOOK_STRAIGHT:
            self._look_straight(seen)
        elif seen.arrived_ms > (self._since_ms or 0):  # a frame from before the step was shown says nothing
            self._judge(seen)

    def wait(self, at_ms: int) -> None:
        """Take in that time has passed, whatever the frame shows."""
        if not self.over and self._since_ms is not None and at_ms - self._since_ms > STEP_MS:
            self._end(Status.UNDETERMINED, "CHALLENGE_TIMED_OUT")

    def lose_face(self) -> None:
        """Take in that the face was lost, or another one is in its place: even after the last step."""
        if self.begun and (self._verdict is None or self._verdict[0] is Status.PASSED):
            self._end(Status.UNDETERMINED, "CHALLENGE_FACE_LOST")
        self._straight.clear()

    def change_face(self) -> None:
        """Take in that a step was done by a face that is not the captured one."""
        if self.liveness.status is Status.PASSED:
            self._end(Status.UNDETERMINED, "CHALLENGE_FACE_CHANGED")

    def _look_straight(self, seen: Observation) -> None:
        if not self._is_straight(seen):
            self._straight.clear()
            return
        self._straight.append(seen)
        if len(self._straight) == NEUTRAL_FRAMES:
            if self._first_yaw is None:
                self._first_yaw = seen.yaw
            self._show(self._steps.pop(0), seen.answered_ms)

    def _is_straight(self, seen: Observation) -> bool:
        if self._first_yaw is None:
            return abs(seen.yaw) <= MAX_ASIDE_DEGREES
        return abs(seen.yaw - self._first_yaw) <= NEUTRAL_DEGREES

    def _judge(self, seen: Observation) -> None:
        yaw = seen.yaw - median(before.yaw for before in self._straight)
        wanted = TURNS.get(self._action)
        if wanted is not None:
            came, other = wanted * yaw >= TURN_DEGREES, wanted * yaw <= -TURN_DEGREES
        else:
            came, other = self._came_closer_or_blinked(seen), abs(yaw) >= TURN_DEGREES
        too_soon = seen.arrived_ms - (self._since_ms or 0) < MIN_REACTION_MS
        if other or (came and too_soon):
            self._spoil(seen.answered_ms)
        elif came:
            self._finish(seen)

    def _came_closer_or_blinked(self, seen: Observation) -> bool:
        if self._action is CaptureAction.MOVE_CLOSER:
            return seen.eye_distance >= CLOSER * median(before.eye_distance for before in self._straight)
        if seen.eyes is None:
            return False
        if max(seen.eyes.left, seen.eyes.right) <= EYES_SHUT:
            # Everybody blinks now and then: one that was on its way already doesn't count, and spoils nothing.
            if self._shut_ms is None and seen.arrived_ms - (self._since_ms or 0) >= MIN_REACTION_MS:
                self._shut_ms = seen.arrived_ms
            return False
        shut_ms = self._shut_ms
        if shut_ms is None or not _open(seen.eyes):
            return False
        self._shut_ms = None
        return seen.arrived_ms - shut_ms <= BLINK_MS

    def _spoil(self, at_ms: int) -> None:
        self._spoiled += 1
        if self._spoiled > MAX_SPOILED:
            self._end(Status.FAILED, "CHALLENGE_OTHER_MOVEMENTS")
        else:
            self._show(CaptureAction.LOOK_STRAIGHT, at_ms)

    def _finish(self, seen: Observation) -> None:
        self.key_frames.append(seen.frame)
        if len(self.key_frames) == STEPS:
            self._end(Status.PASSED)
        else:
            self._show(CaptureAction.LOOK_STRAIGHT, seen.answered_ms)

    def _show(self, action: CaptureAction, at_ms: int) -> None:
        self._action, self._since_ms, self._shut_ms = action, at_ms, None
        if action is CaptureAction.LOOK_STRAIGHT:
            self._straight.clear()

    def _end(self, status: Status, *reasons: str) -> None:
        self._action, self._verdict = CaptureAction.LOOK_STRAIGHT, (status, reasons)


def combine(results: Sequence[Liveness]) -> Liveness:
    """One result of several methods.

    FAILED if one FAILED; otherwise UNDETERMINED if one is; PASSED if all that were used PASSED. Methods that were
    not used say nothing. It is measured only if each is.
    """
    used = [result for result in results if result.status is not Status.NOT_PERFORMED]
    if len(used) < 2:
        return used[0] if used else results[0]
    statuses = {result.status for result in used}
    status = next(s for s in (Status.FAILED, Status.UNDETERMINED, Status.PASSED) if s in statuses)
    return Liveness(
        status,
        method=" + ".join(f"{result.method} {result.version}" for result in used),
        version=None,
        measured=all(result.measured for result in used),
        reasons=tuple(dict.fromkeys(reason for result in used for reason in result.reasons)),
    )


def _open(eyes: EyesOpen) -> bool:
    return min(eyes.left, eyes.right) >= EYES_OPEN
