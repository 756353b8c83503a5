"""Letter or digit, told by its height: OCR-B's digits are taller than its capitals (ECMA-11).

The recogniser was trained on all sorts of print, and answers 0 for nearly every O of an MRZ, and sometimes
2, 1 or 5 for Z, I or S. In OCR-B the difference can be measured: a capital has 92 % of a digit's height,
over 60 real pages always between 0.917 and 0.931, and the same digit's heights differ by less than 1 %.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.runtime.pictures import Rgb

Floats = npt.NDArray[np.float64]

SURE: Final = 0.9
"""Characters read with at least this confidence are what the others are measured by."""

MIN_LETTERS: Final = 2
MIN_DIGITS: Final = 3
"""So many of known kind a line must have to be measured by: UTO has two such letters."""

MIN_GAP: Final = 0.04
"""Letters lower than digits by less than this share are not OCR-B, or too blurred to measure."""

MAX_GAP: Final = 0.15

CLEAR_SHARE: Final = 0.25
"""A height closer to the middle between letter and digit than this share of their gap says nothing."""

HALF_INK: Final = 0.5
"""An edge is where the print is half as dark as at its darkest."""

STRONG_INK: Final = 0.6

UNSURE: Final = 0.5
"""Confidence of a character whose kind could not be measured."""

ALWAYS_MEASURED: Final = frozenset("0O")
"""The recogniser's own confidence in these says nothing."""

_KNOWN_LETTERS: Final = frozenset(mrz.LETTERS) - frozenset(mrz.DIGIT_FOR_LETTER) - {"J"}
_KNOWN_DIGITS: Final = frozenset(mrz.DIGITS) - frozenset(mrz.LETTER_FOR_DIGIT)
_LETTER_FOR: Final = mrz.LETTER_FOR_DIGIT
_DIGIT_FOR: Final = {letter: digit for digit, letter in mrz.LETTER_FOR_DIGIT.items()}


@dataclass(frozen=True, slots=True)
class _Scale:
    """Median heights of this line's letters and digits, in pixels."""

    letter: float
    digit: float


def settle(
    strip: Rgb, text: str, confidences: Sequence[float], centres: Sequence[float]
) -> tuple[str, tuple[float, ...]]:
    """Decide between letter and digit for O/0, I/1, Z/2, S/5, G/6 and B/8 of one line.

    `strip` is the line, upright, with some margin above and below; `centres` are the characters' rough
    places in it, in pixels. Returns the text and confidences, changed where the height says so; a character
    that can't be told has at most UNSURE.
    """
    if not any(char in _LETTER_FOR or char in _DIGIT_FOR for char in text):
        return text, tuple(confidences)
    heights = _heights(strip, np.asarray(centres, dtype=np.float64))
    scale = _scale(text, confidences, heights)
    settled = [
        _settle_one(char, confidence, height, scale)
        for char, confidence, height in zip(text, confidences, heights, strict=True)
    ]
    return "".join(char for char, _ in settled), tuple(confidence for _, confidence in settled)


def _settle_one(char: str, confidence: float, height: float, scale: _Scale | None) -> tuple[str, float]:
    as_letter, as_digit = _LETTER_FOR.get(char, char), _DIGIT_FOR.get(char, char)
    if as_letter == as_digit:
        return char, confidence
    if scale is None:
        return char, min(confidence, UNSURE) if char in ALWAYS_MEASURED else confidence
    middle, gap = (scale.letter + scale.digit) / 2, scale.digit - scale.letter
    if abs(height - middle) < CLEAR_SHARE * gap:
        return char, min(confidence, UNSURE)
    if abs(height - middle) > 2 * gap:  # dirt, or a neighbour's ink: no character is so high or so low
        return char, min(confidence, UNSURE)
    measured = as_digit if height > middle else as_letter
    if measured == char or char in ALWAYS_MEASURED or confidence < SURE:
        return measured, max(confidence, SURE)
    return char, min(confidence, UNSURE)


def _scale(text: str, confidences: Sequence[float], heights: Floats) -> _Scale | None:
    sure = np.asarray(confidences) >= SURE
    letters = heights[[ok and char in _KNOWN_LETTERS for char, ok in zip(text, sure, strict=True)]]
    digits = heights[[ok and char in _KNOWN_DIGITS for char, ok in zip(text, sure, strict=True)]]
    if len(letters) < MIN_LETTERS or len(digits) < MIN_DIGITS:
        return None
    scale = _Scale(float(np.median(letters)), float(np.median(digits)))
    spread = max(float(np.median(abs(letters - scale.letter))), float(np.median(abs(digits - scale.digit))))
    gap = scale.digit - scale.letter
    if not MIN_GAP * scale.digit < gap < MAX_GAP * scale.digit or spread > CLEAR_SHARE * gap:
        return None
    return scale


def _heights(strip: Rgb, centres: Floats) -> Floats:
    """Height of the ink of every character, in parts of a pixel; 0 where there is none."""
    dark = _darkness(strip)
    pitch, first = np.polyfit(np.arange(len(centres)), centres, 1) if len(centres) > 1 else (1.0, 0.0)
    first += _shift(dark, first, pitch, len(centres))
    edges = np.clip(first + (np.arange(len(centres) + 1) - 0.5) * pitch, 0, dark.shape[1]).astype(int)
    return np.array([_ink_height(dark[:, a : max(a + 1, b)]) for a, b in itertools.pairwise(edges)])


def _darkness(strip: Rgb) -> Floats:
    """0 for the paper, 1 for the print."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float64)
    paper, print_ = float(np.median(grey)), float(np.percentile(grey, 3))
    return np.asarray((paper - grey) / max(1.0, paper - print_))


def _shift(dark: Floats, first: float, pitch: float, count: int) -> float:
    """Move the grid of cells so that its borders run between the characters."""
    columns = dark.clip(0, 1).sum(axis=0)
    borders = first + (np.arange(count + 1) - 0.5) * pitch
    shifts = np.linspace(-0.5, 0.5, 21) * pitch
    ink = [
        columns[np.clip((borders + shift).round().astype(int), 0, len(columns) - 1)].sum() for shift in shifts
    ]
    return float(shifts[int(np.argmin(np.array(ink) + 1e-3 * abs(shifts)))])


def _ink_height(cell: Floats) -> float:
    profile = cell.max(axis=1) if cell.size else np.zeros(1)
    inked = np.flatnonzero(profile > HALF_INK)
    if profile.max() < STRONG_INK or not len(inked):
        return 0.0
    return (
        _edge(profile[::-1], len(profile) - 1 - int(inked[-1]))
        + _edge(profile, int(inked[0]))
        + int(inked[-1] - inked[0])
    )


def _edge(profile: Floats, first: int) -> float:
    """How far before its first inked pixel a profile crosses HALF_INK."""
    if first == 0:
        return 0.0
    rise = float(profile[first] - profile[first - 1])
    return float(profile[first] - HALF_INK) / rise if rise > 0 else 0.0
