"""Portrait cropper by layout: the portrait is left above the MRZ (ICAO Doc 9303-4, 4.1 and appendix A)."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from borderpost.documents.domain import Portrait, Quad
from borderpost.runtime.pictures import Rgb

MM_PER_CHARACTER: Final = 2.54
"""Ten characters an inch (ICAO Doc 9303-3, 4.4)."""

MM_BESIDE_LINES: Final = 1.0
"""What a detected line is longer than its characters' pitches, both ends together."""

LEFT_MM: Final = -5.0
RIGHT_MM: Final = 39.0
"""From the first character's left edge: the zone is 35 mm wide, and states place it 1 to 4 mm off."""

TOP_MM: Final = -58.0
BOTTOM_MM: Final = -1.0
"""From the first line's upper edge: 45 mm high, ending 3 to 13 mm above the MRZ."""

MIN_INSIDE: Final = 0.75
"""A portrait zone of which less than this share is inside the picture is not delivered."""

MAX_HEIGHT: Final = 1600
"""Pixels: a page at 700 dpi; more tells a face engine nothing."""

JPEG_QUALITY: Final = 95


class OpenCvPortraitCropper:
    """`PortraitCropper` that turns the page upright and cuts by the layout. It looks for no face."""

    def crop(self, page: Rgb, zone: Quad, columns: int) -> Portrait | None:
        """Cut the portrait by the layout above the zone; None if it is mostly outside the picture."""
        top_left, top_right, _, bottom_left = (np.array(point, dtype=np.float64) for point in zone)
        length = float(np.linalg.norm(top_right - top_left))
        per_mm = length / (columns * MM_PER_CHARACTER + MM_BESIDE_LINES)
        right = (top_right - top_left) / length
        down = np.array([-right[1], right[0]])
        if down @ (bottom_left - top_left) < 0:  # a mirrored zone: nothing sensible is above it
            return None
        corners = np.array(
            [
                top_left + per_mm * (x * right + y * down)
                for x, y in (
                    (LEFT_MM, TOP_MM),
                    (RIGHT_MM, TOP_MM),
                    (RIGHT_MM, BOTTOM_MM),
                    (LEFT_MM, BOTTOM_MM),
                )
            ],
            dtype=np.float32,
        )
        if _share_inside(corners, page) < MIN_INSIDE:
            return None
        return _cut(page, corners)


def _share_inside(corners: cv2.typing.MatLike, page: Rgb) -> float:
    height, width = page.shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    area, _ = cv2.intersectConvexConvex(np.asarray(corners, dtype=np.float32), frame)
    return float(area / cv2.contourArea(corners))


def _cut(page: Rgb, corners: cv2.typing.MatLike) -> Portrait:
    points = np.asarray(corners)
    height = float(np.linalg.norm(points[3] - points[0]))
    width = float(np.linalg.norm(points[1] - points[0]))
    scale = min(1.0, MAX_HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], dtype=np.float32)
    warp = cv2.getPerspectiveTransform(points, target)
    picture = cv2.warpPerspective(page, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return Portrait(jpeg=encoded.tobytes(), width=size[0], height=size[1], quad=(a, b, c, d))
