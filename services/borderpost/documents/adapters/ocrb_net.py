"""The project's own network, which reads one line of a machine readable zone (OCR-B) and nothing else.

It looks at a strip in columns of four pixels. For each it answers which of the 37 characters is there, or none, and
whether the middle of a character is there. The characters of a line stand in even steps, so the line is read along
the chain of middles that is best as a whole: no character is lost in a run of fillers, and none is seen twice.
`borderpost.documents.training` makes the weights; docs/ocrb-net.md says how good they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from borderpost.documents.mrz import ALPHABET

Floats = npt.NDArray[np.float32]
Strip = npt.NDArray[np.uint8]
"""A line cut out of a page: height × width, or height × width × 3 (red, green, blue)."""

WEIGHTS: Final = Path(__file__).with_name("ocrb_net.onnx")

HEIGHT: Final = 32
"""Height of the network's input in pixels."""

COLUMN: Final = 4
"""Pixels along the line for one answer."""

PIXELS_PER_CHARACTER: Final = 16
"""Pitch of the characters in the network's input, if the strip is cut as it should be."""

TEXT_SHARE: Final = 0.6
"""The height of a digit as a share of the strip's height, if it is cut as it should be."""

DIGIT_PER_PITCH: Final = 2.7 / 2.54
"""Height of a digit with its stroke by the pitch: 2.7 mm by a tenth of an inch (ICAO Doc 9303-3, 4.4)."""

SQUEEZE: Final = PIXELS_PER_CHARACTER * DIGIT_PER_PITCH / (HEIGHT * TEXT_SHARE)
"""The input is this much narrower than the strip is in proportion to its height."""

MAX_WIDTH: Final = 1600
"""Of the network's input: twice a line of 44 characters. What is longer is pressed into it, and not read."""

MIN_SIDE: Final = 4
"""Pixels that a strip has at least; in fewer no character can be told from another."""

PITCHES: Final = np.arange(10, 24)
"""Pitches in the network's input that are looked for, in pixels."""

STEP_RANGE: Final = (0.72, 1.3)
"""One step from a character to the next may differ from the line's pitch by these factors."""

UNEVEN_COST: Final = 40.0
"""Cost of a step that differs from the pitch, by the square of its share, in units of log odds."""

MAX_ODDS: Final = 4.0
"""Log odds of a middle count up to here, either way."""


@dataclass(frozen=True, slots=True)
class NetLine:
    """What is read in a strip; empty if there is no line of MRZ."""

    text: str
    """The likeliest character at every place."""
    probabilities: Floats
    """Characters × 37, in the order of ALPHABET. What a row lacks to 1 is the chance that no character is there."""
    centres: Floats
    """The middle of every character, in pixels of the strip from its left edge."""

    @property
    def confidences(self) -> Floats:
        """Return the probability of every character of the text."""
        return np.asarray(self.probabilities.max(axis=1, initial=0.0), dtype=np.float32)

    @property
    def pitch(self) -> float:
        """Return the usual step between characters in pixels of the strip; 0 if there are fewer than two."""
        return float(np.median(np.diff(self.centres))) if len(self.centres) > 1 else 0.0


class OcrbNet:
    """The network's session. One instance serves all threads."""

    def __init__(self, threads: int = 1, weights: Path = WEIGHTS) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Strips come in many widths, and the arena would keep room for each: memory that never comes back.
        options.enable_cpu_mem_arena = False
        self._session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self.name: str = self._session.get_modelmeta().custom_metadata_map["name"]

    def read(self, strips: Sequence[Strip]) -> list[NetLine]:
        """Read lines, each in a strip of bytes that holds it upright and about straight.

        The line's middle should be in the strip's middle, with 0.33 of a digit's height above and below
        (TEXT_SHARE), and about a character's room at either end; a digit's height is 1.06 pitches
        (DIGIT_PER_PITCH). Errors of 0.2 heights up or down, of 10 % in scale, a slope that lifts one end of the
        line 0.4 heights above the other, and neighbouring lines that reach into the strip, do little harm. A strip
        that is no such array, too small, or shows no line gives an empty NetLine.
        """
        return [self._read(strip) for strip in strips]

    def read_at(self, strip: Strip, centres: Sequence[float]) -> Floats:
        """Return the probabilities, places × 37, of the characters at known places of a strip.

        Places are in pixels from the strip's left edge. For whoever knows the cells of a line better than one
        strip tells them. A strip that can't be read gives zeros.
        """
        picture = _input(strip)
        if picture is None:
            return np.zeros((len(centres), len(ALPHABET)), dtype=np.float32)
        characters = self._session.run(None, {"strips": picture[np.newaxis]})[0]
        places = np.asarray(centres, dtype=np.float64) * (picture.shape[1] / strip.shape[1]) - 0.5
        return _between(characters[0], np.clip(places, 0, picture.shape[1]) / COLUMN)[:, 1:]

    def _read(self, strip: Strip) -> NetLine:
        picture = _input(strip)
        if picture is None:
            return _nothing()
        characters, middles = self._session.run(None, {"strips": picture[np.newaxis]})
        places = _chain(_odds(middles[0]))
        if not len(places):
            return _nothing()
        probabilities = _between(characters[0], places / COLUMN)[:, 1:]
        text = "".join(ALPHABET[place] for place in probabilities.argmax(axis=1))
        centres = (places + 0.5) * (strip.shape[1] / picture.shape[1])
        return NetLine(text, probabilities, centres.astype(np.float32))


def _nothing() -> NetLine:
    return NetLine("", np.zeros((0, len(ALPHABET)), dtype=np.float32), np.zeros(0, dtype=np.float32))


def _input(strip: Strip) -> Strip | None:
    """Scale a strip to the network's input, HEIGHT × a multiple of COLUMN; None if it can't be a line."""
    if strip.dtype != np.uint8 or strip.ndim not in {2, 3} or min(strip.shape[:2]) < MIN_SIDE:
        return None
    if strip.ndim == 3 and strip.shape[2] != 3:
        return None
    height, width = strip.shape[:2]
    columns = round(width / height * HEIGHT * SQUEEZE / COLUMN)
    columns = min(max(columns, PIXELS_PER_CHARACTER // COLUMN), MAX_WIDTH // COLUMN)
    method = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_CUBIC
    small = cv2.resize(strip, (columns * COLUMN, HEIGHT), interpolation=method)
    return np.asarray(small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _odds(middles: Floats) -> Floats:
    """Return the log odds of a character's middle, for every pixel along the line."""
    safe = np.clip(middles, 1e-6, 1 - 1e-6)
    odds = np.clip(np.log(safe / (1 - safe)), -MAX_ODDS, MAX_ODDS)
    pixels = np.arange((len(odds) - 1) * COLUMN + 1)
    return np.asarray(np.interp(pixels / COLUMN, np.arange(len(odds)), odds), dtype=np.float32)


def _chain(odds: Floats) -> npt.NDArray[np.intp]:
    """Return the pixels of the characters' middles: the chain of about even steps with the highest sum of odds."""
    pitch = _pitch(odds)
    # The longest first, as their starting points lie in the array.
    steps = np.arange(round(pitch * STEP_RANGE[1]), round(pitch * STEP_RANGE[0]) - 1, -1)
    costs = (UNEVEN_COST * (steps / pitch - 1) ** 2).astype(np.float32)
    longest, block = int(steps[0]), int(steps[-1])
    # Room before the first pixel, so that every place has all its starting points; none of them is worth a step.
    sums = np.full(longest + len(odds), -np.inf, dtype=np.float32)
    gains, choices = np.full(len(sums), -np.inf, dtype=np.float32), np.zeros(len(sums), dtype=np.intp)
    starts = np.lib.stride_tricks.sliding_window_view(sums, len(steps))
    # No step is shorter than a block, so that a block's places don't depend on each other.
    for begin in range(longest, len(sums), block):
        end = min(begin + block, len(sums))
        ways = starts[begin - longest : end - longest] - costs
        choices[begin:end] = ways.argmax(axis=1)
        gains[begin:end] = ways.max(axis=1)
        sums[begin:end] = odds[begin - longest : end - longest] + np.maximum(gains[begin:end], 0)
    return _followed_back(sums, gains, steps[choices]) - longest


def _followed_back(sums: Floats, gains: Floats, steps: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the places of the best chain from its first to its last; none if no chain is worth anything."""
    place = int(sums.argmax())
    if sums[place] <= 0:
        return np.zeros(0, dtype=np.intp)
    chain = [place]
    while gains[place] > 0:
        place -= int(steps[place])
        chain.append(place)
    return np.array(chain[::-1], dtype=np.intp)


def _pitch(odds: Floats) -> float:
    """Return the distance in pixels at which middles are most alike."""
    strength = 1 / (1 + np.exp(-odds))
    strength = strength - strength.mean()
    likeness = [
        float(strength[lag:] @ strength[:-lag]) if lag < len(strength) else -np.inf for lag in PITCHES
    ]
    return float(PITCHES[int(np.argmax(likeness))])


def _between(rows: Floats, places: npt.NDArray[np.floating]) -> Floats:
    """Return rows at fractional places, linearly between the two next to each."""
    low = np.clip(np.floor(places).astype(np.intp), 0, len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    share = (places - low)[:, np.newaxis]
    return np.asarray(rows[low] * (1 - share) + rows[high] * share, dtype=np.float32)
