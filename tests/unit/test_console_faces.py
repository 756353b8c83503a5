"""Faces side by side: however a picture was turned and sized, its eyes come out at the same two places."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from borderpost.console import faces
from borderpost.v1.faces_pb2 import Eyes

DOT = 7


def picture(left: tuple[float, float], right: tuple[float, float], size: tuple[int, int]) -> bytes:
    """A grey picture with a red dot for the left eye, and a blue one for the right."""
    image = Image.new("RGB", size, "#cccccc")
    draw = ImageDraw.Draw(image)
    for (x, y), color in ((left, "red"), (right, "blue")):
        draw.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), fill=color)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def middle_of(shown: faces.Shown, channel: int) -> tuple[float, float]:
    """Where a colored dot is in what is shown."""
    pixels = np.asarray(Image.open(io.BytesIO(shown.jpeg)).convert("RGB")).astype(int)
    others = [other for other in range(3) if other != channel]
    rows, columns = np.nonzero(pixels[:, :, channel] - pixels[:, :, others].max(axis=2) > 90)
    return float(columns.mean()), float(rows.mean())


@settings(max_examples=25, deadline=None)
@given(
    distance=st.floats(60, 240),
    angle=st.floats(-0.5, 0.5),
    across=st.floats(200, 400),
    down=st.floats(200, 300),
)
def test_eyes_come_out_at_the_same_places(distance, angle, across, down):
    dx, dy = math.cos(angle) * distance / 2, math.sin(angle) * distance / 2
    left, right = (across - dx, down - dy), (across + dx, down + dy)
    eyes = Eyes(found=True, left_x=left[0], left_y=left[1], right_x=right[0], right_y=right[1])
    shown = faces.face(picture(left, right, (600, 500)), eyes)
    assert shown is not None
    assert shown.aligned
    middle, level = faces.WIDTH / 2, faces.HEIGHT * faces.EYE_LINE
    assert middle_of(shown, 0) == pytest.approx((middle - faces.EYE_DISTANCE / 2, level), abs=6)
    assert middle_of(shown, 2) == pytest.approx((middle + faces.EYE_DISTANCE / 2, level), abs=6)


@pytest.mark.parametrize("eyes", [None, Eyes(), Eyes(found=True, left_x=9, right_x=9)])
def test_without_eyes_the_whole_picture_is_shown(eyes):
    shown = faces.face(picture((20, 20), (80, 20), (100, 50)), eyes)
    assert shown is not None
    assert not shown.aligned
    assert Image.open(io.BytesIO(shown.jpeg)).size == (faces.WIDTH, faces.HEIGHT)


@pytest.mark.parametrize("data", [b"", b"no picture", picture((9, 9), (30, 9), (64, 64))[:200]])
def test_what_is_no_picture_is_not_shown(data):
    assert faces.face(data, None) is None
    assert faces.page(data) is None


def test_of_several_frames_the_one_with_the_largest_face_is_shown():
    near, far = Eyes(found=True, right_x=90), Eyes(found=True, right_x=30)
    assert faces.nearest([far, Eyes(), near]) == 2
    assert faces.nearest([Eyes(), Eyes()]) == 0
