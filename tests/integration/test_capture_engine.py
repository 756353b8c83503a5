"""Guided captures by a real engine, of simulated cameras: what is measured is geometry, not living people."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.app import Faces
from borderpost.faces.capture.app import Captures, Frame
from borderpost.faces.capture.liveness import Challenge
from borderpost.faces.capture.thumbnail import is_same, thumbnail_of
from borderpost.faces.capture.token import CaptureTokens
from borderpost.faces.domain import CaptureAction, CaptureEnd, Status
from borderpost.kiosk.camera import StillCamera
from borderpost.runtime.calibration import load_calibration
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import SystemClock, new_id
from borderpost.specimens.samples import load_samples
from borderpost.v1 import faces_pb2

SAMPLES = Path(__file__).parents[2] / ".cache/samples"
DATA = Path(os.environ.get("BORDERPOST_DATA", Path(__file__).parents[3] / "shared/data"))
LFW = DATA / "faces/lfw/lfw-deepfunneled"
FRAME_MS = 80
LEFT, RIGHT, CLOSER = CaptureAction.TURN_LEFT, CaptureAction.TURN_RIGHT, CaptureAction.MOVE_CLOSER


@pytest.fixture(scope="module")
def samples():
    if not (SAMPLES / "obama.jpg").exists():
        pytest.skip("the sample pictures are not here: `make samples` fetches them")
    return load_samples(SAMPLES)


@pytest.fixture(scope="module")
def captures():
    engine = load_engine("dlib")
    faces = Faces(engine, load_calibration(engine.embedder.card.id))
    return Captures(faces, CaptureTokens(Ed25519PrivateKey.generate()), SystemClock())


def jpeg(picture, quality=92):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def small(picture):
    image = Image.open(io.BytesIO(picture))
    return jpeg(image.resize((image.width // 2, image.height // 2)))


def guide(captures, camera, steps=None, frames=400, frame_ms=FRAME_MS):
    """Film until it is complete, in a time of its own. Returns the result and how many frames it took."""
    clock = [0]
    capture = captures.begin(new_id(), Actor("test", "kiosk/north/1"), False, lambda: clock[0])
    if steps:
        capture._capture._challenge = Challenge(steps)
    for number in range(frames):
        clock[0] += frame_ms
        guidance = capture.see(Frame(number, camera.frame(), clock[0], clock[0]))
        camera.obey(
            faces_pb2.CaptureGuidance(action=f"CAPTURE_ACTION_{guidance.action.name}"),
        )
        if capture.complete:
            return capture.finish(CaptureEnd.COMPLETE), number + 1
    return capture.finish(CaptureEnd.FRAMES), frames


def test_a_still_traveler_is_captured_within_a_second_and_a_half(captures, samples):
    result, frames = guide(captures, StillCamera(small(samples.a_live)))
    assert result.end is CaptureEnd.COMPLETE
    assert frames * FRAME_MS <= 1500
    assert len(result.frames) == 5
    assert result.problems == ()


def test_a_photograph_can_come_closer_but_not_turn(captures, samples):
    steps = (CLOSER, LEFT, RIGHT, LEFT, RIGHT)
    result, _ = guide(captures, StillCamera(small(samples.a_live)), steps, frame_ms=400)
    assert result.liveness.status is Status.UNDETERMINED
    assert result.liveness.reasons == ("CHALLENGE_TIMED_OUT",)


def test_a_frozen_picture_never_completes_however_it_is_saved(captures, samples):
    picture = Image.open(io.BytesIO(samples.a_live)).convert("RGB")
    frozen = [jpeg(picture, quality) for quality in (95, 90, 85, 80, 75)]

    class Frozen:
        number = 0

        def frame(self):
            self.number += 1
            return frozen[self.number % len(frozen)]

        def obey(self, _):
            pass

    result, _ = guide(captures, Frozen(), frames=20)
    assert len(result.frames) == 1


@pytest.mark.parametrize("width", [320, 640, 1280])
def test_saving_again_and_noise_are_no_movement_and_a_pixel_is(samples, width):
    rng = np.random.default_rng(7)
    for data in (samples.a_live, samples.a_portrait, samples.b_live):
        whole = Image.open(io.BytesIO(data)).convert("RGB")
        whole = whole.resize((width + 2, whole.height * (width + 2) // whole.width))
        here, moved = (whole.crop((x, 0, x + width, whole.height)) for x in (0, 1))
        pixels = np.asarray(here, np.float32)
        noisy = Image.fromarray((pixels + rng.normal(0, 2, pixels.shape)).clip(0, 255).astype(np.uint8))
        before = thumbnail_of(jpeg(here))
        assert all(is_same(before, thumbnail_of(jpeg(here, quality))) for quality in (60, 75, 85, 95))
        assert is_same(before, thumbnail_of(jpeg(noisy)))
        assert not is_same(before, thumbnail_of(jpeg(moved)))


@pytest.mark.data
def test_pictures_of_one_person_at_other_yaws_pass_as_turns_only_on_their_own_side(captures):
    def picture(number):
        path = LFW / f"Gerhard_Schroeder/Gerhard_Schroeder_{number:04}.jpg"
        if not path.exists():
            pytest.skip("LFW is not here")
        return path.read_bytes()

    left, right = faces_pb2.CAPTURE_ACTION_TURN_LEFT, faces_pb2.CAPTURE_ACTION_TURN_RIGHT
    sides = {left: picture(42), right: picture(48)}
    right_way = StillCamera(picture(51), sides)
    result, _ = guide(captures, right_way, (LEFT, CLOSER, RIGHT, LEFT, RIGHT))
    assert result.liveness.status is Status.PASSED, result.liveness
    wrong_way = StillCamera(picture(51), {left: sides[right], right: sides[left]})
    result, _ = guide(captures, wrong_way, (LEFT, RIGHT, LEFT, RIGHT, LEFT))
    assert result.liveness.reasons == ("CHALLENGE_OTHER_MOVEMENTS",)


@pytest.mark.slow
def test_a_core_looks_at_more_than_ten_frames_a_second(captures, samples):
    camera = StillCamera(samples.a_live)
    capture = captures.begin(new_id(), Actor("test", "kiosk/north/1"), True, lambda: 0)
    frames = [Frame(number, camera.frame(), 80 * number, 80 * number) for number in range(50)]
    capture.see(frames[0])
    started = time.process_time()
    for frame in frames[1:]:
        capture.see(frame)
    assert (len(frames) - 1) / (time.process_time() - started) > 10
