"""Head pose and eye state by their networks: signs, symmetries, and eyes that are closed on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from borderpost.faces.adapters.dlib_hog import DlibFaceFinder
from borderpost.faces.adapters.eye_state import EyeStateNetwork
from borderpost.faces.adapters.head_pose import HeadPoseNetwork
from borderpost.faces.domain import Face, FaceBox, Landmarks, travelers_face
from borderpost.faces.errors import WeightsMissingError
from borderpost.faces.quality import EYES_OPEN_FROM
from borderpost.runtime.pictures import decode_picture

SAMPLES = Path(__file__).parents[2] / ".cache" / "samples"

NAMES = ("biden", "obama", "obama2", "obama3")


def loaded(network):
    try:
        return network.load()
    except WeightsMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def heads():
    return loaded(HeadPoseNetwork)


@pytest.fixture(scope="module")
def lids():
    return loaded(EyeStateNetwork)


@pytest.fixture(scope="module")
def seen():
    """Each sample at 400 pixels of height, and the face in it."""
    finder, found = DlibFaceFinder(), {}
    for name in NAMES:
        path = SAMPLES / f"{name}.jpg"
        if not path.is_file():
            pytest.skip("the sample pictures are not there: `make samples` fetches them")
        image = Image.fromarray(decode_picture(path.read_bytes()))
        picture = np.asarray(image.resize((round(400 * image.width / image.height), 400)))
        box = travelers_face(finder.detect(picture), picture.shape[1], picture.shape[0])
        found[name] = (picture, Face(box, finder.landmarks(picture, box)))
    return found


def mirrored(picture, face):
    """The picture and its face as a mirror shows them."""
    width, box, points = picture.shape[1], face.box, face.landmarks

    def across(point):
        return (width - 1 - point[0], point[1])

    turned = Landmarks(
        *map(
            across,
            (
                points.right_eye_outer,
                points.right_eye_inner,
                points.left_eye_inner,
                points.left_eye_outer,
                points.nose_base,
            ),
        )
    )
    flipped = np.ascontiguousarray(picture[:, ::-1])
    return flipped, Face(FaceBox(width - box.left - box.width, box.top, box.width, box.height), turned)


@pytest.mark.parametrize("name", NAMES)
def test_in_a_mirror_yaw_and_roll_change_their_signs_and_pitch_stays(heads, seen, name):
    pose, other = heads.pose(*seen[name]), heads.pose(*mirrored(*seen[name]))
    assert pose.yaw == pytest.approx(-other.yaw, abs=12)
    assert pose.roll == pytest.approx(-other.roll, abs=8)
    assert pose.pitch == pytest.approx(other.pitch, abs=6)


@pytest.mark.parametrize("degrees", [-15, 15])
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_turned_by_known_degrees_has_them_in_its_roll(heads, seen, name, degrees):
    """Turned against the clock, the eye on the picture's right rises: onto the own right shoulder."""
    picture, face = seen[name]
    image = Image.fromarray(picture).rotate(degrees, Image.Resampling.BILINEAR, center=face.box.centre)
    rolled = heads.pose(np.asarray(image), face).roll - heads.pose(picture, face).roll
    assert rolled == pytest.approx(degrees, abs=9)


@pytest.mark.parametrize("name", NAMES)
def test_open_eyes_are_told_as_open_and_in_a_mirror_alike(lids, seen, name):
    eyes, other = lids.eyes(*seen[name]), lids.eyes(*mirrored(*seen[name]))
    assert (eyes.left + eyes.right) / 2 > EYES_OPEN_FROM
    assert (eyes.left, eyes.right) == pytest.approx((other.right, other.left), abs=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_eyes_that_are_painted_over_with_skin_are_not_open(lids, seen, name):
    picture, face = seen[name]
    closed = lids.eyes(painted_lids(picture, face.landmarks), face)
    assert (closed.left + closed.right) / 2 < EYES_OPEN_FROM


def painted_lids(picture, points):
    """Skin from below each eye over the eye, and a dark line for the lashes."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for left, right in (
        (points.left_eye_outer, points.left_eye_inner),
        (points.right_eye_inner, points.right_eye_outer),
    ):
        x, y, width = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2, right[0] - left[0]
        below = picture[
            round(y + 0.45 * width) : round(y + 0.75 * width), round(x - width / 3) : round(x + width / 3)
        ]
        skin = tuple(int(value) for value in np.median(below.reshape(-1, 3), axis=0))
        draw.ellipse((x - 0.6 * width, y - 0.38 * width, x + 0.6 * width, y + 0.3 * width), fill=skin)
        lashes = [
            (x - 0.5 * width, y + 0.12 * width),
            (x, y + 0.2 * width),
            (x + 0.5 * width, y + 0.12 * width),
        ]
        draw.line(lashes, fill=tuple(value // 3 for value in skin), width=1)
    return np.asarray(image)


def test_any_box_and_points_give_an_answer(heads, lids, seen):
    picture, _ = seen["obama"]
    nowhere = Landmarks(*[(5_000.0, -300.0)] * 5)
    for box in (FaceBox(0, 0, 0, 0), FaceBox(-900, -900, 10, 10), FaceBox(0, 0, 9_000, 9_000)):
        pose, eyes = heads.pose(picture, Face(box, nowhere)), lids.eyes(picture, Face(box, nowhere))
        assert np.isfinite([pose.yaw, pose.pitch, pose.roll]).all()
        assert 0 <= eyes.left <= 1
        assert 0 <= eyes.right <= 1
