"""A guided capture: which frames are kept, when there are enough, and that a picture is no traveler."""

from __future__ import annotations

import hashlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from borderpost.faces.capture import session as rules
from borderpost.faces.capture.liveness import Challenge
from borderpost.faces.capture.session import Capture, FrameTimes, Sighting
from borderpost.faces.domain import CaptureAction, CaptureProblem, Status
from borderpost.runtime.errors import PictureDamagedError
from fakes.looks import DAMAGED, frame, look_at, thumbnail_of

LEFT, RIGHT = CaptureAction.TURN_LEFT, CaptureAction.TURN_RIGHT
STEPS = (LEFT, CaptureAction.MOVE_CLOSER, RIGHT, LEFT, RIGHT)


class Camera:
    """Sends frames to a capture, one after the other."""

    def __init__(self, challenge=None):
        self.capture = Capture(challenge)
        self.at_ms = 0
        self.numbers = itertools.count()

    def send(self, data, after_ms=200, size=1000):
        self.at_ms += after_ms
        try:
            look = look_at(data)
        except PictureDamagedError:
            look = None
        times = FrameTimes(self.at_ms, self.at_ms, self.at_ms + 40)
        return self.capture.see(
            Sighting(
                next(self.numbers),
                times,
                hashlib.sha256(data).digest(),
                size,
                look,
                thumbnail_of(data) if look else None,
            )
        )

    def chosen(self):
        return [kept.frame for kept in self.capture.choose()]


def test_five_good_frames_make_it_complete():
    camera = Camera()
    progress = [camera.send(frame()).progress for _ in range(rules.WANTED)]
    assert progress == [20, 40, 60, 80, 100]
    assert camera.capture.complete
    assert camera.chosen() == [0, 1, 2, 3, 4]


def test_the_same_bytes_count_once():
    camera, same = Camera(), frame()
    for _ in range(10):
        guidance = camera.send(same)
    assert guidance.kept == (0,)
    assert not camera.capture.complete


def test_a_loop_of_frames_counts_each_of_them_once():
    camera, loop = Camera(), [frame() for _ in range(3)]
    for _ in range(5):
        for data in loop:
            camera.send(data)
    assert camera.chosen() == [0, 1, 2]


def test_a_frozen_picture_with_other_bytes_counts_once():
    camera = Camera()
    for number in range(10):
        camera.send(frame(same=7, number=number))
    assert camera.chosen() == [0]


def test_frames_too_near_in_time_count_as_one():
    camera = Camera()
    for _ in range(30):
        camera.send(frame(), after_ms=10)
    assert 1 <= len(camera.chosen()) <= 300 // rules.SPACING_MS


def test_a_frame_with_a_problem_is_not_kept_beside_good_ones():
    camera = Camera()
    assert camera.send(frame(problem="TOO_DARK")).problems == (CaptureProblem.TOO_DARK,)
    camera.send(frame())
    assert camera.chosen() == [1]


def test_where_no_frame_is_good_the_best_one_with_a_face_is_chosen_with_what_is_wrong():
    camera = Camera()
    guidance = camera.send(frame(problem="TOO_DARK"))
    assert guidance.kept == (0,)
    chosen = camera.capture.choose()
    assert [kept.frame for kept in chosen] == [0]
    assert camera.capture.problems_of(chosen) == (CaptureProblem.TOO_DARK,)


def test_without_a_face_nothing_is_chosen_and_the_reason_is_said():
    camera = Camera()
    camera.send(frame(""))
    assert camera.send(DAMAGED).problems == (CaptureProblem.PICTURE_UNREADABLE,)
    assert camera.chosen() == []
    assert camera.capture.problems_of(()) == (CaptureProblem.PICTURE_UNREADABLE,)


def test_another_face_begins_anew():
    camera = Camera()
    for _ in range(3):
        camera.send(frame("anna", x=300))
    camera.send(frame("bert", x=600))
    assert camera.chosen() == [3]


def test_a_face_that_was_away_begins_anew():
    camera = Camera()
    camera.send(frame())
    for _ in range(8):
        camera.send(frame(""))
    assert camera.send(frame()).kept == (9,)


def test_chosen_frames_fit_into_one_request_beside_the_page():
    camera = Camera()
    for _ in range(rules.WANTED):
        camera.send(frame(), size=5 * 1024 * 1024)
    assert len(camera.chosen()) == 3
    assert sum(kept.size for kept in camera.capture.choose()) <= rules.MAX_CHOSEN_BYTES


def test_while_a_turn_is_asked_for_a_turned_head_is_no_problem():
    camera = Camera(Challenge(STEPS))
    while camera.send(frame()).action is CaptureAction.LOOK_STRAIGHT:
        pass
    assert camera.send(frame(yaw=15.0, problem="HEAD_TURNED")).problems == ()


def test_while_a_blink_is_asked_for_closed_eyes_are_no_problem():
    camera = Camera(Challenge((CaptureAction.BLINK, *STEPS[:4])))
    while camera.send(frame(eyes=0.9)).action is CaptureAction.LOOK_STRAIGHT:
        pass
    assert camera.send(frame(eyes=0.1, problem="EYES_CLOSED")).problems == ()


def test_without_a_challenge_liveness_is_not_performed():
    assert Camera().capture.liveness.status is Status.NOT_PERFORMED


def _follow(camera, send):
    """Do what is asked until it is complete; `send` makes the frames of an action."""
    action, frames = CaptureAction.LOOK_STRAIGHT, 0
    while not camera.capture.complete and frames < 200:
        for data in send(action):
            action = camera.send(data).action
            frames += 1
    return frames


def _living(action):
    yaw = {CaptureAction.TURN_LEFT: 25.0, CaptureAction.TURN_RIGHT: -25.0}.get(action, 0.0)
    size = 130 if action is CaptureAction.MOVE_CLOSER else 100
    return [frame(), frame(yaw=yaw / 2, size=(size + 100) // 2), frame(yaw=yaw, size=size)]


def test_a_challenge_that_is_followed_completes_the_capture():
    camera = Camera(Challenge(STEPS))
    _follow(camera, _living)
    assert camera.capture.complete
    assert camera.capture.liveness.status is Status.PASSED
    assert len(camera.capture.key_frames) == 3


def test_a_photograph_completes_it_without_passing():
    camera = Camera(Challenge(STEPS))
    _follow(camera, lambda _: [frame()])
    assert camera.capture.complete
    assert camera.send(frame()).progress < 100
    assert camera.capture.liveness.status is Status.UNDETERMINED


seen = st.one_of(
    st.builds(
        frame,
        st.sampled_from(["anna", "bert", ""]),
        yaw=st.floats(-40, 40),
        x=st.integers(200, 500),
        size=st.integers(50, 200),
    ),
    st.builds(frame, st.just("anna"), problem=st.sampled_from(["TOO_DARK", "NO_FACE", "HEAD_TURNED"])),
    st.just(DAMAGED),
)


@given(st.booleans(), st.lists(st.tuples(seen, st.integers(0, 1500), st.integers(1, 2**23)), max_size=60))
def test_whatever_comes_progress_never_falls_and_what_is_kept_has_an_end(with_challenge, frames):
    camera = Camera(Challenge(STEPS) if with_challenge else None)
    progress = 0
    kept_before = set()
    for number, (data, after_ms, size) in enumerate(frames):
        guidance = camera.send(data, after_ms, size)
        assert progress <= guidance.progress <= 100
        progress = guidance.progress
        assert set(guidance.kept) <= kept_before | {number}, "what was forgotten never comes back"
        kept_before = set(guidance.kept)
        assert len(guidance.kept) <= rules.MAX_KEPT
        assert len(camera.capture.needed) <= rules.MAX_KEPT + 3
        chosen = camera.capture.choose()
        assert {kept.frame for kept in chosen} <= kept_before
        assert len({kept.sha256 for kept in chosen}) == len(chosen)
        times = sorted(kept.captured_ms for kept in chosen)
        assert all(b - a >= rules.SPACING_MS for a, b in itertools.pairwise(times))
        assert sum(kept.size for kept in chosen) <= rules.MAX_CHOSEN_BYTES
