"""Letter or digit, told by its height: OCR-B's digits are taller than its capitals (ECMA-11).

The recogniser was trained on all sorts of print, and answers 0 for nearly every O of an MRZ, and sometimes
2, 1 or 5 for Z, I or S. In OCR-B the difference can be measured: a capital has 92 % of a digit's height,
over 60 real pages always between 0.917 and 0.931, and the same digit's heights differ by less than 1 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from borderpost.documents import mrz
from borderpost.documents.mrz import Kind
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

_TWINS: Final = frozenset(mrz.LETTER_FOR_DIGIT) | frozenset(mrz.LETTER_FOR_DIGIT.values())
_KNOWN_LETTERS: Final = frozenset(mrz.LETTERS) - frozenset(mrz.DIGIT_FOR_LETTER) - {"J"}
_KNOWN_DIGITS: Final = frozenset(mrz.DIGITS) - frozenset(mrz.LETTER_FOR_DIGIT)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Median heights of this line's letters and digits, in pixels."""

    letter: float
    digit: float


def kinds(strip: Rgb, text: str, confidences: Sequence[float], centres: Sequence[float]) -> list[Kind | None]:
    """Measure for each character of one line whether it is a letter or a digit; None where it can't be told.

    Only O, I, Z, S, G, B and the digits like them are measured. `strip` is the line, upright, with some margin
    above and below; `text` and `confidences` are its reading, and `centres` the characters' places in it, in pixels.
    """
    if not any(char in _TWINS for char in text):
        return [None] * len(text)
    heights = _heights(strip, np.asarray(centres, dtype=np.float64))
    scale = _scale(text, confidences, heights)
    return [
        _kind(height, scale) if scale is not None and char in _TWINS else None
        for char, height in zip(text, heights, strict=True)
    ]


def _kind(height: float, scale: _Scale) -> Kind | None:
    middle, gap = (scale.letter + scale.digit) / 2, scale.digit - scale.letter
    # What is much higher or lower than both is dirt, or a neighbour's ink.
    if not CLEAR_SHARE * gap <= abs(height - middle) <= 2 * gap:
        return None
    return Kind.DIGITS if height > middle else Kind.LETTERS


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
    half = float(np.median(np.diff(centres))) / 2
    edges = np.clip([(centre - half, centre + half) for centre in centres], 0, dark.shape[1]).astype(int)
    return np.array([_ink_height(dark[:, a : max(a + 1, b)]) for a, b in edges])


def _darkness(strip: Rgb) -> Floats:
    """0 for the paper, 1 for the print."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float64)
    paper, print_ = float(np.median(grey)), float(np.percentile(grey, 3))
    return np.asarray((paper - grey) / max(1.0, paper - print_))


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
