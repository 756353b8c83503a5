"""MRZ reader on the PP-OCRv6 networks that the rapidocr wheel carries.

Only the two weight files are taken from the wheel, and run by ONNX Runtime here. rapidocr's own pipeline is
left alone: it fetches missing files, logs to the terminal, turns some MRZ lines upside down with its angle
classifier, and its instances can't be shared by threads. An `InferenceSession` can.

The way through it:
1. detect text in the whole picture, scaled down;
2. join the boxes into rows along the direction that most text has;
3. pick rows that lie as the lines of an MRZ do: long, equal, parallel, close;
4. read them from the full picture, among the 37 characters of the MRZ only, both ways round;
5. count the fillers of a run by the pitch of the line, since the network merges some of them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from borderpost.documents import mrz
from borderpost.documents.adapters import ocrb_heights
from borderpost.documents.domain import Line, Problem, Quad, Zone
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float32]

DETECTOR: Final = "PP-OCRv6_det_small.onnx"
RECOGNISER: Final = "PP-OCRv6_rec_small.onnx"

DETECTION_SIDE: Final = 960
"""Longest side for the detector: characters of a 125 mm page are still 13 px high."""

DETECTOR_STRIDE: Final = 32
"""The detector's sides must be multiples of it."""

TEXT_THRESHOLD: Final = 0.3
"""A pixel is text above it, and a region is text if its mean is above BOX_THRESHOLD (PP-OCR's values)."""

BOX_THRESHOLD: Final = 0.5

UNCLIP_RATIO: Final = 1.6
"""The detector marks shrunken text: grow a region by its area × this ÷ its perimeter (PP-OCR's value)."""

LINE_HEIGHT: Final = 48
"""Height of the recogniser's input, in pixels."""

MEASURING_HEIGHT: Final = 96
"""Height of a line in which letters are told from digits by their height: near to a 2,400 px page's own."""

MEASURING_MARGIN: Final = 0.15
"""Share of the line's height added above and below for it, so that no character is cut."""

STEP: Final = 8
"""Columns of the recogniser's input for one of its outputs."""

SECOND_STRETCH: Final = 1.2
"""The second reading sees its lines this much wider, so that its errors are not the first one's."""

SECOND_MARGIN: Final = 0.12
"""And with this share of the line's height more above and below."""

MIN_LINE_RATIO: Final = 12.0
"""Width to height that one line of an MRZ has at least: a TD1 line is 76 mm long and about 5 mm high."""

MIN_ROW_RATIO: Final = 4.0
"""The same where the detector saw no more than a short name."""

MAX_RAGGED: Final = 3.0
"""Ends of two lines are flush if they differ by less than this many heights."""

MIN_ROW_CONFIDENCE: Final = 0.5
"""Mean confidence below which a row is not MRZ: text upside down or in other letters has 0.1 to 0.4."""

MIN_FILLERS: Final = 2
"""Every MRZ has at least the two that part surname and given names."""

MAX_GAP: Final = 6.0
"""Regions further apart than this many heights are not of one line (unless a run of fillers was missed)."""

MIN_PACED: Final = 10
"""Characters that a line needs for its pitch to be known."""

MAX_LENGTH_DIFFERENCE: Final = 3
"""Lines of one MRZ are equally long; the network may miss or split a few characters."""

MAX_MELTED: Final = 3
"""Fillers that may be missing in one place of a run."""

MAX_CANDIDATES: Final = 4
"""Groups of rows that are read before giving up: bounds the time for a page full of text."""

BORDER_SHARE: Final = 0.012
"""A line that ends closer to the picture's edge than this share of its width is cut off."""

LOOKALIKES: Final = {
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict.fromkeys("〈《«‹≤", mrz.FILLER),
    **dict.fromkeys("∪υ", "U"),
    **dict.fromkeys("∨ν", "V"),
    **dict.fromkeys("×χ", "X"),
    **dict.fromkeys("〇○", "O"),
    "⊂": "C",
}
"""Characters of other scripts and of mathematics that the recogniser may answer for one of the MRZ's."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A run of text along the reading direction: four corners in the picture, long side first."""

    corners: Floats
    width: float
    height: float


class RapidOcrReader:
    """`MrzReader` on rapidocr's weights. One instance serves all threads."""

    def __init__(self, threads: int = 1) -> None:
        folder = _weights_folder()
        self._detector = _session(folder / DETECTOR, threads)
        self._recogniser = _session(folder / RECOGNISER, threads)
        self._classes = _classes(self._recogniser)
        self.name = f"rapidocr-{importlib.metadata.version('rapidocr')}/PP-OCRv6-small"

    def read(self, page: Rgb) -> Zone | Problem:
        """Find the zone in a picture in any position, and read it."""
        rows = _rows(self._detect(page))
        for group in itertools.islice(_groups(rows), MAX_CANDIDATES):
            zone = self._read_group(page, group)
            if zone is not None:
                return _cut_off(zone, page) or zone
        return Problem.NO_MRZ

    def read_again(self, page: Rgb, zone: Zone) -> Zone:
        """Read the lines of a zone a second time, from differently scaled pixels."""
        lines = [self._read_line(page, quad, SECOND_STRETCH, SECOND_MARGIN) for quad in zone.line_quads]
        return _zone(lines, zone.line_quads)

    def _detect(self, page: Rgb) -> list[Floats]:
        """Return the corners (4 × 2) of every region of text."""
        height, width = page.shape[:2]
        scale = min(1.0, DETECTION_SIDE / max(height, width))
        size = tuple(
            max(1, round(side * scale / DETECTOR_STRIDE)) * DETECTOR_STRIDE for side in (width, height)
        )
        small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        text = _run(self._detector, np.asarray(small, dtype=np.uint8))[0, 0]
        zoom = np.array([width / size[0], height / size[1]], dtype=np.float32)
        return [corners * zoom for corners in _regions(text)]

    def _read_group(self, page: Rgb, group: Sequence[_Row]) -> Zone | None:
        """Read rows as they lie, or else turned by 180 degrees; None if they are no MRZ."""
        quads = _aligned([row.corners for row in group])
        for turned in (quads, [np.roll(quad, 2, axis=0) for quad in reversed(quads)]):
            line_quads = tuple(_quad(quad) for quad in turned)
            lines: list[tuple[Line, bool]] = []
            for quad in line_quads:
                lines.append(self._read_line(page, quad))
                if not _is_line([line for line, _ in lines][-1], len(group)):
                    break
            else:
                if _belong_together([line.text for line, _ in lines]):
                    return _zone(lines, line_quads)
        return None

    def _read_line(
        self, page: Rgb, quad: Quad, stretch: float = 1.0, margin: float = 0.0
    ) -> tuple[Line, bool]:
        """Read one line; True if fillers were added or taken away."""
        corners = np.array(quad, dtype=np.float32)
        strip = _scaled(_cut(page, corners, margin), LINE_HEIGHT, stretch)
        text, confidences, steps, adjusted = _spaced(
            *_decode(self._in_alphabet(_run(self._recogniser, strip)[0]))
        )
        tall = _scaled(_cut(page, corners, MEASURING_MARGIN), MEASURING_HEIGHT, 1.0)
        centres = [(step + 0.5) * STEP / strip.shape[1] * tall.shape[1] for step in steps]
        return Line(*ocrb_heights.settle(tall, text, confidences, centres)), adjusted

    def _in_alphabet(self, probabilities: Floats) -> Floats:
        """Sum the recogniser's 18,710 classes into blank and the 37 characters: steps × 38."""
        members, targets = self._classes
        out = np.zeros((probabilities.shape[0], len(mrz.ALPHABET) + 1), dtype=np.float32)
        np.add.at(out.T, targets, probabilities[:, members].T)
        return out


def _weights_folder() -> Path:
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("rapidocr: not installed, and its wheel holds the weights: run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "models"


def _session(model: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Pages come in many shapes, and the arena would keep room for each: memory that never comes back.
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _classes(recogniser: ort.InferenceSession) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Which of the recogniser's classes stand for blank (0) or a character (1 + its place in ALPHABET)."""
    answers = recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
    pairs = [(0, 0), (len(answers) + 1, 0)]  # CTC's blank, and the space that comes after the last one
    pairs += [
        (index, 1 + mrz.ALPHABET.index(character))
        for index, answer in enumerate(answers, start=1)
        if (character := _mrz_character(answer)) is not None
    ]
    members, targets = zip(*pairs, strict=True)
    return np.array(members), np.array(targets)


def _mrz_character(answer: str) -> str | None:
    """The MRZ's character that an answer stands for: full-width, small and accented letters do too."""
    base = LOOKALIKES.get(answer) or "".join(
        part for part in unicodedata.normalize("NFKD", answer).upper() if not unicodedata.combining(part)
    )
    return base if len(base) == 1 and base in mrz.ALPHABET else None


def _run(session: ort.InferenceSession, picture: Rgb) -> Floats:
    """Run a network on one RGB picture; both want BGR from -1 to 1, channels first."""
    planes = (picture[..., ::-1].astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[np.newaxis]
    output: Floats = session.run(None, {session.get_inputs()[0].name: planes})[0]
    return output


def _regions(text: Floats) -> Iterator[Floats]:
    """Corners of each region of text in the detector's picture, grown to the full height of the letters."""
    mask = (text > TEXT_THRESHOLD).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < 2:
            continue
        x, y, w, h = cv2.boundingRect(contour)
        inside = mask[y : y + h, x : x + w] > 0
        if text[y : y + h, x : x + w][inside].mean() < BOX_THRESHOLD:
            continue
        growth = width * height * UNCLIP_RATIO / (width + height)
        yield _long_side_first(cv2.boxPoints((centre, (width + growth, height + growth), angle)))


def _long_side_first(box: npt.NDArray[Any]) -> Floats:
    """Order corners clockwise so that the first edge is a long one and points right (or down, if it is steep)."""
    corners = box.astype(np.float32)
    if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
        corners = np.roll(corners, -1, axis=0)
    along = corners[1] - corners[0]
    if along[0] < -abs(along[1]) * 0.5 or (abs(along[0]) <= abs(along[1]) * 0.5 and along[1] < 0):
        corners = np.roll(corners, -2, axis=0)
    return np.asarray(corners, dtype=np.float32)


def _rows(regions: Sequence[Floats]) -> list[_Row]:
    """Join regions that follow one another along the direction of the text, top row first."""
    if not regions:
        return []
    turn = _rotation(-_direction(regions))
    flat = sorted((corners @ turn.T for corners in regions), key=lambda box: float(box[:, 1].mean()))
    rows: list[list[Floats]] = []
    for box in flat:
        for row in rows:
            if any(_follows(member, box) for member in row):
                row.append(box)
                break
        else:
            rows.append([box])
    return [_row(np.concatenate(row), turn) for row in rows]


def _follows(one: Floats, other: Floats) -> bool:
    """Tell whether two boxes, turned upright, are of one line: as high, as far down, and near."""
    heights = _height(one), _height(other)
    gap = max(one[:, 0].min(), other[:, 0].min()) - min(one[:, 0].max(), other[:, 0].max())
    drop = abs(float(one[:, 1].mean() - other[:, 1].mean()))
    return (
        max(heights) < 2.0 * min(heights)
        and drop < 0.5 * min(heights)
        and float(gap) < MAX_GAP * max(heights)
    )


def _direction(regions: Iterable[Floats]) -> float:
    """Angle of the text in radians, by the long sides of the regions; long ones count most."""
    edges = np.array([corners[1] - corners[0] for corners in regions])
    lengths, angles = np.hypot(*edges.T), np.arctan2(edges[:, 1], edges[:, 0])
    # A direction and its opposite are the same: they meet at twice the angle.
    x, y = (lengths**2 * np.cos(2 * angles)).sum(), (lengths**2 * np.sin(2 * angles)).sum()
    return 0.5 * math.atan2(y, x)


def _rotation(angle: float) -> Floats:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]], dtype=np.float32)


def _height(box: Floats) -> float:
    """Length of a box's short side."""
    return float(np.linalg.norm(box[2] - box[1]))


def _row(points: Floats, turn: Floats) -> _Row:
    """Make a row of points that were turned upright by `turn`; its corners are turned back."""
    corners = _long_side_first(cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))))
    return _Row(corners @ turn, float(np.linalg.norm(corners[1] - corners[0])), _height(corners))


def _groups(rows: Sequence[_Row]) -> Iterator[tuple[_Row, ...]]:
    """Groups of three or two rows that lie as an MRZ's lines do, the longest for their height first."""
    found = [
        tuple(rows[first : first + size])
        for size in (3, 2)
        for first in range(len(rows) - size + 1)
        if all(_are_neighbours(a, b) for a, b in itertools.pairwise(rows[first : first + size]))
    ]
    long = [group for group in found if _slenderness(group) > MIN_LINE_RATIO]
    yield from sorted(long, key=lambda group: (_slenderness(group), len(group)), reverse=True)


def _slenderness(group: Sequence[_Row]) -> float:
    return max(row.width / row.height for row in group)


def _are_neighbours(above: _Row, below: _Row) -> bool:
    """Lines of one MRZ: about as high, 1 to 3.5 heights apart, and flush at one end at least.

    They are equally long, but the detector often misses a run of fillers.
    """
    along = _unit(above.corners[1] - above.corners[0])
    offset = below.corners.mean(axis=0) - above.corners.mean(axis=0)
    height = (above.height + below.height) / 2
    apart = abs(float(along[0] * offset[1] - along[1] * offset[0]))
    shift, half_difference = float(along @ offset), (above.width - below.width) / 2
    return (
        min(above.width, below.width) > MIN_ROW_RATIO * height
        and 0.6 < above.height / below.height < 1.67
        and height * 0.9 < apart < height * 3.5
        and min(abs(shift + half_difference), abs(shift - half_difference)) < MAX_RAGGED * height
    )


def _aligned(lines: Sequence[Floats]) -> list[Floats]:
    """Stretch the lines along themselves to the same two ends: a run of fillers may have been missed."""
    along = sum((line[1] - line[0] for line in lines), start=np.zeros(2, dtype=np.float32))
    along = along / np.linalg.norm(along)
    starts = [min(float(line[0] @ along), float(line[3] @ along)) for line in lines]
    ends = [max(float(line[1] @ along), float(line[2] @ along)) for line in lines]
    start, end = min(starts), max(ends)
    return [
        np.array(
            [
                line[corner] + direction * (target - own)
                for corner, target, own, direction in (
                    (0, start, starts[i], _unit(line[1] - line[0])),
                    (1, end, ends[i], _unit(line[1] - line[0])),
                    (2, end, ends[i], _unit(line[2] - line[3])),
                    (3, start, starts[i], _unit(line[2] - line[3])),
                )
            ],
            dtype=np.float32,
        )
        for i, line in enumerate(lines)
    ]


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _cut(page: Rgb, corners: Floats, margin: float) -> Rgb:
    """Cut a line out of the page, upright, with a margin above and below as a share of its height."""
    down = (corners[3] - corners[0]) * margin
    corners = (corners + np.array([-down, -down, down, down])).astype(np.float32)
    width, height = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    size = (max(1, round(float(width))), max(1, round(float(height))))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], dtype=np.float32)
    warp = cv2.getPerspectiveTransform(corners, target)
    cut = cv2.warpPerspective(page, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)


def _scaled(strip: Rgb, height: int, stretch: float) -> Rgb:
    """Scale a line to a height; its width follows, `stretch` times, in whole steps of the recogniser."""
    old_height, old_width = strip.shape[:2]
    width = max(STEP, round(height * stretch * old_width / old_height / STEP) * STEP)
    method = cv2.INTER_AREA if old_height > height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(strip, (width, height), interpolation=method), dtype=np.uint8)


def _spaced(
    text: str, confidences: list[float], steps: list[float]
) -> tuple[str, list[float], list[float], bool]:
    """Put right what the even pitch of a line contradicts; the last part says if it changed fillers.

    The network may melt two fillers of a run into one, or see one twice: their number follows from the
    room they take. Elsewhere a gap or a crowd is a character missed or split: its neighbours become unsure.
    """
    if len(text) < MIN_PACED:
        return text, confidences, steps, False
    pitch = float(np.median(np.diff(steps)))
    out_text, out_confidences, out_steps, adjusted = text[0], confidences[:1], steps[:1], False
    for char, confidence, step in zip(text[1:], confidences[1:], steps[1:], strict=True):
        cells = (step - out_steps[-1]) / pitch
        filler_run = out_text[-1] == char == mrz.FILLER
        if filler_run and cells < 0.5:
            adjusted = True
            continue
        missing = round(cells) - 1
        if filler_run and 0 < missing <= MAX_MELTED:
            adjusted = True
            out_steps += [out_steps[-1] + pitch * (i + 1) for i in range(missing)]
            out_text += mrz.FILLER * missing
            out_confidences += [min(confidence, out_confidences[-1])] * missing
        paced = filler_run or 0.4 < cells < 1.6
        if not paced:
            out_confidences[-1] = 0.0
        out_text += char
        out_confidences.append(confidence if paced else 0.0)
        out_steps.append(step)
    return out_text, out_confidences, out_steps, adjusted


def _decode(probabilities: Floats) -> tuple[str, list[float], list[float]]:
    """Read steps × 38 probabilities by CTC's rule: equal neighbours are one, blanks part.

    Returns the text, and each character's confidence and step.
    """
    best = probabilities.argmax(axis=1)
    text, confidences, steps = "", [], []
    for label, run in itertools.groupby(range(len(best)), key=lambda step: int(best[step])):
        if label:
            peak = max(run, key=lambda step: float(probabilities[step, label]))
            text += mrz.ALPHABET[label - 1]
            confidences.append(float(probabilities[peak, label]))
            steps.append(float(peak))
    return text, confidences, steps


def _zone(lines: Sequence[tuple[Line, bool]], quads: tuple[Quad, ...]) -> Zone:
    top, bottom = quads[0], quads[-1]
    return Zone(
        lines=tuple(line for line, _ in lines),
        quad=(top[0], top[1], bottom[2], bottom[3]),
        line_quads=quads,
        fillers_adjusted=any(adjusted for _, adjusted in lines),
    )


def _is_line(line: Line, rows: int) -> bool:
    """Tell a line of an MRZ of so many rows from other text: by its length, and how well it could be read."""
    widths = [layout.width for layout in mrz.FORMATS if layout.rows == rows]
    fits = min(widths) * 0.6 < len(line.text) < max(widths) * 1.2
    return fits and float(np.mean(line.confidences)) > MIN_ROW_CONFIDENCE


def _belong_together(texts: Sequence[str]) -> bool:
    """Tell the lines of one MRZ: equally long, and with a name's fillers."""
    lengths = [len(text) for text in texts]
    fillers = sum(text.count(mrz.FILLER) for text in texts)
    return max(lengths) - min(lengths) <= MAX_LENGTH_DIFFERENCE and fillers >= MIN_FILLERS


def _cut_off(zone: Zone, page: Rgb) -> Problem | None:
    """Lines shorter than any format that end at the picture's edge."""
    height, width = page.shape[:2]
    edge = BORDER_SHARE * math.dist(zone.quad[0], zone.quad[1])
    touches = any(
        not (edge <= x <= width - 1 - edge and edge <= y <= height - 1 - edge)
        for quad in zone.line_quads
        for x, y in quad
    )
    fits = {layout.width for layout in mrz.FORMATS if layout.rows == len(zone.lines)}
    short = any(len(line.text) not in fits for line in zone.lines)
    return Problem.MRZ_CUT_OFF if touches and short else None


def _quad(corners: Floats) -> Quad:
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return a, b, c, d
