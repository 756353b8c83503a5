"""Portrait cropper: from the zone, or from the card's outline, to the portrait's own corners.

1. The lines of the zone give the plane of the page: their characters are 2.54 mm apart and the lines 6.35 mm.
   A page without a zone is a card (TD1's other side), and its outline gives the plane.
2. The left part of the page above the zone, where all formats have the portrait (ICAO Doc 9303-4 to -7, zone V), is
   drawn upright and to scale, and a face is looked for in it.
3. Around the face, or else where the layout has the portrait, its frame is looked for.
4. With a frame that is cut out, otherwise head and shoulders around the face; with neither there is no portrait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents.adapters.dlib_faces import Face, FaceFinder
from borderpost.documents.adapters.portrait_frame import Bounds, find_frame
from borderpost.documents.domain import Portrait, Zone
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

MM_PER_CHARACTER: Final = 2.54
"""Ten characters an inch (ICAO Doc 9303-3, 4.4)."""

MM_PER_LINE: Final = 6.35
"""From the middle of a line to that of the next (ICAO Doc 9303-4, appendix A)."""

MM_BESIDE_LINES: Final = 0.5
"""What a detected line is longer at each end than its characters' pitches."""

MIN_LINE_PIXELS: Final = 60.0
"""A line shorter than this was not read: it has two pixels a character."""

PIXELS_PER_MM: Final = 6.0
"""Of the picture in which face and frame are looked for: a face is 110 to 150 pixels wide."""

CARD_MM: Final = (85.6, 54.0)
"""ICAO Doc 9303-5, 2.1."""

MAX_OUTLINES: Final = 5
"""So many of the largest outlines are looked at."""

MIN_CARD_SHARE: Final = 0.1
"""Of the picture: a smaller outline is not the card."""

MAX_CARD_ASPECT_ERROR: Final = 0.3
"""An outline whose proportions differ by more than this share is something else than a card seen at an angle."""

OUTLINE_SIDE: Final = 640
"""Longest side of the picture in which the outline is looked for."""

MAX_ROOM_AROUND_CARD: Final = 2.5
"""A picture whose card has no clear outline is at most so many times as wide as the card."""

FACE_SHARE: Final = (0.3, 1.0)
"""Width of a face as a share of its portrait's: smaller is a second picture, larger is none."""

SURE_SCORE: Final = 1.0
"""A face surer than this is not surer of being the portrait."""

SIZE_WEIGHT: Final = 0.25
"""A face twice as large may be so much less sure."""

FACE_ASPECT: Final = 0.78
FACE_WIDTH: Final = 1.9
FACE_ABOVE: Final = 0.54
"""Head and shoulders by the face alone: 35 by 45, this many faces wide, the face's middle so far down."""

MIN_INSIDE: Final = 0.75
"""A portrait of which less than this share is inside the picture is not delivered."""

MAX_HEIGHT: Final = 1600
"""Pixels: a page at 700 dpi; more tells a face engine nothing."""

JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class Place:
    """Where a format has its portrait, in mm: left, top, width, height; and where it is looked for."""

    box: tuple[float, float, float, float]
    search: tuple[float, float, float, float]


PLACES: Final[Mapping[str, Place]] = {
    "TD3": Place((0.0, -55.0, 35.0, 45.0), (-8.0, -85.0, 60.0, 83.0)),
    "MRV-A": Place((0.0, -50.0, 31.0, 40.0), (-8.0, -74.0, 56.0, 72.0)),
    "TD2": Place((0.0, -46.0, 28.0, 36.0), (-8.0, -70.0, 52.0, 68.0)),
    "MRV-B": Place((0.0, -46.0, 28.0, 36.0), (-8.0, -70.0, 52.0, 68.0)),
}
"""From the first character's left edge and the middle of the first line. TD1 has none on the page with the zone."""

CARD_PLACE: Final = Place((4.5, 12.0, 28.0, 36.0), (0.0, 0.0, 85.6, 54.0))
"""From the card's upper left corner."""


@dataclass(frozen=True, slots=True)
class _View:
    """A part of the page drawn upright and to scale. `to_page` maps its pixels to the page's."""

    picture: Rgb
    to_page: Matrix


class OpenCvPortraitCropper:
    """`PortraitCropper` by layout, face and frame. Any number of threads may use it."""

    def __init__(self) -> None:
        self._faces = FaceFinder()

    def crop(self, page: Rgb, zone: Zone, format_name: str) -> Portrait | None:
        """Cut the portrait of the page that the zone is on; None if there is none, as on a TD1."""
        place = PLACES.get(format_name)
        plane = None if place is None else _plane_of_zone(zone)
        if place is None or plane is None:
            return None
        view = _view(page, plane, place.search)
        face = self._surest(view.picture, _face_sides(place.box[2]))
        return _around(page, view, face) if face else _at_place(page, view, _shifted(place))

    def crop_card(self, page: Rgb) -> Portrait | None:
        """Cut the portrait of a card's side without a zone, lying in any direction; None if there is none."""
        outline = _outline(page)
        in_card = [] if outline is None else [_card_view(page, outline, turns) for turns in (0, 2)]
        smallest, largest = _face_sides(CARD_PLACE.box[2])
        portrait = self._with_face(page, in_card, (smallest, largest))
        if portrait is not None:
            return portrait
        whole = [_whole_view(page, turns) for turns in range(4)]
        portrait = self._with_face(page, whole, (smallest / MAX_ROOM_AROUND_CARD, largest))
        if portrait is not None:
            return portrait
        framed = (_at_place(page, view, CARD_PLACE.box) for view in (*in_card, *whole))
        return next((portrait for portrait in framed if portrait is not None), None)

    def _with_face(self, page: Rgb, views: Sequence[_View], sides: tuple[float, float]) -> Portrait | None:
        """Cut the portrait out of the view whose face is surest."""
        faces = [self._surest(view.picture, sides) for view in views]
        order = sorted(range(len(views)), key=lambda index: _weight(faces[index]), reverse=True)
        portraits = (_around(page, views[index], face) for index in order if (face := faces[index]))
        return next((portrait for portrait in portraits if portrait is not None), None)

    def _surest(self, picture: Rgb, sides: tuple[float, float]) -> Face | None:
        fitting = (face for face in self._faces.find(picture) if sides[0] <= face.side <= sides[1])
        return max(fitting, key=_weight, default=None)


def _weight(face: Face | None) -> float:
    """Order faces: a sure one before a doubtful one, and of two sure ones the larger.

    The smaller may be the document's second picture; a doubtful one may be larger than the portrait.
    """
    return -math.inf if face is None else min(face.score, SURE_SCORE) + SIZE_WEIGHT * math.log2(face.side)


def _face_sides(portrait_width: float) -> tuple[float, float]:
    """Return the smallest and largest side in pixels of a face in a portrait so many mm wide."""
    smallest, largest = (share * portrait_width * PIXELS_PER_MM for share in FACE_SHARE)
    return smallest, largest


def _shifted(place: Place) -> tuple[float, float, float, float]:
    """Return the portrait's box from the corner of the part that is looked at."""
    left, top, width, height = place.box
    return left - place.search[0], top - place.search[1], width, height


def _plane_of_zone(zone: Zone) -> Matrix | None:
    """Return the mapping from mm to pixels, from the middles of the ends of the first and the last line."""
    first, last = (np.array(quad, dtype=np.float64) for quad in (zone.line_quads[0], zone.line_quads[-1]))
    ends = np.array(
        [
            (first[0] + first[3]) / 2,
            (first[1] + first[2]) / 2,
            (last[1] + last[2]) / 2,
            (last[0] + last[3]) / 2,
        ]
    )
    across = ends[1] - ends[0]
    down = ends[3] - ends[0]
    turned = across[0] * down[1] - across[1] * down[0]
    if np.linalg.norm(across) < MIN_LINE_PIXELS or turned <= 0:  # not above is a mirrored zone
        return None
    columns = len(zone.lines[0].text)
    right, left = columns * MM_PER_CHARACTER + MM_BESIDE_LINES, -MM_BESIDE_LINES
    bottom = MM_PER_LINE * (len(zone.line_quads) - 1)
    millimetres = np.array([[left, 0], [right, 0], [right, bottom], [left, bottom]], dtype=np.float32)
    return _perspective(millimetres, ends.astype(np.float32))


def _view(page: Rgb, plane: Matrix, search: tuple[float, float, float, float]) -> _View:
    """Draw a part of the page, given in mm."""
    left, top, width, height = search
    scale = np.array([[1 / PIXELS_PER_MM, 0, left], [0, 1 / PIXELS_PER_MM, top], [0, 0, 1]])
    size = (round(width * PIXELS_PER_MM), round(height * PIXELS_PER_MM))
    to_page = plane @ scale
    return _View(_drawn(page, to_page, size), to_page)


def _drawn(page: Rgb, to_page: Matrix, size: tuple[int, int]) -> Rgb:
    """Draw what `to_page` maps a picture of this size to; a finer page is scaled down first."""
    corners = _mapped(to_page, np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]]))
    across = float(np.linalg.norm(corners[1] - corners[0])) / size[0]
    shrink = max(1, int(across))
    source = cv2.resize(page, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    mapping = np.diag([1 / shrink, 1 / shrink, 1.0]) @ to_page
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpPerspective(source, mapping, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.uint8)


def _perspective(source: Floats, target: Floats) -> Matrix:
    """Return the mapping that takes four points to four others."""
    return np.asarray(cv2.getPerspectiveTransform(source, np.ascontiguousarray(target)), dtype=np.float64)


def _mapped(mapping: Matrix, points: npt.ArrayLike) -> Floats:
    shaped = np.asarray(points, dtype=np.float32).reshape(-1, 1, 2)
    return np.asarray(cv2.perspectiveTransform(shaped, mapping).reshape(-1, 2), dtype=np.float32)


def _around(page: Rgb, view: _View, face: Face) -> Portrait | None:
    """Cut the frame around the face out, or else head and shoulders."""
    corners = find_frame(view.picture, _around_face(face))
    return _placed(page, view, _head_and_shoulders(face) if corners is None else corners)


def _at_place(page: Rgb, view: _View, box: tuple[float, float, float, float]) -> Portrait | None:
    """Cut the frame at the layout's place out."""
    corners = find_frame(view.picture, _near_place(box))
    return None if corners is None else _placed(page, view, corners)


def _placed(page: Rgb, view: _View, corners: Floats) -> Portrait | None:
    quad = _mapped(view.to_page, corners)
    return _cut(page, quad) if _share_inside(quad, page) >= MIN_INSIDE else None


def _around_face(face: Face) -> Bounds:
    """Where the sides of a portrait may be around a face: the head takes 50 to 90 % of its height."""
    side = face.side
    return Bounds(
        left=(face.x - 1.5 * side, face.x - 0.55 * side),
        right=(face.x + 0.55 * side, face.x + 1.5 * side),
        top=(face.y - 1.9 * side, face.y - 0.75 * side),
        bottom=(face.y + 0.6 * side, face.y + 1.9 * side),
    )


def _near_place(box: tuple[float, float, float, float]) -> Bounds:
    """Where the sides may be without a face: a fifth of the portrait around the layout's place."""
    left, top, width, height = (value * PIXELS_PER_MM for value in box)
    across, down = 0.2 * width, 0.2 * height
    return Bounds(
        left=(left - across, left + across),
        right=(left + width - across, left + width + across),
        top=(top - down, top + down),
        bottom=(top + height - down, top + height + down),
    )


def _head_and_shoulders(face: Face) -> Floats:
    width = FACE_WIDTH * face.side
    height = width / FACE_ASPECT
    left, top = face.x - width / 2, face.y - FACE_ABOVE * height
    return np.array(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]],
        dtype=np.float32,
    )


def _outline(page: Rgb) -> Floats | None:
    """Return the corners of the card, clockwise, a long side first; None where no outline is seen."""
    height, width = page.shape[:2]
    scale = min(1.0, OUTLINE_SIDE / max(height, width))
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    edges = cv2.Canny(cv2.GaussianBlur(small, (0, 0), 1.5), 30, 90)
    closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(contours, key=_hull_area, reverse=True)[:MAX_OUTLINES]:
        corners = _four_corners(cv2.convexHull(contour))
        if corners is not None and _is_card(corners, small.shape[0] * small.shape[1]):
            first, second = _sides(corners)
            return np.roll(corners, -int(first < second), axis=0) / np.float32(scale)
    return None


def _hull_area(contour: cv2.typing.MatLike) -> float:
    return float(cv2.contourArea(cv2.convexHull(contour)))


def _four_corners(hull: cv2.typing.MatLike) -> Floats | None:
    """Reduce a hull to a quadrilateral: the four sides that are long, extended until they meet."""
    area = cv2.contourArea(hull)
    rough = cv2.approxPolyN(hull, 4, epsilon_percentage=-1.0, ensure_convex=True)
    corners = np.asarray(rough, dtype=np.float32).reshape(-1, 2)
    if len(corners) != 4 or cv2.contourArea(corners) > 1.25 * max(area, 1.0):
        return None
    if cv2.contourArea(corners, oriented=True) < 0:
        corners = corners[::-1]
    return np.ascontiguousarray(corners)


def _is_card(corners: Floats, pixels: int) -> bool:
    long, short = sorted(_sides(corners), reverse=True)
    expected = CARD_MM[0] / CARD_MM[1]
    area = float(cv2.contourArea(corners))
    return area > MIN_CARD_SHARE * pixels and abs(long / short / expected - 1) < MAX_CARD_ASPECT_ERROR


def _sides(corners: Floats) -> tuple[float, float]:
    """Return the mean lengths of the first and third, and of the second and fourth side."""
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float(lengths[0] + lengths[2]) / 2, float(lengths[1] + lengths[3]) / 2


def _card_view(page: Rgb, outline: Floats, turns: int) -> _View:
    """Draw the card; `turns` quarter turns on, as the outline doesn't tell which way is up."""
    width, height = CARD_MM
    millimetres = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    return _view(page, _perspective(millimetres, np.roll(outline, -turns, axis=0)), CARD_PLACE.search)


def _whole_view(page: Rgb, turns: int) -> _View:
    """Draw the whole picture, turned by so many quarters: its longer side is a card's, or somewhat more."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    if turns % 2:
        width, height = height, width
    scale = CARD_MM[0] / max(width, height)
    size = np.array([width, height]) * scale
    millimetres = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], dtype=np.float32)
    return _view(
        page,
        _perspective(millimetres, np.roll(corners, -turns, axis=0)),
        (0.0, 0.0, float(size[0]), float(size[1])),
    )


def _share_inside(corners: Floats, page: Rgb) -> float:
    height, width = page.shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    area, _ = cv2.intersectConvexConvex(corners, frame)
    return float(area) / max(float(cv2.contourArea(corners)), 1.0)


def _cut(page: Rgb, corners: Floats) -> Portrait:
    height = float(np.linalg.norm(corners[3] - corners[0]))
    width = float(np.linalg.norm(corners[1] - corners[0]))
    scale = min(1.0, MAX_HEIGHT / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], dtype=np.float32)
    to_page = _perspective(target, corners)
    bgr = cv2.cvtColor(_drawn(page, to_page, size), cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return Portrait(jpeg=encoded.tobytes(), width=size[0], height=size[1], quad=(a, b, c, d))
