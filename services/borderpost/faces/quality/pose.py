"""Which way the head is turned, and whether the eyes are open."""

from __future__ import annotations

import math
from typing import Final

from borderpost.faces.domain import Component, EyesOpen, HeadPose, Landmarks, QualityMeasure
from borderpost.faces.quality.limits import Limits
from borderpost.faces.quality.scale import judged, not_performed, unsure

NOSE_DEPTH: Final = 0.5
"""How far the nose base lies before the eyes, in inter-eye distances: with it the yaw of five points comes
nearest to the pose network's (RMS 5.5 degrees with dlib's five points, 6.2 with five of 68; correlation 0.91; 150 and
250 pictures of LFW, half A)."""


def head_pose(points: Landmarks, pose: HeadPose | None, limits: Limits) -> tuple[QualityMeasure, ...]:
    """Yaw, pitch and roll in degrees.

    Yaw is the model's, or else estimated from the five points; pitch is the model's only; roll is the eye
    line's, which is exact. Signs as in `HeadPose`. Mapped by the cosine's square, as in OFIQ `HeadPose`.
    """
    yaw, roll = yaw_of(points), roll_of(points)
    if pose is not None:
        yaw = pose.yaw
    return (
        _angle(Component.HEAD_POSE_YAW, yaw, limits.max_yaw_degrees),
        not_performed(Component.HEAD_POSE_PITCH)
        if pose is None
        else _angle(Component.HEAD_POSE_PITCH, pose.pitch, limits.max_pitch_degrees),
        _angle(Component.HEAD_POSE_ROLL, roll, limits.max_roll_degrees),
    )


def yaw_of(points: Landmarks) -> float | None:
    """Degrees, from how far the nose base lies off the eyes' middle, along the eye line. None without eyes."""
    left, right = complex(*points.left_eye), complex(*points.right_eye)
    if left == right:
        return None
    offset = ((complex(*points.nose_base) - (left + right) / 2) / (right - left)).real
    return math.degrees(math.atan(offset / NOSE_DEPTH))


def roll_of(points: Landmarks) -> float | None:
    """Degrees of the eye line: positive where the eye on the picture's left is lower. None without eyes."""
    (left_x, left_y), (right_x, right_y) = points.left_eye, points.right_eye
    if (left_x, left_y) == (right_x, right_y):
        return None
    return math.degrees(math.atan2(left_y - right_y, right_x - left_x))


def _angle(component: Component, degrees: float | None, most: float) -> QualityMeasure:
    if degrees is None:
        return unsure(component, None, "", None)
    value = 100 * max(0.0, math.cos(math.radians(degrees))) ** 2
    return judged(component, degrees, "degrees", value, passed=abs(degrees) <= most)


EYES_CLOSED_BELOW: Final = 0.2
EYES_OPEN_FROM: Final = 0.5
"""Mean of both eyes. See docs/faces.md for what these find; in between it can't be told, as with dark glasses."""


def eyes_open(eyes: EyesOpen | None) -> QualityMeasure:
    """How surely both eyes are open, 0 to 1.

    The standard's EyesOpen measures the gap between the lids; this is not it, so there is no 0..100 value.
    """
    if eyes is None:
        return not_performed(Component.EYES_OPEN)
    surely = (eyes.left + eyes.right) / 2
    if EYES_CLOSED_BELOW <= surely < EYES_OPEN_FROM:
        return unsure(Component.EYES_OPEN, surely, "probability", None)
    return judged(Component.EYES_OPEN, surely, "probability", None, passed=surely >= EYES_OPEN_FROM)
