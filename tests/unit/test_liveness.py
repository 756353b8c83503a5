"""Liveness by challenge: what passes, what doesn't, and that nothing in between is taken for either."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderpost.faces.capture import liveness
from borderpost.faces.capture.liveness import Challenge, FaceTrack, Observation, combine, draw_steps, overlap
from borderpost.faces.domain import (
    LIVENESS_NOT_PERFORMED,
    CaptureAction,
    EyesOpen,
    FaceBox,
    Liveness,
    Status,
)

LEFT, RIGHT = CaptureAction.TURN_LEFT, CaptureAction.TURN_RIGHT
CLOSER, BLINK, STRAIGHT = CaptureAction.MOVE_CLOSER, CaptureAction.BLINK, CaptureAction.LOOK_STRAIGHT
BOX = FaceBox(100, 100, 100, 100)
FRAME_MS = 100
ANSWER_MS = 40


def drawn_by(seed):
    return random.Random(seed).choice  # noqa: S311 -- drawn again the same in every run


class Traveler:
    """Somebody before the camera at ten frames a second, who does what `moves` says about each action."""

    def __init__(self, steps, moves=None):
        self.challenge = Challenge(steps)
        self.at_ms = 0
        self.frame = 0
        self.moves = moves or {}

    def be(self, yaw=0.0, distance=60.0, eyes=1.0, frames=1):
        for _ in range(frames):
            self.at_ms += FRAME_MS
            seen = Observation(
                self.frame, self.at_ms, self.at_ms + ANSWER_MS, BOX, distance, yaw, EyesOpen(eyes, eyes)
            )
            self.challenge.see(seen)
            self.frame += 1
        return self

    def do(self, action):
        """Do it as a living person would: after a while, and not all at once."""
        self.be(frames=3)
        match action:
            case CaptureAction.TURN_LEFT:
                self.be(12).be(18).be(25)
            case CaptureAction.TURN_RIGHT:
                self.be(-12).be(-18).be(-25)
            case CaptureAction.MOVE_CLOSER:
                self.be(distance=68).be(distance=74).be(distance=80)
            case CaptureAction.BLINK:
                self.be(eyes=0.1, frames=2).be(eyes=0.9)

    def obey(self):
        """Do what is asked for, until nothing is or too long."""
        for _ in range(40):
            if self.challenge.over:
                break
            action = self.challenge.action
            if action is STRAIGHT:
                self.be(frames=2)
            else:
                self.do(self.moves.get(action, action))
        return self.challenge.liveness


STEPS = (LEFT, CLOSER, RIGHT, LEFT, RIGHT)


@pytest.mark.parametrize("steps", [STEPS, (BLINK, RIGHT, CLOSER, BLINK, LEFT)], ids=["turns", "blink"])
def test_who_does_what_is_asked_passes_and_it_is_called_unmeasured(steps):
    assert Traveler(steps).obey() == Liveness(Status.PASSED, "challenge", "1", measured=False)


def test_each_step_has_its_key_frame():
    traveler = Traveler(STEPS)
    traveler.obey()
    assert len(traveler.challenge.key_frames) == liveness.STEPS


def test_a_face_that_never_moves_is_undetermined_and_not_failed():
    traveler = Traveler(STEPS)
    traveler.be(frames=200)
    result = traveler.challenge.liveness
    assert (result.status, result.reasons) == (Status.UNDETERMINED, ("CHALLENGE_TIMED_OUT",))


def test_a_step_is_shown_only_to_who_looks_straight():
    traveler = Traveler(STEPS)
    traveler.be(25, frames=50)
    assert not traveler.challenge.begun
    assert traveler.challenge.action is STRAIGHT
    assert traveler.be(frames=2).challenge.action is LEFT


def test_the_steps_become_known_one_by_one():
    traveler = Traveler(STEPS)
    traveler.be(frames=2)
    traveler.do(LEFT)
    assert traveler.challenge.action is STRAIGHT, "back first"
    traveler.be(frames=2)
    assert traveler.challenge.action is CLOSER


def test_other_movements_again_and_again_fail():
    traveler = Traveler((LEFT, RIGHT, LEFT, RIGHT, LEFT), moves={LEFT: RIGHT, RIGHT: LEFT})
    result = traveler.obey()
    assert (result.status, result.reasons) == (Status.FAILED, ("CHALLENGE_OTHER_MOVEMENTS",))


def test_after_another_movement_the_right_one_does_not_count_but_a_new_step_is_shown():
    traveler = Traveler(STEPS)
    traveler.be(frames=2).be(frames=3).be(-25).be(frames=1).be(25)
    assert traveler.challenge.key_frames == []
    assert traveler.be(frames=2).challenge.action is CLOSER, "the next of the drawn ones"
    assert traveler.obey().status is Status.PASSED


def test_a_turn_while_coming_closer_is_asked_for_is_another_movement():
    traveler = Traveler((CLOSER, LEFT, RIGHT, LEFT, RIGHT))
    traveler.be(frames=5).be(25)
    assert traveler.challenge.action is STRAIGHT
    assert traveler.challenge.key_frames == []


def test_what_comes_sooner_than_anybody_can_react_does_not_count():
    traveler = Traveler(STEPS)
    traveler.be(frames=2).be(25)  # 60 ms after it was shown
    assert traveler.challenge.key_frames == []
    assert traveler.challenge.action is STRAIGHT


def test_a_frame_that_came_in_before_the_step_was_shown_says_nothing():
    challenge = Challenge(STEPS)
    for at_ms in (100, 200):
        challenge.see(Observation(0, at_ms, 900, BOX, 60, 0, None))
    challenge.see(Observation(1, 880, 950, BOX, 60, -25, None))
    assert challenge.action is LEFT, "neither done nor spoiled"


def test_a_blink_that_was_on_its_way_already_neither_counts_nor_spoils():
    traveler = Traveler((BLINK, LEFT, RIGHT, LEFT, RIGHT))
    traveler.be(frames=2).be(eyes=0.1).be(eyes=0.9)
    assert traveler.challenge.action is BLINK
    traveler.do(BLINK)
    assert len(traveler.challenge.key_frames) == 1


def test_eyes_that_stay_shut_are_no_blink():
    traveler = Traveler((BLINK, LEFT, RIGHT, LEFT, RIGHT))
    traveler.be(frames=5).be(eyes=0.1, frames=40).be(eyes=0.9)
    assert traveler.challenge.key_frames == []


def test_a_half_turn_is_neither_straight_nor_turned():
    traveler = Traveler(STEPS)
    traveler.be(frames=5).be(15, frames=20)
    assert traveler.challenge.action is LEFT
    assert traveler.challenge.key_frames == []


def test_a_camera_that_stands_aside_is_allowed_for():
    traveler = Traveler(STEPS)
    traveler.be(8, frames=5).be(25)
    assert traveler.challenge.key_frames == [], "25 is 17 from where it began"
    traveler.be(29)
    assert len(traveler.challenge.key_frames) == 1


def test_a_lost_face_makes_it_undetermined_even_after_the_last_step():
    traveler = Traveler(STEPS)
    assert traveler.obey().status is Status.PASSED
    traveler.challenge.lose_face()
    assert traveler.challenge.liveness.reasons == ("CHALLENGE_FACE_LOST",)
    assert traveler.challenge.liveness.status is Status.UNDETERMINED


def test_a_face_lost_before_the_first_step_costs_nothing():
    traveler = Traveler(STEPS)
    traveler.be(frames=1).challenge.lose_face()
    assert traveler.obey().status is Status.PASSED


def test_steps_done_by_another_face_make_it_undetermined():
    traveler = Traveler(STEPS)
    traveler.obey()
    traveler.challenge.change_face()
    assert traveler.challenge.liveness.reasons == ("CHALLENGE_FACE_CHANGED",)


def test_a_lost_face_does_not_undo_a_failure():
    traveler = Traveler((LEFT, RIGHT, LEFT, RIGHT, LEFT), moves={LEFT: RIGHT, RIGHT: LEFT})
    traveler.obey()
    traveler.challenge.lose_face()
    traveler.challenge.change_face()
    assert traveler.challenge.liveness.status is Status.FAILED


def test_before_its_end_it_is_not_finished():
    assert Challenge(STEPS).liveness.reasons == ("CHALLENGE_NOT_FINISHED",)


frames = st.lists(
    st.tuples(
        st.integers(1, 3000),
        st.floats(-45, 45),
        st.floats(20, 200),
        st.floats(0, 1),
        st.sampled_from(["see", "wait", "lose"]),
    ),
    max_size=150,
)


@given(st.integers(), frames)
def test_whatever_is_seen_it_passes_only_with_every_step_done_in_its_time(seed, seen):
    steps = draw_steps(drawn_by(seed), with_eyes=True)
    challenge, at_ms = Challenge(steps), 0
    shown_ms: dict[int, int] = {}
    for number, (gap, yaw, distance, eyes, what) in enumerate(seen):
        at_ms += gap
        if what == "lose":
            challenge.lose_face()
        elif what == "wait":
            challenge.wait(at_ms)
        else:
            before = challenge.action
            done = len(challenge.key_frames)
            challenge.see(Observation(number, at_ms, at_ms + 10, BOX, distance, yaw, EyesOpen(eyes, eyes)))
            if before is STRAIGHT and challenge.action is not STRAIGHT:
                shown_ms[done] = at_ms + 10
            if len(challenge.key_frames) > done:
                assert liveness.MIN_REACTION_MS <= at_ms - shown_ms[done] <= liveness.STEP_MS
    if challenge.liveness.status is Status.PASSED:
        assert len(challenge.key_frames) == liveness.STEPS
        assert challenge.liveness.reasons == ()
    else:
        assert challenge.liveness.reasons


@given(st.integers(), st.booleans())
def test_drawn_steps_never_follow_themselves_and_ask_once_to_come_closer(seed, with_eyes):
    steps = draw_steps(drawn_by(seed), with_eyes)
    assert len(steps) == liveness.STEPS + liveness.MAX_SPOILED
    assert all(a is not b for a, b in itertools.pairwise(steps))
    assert steps.count(CLOSER) <= 1
    assert STRAIGHT not in steps
    assert with_eyes or BLINK not in steps


@pytest.mark.parametrize(("with_eyes", "orders"), [(False, 10), (True, 33)], ids=["no eyes", "eyes"])
def test_the_orders_of_the_first_steps_are_as_many_as_the_page_says(with_eyes, orders):
    choose = drawn_by(1)
    assert len({draw_steps(choose, with_eyes)[: liveness.STEPS] for _ in range(3000)}) == orders


@pytest.mark.parametrize(
    ("box", "at_ms", "follows"),
    [
        (replace(BOX, left=130), 500, True),
        (replace(BOX, left=190), 500, False),
        (BOX, 1000, True),
        (BOX, 1001, False),
        (None, 900, True),
        (None, 1001, False),
    ],
    ids=["moves", "jumps", "back in time", "back too late", "missed", "gone"],
)
def test_a_face_is_followed_while_its_box_moves_and_is_missed_for_a_moment_only(box, at_ms, follows):
    track = FaceTrack()
    assert track.follows(BOX, 0)
    assert track.follows(box, at_ms) is follows


boxes = st.builds(FaceBox, *[st.integers(-200, 200)] * 2, *[st.integers(1, 200)] * 2)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_share(a, b):
    assert 0 <= overlap(a, b) == overlap(b, a) <= 1
    assert overlap(a, a) == 1


def _of(status, method="m", measured=False, *reasons):
    return Liveness(status, method, "1", measured, reasons)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Status.PASSED, Status.PASSED, Status.PASSED),
        (Status.PASSED, Status.FAILED, Status.FAILED),
        (Status.UNDETERMINED, Status.FAILED, Status.FAILED),
        (Status.UNDETERMINED, Status.PASSED, Status.UNDETERMINED),
    ],
)
def test_methods_are_combined_by_the_worst(one, other, both):
    for pair in ((one, other), (other, one)):
        combined = combine([_of(status) for status in pair])
        assert (combined.status, combined.method) == (both, "m 1 + m 1")


def test_a_method_that_was_not_used_says_nothing():
    passed = _of(Status.PASSED)
    assert combine([LIVENESS_NOT_PERFORMED, passed]) == passed
    assert combine([LIVENESS_NOT_PERFORMED]) == LIVENESS_NOT_PERFORMED


def test_a_combination_is_measured_only_if_each_of_its_methods_is():
    assert not combine([_of(Status.PASSED, "a", True), _of(Status.PASSED, "b", False)]).measured
